/* SPDX-License-Identifier: MIT */
/*
 * Waiting for handles of any kinds: one, any, all.
 *
 * A wait for several links one waiter per handle, each in the queue of its own, all for the one
 * wait word; the first that notifies wins. Handles whose readiness a descriptor tells (a child's
 * end, a stream) put it beside the word. All handles are waited for one after the other where all
 * must be ready; only "any" links many at once.
 */
#include "core/handle.h"

#include "core/clock.h"
#include "core/countdown.h"
#include "core/job.h"
#include "core/memory.h"

#undef weft_done
#undef weft_wait
#undef weft_wait_any
#undef weft_wait_all
#undef weft_wait_many
#undef weft_result
#undef weft_result_view
#undef weft_exception

enum { FEW = 8 };

typedef struct member {
    weft_handle *handle;
    weft_waiter waiter;
    bool enlisted;
    bool described; /* its descriptor is in use: descriptor_done is due */
} member;

/* A wait for several: its members, and the descriptors that some of them have. */
typedef struct many_wait {
    size_t count, fds_count;
    member *members;
    weft_fd_wait *fds; /* room for one per member */
} many_wait;

static bool is_ready(weft_handle *handle)
{
    if (handle->kind->poke != NULL && !weft_handle_done(handle))
        handle->kind->poke(handle);
    return handle->kind->ready != NULL ? handle->kind->ready(handle) : weft_handle_done(handle);
}

/* Links the waiter; 1: it is ready already. */
static int enlist(member *each)
{
    weft_handle *handle = each->handle;
    if (handle->kind->enlist != NULL)
        return handle->kind->enlist(handle, &each->waiter);
    weft_ilock_acquire(&handle->lock);
    int ready = atomic_load_explicit(&handle->done, memory_order_relaxed) != 0;
    if (!ready)
        weft_list_append(&handle->waiters, &each->waiter.link);
    weft_ilock_release(&handle->lock);
    return ready;
}

static void delist(member *each)
{
    weft_handle *handle = each->handle;
    if (handle->kind->delist != NULL) {
        handle->kind->delist(handle, &each->waiter);
        return;
    }
    weft_ilock_acquire(&handle->lock);
    if (weft_link_linked(&each->waiter.link))
        weft_list_remove(&each->waiter.link);
    weft_ilock_release(&handle->lock);
}

static void undescribe(member *each)
{
    if (each->described && each->handle->kind->descriptor_done != NULL)
        each->handle->kind->descriptor_done(each->handle);
    each->described = false;
}

static void delist_all(many_wait *wait)
{
    for (size_t i = 0; i < wait->count; i++) {
        if (wait->members[i].enlisted)
            delist(&wait->members[i]);
        wait->members[i].enlisted = false;
        undescribe(&wait->members[i]);
    }
}

/* Links every member; 1: one is ready. */
static int enlist_all(many_wait *wait)
{
    wait->fds_count = 0;
    for (size_t i = 0; i < wait->count; i++) {
        member *each = &wait->members[i];
        int r = weft_waiter_init(&each->waiter);
        each->waiter.observer = true;
        if (r == 0 && i == 0)
            weft_wait_publish(&each->waiter);
        if (r == 0)
            r = enlist(each);
        if (r != 0)
            return r;
        each->enlisted = true;
        if (each->handle->kind->descriptor != NULL) {
            weft_fd_wait fd = {.fd = -1};
            each->described = each->handle->kind->descriptor(each->handle, &fd) > 0;
            if (each->described)
                wait->fds[wait->fds_count++] = fd;
        }
    }
    return 0;
}

/* One sleep until one of the members may be ready. */
static int sleep_once(many_wait *wait, weft_instant deadline)
{
    weft_context *self = weft_context_self();
    if (self == NULL)
        return -ENOMEM;
    int r = enlist_all(wait);
    if (r != 0 && weft_wait_retract(self)) {
        delist_all(wait);
        return r < 0 ? r : 0;
    }
    /* r != 0 here: notified before the retraction, so this returns at once */
    r = weft_wait_sleep_fds(self, deadline, wait->fds, wait->fds_count);
    delist_all(wait);
    return r == WEFT_WAIT_AND_CANCEL ? weft_wait_cancelled(self) : r;
}

