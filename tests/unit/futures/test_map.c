/* SPDX-License-Identifier: MIT */
#include "support/places.h"

#include <math.h>
#include <stdatomic.h>

static weft_executor *open_pool(size_t workers)
{
    weft_executor *pool;
    assert_int_equal(
        weft_thread_pool_open(&pool, &(weft_thread_pool_options){.max_workers = workers}), 0);
    return pool;
}

typedef struct wide {
    int64_t n;
    char text[24];
} wide;

static int widen(void *arg)
{
    wide out = {.n = (int64_t) * (int *)arg * 1000000000};
    return weft_return(WEFT_ARG(out));
}

static int square(void *arg)
{
    return *(int *)arg * *(int *)arg;
}

enum { ITEMS = 500 };
static int numbers[ITEMS];

static int results_in_order(void *arg)
{
    struct recorder *recorder = arg;
    static int squares[ITEMS];
    static wide wides[ITEMS];
    weft_executor *pool;
    weft_thread_pool_open(&pool, &(weft_thread_pool_options){.max_workers = 3});
    for (int i = 0; i < ITEMS; i++)
        numbers[i] = i;
    RECORD_INT(recorder,
               weft_map(pool, square, numbers, sizeof(int), ITEMS, squares, sizeof(int), NULL), 0);
    RECORD_INT(recorder,
               weft_map(pool, widen, numbers, sizeof(int), ITEMS, wides, sizeof(wide), NULL), 0);
    for (int i = 0; i < ITEMS; i++) {
        RECORD_INT(recorder, squares[i], i * i);
        RECORD(recorder, wides[i].n == (int64_t)i * 1000000000);
    }
    RECORD_INT(recorder, weft_map(pool, square, numbers, sizeof(int), ITEMS, NULL, 0, NULL), 0);
    weft_release(pool);
    return 0;
}

static void results_come_in_the_order_of_the_items(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    in_each_place(results_in_order, &recorder);
    recorder_assert(&recorder);
}

static atomic_int running, most, started;

static int count_running(void *arg)
{
    int now = atomic_fetch_add(&running, 1) + 1;
    atomic_fetch_add(&started, 1);
    int seen = atomic_load(&most);
    while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
        ;
    int r = weft_sleep(0.0001);
    atomic_fetch_sub(&running, 1);
    return r < 0 ? r : *(int *)arg;
}

static void as_many_as_twice_its_width_are_in_work(void **state)
{
    (void)state;
    weft_executor *pool = open_pool(2);
    atomic_store(&most, 0);
    assert_int_equal(weft_map(pool, count_running, numbers, sizeof(int), 100, NULL, 0, NULL), 0);
    assert_true(atomic_load(&most) <= 4); /* they wait, so both rounds of the window may run */
    assert_int_equal(atomic_load(&running), 0);
    weft_release(pool);
}

/* The failure by index is the one that is told, even if a later one came first. */
typedef struct failing {
    int index;
    struct gate *last_failed;
} failing;

static int fail_in_turn(void *arg)
{
    failing *item = arg;
    atomic_fetch_add(&started, 1);
    if (item->index == 1) {
        gate_wait(item->last_failed);
        return weft_error(-ERANGE, "item 1");
    }
    if (item->index == 2) {
        gate_arrive(item->last_failed);
        return weft_error(-EDOM, "item 2");
    }
    return 0;
}

static void the_first_failure_by_index_is_told(void **state)
{
    (void)state;
    weft_executor *pool = open_pool(4);
    struct gate last_failed;
    failing items[200];
    gate_init(&last_failed, 1);
    atomic_store(&started, 0);
    for (int i = 0; i < 200; i++)
        items[i] = (failing){i, &last_failed};
    assert_int_equal(weft_map(pool, fail_in_turn, items, sizeof items[0], 200, NULL, 0, NULL),
                     -ERANGE);
    assert_string_equal(weft_error_message(), "item 1");
    assert_true(atomic_load(&started) < 200); /* what had not begun was left */
    weft_release(pool);
    weft_shutdown(WEFT_FOREVER);
    gate_destroy(&last_failed);
}

/* After a failure what runs is waited for, and not disturbed. */
typedef struct company {
    int index;
    atomic_int *ended;
    atomic_int *cancelled;
    struct gate *other_runs;
} company;

static int fail_or_go_on(void *arg)
{
    company *item = arg;
    if (item->index == 0) {
        gate_wait(item->other_runs);
        return weft_error(-EIO, "the failure");
    }
    gate_arrive(item->other_runs);
    int r = weft_sleep(0.01);
    atomic_fetch_add(item->cancelled, r == -ECANCELED);
    atomic_fetch_add(item->ended, 1);
    return 0;
}

static void what_runs_is_waited_for_after_a_failure(void **state)
{
    (void)state;
    weft_executor *pool = open_pool(2);
    atomic_int ended = 0, cancelled = 0;
    struct gate other_runs;
    gate_init(&other_runs, 1);
    company items[2] = {{0, &ended, &cancelled, &other_runs}, {1, &ended, &cancelled, &other_runs}};
    assert_int_equal(weft_map(pool, fail_or_go_on, items, sizeof items[0], 2, NULL, 0, NULL), -EIO);
    assert_int_equal(atomic_load(&ended), 1);
    assert_int_equal(atomic_load(&cancelled), 0);
    assert_string_equal(weft_error_message(), "the failure");
    gate_destroy(&other_runs);
    weft_release(pool);
}

