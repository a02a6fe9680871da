/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <weft.h>

#include "support/coroutines.h"
#include "support/support.h"

static void it_is_set_and_cleared(void **state)
{
    (void)state;
    weft_event event = {0};
    assert_false(weft_event_is_set(&event));
    assert_int_equal(weft_event_wait(&event, WEFT_NOWAIT), -ETIMEDOUT);
    weft_event_set(&event);
    weft_event_set(&event);
    assert_true(weft_event_is_set(&event));
    assert_int_equal(weft_event_wait(&event, WEFT_FOREVER), 0);
    weft_event_clear(&event);
    assert_false(weft_event_is_set(&event));
    assert_int_equal(weft_event_wait(&event, 0.001), -ETIMEDOUT);
    assert_int_equal(event.state_, 0);
}

typedef struct waiter {
    weft_event *event;
    int r;
} waiter;

static void wait_for_it(void *arg)
{
    waiter *w = arg;
    w->r = weft_event_wait(w->event, WEFT_FOREVER);
}

static void settle(weft_runner *runner)
{
    for (int i = 0; i < 4; i++)
        weft_runner_turn(runner, WEFT_INSTANT_NOW);
}

static void a_set_releases_all_also_when_it_is_cleared_at_once(void **state)
{
    (void)state;
    enum { MANY = 40 };
    weft_event event = {0};
    waiter waiters[MANY];
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    for (int i = 0; i < MANY; i++) {
        waiters[i] = (waiter){&event, 1};
        coroutine_spawn(runner, &left, wait_for_it, &waiters[i]);
    }
    settle(runner);
    assert_int_equal(left, MANY);
    weft_event_set(&event);
    weft_event_clear(&event);
    coroutines_run(runner, &left);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(waiters[i].r, 0);
    weft_runner_close(runner);
}

static void a_cancel_ends_the_wait(void **state)
{
    (void)state;
    weft_event event = {0};
    waiter w = {&event, 1};
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    weft_context *context = coroutine_spawn(runner, &left, wait_for_it, &w);
    settle(runner);
    weft_context_cancel(context);
    coroutines_run(runner, &left);
    assert_int_equal(w.r, -ECANCELED);
    assert_int_equal(event.state_, 0);
    weft_runner_close(runner);
}

static int set_it(void *arg)
{
    weft_event_set(arg);
    return 0;
}

static void memory_may_be_freed_after_the_set(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++) {
        weft_event *event = calloc(1, sizeof(*event));
        weft_thread *thread;
        assert_non_null(event);
        assert_int_equal(weft_thread_start(&thread, set_it, WEFT_POINTER(event), NULL), 0);
        if (i % 2 == 0)
            assert_int_equal(weft_event_wait(event, WEFT_FOREVER), 0);
        else
            while (!weft_event_is_set(event))
                weft_sleep(0);
        free(event);
        assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 0);
        weft_release(thread);
    }
}

static void as_a_source_it_joins_a_wait(void **state)
{
    (void)state;
    weft_event first = {0}, second = {0};
    weft_source *sources[2];
    weft_thread *thread;
    assert_int_equal(weft_source_from_event(&sources[0], &first), 0);
    assert_int_equal(weft_source_from_event(&sources[1], &second), 0);
    assert_int_equal(weft_wait_any(sources, 2, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_wait_any(sources, 2, 0.001), -ETIMEDOUT);
    assert_int_equal(weft_thread_start(&thread, set_it, WEFT_POINTER(&second), NULL), 0);
    assert_int_equal(weft_wait_any(sources, 2, WEFT_FOREVER), 1);
    assert_true(weft_done(sources[1]));
    assert_false(weft_done(sources[0]));
    assert_int_equal(weft_thread_join(thread, WEFT_FOREVER), 0);
    weft_release(thread);
    weft_event_clear(&second);
    assert_int_equal(weft_thread_start(&thread, set_it, WEFT_POINTER(&first), NULL), 0);
    assert_int_equal(weft_wait(sources[0], WEFT_FOREVER), 0);
    assert_int_equal(weft_wait_all(sources, 2, 0.001), -ETIMEDOUT);
    weft_thread_join(thread, WEFT_FOREVER);
    weft_release(thread);
    weft_release_many(sources, 2);
    assert_int_equal(second.state_, 0);
}

static void a_source_of_nothing_is_refused(void **state)
{
    (void)state;
    weft_source *source = (weft_source *)(void *)&source;
    assert_int_equal(weft_source_from_event(&source, NULL), -EINVAL);
    assert_null(source);
}

static int shut_down(void **state)
{
    (void)state;
    return weft_shutdown(WEFT_FOREVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(it_is_set_and_cleared),
        weft_test(a_set_releases_all_also_when_it_is_cleared_at_once),
        weft_test(a_cancel_ends_the_wait),
        weft_test(memory_may_be_freed_after_the_set),
        weft_test(as_a_source_it_joins_a_wait),
        weft_test(a_source_of_nothing_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, shut_down);
}
