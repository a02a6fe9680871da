/* SPDX-License-Identifier: MIT */
/*
 * rwlock: one word, the number of readers or the mark of a writer, and the mark that somebody
 * waits.
 *
 * First come, first served: while somebody waits, nobody goes past him; so neither readers nor
 * writers starve. Whoever leaves the lock free, or takes himself out of the queue, lets in those at
 * its front: one writer, or all readers up to the next writer. In one write of the word, under the
 * bucket's lock, the lock becomes theirs; then they are notified. One that turns out to have timed
 * out (it still has to come through the bucket's lock, so the memory is there) gives back what was
 * its own, and the next are let in. One that was notified and finds itself cancelled releases.
 *
 * While the mark is set the word changes only under the bucket's lock: the compare-and-swaps of the
 * others fail when it appears.
 *
 * In shared memory it is refused: a reader that is killed leaves a number that no word tells whose
 * it was, and a writer would wait for it for ever.
 */
#include <weft/threading.h>

#include "threading/value.h"

_Static_assert(sizeof(weft_rwlock) == 32, "part of the ABI");

#define WAITERS WEFT_WORD_WAITERS
#define WRITER  UINT32_C(0x40000000)
#define READERS UINT32_C(0x3fffffff)

/* A waiter's tag; with LET_IN the lock is its own already. */
enum { READ, WRITE, LET_IN };

/* Whether one more may come in, going past nobody; *word becomes what it is then. */
static bool admits(uint32_t *word, uint32_t how)
{
    if (how == WRITE ? (*word & ~WAITERS) != 0
                     : (*word & WRITER) != 0 || (*word & READERS) == READERS)
        return false;
    *word = how == WRITE ? *word | WRITER : *word + 1;
    return true;
}

static bool take(weft_rwlock *rwlock, uint32_t how)
{
    uint32_t word = weft_word_load(&rwlock->state_);
    for (uint32_t taken = word; (word & WAITERS) == 0 && admits(&taken, how); taken = word)
        if (weft_word_take(&rwlock->state_, &word, taken))
            return true;
    return false;
}

/* Bucket's lock held. `word` is the lock without what has just been given back: those at the front
 * are let in, and `let_in` has them. */
static void let_in(weft_rwlock *rwlock, weft_bucket *bucket, uint32_t word, weft_list *in)
{
    weft_waiter *first;
    word &= ~WAITERS;
    while ((first = weft_bucket_find(bucket, rwlock, NULL)) != NULL && admits(&word, first->tag)) {
        weft_list_remove(&first->link);
        weft_list_append(in, &first->link);
        first->tag |= LET_IN;
    }
    /* release: what was written under the lock is seen by those who have it next */
    __atomic_store_n(&rwlock->state_, word | (first != NULL ? WAITERS : 0), __ATOMIC_RELEASE);
}

static uint32_t without(uint32_t word, uint32_t how)
{
    return how == WRITE ? word & ~WRITER : word - 1;
}

/* Notifies those who have been let in; enters with the bucket's lock, and leaves it. */
static void notify(weft_rwlock *rwlock, weft_bucket *bucket, weft_list *in)
{
    enum { BATCH = 16 };
    weft_wake wakes[BATCH];
    bool rest;
    do {
        size_t n = 0;
        weft_link *link;
        while (n < BATCH && (link = weft_list_pop(in)) != NULL) {
            weft_waiter *waiter = WEFT_CONTAINER(link, weft_waiter, link);
            uint32_t how = waiter->tag & WRITE; /* after the notification it is gone */
            if (weft_wait_notify(waiter, &wakes[n]))
                n++;
            else
                let_in(rwlock, bucket, without(weft_word_load(&rwlock->state_), how), in);
        }
        rest = !weft_list_empty(in);
        weft_bucket_release(bucket);
        for (size_t i = 0; i < n; i++)
            weft_wake_deliver(wakes[i]);
        if (rest)
            weft_ilock_acquire(&bucket->lock);
    } while (rest);
}

