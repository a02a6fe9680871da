/* SPDX-License-Identifier: MIT */
/*
 * condition: its waiters are in the bucket of its address, the oldest first.
 *
 * A wait links itself, releases the lock, sleeps, and takes the lock back without limit and
 * uncancelled. `waiting_` counts who is linked: it grows before the lock is released, so a notify
 * (under the same lock) that finds 0 there is done without a look at the bucket; it shrinks under
 * the bucket's lock, whoever unlinks. A waiter that was notified and finds itself cancelled has
 * taken a notification that is another's: it passes it on when it has the lock again (Python's
 * asyncio.Condition).
 *
 * In shared memory there are no lists: `sequence_` counts notifies and is waited on, `permits_` are
 * the notifications that have not been taken, never more than `sleeping_`, who waits; all three
 * guarded by the lock. A waiter takes a permit when there has been a notify since it began to wait:
 * so one that comes later cannot take an earlier one's notification. A process that dies while it
 * waits leaves a sleeper that is none, and what that is notified of is the first one's who has
 * another notification: so of two who wait one may let both go on.
 */
#include <weft/threading.h>

#include "threading/lock.h"
#include "threading/rlock.h"
#include "threading/value.h"

_Static_assert(sizeof(weft_condition) == 64, "part of the ABI");

/* Of a condition that is not on an rlock. */
static weft_lock *lock_of(weft_condition *condition)
{
    return condition->lock != NULL ? condition->lock : &condition->own_;
}

static int check_held(weft_condition *condition, const char *what)
{
    if (condition == NULL)
        return weft_value_missing("condition");
    if (condition->rlock != NULL ? weft_rlock_is_own(condition->rlock)
                                 : weft_lock_held(lock_of(condition)))
        return 0;
    return weft_error(-EPERM, "%s of a condition whose lock %s", what,
                      condition->rlock != NULL ? "the caller does not have" : "nobody holds");
}

/* A condition's lock, while a wait is without it. Taken from the condition before it is dropped:
 * who has been notified does not touch the condition any more, only its lock. */
typedef struct dropped {
    weft_lock *lock;
    weft_rlock *rlock; /* NULL: it is `lock` */
    uint32_t levels;
} dropped;

/* All levels of the lock, which the caller holds. */
static dropped drop_lock(weft_condition *condition)
{
    dropped it = {.rlock = condition->rlock};
    if (it.rlock != NULL) {
        it.levels = weft_rlock_save(it.rlock);
    } else {
        it.lock = lock_of(condition);
        weft_lock_release(it.lock);
    }
    return it;
}

/* And back, firmly: 0 or 1. */
static int take_lock_back(const dropped *it)
{
    return it->rlock != NULL ? weft_rlock_restore(it->rlock, it->levels)
                             : weft_lock_acquire_firmly(it->lock);
}

int weft_condition_acquire(weft_condition *condition, double timeout)
{
    if (condition == NULL)
        return weft_value_missing("acquire a condition");
    if (condition->rlock != NULL)
        return weft_rlock_acquire(condition->rlock, timeout);
    weft_lock *lock = lock_of(condition);
    bool taken = timeout == timeout && weft_lock_take(lock);
    return taken ? 0 : weft_lock_acquire(lock, timeout);
}

int weft_condition_release(weft_condition *condition)
{
    if (condition == NULL)
        return weft_value_missing("release a condition");
    if (condition->rlock != NULL)
        return weft_rlock_release(condition->rlock);
    weft_lock *lock = lock_of(condition);
    return weft_lock_give(lock) ? 0 : weft_lock_release(lock);
}

bool weft_condition_locked(const weft_condition *condition)
{
    if (condition == NULL && weft_value_missing("locked") < 0)
        return false;
    if (condition->rlock != NULL)
        return weft_rlock_locked(condition->rlock);
    return weft_lock_locked(condition->lock != NULL ? condition->lock : &condition->own_);
}

/* ---- Private memory ---------------------------------------------------------------------------
 */

/* Notifies up to `count`. Only an address: where nobody is linked the memory is not touched. */
static void notify_private(weft_condition *condition, size_t count)
{
    enum { BATCH = 16 };
    weft_wake wakes[BATCH];
    bool rest = true;
    while (rest) {
        size_t n = 0;
        weft_bucket *bucket = weft_bucket_acquire(condition);
        weft_waiter *waiter = NULL;
        while (n < BATCH && n < count &&
               (waiter = weft_bucket_find(bucket, condition, NULL)) != NULL) {
            weft_list_remove(&waiter->link);
            __atomic_fetch_sub(&condition->waiting_, 1, __ATOMIC_RELAXED);
            if (weft_wait_notify(waiter, &wakes[n]))
                n++;
        }
        weft_bucket_release(bucket);
        for (size_t i = 0; i < n; i++)
            weft_wake_deliver(wakes[i]);
        count -= n;
        rest = n == BATCH && count > 0;
    }
}

