/* SPDX-License-Identifier: MIT */
/*
 * event: one word, SET or not, and the mark that somebody waits.
 *
 * A set that sees no waiters is one compare-and-swap. Else it takes the bucket's lock first, sets
 * the word under it, and moves all waiters of the address to a list of its own before the lock is
 * left: they have been released by this set, whatever is done to the event, or to its memory,
 * afterwards.
 *
 * In shared memory there are no lists: the word alone is waited on, so a waiter that is slow may
 * miss a set that is cleared at once (as in Python's multiprocessing).
 */
#include <stdio.h>

#include <weft/threading.h>

#include "core/handle.h"
#include "core/memory.h"
#include "threading/value.h"

_Static_assert(sizeof(weft_event) == 16, "part of the ABI");

#define WAITERS WEFT_WORD_WAITERS
#define SET     UINT32_C(1)

static bool is_set(const weft_event *event)
{
    /* acquire: pairs with the release of the set */
    return (__atomic_load_n(&event->state_, __ATOMIC_ACQUIRE) & SET) != 0;
}

bool weft_event_is_set(const weft_event *event)
{
    if (event == NULL && weft_value_missing("is_set") < 0)
        return false;
    return is_set(event);
}

void weft_event_clear(weft_event *event)
{
    if (event == NULL && weft_value_missing("clear an event") < 0)
        return;
    __atomic_fetch_and(&event->state_, ~SET, __ATOMIC_RELAXED);
}

static void set_shared(weft_event *event)
{
    uint32_t word = __atomic_exchange_n(&event->state_, SET, __ATOMIC_RELEASE);
    if ((word & WAITERS) != 0)
        weft_shared.wake(weft_word_shared(&event->state_), INT32_MAX);
}

static void set_waited_for(weft_event *event)
{
    weft_list waiters = {0};
    weft_bucket *bucket = weft_bucket_acquire(event);
    __atomic_store_n(&event->state_, SET, __ATOMIC_RELEASE);
    weft_waiter *waiter;
    while ((waiter = weft_bucket_find(bucket, event, NULL)) != NULL) {
        weft_list_remove(&waiter->link);
        weft_list_append(&waiters, &waiter->link);
    }
    weft_wait_notify_all(&bucket->lock, &waiters); /* leaves the lock */
}

void weft_event_set(weft_event *event)
{
    if (event == NULL && weft_value_missing("set an event") < 0)
        return;
    uint32_t word = weft_word_load(&event->state_);
    for (;;) {
        if ((word & WAITERS) != 0)
            break;
        if (weft_word_give(&event->state_, &word, SET))
            return;
    }
    if (weft_is_shared(event))
        set_shared(event);
    else
        set_waited_for(event);
}

/* Under the bucket's lock: whether the waiter may be linked, with the mark set; else the event is
 * set. */
static bool mark_waiters(weft_event *event)
{
    uint32_t word = weft_word_load(&event->state_);
    while ((word & SET) == 0)
        if (weft_word_mark(&event->state_, &word, word | WAITERS))
            return true;
    return false;
}

/* After a wait that was not notified. */
static void leave(weft_event *event, weft_waiter *waiter)
{
    weft_bucket *bucket = weft_bucket_acquire(event);
    if (weft_link_linked(&waiter->link))
        weft_list_remove(&waiter->link);
    if (weft_bucket_find(bucket, event, NULL) == NULL)
        __atomic_fetch_and(&event->state_, ~WAITERS, __ATOMIC_RELAXED);
    weft_bucket_release(bucket);
}

static int wait_private(weft_event *event, weft_instant deadline)
{
    weft_waiter waiter;
    int r = weft_waiter_init(&waiter);
    if (r < 0)
        return r;
    waiter.address = event;
    weft_bucket *bucket = weft_bucket_acquire(event);
    if (!mark_waiters(event)) {
        weft_bucket_release(bucket);
        return is_set(event) ? 0 : wait_private(event, deadline);
    }
    weft_value_enlist(bucket, &waiter);
    r = weft_wait_sleep(waiter.context, deadline);
    if (r < 0)
        leave(event, &waiter);
    return r == WEFT_WAIT_AND_CANCEL ? weft_wait_cancelled(waiter.context) : r;
}

static int wait_shared(weft_event *event, weft_instant deadline)
{
    while (!is_set(event)) {
        uint32_t word = weft_word_load(&event->state_);
        if ((word & SET) != 0)
            continue;
        if ((word & WAITERS) == 0 && !weft_word_mark(&event->state_, &word, word | WAITERS))
            continue;
        int r = weft_shared.wait(weft_word_shared(&event->state_), WAITERS, 0, deadline);
        if (r < 0)
            return r;
    }
    return 0;
}

int weft_event_wait(weft_event *event, double timeout)
{
    if (event == NULL)
        return weft_value_missing("wait for an event");
    weft_instant deadline;
    int r = weft_deadline(timeout, &deadline);
    if (r < 0)
        return r;
    if (is_set(event))
        return 0;
    if (deadline == WEFT_INSTANT_NOW)
        return weft_error_timed_out();
    return weft_is_shared(event) ? wait_shared(event, deadline) : wait_private(event, deadline);
}

/* ---- The event as a handle ---------------------------------------------------------------------
 */

struct weft_source {
    weft_handle handle; /* first */
    weft_event *event;  /* the caller's */
};

static weft_event *event_of(weft_handle *handle)
{
    return ((weft_source *)(void *)handle)->event;
}

static bool source_ready(weft_handle *handle)
{
    return is_set(event_of(handle));
}

static int source_enlist(weft_handle *handle, weft_waiter *waiter)
{
    weft_event *event = event_of(handle);
    if (weft_is_shared(event))
        return weft_error(-ENOTSUP, "wait for a shared event among other handles");
    weft_bucket *bucket = weft_bucket_acquire(event);
    bool waits = mark_waiters(event);
    if (waits) {
        waiter->address = event;
        weft_list_append(&bucket->waiters, &waiter->link);
    }
    weft_bucket_release(bucket);
    return waits ? 0 : 1;
}

static void source_delist(weft_handle *handle, weft_waiter *waiter)
{
    leave(event_of(handle), waiter);
}

static void source_finalize(weft_handle *handle)
{
    weft_handle_clear(handle);
    weft_dealloc(handle);
}

static int source_describe(weft_handle *handle, char *buffer, size_t size)
{
    return snprintf(buffer, size, "event %s", source_ready(handle) ? "set" : "not set");
}

static _Atomic uint32_t numbers;

static const weft_kind source_kind = {
    .name = "source",
    .prefix = "Source",
    .numbers = &numbers,
    .finalize = source_finalize,
    .ready = source_ready,
    .enlist = source_enlist,
    .delist = source_delist,
    .describe = source_describe,
};

int weft_source_from_event(weft_source **source, weft_event *event)
{
    if (source == NULL || event == NULL) {
        if (source != NULL)
            *source = NULL;
        return weft_error(-EINVAL, "source of an event: NULL");
    }
    *source = weft_alloc(sizeof(**source));
    if (*source == NULL)
        return weft_error(-ENOMEM, "source of an event: no memory");
    weft_handle_init(&(*source)->handle, &source_kind);
    (*source)->event = event;
    return 0;
}
