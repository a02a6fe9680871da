/* SPDX-License-Identifier: MIT */
/*
 * Running a weft_fn: argument in, number or failure with its message and result bytes out.
 *
 * The job's context is set and cleared under the handle's lock, and a cancel reaches the context
 * under the same lock, so that a cancel never hits the next job of the same context.
 */
#include "core/job.h"

#include "core/context.h"
#include "core/memory.h"
#include "core/runner.h"
#include "core/scope.h"
#include "platform/firstthread.h"

static const char no_memory[] = "no memory for the message";

int weft_job_init(weft_job *job, const weft_kind *kind, weft_fn *fn, const void *arg,
                  size_t arg_size, void *inside, size_t inside_size)
{
    if (fn == NULL)
        return weft_error(-EINVAL, "start a %s: the function is NULL", kind->name);
    if (arg == NULL && arg_size > 0)
        return weft_error(-EINVAL, "start a %s: %zu argument bytes at NULL", kind->name, arg_size);
    void *copy = (void *)(uintptr_t)arg;
    bool owned = false;
    if (arg_size > 0) {
        owned = arg_size > inside_size;
        copy = owned ? weft_alloc(arg_size) : inside;
        if (copy == NULL)
            return weft_error(-ENOMEM, "start a %s: no memory for %zu argument bytes", kind->name,
                              arg_size);
        memcpy(copy, arg, arg_size);
    }
    weft_handle_init(&job->handle, kind);
    job->fn = fn;
    job->arg = copy;
    job->arg_size = arg_size;
    job->arg_owned = owned;
    job->cancelled = false;
    atomic_store_explicit(&job->runs, false, memory_order_relaxed);
    job->context = NULL;
    job->code = 0;
    job->result = (weft_bytes){0};
    job->result_room = 0;
    job->message = NULL;
    return 0;
}

/* The job begins in this context; false: it was cancelled before. */
static bool begin(weft_job *job, weft_context *self)
{
    /* assigned before anybody knew it: cancels have reached the context, whose owner this is */
    if (job->context == self)
        return (atomic_load_explicit(&self->cancel, memory_order_relaxed) & WEFT_CANCEL_ASKED) == 0;
    weft_ilock_acquire(&job->handle.lock);
    bool cancelled = job->cancelled;
    if (!cancelled)
        job->context = self;
    weft_ilock_release(&job->handle.lock);
    return !cancelled;
}

/* Takes the lock, and keeps it. */
static void end(weft_job *job, weft_context *self)
{
    weft_ilock_acquire(&job->handle.lock);
    /* relaxed: cancels of this job come under the lock, and none can come any more. One that was
     * cancelled before it began runs in no context, and `self` may have a cancel of its own. */
    if (job->context == self && self != NULL)
        atomic_store_explicit(&self->cancel, 0, memory_order_relaxed);
    job->context = NULL;
}

static void keep_message(weft_job *job, const char *message)
{
    weft_dealloc(job->message);
    job->message = weft_strdup(message);
}

/* The context ends with the job: a coroutine's, or the thread's that was started for it. */
static bool is_last(const weft_job *job, const weft_context *self, const weft_job *outer)
{
    return outer == NULL && (self->coroutine || (const void *)self->thread == (const void *)job);
}

/* Runs fn, and takes the lock: cancels reach the context no more. */
static void call(weft_job *job)
{
    weft_context *self = weft_context_self();
    if (self == NULL || !begin(job, self)) {
        job->code = self == NULL ? -ENOMEM : -ECANCELED;
        end(job, self);
        return;
    }
    atomic_store_explicit(&job->runs, true, memory_order_relaxed);
    weft_job *outer = self->job;
    weft_handle *outer_who = self->who;
    self->job = job;
    if (job->handle.kind->runs)
        self->who = &job->handle;
    self->failure.code = 0;
    uint32_t scopes = self->scopes.count;
    int code = job->fn(job->arg);
    weft_scope_pop(self, scopes);
    job->code = code;
    if (code < 0) {
        const char *message = weft_error_message_of(code);
        keep_message(job, message != NULL ? message : weft_strerror(code));
    }
    if (is_last(job, self, outer)) {
        weft_context_end_locals(self);
        self->id = 0; /* another job may follow, which is somebody else */
    }
    self->job = outer;
    self->who = outer_who;
    end(job, self);
}

