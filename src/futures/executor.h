/* SPDX-License-Identifier: MIT */
/*
 * executor: whatever runs submitted functions: a handle and a small table of functions.
 *
 * weft_submit makes the future and hands it to `submit`, which takes one reference with it. The
 * executor runs it (weft_future_run), or sets its outcome (weft_job_set_outcome) and completes it
 * (weft_job_complete), exactly once, and then drops that reference.
 */
#ifndef WEFT_FUTURES_EXECUTOR_H
#define WEFT_FUTURES_EXECUTOR_H

#include <weft/futures.h>

#include "core/handle.h"
#include "futures/future.h"

typedef struct weft_executor_methods {
    /* Any thread. Takes the reference when it returns 0. Errors: WEFT_ESHUTDOWN, WEFT_EBROKEN_POOL,
     * -ENOMEM, -EINVAL (an argument that cannot cross). */
    int (*submit)(weft_executor *executor, weft_future *future);
    /* No further submits; IMMEDIATE cancels what has not begun. Waits until all has ended (the
     * deadline may be now: then it only starts). May be called again. Errors: -ETIMEDOUT,
     * -ECANCELED, -EDEADLK (by a job of its own). */
    int (*shutdown)(weft_executor *executor, weft_shutdown_mode mode, weft_instant deadline);
    /* How many jobs run at once: for weft_map's window. */
    size_t (*width)(weft_executor *executor);
} weft_executor_methods;

/* The first member of every executor. Its kind is one of the executor's own, with name "executor".
 */
struct weft_executor {
    weft_handle handle; /* first */
    const weft_executor_methods *methods;
};

/* Whether a handle's kind is an executor's: kinds of executors share this finalizer-independent
 * mark: their name pointer. */
extern const char weft_executor_kind_name[];

/* As weft_handle_check, for an executor of any kind. */
int weft_executor_check(weft_executor *executor, const char *what);

#endif
