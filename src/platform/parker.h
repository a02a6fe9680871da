/* SPDX-License-Identifier: MIT */
/*
 * parker: one thread sleeps until a word of its own changes.
 *
 * The protocol is that of a futex, whatever stands below: whoever wants the sleeper to go on first
 * changes `word` (any atomic operation), then calls weft_parker_wake. The sleeper passes the value
 * it has seen; a change between its look and its sleep is never missed. A wake may be late (the
 * sleeper went on long ago) and a wait may end without cause: every caller looks at its own word
 * again.
 *
 * parker_futex.c: a futex on the word.  parker_condition.c: mutex and condition on the monotonic
 * clock; a thread that wants to be woken from signal handlers sleeps in poll on a pipe instead,
 * since a condition cannot be signalled from a handler.
 */
#ifndef WEFT_PLATFORM_PARKER_H
#define WEFT_PLATFORM_PARKER_H

#include <stdatomic.h>
#include <stdint.h>

#include "parker_impl.h" /* from platform/futex/ or condition/, put on the include path by CMake */
#include "platform/clock.h"

typedef struct weft_parker {
    _Atomic uint32_t word; /* the owner's meaning; the parker only compares it */
    weft_parker_impl impl;
} weft_parker;

/* The word starts as 0. Errors: -ENOMEM, -EAGAIN. */
int weft_parker_init(weft_parker *parker);

/* Nobody may wait or wake any more. */
void weft_parker_destroy(weft_parker *parker);

/* In the child of a fork, for one that nobody has waited on there: it is as after init, and has
 * nothing in common with the parent's. */
void weft_parker_renew(weft_parker *parker);

/* Owner only. Sleeps while word == expected. 0: woken, changed, or for no cause. Errors:
 * -ETIMEDOUT. */
int weft_parker_wait(weft_parker *parker, uint32_t expected, weft_instant deadline);

/* Any thread, after it changed the word. */
void weft_parker_wake(weft_parker *parker);

/* Owner only, once: from now on weft_parker_wake_from_signal may be called.
 * Errors: -EMFILE, -ENFILE, -ENOMEM. */
int weft_parker_allow_signals(weft_parker *parker);

/* As weft_parker_wake, async-signal-safe; preserves errno. */
void weft_parker_wake_from_signal(weft_parker *parker);

#endif
