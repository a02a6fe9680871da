/* SPDX-License-Identifier: MIT */
/* Each allocation of the queue's functions made to fail, once and from then on: a code, no item
 * lost or half in, no leak. */
#include <weft.h>

#include "support/support.h"

static const weft_queue_order orders[] = {WEFT_QUEUE_FIFO, WEFT_QUEUE_LIFO, WEFT_QUEUE_PRIORITY};

/* -EIO is none that may come: what was there before the call is not there after its failure. */
static int unchanged(weft_queue *queue, int before, int r)
{
    return r < 0 && weft_queue_qsize(queue) != before ? -EIO : r;
}

static int open_one(weft_queue **queue, const weft_queue_order *order)
{
    int r = weft_queue_open(queue, &(weft_queue_options){.order = *order, .name = "a name"});
    return r < 0 && *queue != NULL ? -EIO : r;
}

/* The second half of a scenario: what has been put comes out, with every failure as a retry. */
static int get_all(weft_queue *queue, int count, size_t size)
{
    int r = 0, failure = 0;
    for (int i = 0; i < count;) {
        weft_bytes item;
        r = weft_queue_get_bytes(queue, &item, WEFT_NOWAIT);
        if (r == -ENOMEM && failure == 0) {
            failure = unchanged(queue, count - i, r);
            continue;
        }
        if (r < 0)
            break;
        if (item.size != size)
            r = -EIO;
        weft_free(item.data);
        i++;
    }
    return r < 0 ? r : failure;
}

static int put_one_by_one(weft_queue *queue, const char *item, size_t size, int count)
{
    int r = 0;
    for (int i = 0; r >= 0 && i < count; i++)
        r = unchanged(queue, i, weft_queue_put(queue, item, size, WEFT_NOWAIT));
    return r;
}

/* Past the second growth of its slots. */
static int small_items(void *arg)
{
    enum { COUNT = 70 };
    weft_queue *queue = arg;
    int r = open_one(&queue, arg);
    if (r == 0)
        r = put_one_by_one(queue, "some text", 10, COUNT);
    if (r == 0)
        r = get_all(queue, COUNT, 10);
    weft_release(queue);
    return r;
}

static int large_items(void *arg)
{
    static const char large[1000];
    weft_queue *queue = arg;
    int r = open_one(&queue, arg);
    if (r == 0)
        r = put_one_by_one(queue, large, sizeof(large), 3);
    if (r == 0)
        r = get_all(queue, 3, sizeof(large));
    if (r >= 0)
        r = weft_queue_put(queue, large, sizeof(large), WEFT_NOWAIT); /* dropped with it */
    weft_release(queue);
    return r;
}

/* How many are in is told by a count, never less than are. */
static int several(void *arg, size_t size)
{
    enum { COUNT = 40 };
    static const char items[COUNT * 100];
    static char got[COUNT * 100];
    weft_queue *queue = arg;
    int r = open_one(&queue, arg), in = 0;
    if (r == 0) {
        in = r = weft_queue_put_many(queue, items, size, COUNT, WEFT_NOWAIT);
        if (weft_queue_qsize(queue) != (r > 0 ? r : 0))
            r = -EIO;
    }
    if (r > 0)
        r = weft_queue_get_many(queue, got, size, COUNT, WEFT_NOWAIT);
    if (r >= 0 && r != in)
        r = -EIO;
    weft_release(queue);
    /* a part is a success that says so */
    return in > 0 && in < COUNT && r >= 0 ? -ENOMEM : r;
}

static int several_small(void *arg)
{
    return several(arg, 10);
}

static int several_large(void *arg)
{
    return several(arg, 100);
}

static int waits(void *arg)
{
    weft_queue *queue = arg;
    int n = 0, r = open_one(&queue, arg);
    if (r == 0 && (r = weft_queue_get(queue, WEFT_OUT(n), 1e-5)) == -ETIMEDOUT)
        r = 0;
    if (r == 0)
        r = weft_queue_put(queue, WEFT_ARG(n), WEFT_NOWAIT);
    if (r == 0 && (r = weft_queue_join(queue, 1e-5)) == -ETIMEDOUT)
        r = 0;
    if (r == 0)
        r = weft_wait(queue, WEFT_FOREVER);
    if (r == 0)
        r = weft_queue_shutdown(queue, WEFT_SHUTDOWN_IMMEDIATE);
    weft_release(queue);
    return r;
}

static void in_each_order(int (*scenario)(void *arg))
{
    weft_error(-EPERM, "so that there is room for a message");
    for (int i = 0; i < 3; i++) {
        weft_queue_order order = orders[i];
        assert_true(scenario(&order) >= 0);
        assert_true(allocator_fault_loop(scenario, &order) > 0);
        assert_true(scenario(&order) >= 0);
    }
}

#define CASE(scenario)                                                                             \
    static void fault_in_##scenario(void **state)                                                  \
    {                                                                                              \
        (void)state;                                                                               \
        in_each_order(scenario);                                                                   \
    }

CASE(small_items)
CASE(large_items)
CASE(several_small)
CASE(several_large)
CASE(waits)

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(fault_in_small_items),   weft_test(fault_in_large_items),
        weft_test(fault_in_several_small), weft_test(fault_in_several_large),
        weft_test(fault_in_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
