/* SPDX-License-Identifier: MIT */
/*
 * pool: what a process pool shares with its workers.
 *
 * Jobs go out through a ring in the arena, from which any worker takes; results come back on a
 * lock-free stack (Treiber's). Each job is a record, and its `state` word says which worker has it,
 * so that the end of a worker, at whatever instruction, tells what became of the job:
 *
 *     QUEUED -> TAKEN    in the ring; by the worker, under the ring's lock, before it leaves it
 *     TAKEN -> RUNNING   not begun: after the worker's death it goes to another
 *     RUNNING -> DONE    the function runs: after the worker's death it has failed
 *     QUEUED -> CANCELLED -> DROPPED    by the parent; by the worker that finds it in the ring
 *
 * A worker names the record in its seat before it claims it.
 */
#ifndef WEFT_MULTIPROCESSING_POOL_H
#define WEFT_MULTIPROCESSING_POOL_H

#include <signal.h>

#include <weft/multiprocessing.h>

#include "core/list.h"
#include "futures/future.h"
#include "multiprocessing/arena.h"
#include "platform/wakeup.h"

enum {
    WEFT_POOL_RING = 4096, /* a power of two */
    WEFT_POOL_INSIDE = 64, /* at least so many bytes for a result in the record itself */
};

enum {
    WEFT_JOB_QUEUED = 1,
    WEFT_JOB_TAKEN,
    WEFT_JOB_RUNNING,
    WEFT_JOB_DONE,
    WEFT_JOB_CANCELLED,
    WEFT_JOB_DROPPED,
};

typedef struct weft_pool_record {
    /* the parent's own */
    weft_link link; /* of those that are out */
    weft_future *future;
    /* shared */
    _Alignas(16) struct weft_pool_record *next; /* on the stack of results */
    _Atomic uint64_t state;                     /* the worker's serial << 8 | WEFT_JOB_… */
    weft_fn *fn;
    void *pointer;   /* the argument where arg_size is 0 */
    size_t arg_size; /* in `inside` */
    int code;
    bool has_data;
    uint32_t message_size; /* a failure's, in place of data */
    size_t data_size;
    void *_Atomic block; /* of data that does not fit inside; in the arena */
    size_t room;         /* of `inside` */
    _Alignas(16) unsigned char inside[];
} weft_pool_record;

/* A worker's place; all its own but what the parent resets between two workers. */
typedef struct weft_pool_seat {
    _Alignas(64) weft_pool_record *_Atomic record;
    _Atomic uint32_t sleeping; /* it has counted itself in `sleepers` */
    _Atomic uint32_t ready;    /* the initializer has succeeded */
    _Atomic int refused;       /* the initializer's failure */
    char why[128];             /* and its message */
} weft_pool_seat;

typedef struct weft_pool_shared {
    _Atomic uint32_t tail; /* of the ring; the parent's */
    _Atomic uint32_t closing;
    _Alignas(64) _Atomic uint32_t take_lock; /* robust */
    _Atomic uint32_t head;                   /* committed under it */
    _Alignas(64) weft_pool_record *_Atomic results;
    _Atomic uint32_t manager_sleeps; /* cleared by whoever signals it */
    _Alignas(64) _Atomic uint32_t sleepers;
    _Atomic uint32_t bell; /* what they sleep on; changed when there are any */
    weft_pool_record *_Atomic ring[WEFT_POOL_RING];
    weft_pool_seat seats[];
} weft_pool_shared;

/* What a worker is started with. */
typedef struct weft_pool_start {
    weft_pool_shared *shared;
    weft_pool_seat *seat;
    uint32_t serial; /* of this worker; never 0, never used again */
    int parent;
    weft_wakeup wakeup; /* the manager's */
    weft_fn *initializer;
    void *arg; /* the initializer's, in memory that the fork has copied */
    bool ignore_interrupt;
    sigset_t mask; /* of the thread that opened the pool */
} weft_pool_start;

static inline uint64_t weft_pool_state(uint32_t serial, unsigned phase)
{
    return (uint64_t)serial << 8 | phase;
}

/* ---- worker.c */

/* weft_fn of a worker; arg: a weft_pool_start. */
int weft_pool_work(void *arg);

/* Takes the ring's lock; a claim that a dead worker has left half done is completed. */
void weft_pool_lock_ring(weft_pool_shared *shared);

/* One more job in the ring, or the closing: wakes a worker, or (count > 1) several. */
void weft_pool_wake(weft_pool_shared *shared, uint32_t count);

#endif
