/* SPDX-License-Identifier: MIT */
/*
 * Who runs here, who else runs, and what is known of each.
 *
 * A thread that weft did not start gets a record when somebody asks who it is; its context owns it.
 * The main thread's may be asked for by others before it has used weft itself: then the list owns
 * the record until the main thread comes and adopts it.
 */
#include "threading/thread.h"

#include <limits.h>
#include <sched.h>

#include "core/interrupt.h"
#include "core/runner.h"
#include "platform/firstthread.h"

weft_context *weft_thread_context(void)
{
    weft_context *self = weft_context_self();
    return self != NULL && self->runner != NULL ? self->runner->thread : self;
}

/* ---- Threads that weft did not start -----------------------------------------------------------
 */

static int no_function(void *arg)
{
    (void)arg;
    return 0;
}

/* The calling thread, which weft did not start, is the main one. */
static bool is_main(void)
{
    int first = weft_first_thread();
    if (weft_interrupt_is_main())
        first = 1;
    if (first == 0)
        return false;
    bool known = atomic_exchange(&weft_threads.main_known, true);
    return first > 0 || !known;
}

static weft_thread *new_foreign(bool main, int64_t native_id)
{
    int r;
    weft_thread *thread = weft_thread_new(no_function, WEFT_NONE, &r);
    if (thread == NULL)
        return NULL;
    thread->foreign = true;
    thread->native_id = native_id;
    atomic_store(&thread->exit, WEFT_THREAD_STARTED);
    /* A thread of somebody else's is not waited for at the end. */
    thread->daemon = !main;
    if (main && weft_handle_rename(&thread->job.handle, "MainThread") < 0) {
        weft_handle_drop(&thread->job.handle);
        return NULL;
    }
    return thread;
}

/* The record of the calling thread, which weft did not start. */
static weft_thread *adopt(weft_context *context)
{
    bool main = is_main();
    weft_thread *thread = new_foreign(main, weft_native_thread_id());
    if (thread == NULL && main) /* so that it is main when it asks again */
        atomic_store(&weft_threads.main_known, false);
    if (thread == NULL)
        return NULL;
    if (main)
        thread = weft_thread_list_add_main(thread, true);
    else
        weft_thread_list_add(thread);
    weft_handle *handle = &thread->job.handle;
    weft_ilock_acquire(&handle->lock);
    thread->pthread = pthread_self();
    thread->job.context = context; /* so that it can be cancelled, and signalled */
    if (thread->job.cancelled)
        weft_context_cancel(context);
    weft_ilock_release(&handle->lock);
    return thread;
}

void weft_thread_end_foreign(weft_context *context)
{
    weft_thread *thread = context->thread;
    context->thread = NULL;
    if (thread == NULL || !thread->foreign)
        return;
    weft_handle *handle = &thread->job.handle;
    if (handle->fork_generation == weft_fork_generation) {
        weft_ilock_acquire(&weft_threads.lock);
        if (weft_threads.main == thread) {
            weft_threads.main = NULL;
            atomic_store(&weft_threads.main_known, false);
        }
        weft_ilock_release(&weft_threads.lock);
        weft_ilock_acquire(&handle->lock);
        thread->job.context = NULL;
        weft_ilock_release(&handle->lock);
        weft_job_complete(&thread->job);
    }
    weft_handle_drop(handle);
}

void weft_thread_forget_main(void)
{
    weft_ilock_acquire(&weft_threads.lock);
    weft_thread *thread = weft_threads.main_adopted ? NULL : weft_threads.main;
    if (thread != NULL)
        weft_threads.main = NULL;
    weft_ilock_release(&weft_threads.lock);
    if (thread == NULL)
        return;
    weft_job_complete(&thread->job);
    weft_handle_drop(&thread->job.handle);
}

/* ---- Who there is ------------------------------------------------------------------------------
 */

weft_thread *weft_thread_current(void)
{
    weft_context *self = weft_thread_context();
    if (self == NULL) {
        weft_error(-ENOMEM, "current thread: no memory");
        return NULL;
    }
    weft_thread *thread = self->thread;
    if (thread == NULL || thread->job.handle.fork_generation != weft_fork_generation) {
        weft_thread *made = adopt(self);
        if (made == NULL)
            return NULL;
        if (thread != NULL && thread->foreign)
            weft_handle_drop(&thread->job.handle);
        self->thread = thread = made;
    }
    return thread;
}

weft_thread *weft_thread_main(void)
{
    /* where the system does not tell, this may be the first that asks, and main with that */
    if (weft_thread_current() == NULL)
        return NULL;
    weft_ilock_acquire(&weft_threads.lock);
    weft_thread *thread = weft_threads.main;
    weft_ilock_release(&weft_threads.lock);
    if (thread != NULL)
        return thread;
    thread = new_foreign(true, weft_native_main_id());
    return thread != NULL ? weft_thread_list_add_main(thread, false) : NULL;
}

int weft_thread_enumerate(weft_thread **out, size_t room)
{
    if (out == NULL && room > 0)
        return weft_error(-EINVAL, "enumerate threads: NULL");
    if (weft_thread_main() == NULL)
        return -ENOMEM;
    size_t count = 0;
    weft_ilock_acquire(&weft_threads.lock);
    for (weft_link *link = weft_list_first(&weft_threads.all); link != NULL;
         link = weft_list_next(&weft_threads.all, link)) {
        weft_thread *thread = WEFT_CONTAINER(link, weft_thread, link);
        if (weft_handle_done(&thread->job.handle) ||
            (count < room && !weft_thread_try_hold(thread)))
            continue;
        if (count < room)
            out[count] = thread;
        count++;
    }
    weft_ilock_release(&weft_threads.lock);
    return count < INT_MAX ? (int)count : INT_MAX;
}

int weft_thread_active_count(void)
{
    return weft_thread_enumerate(NULL, 0);
}

/* ---- What is known of one ----------------------------------------------------------------------
 */

bool weft_thread_is_alive(weft_thread *thread)
{
    return weft_handle_check(thread, &weft_thread_kind, "is_alive") == 0 &&
           !weft_handle_done(&thread->job.handle);
}

bool weft_thread_daemon(weft_thread *thread)
{
    return weft_handle_check(thread, &weft_thread_kind, "daemon") == 0 && thread->daemon;
}

uint64_t weft_thread_ident(weft_thread *thread)
{
    return weft_handle_check(thread, &weft_thread_kind, "ident") == 0 ? thread->ident : 0;
}

int64_t weft_thread_native_id(weft_thread *thread)
{
    if (weft_handle_check(thread, &weft_thread_kind, "native_id") < 0)
        return 0;
    /* acquire: the id was written before; the thread is about to run */
    while (atomic_load_explicit(&thread->exit, memory_order_acquire) == WEFT_THREAD_CREATED)
        (void)sched_yield();
    return thread->native_id;
}
