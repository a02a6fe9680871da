/* SPDX-License-Identifier: MIT */
/*
 * lock: what a condition and an rlock need of their lock beside the public functions. lock.c tells
 * what the word means.
 */
#ifndef WEFT_THREADING_LOCK_H
#define WEFT_THREADING_LOCK_H

#include <weft/threading.h>

#include "core/fork.h"
#include "threading/value.h"

#define WEFT_LOCK_WAITERS WEFT_WORD_WAITERS
#define WEFT_LOCK_WOKEN   UINT32_C(0x40000000)
#define WEFT_LOCK_HOLDER  UINT32_C(0x3fffffff)

/* relaxed: it changes only where no other thread runs, or none holds a shared lock yet */
static inline uint32_t weft_lock_own_id(void)
{
    return atomic_load_explicit(&weft_process_id, memory_order_relaxed);
}

/* The short ways: the lock is free, or nobody need be woken. false: take the long one. */
static inline bool weft_lock_take(weft_lock *lock)
{
    /* a look first: with marks in the word a compare-and-swap with 0 would fail on each round */
    uint32_t word = weft_word_load(&lock->state_);
    return (word & WEFT_LOCK_HOLDER) == 0 &&
           weft_word_take(&lock->state_, &word, word | weft_lock_own_id());
}

static inline bool weft_lock_give(weft_lock *lock)
{
    uint32_t own = weft_lock_own_id();
    uint32_t word = weft_word_load(&lock->state_);
    /* what is expected comes from elsewhere than from the word, so that the exchange need not await
     * the load: a tenth of what the two calls cost */
    if (word == own)
        return weft_word_give(&lock->state_, &own, 0);
    return (word & WEFT_LOCK_HOLDER) == own &&
           (word & (WEFT_LOCK_WAITERS | WEFT_LOCK_WOKEN)) != WEFT_LOCK_WAITERS &&
           weft_word_give(&lock->state_, &word, word & ~WEFT_LOCK_HOLDER);
}

static inline bool weft_lock_held(const weft_lock *lock)
{
    return (weft_word_load(&lock->state_) & WEFT_LOCK_HOLDER) != 0;
}

/* As weft_lock_acquire without limit, scopes and cancel: it cannot fail. 0 or 1. For a context that
 * has waited before. */
int weft_lock_acquire_firmly(weft_lock *lock);

#endif
