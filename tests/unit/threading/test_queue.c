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

static void items_come_out_in_their_order(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(0, sizeof(int));
    int n, in = 0, out = 0;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 100; i++, in++)
            assert_int_equal(weft_queue_put(queue, WEFT_ARG(in), WEFT_FOREVER), 0);
        for (int i = 0; i < 90; i++, out++) {
            assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_FOREVER), sizeof(n));
            assert_int_equal(n, out);
        }
    }
    assert_int_equal(weft_queue_qsize(queue), 500);
    weft_release(queue);
}

static void a_full_one_times_out(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(2, sizeof(int));
    int n = 1;
    assert_int_equal(weft_queue_put(queue, WEFT_ARG(n), WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG(n), WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG(n), WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG(n), 0.001), -ETIMEDOUT);
    assert_int_equal(weft_queue_qsize(queue), 2);
    weft_release(queue);
}

static void an_empty_one_times_out(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(0, 0);
    char buffer[4];
    weft_bytes bytes;
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(buffer), WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(buffer), 0.001), -ETIMEDOUT);
    assert_int_equal(weft_queue_get_bytes(queue, &bytes, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(buffer), (double)NAN), -EINVAL);
    weft_release(queue);
}

static void the_empty_item_is_an_end_mark(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(0, sizeof(int));
    int n = 7;
    weft_bytes bytes;
    assert_int_equal(weft_queue_put(queue, WEFT_ARG(n), WEFT_FOREVER), 0);
    assert_int_equal(weft_queue_put(queue, WEFT_NONE, WEFT_FOREVER), 0);
    assert_int_equal(weft_queue_put(queue, WEFT_NONE, WEFT_FOREVER), 0);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_FOREVER), sizeof(n));
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_FOREVER), 0);
    assert_int_equal(weft_queue_get_bytes(queue, &bytes, WEFT_FOREVER), 0);
    assert_null(bytes.data);
    weft_release(queue);
}

static void items_of_any_size(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(0, 0);
    static const size_t sizes[] = {1, 8, 23, 24, 25, 300, 70000};
    static unsigned char data[70000], back[70000];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(i * 7);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
            assert_int_equal(weft_queue_put(queue, data, sizes[i], WEFT_FOREVER), 0);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            weft_bytes bytes = {back, 0};
            int r = round == 0 ? weft_queue_get(queue, back, sizeof(back), WEFT_FOREVER)
                               : weft_queue_get_bytes(queue, &bytes, WEFT_FOREVER);
            assert_int_equal(r, sizes[i]);
            assert_memory_equal(bytes.data, data, sizes[i]);
            if (round == 1) {
                assert_int_equal(((char *)bytes.data)[r], 0);
                weft_free(bytes.data);
            }
        }
    }
    assert_int_equal(weft_queue_put(queue, data, 500, WEFT_FOREVER), 0); /* dropped with it */
    weft_release(queue);
}

static void an_item_that_does_not_fit_stays(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(0, 0);
    char small[3], large[5];
    assert_int_equal(weft_queue_put(queue, "abcde", 5, WEFT_FOREVER), 0);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(small), WEFT_FOREVER), -EMSGSIZE);
    assert_non_null(strstr(weft_error_message(), "5 bytes"));
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(large), WEFT_FOREVER), 5);
    assert_memory_equal(large, "abcde", 5);
    weft_release(queue);
}

