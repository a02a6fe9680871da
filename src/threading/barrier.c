/* SPDX-License-Identifier: MIT */
/*
 * barrier: rounds, each of which trips when the last one arrives, or is broken.
 *
 * All of it is guarded by the bucket's lock in private memory. A waiter has its outcome in its own
 * record, written under that lock by whoever ends the round; so nobody needs to drain before the
 * next round begins, and who has been released does not touch the barrier again. The action runs
 * without the lock: `acting_` closes the gate meanwhile, where those wait who come for the next
 * round. From then on the round is decided but for the action's outcome: a waiter whose time is up,
 * or who is cancelled, stays until it is known. A cancel before just takes the waiter out.
 *
 * In shared memory there are no lists: `guard_`, a lock that survives its holder, guards the words,
 * and `cycle_` is waited on: twice the number of the round, and 1 while its action runs, by the
 * process in `acting_`, whose death breaks the barrier. Whether a round was broken stands in bit
 * (round mod 64) of `broken_`: a waiter that does not run for 64 rounds may be told wrong. A
 * process that died inside the guard breaks the barrier too. Indexes are given in the order of
 * coming; one that a cancelled waiter had is free again for the next to come (`free_` has room for
 * the first 128; of the others a further one is given).
 *
 * A forked child has none of those who waited: it begins a round of its own.
 */
#include <weft/threading.h>

#include "core/fork.h"
#include "threading/lock.h"
#include "threading/value.h"

_Static_assert(sizeof(weft_barrier) == 96, "part of the ABI");

enum { BROKEN = 1 /* in state_ */, FREE_BITS = 128 };

typedef struct barrier_waiter {
    weft_waiter waiter; /* first */
    bool at_gate;       /* has not come to this round yet */
    bool decided;       /* guarded by the bucket's lock */
    int outcome;        /* once decided: the index, or WEFT_EBROKEN_BARRIER */
} barrier_waiter;

