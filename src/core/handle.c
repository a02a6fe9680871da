/* SPDX-License-Identifier: MIT */
/*
 * The handle: reference count, completion, callbacks and names.
 *
 * Completion writes the outcome, then under the handle's lock sets `done` and takes waiters and
 * callbacks, so that each is served exactly once: by the completion, or by itself when it finds
 * done under the lock. Whoever completes holds a reference of its own, because a waiter may release
 * the last other one as soon as it sees done.
 */
#include "core/handle.h"

#include <stdio.h>

#include "core/context.h"
#include "core/fork.h"
#include "core/job.h"
#include "core/memory.h"
#include "core/shared.h"

#undef weft_release
#undef weft_release_many
#undef weft_retain
#undef weft_add_done_callback
#undef weft_handle_name
#undef weft_handle_set_name
#undef weft_handle_describe
#undef weft_handle_data
#undef weft_handle_set_data
#undef weft_cancel

enum { DEAD = 0x64656164 };

struct weft_callback {
    struct weft_callback *next;
    weft_done_fn *fn;
    void *arg;
};

struct weft_name {
    struct weft_name *older;
    char text[];
};

void weft_handle_init(weft_handle *handle, const weft_kind *kind)
{
    *handle = (weft_handle){
        .magic = WEFT_HANDLE_MAGIC, .kind = kind, .fork_generation = weft_fork_generation};
    atomic_store_explicit(&handle->refs, 1, memory_order_relaxed);
    if (kind->numbers != NULL) /* relaxed: only different numbers matter */
        handle->number = 1 + atomic_fetch_add_explicit(kind->numbers, 1, memory_order_relaxed);
}

/* Names lie where their handle does: one in shared memory is looked at by several processes. */
static void *alloc_beside(const weft_handle *handle, size_t size)
{
    return weft_is_shared(handle) ? weft_shared.alloc(size) : weft_alloc(size);
}

static void free_beside(const weft_handle *handle, void *memory)
{
    if (weft_is_shared(handle))
        (void)weft_shared.free(memory);
    else
        weft_dealloc(memory);
}

void weft_handle_clear(weft_handle *handle)
{
    handle->magic = DEAD;
    weft_name *name = atomic_load_explicit(&handle->names, memory_order_relaxed);
    while (name != NULL) {
        weft_name *older = name->older;
        free_beside(handle, name);
        name = older;
    }
    while (handle->callbacks != NULL) {
        weft_callback *callback = handle->callbacks;
        handle->callbacks = callback->next;
        weft_dealloc(callback);
    }
}

/* The message keeps the failure that came before, also when NULL is used several times. */
static int refuse_null(const char *what)
{
    static const char null_before[] = ": the handle is NULL (before: ";
    const char *earlier = weft_error_message();
    const char *kept = strstr(earlier, null_before);
    if (earlier[0] == '\0')
        return weft_error(-EINVAL, "%s: the handle is NULL", what);
    if (kept != NULL) /* its closing parenthesis serves again */
        return weft_error(-EINVAL, "%s%s%s", what, null_before, kept + sizeof null_before - 1);
    return weft_error(-EINVAL, "%s%s%s)", what, null_before, earlier);
}

int weft_handle_check_slowly(const void *handle, const weft_kind *kind, const char *what)
{
    const weft_handle *checked = handle;
    if (checked == NULL)
        return refuse_null(what);
    if (checked->magic != WEFT_HANDLE_MAGIC)
        return weft_error(-EINVAL, "%s: not a handle, or released already", what);
    if (kind != NULL && checked->kind != kind)
        return weft_error(-EINVAL, "%s: a %s was given, not a %s", what, checked->kind->name,
                          kind->name);
    /* one in shared memory is good in every process */
    if (checked->fork_generation != weft_fork_generation && !weft_is_shared(checked))
        return weft_error(WEFT_EFORKED, "%s: the %s belongs to the parent process", what,
                          checked->kind->name);
    return 0;
}

void weft_release(void *handle)
{
    if (handle == NULL || weft_handle_check(handle, NULL, "release") < 0)
        return;
    weft_handle_drop(handle);
}