static void an_item_of_another_size_is_refused(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(0, 8);
    assert_int_equal(weft_queue_put(queue, "abcd", 4, WEFT_FOREVER), -EMSGSIZE);
    assert_int_equal(weft_queue_qsize(queue), 0);
    weft_release(queue);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    weft_event event = {0};
    weft_source *source;
    weft_queue *queue;
    int n = 0;
    assert_int_equal(weft_queue_put(NULL, WEFT_ARG(n), WEFT_FOREVER), -EINVAL);
    assert_int_equal(weft_queue_get(NULL, WEFT_OUT(n), WEFT_FOREVER), -EINVAL);
    assert_int_equal(weft_queue_qsize(NULL), -EINVAL);
    assert_int_equal(weft_source_from_event(&source, &event), 0);
    queue = (weft_queue *)source;
    assert_int_equal(weft_queue_put(queue, WEFT_ARG(n), WEFT_FOREVER), -EINVAL);
    assert_non_null(strstr(weft_error_message(), "source"));
    weft_release(source);
    assert_int_equal(weft_queue_open(NULL, NULL), -EINVAL);

    queue = new_queue(0, 0);
    assert_int_equal(weft_queue_put(queue, NULL, 3, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_queue_get(queue, NULL, 3, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_queue_get_bytes(queue, NULL, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_queue_shutdown(queue, (weft_shutdown_mode)7), -EINVAL);
    assert_int_equal(weft_queue_put(queue, "abc", (size_t)INT_MAX + 1, WEFT_NOWAIT), -EMSGSIZE);
    assert_true(weft_queue_empty(queue));
    weft_release(queue);
    assert_int_equal(
        weft_queue_open(&queue, &(weft_queue_options){.item_size = (size_t)INT_MAX + 1}), -EINVAL);
    assert_null(queue);
}

static void it_tells_of_itself(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(2, sizeof(int)), *unbounded = new_queue(0, 0);
    int n = 1;
    assert_int_equal(weft_queue_maxsize(queue), 2);
    assert_int_equal(weft_queue_maxsize(unbounded), 0);
    assert_true(weft_queue_empty(queue));
    assert_false(weft_queue_full(queue));
    for (int i = 0; i < 2; i++)
        assert_int_equal(weft_queue_put(queue, WEFT_ARG(n), WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_put(unbounded, WEFT_ARG(n), WEFT_NOWAIT), 0);
    assert_false(weft_queue_empty(queue));
    assert_true(weft_queue_full(queue));
    assert_false(weft_queue_full(unbounded));
    assert_int_equal(weft_queue_qsize(queue), 2);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), sizeof(n));
    assert_int_equal(weft_queue_qsize(queue), 1);
    assert_int_equal(weft_queue_unfinished(queue), 2);
    assert_int_equal(weft_queue_task_done(queue), 0);
    assert_int_equal(weft_queue_unfinished(queue), 1);
    assert_false(weft_queue_is_shutdown(queue));
    assert_int_equal(weft_queue_shutdown(queue, WEFT_SHUTDOWN_DRAIN), 0);
    assert_true(weft_queue_is_shutdown(queue));

    assert_int_equal(weft_queue_qsize(NULL), -EINVAL);
    assert_int_equal(weft_queue_unfinished(NULL), -EINVAL);
    assert_int_equal(weft_queue_maxsize(NULL), -EINVAL);
    assert_true(weft_queue_empty(NULL));
    assert_false(weft_queue_full(NULL));
    assert_false(weft_queue_is_shutdown(NULL));
    weft_release(queue);
    weft_release(unbounded);
}

typedef struct party {
    weft_queue *queue;
    int r, n;
} party;

static void get_one(void *arg)
{
    party *p = arg;
    p->r = weft_queue_get(p->queue, WEFT_OUT(p->n), WEFT_FOREVER);
}

static void put_one(void *arg)
{
    party *p = arg;
    p->r = weft_queue_put(p->queue, WEFT_ARG(p->n), WEFT_FOREVER);
}

static void a_promised_item_is_not_taken_by_another(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(0, sizeof(int));
    party getter = {queue, 1, 0};
    unsigned left = 0;
    int n;
    weft_runner *runner = coroutines_open();
    coroutine_spawn(runner, &left, get_one, &getter);
    settle(runner);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG((int){5}), WEFT_FOREVER), 0);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), -ETIMEDOUT);
    coroutines_run(runner, &left);
    assert_int_equal(getter.n, 5);
    weft_runner_close(runner);
    weft_release(queue);
}

