/* SPDX-License-Identifier: MIT */
#include "support/places.h"

#include <math.h>

typedef struct diary {
    struct recorder recorder;
    char order[64];
    int count;
} diary;

static diary *pages;

static int note(void *arg)
{
    pages->order[pages->count++] = *(char *)arg;
    return 0;
}

static int run_diary(weft_fn *fn, diary *test)
{
    pages = test;
    return weft_run(fn, WEFT_POINTER(test), NULL);
}

#define LETTER(c) WEFT_ARG((char){c})

static int soon(void *arg)
{
    diary *test = arg;
    weft_loop *loop = weft_loop_current();
    for (char c = 'a'; c <= 'e'; c++)
        RECORD_INT(&test->recorder, weft_loop_call_soon(loop, NULL, note, LETTER(c)), 0);
    RECORD_INT(&test->recorder, test->count, 0);
    return weft_sleep(0);
}

static void calls_run_in_order_after_what_is_ready(void **state)
{
    (void)state;
    diary test = {0};
    assert_int_equal(run_diary(soon, &test), 0);
    assert_string_equal(test.order, "abcde");
    recorder_assert(&test.recorder);
}

static int later(void *arg)
{
    diary *test = arg;
    weft_loop *loop = weft_loop_current();
    weft_call *last;
    weft_loop_call_later(loop, &last, 0.6, note, LETTER('d')); /* not to be overtaken by a pause */
    weft_loop_call_later(loop, NULL, 0.3, note, LETTER('c'));
    weft_loop_call_later(loop, NULL, 0, note, LETTER('a'));
    weft_loop_call_soon(loop, NULL, note, LETTER('b'));
    RECORD_INT(&test->recorder, weft_wait(last, WEFT_FOREVER), 0);
    weft_release(last);
    return 0;
}

static void later_calls_run_by_their_times(void **state)
{
    (void)state;
    diary test = {0};
    assert_int_equal(run_diary(later, &test), 0);
    assert_string_equal(test.order, "abcd");
    recorder_assert(&test.recorder);
}

static int cancels(void *arg)
{
    diary *test = arg;
    weft_loop *loop = weft_loop_current();
    weft_call *calls[3];
    weft_loop_call_soon(loop, &calls[0], note, LETTER('a'));
    weft_loop_call_later(loop, &calls[1], 0.001, note, LETTER('b'));
    weft_loop_call_later(loop, &calls[2], 1000, note, LETTER('c'));
    for (int i = 0; i < 3; i++)
        RECORD_INT(&test->recorder, weft_cancel(calls[i]), 1);
    for (int i = 0; i < 3; i++)
        RECORD_INT(&test->recorder, weft_result(calls[i], WEFT_NONE, WEFT_FOREVER), -ECANCELED);
    for (int i = 0; i < 3; i++)
        RECORD_INT(&test->recorder, weft_cancel(calls[i]), 0);
    RECORD_INT(&test->recorder, test->count, 0);
    weft_release_many(calls, 3);
    return 0;
}

static void a_cancelled_call_never_begins(void **state)
{
    (void)state;
    diary test = {0};
    assert_int_equal(run_diary(cancels, &test), 0);
    recorder_assert(&test.recorder);
}

static weft_event noted;

static int waits_in_call(void *arg)
{
    int r = weft_event_wait(&noted, WEFT_FOREVER);
    return r < 0 ? r : note(arg);
}

static int note_and_tell(void *arg)
{
    weft_event_set(&noted);
    return note(arg);
}