void weft_release_many(const void *handles, size_t count)
{
    void *const *each = handles;
    for (size_t i = 0; each != NULL && i < count; i++)
        weft_release(each[i]);
}

int weft_retain(void *handle)
{
    int r = weft_handle_check(handle, NULL, "retain");
    if (r == 0)
        weft_handle_hold(handle);
    return r;
}

/* ---- completion -------------------------------------------------------------------------------
 */

static void run_callbacks(weft_handle *handle, weft_callback *callback)
{
    while (callback != NULL) {
        weft_callback *next = callback->next;
        callback->fn(handle, callback->arg);
        weft_dealloc(callback);
        callback = next;
    }
}

bool weft_handle_complete(weft_handle *handle)
{
    weft_ilock_acquire(&handle->lock);
    return weft_handle_complete_locked(handle);
}

bool weft_handle_complete_locked(weft_handle *handle)
{
    /* relaxed: written under the lock alone */
    if (atomic_load_explicit(&handle->done, memory_order_relaxed) != 0) {
        weft_ilock_release(&handle->lock);
        return false;
    }
    /* release: the outcome is seen by who sees done without the lock */
    atomic_store_explicit(&handle->done, 1, memory_order_release);
    weft_callback *callbacks = handle->callbacks;
    handle->callbacks = NULL;
    if (weft_list_empty(&handle->waiters))
        weft_ilock_release(&handle->lock);
    else
        weft_wait_notify_all(&handle->lock, &handle->waiters);
    if (callbacks != NULL)
        run_callbacks(handle, callbacks);
    return true;
}

void weft_handle_notify(weft_handle *handle)
{
    weft_ilock_acquire(&handle->lock);
    weft_wait_notify_all(&handle->lock, &handle->waiters);
}

int weft_add_done_callback(void *handle, weft_done_fn *fn, void *arg)
{
    weft_handle *completed = handle;
    int r = weft_handle_check(handle, NULL, "add a done callback");
    if (r < 0)
        return r;
    if (fn == NULL)
        return weft_error(-EINVAL, "add a done callback: the function is NULL");
    if (completed->kind->enlist != NULL)
        return weft_error(-ENOTSUP, "add a done callback: not to a %s, which never ends",
                          completed->kind->name);
    weft_callback *callback = weft_alloc(sizeof *callback);
    if (callback == NULL)
        return weft_error(-ENOMEM, "add a done callback: no memory");
    *callback = (weft_callback){.fn = fn, .arg = arg};
    weft_ilock_acquire(&completed->lock);
    bool done = atomic_load_explicit(&completed->done, memory_order_relaxed) != 0;
    if (!done) {
        weft_callback **last = &completed->callbacks;
        while (*last != NULL)
            last = &(*last)->next;
        *last = callback;
    }
    weft_ilock_release(&completed->lock);
    if (done)
        run_callbacks(completed, callback);
    return 0;
}

int weft_cancel(void *handle)
{
    weft_handle *cancelled = handle;
    int r = weft_handle_check(handle, NULL, "cancel");
    if (r < 0)
        return r;
    if (cancelled->kind->cancel == NULL)
        return weft_error(-ENOTSUP, "cancel: no %s can be cancelled", cancelled->kind->name);
    return cancelled->kind->cancel(cancelled);
}

/* ---- names and data ---------------------------------------------------------------------------
 */

/* 1 where it is the first, 0 where there was one. */
static int add_name(weft_handle *handle, const char *text, bool only_first)
{
    size_t size = strlen(text) + 1;
    weft_name *name = alloc_beside(handle, sizeof *name + size);
    if (name == NULL)
        return weft_error(-ENOMEM, "name a %s: no memory", handle->kind->name);
    memcpy(name->text, text, size);
    name->older = NULL;
    /* release: with its text */
    while (!atomic_compare_exchange_weak_explicit(&handle->names, &name->older, name,
                                                  memory_order_release, memory_order_relaxed)) {
        if (only_first && name->older != NULL) {
            free_beside(handle, name);
            return 0;
        }
    }
    return name->older == NULL;
}

