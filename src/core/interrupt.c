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

static _Atomic(weft_context *) main_context;

/* The forking thread is the child's main one; it claims that with its next context. */
static void after_fork_child(void)
{
    atomic_store(&main_context, NULL);
    atomic_store(&weft_interrupt_runner, NULL);
}

static weft_fork_hooks fork_hooks = {NULL, NULL, after_fork_child, NULL};
static pthread_once_t registered = PTHREAD_ONCE_INIT;

static void register_fork(void)
{
    weft_fork_register(&fork_hooks);
}

bool weft_interrupt_is_main(void)
{
    weft_context *self = weft_context_current;
    if (self != NULL && self->runner != NULL)
        self = self->runner->thread;
    return self != NULL && self->main;
}

bool weft_interrupt_claim_main(void)
{
    if (weft_interrupt_is_main())
        return true;
    weft_context *self = weft_context_self();
    if (self == NULL || self->coroutine || weft_first_thread() == 0)
        return false;
    pthread_once(&registered, register_fork);
    if (weft_parker_allow_signals(&self->parker) < 0)
        return false;
    if (self->wakeup.read_fd < 0 && weft_wakeup_open(&self->wakeup) < 0)
        return false;
    weft_context *none = NULL;
    if (!atomic_compare_exchange_strong(&main_context, &none, self))
        return false;
    self->main = true;
    return true;
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

static int run_pending(void)
{
    int code = 0;
    while (code == 0 && atomic_exchange(&weft_interrupt_pending, 0) != 0)
        code = weft_interrupt.run != NULL ? weft_interrupt.run() : 0;
    return code;
}

int weft_interrupt_run(weft_context *self)
{
    weft_context *handler = weft_context_acquire();
    if (handler == NULL)
        return 0; /* stays pending: the next wait tries again */
    handler->thread = self->thread;
    handler->who = self->who;
    self->handling = true;
    weft_context_current = handler;
    int code = run_pending();
    weft_context_current = self;
    self->handling = false;
    if (code < 0 && handler->failure.code == code)
        weft_error(code, "%s", handler->failure.text);
    self->thread = handler->thread; /* a handler may have been the first to ask */
    weft_context_release(handler);
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
