/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <weft.h>

#include "support/coroutines.h"
#include "support/support.h"

static void it_counts_its_permits(void **state)
{
    (void)state;
    weft_semaphore semaphore = {.value = 2};
    assert_int_equal(weft_semaphore_acquire(&semaphore, WEFT_FOREVER), 0);
    assert_int_equal(weft_semaphore_acquire(&semaphore, WEFT_NOWAIT), 0);
    assert_int_equal(weft_semaphore_acquire(&semaphore, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_semaphore_acquire(&semaphore, 0.001), -ETIMEDOUT);
    assert_int_equal(weft_semaphore_release(&semaphore, 3), 0);
    assert_int_equal(weft_semaphore_value(&semaphore), 3);
}

static void a_zeroed_one_has_no_permit(void **state)
{
    (void)state;
    weft_semaphore semaphore = {0};
    assert_int_equal(weft_semaphore_acquire(&semaphore, WEFT_NOWAIT), -ETIMEDOUT);
}

static void a_release_beyond_the_bound_changes_nothing(void **state)
{
    (void)state;
    weft_semaphore semaphore = {.value = 2, .bound = 3};
    assert_int_equal(weft_semaphore_release(&semaphore, 2), -EINVAL);
    assert_non_null(strstr(weft_error_message(), "bound of 3"));
    assert_int_equal(weft_semaphore_value(&semaphore), 2);
    assert_int_equal(weft_semaphore_release(&semaphore, 1), 0);
    assert_int_equal(weft_semaphore_release(&semaphore, 1), -EINVAL);
    assert_int_equal(weft_semaphore_release(&semaphore, 0), -EINVAL);
    semaphore = (weft_semaphore){.value = 5};
    assert_int_equal(weft_semaphore_release(&semaphore, (size_t)INT32_MAX), -EOVERFLOW);
    assert_int_equal(weft_semaphore_value(&semaphore), 5);
}

typedef struct taker {
    weft_semaphore *semaphore;
    int r;
    int *order;
    int place;
} taker;

static void take_one(void *arg)
{
    taker *t = arg;
    t->r = weft_semaphore_acquire(t->semaphore, WEFT_FOREVER);
    t->place = ++*t->order;
}

static void settle(weft_runner *runner)
{
    for (int i = 0; i < 4; i++)
        weft_runner_turn(runner, WEFT_INSTANT_NOW);
}

static void those_who_wait_are_served_in_order_and_not_passed(void **state)
{
    (void)state;
    weft_semaphore semaphore = {0};
    int order = 0;
    taker takers[3] = {
        {&semaphore, 1, &order, 0}, {&semaphore, 1, &order, 0}, {&semaphore, 1, &order, 0}};
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    for (int i = 0; i < 3; i++)
        coroutine_spawn(runner, &left, take_one, &takers[i]);
    settle(runner);
    assert_int_equal(left, 3);
    assert_int_equal(weft_semaphore_release(&semaphore, 2), 0);
    /* both permits are theirs already */
    assert_int_equal(weft_semaphore_acquire(&semaphore, WEFT_NOWAIT), -ETIMEDOUT);
    settle(runner);
    assert_int_equal(left, 1);
    assert_int_equal(takers[0].place, 1);
    assert_int_equal(takers[1].place, 2);
    assert_int_equal(weft_semaphore_release(&semaphore, 2), 0);
    settle(runner);
    assert_int_equal(left, 0);
    assert_int_equal(weft_semaphore_value(&semaphore), 1);
    weft_runner_close(runner);
}

static void a_cancel_after_the_wake_up_passes_the_permit_on(void **state)
{
    (void)state;
    weft_semaphore semaphore = {.bound = 1};
    int order = 0;
    taker first = {&semaphore, 1, &order, 0}, second = {&semaphore, 1, &order, 0};
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    weft_context *context = coroutine_spawn(runner, &left, take_one, &first);
    coroutine_spawn(runner, &left, take_one, &second);
    settle(runner);
    assert_int_equal(weft_semaphore_release(&semaphore, 1), 0);
    weft_context_cancel(context);
    coroutines_run(runner, &left);
    assert_int_equal(first.r, -ECANCELED);
    assert_int_equal(second.r, 0);
    assert_int_equal(weft_semaphore_value(&semaphore), 0);
    weft_runner_close(runner);
}

static void a_cancelled_wait_leaves_no_trace(void **state)
{
    (void)state;
    weft_semaphore semaphore = {0};
    int order = 0;
    taker first = {&semaphore, 1, &order, 0};
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    weft_context *context = coroutine_spawn(runner, &left, take_one, &first);
    settle(runner);
    weft_context_cancel(context);
    coroutines_run(runner, &left);
    assert_int_equal(first.r, -ECANCELED);
    assert_int_equal(semaphore.value, 0);
    assert_int_equal(weft_semaphore_release(&semaphore, 1), 0);
    assert_int_equal(weft_semaphore_acquire(&semaphore, WEFT_NOWAIT), 0);
    weft_runner_close(runner);
}

static void one_release_lets_many_go_on(void **state)
{
    (void)state;
    enum { MANY = 50 };
    weft_semaphore semaphore = {0};
    int order = 0;
    taker takers[MANY];
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    for (int i = 0; i < MANY; i++) {
        takers[i] = (taker){&semaphore, 1, &order, 0};
        coroutine_spawn(runner, &left, take_one, &takers[i]);
    }
    settle(runner);
    assert_int_equal(weft_semaphore_release(&semaphore, MANY + 7), 0);
    coroutines_run(runner, &left);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(takers[i].place, i + 1);
    assert_int_equal(weft_semaphore_value(&semaphore), 7);
    weft_runner_close(runner);
}

typedef struct table {
    weft_semaphore semaphore;
    _Atomic int seated, most;
} table;

static int dine(void *arg)
{
    table *t = arg;
    for (int i = 0; i < 5000; i++) {
        int r = weft_semaphore_acquire(&t->semaphore, WEFT_FOREVER);
        if (r < 0)
            return r;
        int seated = atomic_fetch_add(&t->seated, 1) + 1;
        if (seated > 3)
            return -EIO;
        atomic_fetch_sub(&t->seated, 1);
        r = weft_semaphore_release(&t->semaphore, 1);
        if (r < 0)
            return r;
    }
    return 0;
}

static void it_limits_threads(void **state)
{
    (void)state;
    enum { THREADS = 6 };
    table t = {.semaphore = {.value = 3, .bound = 3}};
    weft_thread *threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(weft_thread_start(&threads[i], dine, WEFT_POINTER(&t), NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(weft_result(threads[i], WEFT_NONE, WEFT_FOREVER), 0);
    weft_release_many(threads, THREADS);
    assert_int_equal(weft_semaphore_value(&t.semaphore), 3);
}

static int shut_down(void **state)
{
    (void)state;
    return weft_shutdown(WEFT_FOREVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(it_counts_its_permits),
        weft_test(a_zeroed_one_has_no_permit),
        weft_test(a_release_beyond_the_bound_changes_nothing),
        weft_test(those_who_wait_are_served_in_order_and_not_passed),
        weft_test(a_cancel_after_the_wake_up_passes_the_permit_on),
        weft_test(a_cancelled_wait_leaves_no_trace),
        weft_test(one_release_lets_many_go_on),
        weft_test(it_limits_threads),
    };
    return cmocka_run_group_tests(tests, NULL, shut_down);
}
