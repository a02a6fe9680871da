/* SPDX-License-Identifier: MIT */
#include "support/coroutines.h"
#include "support/places.h"

static void settle(weft_runner *runner)
{
    for (int i = 0; i < 4; i++)
        weft_runner_turn(runner, WEFT_INSTANT_NOW);
}

static void its_owner_acquires_it_again(void **state)
{
    (void)state;
    weft_rlock rlock = {0};
    assert_false(weft_rlock_locked(&rlock));
    for (int i = 0; i < 3; i++)
        assert_int_equal(weft_rlock_acquire(&rlock, WEFT_NOWAIT), 0);
    for (int i = 0; i < 3; i++) {
        assert_true(weft_rlock_locked(&rlock));
        assert_int_equal(weft_rlock_release(&rlock), 0);
    }
    assert_false(weft_rlock_locked(&rlock));
    assert_int_equal(weft_rlock_release(&rlock), -EPERM);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    weft_rlock rlock = {0};
    double not_a_number = 0.0 / (double)rlock.count_;
    assert_int_equal(weft_rlock_acquire(&rlock, not_a_number), -EINVAL);
    assert_int_equal(weft_rlock_acquire(&rlock, WEFT_FOREVER), 0);
    assert_int_equal(weft_rlock_acquire(&rlock, not_a_number), -EINVAL);
    rlock.count_ = UINT32_MAX;
    assert_int_equal(weft_rlock_acquire(&rlock, WEFT_FOREVER), -EOVERFLOW);
    rlock.count_ = 1;
    assert_int_equal(weft_rlock_release(&rlock), 0);
}

static int try_as_another(void *arg)
{
    weft_rlock *rlock = arg;
    if (weft_rlock_release(rlock) != -EPERM)
        return -EIO;
    return weft_rlock_acquire(rlock, WEFT_NOWAIT) == -ETIMEDOUT ? 0 : -EIO;
}

/* A task is another than the thread that runs it. */
static void nobody_else_has_it(void **state)
{
    (void)state;
    weft_rlock rlock = {0};
    assert_int_equal(weft_rlock_acquire(&rlock, WEFT_FOREVER), 0);
    assert_int_equal(in_a_thread(try_as_another, &rlock), 0);
    assert_int_equal(in_a_task(try_as_another, &rlock), 0);
    assert_int_equal(in_a_job(try_as_another, &rlock), 0);
    assert_int_equal(weft_rlock_release(&rlock), 0);
}

static int own_twice(void *arg)
{
    weft_rlock *rlock = arg;
    int r = weft_rlock_acquire(rlock, WEFT_FOREVER);
    if (r == 0)
        r = weft_sleep(0);
    if (r == 0)
        r = weft_rlock_acquire(rlock, WEFT_NOWAIT);
    if (r == 0)
        r = weft_rlock_release(rlock);
    return r == 0 ? weft_rlock_release(rlock) : r;
}

static void it_works_in_each_place(void **state)
{
    (void)state;
    weft_rlock rlock = {0};
    in_each_place(own_twice, &rlock);
    assert_false(weft_rlock_locked(&rlock));
}

typedef struct taker {
    weft_rlock *rlock;
    double timeout;
    int r;
} taker;

static void take_and_release(void *arg)
{
    taker *t = arg;
    t->r = weft_rlock_acquire(t->rlock, t->timeout);
    if (t->r == 0)
        t->r = weft_rlock_release(t->rlock);
}

static void take_and_end(void *arg)
{
    taker *t = arg;
    t->r = weft_rlock_acquire(t->rlock, t->timeout);
}

static void only_the_last_release_lets_another_in(void **state)
{
    (void)state;
    weft_rlock rlock = {0};
    taker t = {&rlock, WEFT_FOREVER, 1};
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    assert_int_equal(weft_rlock_acquire(&rlock, WEFT_FOREVER), 0);
    assert_int_equal(weft_rlock_acquire(&rlock, WEFT_FOREVER), 0);
    coroutine_spawn(runner, &left, take_and_release, &t);
    settle(runner);
    assert_int_equal(weft_rlock_release(&rlock), 0);
    settle(runner);
    assert_int_equal(left, 1);
    assert_int_equal(weft_rlock_release(&rlock), 0);
    coroutines_run(runner, &left);
    assert_int_equal(t.r, 0);
    assert_false(weft_rlock_locked(&rlock));
    weft_runner_close(runner);
}

