/* SPDX-License-Identifier: MIT */
/*
 * What every executor is used by: weft_submit and weft_executor_shutdown go through its table.
 */
#include "futures/executor.h"

#include "core/clock.h"

const char weft_executor_kind_name[] = "executor";

int weft_executor_check(weft_executor *executor, const char *what)
{
    int r = weft_handle_check(executor, NULL, what);
    if (r == 0 && executor->handle.kind->name != weft_executor_kind_name)
        r = weft_error(-EINVAL, "%s: a %s was given, not an executor", what,
                       executor->handle.kind->name);
    return r;
}

int weft_submit(weft_executor *executor, weft_future **future, weft_fn *fn, const void *arg,
                size_t arg_size, const weft_submit_options *options)
{
    if (future != NULL)
        *future = NULL;
    weft_future *made = NULL;
    int r = weft_executor_check(executor, "submit");
    if (r == 0)
        r = weft_future_make(&made, fn, arg, arg_size);
    if (r < 0)
        return r;
    if (options != NULL && options->name != NULL)
        r = weft_handle_rename(&made->job.handle, options->name);
    /* the caller's reference is taken first: the executor may be done with the future at once */
    if (future != NULL)
        weft_handle_hold_new(&made->job.handle);
    if (r == 0)
        r = executor->methods->submit(executor, made);
    if (r < 0) {
        weft_handle_drop(&made->job.handle);
        if (future != NULL)
            weft_handle_drop(&made->job.handle);
    } else if (future != NULL) {
        *future = made;
    }
    return r;
}

int weft_executor_shutdown(weft_executor *executor, weft_shutdown_mode mode, double timeout)
{
    weft_instant deadline;
    int r = weft_executor_check(executor, "shut down");
    if (r == 0 && mode != WEFT_SHUTDOWN_DRAIN && mode != WEFT_SHUTDOWN_IMMEDIATE)
        r = weft_error(-EINVAL, "shut down: no mode %d", (int)mode);
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    return r < 0 ? r : executor->methods->shutdown(executor, mode, deadline);
}
