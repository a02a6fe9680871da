/* SPDX-License-Identifier: MIT */
/*
 * lock: one word, its waiters in the parking lot (core/waitq.h).
 *
 * The word is 0 when the lock is free, else the id of the process that holds it (so that a shared
 * lock's dead holder can be told), and two marks:
 *
 *   WAITERS   somebody is in the bucket: a release must look there.
 *   WOKEN     one of them has been woken and is on its way: a release need not wake another. It is
 *             what keeps a busy lock from a system call per release (Go's mutexWoken).
 *
 * Invariant: when the lock is free and somebody is in the bucket, WOKEN is set, or a release holds
 * the bucket's lock. WOKEN is cleared only by the one that was woken, when it takes the lock, goes
 * back to the front of the queue, or gives up (then it wakes the next); and by whoever queues up in
 * a forked child, where the woken one may not exist: cleared for nothing it costs one wake-up. On
 * its way means that it comes: the main thread is not in the queue while it runs signal handlers,
 * which may want the lock, too.
 *
 * The lock may be barged: whoever finds it free takes it, so a thread that locks in a loop keeps
 * its cache line. Nobody starves: one that has waited for over a millisecond gets it handed over:
 * the word stays held, and the waiter is told so. As the word names the process and waiters in the
 * bucket are of this process, nothing in it needs to change for that.
 *
 * Memory: a release that finds no waiters, or WOKEN, is one compare-and-swap, after which the
 * lock's memory is not touched. Else it holds the bucket's lock: a hand-over writes the word before
 * it notifies; a wake-up writes it after, since the waiter still finds the lock held until then,
 * and cannot leave but through the bucket's lock or that very write.
 *
 * In shared memory there are no lists, nor WOKEN: WAITERS, a futex-like wait on the word in slices,
 * and the death of the holder is found by its id. The parking lot is WebKit's.
 */
#include "threading/lock.h"

#include "core/interrupt.h"
#include "platform/cpu.h"
#include "platform/pause.h"

_Static_assert(sizeof(weft_lock) == 16, "part of the ABI");

#define WAITERS WEFT_LOCK_WAITERS
#define WOKEN   WEFT_LOCK_WOKEN
#define HOLDER  WEFT_LOCK_HOLDER

enum {
    PATIENCE = 1000 * 1000, /* ns; after that the lock is handed over */
    LOOKS = 4,              /* at the word before queueing */
    PAUSES = 30, /* before each: who works under the lock has its line meanwhile, some 0.5 us */
};

typedef struct lock_waiter {
    weft_waiter waiter; /* first */
    weft_instant since; /* the first time it queued up */
    bool handed;        /* notified: the lock is its own; guarded by the wait word */
} lock_waiter;

/* Takes a free lock, whatever its marks; `clear`: marks to be taken off with it. */
static bool take_free(weft_lock *lock, uint32_t clear)
{
    uint32_t word = weft_word_load(&lock->state_);
    while ((word & HOLDER) == 0)
        if (weft_word_take(&lock->state_, &word, (word & ~clear) | weft_lock_own_id()))
            return true;
    return false;
}

/* ---- Private memory ---------------------------------------------------------------------------
 */

/* A thread looks for a moment, unless another does: with every thread spinning, the cache line
 * costs more than sleeping. */
static bool spin(weft_lock *lock, const weft_context *self)
{
    if (self == NULL || self->coroutine || weft_cpu_count() < 2)
        return false;
    uint32_t nobody = 0;
    if (!weft_word_mark(&lock->spinning_, &nobody, 1))
        return false;
    bool taken = false;
    for (int i = 0; i < LOOKS && !taken; i++) {
        for (int pauses = 0; pauses < PAUSES; pauses++)
            weft_pause();
        if ((weft_word_load(&lock->state_) & HOLDER) == 0)
            taken = take_free(lock, 0);
    }
    __atomic_store_n(&lock->spinning_, 0, __ATOMIC_RELAXED);
    return taken;
}

/* Links the waiter, at the front when it had been woken; or takes the lock, if it is free now
 * (true).
 */
static bool enqueue_or_take(weft_lock *lock, lock_waiter *me, bool woken)
{
    weft_bucket *bucket = weft_bucket_acquire(lock);
    uint32_t clear = woken || weft_fork_generation != 0 ? WOKEN : 0;
    uint32_t word = weft_word_load(&lock->state_);
    for (;;) {
        if ((word & HOLDER) == 0) {
            if (weft_word_take(&lock->state_, &word, (word & ~clear) | weft_lock_own_id())) {
                weft_bucket_release(bucket);
                return true;
            }
        } else if (weft_word_mark(&lock->state_, &word, (word & ~clear) | WAITERS)) {
            break;
        }
    }
    weft_wait_publish(&me->waiter);
    if (woken)
        weft_list_prepend(&bucket->waiters, &me->waiter.link);
    else
        weft_list_append(&bucket->waiters, &me->waiter.link);
    weft_bucket_release(bucket);
    return false;
}

