/* SPDX-License-Identifier: MIT */
/*
 * note: what a signal leaves behind for the main thread; the one C-level handler.
 */
#ifndef WEFT_SIGNAL_NOTE_H
#define WEFT_SIGNAL_NOTE_H

#include <signal.h>
#include <stdatomic.h>

#include <weft/signal.h>

#include "platform/clock.h"

/* What the C-level handler looks at, per signal. */
typedef struct weft_signal_slot {
    _Atomic bool active;    /* what comes is noted: weft_signal_set is in force */
    _Atomic bool chained;   /* the function that was found is called as well */
    _Atomic bool spent;     /* it was for one call (SA_RESETHAND), which has been made */
    struct sigaction found; /* before the first weft_signal_set; not written while `active` */
} weft_signal_slot;

extern weft_signal_slot weft_signal_slots[WEFT_SIGNALS];

/* The C-level handler, for sigaction. */
void weft_signal_note(int signum, siginfo_t *info, void *context);

/* Where a byte goes for each signal; -1: nowhere. And the code of the last that could not be
 * written; 0: none. */
extern _Atomic int weft_signal_wakeup_fd, weft_signal_wakeup_code;

/* What a siginfo_t of the system says. */
void weft_signal_info_from_system(weft_signal_info *info, const siginfo_t *system);

/* The lowest number that is noted, above `signum`; 0: none. */
int weft_signal_next_noted(int signum);

/* Takes a note off; false: there was none (any more). */
bool weft_signal_take(int signum, weft_signal_info *info);

/* Waits until no C-level handler runs that began before. Nothing is waited for in it. Errors:
 * -ETIMEDOUT, without a message. */
int weft_signal_wait_for_notes(weft_instant deadline);

/* In the child of a fork: what came for the parent is not the child's. */
void weft_signal_forget_notes(void);

#endif