/* After a wait that was not notified. */
static void leave(weft_condition *condition, weft_waiter *waiter)
{
    weft_bucket *bucket = weft_bucket_acquire(condition);
    if (weft_link_linked(&waiter->link)) {
        weft_list_remove(&waiter->link);
        __atomic_fetch_sub(&condition->waiting_, 1, __ATOMIC_RELAXED);
    }
    weft_bucket_release(bucket);
}

static int wait_private(weft_condition *condition, weft_instant deadline)
{
    weft_waiter waiter;
    int r = weft_waiter_init(&waiter);
    if (r < 0)
        return r;
    waiter.address = condition;
    weft_bucket *bucket = weft_bucket_acquire(condition);
    __atomic_fetch_add(&condition->waiting_, 1, __ATOMIC_RELAXED);
    weft_value_enlist(bucket, &waiter);
    dropped lock = drop_lock(condition);
    r = weft_wait_sleep(waiter.context, deadline);
    if (r < 0)
        leave(condition, &waiter);
    int died = take_lock_back(&lock);
    if (r < 0)
        return r;
    if (r == WEFT_WAIT_AND_CANCEL) {
        notify_private(condition, 1);
        return weft_wait_cancelled(waiter.context);
    }
    return died;
}

/* ---- Shared memory ----------------------------------------------------------------------------
 */

static void notify_shared(weft_condition *condition, size_t count)
{
    uint32_t room = condition->sleeping_ - condition->permits_;
    uint32_t n = count < room ? (uint32_t)count : room;
    if (n == 0)
        return;
    condition->permits_ += n;
    __atomic_fetch_add(&condition->sequence_, 1, __ATOMIC_RELEASE);
    weft_shared.wake(weft_word_shared(&condition->sequence_), n);
}

/* The lock is held. The sleeper goes; what it does not take is the others'. */
static void leave_shared(weft_condition *condition)
{
    condition->sleeping_--;
    if (condition->permits_ > condition->sleeping_)
        condition->permits_ = condition->sleeping_;
    if (condition->permits_ > 0) /* the wake-up may have been spent on this one */
        weft_shared.wake(weft_word_shared(&condition->sequence_), 1);
}

static int wait_shared(weft_condition *condition, weft_instant deadline)
{
    const uint32_t begun = weft_word_load(&condition->sequence_);
    condition->sleeping_++;
    for (;;) {
        uint32_t seen = weft_word_load(&condition->sequence_);
        dropped lock = drop_lock(condition);
        int r = weft_shared.wait(weft_word_shared(&condition->sequence_), seen, 0, deadline);
        int died = take_lock_back(&lock);
        bool notified = condition->permits_ > 0 && weft_word_load(&condition->sequence_) != begun;
        if (notified && (r == 0 || r == -ETIMEDOUT)) {
            condition->permits_--;
            condition->sleeping_--;
            return died;
        }
        if (r < 0) {
            leave_shared(condition);
            return r;
        }
    }
}

/* ---- The public functions ---------------------------------------------------------------------
 */

static int wait_until(weft_condition *condition, weft_instant deadline)
{
    return weft_is_shared(condition) ? wait_shared(condition, deadline)
                                     : wait_private(condition, deadline);
}

int weft_condition_wait(weft_condition *condition, double timeout)
{
    weft_instant deadline;
    int r = weft_deadline(timeout, &deadline);
    if (r == 0)
        r = check_held(condition, "wait");
    return r < 0 ? r : wait_until(condition, deadline);
}

int weft_condition_wait_for(weft_condition *condition, weft_predicate_fn *predicate, void *arg,
                            double timeout)
{
    weft_instant deadline;
    int died = 0;
    int r = weft_deadline(timeout, &deadline);
    if (r == 0 && predicate == NULL)
        r = weft_error(-EINVAL, "wait of a condition: no predicate");
    if (r == 0)
        r = check_held(condition, "wait");
    if (r < 0)
        return r;
    while (!predicate(arg)) {
        r = wait_until(condition, deadline);
        if (r == -ETIMEDOUT)
            return predicate(arg) ? died : weft_error_timed_out();
        if (r < 0)
            return r;
        died |= r;
    }
    return died;
}

int weft_condition_notify(weft_condition *condition, size_t count)
{
    int r = check_held(condition, "notify");
    if (r < 0)
        return r;
    if (weft_is_shared(condition)) {
        notify_shared(condition, count);
        return 0;
    }
    uint32_t waiting = weft_word_load(&condition->waiting_);
    if (waiting != 0 && count != 0)
        notify_private(condition, count < waiting ? count : waiting);
    return 0;
}

int weft_condition_notify_all(weft_condition *condition)
{
    return weft_condition_notify(condition, SIZE_MAX);
}
