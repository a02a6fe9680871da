/* SPDX-License-Identifier: MIT */
/*
 * The way of a job through the pool: from a future into a record, and back.
 *
 * A future that is out points at its record and the record at its future; `weft_pool_places` guards
 * these two, so that a cancel finds the record alive, or nothing. A record that was withdrawn from
 * its future stays out until a worker has dropped it.
 */
#include <string.h>

#include "core/ilock.h"
#include "multiprocessing/process_executor.h"

weft_ilock weft_pool_places;

/* ---- jobs out ----------------------------------------------------------------------------------
 */

static weft_pool_record *new_record(weft_future *future)
{
    size_t inside =
        future->job.arg_size > WEFT_POOL_INSIDE ? future->job.arg_size : (size_t)WEFT_POOL_INSIDE;
    if (inside > SIZE_MAX / 2)
        return NULL;
    weft_pool_record *record = weft_arena_alloc(sizeof *record + inside);
    if (record == NULL)
        return NULL;
    memset(record, 0, sizeof *record);
    record->future = future;
    record->fn = future->job.fn;
    record->arg_size = future->job.arg_size;
    record->room = inside;
    if (record->arg_size > 0)
        memcpy(record->inside, future->job.arg, record->arg_size);
    else
        record->pointer = future->job.arg;
    return record;
}

/* Lock held. */
void weft_pool_put(weft_process_pool *pool, weft_pool_record *record)
{
    weft_pool_shared *shared = pool->shared;
    uint32_t tail = atomic_load_explicit(&shared->tail, memory_order_relaxed);
    atomic_store_explicit(&record->state, WEFT_JOB_QUEUED, memory_order_relaxed);
    atomic_store_explicit(&shared->ring[tail & (WEFT_POOL_RING - 1)], record, memory_order_relaxed);
    /* release: with the record */
    atomic_store_explicit(&shared->tail, tail + 1, memory_order_release);
}

/* Lock held. A begun future goes out. Errors: -ENOMEM. */
int weft_pool_send_out(weft_process_pool *pool, weft_future *future)
{
    weft_pool_record *record = new_record(future);
    if (record == NULL)
        return -ENOMEM;
    weft_ilock_acquire(&weft_pool_places);
    future->place = record;
    weft_ilock_release(&weft_pool_places);
    weft_list_append(&pool->out, &record->link);
    pool->out_count++;
    weft_pool_put(pool, record);
    return 0;
}

static void fail(weft_future *future, int code, const char *message)
{
    if (weft_future_begin(future))
        weft_future_fail(future, code, message);
    else
        weft_handle_drop(&future->job.handle);
}

void weft_pool_fail_queue(weft_future *future, int code, const char *message)
{
    while (future != NULL) {
        weft_future *next = future->next;
        fail(future, code, message);
        future = next;
    }
}

/* Lock held. */
weft_future *weft_pool_take_queue(weft_process_pool *pool)
{
    weft_future *queue = pool->first;
    pool->first = pool->last = NULL;
    return queue;
}

/* From the queue into the ring, as many as are allowed out. */
void weft_pool_refill(weft_process_pool *pool)
{
    uint32_t sent = 0;
    pthread_mutex_lock(&pool->lock);
    while (pool->first != NULL && pool->out_count < pool->window) {
        weft_future *future = pool->first;
        pool->first = future->next;
        int r = 0;
        bool begun = weft_future_begin(future);
        if (begun)
            r = weft_pool_send_out(pool, future);
        if (begun && r == 0) {
            sent++;
            continue;
        }
        pthread_mutex_unlock(&pool->lock);
        if (begun)
            weft_future_fail(future, r, "no shared memory for the job");
        else
            weft_handle_drop(&future->job.handle);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    if (sent > 0)
        weft_pool_wake(pool->shared, sent);
}

/* ---- jobs back ---------------------------------------------------------------------------------
 */

/* From here on the records, linked by `next`, are the caller's, with their futures (NULL:
 * withdrawn). Submit's lock is taken before anything of theirs is read: what it wrote came back by
 * way of another process, which no tool that watches this one can see. */
static weft_pool_record *take_off(weft_process_pool *pool, weft_pool_record *newest)
{
    weft_pool_record *oldest = NULL;
    pthread_mutex_lock(&pool->lock);
    weft_ilock_acquire(&weft_pool_places);
    while (newest != NULL) {
        weft_pool_record *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
        weft_list_remove(&oldest->link);
        pool->out_count--;
        if (oldest->future != NULL)
            oldest->future->place = NULL;
    }
    weft_ilock_release(&weft_pool_places);
    pthread_mutex_unlock(&pool->lock);
    return oldest;
}

bool weft_pool_withdraw(weft_future *future)
{
    uint64_t queued = WEFT_JOB_QUEUED;
    weft_ilock_acquire(&weft_pool_places);
    weft_pool_record *record = future->place;
    bool withdrawn = record != NULL &&
                     atomic_compare_exchange_strong(&record->state, &queued, WEFT_JOB_CANCELLED);
    if (withdrawn) {
        record->future = NULL;
        future->place = NULL;
    }
    weft_ilock_release(&weft_pool_places);
    return withdrawn;
}

/* The record is off the list, and nobody else's. */
static void free_record(weft_pool_record *record)
{
    void *block = atomic_load(&record->block);
    if (block != NULL)
        weft_arena_free(block);
    weft_arena_free(record);
}

static void complete_failed(weft_pool_record *record, int code, const char *message)
{
    weft_future *future = record->future;
    free_record(record);
    if (future != NULL)
        weft_future_fail(future, code, message);
}

static void complete_done(weft_pool_record *record)
{
    weft_future *future = record->future;
    const void *block = atomic_load(&record->block);
    const void *bytes = block != NULL ? block : record->inside;
    char message[WEFT_MESSAGE_SIZE] = "";
    if (record->code < 0) {
        size_t size =
            record->message_size < sizeof message ? record->message_size : sizeof message - 1;
        memcpy(message, bytes, size);
        weft_job_set_outcome(&future->job, record->code, message, NULL, 0);
    } else {
        weft_job_set_outcome(&future->job, record->code, NULL, record->has_data ? bytes : NULL,
                             record->data_size);
    }
    free_record(record);
    weft_job_complete(&future->job);
    weft_handle_drop(&future->job.handle);
}

static void complete(weft_pool_record *record)
{
    if ((atomic_load(&record->state) & 0xff) == WEFT_JOB_DROPPED)
        complete_failed(record, -ECANCELED, "cancelled: the pool has been shut down");
    else
        complete_done(record);
}

void weft_pool_take_results(weft_process_pool *pool)
{
    weft_pool_record *pushed = atomic_exchange(&pool->shared->results, NULL);
    if (pushed == NULL)
        return;
    for (weft_pool_record *record = take_off(pool, pushed); record != NULL;) {
        weft_pool_record *next = record->next;
        complete(record);
        record = next;
    }
}

void weft_pool_settle(weft_process_pool *pool, weft_pool_record *record)
{
    record->next = NULL;
    complete(take_off(pool, record));
}

void weft_pool_fail_record(weft_process_pool *pool, weft_pool_record *record, int code,
                           const char *message)
{
    record->next = NULL;
    complete_failed(take_off(pool, record), code, message);
}
