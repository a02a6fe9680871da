/* SPDX-License-Identifier: MIT */
/*
 * clock: seconds of the public surface to instants of the library, and back.
 */
#ifndef WEFT_CORE_CLOCK_H
#define WEFT_CORE_CLOCK_H

#include "platform/clock.h"

/* A timeout in seconds as a deadline: negative is WEFT_INSTANT_NEVER, 0 is WEFT_INSTANT_NOW (no
 * clock is read), too large for the clock is never. Errors: -EINVAL with a message: not a number.
 */
int weft_deadline_of(double timeout, weft_instant *deadline);

static inline int weft_deadline(double timeout, weft_instant *deadline)
{
    if (!(timeout < 0))
        return weft_deadline_of(timeout, deadline);
    *deadline = WEFT_INSTANT_NEVER;
    return 0;
}

/* As an option `.timeout`, where 0 means none. */
int weft_deadline_option(double timeout, weft_instant *deadline);

/* Seconds from now until the deadline: negative for never, never below 0 otherwise. */
double weft_deadline_left(weft_instant deadline);

static inline weft_instant weft_instant_min(weft_instant a, weft_instant b)
{
    return a < b ? a : b;
}

#endif
