/* SPDX-License-Identifier: MIT */
/*
 * Signals reach the main thread through its wait word: the handler sets what is pending first, then
 * changes the word, so that the main thread, which reads the word, then looks at what is pending,
 * then sleeps while the word is what it read, cannot miss it. In a loop the word is the runner's.
 *
 * User handlers run on top of the interrupted wait in a second context, so that they may wait
 * themselves: the word of the interrupted wait stays published, and whoever notifies it meanwhile
 * is not lost.
 */
#include "core/interrupt.h"

#include <pthread.h>
#include <unistd.h>

#include "core/coroutine.h"
#include "core/fork.h"
#include "core/runner.h"
#include "platform/firstthread.h"

weft_interrupt_hooks weft_interrupt;
_Atomic uint32_t weft_interrupt_pending;
_Atomic(weft_runner *) weft_interrupt_runner;

_Atomic bool weft_interrupt_inherited;

static _Atomic(weft_context *) main_context;
static pthread_t forking; /* in a child: who is to be main; valid while `inherited` */

/* The forking thread is the child's main one; it claims that with its next context. What was
 * pending was the parent's. */
static void after_fork_child(void)
{
    if (atomic_load(&main_context) != NULL || atomic_load(&weft_interrupt_inherited)) {
        forking = pthread_self();
        atomic_store(&weft_interrupt_inherited, true);
    }
    atomic_store(&main_context, NULL);
    atomic_store(&weft_interrupt_runner, NULL);
    atomic_store(&weft_interrupt_pending, 0);
}

static weft_fork_hooks fork_hooks = {.child = after_fork_child};

/* The context of the thread's own stack; NULL: no memory. */
static weft_context *thread_context(void)
{
    weft_context *self = weft_context_self();
    return self != NULL && self->runner != NULL ? self->runner->thread : self;
}

bool weft_interrupt_is_main(void)
{
    return weft_context_current != NULL && thread_context()->main;
}

/* What signal handlers need: descriptors and poller are open before the role is taken. */
static int prepare(weft_context *thread)
{
    int r = weft_parker_allow_signals(&thread->parker);
    if (r == 0 && thread->wakeup.read_fd < 0)
        r = weft_wakeup_open(&thread->wakeup);
    if (r == 0 && thread->runner != NULL)
        r = weft_runner_open_poller(thread->runner);
    return r;
}

int weft_interrupt_become_main(void)
{
    weft_context *thread = thread_context();
    if (thread == NULL)
        return -ENOMEM;
    if (thread->main)
        return 0;
    bool inherited = atomic_load(&weft_interrupt_inherited);
    if (atomic_load(&main_context) != NULL || weft_first_thread() == 0 ||
        (inherited && !pthread_equal(forking, pthread_self())))
        return -EPERM;
    weft_fork_register(&fork_hooks);
    int r = prepare(thread);
    if (r < 0)
        return r;
    weft_context *none = NULL;
    if (!atomic_compare_exchange_strong(&main_context, &none, thread))
        return -EPERM;
    atomic_store(&weft_interrupt_inherited, false);
    thread->main = true;
    if (thread->runner != NULL)
        atomic_store(&weft_interrupt_runner, thread->runner);
    return 0;
}

bool weft_interrupt_claim_main(void)
{
    return weft_interrupt_become_main() == 0;
}

void weft_interrupt_inherit(void)
{
    if (weft_context_current != NULL)
        weft_interrupt_become_main(); /* a failure is tried again by the next weft_signal_set */
}

void weft_interrupt_give_up_main(void)
{
    weft_context *self = atomic_exchange(&main_context, NULL);
    if (self != NULL)
        self->main = false;
}

void weft_interrupt_post(void)
{
    atomic_store(&weft_interrupt_pending, 1);
    weft_runner *runner = atomic_load(&weft_interrupt_runner);
    if (runner != NULL) {
        weft_runner_wake(runner); /* it polls: the wake is a write */
        return;
    }
    weft_context *context = atomic_load(&main_context);
    if (context == NULL)
        return;
    uint32_t word = atomic_fetch_add(&context->parker.word, WEFT_WAIT_INTERRUPT);
    uint32_t state = word & WEFT_WAIT_STATE;
    if (state == WEFT_WAIT_SLEEPING)
        weft_parker_wake_from_signal(&context->parker);
    else if (state == WEFT_WAIT_POLLING)
        weft_wakeup_signal(&context->wakeup);
}