void weft_job_call(weft_job *job)
{
    call(job);
    weft_ilock_release(&job->handle.lock);
}

void weft_job_complete(weft_job *job)
{
    weft_handle_complete(&job->handle);
}

void weft_job_run(weft_job *job)
{
    call(job);
    weft_handle_complete_locked(&job->handle);
}

static int set_result(weft_job *job, size_t at, const void *data, size_t size)
{
    if (size > SIZE_MAX / 2 - at)
        return -ENOMEM;
    if (at + size + 1 > job->result_room || job->result.data == NULL) {
        size_t room = at > 0 ? 2 * (at + size) + 1 : size + 1; /* appending grows by doubling */
        void *grown = weft_realloc(job->result.data, room);
        if (grown == NULL)
            return -ENOMEM;
        job->result.data = grown;
        job->result_room = room;
    }
    if (size > 0)
        memcpy((char *)job->result.data + at, data, size);
    job->result.size = at + size;
    ((char *)job->result.data)[at + size] = '\0';
    return 0;
}

void weft_job_set_outcome(weft_job *job, int code, const char *message, const void *data,
                          size_t size)
{
    job->code = code;
    if (code < 0)
        keep_message(job, message != NULL ? message : weft_strerror(code));
    else if (data != NULL && set_result(job, 0, data, size) < 0)
        job->code = -ENOMEM;
}

const char *weft_job_message(const weft_job *job)
{
    if (job->message != NULL)
        return job->message;
    return job->code == -ECANCELED ? "cancelled" : no_memory;
}

void weft_job_clear(weft_job *job)
{
    if (job->arg_owned)
        weft_dealloc(job->arg);
    if (job->result.data != NULL)
        weft_dealloc(job->result.data);
    if (job->message != NULL)
        weft_dealloc(job->message);
    weft_handle_clear(&job->handle);
}

int weft_job_cancel(weft_handle *handle)
{
    weft_job *job = (weft_job *)handle;
    weft_ilock_acquire(&handle->lock);
    bool done = atomic_load_explicit(&handle->done, memory_order_relaxed) != 0;
    if (!done && job->context != NULL)
        weft_context_cancel(job->context);
    else if (!done)
        job->cancelled = true;
    weft_ilock_release(&handle->lock);
    return done ? 0 : 1;
}

/* ---- what a running function asks -------------------------------------------------------------
 */

static weft_job *running(void)
{
    weft_context *self = weft_context_current;
    return self != NULL ? self->job : NULL;
}

static int add_result(weft_job *job, size_t at, const void *data, size_t size)
{
    if (data == NULL && size > 0)
        return weft_error(-EINVAL, "return: %zu bytes at NULL", size);
    int r = set_result(job, at, data, size);
    return r < 0 ? weft_error(r, "return: no memory for %zu bytes", at + size) : 0;
}

int weft_return(const void *data, size_t size)
{
    weft_job *job = running();
    return job != NULL ? add_result(job, 0, data, size) : 0;
}

int weft_return_append(const void *data, size_t size)
{
    weft_job *job = running();
    if (job == NULL)
        return 0;
    return add_result(job, job->result.data != NULL ? job->result.size : 0, data, size);
}

size_t weft_arg_size(void)
{
    weft_job *job = running();
    return job != NULL ? job->arg_size : 0;
}

const char *weft_current_name(void)
{
    weft_context *self = weft_context_self();
    weft_handle *who = self != NULL ? self->who : NULL;
    if (who == NULL && self != NULL && self->runner != NULL)
        who = self->runner->thread->who; /* a job of a pool: its worker's */
    if (who != NULL)
        return weft_handle_name_of(who);
    return weft_first_thread() != 0 ? "MainThread" : "Thread";
}

bool weft_cancelled(void)
{
    weft_context *self = weft_context_current;
    return self != NULL &&
           (atomic_load_explicit(&self->cancel, memory_order_relaxed) & WEFT_CANCEL_ASKED) != 0;
}
