/* SPDX-License-Identifier: MIT */
/*
 * weft_sleep: a wait for nothing, which only its deadline, a scope, a cancel or a signal handler
 * ends.
 */
#include <sched.h>

#include "core/clock.h"
#include "core/runner.h"
#include "core/scope.h"
#include "core/wait.h"

/* Lets the others run once; a pending cancel or a scope whose time is up ends it, as they would a
 * longer sleep. */
static int yield(weft_context *self)
{
    if (self->coroutine)
        weft_runner_yield(self);
    else
        sched_yield();
    if (weft_cancel_pending(self))
        return weft_wait_cancelled(self);
    weft_instant nearest = self->scopes.nearest;
    if (nearest != WEFT_INSTANT_NEVER && nearest <= weft_instant_now())
        return weft_scope_fire(self);
    return 0;
}

int weft_sleep(double seconds)
{
    weft_context *self = weft_context_self();
    if (seconds == 0 && self != NULL && !self->main)
        return yield(self);
    weft_waiter waiter;
    weft_instant deadline;
    int r = weft_waiter_init(&waiter);
    if (r == 0)
        r = weft_deadline(seconds, &deadline);
    if (r < 0)
        return r;
    if (deadline == WEFT_INSTANT_NOW)
        deadline = weft_instant_now(); /* not a poll: a scope that ended earlier comes first */
    weft_failure before = waiter.context->failure;
    weft_wait_publish(&waiter);
    r = weft_wait_sleep(waiter.context, deadline);
    if (r != -ETIMEDOUT)
        return r;
    weft_wait_forgive(&before);
    return 0;
}