/* The usual case: a handle whose completion is all that makes it ready. */
static int wait_until_done(weft_handle *handle, weft_instant deadline)
{
    weft_waiter waiter;
    int r = weft_waiter_init(&waiter);
    if (r < 0)
        return r;
    weft_ilock_acquire(&handle->lock);
    bool done = atomic_load_explicit(&handle->done, memory_order_relaxed) != 0;
    if (!done) {
        weft_wait_publish(&waiter);
        weft_list_append(&handle->waiters, &waiter.link);
    }
    weft_ilock_release(&handle->lock);
    if (done)
        return 0;
    r = weft_wait_sleep(waiter.context, deadline);
    if (r == WEFT_WAIT_AND_CANCEL)
        return weft_wait_cancelled(waiter.context);
    if (r < 0) {
        weft_ilock_acquire(&handle->lock);
        if (weft_link_linked(&waiter.link))
            weft_list_remove(&waiter.link);
        weft_ilock_release(&handle->lock);
    }
    return r;
}

/* Not inlined: its frame is large, and a parked task's frames count. */
__attribute__((noinline)) static int wait_as_member(weft_handle *handle, weft_instant deadline)
{
    member one = {.handle = handle};
    weft_fd_wait fd;
    many_wait wait = {.count = 1, .members = &one, .fds = &fd};
    return sleep_once(&wait, deadline);
}

int weft_handle_wait(weft_handle *handle, weft_instant deadline)
{
    bool plain = handle->kind->enlist == NULL && handle->kind->descriptor == NULL;
    int r = 0;
    while (r == 0 && !is_ready(handle)) {
        if (deadline == WEFT_INSTANT_NOW)
            return weft_error_timed_out();
        r = plain ? wait_until_done(handle, deadline) : wait_as_member(handle, deadline);
    }
    return r;
}

int weft_handle_check_other(const void *handle, const weft_kind *kind, const char *what)
{
    int r = weft_handle_check(handle, kind, what);
    const weft_context *self = weft_context_current;
    /* a thread that weft did not start has a handle, and no job */
    if (r < 0 || self == NULL ||
        (handle != (const void *)self->job && handle != (const void *)self->thread))
        return r;
    weft_handle *own = (void *)(uintptr_t)handle;
    return weft_error(-EDEADLK, "%s: %s '%s' would wait for itself", what, own->kind->name,
                      weft_handle_name_of(own));
}

static int check_all(const void *handles, size_t count, const char *what)
{
    weft_handle *const *each = handles;
    if (handles == NULL && count > 0)
        return weft_error(-EINVAL, "%s: no array of handles", what);
    for (size_t i = 0; i < count; i++) {
        int r = each[i] != NULL ? weft_handle_check_other(each[i], NULL, what) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

/* The first ready one; -1: none; -2: all are NULL. */
static int find_ready(weft_handle *const *handles, size_t count)
{
    int found = -2;
    for (size_t i = 0; i < count; i++) {
        if (handles[i] == NULL)
            continue;
        if (is_ready(handles[i]))
            return (int)i;
        found = -1;
    }
    return found;
}

static int wait_members(many_wait *wait, weft_handle *const *handles, size_t count,
                        weft_instant deadline)
{
    int found, r = 0;
    for (size_t i = 0; i < count; i++) {
        if (handles[i] != NULL)
            wait->members[wait->count++].handle = handles[i];
    }
    while (r == 0 && (found = find_ready(handles, count)) < 0)
        r = sleep_once(wait, deadline);
    return r < 0 ? r : found;
}

static int wait_any_of_many(weft_handle *const *handles, size_t count, weft_instant deadline)
{
    many_wait wait = {.members = weft_calloc(count, sizeof(member)),
                      .fds = weft_calloc(count, sizeof(weft_fd_wait))};
    int r = wait.members != NULL && wait.fds != NULL
                ? wait_members(&wait, handles, count, deadline)
                : weft_error(-ENOMEM, "wait for any: no memory for %zu handles", count);
    weft_dealloc(wait.members);
    weft_dealloc(wait.fds);
    return r;
}

/* -ENOENT, without a message: all are NULL. */
static int wait_any(weft_handle *const *handles, size_t count, weft_instant deadline)
{
    int found = find_ready(handles, count);
    if (found >= 0)
        return found;
    if (found == -2)
        return -ENOENT;
    if (deadline == WEFT_INSTANT_NOW)
        return weft_error_timed_out();
    if (count > FEW)
        return wait_any_of_many(handles, count, deadline);
    member members[FEW] = {0};
    weft_fd_wait fds[FEW];
    many_wait wait = {.members = members, .fds = fds};
    return wait_members(&wait, handles, count, deadline);
}

int weft_wait_any(const void *handles, size_t count, double timeout)
{
    weft_instant deadline;
    int r = check_all(handles, count, "wait for any");
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    if (r == 0)
        r = wait_any(handles, count, deadline);
    return r == -ENOENT ? weft_error(r, "wait for any: all handles are NULL") : r;
}

static int wait_all(weft_handle *const *handles, size_t count, weft_instant deadline)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        if (handles[i] != NULL)
            r = weft_handle_wait(handles[i], deadline);
    }
    return r;
}

