/* SPDX-License-Identifier: MIT */
#include "support/places.h"

#include <math.h>

static int number(void *arg)
{
    int r = weft_sleep(0.0005 * (5 - *(int *)arg));
    return r < 0 ? r : *(int *)arg;
}

static int fails(void *arg)
{
    int r = weft_sleep(0.001);
    return r < 0 ? r : weft_error(*(int *)arg, "failure of %d", *(int *)arg);
}

static int sleeps_long(void *arg)
{
    (void)arg;
    return weft_sleep(WEFT_FOREVER);
}

static int waits_for_all(void *arg)
{
    struct recorder *recorder = arg;
    weft_task *tasks[5];
    for (int i = 0; i < 5; i++)
        weft_task_start(&tasks[i], number, WEFT_ARG(i), NULL);
    RECORD_INT(recorder, weft_gather(tasks, 5, WEFT_FOREVER), 0);
    for (int i = 0; i < 5; i++)
        RECORD_INT(recorder, weft_result(tasks[i], WEFT_NONE, WEFT_NOWAIT), i);
    RECORD_INT(recorder, weft_gather(tasks, 5, WEFT_NOWAIT), 0);
    weft_release_many(tasks, 5);
    return 0;
}

static void it_waits_for_all(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    assert_int_equal(in_a_task(waits_for_all, &recorder), 0);
    recorder_assert(&recorder);
}

static int first_failure(void *arg)
{
    struct recorder *recorder = arg;
    weft_task *tasks[3];
    weft_task_start(&tasks[0], sleeps_long, WEFT_NONE, NULL);
    weft_task_start(&tasks[1], fails, WEFT_ARG((int){-ENOENT}), NULL);
    weft_task_start(&tasks[2], number, WEFT_ARG((int){5}), NULL);
    RECORD_INT(recorder, weft_gather(tasks, 3, WEFT_FOREVER), -ENOENT);
    RECORD(recorder, strcmp(weft_error_message(), "failure of -2") == 0);
    weft_sleep(0);
    RECORD(recorder, !weft_done(tasks[0])); /* the others go on */
    RECORD_INT(recorder, weft_result(tasks[2], WEFT_NONE, WEFT_FOREVER), 5);
    RECORD_INT(recorder, weft_gather(tasks, 3, WEFT_FOREVER), -ENOENT); /* it has failed already */
    weft_cancel(tasks[0]);
    weft_wait(tasks[0], WEFT_FOREVER);
    weft_release_many(tasks, 3);
    return 0;
}

static void the_first_failure_ends_it_and_the_others_go_on(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    assert_int_equal(in_a_task(first_failure, &recorder), 0);
    recorder_assert(&recorder);
}

static int lone_cancel(void *arg)
{
    struct recorder *recorder = arg;
    weft_task *tasks[2];
    weft_task_start(&tasks[0], sleeps_long, WEFT_NONE, NULL);
    weft_task_start(&tasks[1], sleeps_long, WEFT_NONE, NULL);
    weft_sleep(0);
    weft_cancel(tasks[1]);
    RECORD_INT(recorder, weft_gather(tasks, 2, WEFT_FOREVER), -ECANCELED);
    RECORD(recorder, !weft_cancelled()); /* it was the child */
    weft_cancel(tasks[0]);
    weft_wait(tasks[0], WEFT_FOREVER);
    weft_release_many(tasks, 2);
    return 0;
}

static void a_cancelled_child_is_a_failure(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    assert_int_equal(in_a_task(lone_cancel, &recorder), 0);
    recorder_assert(&recorder);
}

typedef struct outer {
    struct recorder recorder;
    weft_task *tasks[2];
} outer;

static int gathers(void *arg)
{
    outer *test = arg;
    int r = weft_gather(test->tasks, 2, WEFT_FOREVER);
    RECORD(&test->recorder, weft_cancelled());
    return r;
}

