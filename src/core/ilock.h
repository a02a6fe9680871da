/* SPDX-License-Identifier: MIT */
/*
 * ilock: the internal lock, for a few instructions at a time.
 *
 * One compare-and-swap in, one plain release store out (half the price of a lock that must look for
 * waiters when it is left). It is never held across a park, a callback, a system call that may wait
 * or a switch. Lock order: a handle's or queue's ilock before a bucket's; two of one kind are never
 * held at once, save by fork.
 */
#ifndef WEFT_CORE_ILOCK_H
#define WEFT_CORE_ILOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct weft_ilock {
    _Atomic uint32_t held;
} weft_ilock;

void weft_ilock_acquire_slow(weft_ilock *lock);

static inline bool weft_ilock_try(weft_ilock *lock)
{
    uint32_t free = 0;
    /* acquire: what the last holder wrote is seen */
    return atomic_compare_exchange_strong_explicit(&lock->held, &free, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

static inline void weft_ilock_acquire(weft_ilock *lock)
{
    if (!weft_ilock_try(lock))
        weft_ilock_acquire_slow(lock);
}

static inline void weft_ilock_release(weft_ilock *lock)
{
    /* release: pairs with the acquire of the next holder */
    atomic_store_explicit(&lock->held, 0, memory_order_release);
}

#endif
