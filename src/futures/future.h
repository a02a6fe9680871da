/* SPDX-License-Identifier: MIT */
/*
 * future: the outcome of a submitted function, or one that somebody sets.
 */
#ifndef WEFT_FUTURES_FUTURE_H
#define WEFT_FUTURES_FUTURE_H

#include <weft/futures.h>

#include "core/job.h"

struct weft_future {
    weft_job job;      /* first */
    weft_future *next; /* in a queue of the executor that holds it */
    void *place;       /* the executor's own: where it is */
    /* Set by an executor that can take a begun one back, before it begins it. true: it will not be
     * run, and is the caller's to complete, with the executor's reference. */
    bool (*withdraw)(weft_future *future);
    bool begun; /* taken out to run: a cancel is for its context; guarded by job.handle.lock */
};

extern const weft_kind weft_future_kind;

/* One reference; the argument bytes lie in the same allocation. Errors: -EINVAL, -ENOMEM. */
int weft_future_make(weft_future **future, weft_fn *fn, const void *arg, size_t arg_size);

/* Marks it as begun; false: it was cancelled before, and is done already. After true, weft_cancel
 * no longer completes it. */
bool weft_future_begin(weft_future *future);

/* Cancels one that has not begun, or asks a running one to stop (only if `running`). 1: asked, 0:
 * it was done, or runs on. */
int weft_future_cancel(weft_future *future, bool running);

/* Completes a begun future with a failure, drops the executor's reference. */
void weft_future_fail(weft_future *future, int code, const char *message);

/* Runs a begun future in the running context, completes it, drops the executor's reference. */
void weft_future_run(weft_future *future);

#endif