static int outer_cancel(void *arg)
{
    outer *test = arg;
    weft_task *gatherer;
    weft_task_start(&test->tasks[0], sleeps_long, WEFT_NONE, NULL);
    weft_task_start(&test->tasks[1], sleeps_long, WEFT_NONE, NULL);
    weft_task_start(&gatherer, gathers, WEFT_POINTER(test), NULL);
    weft_sleep(0);
    weft_sleep(0);
    RECORD_INT(&test->recorder, weft_cancel(gatherer), 1);
    RECORD_INT(&test->recorder, weft_result(gatherer, WEFT_NONE, WEFT_FOREVER), -ECANCELED);
    for (int i = 0; i < 2; i++)
        RECORD_INT(&test->recorder, weft_result(test->tasks[i], WEFT_NONE, WEFT_FOREVER),
                   -ECANCELED);
    weft_release(gatherer);
    weft_release_many(test->tasks, 2);
    return 0;
}

static void a_cancel_of_the_wait_is_passed_on(void **state)
{
    (void)state;
    outer test = {.tasks = {NULL, NULL}};
    assert_int_equal(weft_run(outer_cancel, WEFT_POINTER(&test), NULL), 0);
    recorder_assert(&test.recorder);
}

static int time_up(void *arg)
{
    struct recorder *recorder = arg;
    weft_task *tasks[2];
    weft_task_start(&tasks[0], sleeps_long, WEFT_NONE, NULL);
    weft_task_start(&tasks[1], number, WEFT_ARG((int){5}), NULL);
    RECORD_INT(recorder, weft_gather(tasks, 2, WEFT_NOWAIT), -ETIMEDOUT);
    RECORD_INT(recorder, weft_gather(tasks, 2, 0.001), -ETIMEDOUT);
    RECORD(recorder, !weft_done(tasks[0])); /* time up cancels nobody */
    int scope = weft_timeout_begin(0.001);  /* the end of a scope is a cancel of the wait */
    int r = weft_gather(tasks, 2, WEFT_FOREVER);
    RECORD_INT(recorder, weft_timeout_end(scope, r), -ETIMEDOUT);
    RECORD_INT(recorder, weft_result(tasks[0], WEFT_NONE, WEFT_FOREVER), -ECANCELED);
    weft_release_many(tasks, 2);
    return 0;
}

static void time_up_leaves_the_children(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    assert_int_equal(in_a_task(time_up, &recorder), 0);
    recorder_assert(&recorder);
}

static int mixed(void *arg)
{
    struct recorder *recorder = arg;
    weft_thread *thread;
    weft_future *future, *job;
    weft_executor *pool;
    weft_popen *popen;
    const char *const argv[] = {"/bin/true", NULL};
    weft_thread_pool_open(&pool, NULL);
    weft_thread_start(&thread, number, WEFT_ARG((int){1}), NULL);
    weft_submit(pool, &job, number, WEFT_ARG((int){2}), NULL);
    weft_future_open(&future);
    weft_popen_start(&popen, argv, NULL);
    void *handles[] = {thread, NULL, job, future, popen};
    RECORD_INT(recorder, weft_gather(handles, 5, 0.0005), -ETIMEDOUT);
    weft_future_set_result(future, WEFT_NONE);
    RECORD_INT(recorder, weft_gather(handles, 5, WEFT_FOREVER), 0);
    weft_release_many(handles, 5);
    weft_release(pool);
    return 0;
}

static void any_handles_can_be_gathered_anywhere(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    in_each_place(mixed, &recorder);
    recorder_assert(&recorder);
}

static void none_and_bad_ones(void **state)
{
    (void)state;
    weft_event event = {0};
    weft_source *source;
    void *none[2] = {NULL, NULL};
    weft_source_from_event(&source, &event);
    void *handles[] = {source};
    assert_int_equal(weft_gather(none, 2, WEFT_FOREVER), 0);
    assert_int_equal(weft_gather(none, 0, WEFT_FOREVER), 0);
    assert_int_equal(weft_gather((void **)NULL, 0, WEFT_FOREVER), 0);
    assert_int_equal(weft_gather((void **)NULL, 1, WEFT_FOREVER), -EINVAL);
    assert_int_equal(weft_gather(handles, 1, WEFT_FOREVER), -ENOTSUP);
    assert_int_equal(weft_gather(none, 2, NAN), -EINVAL);
    weft_release(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(it_waits_for_all),
        weft_test(the_first_failure_ends_it_and_the_others_go_on),
        weft_test(a_cancelled_child_is_a_failure),
        weft_test(a_cancel_of_the_wait_is_passed_on),
        weft_test(time_up_leaves_the_children),
        weft_test(any_handles_can_be_gathered_anywhere),
        weft_test(none_and_bad_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
