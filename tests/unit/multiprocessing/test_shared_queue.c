/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft/asyncio.h>
#include <weft/multiprocessing.h>
#include <weft/queue.h>
#include <weft/threading.h>

#include "core/handle.h"
#include "multiprocessing/arena.h"
#include "support/support.h"

typedef struct pair {
    weft_queue *in, *out;
    int count;
} pair;

static weft_queue *open_queue(size_t maxsize, size_t item_size)
{
    weft_queue *queue = NULL;
    weft_queue_options options = {.maxsize = maxsize, .item_size = item_size, .shared = true};
    assert_int_equal(weft_queue_open(&queue, &options), 0);
    assert_non_null(queue);
    return queue;
}

static void items_come_out_in_order(void **state)
{
    (void)state;
    weft_queue *queue = open_queue(0, 0);
    int n;
    for (int i = 0; i < 1000; i++) /* more than the first ring holds */
        assert_int_equal(weft_queue_put(queue, WEFT_ARG(i), WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_qsize(queue), 1000);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), sizeof n);
        assert_int_equal(n, i);
    }
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), 0.01), -ETIMEDOUT);
    weft_release(queue);
}

static void items_of_any_size(void **state)
{
    (void)state;
    weft_queue *queue = open_queue(0, 0);
    static unsigned char sent[300000], got[300000];
    uint64_t before, after;
    assert_int_equal(weft_arena_check(&before), 0);
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (unsigned char)(i * 7);
    for (size_t size = 0; size <= sizeof sent; size = size * 3 + 1) {
        weft_bytes bytes;
        memset(got, 0, sizeof got);
        assert_int_equal(weft_queue_put(queue, sent, size, WEFT_NOWAIT), 0);
        assert_int_equal(weft_queue_put(queue, sent, size, WEFT_NOWAIT), 0);
        if (size > 0)
            assert_int_equal(weft_queue_get(queue, got, size - 1, WEFT_NOWAIT), -EMSGSIZE);
        assert_int_equal(weft_queue_get(queue, got, sizeof got, WEFT_NOWAIT), size);
        assert_memory_equal(got, sent, size);
        assert_int_equal(weft_queue_get_bytes(queue, &bytes, WEFT_NOWAIT), size);
        assert_int_equal(bytes.size, size);
        if (size > 0)
            assert_memory_equal(bytes.data, sent, size);
        else
            assert_null(bytes.data);
        weft_free(bytes.data);
    }
    assert_int_equal(weft_arena_check(&after), 0);
    assert_int_equal(before, after);
    weft_release(queue);
}

static void fixed_sizes_are_kept(void **state)
{
    (void)state;
    weft_queue *queue = open_queue(0, 4);
    short two = 2;
    int four = 4;
    assert_int_equal(weft_queue_put(queue, WEFT_ARG(two), WEFT_NOWAIT), -EMSGSIZE);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG(four), WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_put(queue, WEFT_NONE, WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(four), WEFT_NOWAIT), 4);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(four), WEFT_NOWAIT), 0);
    weft_release(queue);
}

static int echo(void *arg)
{
    pair *queues = arg;
    char item[200];
    int r;
    while ((r = weft_queue_get(queues->in, item, sizeof item, WEFT_FOREVER)) > 0) {
        item[0]++;
        r = weft_queue_put(queues->out, item, (size_t)r, WEFT_FOREVER);
        if (r < 0)
            return r;
    }
    return r;
}