static void a_cancelled_getter_leaves_the_item_in_its_place(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(0, sizeof(int));
    party first = {queue, 1, 0}, second = {queue, 1, 0};
    unsigned left = 0;
    int n = 0;
    weft_runner *runner = coroutines_open();
    weft_context *context = coroutine_spawn(runner, &left, get_one, &first);
    coroutine_spawn(runner, &left, get_one, &second);
    settle(runner);
    assert_int_equal(left, 2);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG((int){1}), WEFT_FOREVER), 0);
    weft_context_cancel(context); /* after the wake-up */
    coroutines_run(runner, &left);
    assert_int_equal(first.r, -ECANCELED);
    assert_int_equal(second.r, sizeof(int));
    assert_int_equal(second.n, 1);

    context = coroutine_spawn(runner, &left, get_one, &first);
    settle(runner);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG((int){2}), WEFT_FOREVER), 0);
    weft_context_cancel(context);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG((int){3}), WEFT_FOREVER), 0);
    coroutines_run(runner, &left);
    assert_int_equal(first.r, -ECANCELED);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), sizeof(n));
    assert_int_equal(n, 2);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), sizeof(n));
    assert_int_equal(n, 3);
    weft_runner_close(runner);
    weft_release(queue);
}

static void a_cancelled_putter_gives_its_room_to_the_next(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(1, sizeof(int));
    party first = {queue, 1, 1}, second = {queue, 1, 2};
    unsigned left = 0;
    int n;
    weft_runner *runner = coroutines_open();
    assert_int_equal(weft_queue_put(queue, WEFT_ARG((int){0}), WEFT_FOREVER), 0);
    weft_context *context = coroutine_spawn(runner, &left, put_one, &first);
    coroutine_spawn(runner, &left, put_one, &second);
    settle(runner);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), sizeof(n));
    /* the room is the first one's */
    assert_int_equal(weft_queue_put(queue, WEFT_ARG((int){9}), WEFT_NOWAIT), -ETIMEDOUT);
    weft_context_cancel(context);
    coroutines_run(runner, &left);
    assert_int_equal(first.r, -ECANCELED);
    assert_int_equal(second.r, 0);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), sizeof(n));
    assert_int_equal(n, 2);
    assert_int_equal(weft_queue_qsize(queue), 0);
    weft_runner_close(runner);
    weft_release(queue);
}

static void a_getter_without_room_lets_the_next_have_it(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(0, 0);
    party small = {queue, 1, 0}, next = {queue, 1, 0};
    unsigned left = 0;
    char large[40] = "";
    weft_runner *runner = coroutines_open();
    coroutine_spawn(runner, &left, get_one, &small);
    coroutine_spawn(runner, &left, get_one, &next);
    settle(runner);
    assert_int_equal(weft_queue_put(queue, large, sizeof(large), WEFT_FOREVER), 0);
    coroutines_run(runner, &left);
    assert_int_equal(small.r, -EMSGSIZE);
    assert_int_equal(next.r, -EMSGSIZE);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(large), WEFT_NOWAIT), sizeof(large));
    weft_runner_close(runner);
    weft_release(queue);
}

static void draining_serves_what_is_there(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(2, sizeof(int));
    party putter = {queue, 1, 3};
    unsigned left = 0;
    int n = 1;
    weft_runner *runner = coroutines_open();
    weft_queue_put(queue, WEFT_ARG(n), WEFT_FOREVER);
    weft_queue_put(queue, WEFT_ARG(n), WEFT_FOREVER);
    coroutine_spawn(runner, &left, put_one, &putter);
    settle(runner);
    assert_int_equal(weft_queue_shutdown(queue, WEFT_SHUTDOWN_DRAIN), 0);
    coroutines_run(runner, &left);
    assert_int_equal(putter.r, WEFT_ESHUTDOWN);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG(n), WEFT_NOWAIT), WEFT_ESHUTDOWN);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_FOREVER), sizeof(n));
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_FOREVER), sizeof(n));
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_FOREVER), WEFT_ESHUTDOWN);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), WEFT_ESHUTDOWN);
    weft_runner_close(runner);
    weft_release(queue);
}

