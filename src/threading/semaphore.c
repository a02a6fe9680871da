/* SPDX-License-Identifier: MIT */
/*
 * semaphore: one word, the count of permits and the mark that somebody waits.
 *
 * First come, first served: while the mark is set nobody takes a permit past those who wait. A
 * release that sees the mark takes the bucket's lock and, in one write of the word, takes the
 * permits for the waiters it lets go on; then it notifies them. A waiter that turns out to have
 * timed out (it still has to come through the bucket's lock, so the semaphore's memory is there)
 * gives its permit to the next, or back to the count. A waiter that was notified and finds itself
 * cancelled releases its permit onward.
 *
 * While the mark is set the word changes only under the bucket's lock, save for clearing nothing:
 * acquire and release without the mark are compare-and-swaps that fail when it appears.
 *
 * In shared memory there are no lists: the count is barged for, and the mark says that a wake-up is
 * needed. A process that dies takes at most a wake-up with it, which waiting in slices makes good;
 * its permits are gone, as in Python: a permit has no owner.
 */
#include <sched.h>

#include <weft/threading.h>

#include "threading/value.h"

_Static_assert(sizeof(weft_semaphore) == 32, "part of the ABI");

#define WAITERS WEFT_WORD_WAITERS
#define COUNT   UINT32_C(0x7fffffff)

enum { GIVEN = 1 }; /* a waiter's tag: a permit is its own already */

enum { YIELDS = 1 };

/* Takes a permit past nobody. */
static bool take(weft_semaphore *semaphore, uint32_t mark)
{
    uint32_t word = weft_word_load(&semaphore->value);
    while ((word & WAITERS) == 0 && word != 0)
        if (weft_word_take(&semaphore->value, &word, (word - 1) | mark))
            return true;
    return false;
}

/* ---- Private memory ---------------------------------------------------------------------------
 */

/* Bucket's lock held. Takes up to `count` waiters out of the bucket; *more: others are left. */
static size_t collect(weft_semaphore *semaphore, weft_bucket *bucket, size_t count,
                      weft_list *waiters, bool *more)
{
    size_t n = 0;
    weft_waiter *waiter;
    while ((waiter = weft_bucket_find(bucket, semaphore, NULL)) != NULL && n < count) {
        weft_list_remove(&waiter->link);
        weft_list_append(waiters, &waiter->link);
        waiter->tag = GIVEN;
        n++;
    }
    *more = waiter != NULL;
    return n;
}

/* Checks the new count; 0, or a failure without a message. */
static int check(uint32_t bound, uint32_t word, size_t count)
{
    if (count > COUNT - (word & COUNT))
        return -EOVERFLOW;
    return bound != 0 && (word & COUNT) + count > bound ? -EINVAL : 0;
}

/* weft_value_undo_fn: a permit that a waiter did not take any more. */
static void give_back(void *value, weft_bucket *bucket, weft_waiter *waiter, weft_list *waiters)
{
    weft_semaphore *semaphore = value;
    weft_waiter *next = weft_bucket_find(bucket, semaphore, NULL);
    (void)waiter;
    if (next == NULL) {
        /* beyond the bound: somebody has released meanwhile what he had not */
        uint32_t word = weft_word_load(&semaphore->value);
        while (check(semaphore->bound, word, 1) == 0 &&
               !weft_word_give(&semaphore->value, &word, word + 1))
            continue;
        return;
    }
    weft_list_remove(&next->link);
    weft_list_append(waiters, &next->link);
    next->tag = GIVEN;
    if (weft_bucket_find(bucket, semaphore, NULL) == NULL)
        __atomic_fetch_and(&semaphore->value, ~WAITERS, __ATOMIC_RELAXED);
}

static int release_queued(weft_semaphore *semaphore, size_t count, uint32_t bound)
{
    weft_list waiters = {0};
    bool more;
    weft_bucket *bucket = weft_bucket_acquire(semaphore);
    uint32_t word = weft_word_load(&semaphore->value);
    int r = check(bound, word, count);
    if (r < 0) {
        weft_bucket_release(bucket);
        return r;
    }
    uint32_t left = (uint32_t)(count - collect(semaphore, bucket, count, &waiters, &more));
    /* the one atomic: from here on the permits are given; it fails only where nobody waits any
     * more, and others change the count */
    while (r == 0 && !weft_word_give(&semaphore->value, &word,
                                     ((word & COUNT) + left) | (more ? WAITERS : 0)))
        r = check(bound, word, count);
    weft_value_notify(semaphore, bucket, &waiters, give_back);
    return r;
}

/* After a wait that was not notified. One that is linked and has a permit stands in the list of a
 * release that has left the bucket's lock for a moment. */
static void leave(weft_semaphore *semaphore, weft_waiter *waiter)
{
    weft_list waiters = {0};
    weft_bucket *bucket = weft_bucket_acquire(semaphore);
    if (weft_link_linked(&waiter->link)) {
        weft_list_remove(&waiter->link);
        if (waiter->tag == GIVEN)
            give_back(semaphore, bucket, waiter, &waiters);
    }
    if (weft_bucket_find(bucket, semaphore, NULL) == NULL)
        __atomic_fetch_and(&semaphore->value, ~WAITERS, __ATOMIC_RELAXED);
    weft_value_notify(semaphore, bucket, &waiters, give_back);
}