static int make_name(weft_handle *handle, const char *given, bool only_first)
{
    if (given != NULL)
        return add_name(handle, given, only_first);
    char text[64];
    snprintf(text, sizeof text, "%s-%u", handle->kind->prefix, (unsigned)handle->number);
    return add_name(handle, text, only_first);
}

/*
 * As in Python, only those count whose name is made: one that was named before it needed its number
 * gives it back. Where others have drawn since, it is lost. That of a shared handle may be another
 * process's.
 */
static void give_number_back(weft_handle *handle)
{
    uint32_t number = handle->number;
    if (handle->kind->numbers != NULL && !weft_is_shared(handle))
        /* relaxed: only different numbers matter */
        (void)atomic_compare_exchange_strong_explicit(handle->kind->numbers, &number, number - 1,
                                                      memory_order_relaxed, memory_order_relaxed);
}

int weft_handle_rename(weft_handle *handle, const char *name)
{
    int r = make_name(handle, name, false);
    if (r > 0 && name != NULL)
        give_number_back(handle);
    return r < 0 ? r : 0;
}

const char *weft_handle_name_of(weft_handle *handle)
{
    /* acquire: with its text */
    weft_name *name = atomic_load_explicit(&handle->names, memory_order_acquire);
    if (name == NULL) {
        if (make_name(handle, NULL, true) < 0)
            return handle->kind->prefix;
        name = atomic_load_explicit(&handle->names, memory_order_acquire);
    }
    return name->text;
}

const char *weft_handle_name(void *handle)
{
    return weft_handle_check(handle, NULL, "name") < 0 ? NULL : weft_handle_name_of(handle);
}

int weft_handle_set_name(void *handle, const char *name)
{
    int r = weft_handle_check(handle, NULL, "set name");
    if (r == 0 && name == NULL)
        r = weft_error(-EINVAL, "set name: the name is NULL");
    if (r == 0)
        r = weft_handle_rename(handle, name);
    const weft_kind *kind = r == 0 ? ((weft_handle *)handle)->kind : NULL;
    if (kind != NULL && kind->renamed != NULL)
        kind->renamed(handle, name);
    return r;
}

void *weft_handle_data(void *handle)
{
    if (weft_handle_check(handle, NULL, "data") < 0)
        return NULL;
    /* acquire, release: what the pointer points at is handed over with it */
    return atomic_load_explicit(&((weft_handle *)handle)->data, memory_order_acquire);
}

void weft_handle_set_data(void *handle, void *data)
{
    if (weft_handle_check(handle, NULL, "set data") == 0)
        atomic_store_explicit(&((weft_handle *)handle)->data, data, memory_order_release);
}

static int describe_job(weft_job *job, char *buffer, size_t size)
{
    if (!weft_handle_done(&job->handle)) {
        bool runs = atomic_load_explicit(&job->runs, memory_order_relaxed);
        return snprintf(buffer, size, runs ? "running" : "pending");
    }
    if (job->code >= 0)
        return snprintf(buffer, size, "done, result %d", job->code);
    return snprintf(buffer, size, "failed, %s: %s", weft_error_name(job->code),
                    weft_job_message(job));
}

int weft_handle_describe(void *handle, char *buffer, size_t size)
{
    weft_handle *described = handle;
    int r = weft_handle_check(handle, NULL, "describe");
    if (r == 0 && buffer == NULL && size > 0)
        r = weft_error(-EINVAL, "describe: no buffer");
    if (r < 0)
        return r;
    char state[WEFT_MESSAGE_SIZE + 64] = "";
    if (described->kind->describe != NULL)
        described->kind->describe(described, state, sizeof state);
    else if (described->kind->job != NULL)
        describe_job(described->kind->job(described), state, sizeof state);
    else if (described->kind->ready != NULL)
        snprintf(state, sizeof state, described->kind->ready(described) ? "ready" : "not ready");
    else
        snprintf(state, sizeof state, weft_handle_done(described) ? "done" : "pending");
    return snprintf(buffer, size, "<%s '%s' %s>", described->kind->name,
                    weft_handle_name_of(described), state);
}
