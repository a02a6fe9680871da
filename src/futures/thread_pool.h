/* SPDX-License-Identifier: MIT */
/*
 * thread_pool: what its two halves share: thread_pool.c (life and end) and thread_pool_work.c (who
 * runs what).
 */
#ifndef WEFT_FUTURES_THREAD_POOL_H
#define WEFT_FUTURES_THREAD_POOL_H

#include <weft/threading.h>

#include "core/runner.h"
#include "futures/executor.h"
#include "futures/job_deque.h"

typedef struct weft_thread_pool weft_thread_pool;

typedef struct weft_worker {
    weft_thread_pool *pool;
    weft_thread *thread;           /* owned; NULL until started; guarded by pool->lock */
    weft_runner *runner;           /* its own; written before it can be found idle */
    struct weft_worker *next_idle; /* guarded by pool->lock */
    _Atomic bool idle;             /* on the idle list; changed under pool->lock */
    bool stop;                     /* its own */
    weft_job_deque deque;
} weft_worker;

struct weft_thread_pool {
    weft_executor executor; /* first */
    size_t max_workers, stack_size;
    char *name; /* of its threads; owned; NULL: the handle's */
    weft_fn *initializer;
    void *arg; /* owned where arg_size > 0 */
    size_t arg_size;
    weft_ilock lock;           /* guards what follows */
    weft_future *first, *last; /* the injection queue */
    size_t queued;             /* its length */
    weft_worker *idle;
    _Atomic size_t idle_count; /* changed under lock, looked at without */
    bool waking;               /* a worker has been woken and has not looked yet */
    size_t started, alive;
    _Atomic bool ending;    /* changed under lock, looked at without */
    _Atomic bool broken;    /* likewise; the initializer has failed */
    weft_worker *workers;   /* max_workers of them, the first `started` in use; owned */
    _Atomic size_t visible; /* as started, for thieves */
    weft_link link;         /* in the list of all pools; guarded by its lock */
};

/* ---- thread_pool_work.c */

/* A worker's: where its runner gets jobs, and how it sleeps. */
extern const weft_runner_hooks weft_worker_hooks;

/* The worker that the caller runs on, if it is one of the pool's; else NULL. */
weft_worker *weft_worker_own(const weft_thread_pool *pool);

/* A job of the pool's submits: to the worker's own deque. Errors: -ENOMEM. */
int weft_worker_submit(weft_worker *self, weft_future *future);

/* From outside: queues the future and sees that somebody comes for it. Errors: WEFT_ESHUTDOWN,
 * WEFT_EBROKEN_POOL, and those of starting a thread where there is none. */
int weft_thread_pool_inject(weft_thread_pool *pool, weft_future *future);

/* The failure of a submit to a pool that takes no more. */
int weft_thread_pool_refuse(const weft_thread_pool *pool);

/* The injection queue, taken out: linked by `next`. Lock held. */
weft_future *weft_thread_pool_take_queue(weft_thread_pool *pool);

/* Every worker that sleeps looks again, and sees the end. */
void weft_thread_pool_wake_all(weft_thread_pool *pool);

/* ---- thread_pool.c */

/* Starts the thread of a worker that has been counted. Errors: those of weft_thread_start. */
int weft_worker_start(weft_worker *self);

/* Completes what has not begun, of a list linked by `next`. */
void weft_thread_pool_fail_all(weft_future *future, int code, const char *message);

/* The last worker is gone and the pool has been ended. */
void weft_thread_pool_complete_end(weft_thread_pool *pool);

extern const char weft_thread_pool_broken_text[];

#endif