/* So often handlers may have what they run for come again, before whoever waits goes on: what is
 * left stays pending. */
enum { PASSES = 16 };

static int run_pending(void)
{
    int code = 0;
    for (int i = 0; code == 0 && i < PASSES && atomic_exchange(&weft_interrupt_pending, 0) != 0;
         i++)
        code = weft_interrupt.run != NULL ? weft_interrupt.run() : 0;
    return code;
}

/* In a child that a handler has forked: the thread goes on in the context whose wait was
 * interrupted, as the main one, with the locals that it had. That context's wakeup, and the
 * handler's, are the parent's too. */
static void go_on_in_child(weft_context *self, weft_context *handler)
{
    weft_context *since = weft_context_current; /* that it has used since the fork; NULL: none */
    weft_wakeup_close(&self->wakeup);
    weft_wakeup_close(&handler->wakeup);
    weft_interrupt_give_up_main();
    self->main = false;
    if (since == NULL)
        since = weft_context_adopt();
    if (since == NULL)
        return;
    handler->locals = since->locals;
    since->locals = NULL;
    handler->thread = NULL;
    weft_interrupt_give_up_main();
    weft_context_end(since);
    (void)weft_context_begin(self);
    atomic_store(&weft_interrupt_inherited, true);
    weft_interrupt_inherit();
}

/* False: no memory, and all stays pending. */
static bool run_on_top(weft_context *self, int *result)
{
    weft_context *handler = weft_context_acquire();
    if (handler == NULL)
        return false;
    handler->thread = self->thread;
    handler->who = self->who;
    handler->id = weft_context_id(self); /* what the interrupted code owns, it owns */
    handler->locals = self->locals;
    handler->main = true; /* so is its loop, if it runs one; its own waits run no handlers */
    handler->handling = true;
    self->handling = true;
    weft_context_current = handler;
    uint32_t generation = weft_fork_generation;
    int code = run_pending();
    if (generation != weft_fork_generation)
        go_on_in_child(self, handler);
    weft_context_current = self;
    self->handling = false;
    if (code < 0 && handler->failure.code == code)
        weft_error(code, "%s", handler->failure.text);
    self->thread = handler->thread; /* a handler may have been the first to ask */
    self->locals = handler->locals;
    handler->locals = NULL;
    weft_context_release(handler);
    *result = code;
    return true;
}

int weft_interrupt_run(weft_context *self)
{
    int code = 0;
    uint32_t generation = weft_fork_generation;
    (void)run_on_top(self, &code); /* without memory the next wait tries again */
    if (code == 0 && generation != weft_fork_generation) /* who would notify is not here */
        code = weft_error(WEFT_EFORKED, "wait: a signal handler has forked in it");
    return code;
}

/* In a coroutine: the handlers' failures are not the coroutine's, unless one ends the wait, and
 * their results are nobody's. */
static int run_here(weft_context *self)
{
    weft_failure failure = self->failure;
    struct weft_job *job = self->job;
    self->failure = (weft_failure){0};
    self->job = NULL;
    int code = run_pending();
    self->job = job;
    if (code != 0) {
        weft_failure_clear(&failure);
    } else {
        weft_failure_clear(&self->failure);
        self->failure = failure;
    }
    return code;
}

int weft_interrupt_check(void)
{
    weft_context *self = weft_context_current;
    if (self == NULL || !weft_interrupt_is_main() || self->handling)
        return 0;
    int code = self->handler_code;
    self->handler_code = 0;
    if (code != 0 || atomic_load(&weft_interrupt_pending) == 0)
        return code;
    if (self->runner != NULL)
        return run_here(self);
    if (!run_on_top(self, &code))
        return weft_error(-ENOMEM, "run signal handlers: no memory");
    return code;
}

static void handlers_entry(weft_coroutine *coroutine)
{
    weft_runner *runner = coroutine->context.runner;
    int code = run_pending();
    if (code != 0 && weft_interrupt.end_loop != NULL)
        weft_interrupt.end_loop(runner, code);
}

void weft_interrupt_run_in_loop(weft_runner *runner)
{
    weft_coroutine *coroutine = weft_coroutine_new(runner, 0);
    if (coroutine != NULL &&
        weft_coroutine_start(coroutine, handlers_entry, weft_coroutine_free) < 0)
        weft_coroutine_free(coroutine);
}
