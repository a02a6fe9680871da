/* SPDX-License-Identifier: MIT */
/*
 * task: a weft_fn in a coroutine of a loop. Its record lies in the coroutine's control block.
 */
#ifndef WEFT_ASYNCIO_TASK_H
#define WEFT_ASYNCIO_TASK_H

#include "asyncio/loop.h"

struct weft_task {
    weft_job job; /* first */
    weft_coroutine *coroutine;
    weft_loop *loop;
    weft_link link; /* in the loop's tasks */
    bool foreign;
    /* Set by whoever starts it on the loop's thread: called with the argument when fn has returned,
     * or was not called since the task was cancelled before it began. NULL: nothing. */
    void (*at_end)(void *arg);
};

extern const weft_kind weft_task_kind;

/* On `loop`, as weft_task_start. */
int weft_task_start_on(weft_loop *loop, weft_task **task, weft_fn *fn, const void *arg,
                       size_t arg_size, const weft_task_options *options);

#endif
