/* SPDX-License-Identifier: MIT */
/*
 * The parking lot: 256 buckets, each a lock and a list on a cache line of its own. Waiters of
 * several values may share a bucket; their addresses tell them apart. A fork takes all buckets, so
 * that a child finds every value usable.
 */
#include "core/waitq.h"

#include "core/fork.h"

enum { BUCKET_BITS = 8, BUCKETS = 1 << BUCKET_BITS };

static weft_bucket buckets[BUCKETS];

static bool on_top; /* of a wait of its own: the fork is in a signal handler */

static void before_fork(void)
{
    on_top = weft_context_current != NULL && weft_context_current->handling;
    for (size_t i = 0; i < BUCKETS; i++)
        weft_ilock_acquire(&buckets[i].lock);
}

static void after_fork(void)
{
    for (size_t i = 0; i < BUCKETS; i++)
        weft_ilock_release(&buckets[i].lock);
}

/* The interrupted wait of the thread that forks in a handler: it goes on, and will leave. */
static void unlink_interrupted(weft_list *waiters)
{
    weft_link *link = weft_list_first(waiters);
    while (link != NULL && !WEFT_CONTAINER(link, weft_waiter, link)->context->handling)
        link = weft_list_next(waiters, link);
    if (link != NULL)
        weft_list_remove(link);
}

/* Whoever waited in the parent does not in the child. */
static void after_fork_child(void)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        if (on_top)
            unlink_interrupted(&buckets[i].waiters);
        buckets[i] = (weft_bucket){0};
    }
}

static weft_fork_hooks fork_hooks = {
    .prepare = before_fork, .parent = after_fork, .child = after_fork_child};

static weft_bucket *bucket_of(const void *address)
{
    /* Fibonacci hashing: the high bits of the product are well mixed */
    uint64_t hash = (uint64_t)(uintptr_t)address * UINT64_C(0x9E3779B97F4A7C15);
    return &buckets[hash >> (64 - BUCKET_BITS)];
}

weft_bucket *weft_bucket_acquire(const void *address)
{
    weft_fork_register(&fork_hooks);
    weft_bucket *bucket = bucket_of(address);
    weft_ilock_acquire(&bucket->lock);
    return bucket;
}

weft_waiter *weft_bucket_find(weft_bucket *bucket, const void *address, const weft_waiter *after)
{
    weft_link *link = after == NULL ? weft_list_first(&bucket->waiters)
                                    : weft_list_next(&bucket->waiters, &after->link);
    for (; link != NULL; link = weft_list_next(&bucket->waiters, link)) {
        weft_waiter *waiter = WEFT_CONTAINER(link, weft_waiter, link);
        if (waiter->address == address)
            return waiter;
    }
    return NULL;
}
