/* SPDX-License-Identifier: MIT */
/*
 * Callbacks of a loop, now or later. Each may wait, so they run in coroutines; but most do not
 * wait, so one coroutine (a dispatch) runs many, one after the other, and a million timers that are
 * due at once need one stack. A call that does wait keeps the coroutine, and those behind it go to
 * another (supply).
 *
 * Order: a dispatch stands in the ready queue like any coroutine; a call may join it only while it
 * is the last there, so calls and tasks run in the order in which they became ready.
 *
 * A call is in one place: posted by another thread (guarded by the loop's lock), in the runner's
 * timers, or in a dispatch (both the loop's thread alone). One reference belongs to that place.
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
    weft_call *next; /* in a dispatch, or among the posted */
    weft_deadline_timer timer;
    weft_instant due; /* WEFT_INSTANT_NOW: soon */
    _Alignas(16) char arg[];
};

/* In the control block of its coroutine. */
typedef struct weft_dispatch {
    weft_link link; /* in the loop's dispatches or those that wait; first */
    weft_loop *loop;
    weft_coroutine *coroutine;
    weft_call *first, *last; /* still to be run */
    weft_call *current;      /* runs, or waits; NULL: none */
} weft_dispatch;

static void end_call(weft_call *call, int code);

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
        end_call(call, 0); /* it has been cancelled: only completes */
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

/* Ends a call that will not run: it was cancelled, or there is no memory for it. */
static void end_call(weft_call *call, int code)
{
    if (code < 0)
        weft_job_set_outcome(&call->job, code, NULL, NULL, 0);
    else
        weft_job_call(&call->job);
    weft_job_complete(&call->job);
    weft_handle_drop(&call->job.handle);
}

static void dispatch_entry(weft_coroutine *coroutine)
{
    weft_dispatch *dispatch = weft_coroutine_extra(coroutine);
    weft_loop *loop = dispatch->loop;
    if (loop->open == dispatch)
        loop->open = NULL;
    weft_call *call;
    while ((call = dispatch->first) != NULL) {
        dispatch->first = call->next;
        if (loop->ending)
            weft_job_cancel(&call->job.handle);
        dispatch->current = call;
        end_call(call, 0);
        dispatch->current = NULL;
    }
    weft_list_remove(&dispatch->link);
}

/* A dispatch at the end of the ready queue, empty yet. NULL: no memory. */
static weft_dispatch *start_dispatch(weft_loop *loop)
{
    weft_coroutine *coroutine = weft_coroutine_new(loop->runner, loop->stack_size);
    if (coroutine == NULL)
        return NULL;
    weft_dispatch *dispatch = weft_coroutine_extra(coroutine);
    *dispatch = (weft_dispatch){.loop = loop, .coroutine = coroutine};
    if (weft_coroutine_start(coroutine, dispatch_entry, weft_coroutine_free) < 0) {
        weft_coroutine_free(coroutine);
        return NULL;
    }
    weft_list_append(&loop->dispatches, &dispatch->link);
    return dispatch;
}

static bool is_last_ready(const weft_dispatch *dispatch)
{
    const weft_runner *runner = dispatch->loop->runner;
    return runner->ready != NULL && runner->ready_last == &dispatch->coroutine->context;
}

/* The calls from `first` to `last` run after what is ready. Errors: -ENOMEM. */
static int enqueue(weft_loop *loop, weft_call *first, weft_call *last)
{
    weft_dispatch *dispatch = loop->open;
    if (dispatch == NULL || !is_last_ready(dispatch))
        dispatch = loop->open = start_dispatch(loop);
    if (dispatch == NULL)
        return -ENOMEM;
    last->next = NULL;
    if (dispatch->first == NULL)
        dispatch->first = first;
    else
        dispatch->last->next = first;
    dispatch->last = last;
    return 0;
}

static void fire(weft_deadline_timer *timer, weft_runner *runner)
{
    (void)runner;
    weft_call *call = WEFT_CONTAINER(timer, weft_call, timer);
    if (enqueue(call->loop, call, call) < 0)
        end_call(call, -ENOMEM);
}

