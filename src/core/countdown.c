/* SPDX-License-Identifier: MIT */
/*
 * One waiter per handle stays linked until that handle is done; each completion counts down (in the
 * waiter's accept, under the handle's lock) and only the last one, or the first failure, wakes the
 * waiting context. So a gather of n tasks costs n steps and one wake-up, not n wake-ups that look
 * at n handles.
 *
 * A completion may come while the waiting context is awake between two sleeps; then its
 * notification finds no wait to decide. So the context looks at the count again after it has
 * published its next wait, and before it sleeps (both seq_cst).
 */
#include "core/countdown.h"

#include "core/job.h"
#include "core/memory.h"

typedef struct countdown {
    _Atomic size_t left;
    _Atomic size_t failed; /* index + 1 of the first failure; 0: none */
    weft_failure_kind ends;
} countdown;

typedef struct member {
    weft_waiter waiter; /* first */
    countdown *shared;
    weft_handle *handle;
    size_t index;
    bool enlisted;        /* of kinds with queues of their own */
    bool described;       /* its descriptor is in use: descriptor_done is due */
    _Atomic bool counted; /* likewise: it has been ready once */
} member;

static bool ends_the_wait(const countdown *shared, weft_handle *handle)
{
    weft_job *job = handle->kind->job != NULL ? handle->kind->job(handle) : NULL;
    if (job == NULL || job->code >= 0 || shared->ends == WEFT_FAILURE_NONE)
        return false;
    return shared->ends == WEFT_FAILURE_ANY || job->code != -ECANCELED;
}

/* Counts a handle that is done; true: the wait is over. */
static bool count(member *each)
{
    countdown *shared = each->shared;
    size_t none = 0;
    if (ends_the_wait(shared, each->handle) &&
        atomic_compare_exchange_strong(&shared->failed, &none, each->index + 1)) {
        atomic_fetch_sub(&shared->left, 1);
        return true;
    }
    return atomic_fetch_sub(&shared->left, 1) == 1;
}

static bool accept(weft_waiter *waiter)
{
    member *each = (member *)waiter;
    atomic_store(&each->counted, true);
    return count(each);
}

static bool over(countdown *shared)
{
    return atomic_load(&shared->left) == 0 || atomic_load(&shared->failed) != 0;
}

static void poke(weft_handle *handle)
{
    if (handle->kind->poke != NULL && !weft_handle_done(handle))
        handle->kind->poke(handle);
}

/* Counts a member of a kind whose readiness is more than its end, when it is found ready. */
static void look(member *each)
{
    const weft_kind *kind = each->handle->kind;
    if (!each->enlisted || atomic_load(&each->counted) || !kind->ready(each->handle))
        return;
    kind->delist(each->handle, &each->waiter); /* after this nobody else counts it */
    each->enlisted = false;
    if (!atomic_exchange(&each->counted, true))
        count(each);
}

static int enlist(member *each)
{
    int r = each->handle->kind->enlist(each->handle, &each->waiter);
    each->enlisted = r == 0;
    if (r > 0) {
        atomic_store(&each->counted, true);
        count(each);
    }
    return r < 0 ? r : 0;
}

static int link_member(member *each, weft_context *self)
{
    weft_handle *handle = each->handle;
    each->waiter = (weft_waiter){.context = self, .observer = true, .accept = accept};
    poke(handle);
    if (handle->kind->enlist != NULL)
        return enlist(each);
    weft_ilock_acquire(&handle->lock);
    bool done = atomic_load_explicit(&handle->done, memory_order_relaxed) != 0;
    if (!done)
        weft_list_append(&handle->waiters, &each->waiter.link);
    weft_ilock_release(&handle->lock);
    if (done)
        count(each);
    return 0;
}

static void unlink_member(member *each)
{
    if (each->handle->kind->enlist != NULL) {
        if (each->enlisted)
            each->handle->kind->delist(each->handle, &each->waiter);
        return;
    }
    weft_ilock_acquire(&each->handle->lock);
    if (weft_link_linked(&each->waiter.link))
        weft_list_remove(&each->waiter.link);
    weft_ilock_release(&each->handle->lock);
}

static size_t collect_descriptors(member *members, size_t size, weft_fd_wait *fds)
{
    size_t found = 0;
    for (size_t i = 0; i < size; i++) {
        weft_handle *handle = members[i].handle;
        if (handle->kind->descriptor == NULL || weft_handle_done(handle) ||
            atomic_load(&members[i].counted))
            continue;
        fds[found] = (weft_fd_wait){.fd = -1};
        members[i].described = handle->kind->descriptor(handle, &fds[found]) > 0;
        found += members[i].described;
    }
    return found;
}

static void release_descriptors(member *members, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        weft_handle *handle = members[i].handle;
        if (members[i].described && handle->kind->descriptor_done != NULL)
            handle->kind->descriptor_done(handle);
        members[i].described = false;
    }
}

static int sleep_until_over(member *members, size_t size, countdown *shared, weft_fd_wait *fds,
                            weft_context *self, weft_instant deadline)
{
    int r = 0;
    while (r == 0 && !over(shared)) {
        size_t found = collect_descriptors(members, size, fds);
        weft_waiter own = {.context = self};
        weft_wait_publish(&own);
        /* a completion before the publication woke nobody */
        bool sleeps = !over(shared) || !weft_wait_retract(self);
        if (sleeps)
            r = weft_wait_sleep_fds(self, deadline, fds, found);
        if (found > 0)
            release_descriptors(members, size);
        if (!sleeps)
            break;
        for (size_t i = 0; found > 0 && i < size; i++) {
            poke(members[i].handle);
            look(&members[i]);
        }
    }
    return r;
}

int weft_countdown_wait(weft_handle *const *handles, size_t size, weft_failure_kind ends,
                        weft_instant deadline, size_t *failed)
{
    weft_context *self = weft_context_self();
    countdown shared = {.ends = ends};
    member *members = weft_calloc(size, sizeof *members);
    weft_fd_wait *fds = weft_calloc(size, sizeof *fds);
    int r = self != NULL && members != NULL && fds != NULL
                ? 0
                : weft_error(-ENOMEM, "wait: no memory for %zu handles", size);
    size_t used = 0;
    for (size_t i = 0; r == 0 && i < size; i++) {
        if (handles[i] != NULL)
            members[used++] = (member){.shared = &shared, .handle = handles[i], .index = i};
    }
    atomic_store(&shared.left, used);
    for (size_t i = 0; r == 0 && i < used; i++)
        r = link_member(&members[i], self);
    if (r == 0 && deadline == WEFT_INSTANT_NOW && !over(&shared))
        r = weft_error_timed_out();
    if (r == 0)
        r = sleep_until_over(members, used, &shared, fds, self, deadline);
    for (size_t i = 0; i < used; i++)
        unlink_member(&members[i]);
    weft_dealloc(members);
    weft_dealloc(fds);
    if (r == WEFT_WAIT_AND_CANCEL)
        r = weft_wait_cancelled(self);
    size_t which = atomic_load(&shared.failed);
    if (r == 0 && which > 0)
        *failed = which - 1;
    return r < 0 ? r : which > 0;
}
