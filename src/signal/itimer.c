/* SPDX-License-Identifier: MIT */
/*
 * The process's three interval timers, in seconds. The system counts microseconds; what is above
 * zero never becomes zero, which would stop the timer.
 */
#include "signal/handler.h"

#include <sys/time.h>

#include "core/error.h"

/* Longer than any machine runs, and within every time_t and long. */
static const double LONGEST = 2e9;

static const char *const timer_names[] = {"ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF"};

/* The system's number. Errors, with a message: -EINVAL. */
static int system_timer(weft_itimer_kind which, const char *what)
{
    switch (which) {
    case WEFT_ITIMER_REAL:
        return ITIMER_REAL;
    case WEFT_ITIMER_VIRTUAL:
        return ITIMER_VIRTUAL;
    case WEFT_ITIMER_PROF:
        return ITIMER_PROF;
    default:
        return weft_error(-EINVAL, "%s: there is no timer %d", what, (int)which);
    }
}

static double seconds_of(const struct timeval *value)
{
    return (double)value->tv_sec + (double)value->tv_usec * 1e-6;
}

/* Rounded up, to the next microsecond at the latest; a fraction below a thousandth of one is what
 * the decimal number lost. */
static int to_timeval(double seconds, struct timeval *value, const char *what)
{
    if (!(seconds >= 0 && seconds <= LONGEST))
        return weft_error(-EINVAL, "set %s: %g seconds", what, seconds);
    int64_t whole = (int64_t)seconds;
    double rest = (seconds - (double)whole) * 1e6;
    int64_t micros = (int64_t)rest;
    if (rest - (double)micros > 1e-3 || (seconds > 0 && whole == 0 && micros == 0))
        micros++;
    value->tv_sec = (time_t)(whole + micros / 1000000);
    value->tv_usec = (suseconds_t)(micros % 1000000);
    return 0;
}

static void from_system(weft_itimer *timer, const struct itimerval *value)
{
    *timer = (weft_itimer){seconds_of(&value->it_value), seconds_of(&value->it_interval)};
}

int weft_signal_setitimer(weft_itimer_kind which, double seconds, double interval, weft_itimer *old)
{
    struct itimerval value, before;
    int number = system_timer(which, "set a timer");
    int r = number < 0 ? number : to_timeval(seconds, &value.it_value, timer_names[which]);
    if (r == 0)
        r = to_timeval(interval, &value.it_interval, timer_names[which]);
    if (r < 0)
        return r;
    if (setitimer(number, &value, &before) < 0)
        return weft_error(-errno, "set %s: %s", timer_names[which], weft_strerror(-errno));
    if (old != NULL)
        from_system(old, &before);
    return 0;
}

int weft_signal_getitimer(weft_itimer_kind which, weft_itimer *timer)
{
    struct itimerval value;
    int number = system_timer(which, "get a timer");
    if (number < 0)
        return number;
    if (timer == NULL)
        return weft_error(-EINVAL, "get %s: the place for it is NULL", timer_names[which]);
    if (getitimer(number, &value) < 0)
        return weft_error(-errno, "get %s: %s", timer_names[which], weft_strerror(-errno));
    from_system(timer, &value);
    return 0;
}

/* Not by alarm(2), which in some C libraries rounds what was left to the nearest second. */
int weft_signal_alarm(unsigned int seconds)
{
    weft_itimer before;
    int r =
        weft_signal_setitimer(WEFT_ITIMER_REAL, seconds < LONGEST ? seconds : LONGEST, 0, &before);
    if (r < 0)
        return r;
    if (before.seconds > LONGEST)
        before.seconds = LONGEST;
    int whole = (int)before.seconds;
    return whole < before.seconds ? whole + 1 : whole;
}
