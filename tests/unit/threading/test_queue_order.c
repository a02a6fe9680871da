/* SPDX-License-Identifier: MIT */
/* Last in, first out, and by priority: what is the same for every order is in test_queue.c and
 * test_queue_rules.c. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <weft.h>

#include "support/support.h"

static weft_queue *new_queue(weft_queue_order order, size_t item_size)
{
    weft_queue *queue;
    const weft_queue_options options = {.order = order, .item_size = item_size};
    assert_int_equal(weft_queue_open(&queue, &options), 0);
    return queue;
}

static void the_last_comes_out_first(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(WEFT_QUEUE_LIFO, sizeof(int));
    int n;
    for (int i = 0; i < 100; i++)
        assert_int_equal(weft_queue_put(queue, WEFT_ARG(i), WEFT_NOWAIT), 0);
    for (int i = 99; i >= 50; i--) {
        assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), sizeof(n));
        assert_int_equal(n, i);
    }
    for (int i = 50; i < 300; i++)
        assert_int_equal(weft_queue_put(queue, WEFT_ARG(i), WEFT_NOWAIT), 0);
    for (int i = 299; i >= 0; i--) {
        assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), sizeof(n));
        assert_int_equal(n, i);
    }
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), -ETIMEDOUT);
    weft_release(queue);
}

typedef struct ranked {
    int priority, number;
} ranked;

static void the_smallest_priority_comes_out_first(void **state)
{
    (void)state;
    static const int priorities[] = {5, -3, INT_MAX, 0, INT_MIN, 5, 17, -3};
    static const int order[] = {4, 1, 7, 3, 0, 5, 6, 2};
    weft_queue *queue = new_queue(WEFT_QUEUE_PRIORITY, sizeof(ranked));
    ranked item;
    for (int i = 0; i < 8; i++)
        assert_int_equal(weft_queue_put(queue, WEFT_ARG((ranked){priorities[i], i}), WEFT_NOWAIT),
                         0);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(weft_queue_get(queue, WEFT_OUT(item), WEFT_NOWAIT), sizeof(item));
        assert_int_equal(item.number, order[i]);
        assert_int_equal(item.priority, priorities[order[i]]);
    }
    weft_release(queue);
}

/* Against a model: all items in a plain array, the best one searched for. */
static void equal_priorities_come_out_in_the_order_they_came(void **state)
{
    (void)state;
    enum { ITEMS = 3000 };
    static bool here[ITEMS];
    static int priority[ITEMS];
    weft_queue *queue = new_queue(WEFT_QUEUE_PRIORITY, sizeof(ranked));
    ranked item;
    unsigned seed = 12345;
    int put = 0, in = 0;
    while (put < ITEMS || in > 0) {
        seed = seed * 1103515245U + 12345U;
        if (put < ITEMS && (in == 0 || (seed >> 16) % 5 < 3)) {
            priority[put] = (int)((seed >> 20) % 9) - 4;
            here[put] = true;
            item = (ranked){priority[put], put};
            assert_int_equal(weft_queue_put(queue, WEFT_ARG(item), WEFT_NOWAIT), 0);
            put++, in++;
            continue;
        }
        int best = -1;
        for (int i = 0; i < put; i++)
            if (here[i] && (best < 0 || priority[i] < priority[best]))
                best = i;
        assert_int_equal(weft_queue_get(queue, WEFT_OUT(item), WEFT_NOWAIT), sizeof(item));
        assert_int_equal(item.number, best);
        here[best] = false;
        in--;
    }
    weft_release(queue);
}

static void the_empty_item_goes_last(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(WEFT_QUEUE_PRIORITY, 0);
    int n = 0;
    assert_int_equal(weft_queue_put(queue, WEFT_NONE, WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG((int){INT_MAX}), WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_put(queue, WEFT_NONE, WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG((int){3}), WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), sizeof(n));
    assert_int_equal(n, 3);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), sizeof(n));
    assert_int_equal(n, INT_MAX);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), 0);
    assert_true(weft_queue_empty(queue));
    weft_release(queue);
}

static void items_of_any_size_keep_their_order(void **state)
{
    (void)state;
    static unsigned char data[2000];
    static const struct {
        int priority;
        size_t size;
    } items[] = {{3, 4}, {1, 2000}, {2, 24}, {1, 25}, {9, 700}};
    static const int order[] = {1, 3, 2, 0, 4};
    weft_queue *queue = new_queue(WEFT_QUEUE_PRIORITY, 0), *last = new_queue(WEFT_QUEUE_LIFO, 0);
    for (int i = 0; i < 5; i++) {
        memcpy(data, &items[i].priority, sizeof(int));
        assert_int_equal(weft_queue_put(queue, data, items[i].size, WEFT_NOWAIT), 0);
        assert_int_equal(weft_queue_put(last, data, items[i].size, WEFT_NOWAIT), 0);
    }
    for (int i = 0; i < 4; i++) {
        weft_bytes bytes;
        int r = weft_queue_get_bytes(queue, &bytes, WEFT_NOWAIT);
        assert_int_equal(r, items[order[i]].size);
        assert_memory_equal(bytes.data, &items[order[i]].priority, sizeof(int));
        weft_free(bytes.data);
        assert_int_equal(weft_queue_get(last, WEFT_OUT(data), WEFT_NOWAIT), items[4 - i].size);
    }
    weft_release(queue); /* with what is left, in a block of its own */
    weft_release(last);
}

static void an_item_without_a_priority_is_refused(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(WEFT_QUEUE_PRIORITY, 0), *none;
    assert_int_equal(weft_queue_put(queue, "abc", 3, WEFT_NOWAIT), -EMSGSIZE);
    assert_non_null(strstr(weft_error_message(), "priority"));
    assert_int_equal(weft_queue_put_many(queue, "abc", 3, 1, WEFT_NOWAIT), -EMSGSIZE);
    assert_true(weft_queue_empty(queue));
    assert_int_equal(
        weft_queue_open(&none, &(weft_queue_options){.order = WEFT_QUEUE_PRIORITY, .item_size = 2}),
        -EINVAL);
    assert_null(none);
    assert_int_equal(weft_queue_open(&none, &(weft_queue_options){.order = (weft_queue_order)3}),
                     -EINVAL);
    weft_release(queue);
}

static void processes_share_no_other_order_than_the_first(void **state)
{
    (void)state;
    weft_queue *queue;
    const weft_queue_options options = {.order = WEFT_QUEUE_LIFO, .shared = true};
    assert_int_equal(weft_queue_open(&queue, &options), -ENOTSUP);
    assert_null(queue);
    assert_non_null(strstr(weft_error_message(), "between processes"));
}

static int shut_down(void **state)
{
    (void)state;
    return weft_shutdown(WEFT_FOREVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(the_last_comes_out_first),
        weft_test(the_smallest_priority_comes_out_first),
        weft_test(equal_priorities_come_out_in_the_order_they_came),
        weft_test(the_empty_item_goes_last),
        weft_test(items_of_any_size_keep_their_order),
        weft_test(an_item_without_a_priority_is_refused),
        weft_test(processes_share_no_other_order_than_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, shut_down);
}
