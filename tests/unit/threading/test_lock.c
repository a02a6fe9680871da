/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <weft.h>

#include "support/coroutines.h"
#include "support/support.h"

static void a_zeroed_lock_is_free(void **state)
{
    (void)state;
    weft_lock lock = {0};
    assert_false(weft_lock_locked(&lock));
    assert_int_equal(weft_lock_acquire(&lock, WEFT_FOREVER), 0);
    assert_true(weft_lock_locked(&lock));
    assert_int_equal(weft_lock_release(&lock), 0);
    assert_false(weft_lock_locked(&lock));
}

static void polling_a_held_lock_times_out(void **state)
{
    (void)state;
    weft_lock lock = {0};
    assert_int_equal(weft_lock_acquire(&lock, WEFT_NOWAIT), 0);
    assert_int_equal(weft_lock_acquire(&lock, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_lock_acquire(&lock, 0.001), -ETIMEDOUT);
    assert_true(weft_lock_locked(&lock));
    assert_int_equal(weft_lock_release(&lock), 0);
    assert_false(weft_lock_locked(&lock));
}

static void not_a_number_is_refused(void **state)
{
    (void)state;
    weft_lock lock = {0};
    assert_int_equal(weft_lock_acquire(&lock, (double)NAN), -EINVAL);
    assert_false(weft_lock_locked(&lock));
}

static int acquire_for_ages(void *arg)
{
    int r = weft_lock_acquire(arg, 1e300);
    return r < 0 ? r : weft_lock_release(arg);
}

static void a_timeout_beyond_the_clock_is_for_ever(void **state)
{
    (void)state;
    weft_lock lock = {0};
    weft_thread *thread;
    assert_int_equal(weft_lock_acquire(&lock, 1e300), 0);
    assert_int_equal(weft_thread_start(&thread, acquire_for_ages, WEFT_POINTER(&lock), NULL), 0);
    assert_int_equal(weft_thread_join(thread, 0.005), -ETIMEDOUT);
    assert_int_equal(weft_lock_release(&lock), 0);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(thread);
}

static void releasing_a_free_lock_is_an_error(void **state)
{
    (void)state;
    weft_lock lock = {0};
    assert_int_equal(weft_lock_release(&lock), -EPERM);
    assert_non_null(strstr(weft_error_message(), "nobody holds"));
}

static int release_it(void *arg)
{
    return weft_lock_release(arg);
}

static void another_thread_may_release_it(void **state)
{
    (void)state;
    weft_lock lock = {0};
    weft_thread *thread;
    assert_int_equal(weft_lock_acquire(&lock, WEFT_FOREVER), 0);
    assert_int_equal(weft_thread_start(&thread, release_it, WEFT_POINTER(&lock), NULL), 0);
    assert_int_equal(weft_lock_acquire(&lock, WEFT_FOREVER), 0);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(thread);
    assert_int_equal(weft_lock_release(&lock), 0);
}

typedef struct shared {
    weft_lock lock;
    long count;
    int rounds;
} shared;

static int count_up(void *arg)
{
    shared *s = arg;
    for (int i = 0; i < s->rounds; i++) {
        int r = weft_lock_acquire(&s->lock, WEFT_FOREVER);
        if (r != 0)
            return r < 0 ? r : -EIO;
        s->count++;
        r = weft_lock_release(&s->lock);
        if (r < 0)
            return r;
    }
    return 0;
}

static void it_excludes_threads(void **state)
{
    (void)state;
    enum { THREADS = 8 };
    shared s = {.rounds = 20000};
    weft_thread *threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(weft_thread_start(&threads[i], count_up, WEFT_POINTER(&s), NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(weft_result(threads[i], WEFT_NONE, WEFT_FOREVER), 0);
    weft_release_many(threads, THREADS);
    assert_int_equal(s.count, THREADS * s.rounds);
    assert_int_equal(s.lock.state_, 0);
}

static void count_in_coroutine(void *arg)
{
    shared *s = arg;
    for (int i = 0; i < s->rounds; i++) {
        if (weft_lock_acquire(&s->lock, WEFT_FOREVER) != 0)
            return;
        long count = s->count;
        if (i % 16 == 0)
            weft_sleep(0);
        s->count = count + 1;
        weft_lock_release(&s->lock);
    }
}

static void coroutines_and_threads_exclude_each_other(void **state)
{
    (void)state;
    enum { COROUTINES = 10, THREADS = 2 };
    shared s = {.rounds = 3000};
    weft_thread *threads[THREADS];
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    assert_non_null(runner);
    for (int i = 0; i < COROUTINES; i++)
        assert_non_null(coroutine_spawn(runner, &left, count_in_coroutine, &s));
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(weft_thread_start(&threads[i], count_up, WEFT_POINTER(&s), NULL), 0);
    assert_int_equal(coroutines_run(runner, &left), 0);
    weft_runner_close(runner);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(weft_result(threads[i], WEFT_NONE, WEFT_FOREVER), 0);
    weft_release_many(threads, THREADS);
    assert_int_equal(s.count, (COROUTINES + THREADS) * s.rounds);
}

typedef struct waiter {
    weft_lock *lock;
    int r;
} waiter;

static void acquire_in_coroutine(void *arg)
{
    waiter *w = arg;
    w->r = weft_lock_acquire(w->lock, WEFT_FOREVER);
}

/* Runs the coroutines until each has parked or ended. */
static void settle(weft_runner *runner)
{
    for (int i = 0; i < 4; i++)
        weft_runner_turn(runner, WEFT_INSTANT_NOW);
}

static void a_cancelled_wait_takes_nothing(void **state)
{
    (void)state;
    weft_lock lock = {0};
    waiter w = {&lock, 1};
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    assert_int_equal(weft_lock_acquire(&lock, WEFT_FOREVER), 0);
    weft_context *context = coroutine_spawn(runner, &left, acquire_in_coroutine, &w);
    settle(runner);
    assert_int_equal(left, 1);
    weft_context_cancel(context);
    coroutines_run(runner, &left);
    assert_int_equal(w.r, -ECANCELED);
    assert_int_equal(weft_lock_release(&lock), 0);
    assert_false(weft_lock_locked(&lock));
    weft_runner_close(runner);
}

static void a_cancel_after_the_wake_up_passes_the_lock_on(void **state)
{
    (void)state;
    weft_lock lock = {0};
    waiter first = {&lock, 1}, second = {&lock, 1};
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    assert_int_equal(weft_lock_acquire(&lock, WEFT_FOREVER), 0);
    weft_context *context = coroutine_spawn(runner, &left, acquire_in_coroutine, &first);
    coroutine_spawn(runner, &left, acquire_in_coroutine, &second);
    settle(runner);
    assert_int_equal(left, 2);
    assert_int_equal(weft_lock_release(&lock), 0); /* wakes the first, which has not resumed */
    weft_context_cancel(context);
    coroutines_run(runner, &left);
    assert_int_equal(first.r, -ECANCELED);
    assert_int_equal(second.r, 0);
    assert_true(weft_lock_locked(&lock));
    assert_int_equal(weft_lock_release(&lock), 0);
    weft_runner_close(runner);
}

static void a_timeout_scope_ends_the_wait(void **state)
{
    (void)state;
    weft_lock lock = {0};
    assert_int_equal(weft_lock_acquire(&lock, WEFT_FOREVER), 0);
    int scope = weft_timeout_begin(0.001);
    int r = weft_lock_acquire(&lock, WEFT_FOREVER);
    assert_int_equal(r, -ECANCELED);
    assert_int_equal(weft_timeout_end(scope, r), -ETIMEDOUT);
}

/* Two that hold it nearly always: neither may be kept out for good. */
typedef struct greedy {
    weft_lock lock;
    _Atomic bool stop;
} greedy;

static int take_greedily(void *arg)
{
    greedy *g = arg;
    while (!atomic_load(&g->stop)) {
        int r = weft_lock_acquire(&g->lock, WEFT_FOREVER);
        if (r < 0)
            return r;
        weft_lock_release(&g->lock);
    }
    return 0;
}

static void nobody_starves(void **state)
{
    (void)state;
    greedy g = {0};
    weft_thread *threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(weft_thread_start(&threads[i], take_greedily, WEFT_POINTER(&g), NULL), 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(weft_lock_acquire(&g.lock, WEFT_FOREVER), 0);
        assert_int_equal(weft_lock_release(&g.lock), 0);
    }
    atomic_store(&g.stop, true);
    for (int i = 0; i < 2; i++)
        assert_int_equal(weft_result(threads[i], WEFT_NONE, WEFT_FOREVER), 0);
    weft_release_many(threads, 2);
}

/* The memory may go as soon as the last user has let go. */
typedef struct once {
    weft_lock lock;
} once;

static int hold_and_release(void *arg)
{
    once *o = arg;
    return weft_lock_release(&o->lock);
}

static void memory_may_be_freed_after_the_last_release(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++) {
        once *o = calloc(1, sizeof(*o));
        assert_non_null(o);
        weft_thread *thread;
        assert_int_equal(weft_lock_acquire(&o->lock, WEFT_FOREVER), 0);
        assert_int_equal(weft_thread_start(&thread, hold_and_release, WEFT_POINTER(o), NULL), 0);
        assert_int_equal(weft_lock_acquire(&o->lock, WEFT_FOREVER), 0);
        free(o); /* the other may still be on its way out of the release */
        assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 0);
        weft_release(thread);
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
        weft_test(a_zeroed_lock_is_free),
        weft_test(polling_a_held_lock_times_out),
        weft_test(not_a_number_is_refused),
        weft_test(a_timeout_beyond_the_clock_is_for_ever),
        weft_test(releasing_a_free_lock_is_an_error),
        weft_test(another_thread_may_release_it),
        weft_test(it_excludes_threads),
        weft_test(coroutines_and_threads_exclude_each_other),
        weft_test(a_cancelled_wait_takes_nothing),
        weft_test(a_cancel_after_the_wake_up_passes_the_lock_on),
        weft_test(a_timeout_scope_ends_the_wait),
        weft_test(nobody_starves),
        weft_test(memory_may_be_freed_after_the_last_release),
    };
    return cmocka_run_group_tests(tests, NULL, shut_down);
}
