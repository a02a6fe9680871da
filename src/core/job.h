/* SPDX-License-Identifier: MIT */
/*
 * job: a function that weft runs, its argument bytes and its outcome: the common part of thread,
 * process, task, future and popen.
 */
#ifndef WEFT_CORE_JOB_H
#define WEFT_CORE_JOB_H

#include "core/handle.h"

typedef struct weft_job {
    weft_handle handle; /* first */
    weft_fn *fn;
    void *arg;             /* the private copy, or the caller's pointer */
    size_t arg_size;       /* 0: WEFT_POINTER or WEFT_NONE */
    bool arg_owned;        /* arg is to be freed */
    bool cancelled;        /* asked before it began; guarded by handle.lock */
    _Atomic bool runs;     /* fn has begun; for descriptions */
    weft_context *context; /* while fn runs, or from before; guarded by handle.lock */
    int code;              /* the outcome, valid once done: number, or failure */
    weft_bytes result;     /* owned; data NULL: none set, the number stands for it */
    size_t result_room;
    char *message; /* owned; of a failure; NULL: none, or weft_job_no_memory */
} weft_job;

/* Copies arg (size 0: keeps the pointer). `inside` is room of inside_size bytes in the job's own
 * allocation, used when it is large enough; 16-aligned. Errors: -ENOMEM, -EINVAL (fn is NULL). */
int weft_job_init(weft_job *job, const weft_kind *kind, weft_fn *fn, const void *arg,
                  size_t arg_size, void *inside, size_t inside_size);

/* It will run in this context, which runs nothing else before: so it need not take the lock when it
 * begins. While nobody else knows the job yet. */
static inline void weft_job_assign(weft_job *job, weft_context *context)
{
    job->context = context;
}

/* Runs fn in the running context, unless it was cancelled before, and completes the job. */
void weft_job_run(weft_job *job);

/* The two halves, for those that complete elsewhere: runs fn; the outcome is in the job, which is
 * not done yet. */
void weft_job_call(weft_job *job);
/* The outcome stands: wakes waiters, runs callbacks. Once. */
void weft_job_complete(weft_job *job);

/* Sets the outcome from outside (code, message copied, bytes copied), without completing. Never
 * fails: out of memory becomes the outcome -ENOMEM. */
void weft_job_set_outcome(weft_job *job, int code, const char *message, const void *data,
                          size_t size);

/* Frees argument, result, message; part of every finalizer. */
void weft_job_clear(weft_job *job);

/* weft_kind.cancel of jobs that run in a context: 1 asked, 0 done. A job that has not begun is
 * marked and completes with -ECANCELED when its turn comes. */
int weft_job_cancel(weft_handle *handle);

/* The failure message to be shown: never NULL for code < 0. */
const char *weft_job_message(const weft_job *job);

#endif