static int acquire_private(weft_semaphore *semaphore, weft_instant deadline)
{
    weft_waiter waiter;
    int r = weft_waiter_init(&waiter);
    if (r < 0)
        return r;
    for (int i = 0; !waiter.context->coroutine && i < YIELDS; i++) {
        sched_yield();
        if (take(semaphore, 0))
            return 0;
    }
    waiter.address = semaphore;
    weft_bucket *bucket = weft_bucket_acquire(semaphore);
    uint32_t word = weft_word_load(&semaphore->value);
    for (;;) {
        if (word != 0 && (word & WAITERS) == 0) {
            if (weft_word_take(&semaphore->value, &word, word - 1)) {
                weft_bucket_release(bucket);
                return 0;
            }
        } else if ((word & WAITERS) != 0 ||
                   weft_word_mark(&semaphore->value, &word, word | WAITERS)) {
            break;
        }
    }
    weft_value_enlist(bucket, &waiter);
    r = weft_wait_sleep(waiter.context, deadline);
    if (r < 0)
        leave(semaphore, &waiter);
    if (r != WEFT_WAIT_AND_CANCEL)
        return r;
    weft_semaphore_release(semaphore, 1); /* no bound is passed: the permit was among them */
    return weft_wait_cancelled(waiter.context);
}

/* ---- Shared memory ----------------------------------------------------------------------------
 */

static int acquire_shared(weft_semaphore *semaphore, weft_instant deadline)
{
    bool slept = false;
    for (;;) {
        uint32_t word = weft_word_load(&semaphore->value);
        if ((word & COUNT) != 0) {
            /* who has slept cannot know whether others still do */
            if (!weft_word_take(&semaphore->value, &word, (word - 1) | (slept ? WAITERS : 0)))
                continue;
            /* a release that came before the mark was set again has woken nobody */
            if (slept && ((word - 1) & COUNT) != 0)
                weft_shared.wake(weft_word_shared(&semaphore->value), 1);
            return 0;
        }
        if (deadline == WEFT_INSTANT_NOW)
            return weft_error_timed_out();
        if (word == 0 && !weft_word_mark(&semaphore->value, &word, WAITERS))
            continue;
        int r = weft_shared.wait(weft_word_shared(&semaphore->value), WAITERS, 0, deadline);
        slept = true;
        if (r < 0) {
            if ((weft_word_load(&semaphore->value) & COUNT) != 0)
                weft_shared.wake(weft_word_shared(&semaphore->value), 1);
            return r;
        }
    }
}

static int release_shared(weft_semaphore *semaphore, size_t count, uint32_t bound)
{
    uint32_t word = weft_word_load(&semaphore->value);
    for (;;) {
        int r = check(bound, word, count);
        if (r < 0)
            return r;
        if (weft_word_give(&semaphore->value, &word, (word & COUNT) + (uint32_t)count))
            break;
    }
    if ((word & WAITERS) != 0)
        weft_shared.wake(weft_word_shared(&semaphore->value), (uint32_t)count);
    return 0;
}

/* ---- The public functions ---------------------------------------------------------------------
 */

/* Not inline: the ways of those who need not wait stay without a frame. */
__attribute__((noinline)) static int acquire_slowly(weft_semaphore *semaphore, double timeout)
{
    weft_instant deadline;
    int r = weft_deadline(timeout, &deadline);
    if (r < 0)
        return r;
    if (weft_is_shared(semaphore))
        return acquire_shared(semaphore, deadline);
    if (deadline == WEFT_INSTANT_NOW)
        return weft_error_timed_out();
    return acquire_private(semaphore, deadline);
}

int weft_semaphore_acquire(weft_semaphore *semaphore, double timeout)
{
    if (semaphore == NULL)
        return weft_value_missing("acquire a semaphore");
    if (timeout == timeout && take(semaphore, 0))
        return 0;
    return acquire_slowly(semaphore, timeout);
}

__attribute__((noinline)) static int release_slowly(weft_semaphore *semaphore, size_t count)
{
    uint32_t bound = semaphore->bound;
    uint32_t word = weft_word_load(&semaphore->value);
    int r = count > 0 ? 0 : -EINVAL;
    while (r == 0) {
        if ((word & WAITERS) != 0) {
            r = weft_is_shared(semaphore) ? release_shared(semaphore, count, bound)
                                          : release_queued(semaphore, count, bound);
            break;
        }
        r = check(bound, word, count);
        if (r == 0 && weft_word_give(&semaphore->value, &word, word + (uint32_t)count))
            return 0;
    }
    if (r == -EOVERFLOW)
        return weft_error(r, "release of a semaphore: too many permits");
    if (r == -EINVAL && count > 0)
        return weft_error(r, "release of a semaphore beyond its bound of %u", (unsigned)bound);
    return r < 0 ? weft_error(r, "release of a semaphore: no permits") : 0;
}

int weft_semaphore_release(weft_semaphore *semaphore, size_t count)
{
    if (semaphore == NULL)
        return weft_value_missing("release a semaphore");
    uint32_t word = weft_word_load(&semaphore->value);
    if (count > 0 && (word & WAITERS) == 0 && check(semaphore->bound, word, count) == 0 &&
        weft_word_give(&semaphore->value, &word, word + (uint32_t)count))
        return 0;
    return release_slowly(semaphore, count);
}

size_t weft_semaphore_value(const weft_semaphore *semaphore)
{
    if (semaphore == NULL && weft_value_missing("value") < 0)
        return 0;
    return weft_word_load(&semaphore->value) & COUNT;
}