static void an_immediate_end_drops_and_wakes_all(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(0, 0), *empty = new_queue(0, sizeof(int));
    party getter = {empty, 1, 0}, promised = {empty, 1, 0};
    unsigned left = 0;
    char large[100] = "";
    weft_runner *runner = coroutines_open();
    weft_queue_put(queue, large, sizeof(large), WEFT_FOREVER);
    assert_int_equal(weft_queue_shutdown(queue, WEFT_SHUTDOWN_DRAIN), 0);
    assert_int_equal(weft_queue_shutdown(queue, WEFT_SHUTDOWN_IMMEDIATE), 0);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(large), WEFT_FOREVER), WEFT_ESHUTDOWN);
    assert_int_equal(weft_queue_join(queue, WEFT_FOREVER), 0);

    coroutine_spawn(runner, &left, get_one, &promised);
    coroutine_spawn(runner, &left, get_one, &getter);
    settle(runner);
    weft_queue_put(empty, WEFT_ARG((int){1}), WEFT_FOREVER);
    assert_int_equal(weft_queue_shutdown(empty, WEFT_SHUTDOWN_IMMEDIATE), 0);
    coroutines_run(runner, &left);
    assert_int_equal(promised.r, WEFT_ESHUTDOWN);
    assert_int_equal(getter.r, WEFT_ESHUTDOWN);
    assert_int_equal(weft_queue_qsize(empty), 0);
    weft_runner_close(runner);
    weft_release(queue);
    weft_release(empty);
}

static int work(void *arg)
{
    weft_queue *queue = arg;
    int n, r;
    while ((r = weft_queue_get(queue, WEFT_OUT(n), WEFT_FOREVER)) > 0)
        if ((r = weft_queue_task_done(queue)) < 0)
            break;
    return r;
}

