/* SPDX-License-Identifier: MIT */
#include "support/places.h"

static int answer(void *arg)
{
    return *(int *)arg + (int)weft_arg_size() - (int)sizeof(int);
}

static int fires_once(void *arg)
{
    struct recorder *recorder = arg;
    weft_timer *timer;
    int n = 42;
    double begun = weft_time();
    RECORD_INT(recorder, weft_timer_start(&timer, 0.005, answer, WEFT_ARG(n), NULL), 0);
    RECORD_INT(recorder, weft_result(timer, WEFT_NONE, WEFT_FOREVER), 42);
    RECORD(recorder, weft_time() - begun >= 0.005);
    RECORD_INT(recorder, weft_thread_join(timer, WEFT_FOREVER), 0);
    RECORD_INT(recorder, weft_timer_cancel(timer), 0);
    weft_release(timer);
    return 0;
}

static void it_calls_when_its_time_has_come(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    in_each_place(fires_once, &recorder);
    recorder_assert(&recorder);
}

static int never(void *arg)
{
    *(int *)arg = 1;
    return 0;
}

static void a_cancel_before_keeps_it_from_calling(void **state)
{
    (void)state;
    int called = 0;
    weft_timer *timer;
    assert_int_equal(weft_timer_start(&timer, 1000, never, WEFT_POINTER(&called), NULL), 0);
    assert_true(weft_thread_is_alive(timer));
    assert_int_equal(weft_timer_cancel(timer), 1);
    assert_int_equal(weft_timer_cancel(timer), 0);
    assert_int_equal(weft_thread_join(timer, WEFT_FOREVER), 0);
    assert_int_equal(weft_result(timer, WEFT_NONE, WEFT_FOREVER), -ECANCELED);
    assert_int_equal(called, 0);
    weft_release(timer);
    /* as any handle */
    assert_int_equal(weft_timer_start(&timer, 1000, never, WEFT_POINTER(&called), NULL), 0);
    assert_int_equal(weft_cancel(timer), 1);
    assert_int_equal(weft_result(timer, WEFT_NONE, WEFT_FOREVER), -ECANCELED);
    assert_int_equal(weft_timer_cancel(timer), 0);
    weft_release(timer);
}

typedef struct meeting {
    weft_event fired, go;
} meeting;

static int wait_for_go(void *arg)
{
    meeting *m = arg;
    weft_event_set(&m->fired);
    return weft_event_wait(&m->go, WEFT_FOREVER);
}

static void a_cancel_after_changes_nothing(void **state)
{
    (void)state;
    meeting m = {0};
    weft_timer *timer;
    assert_int_equal(weft_timer_start(&timer, 0, wait_for_go, WEFT_POINTER(&m), NULL), 0);
    assert_int_equal(weft_event_wait(&m.fired, WEFT_FOREVER), 0);
    assert_int_equal(weft_timer_cancel(timer), 0);
    assert_int_equal(weft_thread_join(timer, WEFT_NOWAIT), -ETIMEDOUT);
    weft_event_set(&m.go);
    assert_int_equal(weft_result(timer, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(timer);
}

static void it_is_a_thread(void **state)
{
    (void)state;
    meeting m = {0};
    weft_timer *timer;
    const weft_thread_options options = {.name = "alarm", .daemon = true};
    assert_int_equal(weft_timer_start(&timer, 1000, wait_for_go, WEFT_POINTER(&m), &options), 0);
    assert_string_equal(weft_handle_name(timer), "alarm");
    assert_true(weft_thread_daemon(timer));
    assert_int_equal(weft_handle_set_name(timer, "clock"), 0);
    assert_string_equal(weft_handle_name(timer), "clock");
    assert_int_equal(weft_thread_active_count(), 2);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0); /* does not wait for a daemon's time */
    assert_int_equal(weft_result(timer, WEFT_NONE, WEFT_NOWAIT), -ECANCELED);
    weft_release(timer);
}

static void the_end_of_weft_waits_for_it(void **state)
{
    (void)state;
    int called = 0;
    assert_int_equal(weft_timer_start(NULL, 0.3, never, WEFT_POINTER(&called), NULL), 0);
    assert_int_equal(weft_shutdown(0.0001), -ETIMEDOUT);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    assert_int_equal(called, 1);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    int n = 1;
    weft_timer *timer = (weft_timer *)(void *)&n;
    assert_int_equal(weft_timer_start(&timer, 1, NULL, WEFT_NONE, NULL), -EINVAL);
    assert_null(timer);
    assert_int_equal(weft_timer_start(&timer, -1, answer, WEFT_ARG(n), NULL), -EINVAL);
    assert_int_equal(weft_timer_start(&timer, 0.0 / (n - 1), answer, WEFT_ARG(n), NULL), -EINVAL);
    assert_int_equal(weft_timer_cancel(NULL), -EINVAL);
    assert_int_equal(weft_timer_cancel(weft_thread_current()), -EINVAL);
}

static int shut_down(void **state)
{
    (void)state;
    return weft_shutdown(WEFT_FOREVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(it_calls_when_its_time_has_come),
        weft_test(a_cancel_before_keeps_it_from_calling),
        weft_test(a_cancel_after_changes_nothing),
        weft_test(it_is_a_thread),
        weft_test(the_end_of_weft_waits_for_it),
        weft_test(misuse_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, shut_down);
}
