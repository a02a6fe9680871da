/* SPDX-License-Identifier: MIT */
/*
 * The monotonic clock cannot fail where it exists, and POSIX.1-2008 demands it, so there is no
 * error path. Conversions clip instead of overflowing: a deadline that lies beyond what a call can
 * take makes that call return early, after weeks, and every caller looks at the clock again.
 */
#include "platform/clock.h"

#include <limits.h>

enum { NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

weft_instant weft_instant_now(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (weft_instant)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int weft_instant_poll_timeout(weft_instant deadline)
{
    if (deadline == WEFT_INSTANT_NEVER)
        return -1;
    if (deadline <= WEFT_INSTANT_NOW)
        return 0;
    weft_instant left = deadline - weft_instant_now();
    if (left <= 0)
        return 0;
    weft_instant milliseconds = left / NS_PER_MS + (left % NS_PER_MS != 0);
    return milliseconds < INT_MAX ? (int)milliseconds : INT_MAX;
}

struct timespec weft_instant_timespec(weft_instant instant)
{
    if (instant <= 0)
        return (struct timespec){0};
    int64_t seconds = instant / NS_PER_S;
    if (sizeof(time_t) < sizeof seconds && seconds > INT32_MAX)
        seconds = INT32_MAX;
    return (struct timespec){.tv_sec = (time_t)seconds, .tv_nsec = (long)(instant % NS_PER_S)};
}
