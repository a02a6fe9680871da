/* SPDX-License-Identifier: MIT */
/*
 * excepthook: where the failures of threads are told. The library prints nothing, so there is no
 * hook to begin with; a failure is the thread's result in any case.
 */
#include "threading/thread.h"

static struct {
    weft_ilock lock; /* guards the two; not held while the hook runs */
    weft_thread_excepthook_fn *hook;
    void *arg;
} excepthook;

static void before_fork(void)
{
    weft_ilock_acquire(&excepthook.lock);
}

static void after_fork(void)
{
    weft_ilock_release(&excepthook.lock);
}

static weft_fork_hooks fork_hooks = {
    .prepare = before_fork, .parent = after_fork, .child = after_fork};

void weft_thread_set_excepthook(weft_thread_excepthook_fn *hook, void *arg)
{
    weft_fork_register(&fork_hooks);
    weft_ilock_acquire(&excepthook.lock);
    excepthook.hook = hook;
    excepthook.arg = arg;
    weft_ilock_release(&excepthook.lock);
}

void weft_thread_report(weft_thread *thread)
{
    weft_fork_register(&fork_hooks);
    weft_ilock_acquire(&excepthook.lock);
    weft_thread_excepthook_fn *hook = excepthook.hook;
    void *arg = excepthook.arg;
    weft_ilock_release(&excepthook.lock);
    if (hook == NULL || thread->job.code == -ECANCELED)
        return;
    weft_context *self = weft_context_current;
    if (self != NULL)
        self->who = &thread->job.handle;
    hook(thread, thread->job.code, weft_job_message(&thread->job), arg);
    if (self != NULL)
        self->who = NULL;
}
