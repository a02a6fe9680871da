/* SPDX-License-Identifier: MIT */
/*
 * interrupt: how the signal module reaches the main thread's waits.
 *
 * The C-level handler records its signal and calls weft_interrupt_post (async-signal-safe), which
 * changes the word that the main thread sleeps on. The main thread, inside its next wait, calls
 * `run` on top of that wait, in a context of its own (so that a handler may wait, too); a non-zero
 * result ends the wait with that code. While the main thread runs a loop, its runner starts `run`
 * as a coroutine instead and gives a non-zero result to `end_loop`.
 */
#ifndef WEFT_CORE_INTERRUPT_H
#define WEFT_CORE_INTERRUPT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/context.h"

typedef struct weft_interrupt_hooks {
    /* Runs the handlers of what is pending; < 0: the code of one that ends the wait, with its
     * message in the running context, and what else is pending is posted again. */
    int (*run)(void);
    /* Set by asyncio, by each loop that is opened. */
    void (*_Atomic end_loop)(struct weft_runner *, int code);
} weft_interrupt_hooks;

extern weft_interrupt_hooks weft_interrupt;

/* Something is pending for the main thread. */
extern _Atomic uint32_t weft_interrupt_pending;

/* The calling thread (also in a coroutine that it runs) is main from now on, if there is none; on
 * systems that tell, only the process's first thread becomes it; in a forked child, only the thread
 * that forked. 0: it is main. Errors, without a message: -EPERM (another is, or has to be),
 * -ENOMEM, -EMFILE, -ENFILE. */
int weft_interrupt_become_main(void);
bool weft_interrupt_claim_main(void); /* the same; true: it is main */
bool weft_interrupt_is_main(void);
void weft_interrupt_give_up_main(void);

/* The runner of the main thread while it runs a loop. */
extern _Atomic(struct weft_runner *) weft_interrupt_runner;

/* In a signal handler: the main thread looks at what is pending. */
void weft_interrupt_post(void);

/* In a forked child whose parent had a main thread: the forking thread takes the role with its
 * first context. */
extern _Atomic bool weft_interrupt_inherited;
void weft_interrupt_inherit(void);

/* Runs what is pending now, in the running context if it is of the main thread: 0, the code of a
 * handler, or -ENOMEM. A coroutine is suspended while a handler waits. */
int weft_interrupt_check(void);

/* Runs what is pending on top of the main thread's wait, in a context of its own; 0, or the code
 * that ends the wait: WEFT_EFORKED in a child that a handler has forked. */
int weft_interrupt_run(weft_context *self);

/* The same in a coroutine of the main thread's runner; a non-zero code goes to
 * weft_interrupt.end_loop. */
void weft_interrupt_run_in_loop(struct weft_runner *runner);

#endif
