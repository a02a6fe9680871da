/* SPDX-License-Identifier: MIT */
/*
 * timer: a thread that waits before it calls its function. What a cancel may still prevent is
 * decided by one word: the thread moves it when its time has come, a cancel when it comes first.
 */
#include "core/clock.h"
#include "core/wait.h"
#include "threading/thread.h"

enum { WAITS, FIRED, CANCELLED }; /* countdown */

static int run(void *arg)
{
    weft_thread *thread = weft_context_current->thread;
    weft_waiter waiter = {.context = weft_context_current};
    uint32_t state = WAITS;
    weft_wait_publish(&waiter);
    int r = weft_wait_sleep(waiter.context, thread->due);
    if (r == -ETIMEDOUT)
        r = atomic_compare_exchange_strong(&thread->countdown, &state, FIRED)
                ? 0
                : weft_error_cancelled();
    else /* cancelled as any thread; a weft_timer_cancel that comes now changes nothing */
        (void)atomic_compare_exchange_strong(&thread->countdown, &state, CANCELLED);
    return r < 0 ? r : thread->timed(arg);
}

int weft_timer_start(weft_timer **out, double seconds, weft_fn *fn, const void *arg,
                     size_t arg_size, const weft_thread_options *options)
{
    weft_instant due;
    int r;
    if (out != NULL)
        *out = NULL;
    if (fn == NULL)
        return weft_error(-EINVAL, "start of a timer: no function");
    if (seconds < 0)
        return weft_error(-EINVAL, "start of a timer: %g seconds", seconds);
    if ((r = weft_deadline(seconds, &due)) < 0)
        return r;
    weft_thread *thread = weft_thread_new(run, arg, arg_size, &r);
    if (thread == NULL)
        return r;
    thread->timed = fn;
    thread->due = due;
    atomic_init(&thread->countdown, WAITS);
    return weft_thread_launch(thread, out, options);
}

int weft_timer_cancel(weft_timer *timer)
{
    int r = weft_handle_check(timer, &weft_thread_kind, "cancel a timer");
    if (r < 0)
        return r;
    if (timer->timed == NULL)
        return weft_error(-EINVAL, "cancel a timer: '%s' is a thread",
                          weft_handle_name_of(&timer->job.handle));
    uint32_t state = WAITS;
    if (weft_handle_done(&timer->job.handle) ||
        !atomic_compare_exchange_strong(&timer->countdown, &state, CANCELLED))
        return 0;
    (void)weft_job_cancel(&timer->job.handle);
    return 1;
}