static void items_cross_both_ways(void **state)
{
    (void)state;
    pair queues = {.in = open_queue(0, 0), .out = open_queue(0, 0)};
    weft_process *process;
    char item[200] = "a";
    assert_int_equal(weft_process_start(&process, echo, WEFT_ARG(queues), NULL), 0);
    for (int i = 0; i < 1000; i++) {
        item[0] = 'a';
        size_t size = 1 + (size_t)i % 199;
        assert_int_equal(weft_queue_put(queues.in, item, size, WEFT_FOREVER), 0);
        assert_int_equal(weft_queue_get(queues.out, item, sizeof item, WEFT_FOREVER), size);
        assert_int_equal(item[0], 'b');
    }
    assert_int_equal(weft_queue_put(queues.in, WEFT_NONE, WEFT_FOREVER), 0);
    assert_int_equal(weft_result(process, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(process);
    weft_release(queues.in);
    weft_release(queues.out);
}

static int produce(void *arg)
{
    pair *queues = arg;
    for (int i = 1; i <= queues->count; i++) {
        int r = weft_queue_put(queues->in, WEFT_ARG(i), WEFT_FOREVER);
        if (r < 0)
            return r;
    }
    return 0;
}

static int consume(void *arg)
{
    pair *queues = arg;
    long long sum = 0;
    int n, r;
    while ((r = weft_queue_get(queues->in, WEFT_OUT(n), WEFT_FOREVER)) > 0)
        sum += n;
    return r < 0 ? r : weft_return(WEFT_ARG(sum));
}

/* Three producers and three consumers through a queue of few places: nothing lost, none twice. */
static void a_bounded_queue_loses_nothing(void **state)
{
    (void)state;
    enum { SIDES = 3, COUNT = 5000 };
    pair queues = {.in = open_queue(5, sizeof(int)), .count = COUNT};
    weft_process *producers[SIDES], *consumers[SIDES];
    long long sum = 0, part;
    for (int i = 0; i < SIDES; i++) {
        assert_int_equal(weft_process_start(&consumers[i], consume, WEFT_ARG(queues), NULL), 0);
        assert_int_equal(weft_process_start(&producers[i], produce, WEFT_ARG(queues), NULL), 0);
    }
    for (int i = 0; i < SIDES; i++)
        assert_int_equal(weft_result(producers[i], WEFT_NONE, WEFT_FOREVER), 0);
    assert_true(weft_queue_qsize(queues.in) <= 5);
    for (int i = 0; i < SIDES; i++)
        assert_int_equal(weft_queue_put(queues.in, WEFT_NONE, WEFT_FOREVER), 0);
    for (int i = 0; i < SIDES; i++) {
        assert_int_equal(weft_result(consumers[i], WEFT_OUT(part), WEFT_FOREVER), 0);
        sum += part;
    }
    assert_true(sum == (long long)SIDES * COUNT * (COUNT + 1) / 2);
    weft_release_many(producers, SIDES);
    weft_release_many(consumers, SIDES);
    weft_release(queues.in);
}

static int ping_in_coroutine(void *arg)
{
    pair *queues = arg;
    int n = 0;
    for (int i = 0; i < queues->count; i++) {
        int r = weft_queue_put(queues->in, WEFT_ARG(i), WEFT_FOREVER);
        if (r == 0)
            r = weft_queue_get(queues->out, WEFT_OUT(n), WEFT_FOREVER);
        if (r < 0)
            return r;
    }
    return n;
}

static int pong(void *arg)
{
    pair *queues = arg;
    int n, r = 0;
    for (int i = 0; i < queues->count && r >= 0; i++) {
        r = weft_queue_get(queues->in, WEFT_OUT(n), WEFT_FOREVER);
        n++;
        if (r >= 0)
            r = weft_queue_put(queues->out, WEFT_ARG(n), WEFT_FOREVER);
    }
    return r;
}

static void a_coroutine_waits_for_another_process(void **state)
{
    (void)state;
    pair queues = {.in = open_queue(0, 0), .out = open_queue(0, 0), .count = 300};
    weft_process *process;
    assert_int_equal(weft_process_start(&process, pong, WEFT_ARG(queues), NULL), 0);
    assert_int_equal(weft_run(ping_in_coroutine, WEFT_ARG(queues), NULL), 300);
    assert_int_equal(weft_result(process, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(process);
    weft_release(queues.in);
    weft_release(queues.out);
}

static int put_late(void *arg)
{
    pair *queues = arg;
    weft_sleep(0.02);
    return weft_queue_put(queues->in, WEFT_ARG((int){5}), WEFT_FOREVER);
}

static void a_wait_for_several_takes_it_too(void **state)
{
    (void)state;
    pair queues = {.in = open_queue(0, 0), .out = open_queue(0, 0)};
    weft_process *process;
    int n;
    assert_int_equal(weft_process_start(&process, put_late, WEFT_ARG(queues), NULL), 0);
    weft_queue *both[] = {queues.out, queues.in};
    assert_int_equal(weft_wait_any(both, 2, WEFT_FOREVER), 1);
    assert_int_equal(weft_queue_get(queues.in, WEFT_OUT(n), WEFT_NOWAIT), sizeof n);
    assert_int_equal(weft_wait(queues.in, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_result(process, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(process);
    weft_release(queues.in);
    weft_release(queues.out);
}

/* At any instruction, so also with the lock that each handle has. */
static int die_in_it(void *arg)
{
    weft_ilock_acquire(&(*(weft_handle **)arg)->lock);
    return raise(SIGKILL);
}

static int name_it(void *arg)
{
    weft_queue *queue = *(weft_queue **)arg;
    char text[64];
    if (weft_handle_name(queue) == NULL || weft_handle_set_name(queue, "again") < 0)
        return -EIO;
    return weft_handle_describe(queue, text, sizeof text) > 0 ? 0 : -EIO;
}

static void a_killed_process_does_not_take_the_name_along(void **state)
{
    (void)state;
    weft_queue *queue = open_queue(0, 0);
    weft_process *process;
    assert_int_equal(weft_process_start(&process, die_in_it, WEFT_ARG(queue), NULL), 0);
    assert_int_equal(weft_wait(process, WEFT_FOREVER), 0);
    weft_release(process);
    assert_int_equal(weft_process_start(&process, name_it, WEFT_ARG(queue), NULL), 0);
    int r = weft_result(process, WEFT_NONE, 10);
    weft_process_kill(process);
    assert_int_equal(r, 0);
    assert_string_equal(weft_handle_name(queue), "again");
    weft_release(process);
    weft_release(queue);
}

static int get_until_shutdown(void *arg)
{
    pair *queues = arg;
    int n, r, count = 0;
    while ((r = weft_queue_get(queues->in, WEFT_OUT(n), WEFT_FOREVER)) >= 0)
        count++;
    return r == WEFT_ESHUTDOWN ? count : r;
}

static void shutdown_ends_getters_everywhere(void **state)
{
    (void)state;
    pair queues = {.in = open_queue(0, 0)};
    weft_process *process;
    int n = 1;
    for (int i = 0; i < 3; i++)
        assert_int_equal(weft_queue_put(queues.in, WEFT_ARG(n), WEFT_FOREVER), 0);
    assert_int_equal(weft_process_start(&process, get_until_shutdown, WEFT_ARG(queues), NULL), 0);
    while (weft_queue_qsize(queues.in) > 0)
        weft_sleep(0.001);
    assert_int_equal(weft_queue_shutdown(queues.in, WEFT_SHUTDOWN_DRAIN), 0);
    assert_int_equal(weft_result(process, WEFT_NONE, WEFT_FOREVER), 3);
    assert_int_equal(weft_queue_put(queues.in, WEFT_ARG(n), WEFT_NOWAIT), WEFT_ESHUTDOWN);
    weft_release(process);
    weft_release(queues.in);
}

static void shutdown_drains_or_drops(void **state)
{
    (void)state;
    int n = 1;
    weft_queue *queue = open_queue(0, 0);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG(n), WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG(n), WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_shutdown(queue, WEFT_SHUTDOWN_DRAIN), 0);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), sizeof n);
    assert_int_equal(weft_queue_shutdown(queue, WEFT_SHUTDOWN_IMMEDIATE), 0);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), WEFT_ESHUTDOWN);
    assert_int_equal(weft_queue_task_done(queue), 0); /* the one that was taken */
    assert_int_equal(weft_queue_join(queue, WEFT_NOWAIT), 0);
    weft_release(queue);
}

/* The get end has seen some of the items, and not the last ones, when all are dropped. */
static void what_has_been_dropped_is_not_taken(void **state)
{
    (void)state;
    static char large[1000];
    weft_queue *queue = open_queue(0, 0);
    uint64_t before, after;
    assert_int_equal(weft_arena_check(&before), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(weft_queue_put(queue, WEFT_ARG(large), WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(large), WEFT_NOWAIT), sizeof large);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG(large), WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_shutdown(queue, WEFT_SHUTDOWN_IMMEDIATE), 0);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(large), WEFT_NOWAIT), WEFT_ESHUTDOWN);
    assert_true(weft_queue_empty(queue));
    assert_int_equal(weft_arena_check(&after), 0);
    assert_int_equal(before, after);
    weft_release(queue);
}

