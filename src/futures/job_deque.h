/* SPDX-License-Identifier: MIT */
/*
 * job_deque: the futures that a worker has taken on and not begun: it pushes and pops at one end,
 * thieves take from the other.
 */
#ifndef WEFT_FUTURES_JOB_DEQUE_H
#define WEFT_FUTURES_JOB_DEQUE_H

#include "core/ilock.h"
#include "futures/future.h"

/* Zeroed is empty. Its owner alone pushes. */
typedef struct weft_job_deque {
    weft_ilock lock;    /* guards what follows; taken after a pool's */
    weft_future **ring; /* owned */
    size_t room;        /* a power of two */
    size_t head, count;
} weft_job_deque;

/* Makes sure that `more` can be pushed. Errors: -ENOMEM, with a message. */
int weft_job_deque_reserve(weft_job_deque *deque, size_t more);

/* Errors: -ENOMEM, with a message (never within what was reserved). */
int weft_job_deque_push(weft_job_deque *deque, weft_future *future);

/* Pushes all of the array, its first as the newest, within what was reserved. */
void weft_job_deque_fill(weft_job_deque *deque, weft_future *const *futures, size_t count);

/* NULL: it is empty. */
weft_future *weft_job_deque_pop_newest(weft_job_deque *deque);

/* The same from the other end; *more: others are left. */
weft_future *weft_job_deque_pop_oldest(weft_job_deque *deque, bool *more);

bool weft_job_deque_empty(weft_job_deque *deque);

#endif
