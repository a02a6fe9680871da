/* SPDX-License-Identifier: MIT */
/*
 * Conversions between seconds and instants. Deadlines saturate: what the clock cannot express is
 * never.
 */
#include "core/clock.h"

#include <math.h>

#include <weft/base.h>

static const double nanoseconds = 1e9;

int weft_deadline_of(double timeout, weft_instant *deadline)
{
    if (timeout == 0) {
        *deadline = WEFT_INSTANT_NOW;
        return 0;
    }
    if (isnan(timeout))
        return weft_error(-EINVAL, "timeout is not a number");
    weft_instant now = weft_instant_now();
    double span = timeout * nanoseconds;
    /* the comparison in double is safe: 9.2e18 lies below INT64_MAX */
    if (span > 9.2e18 - (double)now)
        *deadline = WEFT_INSTANT_NEVER;
    else
        *deadline = now + (weft_instant)span;
    return 0;
}

int weft_deadline_option(double timeout, weft_instant *deadline)
{
    if (timeout == 0) {
        *deadline = WEFT_INSTANT_NEVER;
        return 0;
    }
    return weft_deadline(timeout, deadline);
}

double weft_deadline_left(weft_instant deadline)
{
    if (deadline == WEFT_INSTANT_NEVER)
        return WEFT_FOREVER;
    weft_instant now = weft_instant_now();
    return deadline > now ? (double)(deadline - now) / nanoseconds : 0;
}

double weft_time(void)
{
    return (double)weft_instant_now() / nanoseconds;
}
