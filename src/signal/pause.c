/* SPDX-License-Identifier: MIT */
/*
 * pause: a wait that a signal ends.
 *
 * On the main thread, and in the tasks of its loop, it is the user's handler whose run ends it: the
 * waiters are in `pauses`, and whoever has run a handler, in ordinary context, notifies them all.
 * On another thread no handlers run, so what ends it is that the C-level handler was entered there,
 * as pause(2) has it (core/wait.c).
 */
#include "signal/handler.h"

#include "core/clock.h"
#include "core/fork.h"
#include "core/ilock.h"
#include "core/interrupt.h"
#include "core/wait.h"

static weft_ilock lock;
static weft_list pauses;         /* guarded by lock */
static _Atomic uint32_t pausing; /* how many are in it */
static _Atomic uint32_t runs;    /* of handlers, ever */

static void before_fork(void)
{
    weft_ilock_acquire(&lock);
}

static void after_fork(void)
{
    weft_ilock_release(&lock);
}

/* Who pauses is a context of the parent. */
static void after_fork_child(void)
{
    pauses = (weft_list){0};
    atomic_store(&pausing, 0);
    weft_ilock_release(&lock);
}

static weft_fork_hooks fork_hooks = {
    .prepare = before_fork, .parent = after_fork, .child = after_fork_child};

void weft_signal_end_pauses(void)
{
    /* relaxed: who pauses on this thread has said so, and nobody else's pause is meant */
    atomic_fetch_add_explicit(&runs, 1, memory_order_relaxed);
    if (atomic_load_explicit(&pausing, memory_order_relaxed) == 0)
        return;
    weft_ilock_acquire(&lock);
    weft_wait_notify_all(&lock, &pauses);
}

static int pause_for_handlers(weft_waiter *waiter, weft_instant deadline)
{
    weft_ilock_acquire(&lock);
    weft_wait_publish(waiter);
    weft_list_append(&pauses, &waiter->link);
    atomic_fetch_add_explicit(&pausing, 1, memory_order_relaxed);
    weft_ilock_release(&lock);
    int r = weft_wait_sleep(waiter->context, deadline);
    weft_ilock_acquire(&lock);
    if (weft_link_linked(&waiter->link))
        weft_list_remove(&waiter->link);
    atomic_fetch_sub_explicit(&pausing, 1, memory_order_relaxed);
    weft_ilock_release(&lock);
    return r == WEFT_WAIT_AND_CANCEL ? weft_wait_cancelled(waiter->context) : r;
}

/* A task runs what has come before the call itself, lest its time be up first. 1: some have run.
 * Errors: the handlers' own. */
static int run_what_came(void)
{
    uint32_t before = atomic_load_explicit(&runs, memory_order_relaxed);
    int r = weft_interrupt_check();
    return r < 0 ? r : atomic_load_explicit(&runs, memory_order_relaxed) != before;
}

int weft_signal_pause(double timeout)
{
    weft_waiter waiter;
    weft_instant deadline;
    int r = weft_waiter_init(&waiter);
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    if (r < 0)
        return r;
    if (!waiter.context->coroutine && !weft_interrupt_is_main())
        return weft_wait_pause(waiter.context, deadline);
    if (waiter.context->coroutine && (r = run_what_came()) != 0)
        return r < 0 ? r : 0;
    weft_fork_register(&fork_hooks);
    return pause_for_handlers(&waiter, deadline);
}