typedef struct late {
    weft_executor *pool;
    struct gate other_runs, failed;
    int next; /* what the next wait says */
} late;

typedef struct late_item {
    int index;
    late *test;
} late_item;

static int fail_or_sleep_on(void *arg)
{
    late_item *item = arg;
    if (item->index > 0) {
        gate_arrive(&item->test->other_runs);
        return weft_sleep(WEFT_FOREVER);
    }
    gate_wait(&item->test->other_runs);
    gate_arrive(&item->test->failed);
    return weft_error(-EIO, "the failure");
}

static int map_and_wait(void *arg)
{
    late *test = arg;
    late_item items[2] = {{0, test}, {1, test}};
    int r = weft_map(test->pool, fail_or_sleep_on, items, sizeof items[0], 2, NULL, 0, NULL);
    test->next = weft_sleep(0.05);
    return r;
}

/* A cancel comes later and later, until it comes when the failure has been seen. */
static void a_cancel_after_a_failure_is_not_lost(void **state)
{
    (void)state;
    late test = {.pool = open_pool(2)};
    int r = -ECANCELED;
    for (double delay = 0.001; r == -ECANCELED; delay *= 2) {
        weft_thread *thread;
        gate_init(&test.other_runs, 1);
        gate_init(&test.failed, 1);
        assert_int_equal(weft_thread_start(&thread, map_and_wait, WEFT_POINTER(&test), NULL), 0);
        gate_wait(&test.failed);
        weft_sleep(delay);
        assert_int_equal(weft_cancel(thread), 1);
        r = weft_result(thread, WEFT_NONE, WEFT_FOREVER);
        weft_release(thread);
        gate_destroy(&test.other_runs);
        gate_destroy(&test.failed);
    }
    assert_int_equal(r, -EIO);
    assert_int_equal(test.next, -ECANCELED);
    /* who ran has been asked to stop */
    assert_int_equal(weft_executor_shutdown(test.pool, WEFT_SHUTDOWN_DRAIN, 10), 0);
    weft_release(test.pool);
}

static int sleep_for_ever(void *arg)
{
    (void)arg;
    return weft_sleep(WEFT_FOREVER);
}

static void time_up_asks_all_to_stop(void **state)
{
    (void)state;
    weft_executor *pool = open_pool(2);
    assert_int_equal(weft_map(pool, sleep_for_ever, numbers, sizeof(int), 100, NULL, 0,
                              &(weft_map_options){.timeout = 0.002}),
                     -ETIMEDOUT);
    assert_int_equal(weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER), 0);
    weft_release(pool);
}

static int map_for_ever(void *arg)
{
    weft_executor *pool = arg;
    return weft_map(pool, sleep_for_ever, numbers, sizeof(int), 10, NULL, 0, NULL);
}

static void a_cancel_ends_it(void **state)
{
    (void)state;
    weft_executor *pool = open_pool(2);
    weft_thread *thread;
    weft_thread_start(&thread, map_for_ever, WEFT_POINTER(pool), NULL);
    weft_wait(thread, 0.002);
    assert_int_equal(weft_cancel(thread), 1);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), -ECANCELED);
    weft_release(thread);
    assert_int_equal(weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER), 0);
    weft_release(pool);
}

static void another_size_of_results_is_refused(void **state)
{
    (void)state;
    weft_executor *pool = open_pool(2);
    char small[10];
    assert_int_equal(weft_map(pool, square, numbers, sizeof(int), 10, small, 1, NULL), -EMSGSIZE);
    weft_release(pool);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    weft_executor *pool = open_pool(2);
    int out[2];
    assert_int_equal(weft_map(pool, square, NULL, 4, 2, out, 4, NULL), -EINVAL);
    assert_int_equal(weft_map(pool, square, numbers, 0, 2, out, 4, NULL), -EINVAL);
    assert_int_equal(weft_map(pool, NULL, numbers, 4, 2, out, 4, NULL), -EINVAL);
    assert_int_equal(weft_map(pool, square, numbers, 4, 2, out, SIZE_MAX / 2 + 1, NULL), -EINVAL);
    assert_int_equal(
        weft_map(pool, square, numbers, 4, 2, out, 4, &(weft_map_options){.timeout = NAN}),
        -EINVAL);
    assert_int_equal(weft_map(NULL, square, numbers, 4, 2, out, 4, NULL), -EINVAL);
    assert_int_equal(weft_map(pool, square, NULL, 0, 0, NULL, 0, NULL), 0);
    weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER);
    assert_int_equal(weft_map(pool, square, numbers, 4, 2, out, 4, NULL), WEFT_ESHUTDOWN);
    weft_release(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(results_come_in_the_order_of_the_items),
        weft_test(as_many_as_twice_its_width_are_in_work),
        weft_test(the_first_failure_by_index_is_told),
        weft_test(what_runs_is_waited_for_after_a_failure),
        weft_test(a_cancel_after_a_failure_is_not_lost),
        weft_test(time_up_asks_all_to_stop),
        weft_test(a_cancel_ends_it),
        weft_test(another_size_of_results_is_refused),
        weft_test(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
