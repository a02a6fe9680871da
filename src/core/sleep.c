/* SPDX-License-Identifier: MIT */
/*
 * weft_sleep: a wait for nothing, which only its deadline, a scope, a cancel or a signal handler
 * ends.
 */
#include <sched.h>

#include "core/clock.h"
#include "core/runner.h"
#include "core/wait.h"

/* Lets the others run once; a pending cancel ends it, as it would a longer sleep. */
static int yield(weft_context *self)
{
    if (self->coroutine)
        weft_runner_yield(self);
    else
        sched_yield();
    return weft_cancel_pending(self) ? weft_wait_cancelled(self) : 0;
}

int weft_sleep(double seconds)
{
    weft_waiter waiter;
    weft_instant deadline;
    int r = weft_waiter_init(&waiter);
    if (r < 0)
        return r;
    if (seconds == 0 && !waiter.context->main)
        return yield(waiter.context);
    r = weft_deadline(seconds, &deadline);
    if (r < 0)
        return r;
    weft_wait_publish(&waiter);
    r = weft_wait_sleep(waiter.context, deadline);
    return r == -ETIMEDOUT ? 0 : r;
}
