/* SPDX-License-Identifier: MIT */
/*
 * process_executor: the process pool, in the process that opened it.
 *
 * Futures wait in a private queue; as many as keep the workers busy (`window`) are out at a time:
 * written into records in the arena and put in the ring.
 */
#ifndef WEFT_MULTIPROCESSING_PROCESS_EXECUTOR_H
#define WEFT_MULTIPROCESSING_PROCESS_EXECUTOR_H

#include <pthread.h>

#include "core/ilock.h"
#include "futures/executor.h"
#include "multiprocessing/pool.h"
#include "multiprocessing/process.h"

typedef struct weft_pool_worker {
    weft_process *process; /* owned; NULL: none */
    uint32_t serial;
} weft_pool_worker;

typedef struct weft_process_pool {
    weft_executor executor; /* first */
    size_t max_workers, window;
    weft_pool_start start; /* the part that all workers have in common */
    void *arg;             /* the initializer's copy; owned if arg_size > 0 */
    size_t arg_size;
    bool break_on_loss;
    weft_pool_shared *shared;  /* in the arena; owned */
    weft_pool_worker *workers; /* the manager's, once it runs; owned */
    uint32_t serials;
    uint32_t stillborn;
    pthread_t manager;
    bool managed;         /* the manager has been started */
    pthread_mutex_t lock; /* guards what follows */
    weft_future *first, *last;
    weft_list out; /* records */
    size_t out_count;
    bool ending;
    bool broken;
    char why[192];  /* it is broken */
    weft_link link; /* in the list of all pools; guarded by its lock */
} weft_process_pool;

/* ---- pool_jobs.c */

extern weft_ilock weft_pool_places; /* guards where the futures of all pools are */

/* Lock held. A future that has been begun goes out, one that comes back from a dead worker goes out
 * again. Errors: -ENOMEM. */
int weft_pool_send_out(weft_process_pool *pool, weft_future *future);
void weft_pool_put(weft_process_pool *pool, weft_pool_record *record);

/* From the queue into the ring, as many as are allowed out. */
void weft_pool_refill(weft_process_pool *pool);

/* Lock held: the queue, to be failed when it has been left. */
weft_future *weft_pool_take_queue(weft_process_pool *pool);
void weft_pool_fail_queue(weft_future *queue, int code, const char *message);

/* Completes what has come back: one record, all that were pushed, or one as failed. */
void weft_pool_settle(weft_process_pool *pool, weft_pool_record *record);
void weft_pool_take_results(weft_process_pool *pool);
void weft_pool_fail_record(weft_process_pool *pool, weft_pool_record *record, int code,
                           const char *message);

/* weft_future.withdraw: what is in the ring and no worker has claimed can still be cancelled. */
bool weft_pool_withdraw(weft_future *future);

#endif
