/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <weft.h>

#include "support/support.h"

static weft_queue *new_queue(size_t maxsize, size_t item_size)
{
    weft_queue *queue;
    const weft_queue_options options = {.maxsize = maxsize, .item_size = item_size};
    assert_int_equal(weft_queue_open(&queue, &options), 0);
    return queue;
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

static int use_of_the_parent(struct recorder *recorder, void *arg)
{
    weft_queue *queue = arg;
    weft_bytes bytes;
    int n = 0;
    RECORD_INT(recorder, weft_queue_put(queue, WEFT_ARG(n), WEFT_NOWAIT), WEFT_EFORKED);
    RECORD_INT(recorder, weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), WEFT_EFORKED);
    RECORD_INT(recorder, weft_queue_get_bytes(queue, &bytes, WEFT_NOWAIT), WEFT_EFORKED);
    RECORD_INT(recorder, weft_queue_put_many(queue, &n, sizeof(n), 1, WEFT_NOWAIT), WEFT_EFORKED);
    RECORD_INT(recorder, weft_queue_get_many(queue, &n, sizeof(n), 1, WEFT_NOWAIT), WEFT_EFORKED);
    RECORD_INT(recorder, weft_queue_qsize(queue), WEFT_EFORKED);
    RECORD_INT(recorder, weft_queue_maxsize(queue), WEFT_EFORKED);
    RECORD_INT(recorder, weft_queue_unfinished(queue), WEFT_EFORKED);
    RECORD_INT(recorder, weft_queue_task_done(queue), WEFT_EFORKED);
    RECORD_INT(recorder, weft_queue_join(queue, WEFT_NOWAIT), WEFT_EFORKED);
    RECORD_INT(recorder, weft_queue_shutdown(queue, WEFT_SHUTDOWN_DRAIN), WEFT_EFORKED);
    RECORD(recorder, weft_queue_empty(queue));
    RECORD(recorder, !weft_queue_full(queue));
    RECORD(recorder, !weft_queue_is_shutdown(queue));
    weft_release(queue);
    return 0;
}

static void a_forked_child_has_no_part_in_it(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(1, sizeof(int));
    struct recorder recorder = {0};
    struct child child;
    int n = 3;
    assert_int_equal(weft_queue_put(queue, WEFT_ARG(n), WEFT_NOWAIT), 0);
    assert_int_equal(child_start(&child, use_of_the_parent, queue), 0);
    assert_int_equal(child_join(&child, &recorder), 0);
    recorder_assert(&recorder);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), sizeof(n));
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
        weft_test(items_come_out_in_their_order),
        weft_test(a_full_one_times_out),
        weft_test(an_empty_one_times_out),
        weft_test(the_empty_item_is_an_end_mark),
        weft_test(items_of_any_size),
        weft_test(an_item_that_does_not_fit_stays),
        weft_test(an_item_of_another_size_is_refused),
        weft_test(misuse_is_refused),
        weft_test(it_tells_of_itself),
        weft_test(join_waits_until_all_is_done),
        weft_test(a_forked_child_has_no_part_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, shut_down);
}
