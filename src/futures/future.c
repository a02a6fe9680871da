/* SPDX-License-Identifier: MIT */
/*
 * Futures. Whoever brings a future to its end, a worker, a canceller or weft_future_set_result,
 * first claims it under the handle's lock (`begun`); so each is completed exactly once, and a
 * cancel either comes before the function begins or reaches the context that runs it.
 */
#include "futures/future.h"

#include "core/memory.h"

static void finalize(weft_handle *handle)
{
    weft_future *future = (weft_future *)handle;
    weft_job_clear(&future->job);
    weft_dealloc(future);
}

static weft_job *job_of(weft_handle *handle)
{
    return &((weft_future *)handle)->job;
}

bool weft_future_begin(weft_future *future)
{
    weft_ilock_acquire(&future->job.handle.lock);
    bool claimed = !future->begun;
    future->begun = true;
    weft_ilock_release(&future->job.handle.lock);
    return claimed;
}

/* Marks a future that has no function of its own; never called. */
static int set_by_hand(void *arg)
{
    (void)arg;
    return 0;
}

/* One that somebody sets and that has begun is as good as done: there is nobody to ask; nor is
 * there where an executor could have taken it back and was too late. */
int weft_future_cancel(weft_future *future, bool running)
{
    weft_handle *handle = &future->job.handle;
    if (!weft_future_begin(future)) {
        if (future->job.fn == set_by_hand)
            return 0;
        if (future->withdraw == NULL)
            return running ? weft_job_cancel(handle) : 0;
        if (!future->withdraw(future))
            return 0;
        weft_future_fail(future, -ECANCELED, "cancelled");
        return 1;
    }
    /* a waiter may release its reference before the completion is over */
    weft_handle_hold(handle);
    weft_job_set_outcome(&future->job, -ECANCELED, "cancelled", NULL, 0);
    weft_job_complete(&future->job);
    weft_handle_drop(handle);
    return 1;
}

static int cancel(weft_handle *handle)
{
    return weft_future_cancel((weft_future *)handle, true);
}

static _Atomic uint32_t numbers;
const weft_kind weft_future_kind = {.name = "future",
                                    .prefix = "Future",
                                    .numbers = &numbers,
                                    .counted = true,
                                    .finalize = finalize,
                                    .job = job_of,
                                    .cancel = cancel};

int weft_future_make(weft_future **future, weft_fn *fn, const void *arg, size_t arg_size)
{
    /* the argument lies behind the record, as aligned as an allocation is */
    size_t used = (sizeof **future + 15) & ~(size_t)15;
    if (arg_size > SIZE_MAX - used)
        return weft_error(-ENOMEM, "submit: %zu argument bytes", arg_size);
    weft_future *made = weft_alloc(used + arg_size);
    if (made == NULL)
        return weft_error(-ENOMEM, "submit: no memory");
    int r = weft_job_init(&made->job, &weft_future_kind, fn, arg, arg_size, (char *)made + used,
                          arg_size);
    if (r < 0) {
        weft_dealloc(made);
        return r;
    }
    made->next = NULL;
    made->place = NULL;
    made->withdraw = NULL;
    made->begun = false;
    *future = made;
    return 0;
}

void weft_future_run(weft_future *future)
{
    weft_job_run(&future->job);
    weft_handle_drop(&future->job.handle);
}

void weft_future_fail(weft_future *future, int code, const char *message)
{
    weft_job_set_outcome(&future->job, code, message, NULL, 0);
    weft_job_complete(&future->job);
    weft_handle_drop(&future->job.handle);
}

/* ---- futures that somebody sets ---------------------------------------------------------------
 */

int weft_future_open(weft_future **future)
{
    if (future == NULL)
        return weft_error(-EINVAL, "open a future: nowhere to put it");
    *future = NULL;
    return weft_future_make(future, set_by_hand, NULL, 0);
}

static int set(weft_future *future, const char *what, int code, const char *message,
               const void *data, size_t size)
{
    int r = weft_handle_check(future, &weft_future_kind, what);
    if (r < 0)
        return r;
    if (future->job.fn != set_by_hand)
        return weft_error(WEFT_EINVALID_STATE, "%s: the result of '%s' is its function's", what,
                          weft_handle_name_of(&future->job.handle));
    if (!weft_future_begin(future))
        return weft_error(WEFT_EINVALID_STATE, "%s: '%s' is done already", what,
                          weft_handle_name_of(&future->job.handle));
    /* a waiter may release its reference before the completion is over */
    weft_handle_hold(&future->job.handle);
    weft_job_set_outcome(&future->job, code, message, data, size);
    weft_job_complete(&future->job);
    weft_handle_drop(&future->job.handle);
    return 0;
}

int weft_future_set_result(weft_future *future, const void *data, size_t size)
{
    if (data == NULL && size > 0)
        return weft_error(-EINVAL, "set result: %zu bytes at NULL", size);
    return set(future, "set result", 0, NULL, data, size);
}

int weft_future_set_exception(weft_future *future, int code, const char *message)
{
    if (code >= 0)
        return weft_error(-EINVAL, "set exception: %d is no failure", code);
    return set(future, "set exception", code, message, NULL, 0);
}
