/* SPDX-License-Identifier: MIT */
/*
 * waitq: where the waiters of values are: a table of buckets keyed by the value's address.
 *
 * A value (lock, event ...) is a few words in somebody else's memory; it may be freed as soon as
 * the operation on its word that lets another context go on has happened. So its waiters cannot
 * live in it: they are kept here (a parking lot, as in WebKit). Rule: after that one atomic only
 * the value's *address* is used; while a waiter for the address is linked in its bucket, and the
 * bucket's lock is held, the value's memory is alive, since the waiter cannot leave.
 */
#ifndef WEFT_CORE_WAITQ_H
#define WEFT_CORE_WAITQ_H

#include "core/ilock.h"
#include "core/wait.h"

typedef struct weft_bucket {
    _Alignas(64) weft_ilock lock;
    weft_list waiters;
} weft_bucket;

/* The bucket of an address, its lock taken. */
weft_bucket *weft_bucket_acquire(const void *address);

static inline void weft_bucket_release(weft_bucket *bucket)
{
    weft_ilock_release(&bucket->lock);
}

/* The first waiter for the address, from `after` on (NULL: from the start); NULL: none. Lock held.
 */
weft_waiter *weft_bucket_find(weft_bucket *bucket, const void *address, const weft_waiter *after);

#endif
