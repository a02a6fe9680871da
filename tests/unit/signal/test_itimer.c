/* SPDX-License-Identifier: MIT */
/* The alarm and the three timers. */
#include "support/support.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <weft.h>

static int calls;

static int count(const weft_signal_info *info, void *arg)
{
    (void)info;
    calls++;
    return arg != NULL ? *(int *)arg : 0;
}

static void an_alarm_says_what_was_left_of_the_one_before(void **state)
{
    (void)state;
    assert_int_equal(weft_signal_alarm(1000), 0);
    int left = weft_signal_alarm(2000);
    assert_true(left > 0 && left <= 1000);
    left = weft_signal_alarm(0);
    assert_true(left > 1000 && left <= 2000);
    assert_int_equal(weft_signal_alarm(0), 0);
    assert_int_equal(weft_signal_setitimer(WEFT_ITIMER_REAL, 1000.45, 0, NULL), 0);
    assert_int_equal(weft_signal_alarm(UINT_MAX), 1001); /* rounded up */
    assert_true(weft_signal_alarm(0) > 1999999000);
}

static void an_alarm_comes_to_the_handler_and_the_wait_goes_on(void **state)
{
    int code = -20009;
    (void)state;
    calls = 0;
    weft_signal_set(SIGALRM, count, NULL);
    assert_int_equal(weft_signal_setitimer(WEFT_ITIMER_REAL, 0.001, 0, NULL), 0);
    assert_int_equal(weft_signal_pause(WEFT_FOREVER), 0);
    assert_int_equal(calls, 1);
    /* as a limit for what waits without one */
    weft_signal_set(SIGALRM, count, &code);
    assert_int_equal(weft_signal_setitimer(WEFT_ITIMER_REAL, 0.001, 0, NULL), 0);
    assert_int_equal(weft_sleep(WEFT_FOREVER), -20009);
}

static void an_interval_goes_on_until_it_is_stopped(void **state)
{
    weft_itimer timer;
    (void)state;
    calls = 0;
    weft_signal_set(SIGALRM, count, NULL);
    assert_int_equal(weft_signal_setitimer(WEFT_ITIMER_REAL, 0.001, 0.002, NULL), 0);
    while (calls < 3)
        assert_int_equal(weft_signal_pause(WEFT_FOREVER), 0);
    assert_int_equal(weft_signal_getitimer(WEFT_ITIMER_REAL, &timer), 0);
    assert_true(timer.interval == 0.002);
    assert_true(timer.seconds > 0 && timer.seconds <= 0.003);
    assert_int_equal(weft_signal_setitimer(WEFT_ITIMER_REAL, 0, 0, &timer), 0);
    assert_true(timer.interval == 0.002);
    assert_int_equal(weft_signal_getitimer(WEFT_ITIMER_REAL, &timer), 0);
    assert_true(timer.seconds == 0 && timer.interval == 0);
    weft_signal_check(); /* one that came meanwhile */
}

static void what_is_above_nothing_stops_no_timer(void **state)
{
    (void)state;
    calls = 0;
    weft_signal_set(SIGALRM, count, NULL);
    assert_int_equal(weft_signal_setitimer(WEFT_ITIMER_REAL, 1e-30, 0, NULL), 0);
    assert_int_equal(weft_signal_pause(WEFT_FOREVER), 0);
    assert_int_equal(calls, 1);
    struct itimerval value;
    assert_int_equal(weft_signal_setitimer(WEFT_ITIMER_REAL, 1000, 0.1, NULL), 0);
    getitimer(ITIMER_REAL, &value);
    assert_int_equal(value.it_interval.tv_usec, 100000); /* not a millionth more */
    assert_int_equal(weft_signal_setitimer(WEFT_ITIMER_REAL, 1000, 0.9999999, NULL), 0);
    getitimer(ITIMER_REAL, &value);
    assert_int_equal(value.it_interval.tv_sec, 1);
    assert_int_equal(value.it_interval.tv_usec, 0);
    assert_int_equal(weft_signal_setitimer(WEFT_ITIMER_REAL, 0, 0, NULL), 0);
}

static void each_timer_has_its_signal(void **state)
{
    (void)state;
    calls = 0;
    weft_signal_set(SIGVTALRM, count, NULL);
    weft_signal_set(SIGPROF, count, NULL);
    assert_int_equal(weft_signal_setitimer(WEFT_ITIMER_VIRTUAL, 0.001, 0, NULL), 0);
    assert_int_equal(weft_signal_setitimer(WEFT_ITIMER_PROF, 0.001, 0, NULL), 0);
    while (calls < 2) /* they count while this computes */
        assert_int_equal(weft_signal_check(), 0);
}

static void bad_arguments_are_refused(void **state)
{
    weft_itimer timer = {7, 7};
    (void)state;
    assert_int_equal(weft_signal_setitimer(WEFT_ITIMER_REAL, -1, 0, &timer), -EINVAL);
    assert_non_null(strstr(weft_error_message(), "ITIMER_REAL"));
    assert_int_equal(weft_signal_setitimer(WEFT_ITIMER_REAL, 1, -1, &timer), -EINVAL);
    assert_int_equal(weft_signal_setitimer(WEFT_ITIMER_REAL, (double)NAN, 0, &timer), -EINVAL);
    assert_int_equal(weft_signal_setitimer(WEFT_ITIMER_REAL, (double)INFINITY, 0, &timer), -EINVAL);
    assert_int_equal(weft_signal_setitimer((weft_itimer_kind)9, 1, 0, &timer), -EINVAL);
    assert_int_equal(weft_signal_getitimer((weft_itimer_kind)9, &timer), -EINVAL);
    assert_int_equal(weft_signal_getitimer(WEFT_ITIMER_REAL, NULL), -EINVAL);
    assert_true(timer.seconds == 7 && timer.interval == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(an_alarm_says_what_was_left_of_the_one_before),
        weft_test(an_alarm_comes_to_the_handler_and_the_wait_goes_on),
        weft_test(an_interval_goes_on_until_it_is_stopped),
        weft_test(what_is_above_nothing_stops_no_timer),
        weft_test(each_timer_has_its_signal),
        weft_test(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
