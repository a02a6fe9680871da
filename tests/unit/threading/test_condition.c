/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <weft.h>

#include "support/coroutines.h"
#include "support/places.h"

static void without_the_lock_nothing_goes(void **state)
{
    (void)state;
    weft_condition condition = {0};
    assert_int_equal(weft_condition_wait(&condition, WEFT_FOREVER), -EPERM);
    assert_int_equal(weft_condition_notify(&condition, 1), -EPERM);
    assert_int_equal(weft_condition_notify_all(&condition), -EPERM);
    assert_int_equal(weft_condition_release(&condition), -EPERM);
}

static void it_uses_the_lock_it_is_given(void **state)
{
    (void)state;
    weft_lock lock = {0};
    weft_condition condition = {.lock = &lock};
    assert_int_equal(weft_condition_acquire(&condition, WEFT_FOREVER), 0);
    assert_true(weft_lock_locked(&lock));
    assert_int_equal(weft_condition_acquire(&condition, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_condition_notify(&condition, 1), 0);
    assert_int_equal(weft_condition_release(&condition), 0);
    assert_false(weft_lock_locked(&lock));
}

static void a_wait_that_times_out_holds_the_lock(void **state)
{
    (void)state;
    weft_condition condition = {0};
    assert_int_equal(weft_condition_acquire(&condition, WEFT_FOREVER), 0);
    assert_int_equal(weft_condition_wait(&condition, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_condition_wait(&condition, 0.001), -ETIMEDOUT);
    assert_int_equal(condition.waiting_, 0);
    assert_int_equal(weft_condition_release(&condition), 0);
}

typedef struct waiter {
    weft_condition *condition;
    int r, place;
    int *order;
} waiter;

static void wait_once(void *arg)
{
    waiter *w = arg;
    w->r = weft_condition_acquire(w->condition, WEFT_FOREVER);
    if (w->r < 0)
        return;
    w->r = weft_condition_wait(w->condition, WEFT_FOREVER);
    w->place = ++*w->order;
    int r = weft_condition_release(w->condition);
    if (r < 0)
        w->r = r;
}

static void settle(weft_runner *runner)
{
    for (int i = 0; i < 4; i++)
        weft_runner_turn(runner, WEFT_INSTANT_NOW);
}

static void notify_wakes_the_oldest_first_and_keeps_nothing(void **state)
{
    (void)state;
    weft_condition condition = {0};
    int order = 0;
    waiter waiters[4];
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    assert_int_equal(weft_condition_acquire(&condition, WEFT_FOREVER), 0);
    assert_int_equal(weft_condition_notify(&condition, 5), 0); /* nobody: forgotten */
    assert_int_equal(weft_condition_release(&condition), 0);
    for (int i = 0; i < 4; i++) {
        waiters[i] = (waiter){&condition, 1, 0, &order};
        coroutine_spawn(runner, &left, wait_once, &waiters[i]);
    }
    settle(runner);
    assert_int_equal(left, 4);
    assert_int_equal(weft_condition_acquire(&condition, WEFT_FOREVER), 0);
    assert_int_equal(weft_condition_notify(&condition, 2), 0);
    settle(runner);
    assert_int_equal(left, 4); /* the lock is still held */
    assert_int_equal(weft_condition_release(&condition), 0);
    settle(runner);
    assert_int_equal(left, 2);
    assert_int_equal(waiters[0].place, 1);
    assert_int_equal(waiters[1].place, 2);
    assert_int_equal(weft_condition_acquire(&condition, WEFT_FOREVER), 0);
    assert_int_equal(weft_condition_notify_all(&condition), 0);
    assert_int_equal(weft_condition_release(&condition), 0);
    settle(runner);
    assert_int_equal(left, 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(waiters[i].r, 0);
    assert_int_equal(condition.waiting_, 0);
    weft_runner_close(runner);
}

static void a_cancelled_wait_holds_the_lock(void **state)
{
    (void)state;
    weft_condition condition = {0};
    int order = 0;
    waiter w = {&condition, 1, 0, &order};
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    weft_context *context = coroutine_spawn(runner, &left, wait_once, &w);
    settle(runner);
    assert_int_equal(weft_condition_acquire(&condition, WEFT_FOREVER), 0);
    weft_context_cancel(context);
    settle(runner);
    assert_int_equal(left, 1); /* it waits for the lock, and the cancel does not end that */
    weft_context_cancel(context);
    settle(runner);
    assert_int_equal(left, 1);
    assert_int_equal(weft_condition_release(&condition), 0);
    coroutines_run(runner, &left);
    assert_int_equal(w.r, -ECANCELED);
    weft_runner_close(runner);
}

static void a_cancelled_waiter_passes_its_notification_on(void **state)
{
    (void)state;
    weft_condition condition = {0};
    int order = 0;
    waiter first = {&condition, 1, 0, &order}, second = {&condition, 1, 0, &order};
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    weft_context *context = coroutine_spawn(runner, &left, wait_once, &first);
    coroutine_spawn(runner, &left, wait_once, &second);
    settle(runner);
    assert_int_equal(weft_condition_acquire(&condition, WEFT_FOREVER), 0);
    assert_int_equal(weft_condition_notify(&condition, 1), 0);
    weft_context_cancel(context);
    assert_int_equal(weft_condition_release(&condition), 0);
    coroutines_run(runner, &left);
    assert_int_equal(first.r, -ECANCELED);
    assert_int_equal(second.r, 0);
    weft_runner_close(runner);
}

typedef struct box {
    weft_condition condition;
    int value, calls;
} box;

static bool is_three(void *arg)
{
    box *b = arg;
    b->calls++;
    return b->value == 3;
}

static int count_to_three(void *arg)
{
    box *b = arg;
    for (int i = 0; i < 3; i++) {
        int r = weft_condition_acquire(&b->condition, WEFT_FOREVER);
        if (r < 0)
            return r;
        b->value++;
        weft_condition_notify_all(&b->condition);
        weft_condition_release(&b->condition);
    }
    return 0;
}

static void wait_for_looks_before_and_after(void **state)
{
    (void)state;
    box b = {0};
    weft_thread *thread;
    assert_int_equal(weft_condition_acquire(&b.condition, WEFT_FOREVER), 0);
    assert_int_equal(weft_condition_wait_for(&b.condition, is_three, &b, 0.001), -ETIMEDOUT);
    assert_int_equal(b.calls, 2);
    assert_int_equal(weft_thread_start(&thread, count_to_three, WEFT_POINTER(&b), NULL), 0);
    assert_int_equal(weft_condition_wait_for(&b.condition, is_three, &b, WEFT_FOREVER), 0);
    assert_int_equal(b.value, 3);
    assert_int_equal(weft_condition_release(&b.condition), 0);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(thread);
}

/* Two threads hand a turn to and fro. */
typedef struct turns {
    weft_lock lock;
    weft_condition even, odd;
    int turn;
} turns;

enum { TURNS = 4000 };

static int play_odd(void *arg)
{
    turns *t = arg;
    int r = weft_lock_acquire(&t->lock, WEFT_FOREVER);
    while (r >= 0 && t->turn < TURNS) {
        if (t->turn % 2 == 1) {
            t->turn++;
            r = weft_condition_notify(&t->even, 1);
        } else {
            r = weft_condition_wait(&t->odd, WEFT_FOREVER);
        }
    }
    weft_lock_release(&t->lock);
    return r;
}

static void two_conditions_may_share_a_lock(void **state)
{
    (void)state;
    turns t = {0};
    t.even.lock = t.odd.lock = &t.lock;
    weft_thread *thread;
    assert_int_equal(weft_thread_start(&thread, play_odd, WEFT_POINTER(&t), NULL), 0);
    assert_int_equal(weft_lock_acquire(&t.lock, WEFT_FOREVER), 0);
    int r = 0;
    while (r >= 0 && t.turn < TURNS) {
        if (t.turn % 2 == 0) {
            t.turn++;
            r = weft_condition_notify(&t.odd, 1);
        } else {
            r = weft_condition_wait(&t.even, WEFT_FOREVER);
        }
    }
    assert_int_equal(r, 0);
    t.turn = TURNS;
    assert_int_equal(weft_condition_notify_all(&t.odd), 0);
    assert_int_equal(weft_lock_release(&t.lock), 0);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(thread);
}

static int notify_one(void *arg)
{
    weft_condition *condition = arg;
    int r = weft_condition_acquire(condition, WEFT_FOREVER);
    if (r == 0)
        r = weft_condition_notify(condition, 1);
    return r == 0 ? weft_condition_release(condition) : r;
}

static int notify_as_another(void *arg)
{
    return weft_condition_notify(arg, 1) == -EPERM && weft_condition_wait(arg, 0) == -EPERM ? 0
                                                                                            : -EIO;
}

static int wait_three_levels_deep(void *arg)
{
    weft_rlock rlock = {0};
    weft_condition condition = {.rlock = &rlock};
    weft_thread *thread;
    int r = 0;
    (void)arg;
    for (int i = 0; i < 3 && r == 0; i++)
        r = weft_condition_acquire(&condition, WEFT_NOWAIT);
    if (r == 0)
        r = in_a_thread(notify_as_another, &condition);
    if (r == 0 && weft_condition_wait(&condition, 0.001) != -ETIMEDOUT)
        r = -EIO;
    if (r == 0)
        r = weft_thread_start(&thread, notify_one, WEFT_POINTER(&condition), NULL);
    if (r < 0)
        return r;
    r = weft_condition_wait(&condition, WEFT_FOREVER);
    int got = weft_result(thread, WEFT_NONE, WEFT_FOREVER);
    weft_release(thread);
    for (int i = 0; i < 3 && r == 0; i++)
        r = weft_condition_locked(&condition) ? weft_condition_release(&condition) : -EIO;
    return r < 0 ? r : weft_condition_locked(&condition) ? -EIO : got;
}

static void wait_on_the_lock(void *arg)
{
    waiter *w = arg;
    weft_lock *lock = w->condition->lock;
    w->r = weft_lock_acquire(lock, WEFT_FOREVER);
    if (w->r == 0)
        w->r = weft_condition_wait(w->condition, WEFT_FOREVER);
    if (w->r == 0)
        w->r = weft_lock_release(lock);
}

static void its_memory_may_be_used_anew_after_the_notify(void **state)
{
    (void)state;
    weft_lock lock = {0}, other = {0};
    weft_condition condition = {.lock = &lock};
    waiter w = {&condition, 1, 0, NULL};
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    coroutine_spawn(runner, &left, wait_on_the_lock, &w);
    settle(runner);
    assert_int_equal(weft_lock_acquire(&lock, WEFT_NOWAIT), 0);
    assert_int_equal(weft_condition_notify(&condition, 1), 0);
    condition = (weft_condition){.lock = &other};
    assert_int_equal(weft_lock_release(&lock), 0);
    settle(runner);
    assert_int_equal(left, 0);
    assert_int_equal(w.r, 0); /* it was its own lock that it took back */
    assert_false(weft_lock_locked(&other));
    weft_runner_close(runner);
}

static void a_wait_drops_all_levels_of_an_rlock(void **state)
{
    (void)state;
    in_each_place(wait_three_levels_deep, NULL);
}

static int shut_down(void **state)
{
    (void)state;
    return weft_shutdown(WEFT_FOREVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(without_the_lock_nothing_goes),
        weft_test(it_uses_the_lock_it_is_given),
        weft_test(a_wait_that_times_out_holds_the_lock),
        weft_test(notify_wakes_the_oldest_first_and_keeps_nothing),
        weft_test(a_cancelled_wait_holds_the_lock),
        weft_test(a_cancelled_waiter_passes_its_notification_on),
        weft_test(wait_for_looks_before_and_after),
        weft_test(two_conditions_may_share_a_lock),
        weft_test(its_memory_may_be_used_anew_after_the_notify),
        weft_test(a_wait_drops_all_levels_of_an_rlock),
    };
    return cmocka_run_group_tests(tests, NULL, shut_down);
}