static void join_waits_until_all_is_done(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(0, sizeof(int));
    weft_thread *threads[2];
    int n = 0;
    assert_int_equal(weft_queue_task_done(queue), -EINVAL);
    assert_int_equal(weft_queue_join(queue, WEFT_NOWAIT), 0);
    weft_queue_put(queue, WEFT_ARG(n), WEFT_FOREVER);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_FOREVER), sizeof(n));
    assert_int_equal(weft_queue_join(queue, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_queue_join(queue, 0.001), -ETIMEDOUT);
    assert_int_equal(weft_queue_task_done(queue), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(weft_thread_start(&threads[i], work, WEFT_POINTER(queue), NULL), 0);
    for (; n < 1000; n++)
        weft_queue_put(queue, WEFT_ARG(n), WEFT_FOREVER);
    assert_int_equal(weft_queue_join(queue, WEFT_FOREVER), 0);
    assert_int_equal(weft_queue_shutdown(queue, WEFT_SHUTDOWN_DRAIN), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(weft_result(threads[i], WEFT_NONE, WEFT_FOREVER), WEFT_ESHUTDOWN);
    weft_release_many(threads, 2);
    weft_release(queue);
}

static int put_later(void *arg)
{
    return weft_queue_put(arg, WEFT_ARG((int){42}), WEFT_FOREVER);
}

static void it_can_be_waited_for_among_others(void **state)
{
    (void)state;
    weft_queue *queues[2] = {new_queue(0, sizeof(int)), new_queue(0, sizeof(int))};
    weft_thread *thread;
    int n;
    assert_int_equal(weft_wait(queues[0], WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_wait_any(queues, 2, 0.001), -ETIMEDOUT);
    assert_int_equal(weft_thread_start(&thread, put_later, WEFT_POINTER(queues[1]), NULL), 0);
    assert_int_equal(weft_wait_any(queues, 2, WEFT_FOREVER), 1);
    assert_true(weft_done(queues[1]));
    assert_int_equal(weft_queue_get(queues[1], WEFT_OUT(n), WEFT_NOWAIT), sizeof(n));
    assert_int_equal(n, 42);
    assert_false(weft_done(queues[1]));
    weft_thread_join(thread, WEFT_FOREVER);
    weft_release(thread);
    weft_queue_shutdown(queues[0], WEFT_SHUTDOWN_DRAIN);
    assert_int_equal(weft_wait_any(queues, 2, WEFT_FOREVER), 0);
    weft_release_many(queues, 2);
}

enum { ITEMS = 20000, PAIRS = 3 };

typedef struct stream {
    weft_queue *queue;
    int id;
} stream;

static int produce(void *arg)
{
    stream *s = arg;
    int r = 0;
    for (int i = 0; r == 0 && i < ITEMS; i++)
        r = weft_queue_put(s->queue, WEFT_ARG((int[2]){s->id, i}), WEFT_FOREVER);
    return r;
}

/* Returns how many it got; each producer's items must come in order. */
static int consume(void *arg)
{
    stream *s = arg;
    int last[PAIRS], item[2], count = 0, r;
    for (int i = 0; i < PAIRS; i++)
        last[i] = -1;
    while ((r = weft_queue_get(s->queue, WEFT_OUT(item), WEFT_FOREVER)) > 0) {
        if (item[1] <= last[item[0]])
            return -EIO;
        last[item[0]] = item[1];
        count++;
    }
    return r < 0 ? r : count;
}

static void every_item_arrives_once_and_in_order(void **state)
{
    (void)state;
    for (size_t maxsize = 0; maxsize <= 64; maxsize = maxsize * 8 + 1) {
        weft_queue *queue = new_queue(maxsize, 2 * sizeof(int));
        weft_thread *producers[PAIRS], *consumers[PAIRS];
        int count = 0;
        for (int i = 0; i < PAIRS; i++) {
            stream s = {queue, i};
            assert_int_equal(weft_thread_start(&consumers[i], consume, WEFT_ARG(s), NULL), 0);
            assert_int_equal(weft_thread_start(&producers[i], produce, WEFT_ARG(s), NULL), 0);
        }
        for (int i = 0; i < PAIRS; i++)
            assert_int_equal(weft_result(producers[i], WEFT_NONE, WEFT_FOREVER), 0);
        for (int i = 0; i < PAIRS; i++)
            assert_int_equal(weft_queue_put(queue, WEFT_NONE, WEFT_FOREVER), 0);
        for (int i = 0; i < PAIRS; i++) {
            int r = weft_result(consumers[i], WEFT_NONE, WEFT_FOREVER);
            assert_true(r >= 0);
            count += r;
        }
        assert_int_equal(count, PAIRS * ITEMS);
        weft_release_many(producers, PAIRS);
        weft_release_many(consumers, PAIRS);
        weft_release(queue);
    }
}

static int shut_down(void **state)
{
    (void)state;
    return weft_shutdown(WEFT_FOREVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(items_come_out_in_their_order),
        weft_test(a_full_one_times_out),
        weft_test(an_empty_one_times_out),
        weft_test(the_empty_item_is_an_end_mark),
        weft_test(items_of_any_size),
        weft_test(an_item_that_does_not_fit_stays),
        weft_test(an_item_of_another_size_is_refused),
        weft_test(misuse_is_refused),
        weft_test(it_tells_of_itself),
        weft_test(a_promised_item_is_not_taken_by_another),
        weft_test(a_cancelled_getter_leaves_the_item_in_its_place),
        weft_test(a_cancelled_putter_gives_its_room_to_the_next),
        weft_test(a_getter_without_room_lets_the_next_have_it),
        weft_test(draining_serves_what_is_there),
        weft_test(an_immediate_end_drops_and_wakes_all),
        weft_test(join_waits_until_all_is_done),
        weft_test(it_can_be_waited_for_among_others),
        weft_test(every_item_arrives_once_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, shut_down);
}
