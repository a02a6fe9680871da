/* SPDX-License-Identifier: MIT */
/* Threads at both ends: all that goes in comes out, and whoever waits is woken when there is
 * something for him, though of threads only one is woken at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <weft.h>

#include "support/support.h"
#include "threading/queue_state.h"

static weft_queue *new_queue(weft_queue_order order, size_t maxsize, size_t item_size)
{
    weft_queue *queue;
    const weft_queue_options options = {.order = order, .maxsize = maxsize, .item_size = item_size};
    assert_int_equal(weft_queue_open(&queue, &options), 0);
    return queue;
}

static void in_each_order(void (*behaves)(weft_queue_order order))
{
    behaves(WEFT_QUEUE_FIFO);
    behaves(WEFT_QUEUE_LIFO);
    behaves(WEFT_QUEUE_PRIORITY);
}

/* ---- Who is woken -----------------------------------------------------------------------------
 */

enum { CROWD = 5 };

static size_t parked(weft_queue *queue, const weft_list *list)
{
    size_t count = 0;
    weft_ilock_acquire(&queue->lock);
    for (weft_link *link = weft_list_first(list); link != NULL; link = weft_list_next(list, link))
        count++;
    weft_ilock_release(&queue->lock);
    return count;
}

static void start_crowd(weft_thread **threads, weft_fn *fn, weft_queue *queue,
                        const weft_list *where)
{
    for (int i = 0; i < CROWD; i++)
        assert_int_equal(weft_thread_start(&threads[i], fn, WEFT_POINTER(queue), NULL), 0);
    while (parked(queue, where) < CROWD)
        assert_int_equal(weft_sleep(0), 0);
}

/* All have returned r. */
static void crowd_returns(weft_thread **threads, int r)
{
    for (int i = 0; i < CROWD; i++)
        assert_int_equal(weft_result(threads[i], WEFT_NONE, WEFT_FOREVER), r);
    weft_release_many(threads, CROWD);
}

static int get_one(void *arg)
{
    int n;
    return weft_queue_get(arg, WEFT_OUT(n), WEFT_FOREVER);
}

static int put_one(void *arg)
{
    return weft_queue_put(arg, WEFT_ARG((int){1}), WEFT_FOREVER);
}

static const int items[CROWD] = {1, 2, 3, 4, 5};

static void batch_in(weft_queue_order order)
{
    weft_queue *queue = new_queue(order, 0, sizeof(int));
    weft_thread *threads[CROWD];
    start_crowd(threads, get_one, queue, &queue->getters.waiters);
    assert_int_equal(weft_queue_put_many(queue, items, sizeof(int), CROWD, WEFT_NOWAIT), CROWD);
    crowd_returns(threads, sizeof(int));
    assert_true(weft_queue_empty(queue));
    weft_release(queue);
}

static void a_batch_reaches_all_who_wait(void **state)
{
    (void)state;
    in_each_order(batch_in);
}

static void batch_out(weft_queue_order order)
{
    weft_queue *queue = new_queue(order, CROWD, sizeof(int));
    weft_thread *threads[CROWD];
    int got[CROWD];
    assert_int_equal(weft_queue_put_many(queue, items, sizeof(int), CROWD, WEFT_NOWAIT), CROWD);
    start_crowd(threads, put_one, queue, &queue->putters.waiters);
    assert_int_equal(weft_queue_get_many(queue, got, sizeof(int), CROWD, WEFT_NOWAIT), CROWD);
    crowd_returns(threads, 0);
    assert_true(weft_queue_full(queue));
    weft_release(queue);
}

static void the_room_of_a_batch_reaches_all_who_wait(void **state)
{
    (void)state;
    in_each_order(batch_out);
}

static void an_end_takes_nothing_from_those_who_wait(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(WEFT_QUEUE_FIFO, 0, sizeof(int));
    weft_thread *threads[CROWD];
    start_crowd(threads, get_one, queue, &queue->getters.waiters);
    assert_int_equal(weft_queue_put_many(queue, items, sizeof(int), CROWD, WEFT_NOWAIT), CROWD);
    assert_int_equal(weft_queue_shutdown(queue, WEFT_SHUTDOWN_DRAIN), 0);
    crowd_returns(threads, sizeof(int));
    weft_release(queue);
}

