/* SPDX-License-Identifier: MIT */
/*
 * handler: what the files of signal share.
 */
#ifndef WEFT_SIGNAL_HANDLER_H
#define WEFT_SIGNAL_HANDLER_H

#include <signal.h>

#include <weft/signal.h>

/* The name for messages, never NULL. */
const char *weft_signal_label(int signum);

/* Errors, with a message that begins with `what`: -EINVAL, not between 1 and the largest. */
int weft_signal_check_number(int signum, const char *what);

/* The calling thread is, or becomes, the main one, and what the end of weft and a fork need is
 * registered. Errors, with a message: -EPERM, -ENOMEM, -EMFILE, -ENFILE. */
int weft_signal_check_main(const char *what);

/* A handler has run: those that pause go on. */
void weft_signal_end_pauses(void);

/* On the main thread: tells the user of a byte that could not be written to the wake-up fd. */
void weft_signal_tell_wakeup_failure(void);

/* Between the two kinds of sets. */
void weft_sigset_to_system(const weft_sigset *set, sigset_t *system);
void weft_sigset_from_system(weft_sigset *set, const sigset_t *system);

#endif