static int calls_that_wait(void *arg)
{
    diary *test = arg;
    weft_call *call;
    weft_loop_call_soon(weft_loop_current(), &call, waits_in_call, LETTER('w'));
    weft_loop_call_soon(weft_loop_current(), NULL, note_and_tell, LETTER('n'));
    RECORD_INT(&test->recorder, weft_result(call, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(call);
    return 0;
}

static void a_call_may_wait(void **state)
{
    (void)state;
    diary test = {0};
    weft_event_clear(&noted);
    assert_int_equal(run_diary(calls_that_wait, &test), 0);
    assert_string_equal(test.order, "nw");
    recorder_assert(&test.recorder);
}

static int leaves_calls(void *arg)
{
    weft_call **calls = arg;
    weft_loop_call_later(weft_loop_current(), &calls[0], 1000, note, LETTER('x'));
    weft_loop_call_later(weft_loop_current(), &calls[1], 2000, note, LETTER('x'));
    weft_loop_call_later(weft_loop_current(), NULL, 3000, note, LETTER('x'));
    return 0;
}

static void calls_that_are_left_end_with_the_loop(void **state)
{
    (void)state;
    diary test = {0};
    weft_call *calls[2] = {NULL, NULL};
    pages = &test;
    assert_int_equal(weft_run(leaves_calls, WEFT_POINTER(calls), NULL), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(weft_result(calls[i], WEFT_NONE, WEFT_NOWAIT), -ECANCELED);
    assert_int_equal(test.count, 0);
    weft_release_many(calls, 2);
}

enum { LEFT = 300 };

static int sleep_for(void *arg)
{
    return weft_sleep(*(double *)arg);
}

/* Calls among other timers, in no order. */
static int leaves_many(void *arg)
{
    weft_call **calls = arg;
    for (unsigned i = 0, random = 1; i < LEFT; i++) {
        random = random * 1103515245 + 12345;
        double delay = (double)(1000 + random % 9973);
        weft_loop_call_later(weft_loop_current(), &calls[i], delay, note, LETTER('x'));
        delay = (double)(1000 + random % 9967);
        weft_task_start(NULL, sleep_for, WEFT_ARG(delay), NULL);
        weft_sleep(0);
    }
    return 0;
}

static void all_calls_that_are_left_end(void **state)
{
    (void)state;
    weft_call *calls[LEFT] = {NULL};
    int left = 0;
    assert_int_equal(weft_run(leaves_many, WEFT_POINTER(calls), NULL), 0);
    for (int i = 0; i < LEFT; i++)
        left += weft_result(calls[i], WEFT_NONE, WEFT_NOWAIT) != -ECANCELED;
    assert_int_equal(left, 0);
    weft_release_many(calls, LEFT);
}

static int leaves_a_waiting_call(void *arg)
{
    weft_call **calls = arg;
    weft_loop_call_soon(weft_loop_current(), &calls[0], waits_in_call, LETTER('w'));
    weft_loop_call_soon(weft_loop_current(), &calls[1], waits_in_call, LETTER('w'));
    weft_sleep(0);
    return weft_sleep(0); /* the first waits, and the other has been taken over */
}

static void a_call_that_waits_is_cancelled_at_the_end(void **state)
{
    (void)state;
    diary test = {0};
    weft_call *calls[2] = {NULL, NULL};
    pages = &test;
    weft_event_clear(&noted);
    assert_int_equal(weft_run(leaves_a_waiting_call, WEFT_POINTER(calls), NULL), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(weft_result(calls[i], WEFT_NONE, WEFT_NOWAIT), -ECANCELED);
    assert_int_equal(test.count, 0);
    weft_release_many(calls, 2);
}

typedef struct foreign {
    struct recorder recorder;
    weft_loop *loop;
    int ran;
} foreign;

static int count_run(void *arg)
{
    ((foreign *)arg)->ran++; /* on the loop's thread alone */
    return 3;
}

static int call_from_thread(void *arg)
{
    foreign *test = arg;
    weft_call *calls[4];
    RECORD_INT(&test->recorder,
               weft_loop_call_soon(test->loop, &calls[0], count_run, WEFT_POINTER(test)), 0);
    RECORD_INT(&test->recorder,
               weft_loop_call_soon_threadsafe(test->loop, &calls[1], count_run, WEFT_POINTER(test)),
               0);
    RECORD_INT(&test->recorder,
               weft_loop_call_later(test->loop, &calls[2], 0.001, count_run, WEFT_POINTER(test)),
               0);
    RECORD_INT(&test->recorder,
               weft_loop_call_later(test->loop, &calls[3], 1000, count_run, WEFT_POINTER(test)), 0);
    RECORD_INT(&test->recorder, weft_cancel(calls[3]), 1);
    for (int i = 0; i < 3; i++)
        RECORD_INT(&test->recorder, weft_result(calls[i], WEFT_NONE, WEFT_FOREVER), 3);
    weft_release_many(calls, 4); /* the last is dropped when it is due, or with the loop */
    return 0;
}

static int run_foreign(void *arg)
{
    foreign *test = arg;
    weft_thread *threads[3];
    test->loop = weft_loop_current();
    for (int i = 0; i < 3; i++)
        weft_thread_start(&threads[i], call_from_thread, WEFT_POINTER(test), NULL);
    int r = weft_gather(threads, 3, WEFT_FOREVER);
    weft_release_many(threads, 3);
    return r;
}

static void calls_come_from_any_thread(void **state)
{
    (void)state;
    foreign test = {.ran = 0};
    assert_int_equal(weft_run(run_foreign, WEFT_POINTER(&test), NULL), 0);
    assert_int_equal(test.ran, 9);
    recorder_assert(&test.recorder);
}

static int bad_delays(void *arg)
{
    struct recorder *recorder = arg;
    weft_loop *loop = weft_loop_current();
    weft_call *call = (weft_call *)arg;
    RECORD_INT(recorder, weft_loop_call_later(loop, &call, -1, note, LETTER('x')), -EINVAL);
    RECORD(recorder, call == NULL);
    RECORD_INT(recorder, weft_loop_call_later(loop, &call, NAN, note, LETTER('x')), -EINVAL);
    RECORD_INT(recorder, weft_loop_call_soon(loop, &call, NULL, LETTER('x')), -EINVAL);
    RECORD_INT(recorder, weft_loop_call_soon(NULL, &call, note, LETTER('x')), -EINVAL);
    RECORD_INT(recorder, weft_loop_call_later(loop, &call, INFINITY, note, LETTER('x')), 0);
    weft_release(call);
    return 0;
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    diary test = {0};
    pages = &test;
    assert_int_equal(in_a_task(bad_delays, &recorder), 0);
    assert_int_equal(test.count, 0);
    recorder_assert(&recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(calls_run_in_order_after_what_is_ready),
        weft_test(later_calls_run_by_their_times),
        weft_test(a_cancelled_call_never_begins),
        weft_test(a_call_may_wait),
        weft_test(calls_that_are_left_end_with_the_loop),
        weft_test(all_calls_that_are_left_end),
        weft_test(a_call_that_waits_is_cancelled_at_the_end),
        weft_test(calls_come_from_any_thread),
        weft_test(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