int weft_wait_all(const void *handles, size_t count, double timeout)
{
    weft_instant deadline;
    int r = check_all(handles, count, "wait for all");
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    return r < 0 ? r : wait_all(handles, count, deadline);
}

int weft_wait_many(const void *handles, size_t count, weft_wait_mode mode, bool *done,
                   double timeout)
{
    weft_handle *const *each = handles;
    weft_instant deadline;
    weft_failure before = {0};
    size_t failed;
    int r = check_all(handles, count, "wait for many");
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    if (r < 0)
        return r;
    if (weft_context_current != NULL)
        before = weft_context_current->failure;
    if (mode == WEFT_WAIT_ALL)
        r = wait_all(each, count, deadline);
    else if (mode == WEFT_WAIT_FIRST_COMPLETED)
        r = wait_any(each, count, deadline);
    else if (mode == WEFT_WAIT_FIRST_EXCEPTION)
        r = weft_countdown_wait(each, count, WEFT_FAILURE_EXCEPTION, deadline, &failed);
    else
        r = weft_error(-EINVAL, "wait for many: no mode %d", (int)mode);
    if (r < 0 && r != -ETIMEDOUT && r != -ENOENT)
        return r;
    if (r == -ETIMEDOUT)
        weft_wait_forgive(&before);
    int ready = 0;
    for (size_t i = 0; i < count; i++) {
        bool is = each[i] != NULL && is_ready(each[i]);
        ready += is;
        if (done != NULL)
            done[i] = is;
    }
    return ready;
}

bool weft_done(void *handle)
{
    return weft_handle_check(handle, NULL, "done") == 0 && is_ready(handle);
}

static int check_and_wait(void *handle, double timeout, const char *what)
{
    weft_instant deadline;
    int r = weft_handle_check_other(handle, NULL, what);
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    if (r < 0)
        return r;
    return weft_handle_wait(handle, deadline);
}

int weft_wait(void *handle, double timeout)
{
    return check_and_wait(handle, timeout, "wait");
}

/* ---- results ----------------------------------------------------------------------------------
 */

/* Waits for a handle that has an outcome, and gives it. */
static int wait_for_job(void *handle, double timeout, const char *what, weft_job **job)
{
    weft_handle *waited = handle;
    int r = weft_handle_check(handle, NULL, what);
    if (r < 0)
        return r;
    if (waited->kind->job == NULL)
        return weft_error(-ENOTSUP, "%s: no %s has a result", what, waited->kind->name);
    r = check_and_wait(handle, timeout, what);
    *job = waited->kind->job(waited);
    return r;
}

/* The outcome's bytes; where the function set none they are its number. */
static weft_bytes bytes_of(weft_job *job)
{
    if (job->result.data != NULL)
        return job->result;
    return (weft_bytes){&job->code, sizeof job->code};
}

static int fail_with(const weft_job *job)
{
    return weft_error(job->code, "%s", weft_job_message(job));
}

int weft_result(void *handle, void *out, size_t size, double timeout)
{
    weft_job *job;
    int r = wait_for_job(handle, timeout, "result", &job);
    if (r < 0)
        return r;
    if (job->code < 0)
        return fail_with(job);
    weft_bytes bytes = bytes_of(job);
    if (out != NULL && bytes.size != size)
        return weft_error(-EMSGSIZE, "result: %zu bytes were asked for, '%s' gave %zu", size,
                          weft_handle_name_of(&job->handle), bytes.size);
    if (out != NULL && size > 0)
        memcpy(out, bytes.data, size);
    return job->code;
}

int weft_result_view(void *handle, const void **data, size_t *size, double timeout)
{
    weft_job *job;
    if (data == NULL || size == NULL)
        return weft_error(-EINVAL, "result: nowhere to put data and size");
    int r = wait_for_job(handle, timeout, "result", &job);
    if (r < 0)
        return r;
    if (job->code < 0)
        return fail_with(job);
    weft_bytes bytes = bytes_of(job);
    *data = bytes.data;
    *size = bytes.size;
    return job->code;
}

int weft_exception(void *handle, int *code, const char **message, double timeout)
{
    weft_job *job;
    if (code == NULL)
        return weft_error(-EINVAL, "exception: nowhere to put the code");
    int r = wait_for_job(handle, timeout, "exception", &job);
    if (r < 0)
        return r;
    *code = job->code < 0 ? job->code : 0;
    if (message != NULL)
        *message = job->code < 0 ? weft_job_message(job) : NULL;
    return 0;
}
