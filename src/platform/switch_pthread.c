/* SPDX-License-Identifier: MIT */
/*
 * switch, pthread: each stack is a pthread, and exactly one of those that a thread runs is awake.
 *
 * A switch gives the turn to the other's record, under that record's lock, and then waits for one's
 * own turn under one's own lock; a turn given before the wait is kept in `turn`, so none is lost,
 * and no two locks are ever held at once. What a stack did before its switch happens before what
 * the next does, by the lock of the next: the stacks of one thread need no other synchronisation,
 * as if they were one thread.
 *
 * A pthread is made by the first start and kept over ends: when the entry has returned, it gives
 * the turn away and waits for that of the next start. So after an end the record is still in use,
 * by its pthread, until weft_switch_destroy has joined it.
 *
 * Its signals are blocked: a signal for the process must not land in a thread that is a detail.
 * Those that report an error of the running code stay open, for the debugger and the host's crash
 * handler.
 */
#include "platform/switch.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static int prepare(weft_switch_impl *self)
{
    int r = pthread_mutex_init(&self->lock, NULL);
    if (r != 0)
        return -r;
    r = pthread_cond_init(&self->changed, NULL);
    if (r != 0) {
        pthread_mutex_destroy(&self->lock);
        return -r;
    }
    self->ready = true;
    return 0;
}

static void give_turn(weft_switch_impl *to)
{
    pthread_mutex_lock(&to->lock);
    to->turn = true;
    pthread_cond_signal(&to->changed); /* under the lock: after it `to` may be gone */
    pthread_mutex_unlock(&to->lock);
}

/* False: it is not to run any more, but to end. */
static bool await_turn(weft_switch_impl *self)
{
    pthread_mutex_lock(&self->lock);
    while (!self->turn && !self->quit)
        pthread_cond_wait(&self->changed, &self->lock);
    bool run = self->turn;
    self->turn = false;
    pthread_mutex_unlock(&self->lock);
    return run;
}

void weft_switch_impl_to(weft_switch_impl *from, weft_switch_impl *to)
{
    give_turn(to);
    (void)await_turn(from);
}

/* The stack whose pthread this is; NULL: a thread's own. */
static _Thread_local const weft_switch_impl *here;

static void *run_stack(void *arg)
{
    weft_switch_impl *self = arg;
    int ignored;
    here = self;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &ignored);
    while (await_turn(self))
        give_turn(&self->entry(self->arg)->impl);
    return NULL;
}

/* The size asked for is for frames; what the system puts on a thread's stack comes on top. */
static int set_sizes(pthread_attr_t *attr, size_t size)
{
    long least = sysconf(_SC_THREAD_STACK_MIN);
    long page = sysconf(_SC_PAGESIZE);
    size_t unit = page > 0 ? (size_t)page : 4096;
    size += least > 0 ? (size_t)least : 16384;
    size = (size + unit - 1) / unit * unit;
    int r = pthread_attr_setguardsize(attr, unit);
    if (r == 0)
        r = pthread_attr_setstacksize(attr, size + unit);
    return -r;
}

static void block_signals(sigset_t *before)
{
    static const int open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    sigset_t all;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        sigdelset(&all, open[i]);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

/* EINVAL (a size that the system does not like) is not told apart from a lack of room. */
static int make_thread(weft_switch_impl *self, size_t size)
{
    pthread_attr_t attr;
    int r = -pthread_attr_init(&attr);
    if (r < 0)
        return r;
    r = set_sizes(&attr, size);
    if (r == 0) {
        sigset_t before;
        block_signals(&before);
        self->mask = here != NULL ? here->mask : before;
        r = -pthread_create(&self->thread, &attr, run_stack, self);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    pthread_attr_destroy(&attr);
    return r == 0 || r == -EAGAIN ? r : -ENOMEM;
}

bool weft_switch_mask(const weft_switch *self, sigset_t *mask)
{
    if (self->impl.has_thread)
        *mask = self->impl.mask;
    return self->impl.has_thread;
}

void weft_switch_init_thread(weft_switch *self)
{
    memset(self, 0, sizeof *self);
    (void)prepare(&self->impl); /* cannot fail without attributes on the systems there are */
}

void weft_switch_destroy_thread(weft_switch *self)
{
    weft_switch_destroy(self);
}

int weft_switch_start(weft_switch *self, const weft_stack *stack, weft_switch_entry *entry,
                      void *arg)
{
    weft_switch_impl *impl = &self->impl;
    int r = impl->ready ? 0 : prepare(impl);
    if (r < 0)
        return r;
    /* The pthread of an earlier start may still be on its way to its wait: it reads these under the
     * lock, after its turn. */
    pthread_mutex_lock(&impl->lock);
    impl->entry = entry;
    impl->arg = arg;
    pthread_mutex_unlock(&impl->lock);
    if (!impl->has_thread) {
        r = make_thread(impl, stack->size);
        if (r < 0)
            return r;
        impl->has_thread = true;
    }
    return 0;
}

void weft_switch_destroy(weft_switch *self)
{
    weft_switch_impl *impl = &self->impl;
    if (impl->has_thread) {
        pthread_mutex_lock(&impl->lock);
        impl->quit = true;
        pthread_cond_signal(&impl->changed);
        pthread_mutex_unlock(&impl->lock);
        pthread_join(impl->thread, NULL);
    }
    if (impl->ready) {
        pthread_cond_destroy(&impl->changed);
        pthread_mutex_destroy(&impl->lock);
    }
    memset(self, 0, sizeof *self);
}
