/* SPDX-License-Identifier: MIT */
#include "support/places.h"

static weft_future *open_future(void)
{
    weft_future *future;
    assert_int_equal(weft_future_open(&future), 0);
    return future;
}

static void a_result_can_be_set_once(void **state)
{
    (void)state;
    double given = 0.25, got = 0;
    weft_future *future = open_future();
    assert_false(weft_done(future));
    assert_int_equal(weft_future_set_result(future, WEFT_ARG(given)), 0);
    given = 1;
    assert_true(weft_done(future));
    assert_int_equal(weft_result(future, WEFT_OUT(got), WEFT_FOREVER), 0);
    assert_true(got == 0.25);
    assert_int_equal(weft_future_set_result(future, WEFT_NONE), WEFT_EINVALID_STATE);
    assert_int_equal(weft_future_set_exception(future, -EIO, NULL), WEFT_EINVALID_STATE);
    assert_int_equal(weft_result(future, WEFT_OUT(got), WEFT_FOREVER), 0);
    weft_release(future);
}

static void no_bytes_are_the_number_zero(void **state)
{
    (void)state;
    int number = 5;
    weft_future *future = open_future();
    assert_int_equal(weft_future_set_result(future, WEFT_NONE), 0);
    assert_int_equal(weft_result(future, WEFT_OUT(number), WEFT_FOREVER), 0);
    assert_int_equal(number, 0);
    weft_release(future);
}

static void a_failure_can_be_set(void **state)
{
    (void)state;
    weft_future *future = open_future();
    char message[] = "it broke";
    assert_int_equal(weft_future_set_exception(future, 0, "no"), -EINVAL);
    assert_int_equal(weft_future_set_exception(future, WEFT_EUSER - 1, message), 0);
    message[0] = 'X';
    assert_int_equal(weft_result(future, WEFT_NONE, WEFT_FOREVER), WEFT_EUSER - 1);
    assert_string_equal(weft_error_message(), "it broke");
    weft_release(future);
    future = open_future();
    assert_int_equal(weft_future_set_exception(future, -EPIPE, NULL), 0);
    assert_int_equal(weft_result(future, WEFT_NONE, WEFT_FOREVER), -EPIPE);
    assert_string_equal(weft_error_message(), "Broken pipe");
    weft_release(future);
}

static void a_cancelled_one_takes_no_result(void **state)
{
    (void)state;
    weft_future *future = open_future();
    assert_int_equal(weft_cancel(future), 1);
    assert_int_equal(weft_future_set_result(future, WEFT_NONE), WEFT_EINVALID_STATE);
    assert_int_equal(weft_future_set_exception(future, -EIO, NULL), WEFT_EINVALID_STATE);
    assert_int_equal(weft_result(future, WEFT_NONE, WEFT_FOREVER), -ECANCELED);
    assert_string_equal(weft_error_message(), "cancelled");
    weft_release(future);
}

static int answer(void *arg)
{
    (void)arg;
    return 1;
}

static void an_executors_future_cannot_be_set(void **state)
{
    (void)state;
    weft_executor *pool;
    weft_future *future;
    weft_thread_pool_open(&pool, NULL);
    weft_submit(pool, &future, answer, WEFT_NONE, &(weft_submit_options){.name = "job"});
    assert_string_equal(weft_handle_name(future), "job");
    assert_int_equal(weft_future_set_result(future, WEFT_NONE), WEFT_EINVALID_STATE);
    assert_int_equal(weft_result(future, WEFT_NONE, WEFT_FOREVER), 1);
    weft_release(future);
    weft_release(pool);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    weft_future *future = open_future();
    assert_int_equal(weft_future_open(NULL), -EINVAL);
    assert_int_equal(weft_future_set_result(future, NULL, 3), -EINVAL);
    assert_int_equal(weft_future_set_result(NULL, WEFT_NONE), -EINVAL);
    assert_int_equal(weft_future_set_exception(NULL, -EIO, NULL), -EINVAL);
    assert_false(weft_done(future));
    weft_release(future);
}

typedef struct race {
    weft_future *future;
    struct gate start;
    int way;
} race;

static int take_part(void *arg)
{
    race *test = *(race **)arg;
    int way = ((int *)arg)[2];
    gate_pass(&test->start);
    if (way == 0)
        return weft_future_set_result(test->future, WEFT_NONE) == 0;
    if (way == 1)
        return weft_future_set_exception(test->future, -EIO, NULL) == 0;
    weft_cancel(test->future);
    return 0;
}

static _Atomic int callbacks;

static void count_callback(void *handle, void *arg)
{
    (void)handle;
    (void)arg;
    callbacks++;
}

static void one_of_many_completes_it(void **state)
{
    (void)state;
    enum { ROUNDS = 200 };
    for (int round = 0; round < ROUNDS; round++) {
        race test = {.future = open_future()};
        weft_thread *threads[3];
        gate_init(&test.start, 3);
        callbacks = 0;
        weft_add_done_callback(test.future, count_callback, NULL);
        for (int way = 0; way < 3; way++) {
            struct {
                race *test;
                int way[2];
            } arg = {&test, {way, 0}};
            weft_thread_start(&threads[way], take_part, WEFT_ARG(arg), NULL);
        }
        int set = 0;
        for (int i = 0; i < 3; i++) {
            set += weft_result(threads[i], WEFT_NONE, WEFT_FOREVER);
            weft_thread_join(threads[i], WEFT_FOREVER);
        }
        int r = weft_result(test.future, WEFT_NONE, WEFT_NOWAIT);
        assert_int_equal(set, r == -ECANCELED ? 0 : 1);
        assert_int_equal(callbacks, 1);
        weft_release_many(threads, 3);
        weft_release(test.future);
        gate_destroy(&test.start);
    }
}

static int wait_and_release(void *arg)
{
    weft_future *future = *(weft_future **)arg;
    int r = weft_wait(future, WEFT_FOREVER);
    weft_release(future);
    return r;
}

static void a_waiter_may_release_it_while_it_is_set(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        weft_future *future = open_future();
        weft_thread *thread;
        weft_retain(future);
        weft_thread_start(&thread, wait_and_release, WEFT_ARG(future), NULL);
        if (round % 2 == 0)
            weft_future_set_result(future, "x", 1);
        else
            weft_cancel(future);
        weft_release(future);
        assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 0);
        weft_release(thread);
    }
}

static void without_memory_for_the_bytes_that_is_the_outcome(void **state)
{
    (void)state;
    weft_future *future = open_future();
    allocator_fail(1, ALLOCATOR_ONWARDS);
    weft_future_set_result(future, "abc", 3);
    allocator_fail(0, ALLOCATOR_ONCE);
    assert_true(weft_done(future)); /* nobody waits for ever */
    assert_int_equal(weft_result(future, WEFT_NONE, WEFT_NOWAIT), -ENOMEM);
    weft_release(future);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(a_result_can_be_set_once),
        weft_test(no_bytes_are_the_number_zero),
        weft_test(a_failure_can_be_set),
        weft_test(a_cancelled_one_takes_no_result),
        weft_test(an_executors_future_cannot_be_set),
        weft_test(bad_arguments_are_refused),
        weft_test(one_of_many_completes_it),
        weft_test(a_waiter_may_release_it_while_it_is_set),
        weft_test(without_memory_for_the_bytes_that_is_the_outcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
