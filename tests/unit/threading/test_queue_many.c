/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <weft.h>

#include "support/coroutines.h"
#include "support/support.h"

enum { MANY = 100 };

static weft_queue *new_queue(size_t maxsize, size_t item_size)
{
    weft_queue *queue;
    const weft_queue_options options = {.maxsize = maxsize, .item_size = item_size};
    assert_int_equal(weft_queue_open(&queue, &options), 0);
    return queue;
}

static void settle(weft_runner *runner)
{
    for (int i = 0; i < 4; i++)
        weft_runner_turn(runner, WEFT_INSTANT_NOW);
}

static const int *numbers(void)
{
    static int all[MANY];
    for (int i = 0; i < MANY; i++)
        all[i] = i;
    return all;
}

static void all_go_in_and_come_out_in_their_order(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(0, sizeof(int));
    int got[MANY + 1];
    assert_int_equal(weft_queue_put_many(queue, numbers(), sizeof(int), MANY, WEFT_NOWAIT), MANY);
    assert_int_equal(weft_queue_qsize(queue), MANY);
    assert_int_equal(weft_queue_unfinished(queue), MANY);
    assert_int_equal(weft_queue_get_many(queue, got, sizeof(int), 30, WEFT_NOWAIT), 30);
    assert_int_equal(weft_queue_get_many(queue, got + 30, sizeof(int), MANY, WEFT_FOREVER),
                     MANY - 30);
    assert_memory_equal(got, numbers(), MANY * sizeof(int));
    assert_int_equal(weft_queue_get_many(queue, got, sizeof(int), MANY, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_queue_put_many(queue, numbers(), sizeof(int), 0, WEFT_FOREVER), 0);
    weft_release(queue);
}

static void they_leave_in_the_order_of_the_queue(void **state)
{
    (void)state;
    static const weft_queue_order orders[] = {WEFT_QUEUE_LIFO, WEFT_QUEUE_PRIORITY};
    static const int in[] = {4, 1, 3, 1, 2}, out[2][5] = {{2, 1, 3, 1, 4}, {1, 1, 2, 3, 4}};
    for (int i = 0; i < 2; i++) {
        weft_queue *queue;
        const weft_queue_options options = {.order = orders[i], .item_size = sizeof(int)};
        int got[5];
        assert_int_equal(weft_queue_open(&queue, &options), 0);
        assert_int_equal(weft_queue_put_many(queue, in, sizeof(int), 5, WEFT_NOWAIT), 5);
        assert_int_equal(weft_queue_get_many(queue, got, sizeof(int), 5, WEFT_NOWAIT), 5);
        assert_memory_equal(got, out[i], sizeof(got));
        weft_release(queue);
    }
}

static void as_many_as_there_is_room_for(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(7, sizeof(int));
    assert_int_equal(weft_queue_put_many(queue, numbers(), sizeof(int), 5, WEFT_NOWAIT), 5);
    assert_int_equal(weft_queue_put_many(queue, numbers(), sizeof(int), 5, WEFT_NOWAIT), 2);
    assert_int_equal(weft_queue_put_many(queue, numbers(), sizeof(int), 5, WEFT_NOWAIT),
                     -ETIMEDOUT);
    assert_int_equal(weft_queue_put_many(queue, numbers(), sizeof(int), 5, 0.001), -ETIMEDOUT);
    assert_int_equal(weft_queue_qsize(queue), 7);
    weft_release(queue);
}

static void large_items_too(void **state)
{
    (void)state;
    static char data[5][300], got[6][300];
    weft_queue *queue = new_queue(0, 0);
    for (int i = 0; i < 5; i++)
        memset(data[i], 'a' + i, sizeof(data[i]));
    assert_int_equal(weft_queue_put_many(queue, data, sizeof(data[0]), 5, WEFT_NOWAIT), 5);
    assert_int_equal(weft_queue_get_many(queue, got, sizeof(got[0]), 2, WEFT_NOWAIT), 2);
    assert_int_equal(weft_queue_get_many(queue, got + 2, sizeof(got[0]), 4, WEFT_NOWAIT), 3);
    assert_memory_equal(got, data, sizeof(data));
    weft_release(queue);
}

static void an_item_of_another_size_is_left(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(0, 0);
    char got[4][3];
    assert_int_equal(weft_queue_put_many(queue, "abcdef", 3, 2, WEFT_NOWAIT), 2);
    assert_int_equal(weft_queue_put(queue, "xy", 2, WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_put(queue, "ghi", 3, WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_get_many(queue, got, 3, 4, WEFT_NOWAIT), 2);
    assert_memory_equal(got, "abcdef", 6);
    assert_int_equal(weft_queue_get_many(queue, got, 3, 4, WEFT_NOWAIT), -EMSGSIZE);
    assert_int_equal(weft_queue_get_many(queue, got, 2, 4, WEFT_NOWAIT), 1);
    assert_int_equal(weft_queue_get_many(queue, got, 3, 4, WEFT_NOWAIT), 1);
    assert_memory_equal(got, "ghi", 3);
    weft_release(queue);
}

static void the_empty_item_is_an_end_mark(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(0, sizeof(int));
    int got[MANY];
    assert_int_equal(weft_queue_put_many(queue, numbers(), sizeof(int), 3, WEFT_NOWAIT), 3);
    assert_int_equal(weft_queue_put_many(queue, WEFT_NONE, 2, WEFT_NOWAIT), 2);
    assert_int_equal(weft_queue_get_many(queue, got, sizeof(int), MANY, WEFT_NOWAIT), 3);
    assert_int_equal(weft_queue_get_many(queue, got, sizeof(int), MANY, WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_get_many(queue, got, sizeof(int), MANY, WEFT_NOWAIT), 0);
    assert_true(weft_queue_empty(queue));
    weft_release(queue);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(0, sizeof(int));
    int n[2] = {0};
    assert_int_equal(weft_queue_put_many(NULL, n, sizeof(int), 2, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_queue_get_many(NULL, n, sizeof(int), 2, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_queue_put_many(queue, NULL, sizeof(int), 2, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_queue_get_many(queue, NULL, sizeof(int), 2, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_queue_get_many(queue, n, 0, 2, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_queue_get_many(queue, n, sizeof(int), 0, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_queue_put_many(queue, n, 3, 2, WEFT_NOWAIT), -EMSGSIZE);
    assert_int_equal(weft_queue_put_many(queue, n, sizeof(int), 2, (double)NAN), -EINVAL);
    assert_int_equal(weft_queue_get_many(queue, n, sizeof(int), 2, (double)NAN), -EINVAL);
    assert_true(weft_queue_empty(queue));
    weft_release(queue);
}

static void none_go_into_one_that_was_shut_down(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(0, sizeof(int));
    int got[2];
    assert_int_equal(weft_queue_put_many(queue, numbers(), sizeof(int), 1, WEFT_NOWAIT), 1);
    weft_queue_shutdown(queue, WEFT_SHUTDOWN_DRAIN);
    assert_int_equal(weft_queue_put_many(queue, numbers(), sizeof(int), 2, WEFT_FOREVER),
                     WEFT_ESHUTDOWN);
    assert_int_equal(weft_queue_get_many(queue, got, sizeof(int), 2, WEFT_FOREVER), 1);
    assert_int_equal(weft_queue_get_many(queue, got, sizeof(int), 2, WEFT_FOREVER), WEFT_ESHUTDOWN);
    weft_release(queue);
}

typedef struct party {
    weft_queue *queue;
    int put, next, scoped;
    double timeout;
} party;

static void put_all(void *arg)
{
    party *p = arg;
    p->put = weft_queue_put_many(p->queue, numbers(), sizeof(int), MANY, p->timeout);
    p->next = weft_sleep(0);
}

static void it_waits_until_all_are_in(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(10, sizeof(int));
    party putter = {queue, 1, 1, 0, WEFT_FOREVER};
    int got[MANY];
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    coroutine_spawn(runner, &left, put_all, &putter);
    for (int n = 0; n < MANY; n += 10) {
        settle(runner);
        assert_int_equal(weft_queue_qsize(queue), 10);
        assert_int_equal(weft_queue_get_many(queue, got + n, sizeof(int), MANY, WEFT_NOWAIT), 10);
    }
    coroutines_run(runner, &left);
    assert_int_equal(putter.put, MANY);
    assert_int_equal(putter.next, 0);
    assert_memory_equal(got, numbers(), sizeof(got));
    weft_runner_close(runner);
    weft_release(queue);
}

static void the_time_up_in_between_is_a_count(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(10, sizeof(int));
    party putter = {queue, 1, 1, 0, 0.001};
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    coroutine_spawn(runner, &left, put_all, &putter);
    coroutines_run(runner, &left);
    assert_int_equal(putter.put, 10);
    assert_int_equal(putter.next, 0);
    weft_runner_close(runner);
    weft_release(queue);
}

static void a_cancel_in_between_ends_the_next_wait(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(10, sizeof(int));
    party putter = {queue, 1, 1, 0, WEFT_FOREVER};
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    weft_context *context = coroutine_spawn(runner, &left, put_all, &putter);
    settle(runner);
    weft_context_cancel(context);
    coroutines_run(runner, &left);
    assert_int_equal(putter.put, 10);
    assert_int_equal(putter.next, -ECANCELED);

    /* with nothing put it is told at once, and once */
    context = coroutine_spawn(runner, &left, put_all, &putter);
    settle(runner);
    weft_context_cancel(context);
    coroutines_run(runner, &left);
    assert_int_equal(putter.put, -ECANCELED);
    assert_int_equal(putter.next, 0);
    weft_runner_close(runner);
    weft_release(queue);
}

static void put_in_a_scope(void *arg)
{
    party *p = arg;
    int outer = weft_timeout_begin(0.001);
    weft_sleep(1);
    int scope = weft_timeout_begin(0.001);
    p->put = weft_queue_put_many(p->queue, numbers(), sizeof(int), MANY, WEFT_FOREVER);
    p->next = weft_sleep(1);
    p->scoped = weft_timeout_end(scope, p->next);
    p->next = weft_timeout_end(outer, weft_sleep(0));
}

static void so_does_the_end_of_a_scope(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(10, sizeof(int));
    party putter = {queue, 1, 1, 0, WEFT_FOREVER};
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    coroutine_spawn(runner, &left, put_in_a_scope, &putter);
    coroutines_run(runner, &left);
    assert_int_equal(putter.put, 10);
    assert_int_equal(putter.scoped, -ETIMEDOUT);
    assert_int_equal(putter.next, 0); /* the outer scope has ended its wait before */
    weft_runner_close(runner);
    weft_release(queue);
}

static void the_end_in_between_is_a_count(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(10, sizeof(int));
    party putter = {queue, 1, 1, 0, WEFT_FOREVER};
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    coroutine_spawn(runner, &left, put_all, &putter);
    settle(runner);
    weft_queue_shutdown(queue, WEFT_SHUTDOWN_DRAIN);
    coroutines_run(runner, &left);
    assert_int_equal(putter.put, 10);
    assert_int_equal(putter.next, 0);
    weft_runner_close(runner);
    weft_release(queue);
}

static void get_all(void *arg)
{
    party *p = arg;
    int got[MANY];
    p->put = weft_queue_get_many(p->queue, got, sizeof(int), MANY, p->timeout);
}

static void a_batch_wakes_as_many_as_it_can_serve(void **state)
{
    (void)state;
    enum { GETTERS = 20 };
    weft_queue *queue = new_queue(0, sizeof(int));
    party getters[GETTERS];
    unsigned left = 0;
    int sum = 0;
    weft_runner *runner = coroutines_open();
    for (int i = 0; i < GETTERS; i++) {
        getters[i] = (party){queue, 0, 0, 0, WEFT_FOREVER};
        coroutine_spawn(runner, &left, get_all, &getters[i]);
    }
    settle(runner);
    assert_int_equal(weft_queue_put_many(queue, numbers(), sizeof(int), GETTERS - 3, WEFT_NOWAIT),
                     GETTERS - 3);
    settle(runner);
    assert_int_equal(left, 3);
    weft_queue_put_many(queue, numbers(), sizeof(int), MANY, WEFT_NOWAIT);
    coroutines_run(runner, &left);
    for (int i = 0; i < GETTERS; i++)
        sum += getters[i].put;
    assert_int_equal(sum, GETTERS - 3 + MANY - weft_queue_qsize(queue));
    weft_runner_close(runner);
    weft_release(queue);
}

static void they_go_through_a_shared_one(void **state)
{
    (void)state;
    weft_queue *queue;
    const weft_queue_options options = {.maxsize = 50, .shared = true};
    int got[MANY];
    assert_int_equal(weft_queue_open(&queue, &options), 0);
    assert_int_equal(weft_queue_maxsize(queue), 50);
    assert_int_equal(weft_queue_put_many(queue, numbers(), sizeof(int), MANY, WEFT_NOWAIT), 50);
    assert_true(weft_queue_full(queue));
    assert_int_equal(weft_queue_unfinished(queue), 50);
    assert_int_equal(weft_queue_get_many(queue, got, sizeof(int), 48, WEFT_NOWAIT), 48);
    assert_memory_equal(got, numbers(), 48 * sizeof(int));
    assert_int_equal(weft_queue_put(queue, WEFT_NONE, WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_put(queue, "ab", 2, WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_get_many(queue, got, sizeof(int), MANY, WEFT_NOWAIT), 2);
    assert_int_equal(weft_queue_get_many(queue, got, sizeof(int), MANY, WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_get_many(queue, got, sizeof(int), MANY, WEFT_NOWAIT), -EMSGSIZE);
    assert_int_equal(weft_queue_get_many(queue, got, 2, MANY, WEFT_NOWAIT), 1);
    assert_int_equal(weft_queue_get_many(queue, got, 2, MANY, WEFT_NOWAIT), -ETIMEDOUT);
    assert_true(weft_queue_empty(queue));
    assert_false(weft_queue_is_shutdown(queue));
    weft_queue_shutdown(queue, WEFT_SHUTDOWN_DRAIN);
    assert_true(weft_queue_is_shutdown(queue));
    assert_int_equal(weft_queue_put_many(queue, numbers(), sizeof(int), 2, WEFT_NOWAIT),
                     WEFT_ESHUTDOWN);
    weft_release(queue);
}

static int shut_down(void **state)
{
    (void)state;
    return weft_shutdown(WEFT_FOREVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(all_go_in_and_come_out_in_their_order),
        weft_test(they_leave_in_the_order_of_the_queue),
        weft_test(as_many_as_there_is_room_for),
        weft_test(large_items_too),
        weft_test(an_item_of_another_size_is_left),
        weft_test(the_empty_item_is_an_end_mark),
        weft_test(misuse_is_refused),
        weft_test(none_go_into_one_that_was_shut_down),
        weft_test(it_waits_until_all_are_in),
        weft_test(the_time_up_in_between_is_a_count),
        weft_test(a_cancel_in_between_ends_the_next_wait),
        weft_test(so_does_the_end_of_a_scope),
        weft_test(the_end_in_between_is_a_count),
        weft_test(a_batch_wakes_as_many_as_it_can_serve),
        weft_test(they_go_through_a_shared_one),
    };
    return cmocka_run_group_tests(tests, NULL, shut_down);
}
