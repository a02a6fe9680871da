/* SPDX-License-Identifier: MIT */
/*
 * signalwait: a descriptor that is readable while a signal is pending.
 *
 * signalwait_signalfd.c: signalfd.  signalwait_none.c: there is none, and whoever waits looks from
 * time to time.
 */
#ifndef WEFT_PLATFORM_SIGNALWAIT_H
#define WEFT_PLATFORM_SIGNALWAIT_H

#include <signal.h>

/* Close-on-exec, non-blocking; readable for a thread while a signal of the set is pending for it or
 * for the process, and blocked in it. Closed by the caller. Errors: -ENOTSUP: there is none here;
 * -EMFILE, -ENFILE, -ENOMEM. */
int weft_signalwait_open(const sigset_t *set);

#endif
