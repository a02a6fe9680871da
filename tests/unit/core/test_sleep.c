/* SPDX-License-Identifier: MIT */
/* The steps of a wall clock cannot be made without privilege: that the clock is the monotonic one
 * is seen from what weft_time tells. */
#include "support/places.h"

#include <math.h>
#include <time.h>

static int sleeps_no_shorter(void *arg)
{
    struct recorder *recorder = arg;
    double start = weft_time();
    RECORD_INT(recorder, weft_sleep(0.01), 0);
    RECORD(recorder, weft_time() - start >= 0.01);
    start = weft_time();
    RECORD_INT(recorder, weft_sleep(1e-9), 0);
    RECORD(recorder, weft_time() >= start);
    return 0;
}

static void it_sleeps_no_shorter_than_asked(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    in_each_place(sleeps_no_shorter, &recorder);
    recorder_assert(&recorder);
}

static void the_clock_is_the_monotonic_one(void **state)
{
    (void)state;
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    double told = weft_time();
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(told >= (double)before.tv_sec + (double)before.tv_nsec * 1e-9 - 1e-6);
    assert_true(told <= (double)after.tv_sec + (double)after.tv_nsec * 1e-9 + 1e-6);
}

static int refuses_what_is_no_number(void *arg)
{
    struct recorder *recorder = arg;
    RECORD_INT(recorder, weft_sleep(NAN), -EINVAL);
    RECORD_INT(recorder, weft_sleep(-NAN), -EINVAL);
    return 0;
}

static void nan_is_refused(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    in_each_place(refuses_what_is_no_number, &recorder);
    recorder_assert(&recorder);
}

typedef struct turns {
    char order[16];
    int count;
} turns;

static turns taken;

static int take_turns(void *arg)
{
    for (int i = 0; i < 4; i++) {
        taken.order[taken.count++] = *(char *)arg;
        weft_sleep(0);
    }
    return 0;
}

static int start_two(void *arg)
{
    weft_task *tasks[2];
    (void)arg;
    weft_task_start(&tasks[0], take_turns, WEFT_ARG((char){'a'}), NULL);
    weft_task_start(&tasks[1], take_turns, WEFT_ARG((char){'b'}), NULL);
    int r = weft_wait_all(tasks, 2, WEFT_FOREVER);
    weft_release_many(tasks, 2);
    return r;
}

static void zero_lets_the_others_run(void **state)
{
    (void)state;
    taken = (turns){0};
    assert_int_equal(weft_run(start_two, WEFT_NONE, NULL), 0);
    assert_string_equal(taken.order, "abababab");
}

static int sleep_long(void *arg)
{
    struct gate *started = arg;
    gate_arrive(started);
    int r = weft_sleep(WEFT_FOREVER);
    return r == -ECANCELED && weft_cancelled() ? 7 : -EIO;
}

static int infinity_is_for_ever(void *arg)
{
    gate_arrive(arg);
    int r = weft_sleep(INFINITY);
    return r == -ECANCELED ? 7 : -EIO;
}

static void a_cancel_ends_it(void **state)
{
    (void)state;
    weft_fn *functions[] = {sleep_long, infinity_is_for_ever};
    for (int i = 0; i < 2; i++) {
        struct gate started;
        weft_thread *thread;
        gate_init(&started, 1);
        assert_int_equal(weft_thread_start(&thread, functions[i], WEFT_POINTER(&started), NULL), 0);
        gate_wait(&started);
        assert_int_equal(weft_cancel(thread), 1);
        assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 7);
        weft_release(thread);
        gate_destroy(&started);
    }
}

static int order[3], ordered;

static int sleep_then_note(void *arg)
{
    int n = *(int *)arg;
    weft_sleep(0.3 * n); /* far apart: the last to start has the first deadline */
    order[ordered++] = n;
    return 0;
}

static int start_sleepers(void *arg)
{
    weft_task *tasks[3];
    (void)arg;
    for (int i = 0; i < 3; i++)
        weft_task_start(&tasks[i], sleep_then_note, WEFT_ARG((int){3 - i}), NULL);
    int r = weft_wait_all(tasks, 3, WEFT_FOREVER);
    weft_release_many(tasks, 3);
    return r;
}

static void sleepers_wake_by_their_deadlines(void **state)
{
    (void)state;
    ordered = 0;
    assert_int_equal(weft_run(start_sleepers, WEFT_NONE, NULL), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(order[i], i + 1);
}

static int keeps_errno(void *arg)
{
    struct recorder *recorder = arg;
    errno = 1234;
    weft_sleep(0.001);
    RECORD_INT(recorder, errno, 1234);
    weft_sleep(0);
    RECORD_INT(recorder, errno, 1234);
    return 0;
}

static void errno_is_left_alone(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    in_each_place(keeps_errno, &recorder);
    recorder_assert(&recorder);
}

static int ends_with_the_scope(void *arg)
{
    struct recorder *recorder = arg;
    int scope = weft_timeout_begin(0), r = 0;
    for (int i = 0; r == 0 && i < 1000; i++)
        r = weft_sleep(0);
    RECORD_INT(recorder, r, -ECANCELED);
    RECORD_INT(recorder, weft_timeout_end(scope, r), -ETIMEDOUT);
    return 0;
}

static void yielding_in_a_scope_ends_with_it(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    in_each_place(ends_with_the_scope, &recorder);
    recorder_assert(&recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(it_sleeps_no_shorter_than_asked),
        weft_test(the_clock_is_the_monotonic_one),
        weft_test(nan_is_refused),
        weft_test(zero_lets_the_others_run),
        weft_test(a_cancel_ends_it),
        weft_test(sleepers_wake_by_their_deadlines),
        weft_test(errno_is_left_alone),
        weft_test(yielding_in_a_scope_ends_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
