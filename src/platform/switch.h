/* SPDX-License-Identifier: MIT */
/*
 * switch: leaves one stack for another.
 *
 * A weft_switch is a place where a thread of execution can be taken up again: a coroutine's, or
 * that of the thread which runs coroutines. Exactly one of the switches that a thread uses is
 * running.
 *
 * switch_x86_64.S, switch_aarch64.S with switch_assembly.c: callee-saved registers and FPU control
 * words, no system call.  switch_pthread.c: a pthread per stack, handed over with a condition; all
 * signals are blocked in it. Sanitizers and Valgrind are told of every stack and switch here.
 *
 * Code that runs after weft_switch_to has returned may find itself, in the pthread column, under
 * another OS thread's TLS than the resumer's; but each stack always sees the same one.
 */
#ifndef WEFT_PLATFORM_SWITCH_H
#define WEFT_PLATFORM_SWITCH_H

#include <signal.h>
#include <stdbool.h>

#include "platform/stack.h"
#include "switch_impl.h" /* weft_switch_impl; from platform/assembly/ or pthread/, on the include path by CMake */

/* Its return ends the stack's use, and takes up what it returns. */
typedef struct weft_switch *weft_switch_entry(void *arg);

typedef struct weft_switch {
    weft_switch_impl impl;
} weft_switch;

/* Makes `self` the switch of the calling thread's own stack. */
void weft_switch_init_thread(weft_switch *self);
void weft_switch_destroy_thread(weft_switch *self);

/* The first weft_switch_to(…, self) calls entry(arg) on the stack. When that has returned the same
 * weft_switch may be started again, on the same stack, which is cheap. `self` is zeroed before its
 * first start. Errors: -EAGAIN, -ENOMEM (pthread column). */
int weft_switch_start(weft_switch *self, const weft_stack *stack, weft_switch_entry *entry,
                      void *arg);

/* Saves the running place in `from` and takes up `to`. Returns when somebody switches to `from`.
 * (Here and not in the .c file, so that the assembly column costs its caller one direct call.) */
static inline void weft_switch_to(weft_switch *from, weft_switch *to)
{
    weft_switch_impl_to(&from->impl, &to->impl);
}

/* The signal mask that what runs on `self` would have on its thread of execution's own stack, where
 * that is another than pthread_sigmask tells: true, and *mask set; false: ask that. Of the running
 * one. */
bool weft_switch_mask(const weft_switch *self, sigset_t *mask);

/* Gives back what weft_switch_start took (a pthread, a sanitizer's fiber), and zeroes `self`.
 * Neither while it runs nor, in the pthread column, between its start and its end, nor in the
 * child of a fork. A zeroed one is allowed. */
void weft_switch_destroy(weft_switch *self);

#endif