/* After a wait that was not notified. */
static void leave(weft_lock *lock, lock_waiter *me)
{
    weft_bucket *bucket = weft_bucket_acquire(lock);
    if (weft_link_linked(&me->waiter.link))
        weft_list_remove(&me->waiter.link);
    if (weft_bucket_find(bucket, lock, NULL) == NULL)
        __atomic_fetch_and(&lock->state_, ~WAITERS, __ATOMIC_RELAXED);
    weft_bucket_release(bucket);
}

/* As weft_wait_sleep. WEFT_WAIT_HANDLERS: it has left the queue, and handlers have run. */
static int sleep_in_queue(weft_lock *lock, lock_waiter *me, weft_instant deadline, bool *steps_back)
{
    weft_context *self = me->waiter.context;
    if (!*steps_back)
        return weft_wait_sleep(self, deadline);
    int r = weft_wait_sleep_stepping_back(self, deadline);
    if (r != WEFT_WAIT_HANDLERS)
        return r;
    leave(lock, me);
    r = weft_interrupt_run(self);
    /* what is there again, or could not run, does so on top of the wait, which has its deadline */
    *steps_back = atomic_load(&weft_interrupt_pending) == 0;
    return r != 0 ? r : WEFT_WAIT_HANDLERS;
}

/* The one that was woken gives up: if the lock is free, the next is woken. */
static void pass_on(weft_lock *lock)
{
    weft_wake wake = {0};
    weft_bucket *bucket = weft_bucket_acquire(lock);
    uint32_t word = weft_word_load(&lock->state_);
    bool notified = false;
    for (;;) {
        weft_waiter *next = weft_bucket_find(bucket, lock, NULL);
        if ((word & HOLDER) == 0 && !notified && next != NULL) {
            weft_list_remove(&next->link);
            ((lock_waiter *)(void *)next)->handed = false;
            notified = weft_wait_notify(next, &wake);
            continue;
        }
        /* fails when the lock was released or barged meanwhile: then it is looked at anew */
        uint32_t marks = (next != NULL ? WAITERS : 0) | (notified ? WOKEN : 0);
        if (weft_word_mark(&lock->state_, &word, (word & HOLDER) | marks))
            break;
    }
    weft_bucket_release(bucket);
    weft_wake_deliver(wake);
}

static int acquire_queued(weft_lock *lock, weft_instant deadline, bool firmly)
{
    lock_waiter me;
    int r = weft_waiter_init(&me.waiter);
    if (r < 0)
        return r;
    weft_context *self = me.waiter.context;
    me.waiter.address = lock;
    me.waiter.firm = firmly;
    me.handed = false;
    me.since = weft_instant_now();
    bool woken = false, steps_back = true;
    for (;;) {
        if (enqueue_or_take(lock, &me, woken))
            return 0;
        if (firmly)
            weft_wait_sleep_firmly(self);
        else
            r = sleep_in_queue(lock, &me, deadline, &steps_back);
        if (r < 0) {
            leave(lock, &me);
            return r;
        }
        if (r == WEFT_WAIT_AND_CANCEL) {
            if (me.handed)
                weft_lock_release(lock);
            else
                pass_on(lock);
            return weft_wait_cancelled(self);
        }
        if (me.handed || take_free(lock, WOKEN))
            return 0;
        woken = true;
    }
}

/* Whether a release has to look in the bucket. With its lock held the word stays so: whatever makes
 * it another takes that lock first. */
static bool must_look(uint32_t word)
{
    return (word & HOLDER) != 0 && (word & (WAITERS | WOKEN)) == WAITERS;
}

/* The lock is held, there may be waiters, and none is on its way. False: it is not so any more. */
static bool release_queued(weft_lock *lock)
{
    weft_wake wake = {0};
    weft_instant now = weft_instant_now();
    weft_bucket *bucket = weft_bucket_acquire(lock);
    bool held;
    while ((held = must_look(weft_word_load(&lock->state_)))) {
        weft_waiter *first = weft_bucket_find(bucket, lock, NULL);
        if (first == NULL) {
            __atomic_store_n(&lock->state_, 0, __ATOMIC_RELEASE);
            break;
        }
        uint32_t more = weft_bucket_find(bucket, lock, first) != NULL ? WAITERS : 0;
        weft_list_remove(&first->link);
        lock_waiter *next = (lock_waiter *)(void *)first;
        next->handed = now - next->since > PATIENCE;
        if (next->handed) {
            /* held throughout: only the mark changes, before the new holder can run */
            uint32_t word = weft_word_load(&lock->state_);
            __atomic_store_n(&lock->state_, (word & HOLDER) | more, __ATOMIC_RELAXED);
            if (weft_wait_notify(first, &wake))
                break;
        } else if (weft_wait_notify(first, &wake)) {
            /* release: the lock is free from here on */
            __atomic_store_n(&lock->state_, WOKEN | more, __ATOMIC_RELEASE);
            break;
        }
    }
    weft_bucket_release(bucket);
    weft_wake_deliver(wake);
    return held;
}

