/* SPDX-License-Identifier: MIT */
/*
 * rlock: a lock, and who has it how often.
 *
 * The owner is a context (thread or coroutine) by its number, with the number of its process in the
 * upper half: contexts of two processes may have the same. It is written by who holds the lock and
 * cleared before the lock is released; so whoever reads its own number there holds the lock, and
 * whatever else is read, also while it is being written, means "not I". Hence relaxed accesses: the
 * order is the lock's. In private memory the process does not count: after a fork the child's
 * thread still has what it had.
 *
 * The holder's death in shared memory is noticed by the lock, and the next one starts from one
 * level.
 */
#include "threading/rlock.h"

#include "core/context.h"
#include "threading/lock.h"
#include "threading/value.h"

_Static_assert(sizeof(weft_rlock) == 32, "part of the ABI");

static uint64_t owner_of(uint32_t id)
{
    uint64_t process = atomic_load_explicit(&weft_process_id, memory_order_relaxed);
    return process << 32 | id;
}

static inline bool owned_by(const weft_rlock *rlock, uint32_t id)
{
    uint64_t owner = __atomic_load_n(&rlock->owner_, __ATOMIC_RELAXED);
    return (uint32_t)owner == id && (!weft_is_shared(rlock) || owner == owner_of(id));
}

static inline void set_owner(weft_rlock *rlock, uint64_t owner)
{
    __atomic_store_n(&rlock->owner_, owner, __ATOMIC_RELAXED);
}

static inline bool is_own(const weft_rlock *rlock)
{
    weft_context *self = weft_context_self();
    return self != NULL && owned_by(rlock, weft_context_id(self));
}

static inline int release_lock(weft_rlock *rlock)
{
    return weft_lock_give(&rlock->lock_) ? 0 : weft_lock_release(&rlock->lock_);
}

int weft_rlock_acquire(weft_rlock *rlock, double timeout)
{
    if (rlock == NULL)
        return weft_value_missing("acquire an rlock");
    weft_context *self = weft_context_self();
    if (self == NULL)
        return -ENOMEM;
    uint32_t id = weft_context_id(self);
    if (timeout == timeout && owned_by(rlock, id)) {
        if (rlock->count_ == UINT32_MAX)
            return weft_error(-EOVERFLOW, "acquire of an rlock: too many times");
        rlock->count_++;
        return 0;
    }
    int r = timeout == timeout && weft_lock_take(&rlock->lock_)
                ? 0
                : weft_lock_acquire(&rlock->lock_, timeout);
    if (r >= 0) {
        set_owner(rlock, owner_of(id));
        rlock->count_ = 1;
    }
    return r;
}

int weft_rlock_release(weft_rlock *rlock)
{
    if (rlock == NULL)
        return weft_value_missing("release an rlock");
    if (!is_own(rlock))
        return weft_error(-EPERM, "release of an rlock that the caller does not have");
    if (--rlock->count_ > 0)
        return 0;
    set_owner(rlock, 0);
    return release_lock(rlock);
}

bool weft_rlock_locked(const weft_rlock *rlock)
{
    if (rlock == NULL && weft_value_missing("locked") < 0)
        return false;
    return weft_lock_locked(&rlock->lock_);
}

bool weft_rlock_is_own(const weft_rlock *rlock)
{
    return is_own(rlock);
}

uint32_t weft_rlock_save(weft_rlock *rlock)
{
    uint32_t levels = rlock->count_;
    set_owner(rlock, 0);
    weft_lock_release(&rlock->lock_);
    return levels;
}

int weft_rlock_restore(weft_rlock *rlock, uint32_t levels)
{
    int died = weft_lock_acquire_firmly(&rlock->lock_);
    set_owner(rlock, owner_of(weft_context_id(weft_context_self())));
    rlock->count_ = levels;
    return died;
}