static int work_off(void *arg)
{
    pair *queues = arg;
    int n, r;
    while ((r = weft_queue_get(queues->in, WEFT_OUT(n), WEFT_FOREVER)) > 0)
        weft_queue_task_done(queues->in);
    return r;
}

static void join_waits_for_task_done(void **state)
{
    (void)state;
    pair queues = {.in = open_queue(0, 0)};
    weft_process *process;
    assert_int_equal(weft_queue_task_done(queues.in), -EINVAL);
    for (int i = 0; i < 50; i++)
        assert_int_equal(weft_queue_put(queues.in, WEFT_ARG(i), WEFT_FOREVER), 0);
    assert_int_equal(weft_queue_join(queues.in, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_process_start(&process, work_off, WEFT_ARG(queues), NULL), 0);
    assert_int_equal(weft_queue_join(queues.in, WEFT_FOREVER), 0);
    assert_int_equal(weft_queue_put(queues.in, WEFT_NONE, WEFT_FOREVER), 0);
    assert_int_equal(weft_result(process, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(process);
    weft_release(queues.in);
}

static int cancelled_get(void *arg)
{
    int n;
    return weft_queue_get(*(weft_queue **)arg, WEFT_OUT(n), WEFT_FOREVER);
}

static void a_waiting_thread_can_be_cancelled(void **state)
{
    (void)state;
    weft_queue *queue = open_queue(0, 0);
    weft_thread *thread;
    assert_int_equal(weft_thread_start(&thread, cancelled_get, WEFT_ARG(queue), NULL), 0);
    weft_sleep(0.005);
    assert_int_equal(weft_cancel(thread), 1);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), -ECANCELED);
    weft_release(thread);
    int scope = weft_timeout_begin(0.01), n;
    int r = weft_queue_get(queue, WEFT_OUT(n), WEFT_FOREVER);
    assert_int_equal(r, -ECANCELED);
    assert_int_equal(weft_timeout_end(scope, r), -ETIMEDOUT);
    weft_release(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(items_come_out_in_order),
        weft_test(items_of_any_size),
        weft_test(fixed_sizes_are_kept),
        weft_test(items_cross_both_ways),
        weft_test(a_bounded_queue_loses_nothing),
        weft_test(a_coroutine_waits_for_another_process),
        weft_test(a_wait_for_several_takes_it_too),
        weft_test(a_killed_process_does_not_take_the_name_along),
        weft_test(shutdown_ends_getters_everywhere),
        weft_test(shutdown_drains_or_drops),
        weft_test(what_has_been_dropped_is_not_taken),
        weft_test(join_waits_for_task_done),
        weft_test(a_waiting_thread_can_be_cancelled),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed + (weft_shutdown(WEFT_FOREVER) < 0);
}