static void an_end_reaches_all_who_wait(void **state)
{
    (void)state;
    weft_queue *empty = new_queue(WEFT_QUEUE_FIFO, 0, sizeof(int));
    weft_queue *full = new_queue(WEFT_QUEUE_FIFO, CROWD, sizeof(int));
    weft_thread *getters[CROWD], *putters[CROWD];
    assert_int_equal(weft_queue_put_many(full, items, sizeof(int), CROWD, WEFT_NOWAIT), CROWD);
    start_crowd(getters, get_one, empty, &empty->getters.waiters);
    start_crowd(putters, put_one, full, &full->putters.waiters);
    assert_int_equal(weft_queue_shutdown(empty, WEFT_SHUTDOWN_DRAIN), 0);
    assert_int_equal(weft_queue_shutdown(full, WEFT_SHUTDOWN_IMMEDIATE), 0);
    crowd_returns(getters, WEFT_ESHUTDOWN);
    crowd_returns(putters, WEFT_ESHUTDOWN);
    weft_release(empty);
    weft_release(full);
}

/* One is woken and cancelled, before or after: the item goes to the next. */
static void a_cancelled_one_wakes_the_next(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        weft_queue *queue = new_queue(WEFT_QUEUE_FIFO, 0, sizeof(int));
        weft_thread *threads[CROWD];
        int cancelled = 0;
        start_crowd(threads, get_one, queue, &queue->getters.waiters);
        assert_int_equal(weft_queue_put(queue, WEFT_ARG(items[0]), WEFT_NOWAIT), 0);
        for (int i = 0; i < 2; i++)
            assert_true(weft_cancel(threads[i]) >= 0);
        assert_int_equal(weft_queue_put_many(queue, items, sizeof(int), CROWD - 1, WEFT_NOWAIT),
                         CROWD - 1);
        for (int i = 0; i < CROWD; i++) {
            int r = weft_result(threads[i], WEFT_NONE, WEFT_FOREVER);
            assert_true(r == sizeof(int) || (r == -ECANCELED && i < 2));
            cancelled += r < 0;
        }
        assert_int_equal(weft_queue_qsize(queue), cancelled);
        weft_release_many(threads, CROWD);
        weft_release(queue);
    }
}

/* ---- All that goes in -------------------------------------------------------------------------
 */

enum { ITEMS = 10000, PAIRS = 3 };

typedef struct stream {
    weft_queue *queue;
    int id;
    bool in_order;
} stream;

typedef struct parcel {
    int priority, id, number;
} parcel;

static int produce(void *arg)
{
    stream *s = arg;
    int r = 0;
    for (int i = 0; r == 0 && i < ITEMS; i++)
        r = weft_queue_put(s->queue, WEFT_ARG((parcel){0, s->id, i}), WEFT_FOREVER);
    return r;
}

/* Returns how many it got; each producer's items must come in order, where the queue has it. */
static int consume(void *arg)
{
    stream *s = arg;
    int last[PAIRS], count = 0, r;
    parcel item;
    for (int i = 0; i < PAIRS; i++)
        last[i] = -1;
    while ((r = weft_queue_get(s->queue, WEFT_OUT(item), WEFT_FOREVER)) > 0) {
        if (s->in_order && item.number <= last[item.id])
            return -EIO;
        last[item.id] = item.number;
        count++;
    }
    return r == WEFT_ESHUTDOWN ? count : r;
}

static void all_arrive(weft_queue_order order, size_t maxsize)
{
    weft_queue *queue = new_queue(order, maxsize, sizeof(parcel));
    weft_thread *producers[PAIRS], *consumers[PAIRS];
    int count = 0;
    for (int i = 0; i < PAIRS; i++) {
        stream s = {queue, i, order != WEFT_QUEUE_LIFO};
        assert_int_equal(weft_thread_start(&consumers[i], consume, WEFT_ARG(s), NULL), 0);
        assert_int_equal(weft_thread_start(&producers[i], produce, WEFT_ARG(s), NULL), 0);
    }
    for (int i = 0; i < PAIRS; i++)
        assert_int_equal(weft_result(producers[i], WEFT_NONE, WEFT_FOREVER), 0);
    assert_int_equal(weft_queue_shutdown(queue, WEFT_SHUTDOWN_DRAIN), 0);
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

static void all_arrive_through_any(weft_queue_order order)
{
    for (size_t maxsize = 0; maxsize <= 64; maxsize = maxsize * 8 + 1)
        all_arrive(order, maxsize);
}

static void every_item_arrives_once_and_in_order(void **state)
{
    (void)state;
    in_each_order(all_arrive_through_any);
}

static int shut_down(void **state)
{
    (void)state;
    return weft_shutdown(WEFT_FOREVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(a_batch_reaches_all_who_wait),
        weft_test(the_room_of_a_batch_reaches_all_who_wait),
        weft_test(an_end_takes_nothing_from_those_who_wait),
        weft_test(an_end_reaches_all_who_wait),
        weft_test(a_cancelled_one_wakes_the_next),
        weft_test(every_item_arrives_once_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, shut_down);
}