/* Relaxed: the order is that of the locks; weft_barrier_n_waiting and its kin look without. */
static void set(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static int broken(void)
{
    return weft_error_constant(WEFT_EBROKEN_BARRIER, "the barrier is broken");
}

/* ---- Private memory ---------------------------------------------------------------------------
 */

static weft_bucket *enter(weft_barrier *barrier)
{
    weft_bucket *bucket = weft_bucket_acquire(barrier);
    if (barrier->generation_ != weft_fork_generation) {
        barrier->generation_ = weft_fork_generation;
        set(&barrier->arrived_, 0);
        set(&barrier->acting_, 0);
    }
    return bucket;
}

/* Bucket's lock held. Moves those who wait, at the gate or for the round, to `ended`. */
static void end_waits(weft_bucket *bucket, const weft_barrier *barrier, bool at_gate, int failure,
                      weft_list *ended)
{
    int index = 0;
    weft_waiter *next = weft_bucket_find(bucket, barrier, NULL);
    while (next != NULL) {
        barrier_waiter *each = (barrier_waiter *)(void *)next;
        next = weft_bucket_find(bucket, barrier, next);
        if (each->at_gate != at_gate)
            continue;
        each->decided = true;
        each->outcome = failure < 0 ? failure : index++;
        weft_list_remove(&each->waiter.link);
        weft_list_append(ended, &each->waiter.link);
    }
}

/* Bucket's lock held, which it leaves: the round is over, and so is the wait at the gate. */
static void end_round(weft_bucket *bucket, weft_barrier *barrier, int failure)
{
    weft_list ended = {0};
    set(&barrier->arrived_, 0);
    barrier->cycle_++;
    end_waits(bucket, barrier, false, failure, &ended);
    end_waits(bucket, barrier, true, 0, &ended);
    weft_wait_notify_all(&bucket->lock, &ended);
}

/* The last one has come. Bucket's lock held, which it leaves. */
static int trip(weft_bucket *bucket, weft_barrier *barrier)
{
    int index = (int)(barrier->parties - 1);
    int r = 0;
    if (barrier->action != NULL) {
        uint32_t round = barrier->cycle_;
        set(&barrier->acting_, 1);
        set(&barrier->arrived_, 0);
        weft_bucket_release(bucket);
        r = barrier->action(barrier->arg);
        bucket = weft_bucket_acquire(barrier);
        set(&barrier->acting_, 0);
        bool ended = barrier->cycle_ != round; /* aborted or reset: the others have gone */
        if (ended && r >= 0)
            index = broken();
        else if (r < 0 && !ended)
            set(&barrier->state_, BROKEN);
    }
    end_round(bucket, barrier, r < 0 ? WEFT_EBROKEN_BARRIER : 0);
    return r < 0 ? r : index;
}

/* Bucket's lock held, which it leaves. 0: look again. */
static int wait_at_gate(weft_bucket *bucket, weft_barrier *barrier, barrier_waiter *me,
                        weft_instant deadline)
{
    weft_context *self = me->waiter.context;
    me->at_gate = true;
    weft_value_enlist(bucket, &me->waiter);
    int r = weft_wait_sleep(self, deadline);
    if (r == WEFT_WAIT_AND_CANCEL)
        return weft_wait_cancelled(self);
    if (r == 0)
        return 0;
    bucket = weft_bucket_acquire(barrier);
    if (weft_link_linked(&me->waiter.link))
        weft_list_remove(&me->waiter.link);
    if (r != -ETIMEDOUT) {
        weft_bucket_release(bucket);
        return r;
    }
    set(&barrier->state_, BROKEN); /* from the next round on, not for the one that trips */
    if (barrier->acting_ == 0) {
        end_round(bucket, barrier, WEFT_EBROKEN_BARRIER);
    } else {
        weft_list ended = {0};
        end_waits(bucket, barrier, true, 0, &ended);
        weft_wait_notify_all(&bucket->lock, &ended);
    }
    return r;
}

/* Bucket's lock held, which it leaves. The waiter goes before all have come. */
static int go_away(weft_bucket *bucket, weft_barrier *barrier, barrier_waiter *me, int r)
{
    weft_list_remove(&me->waiter.link);
    if (r == -ETIMEDOUT) {
        set(&barrier->state_, BROKEN);
        end_round(bucket, barrier, WEFT_EBROKEN_BARRIER);
    } else {
        set(&barrier->arrived_, barrier->arrived_ - 1);
        weft_bucket_release(bucket);
    }
    return r;
}

/* The wait ended with r < 0. What the round came to all the same. */
static int leave(weft_barrier *barrier, barrier_waiter *me, int r)
{
    weft_bucket *bucket = enter(barrier);
    bool linked = weft_link_linked(&me->waiter.link);
    if (!me->decided && !linked) { /* a child, forked by a signal handler: the round is not here */
        weft_bucket_release(bucket);
        return r;
    }
    if (!me->decided && barrier->acting_ == 0)
        return go_away(bucket, barrier, me, r);
    if (!me->decided) { /* all have come: it is for the action to say */
        me->waiter.firm = true;
        weft_wait_publish(&me->waiter);
        weft_bucket_release(bucket);
        weft_wait_sleep_firmly(me->waiter.context);
    } else {
        if (linked) /* in the list of who ended the round */
            weft_list_remove(&me->waiter.link);
        weft_bucket_release(bucket);
    }
    if (me->outcome < 0)
        return r == -ETIMEDOUT ? broken() : r;
    weft_wait_defer(r);
    return me->outcome;
}

static int wait_private(weft_barrier *barrier, weft_instant deadline)
{
    barrier_waiter me = {.outcome = 0};
    int r = weft_waiter_init(&me.waiter);
    if (r < 0)
        return r;
    me.waiter.address = barrier;
    weft_bucket *bucket = enter(barrier);
    while (barrier->acting_ != 0) {
        r = wait_at_gate(bucket, barrier, &me, deadline);
        if (r < 0)
            return r;
        bucket = enter(barrier);
        me.decided = false;
    }
    if ((barrier->state_ & BROKEN) != 0) {
        weft_bucket_release(bucket);
        return broken();
    }
    set(&barrier->arrived_, barrier->arrived_ + 1);
    if (barrier->arrived_ == barrier->parties)
        return trip(bucket, barrier);
    me.at_gate = false;
    weft_value_enlist(bucket, &me.waiter);
    r = weft_wait_sleep(me.waiter.context, deadline);
    if (r < 0)
        return leave(barrier, &me, r);
    return me.outcome < 0 ? broken() : me.outcome; /* a cancel stays pending: all had come */
}

static int end_private(weft_barrier *barrier, uint32_t state)
{
    weft_bucket *bucket = enter(barrier);
    set(&barrier->state_, state);
    end_round(bucket, barrier, WEFT_EBROKEN_BARRIER);
    return 0;
}

/* ---- Shared memory ----------------------------------------------------------------------------
 */

static uint32_t own_id(void)
{
    return atomic_load_explicit(&weft_process_id, memory_order_relaxed);
}

static void wake_all(const weft_barrier *barrier)
{
    weft_shared.wake(weft_word_shared(&barrier->cycle_), INT32_MAX);
    if (barrier->action != NULL)
        weft_shared.wake(weft_word_shared(&barrier->acting_), INT32_MAX);
}

/* Guard held. */
static void end_shared_round(weft_barrier *barrier, bool was_broken)
{
    uint32_t round = barrier->cycle_ >> 1;
    uint64_t bit = UINT64_C(1) << (round % 64);
    uint64_t history = barrier->broken_;
    __atomic_store_n(&barrier->broken_, was_broken ? history | bit : history & ~bit,
                     __ATOMIC_RELAXED);
    set(&barrier->arrived_, 0);
    barrier->next_ = 0;
    barrier->free_[0] = barrier->free_[1] = 0;
    set(&barrier->acting_, 0);
    /* release: with what the round came to */
    __atomic_store_n(&barrier->cycle_, (round + 1) << 1, __ATOMIC_RELEASE);
}

static void break_shared(weft_barrier *barrier)
{
    set(&barrier->state_, BROKEN);
    end_shared_round(barrier, true);
}

/* Takes the guard. */
static void enter_shared(weft_barrier *barrier)
{
    if (weft_lock_acquire_firmly(&barrier->guard_) == 0)
        return;
    break_shared(barrier); /* whoever had it died inside */
    wake_all(barrier);
}

static void leave_guard(weft_barrier *barrier, bool wake)
{
    weft_lock_release(&barrier->guard_);
    if (wake)
        wake_all(barrier);
}

/* Guard held. */
static uint32_t take_index(weft_barrier *barrier)
{
    set(&barrier->arrived_, barrier->arrived_ + 1);
    bool any = (barrier->free_[0] | barrier->free_[1]) != 0;
    for (uint32_t i = 0; any && i < FREE_BITS; i++) {
        uint64_t bit = UINT64_C(1) << (i % 64);
        if ((barrier->free_[i / 64] & bit) != 0) {
            barrier->free_[i / 64] &= ~bit;
            return i;
        }
    }
    return barrier->next_++;
}

static void give_index_back(weft_barrier *barrier, uint32_t index)
{
    set(&barrier->arrived_, barrier->arrived_ - 1);
    if (index < FREE_BITS)
        barrier->free_[index / 64] |= UINT64_C(1) << (index % 64);
}

/* Guard held, which it leaves. */
static int trip_shared(weft_barrier *barrier, uint32_t index)
{
    int r = 0;
    if (barrier->action != NULL) {
        uint32_t acted = barrier->cycle_ | 1;
        set(&barrier->arrived_, 0);
        set(&barrier->acting_, own_id());
        __atomic_store_n(&barrier->cycle_, acted, __ATOMIC_RELEASE); /* with acting_ */
        leave_guard(barrier, true);
        r = barrier->action(barrier->arg);
        enter_shared(barrier);
        if (barrier->cycle_ != acted) { /* aborted or reset, or taken for dead */
            leave_guard(barrier, false);
            return r < 0 ? r : broken();
        }
    }
    if (r < 0)
        break_shared(barrier);
    else
        end_shared_round(barrier, false);
    leave_guard(barrier, true);
    return r < 0 ? r : (int)index;
}

/* The process in `acting_`, which was `actor`, is dead. */
static void bury_actor(weft_barrier *barrier, uint32_t actor)
{
    enter_shared(barrier);
    bool dead = barrier->acting_ == actor;
    if (dead)
        break_shared(barrier);
    leave_guard(barrier, dead);
}

/* Guard held at the call and, when 0 is returned, afterwards. */
static int pass_gate_shared(weft_barrier *barrier, weft_instant deadline)
{
    uint32_t actor;
    while ((actor = barrier->acting_) != 0) {
        leave_guard(barrier, false);
        int r = weft_shared.wait(weft_word_shared(&barrier->acting_), actor, actor, deadline);
        if (r == -EOWNERDEAD)
            bury_actor(barrier, actor);
        else if (r < 0 && r != -ETIMEDOUT)
            return r;
        enter_shared(barrier);
        if (r == -ETIMEDOUT) {
            set(&barrier->state_, BROKEN); /* from the next round on, not for the one that trips */
            bool acting = barrier->acting_ != 0;
            if (!acting)
                break_shared(barrier);
            leave_guard(barrier, !acting);
            return r;
        }
    }
    return 0;
}

/* Sleeps until the round is over. < 0: the wait ended before; the action does not run. */
static int sleep_through_round(weft_barrier *barrier, uint32_t round, weft_instant deadline,
                               int *ended)
{
    for (;;) {
        uint32_t word = __atomic_load_n(&barrier->cycle_, __ATOMIC_ACQUIRE);
        if (word >> 1 != round)
            return 0;
        bool acts = (word & 1) != 0;
        if (*ended < 0 && !acts)
            return *ended;
        uint32_t actor = acts ? weft_word_load(&barrier->acting_) : 0;
        int r = weft_shared.wait(weft_word_shared(&barrier->cycle_), word, actor,
                                 *ended < 0 ? WEFT_INSTANT_NEVER : deadline);
        if (r == -EOWNERDEAD)
            bury_actor(barrier, actor);
        else if (r < 0)
            *ended = *ended < 0 && r == -ETIMEDOUT ? *ended : r;
    }
}

static int wait_for_round_shared(weft_barrier *barrier, uint32_t index, weft_instant deadline)
{
    const uint32_t round = barrier->cycle_ >> 1;
    int ended = 0;
    leave_guard(barrier, false);
    while (sleep_through_round(barrier, round, deadline, &ended) < 0) {
        enter_shared(barrier);
        bool left = barrier->cycle_ == round << 1;
        bool breaks = left && ended == -ETIMEDOUT;
        if (breaks)
            break_shared(barrier);
        else if (left)
            give_index_back(barrier, index);
        leave_guard(barrier, breaks);
        if (left)
            return ended;
    }
    uint64_t bit = UINT64_C(1) << (round % 64);
    if ((__atomic_load_n(&barrier->broken_, __ATOMIC_RELAXED) & bit) != 0)
        return ended < 0 && ended != -ETIMEDOUT ? ended : broken();
    if (ended < 0)
        weft_wait_defer(ended);
    return (int)index;
}

static int wait_shared(weft_barrier *barrier, weft_instant deadline)
{
    if (weft_context_self() == NULL)
        return -ENOMEM;
    enter_shared(barrier);
    int r = pass_gate_shared(barrier, deadline);
    if (r < 0)
        return r;
    if ((barrier->state_ & BROKEN) != 0) {
        leave_guard(barrier, false);
        return broken();
    }
    uint32_t index = take_index(barrier);
    return barrier->arrived_ == barrier->parties ? trip_shared(barrier, index)
                                                 : wait_for_round_shared(barrier, index, deadline);
}

static int end_shared(weft_barrier *barrier, uint32_t state)
{
    if (weft_context_self() == NULL)
        return -ENOMEM;
    enter_shared(barrier);
    end_shared_round(barrier, true);
    set(&barrier->state_, state);
    leave_guard(barrier, true);
    return 0;
}

/* ---- The public functions ---------------------------------------------------------------------
 */

int weft_barrier_wait(weft_barrier *barrier, double timeout)
{
    if (barrier == NULL)
        return weft_value_missing("wait at a barrier");
    weft_instant deadline;
    int r = weft_deadline(timeout, &deadline);
    if (r < 0)
        return r;
    if (barrier->parties == 0 || barrier->parties > INT32_MAX)
        return weft_error(-EINVAL, "wait at a barrier of %u parties", (unsigned)barrier->parties);
    return weft_is_shared(barrier) ? wait_shared(barrier, deadline)
                                   : wait_private(barrier, deadline);
}

int weft_barrier_abort(weft_barrier *barrier)
{
    if (barrier == NULL)
        return weft_value_missing("abort a barrier");
    return weft_is_shared(barrier) ? end_shared(barrier, BROKEN) : end_private(barrier, BROKEN);
}

int weft_barrier_reset(weft_barrier *barrier)
{
    if (barrier == NULL)
        return weft_value_missing("reset a barrier");
    return weft_is_shared(barrier) ? end_shared(barrier, 0) : end_private(barrier, 0);
}

size_t weft_barrier_n_waiting(const weft_barrier *barrier)
{
    if (barrier == NULL && weft_value_missing("n_waiting") < 0)
        return 0;
    bool here = weft_is_shared(barrier) || barrier->generation_ == weft_fork_generation;
    return here ? weft_word_load(&barrier->arrived_) : 0;
}

bool weft_barrier_broken(const weft_barrier *barrier)
{
    if (barrier == NULL && weft_value_missing("broken") < 0)
        return false;
    return (weft_word_load(&barrier->state_) & BROKEN) != 0;
}