/* After a wait that was not notified. One that is linked and let in stands in the list of somebody
 * who has left the bucket's lock for a moment. */
static void leave(weft_rwlock *rwlock, weft_waiter *waiter)
{
    weft_list in = {0};
    weft_bucket *bucket = weft_bucket_acquire(rwlock);
    if (weft_link_linked(&waiter->link)) {
        uint32_t word = weft_word_load(&rwlock->state_);
        weft_list_remove(&waiter->link);
        let_in(rwlock, bucket,
               (waiter->tag & LET_IN) != 0 ? without(word, waiter->tag & WRITE) : word, &in);
    }
    notify(rwlock, bucket, &in);
}

static int release(weft_rwlock *rwlock, uint32_t how)
{
    uint32_t word = weft_word_load(&rwlock->state_);
    for (;;) {
        if ((word & (how == WRITE ? WRITER : READERS)) == 0)
            return weft_error(-EPERM, "release of an rwlock that nobody holds to %s",
                              how == WRITE ? "write" : "read");
        if ((word & WAITERS) != 0)
            break;
        if (weft_word_give(&rwlock->state_, &word, without(word, how)))
            return 0;
    }
    weft_list in = {0};
    weft_bucket *bucket = weft_bucket_acquire(rwlock);
    /* the caller holds the lock, so the number is there; the mark may have gone */
    word = weft_word_load(&rwlock->state_);
    while ((word & WAITERS) == 0)
        if (weft_word_give(&rwlock->state_, &word, without(word, how))) {
            weft_bucket_release(bucket);
            return 0;
        }
    let_in(rwlock, bucket, without(word, how), &in);
    notify(rwlock, bucket, &in);
    return 0;
}

static int acquire_queued(weft_rwlock *rwlock, uint32_t how, weft_instant deadline)
{
    weft_waiter waiter;
    int r = weft_waiter_init(&waiter);
    if (r < 0)
        return r;
    waiter.address = rwlock;
    waiter.tag = how;
    weft_bucket *bucket = weft_bucket_acquire(rwlock);
    uint32_t word = weft_word_load(&rwlock->state_);
    for (;;) {
        uint32_t taken = word;
        if ((word & WAITERS) != 0)
            break;
        if (admits(&taken, how)) {
            if (weft_word_take(&rwlock->state_, &word, taken)) {
                weft_bucket_release(bucket);
                return 0;
            }
        } else if (weft_word_mark(&rwlock->state_, &word, word | WAITERS)) {
            break;
        }
    }
    weft_value_enlist(bucket, &waiter);
    r = weft_wait_sleep(waiter.context, deadline);
    if (r < 0)
        leave(rwlock, &waiter);
    if (r != WEFT_WAIT_AND_CANCEL)
        return r;
    release(rwlock, how);
    return weft_wait_cancelled(waiter.context);
}

static int acquire(weft_rwlock *rwlock, uint32_t how, double timeout)
{
    if (weft_is_shared(rwlock))
        return weft_error(-ENOTSUP, "acquire of an rwlock in shared memory");
    if (timeout == timeout && take(rwlock, how))
        return 0;
    weft_instant deadline;
    int r = weft_deadline(timeout, &deadline);
    if (r < 0)
        return r;
    if (deadline == WEFT_INSTANT_NOW)
        return weft_error_timed_out();
    return acquire_queued(rwlock, how, deadline);
}

int weft_rwlock_acquire_read(weft_rwlock *rwlock, double timeout)
{
    return acquire(rwlock, READ, timeout);
}

int weft_rwlock_acquire_write(weft_rwlock *rwlock, double timeout)
{
    return acquire(rwlock, WRITE, timeout);
}

int weft_rwlock_release_read(weft_rwlock *rwlock)
{
    return release(rwlock, READ);
}

int weft_rwlock_release_write(weft_rwlock *rwlock)
{
    return release(rwlock, WRITE);
}
