/* SPDX-License-Identifier: MIT */
/*
 * weft_run: a loop from its first task to its last.
 *
 * The loop's thread alone touches its list of tasks. Other threads start tasks and calls through
 * the runner's inbox; the lock only decides between such an arrival and the end of the loop, so
 * that what was accepted always runs.
 */
#include "asyncio/loop.h"

#include "asyncio/call.h"
#include "asyncio/task.h"
#include "core/interrupt.h"
#include "core/memory.h"
#include "platform/firstthread.h"

static void finalize(weft_handle *handle)
{
    weft_dealloc(((weft_loop *)handle)->interrupt_message);
    weft_handle_clear(handle);
    weft_dealloc(handle);
}

static _Atomic uint32_t numbers;
const weft_kind weft_loop_kind = {
    .name = "loop", .prefix = "Loop", .numbers = &numbers, .finalize = finalize};

static void admit_calls(weft_runner *runner)
{
    weft_loop_admit_calls(runner->owner);
}

/* seq_cst: after the runner has said that it sleeps; a post after this look finds it asleep */
static bool is_posted(weft_runner *runner)
{
    const weft_loop *loop = runner->owner;
    return atomic_load(&loop->has_posted);
}

static void cancel_all(weft_loop *loop)
{
    for (weft_link *link = weft_list_first(&loop->tasks); link != NULL;
         link = weft_list_next(&loop->tasks, link))
        weft_job_cancel(&WEFT_CONTAINER(link, weft_task, link)->job.handle);
    weft_loop_cancel_calls(loop);
}

/* What is to end weft_run ends its first task; once that is done, the others get a further cancel.
 * Whether the first one was asked. */
static bool cancel_first(weft_loop *loop)
{
    if (loop->first != NULL && weft_job_cancel(&loop->first->job.handle) == 1)
        return true;
    cancel_all(loop);
    return false;
}

static void cancelled(weft_runner *runner)
{
    cancel_first(runner->owner);
}

/* Their address also tells loops from other runners. */
static const weft_runner_hooks loop_hooks = {
    .supply = admit_calls, .pending = is_posted, .cancelled = cancelled};

weft_loop *weft_loop_running(void)
{
    weft_runner *runner = weft_runner_self();
    return runner != NULL && runner->hooks == &loop_hooks ? runner->owner : NULL;
}

weft_loop *weft_loop_current(void)
{
    weft_loop *loop = weft_loop_running();
    if (loop == NULL)
        weft_error(WEFT_EINVALID_STATE, "current loop: none runs in this thread");
    return loop;
}

int weft_loop_enter(weft_loop *loop, const char *what, bool *foreign)
{
    *foreign = weft_runner_self() != loop->runner;
    bool closed;
    if (*foreign) {
        weft_ilock_acquire(&loop->lock);
        closed = loop->closed;
        loop->arriving += !closed;
        weft_ilock_release(&loop->lock);
    } else {
        closed = loop->closed;
    }
    return closed ? weft_error(WEFT_ESHUTDOWN, "%s: the loop is at its end", what) : 0;
}

void weft_loop_arrived(weft_loop *loop, bool foreign)
{
    if (!foreign)
        return;
    weft_ilock_acquire(&loop->lock);
    loop->arriving--;
    weft_ilock_release(&loop->lock);
}

void weft_loop_not_arrived(weft_loop *loop, bool foreign)
{
    if (!foreign)
        return;
    /* the loop may sleep until this arrival; under the lock it cannot close and be gone */
    weft_ilock_acquire(&loop->lock);
    loop->arriving--;
    weft_runner_wake(loop->runner);
    weft_ilock_release(&loop->lock);
}

/* A signal handler's code ends the loop: its first task is cancelled, and the code is what weft_run
 * returns if that ends the task. Once the first task is done, the others get a further cancel. Runs
 * in the handler's coroutine. */
