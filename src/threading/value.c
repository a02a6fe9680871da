/* SPDX-License-Identifier: MIT */
/*
 * A value that is not there, and letting many go on: in batches, so that wake-ups, which may be
 * system calls, are not made under the bucket's lock.
 */
#include "threading/value.h"

int weft_value_missing(const char *what)
{
    return weft_error(-EINVAL, "%s: it is NULL", what);
}

void weft_value_notify(void *value, weft_bucket *bucket, weft_list *waiters,
                       weft_value_undo_fn *undo)
{
    enum { BATCH = 16 };
    weft_wake wakes[BATCH];
    bool rest;
    do {
        size_t n = 0;
        weft_link *link;
        while (n < BATCH && (link = weft_list_pop(waiters)) != NULL) {
            weft_waiter *waiter = WEFT_CONTAINER(link, weft_waiter, link);
            if (weft_wait_notify(waiter, &wakes[n]))
                n++;
            else
                undo(value, bucket, waiter, waiters);
        }
        rest = !weft_list_empty(waiters);
        weft_bucket_release(bucket);
        for (size_t i = 0; i < n; i++)
            weft_wake_deliver(wakes[i]);
        if (rest)
            weft_ilock_acquire(&bucket->lock);
    } while (rest);
}
