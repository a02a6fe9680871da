/* SPDX-License-Identifier: MIT */
/*
 * Tasks: one page each. The record, with the handle, the outcome and small arguments, lies in the
 * control block at the top of the coroutine's stack; so the stack can be used again only when the
 * coroutine has ended and the last reference is gone. The coroutine holds one reference, given up
 * after it has left its stack for good (task_ended), which is why no release by another thread can
 * free the stack under it.
 */
#include "asyncio/task.h"

enum { ALIGNMENT = 16 };

static void finalize(weft_handle *handle)
{
    weft_task *task = (weft_task *)handle;
    weft_coroutine *coroutine = task->coroutine;
    weft_job_clear(&task->job);
    weft_coroutine_free(coroutine);
}

static weft_job *job_of(weft_handle *handle)
{
    return &((weft_task *)handle)->job;
}

static _Atomic uint32_t numbers;
const weft_kind weft_task_kind = {.name = "task",
                                  .prefix = "Task",
                                  .numbers = &numbers,
                                  .runs = true,
                                  .counted = true,
                                  .finalize = finalize,
                                  .job = job_of,
                                  .cancel = weft_job_cancel};

static void task_entry(weft_coroutine *coroutine)
{
    weft_task *task = weft_coroutine_extra(coroutine);
    weft_loop *loop = task->loop;
    weft_loop_arrived(loop, task->foreign);
    if (loop->ending)
        weft_job_cancel(&task->job.handle);
    weft_list_append(&loop->tasks, &task->link);
    if (task->at_end == NULL) {
        weft_job_run(&task->job);
    } else {
        weft_job_call(&task->job);
        task->at_end(task->job.arg);
        weft_job_complete(&task->job);
    }
    weft_list_remove(&task->link); /* the coroutine's own reference keeps it */
}

static void task_ended(weft_coroutine *coroutine)
{
    weft_task *task = weft_coroutine_extra(coroutine);
    weft_handle_drop(&task->job.handle);
}

static weft_task *make_task(weft_loop *loop, weft_fn *fn, const void *arg, size_t arg_size,
                            size_t stack_size, int *error)
{
    weft_coroutine *coroutine = weft_coroutine_new(loop->runner, stack_size);
    if (coroutine == NULL) {
        *error = -ENOMEM;
        return NULL;
    }
    weft_task *task = weft_coroutine_extra(coroutine);
    size_t used = (sizeof *task + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    *error = weft_job_init(&task->job, &weft_task_kind, fn, arg, arg_size, (char *)task + used,
                           weft_coroutine_room() - used);
    if (*error < 0) {
        weft_coroutine_free(coroutine);
        return NULL;
    }
    weft_job_assign(&task->job, &coroutine->context);
    task->coroutine = coroutine;
    task->loop = loop;
    task->at_end = NULL;
    task->link = (weft_link){0};
    return task;
}

int weft_task_start_on(weft_loop *loop, weft_task **task, weft_fn *fn, const void *arg,
                       size_t arg_size, const weft_task_options *options)
{
    size_t stack_size =
        options != NULL && options->stack_size > 0 ? options->stack_size : loop->stack_size;
    int r;
    weft_task *made = make_task(loop, fn, arg, arg_size, stack_size, &r);
    if (made == NULL)
        return r;
    if (options != NULL && options->name != NULL)
        r = weft_handle_rename(&made->job.handle, options->name);
    if (r == 0)
        r = weft_loop_enter(loop, "start a task", &made->foreign);
    if (r < 0) {
        weft_handle_drop(&made->job.handle);
        return r;
    }
    if (task != NULL)
        weft_handle_hold_new(&made->job.handle);
    bool foreign = made->foreign;
    r = weft_coroutine_start(made->coroutine, task_entry, task_ended);
    if (r < 0) {
        weft_loop_not_arrived(loop, foreign);
        weft_handle_drop(&made->job.handle);
        if (task != NULL)
            weft_handle_drop(&made->job.handle);
        return r;
    }
    if (task != NULL)
        *task = made;
    return 0;
}

int weft_task_start(weft_task **task, weft_fn *fn, const void *arg, size_t arg_size,
                    const weft_task_options *options)
{
    if (task != NULL)
        *task = NULL;
    weft_loop *loop =
        options != NULL && options->loop != NULL ? options->loop : weft_loop_running();
    if (loop == NULL)
        return weft_error(WEFT_EINVALID_STATE, "start a task: no loop runs in this thread");
    int r = weft_handle_check(loop, &weft_loop_kind, "start a task");
    return r < 0 ? r : weft_task_start_on(loop, task, fn, arg, arg_size, options);
}

weft_task *weft_task_current(void)
{
    weft_context *self = weft_context_current;
    weft_handle *who = self != NULL ? self->who : NULL;
    if (who == NULL || who->kind != &weft_task_kind) {
        weft_error(WEFT_EINVALID_STATE, "current task: no task runs here");
        return NULL;
    }
    return (weft_task *)who;
}