static void end_loop(weft_runner *runner, int code)
{
    weft_loop *loop = runner->owner;
    if (runner->hooks != &loop_hooks)
        return;
    if (!cancel_first(loop))
        return;
    weft_dealloc(loop->interrupt_message);
    const char *message = weft_error_message_of(code);
    loop->interrupt = code;
    loop->interrupt_message = message != NULL ? weft_strdup(message) : NULL;
}

/* Nothing runs, nothing is to run, and nothing can come any more. */
static bool close_if_empty(weft_loop *loop)
{
    weft_runner *runner = loop->runner;
    if (runner->live > 0 || runner->ready != NULL)
        return false;
    weft_ilock_acquire(&loop->lock);
    bool empty = loop->arriving == 0 && loop->posted == NULL;
    if (empty)
        loop->closed = true;
    weft_ilock_release(&loop->lock);
    return empty;
}

static int run_until_done(weft_loop *loop, weft_handle *handle)
{
    int r = 0;
    while (r == 0 && !weft_handle_done(handle))
        r = weft_runner_turn(loop->runner, WEFT_INSTANT_NEVER);
    return r;
}

static void run_down(weft_loop *loop)
{
    loop->ending = true;
    weft_loop_drop_calls(loop);
    cancel_all(loop);
    /* the poller's failure, if it was that, has been reported; tasks still get their cancel */
    while (!close_if_empty(loop))
        weft_runner_turn(loop->runner, WEFT_INSTANT_NEVER);
}

static int open_loop(weft_loop **opened, const weft_loop_options *options)
{
    weft_loop *loop = weft_calloc(1, sizeof *loop);
    if (loop == NULL)
        return weft_error(-ENOMEM, "run: no memory");
    weft_handle_init(&loop->handle, &weft_loop_kind);
    loop->stack_size = options != NULL ? options->stack_size : 0;
    int r = 0;
    if (options != NULL && options->name != NULL)
        r = weft_handle_rename(&loop->handle, options->name);
    weft_interrupt.end_loop = end_loop;
    if (weft_first_thread() != 0)
        weft_interrupt_claim_main(); /* a failure only means that no handler can run here */
    weft_runner *runner = NULL;
    if (r == 0)
        r = weft_runner_open(&runner, &loop_hooks, loop);
    loop->runner = runner;
    if (r < 0)
        weft_handle_drop(&loop->handle);
    else
        *opened = loop;
    return r;
}

static void close_loop(weft_loop *loop)
{
    weft_loop_drop_signals(loop);
    weft_runner_close(loop->runner);
    loop->runner = NULL;
    weft_handle_complete(&loop->handle);
    weft_handle_drop(&loop->handle);
}

/* The outcome of the first task becomes this call's; where it is the cancel that a signal handler
 * has caused, the handler's code does. */
static int take_result(const weft_loop *loop)
{
    const weft_job *job = &loop->first->job;
    int code = job->code;
    if (code >= 0)
        return code;
    if (code != -ECANCELED || loop->interrupt == 0)
        return weft_error(code, "%s", weft_job_message(job));
    const char *message = loop->interrupt_message;
    return weft_error(loop->interrupt, "%s",
                      message != NULL ? message : weft_strerror(loop->interrupt));
}

int weft_run(weft_fn *fn, const void *arg, size_t arg_size, const weft_loop_options *options)
{
    if (weft_runner_self() != NULL)
        return weft_error(WEFT_EINVALID_STATE, "run: a loop runs in this thread already");
    weft_loop *loop = NULL;
    int r = open_loop(&loop, options);
    if (r < 0)
        return r;
    r = weft_task_start_on(loop, &loop->first, fn, arg, arg_size, NULL);
    if (r == 0) {
        weft_task *first = loop->first;
        r = run_until_done(loop, &first->job.handle);
        run_down(loop);
        r = r < 0 ? weft_error(r, "run: %s", weft_strerror(r)) : take_result(loop);
        loop->first = NULL;
        weft_handle_drop(&first->job.handle);
    }
    close_loop(loop);
    return r;
}
