/* SPDX-License-Identifier: MIT */
/*
 * weft_shutdown: the steps that modules have registered, stage by stage; memory last. A stage that
 * does not finish by the deadline ends the call; what was done stays done, and a later call goes
 * on.
 */
#include "core/shutdown.h"

#include <weft/base.h>

#include "core/clock.h"
#include "core/context.h"
#include "core/fork.h"
#include "core/ilock.h"
#include "core/interrupt.h"
#include "core/runner.h"
#include "platform/spawn.h"
#include "platform/stack.h"

static weft_ilock lock;
static weft_shutdown_step *steps[WEFT_STAGES]; /* guarded by lock; only grow */

static void before_fork(void)
{
    weft_ilock_acquire(&lock);
}

static void after_fork(void)
{
    weft_ilock_release(&lock);
}

static weft_fork_hooks fork_hooks = {
    .prepare = before_fork, .parent = after_fork, .child = after_fork};

void weft_shutdown_register(weft_shutdown_step *step)
{
    /* relaxed: weft_shutdown reads the list under the lock */
    if (atomic_load_explicit(&step->registered, memory_order_relaxed))
        return;
    weft_fork_register(&fork_hooks);
    weft_ilock_acquire(&lock);
    if (!atomic_load_explicit(&step->registered, memory_order_relaxed)) {
        atomic_store_explicit(&step->registered, true, memory_order_relaxed);
        step->next = steps[step->stage];
        steps[step->stage] = step;
    }
    weft_ilock_release(&lock);
}

int weft_shutdown_run(weft_shutdown_stage stage, weft_instant deadline)
{
    int r = 0;
    weft_ilock_acquire(&lock);
    weft_shutdown_step *step = steps[stage];
    weft_ilock_release(&lock);
    for (; r >= 0 && step != NULL; step = step->next)
        r = step->run(deadline);
    return r;
}

/* Where the end of weft would wait for its caller. */
static bool refuses(const weft_context *self)
{
    bool thread_of_ours =
        self->who != NULL && (const void *)self->who == (const void *)self->thread;
    return self->runner != NULL || self->handling || thread_of_ours;
}

int weft_shutdown(double timeout)
{
    weft_context *self = weft_context_current;
    weft_instant deadline;
    int r = weft_deadline(timeout, &deadline);
    if (r < 0)
        return r;
    if (self != NULL && refuses(self))
        return weft_error(
            -EBUSY, "shut down: called in a coroutine, loop, signal handler or thread of weft's");
    for (int stage = 0; r >= 0 && stage < WEFT_STAGES; stage++)
        r = weft_shutdown_run((weft_shutdown_stage)stage, deadline);
    if (r < 0)
        return r;
    weft_interrupt_give_up_main();
    weft_runner_trim();
    weft_context_trim();
    weft_stack_trim();
    weft_spawn_trim();
    return 0;
}
