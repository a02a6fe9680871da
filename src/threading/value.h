/* SPDX-License-Identifier: MIT */
/*
 * value: what the values (lock, condition, semaphore, event) have in common.
 *
 * Their words are plain in the public structs (C++ has no _Atomic) and atomic in here, by the
 * compiler's built-ins. Bit 31 of a word says that somebody waits: it is set under the lock of the
 * value's bucket (core/waitq.h), so an operation that has not seen it need not look there.
 */
#ifndef WEFT_THREADING_VALUE_H
#define WEFT_THREADING_VALUE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/clock.h"
#include "core/error.h"
#include "core/shared.h"
#include "core/waitq.h"

#define WEFT_WORD_WAITERS UINT32_C(0x80000000)

/* `what` has no value to work on: -EINVAL, with its message. Returned as it is by the functions
 * that are to be fast, so that they need no frame for it. */
int weft_value_missing(const char *what);

static inline uint32_t weft_word_load(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* acquire: for a word that is taken (or looked at anew on failure) */
static inline bool weft_word_take(uint32_t *word, uint32_t *expected, uint32_t desired)
{
    return __atomic_compare_exchange_n(word, expected, desired, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

/* release: what was written before is seen by whoever takes it */
static inline bool weft_word_give(uint32_t *word, uint32_t *expected, uint32_t desired)
{
    return __atomic_compare_exchange_n(word, expected, desired, false, __ATOMIC_RELEASE,
                                       __ATOMIC_RELAXED);
}

/* relaxed: marks that only order by the bucket's lock */
static inline bool weft_word_mark(uint32_t *word, uint32_t *expected, uint32_t desired)
{
    return __atomic_compare_exchange_n(word, expected, desired, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED);
}

/* The word as the shared parker takes it. */
static inline const _Atomic uint32_t *weft_word_shared(const uint32_t *word)
{
    return (const _Atomic uint32_t *)word;
}

/* A wait for the value begins: under its bucket's lock, which is left. */
static inline void weft_value_enlist(weft_bucket *bucket, weft_waiter *waiter)
{
    weft_wait_publish(waiter);
    weft_list_append(&bucket->waiters, &waiter->link);
    weft_bucket_release(bucket);
}

/* A waiter of the value, out of the bucket, cannot be notified any more: what it had been given
 * goes to the next, who are appended to `waiters`, or back. Bucket's lock held; the value's memory
 * is there, as that waiter has yet to come through the lock. */
typedef void weft_value_undo_fn(void *value, weft_bucket *bucket, weft_waiter *waiter,
                                weft_list *waiters);

/* Notifies those who have been given something; the bucket's lock is held, and is left in between
 * and at the end. */
void weft_value_notify(void *value, weft_bucket *bucket, weft_list *waiters,
                       weft_value_undo_fn *undo);

#endif