/* On the loop's thread: to the timers, or to be run; a loop at its end drops it in its turn. */
static int admit(weft_call *call)
{
    if (call->due != WEFT_INSTANT_NOW && !call->loop->ending)
        return weft_heap_insert(&call->loop->runner->timers, &call->timer.item, call->due);
    return enqueue(call->loop, call, call);
}

static void admit_posted(weft_loop *loop)
{
    weft_ilock_acquire(&loop->lock);
    weft_call *call = loop->posted;
    loop->posted = NULL;
    /* relaxed: under the lock; whoever posts next sets it again */
    atomic_store_explicit(&loop->has_posted, false, memory_order_relaxed);
    weft_ilock_release(&loop->lock);
    while (call != NULL) {
        weft_call *next = call->next;
        if (admit(call) < 0)
            end_call(call, -ENOMEM);
        call = next;
    }
}

/* Each dispatch that waits in a call gives those behind it to another one. Then it is done with:
 * no call joins one that has begun. */
static void take_over(weft_loop *loop)
{
    weft_link *link = weft_list_first(&loop->dispatches);
    while (link != NULL) {
        weft_dispatch *dispatch = (weft_dispatch *)link;
        link = weft_list_next(&loop->dispatches, link);
        /* without memory for another one they wait until the call is over */
        if (dispatch->current == NULL ||
            (dispatch->first != NULL && enqueue(loop, dispatch->first, dispatch->last) < 0))
            continue;
        dispatch->first = NULL;
        weft_list_remove(&dispatch->link);
        weft_list_append(&loop->waiting, &dispatch->link);
    }
}

void weft_loop_admit_calls(weft_loop *loop)
{
    if (atomic_load_explicit(&loop->has_posted, memory_order_relaxed))
        admit_posted(loop);
    take_over(loop);
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

/* From another thread. Errors: WEFT_ESHUTDOWN. */
static int post(weft_loop *loop, weft_call *call)
{
    weft_ilock_acquire(&loop->lock);
    bool closed = loop->closed, first = loop->posted == NULL;
    weft_runner *runner = loop->runner; /* type-stable: it may be woken after the lock is left */
    if (!closed) {
        call->next = NULL;
        if (first)
            loop->posted = call;
        else
            loop->posted_last->next = call;
        loop->posted_last = call;
        /* seq_cst: before the look at the runner's sleep; see is_posted in loop.c */
        atomic_store(&loop->has_posted, true);
    }
    weft_ilock_release(&loop->lock);
    if (closed)
        return WEFT_ESHUTDOWN;
    if (first)
        weft_runner_wake(runner);
    return 0;
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
    weft_handle_hold(&made->job.handle); /* the place's; the first one is the caller's */
    if (weft_loop_running() != loop)
        r = post(loop, made);
    else
        r = loop->closed ? WEFT_ESHUTDOWN : admit(made);
    if (r < 0)
        weft_handle_drop(&made->job.handle);
    if (r == 0 && call != NULL)
        *call = made;
    else
        weft_handle_drop(&made->job.handle);
    return r < 0 ? weft_error(r, "call: %s",
                              r == WEFT_ESHUTDOWN ? "the loop is at its end" : weft_strerror(r))
                 : 0;
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

static void cancel_current(const weft_list *dispatches)
{
    for (weft_link *link = weft_list_first(dispatches); link != NULL;
         link = weft_list_next(dispatches, link)) {
        const weft_dispatch *dispatch = (weft_dispatch *)link;
        if (dispatch->current != NULL)
            weft_job_cancel(&dispatch->current->job.handle);
    }
}

void weft_loop_cancel_calls(weft_loop *loop)
{
    cancel_current(&loop->dispatches);
    cancel_current(&loop->waiting);
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
        end_call(call, 0);
        /* of those not looked at yet only a parent may have moved further back, and just to here */
        i += i < timers->count;
    }
}