/* ---- Shared memory ----------------------------------------------------------------------------
 */

/* The holder `word` tells is dead: the lock becomes this process's. */
static bool take_over(weft_lock *lock, uint32_t word)
{
    return weft_word_take(&lock->state_, &word, weft_lock_own_id() | WAITERS);
}

static int acquire_shared(weft_lock *lock, weft_instant deadline, bool firmly)
{
    uint32_t marks = 0; /* who has slept cannot know whether others do */
    uint32_t word = weft_word_load(&lock->state_);
    for (;;) {
        if ((word & HOLDER) == 0) {
            if (weft_word_take(&lock->state_, &word, word | weft_lock_own_id() | marks))
                return 0;
            continue;
        }
        if (deadline == WEFT_INSTANT_NOW) {
            if (weft_shared.alive(word & HOLDER))
                return weft_error_timed_out();
            if (take_over(lock, word))
                return 1;
        } else if ((word & WAITERS) == 0 && !weft_word_mark(&lock->state_, &word, word | WAITERS)) {
            continue;
        } else {
            word |= WAITERS;
            const _Atomic uint32_t *state = weft_word_shared(&lock->state_);
            int r = firmly ? weft_shared.wait_firmly(state, word, word & HOLDER)
                           : weft_shared.wait(state, word, word & HOLDER, deadline);
            marks = WAITERS;
            if (r == -EOWNERDEAD && take_over(lock, word))
                return 1;
            if (r < 0 && r != -EOWNERDEAD && !firmly)
                return r;
        }
        word = weft_word_load(&lock->state_);
    }
}

static int nobody_holds(void)
{
    return weft_error(-EPERM, "release of a lock that nobody holds");
}

static int release_shared(weft_lock *lock)
{
    uint32_t word = __atomic_exchange_n(&lock->state_, 0, __ATOMIC_RELEASE);
    if ((word & HOLDER) == 0)
        return nobody_holds();
    if ((word & WAITERS) != 0)
        weft_shared.wake(weft_word_shared(&lock->state_), 1);
    return 0;
}

/* ---- The public functions ---------------------------------------------------------------------
 */

/* Not inline: the free lock's path stays without a frame. */
__attribute__((noinline)) static int acquire_contended(weft_lock *lock, double timeout)
{
    weft_instant deadline;
    int r = weft_deadline(timeout, &deadline);
    if (r < 0)
        return r;
    if (take_free(lock, 0))
        return 0;
    if (weft_is_shared(lock))
        return acquire_shared(lock, deadline, false);
    if (deadline == WEFT_INSTANT_NOW)
        return weft_error_timed_out();
    if (spin(lock, weft_context_self()))
        return 0;
    return acquire_queued(lock, deadline, false);
}

int weft_lock_acquire(weft_lock *lock, double timeout)
{
    if (lock == NULL)
        return weft_value_missing("acquire a lock");
    if (timeout == timeout && /* a number */ weft_lock_take(lock))
        return 0;
    return acquire_contended(lock, timeout);
}

int weft_lock_acquire_firmly(weft_lock *lock)
{
    if (take_free(lock, 0))
        return 0;
    return weft_is_shared(lock) ? acquire_shared(lock, WEFT_INSTANT_NEVER, true)
                                : acquire_queued(lock, WEFT_INSTANT_NEVER, true);
}

__attribute__((noinline)) static int release_contended(weft_lock *lock)
{
    uint32_t word = weft_word_load(&lock->state_);
    for (;;) {
        if ((word & HOLDER) == 0)
            return nobody_holds();
        if (weft_is_shared(lock))
            return release_shared(lock);
        if (must_look(word)) {
            if (release_queued(lock))
                return 0;
            word = weft_word_load(&lock->state_);
        } else if (weft_word_give(&lock->state_, &word, word & ~HOLDER)) {
            return 0;
        }
    }
}

int weft_lock_release(weft_lock *lock)
{
    if (lock == NULL)
        return weft_value_missing("release a lock");
    if (weft_lock_give(lock))
        return 0;
    return release_contended(lock);
}

bool weft_lock_locked(const weft_lock *lock)
{
    if (lock == NULL && weft_value_missing("locked") < 0)
        return false;
    return weft_lock_held(lock);
}
