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
 * others fail when it appears. The mark is set as long as somebody is in the bucket.
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

/* Bucket's lock held. Gives back `given` of the word, and lets in those at the front, whom `in`
 * gets. A compare-and-swap: who has been let in before may be on his way out again already, and
 * where nobody waits any more that takes no lock. */
static void let_in(weft_rwlock *rwlock, weft_bucket *bucket, uint32_t given, weft_list *in)
{
    uint32_t word = weft_word_load(&rwlock->state_);
    uint32_t next;
    size_t count;
    weft_waiter *waiter;
    do {
        next = (word & ~WAITERS) - given;
        count = 0;
        waiter = weft_bucket_find(bucket, rwlock, NULL);
        for (; waiter != NULL && admits(&next, waiter->tag); count++)
            waiter = weft_bucket_find(bucket, rwlock, waiter);
        next |= waiter != NULL ? WAITERS : 0;
        /* acquire, too: who is let in comes after those who went out without the bucket's lock */
    } while (!__atomic_compare_exchange_n(&rwlock->state_, &word, next, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    for (; count > 0; count--) {
        waiter = weft_bucket_find(bucket, rwlock, NULL);
        weft_list_remove(&waiter->link);
        weft_list_append(in, &waiter->link);
        waiter->tag |= LET_IN;
    }
}

/* What one who holds it has of the word. */
static uint32_t share(uint32_t how)
{
    return how == WRITE ? WRITER : 1;
}

/* weft_value_undo_fn: one that was let in is not there any more. */
static void go_out(void *value, weft_bucket *bucket, weft_waiter *waiter, weft_list *in)
{
    let_in(value, bucket, share(waiter->tag & WRITE), in);
}

/* After a wait that was not notified. One that is linked and let in stands in the list of somebody
 * who has left the bucket's lock for a moment. */
static void leave(weft_rwlock *rwlock, weft_waiter *waiter)
{
    weft_list in = {0};
    weft_bucket *bucket = weft_bucket_acquire(rwlock);
    bool linked = weft_link_linked(&waiter->link);
    if (linked)
        weft_list_remove(&waiter->link);
    if (linked && (waiter->tag & LET_IN) != 0)
        go_out(rwlock, bucket, waiter, &in);
    else if (linked) /* who stood behind it */
        let_in(rwlock, bucket, 0, &in);
    weft_value_notify(rwlock, bucket, &in, go_out);
}

static int release(weft_rwlock *rwlock, uint32_t how)
{
    if (rwlock == NULL)
        return weft_value_missing("release an rwlock");
    uint32_t word = weft_word_load(&rwlock->state_);
    for (;;) {
        if ((word & (how == WRITE ? WRITER : READERS)) == 0)
            return weft_error(-EPERM, "release of an rwlock that nobody holds to %s",
                              how == WRITE ? "write" : "read");
        if ((word & WAITERS) != 0)
            break;
        if (weft_word_give(&rwlock->state_, &word, word - share(how)))
            return 0;
    }
    weft_list in = {0};
    weft_bucket *bucket = weft_bucket_acquire(rwlock);
    let_in(rwlock, bucket, share(how), &in);
    weft_value_notify(rwlock, bucket, &in, go_out);
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
    if (rwlock == NULL)
        return weft_value_missing("acquire an rwlock");
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