/* The coroutine's memory is used again: the new one is not the old one. */
static void one_that_ended_with_it_leaves_it_to_nobody(void **state)
{
    (void)state;
    weft_rlock rlock = {0};
    taker first = {&rlock, WEFT_FOREVER, 1}, second = {&rlock, WEFT_NOWAIT, 1};
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    weft_context *before = coroutine_spawn(runner, &left, take_and_end, &first);
    coroutines_run(runner, &left);
    assert_int_equal(first.r, 0);
    weft_context *after = coroutine_spawn(runner, &left, take_and_end, &second);
    assert_ptr_equal(before, after);
    coroutines_run(runner, &left);
    assert_int_equal(second.r, -ETIMEDOUT);
    weft_runner_close(runner);
}

static void a_cancel_after_the_wake_up_passes_it_on(void **state)
{
    (void)state;
    weft_rlock rlock = {0};
    taker first = {&rlock, WEFT_FOREVER, 1}, second = {&rlock, WEFT_FOREVER, 1};
    taker late = {&rlock, 0.001, 1};
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    assert_int_equal(weft_rlock_acquire(&rlock, WEFT_FOREVER), 0);
    coroutine_spawn(runner, &left, take_and_release, &late);
    while (left > 0)
        weft_runner_turn(runner, WEFT_INSTANT_NEVER);
    assert_int_equal(late.r, -ETIMEDOUT);
    weft_context *context = coroutine_spawn(runner, &left, take_and_release, &first);
    coroutine_spawn(runner, &left, take_and_release, &second);
    settle(runner);
    assert_int_equal(weft_rlock_release(&rlock), 0);
    weft_context_cancel(context);
    coroutines_run(runner, &left);
    assert_int_equal(first.r, -ECANCELED);
    assert_int_equal(second.r, 0);
    assert_false(weft_rlock_locked(&rlock));
    weft_runner_close(runner);
}

static int child_has_it(struct recorder *recorder, void *arg)
{
    weft_rlock *rlock = arg;
    RECORD_INT(recorder, weft_rlock_acquire(rlock, WEFT_NOWAIT), 0);
    RECORD_INT(recorder, weft_rlock_release(rlock), 0);
    RECORD_INT(recorder, weft_rlock_release(rlock), 0);
    RECORD_INT(recorder, weft_rlock_release(rlock), -EPERM);
    RECORD(recorder, !weft_rlock_locked(rlock));
    return 0;
}

static int fork_with_it(void *arg)
{
    struct recorder *recorder = arg;
    struct child child;
    weft_rlock rlock = {0};
    RECORD_INT(recorder, weft_rlock_acquire(&rlock, WEFT_FOREVER), 0);
    RECORD_INT(recorder, child_start(&child, child_has_it, &rlock), 0);
    RECORD_INT(recorder, child_join(&child, recorder), 0);
    RECORD_INT(recorder, weft_rlock_release(&rlock), 0);
    return 0;
}

static void a_forked_child_has_what_its_thread_had(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    in_each_place(fork_with_it, &recorder);
    recorder_assert(&recorder);
}

typedef struct account {
    weft_rlock rlock;
    long total;
} account;

static int add(account *a, int depth)
{
    int r = weft_rlock_acquire(&a->rlock, WEFT_FOREVER);
    if (r < 0)
        return r;
    a->total++;
    r = depth > 0 ? add(a, depth - 1) : 0;
    int released = weft_rlock_release(&a->rlock);
    return r < 0 ? r : released;
}

static int add_many(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        int r = add(arg, i % 3);
        if (r < 0)
            return r;
    }
    return 0;
}

static int add_many_in_a_loop(void *arg)
{
    return in_a_task(add_many, arg);
}

static void it_excludes_threads_and_tasks(void **state)
{
    (void)state;
    account a = {0};
    weft_thread *threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(weft_thread_start(&threads[i], i % 2 == 0 ? add_many : add_many_in_a_loop,
                                           WEFT_POINTER(&a), NULL),
                         0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(weft_result(threads[i], WEFT_NONE, WEFT_FOREVER), 0);
    weft_release_many(threads, 4);
    assert_int_equal(a.total, 4 * (2000 + 667 + 2 * 666));
}

static int shut_down(void **state)
{
    (void)state;
    return weft_shutdown(WEFT_FOREVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(its_owner_acquires_it_again),
        weft_test(misuse_is_refused),
        weft_test(nobody_else_has_it),
        weft_test(it_works_in_each_place),
        weft_test(only_the_last_release_lets_another_in),
        weft_test(one_that_ended_with_it_leaves_it_to_nobody),
        weft_test(a_cancel_after_the_wake_up_passes_it_on),
        weft_test(a_forked_child_has_what_its_thread_had),
        weft_test(it_excludes_threads_and_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, shut_down);
}
