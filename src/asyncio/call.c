/* SPDX-License-Identifier: MIT */
/*
 * Callbacks of a loop, now or later. Each runs in a coroutine, so that it may wait; the coroutine
 * is taken when its time has come, so a million pending timers cost a million records and no stack.
 *
 * A call is in one of three places: on its way to the loop's thread (from another one), in the
 * runner's timers, or in a coroutine. One reference belongs to that place.
 */
#include "asyncio/loop.h"

#include <math.h>

#include "asyncio/call.h"
#include "core/clock.h"
#include "core/memory.h"
#include "core/timer.h"

struct weft_call {
    weft_job job; /* first */
    weft_loop *loop;
    weft_deadline_timer timer;
    weft_instant due; /* WEFT_INSTANT_NOW: soon */
    bool foreign;
    _Alignas(16) char arg[];
};

static void finalize(weft_handle *handle)
{
    weft_call *call = (weft_call *)handle;
    weft_loop *loop = call->loop;
    weft_job_clear(&call->job);
    weft_dealloc(call);
    weft_handle_drop(&loop->handle);
}

static weft_job *job_of(weft_handle *handle)
{
    return &((weft_call *)handle)->job;
}

/* On the loop's thread a timer is taken out at once; from elsewhere the call is marked and dropped
 * when it is due. */
static int cancel(weft_handle *handle)
{
    weft_call *call = (weft_call *)handle;
    int r = weft_job_cancel(handle);
    if (r == 1 && weft_runner_self() == call->loop->runner && call->timer.item.index > 0) {
        weft_heap_remove(&call->loop->runner->timers, &call->timer.item);
        weft_job_run(&call->job); /* it has been cancelled: only completes */
        weft_handle_drop(handle);
    }
    return r;
}

static _Atomic uint32_t numbers;
static const weft_kind call_kind = {.name = "call",
                                    .prefix = "Call",
                                    .numbers = &numbers,
                                    .finalize = finalize,
                                    .job = job_of,
                                    .cancel = cancel};

static weft_call **call_of(weft_coroutine *coroutine)
{
    return weft_coroutine_extra(coroutine);
}

static void fire(weft_deadline_timer *timer, weft_runner *runner);

static void call_entry(weft_coroutine *coroutine)
{
    weft_call *call = *call_of(coroutine);
    weft_loop_arrived(call->loop, call->foreign);
    call->foreign = false;
    if (call->loop->ending)
        weft_job_cancel(&call->job.handle);
    if (call->due > weft_instant_now() && !call->loop->ending) {
        /* from another thread: now it is on the loop's, and can go into the timers */
        if (weft_heap_insert(&call->loop->runner->timers, &call->timer.item, call->due) == 0)
            return;
        weft_job_set_outcome(&call->job, -ENOMEM, NULL, NULL, 0);
        weft_job_complete(&call->job);
    } else {
        weft_job_run(&call->job);
    }
    weft_handle_drop(&call->job.handle);
}

static int start(weft_call *call)
{
    weft_coroutine *coroutine = weft_coroutine_new(call->loop->runner, call->loop->stack_size);
    if (coroutine == NULL)
        return -ENOMEM;
    *call_of(coroutine) = call;
    int r = weft_coroutine_start(coroutine, call_entry, weft_coroutine_free);
    if (r < 0)
        weft_coroutine_free(coroutine);
    return r;
}

static void fire(weft_deadline_timer *timer, weft_runner *runner)
{
    (void)runner;
    weft_call *call = WEFT_CONTAINER(timer, weft_call, timer);
    call->due = WEFT_INSTANT_NOW;
    int r = start(call);
    if (r < 0) {
        weft_job_set_outcome(&call->job, r, NULL, NULL, 0);
        weft_job_complete(&call->job);
        weft_handle_drop(&call->job.handle);
    }
}

static int make_call(weft_loop *loop, weft_fn *fn, const void *arg, size_t arg_size,
                     weft_call **made)
{
    if (arg_size > SIZE_MAX - sizeof(weft_call))
        return weft_error(-ENOMEM, "call: %zu argument bytes", arg_size);
    weft_call *call = weft_alloc(sizeof *call + arg_size);
    if (call == NULL)
        return weft_error(-ENOMEM, "call: no memory");
    int r = weft_job_init(&call->job, &call_kind, fn, arg, arg_size, call->arg, arg_size);
    if (r < 0) {
        weft_dealloc(call);
        return r;
    }
    call->loop = loop;
    call->timer = (weft_deadline_timer){.fire = fire};
    weft_handle_hold(&loop->handle);
    *made = call;
    return 0;
}

/* The loop's own thread puts a timer into the heap itself; whatever is due now, or comes from
 * elsewhere, goes in a coroutine, and so does what a loop at its end is to drop. */
static int submit(weft_call *call)
{
    if (!call->foreign && call->due != WEFT_INSTANT_NOW && !call->loop->ending)
        return weft_heap_insert(&call->loop->runner->timers, &call->timer.item, call->due);
    return start(call);
}

static int add_call(weft_loop *loop, weft_call **call, weft_instant due, weft_fn *fn,
                    const void *arg, size_t arg_size)
{
    if (call != NULL)
        *call = NULL;
    weft_call *made = NULL;
    int r = weft_handle_check(loop, &weft_loop_kind, "call");
    if (r == 0)
        r = make_call(loop, fn, arg, arg_size, &made);
    if (r < 0)
        return r;
    made->due = due;
    bool foreign;
    r = weft_loop_enter(loop, "call", &foreign);
    made->foreign = foreign;
    if (r == 0) {
        weft_handle_hold(&made->job.handle); /* the caller's; the first is the place's */
        r = submit(made);
        if (r < 0) {
            weft_loop_not_arrived(loop, foreign);
            weft_handle_drop(&made->job.handle);
        }
    }
    if (r == 0 && call != NULL)
        *call = made;
    else
        weft_handle_drop(&made->job.handle);
    return r < 0 ? weft_error(r, "call: %s", weft_strerror(r)) : 0;
}

int weft_loop_call_soon(weft_loop *loop, weft_call **call, weft_fn *fn, const void *arg,
                        size_t arg_size)
{
    return add_call(loop, call, WEFT_INSTANT_NOW, fn, arg, arg_size);
}

int weft_loop_call_soon_threadsafe(weft_loop *loop, weft_call **call, weft_fn *fn, const void *arg,
                                   size_t arg_size)
{
    return add_call(loop, call, WEFT_INSTANT_NOW, fn, arg, arg_size);
}

int weft_loop_call_later(weft_loop *loop, weft_call **call, double delay, weft_fn *fn,
                         const void *arg, size_t arg_size)
{
    weft_instant due;
    if (call != NULL)
        *call = NULL;
    if (!(delay >= 0))
        return weft_error(-EINVAL, "call later: the delay is %g", delay);
    int r = weft_deadline(delay, &due);
    return r < 0 ? r : add_call(loop, call, due, fn, arg, arg_size);
}

void weft_loop_drop_calls(weft_loop *loop)
{
    weft_heap *timers = &loop->runner->timers;
    for (size_t i = timers->count; i-- > 0;) {
        weft_deadline_timer *timer = (weft_deadline_timer *)timers->entries[i].item;
        if (timer->fire != fire)
            continue;
        weft_call *call = WEFT_CONTAINER(timer, weft_call, timer);
        weft_heap_remove(timers, &timer->item);
        weft_job_cancel(&call->job.handle);
        weft_job_run(&call->job); /* only completes */
        weft_handle_drop(&call->job.handle);
        i = timers->count; /* the removal has moved others */
    }
}
