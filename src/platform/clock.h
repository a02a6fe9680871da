/* SPDX-License-Identifier: MIT */
/*
 * clock: monotonic time as one integer.
 *
 * Inside the library a point in time is nanoseconds on the monotonic clock, so that deadlines
 * compare and add exactly; seconds as double exist only at the public surface (core/clock.h
 * converts).
 */
#ifndef WEFT_PLATFORM_CLOCK_H
#define WEFT_PLATFORM_CLOCK_H

#include <stdint.h>
#include <time.h>

typedef int64_t weft_instant; /* nanoseconds, CLOCK_MONOTONIC */

#define WEFT_INSTANT_NEVER INT64_MAX  /* as a deadline: wait without limit */
#define WEFT_INSTANT_NOW   INT64_C(0) /* as a deadline: do not wait at all */

weft_instant weft_instant_now(void);

/* What poll(2) and epoll_wait(2) take: milliseconds until the deadline, rounded up (never early),
 * -1 for never, at most INT_MAX. */
int weft_instant_poll_timeout(weft_instant deadline);

/* An instant, or a difference of two, as the system's calls take it; below 0 is 0, and what time_t
 * cannot hold is its greatest. */
struct timespec weft_instant_timespec(weft_instant instant);

#endif
