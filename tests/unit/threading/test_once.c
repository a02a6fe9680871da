/* SPDX-License-Identifier: MIT */
#include "support/places.h"

#include <stdatomic.h>

typedef struct work {
    weft_once once;
    _Atomic int begun, calls;
    int result; /* of the function */
    weft_event go;
} work;

static int count(void *arg)
{
    work *w = arg;
    atomic_fetch_add(&w->calls, 1);
    return w->result;
}

static int do_it(void *arg)
{
    work *w = arg;
    return weft_once_run(&w->once, count, w, WEFT_FOREVER);
}

static void it_is_done_once(void **state)
{
    (void)state;
    work w = {.result = 5};
    assert_false(weft_once_done(&w.once));
    in_each_place(do_it, &w);
    assert_true(weft_once_done(&w.once));
    assert_int_equal(do_it(&w), 0);
    assert_int_equal(w.calls, 1);
}

static void after_a_failure_the_next_one_tries(void **state)
{
    (void)state;
    work w = {.result = -EDOM};
    assert_int_equal(do_it(&w), -EDOM);
    assert_int_equal(in_a_task(do_it, &w), -EDOM);
    assert_false(weft_once_done(&w.once));
    w.result = 0;
    assert_int_equal(in_a_thread(do_it, &w), 0);
    assert_int_equal(w.calls, 3);
}

static int do_it_in_itself(void *arg)
{
    work *w = arg;
    return weft_once_run(&w->once, do_it_in_itself, w, WEFT_FOREVER) == -EDEADLK ? count(w) : -EIO;
}

static void misuse_is_refused(void **state)
{
    (void)state;
    work w = {.result = 0};
    assert_int_equal(weft_once_run(&w.once, NULL, NULL, WEFT_FOREVER), -EINVAL);
    assert_int_equal(weft_once_run(&w.once, count, &w, 0.0 / (double)w.result), -EINVAL);
    assert_int_equal(weft_once_run(&w.once, do_it_in_itself, &w, WEFT_FOREVER), 0);
    assert_int_equal(w.calls, 1);
}

static int wait_for_go(void *arg)
{
    work *w = arg;
    atomic_fetch_add(&w->begun, 1);
    int r = weft_event_wait(&w->go, WEFT_FOREVER);
    return r < 0 ? r : count(w);
}

static int do_it_slowly(void *arg)
{
    work *w = arg;
    return weft_once_run(&w->once, wait_for_go, w, WEFT_FOREVER);
}

static int poll_it(void *arg)
{
    work *w = arg;
    if (weft_once_run(&w->once, count, w, WEFT_NOWAIT) != -ETIMEDOUT)
        return -EIO;
    return weft_once_run(&w->once, count, w, 0.001) == -ETIMEDOUT ? 0 : -EIO;
}

static int several_tasks(void *arg)
{
    weft_task *tasks[3];
    for (int i = 0; i < 3; i++) {
        int r = weft_task_start(&tasks[i], do_it_slowly, WEFT_POINTER(arg), NULL);
        if (r < 0)
            return r;
    }
    int r = weft_gather(tasks, 3, WEFT_FOREVER);
    weft_release_many(tasks, 3);
    return r;
}

static int several_tasks_in_a_loop(void *arg)
{
    return in_a_task(several_tasks, arg);
}

static void the_others_wait_until_it_is_done(void **state)
{
    (void)state;
    work w = {.result = 0};
    weft_thread *threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(weft_thread_start(&threads[i],
                                           i % 2 == 0 ? do_it_slowly : several_tasks_in_a_loop,
                                           WEFT_POINTER(&w), NULL),
                         0);
    while (atomic_load(&w.begun) == 0)
        weft_sleep(0);
    in_each_place(poll_it, &w);
    weft_event_set(&w.go);
    for (int i = 0; i < 4; i++)
        assert_int_equal(weft_result(threads[i], WEFT_NONE, WEFT_FOREVER), 0);
    weft_release_many(threads, 4);
    assert_int_equal(w.calls, 1);
    assert_int_equal(w.begun, 1);
}

static void when_the_first_is_cancelled_the_next_does_it(void **state)
{
    (void)state;
    work w = {.result = 0};
    weft_thread *first, *second;
    assert_int_equal(weft_thread_start(&first, do_it_slowly, WEFT_POINTER(&w), NULL), 0);
    while (atomic_load(&w.begun) == 0)
        weft_sleep(0);
    assert_int_equal(weft_thread_start(&second, do_it_slowly, WEFT_POINTER(&w), NULL), 0);
    assert_int_equal(weft_cancel(first), 1);
    assert_int_equal(weft_result(first, WEFT_NONE, WEFT_FOREVER), -ECANCELED);
    weft_event_set(&w.go);
    assert_int_equal(weft_result(second, WEFT_NONE, WEFT_FOREVER), 0);
    assert_int_equal(w.begun, 2);
    assert_int_equal(w.calls, 1);
    weft_release(first);
    weft_release(second);
}

static int child_does_it(struct recorder *recorder, void *arg)
{
    work *w = arg;
    RECORD_INT(recorder, weft_once_run(&w->once, count, w, WEFT_FOREVER), 0);
    RECORD_INT(recorder, weft_once_run(&w->once, count, w, WEFT_FOREVER), 0);
    RECORD_INT(recorder, w->calls, 1);
    return 0;
}

/* Whoever is about to do it in the parent is not in the child. */
static void a_forked_child_does_it_itself(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    struct child child;
    work w = {.result = 0};
    weft_thread *thread;
    assert_int_equal(weft_thread_start(&thread, do_it_slowly, WEFT_POINTER(&w), NULL), 0);
    while (atomic_load(&w.begun) == 0)
        weft_sleep(0);
    assert_int_equal(child_start(&child, child_does_it, &w), 0);
    assert_int_equal(child_join(&child, &recorder), 0);
    weft_event_set(&w.go);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(thread);
    recorder_assert(&recorder);
}

static int poll_it_from_elsewhere(void *arg)
{
    work *w = arg;
    return weft_once_run(&w->once, count, w, WEFT_NOWAIT) == -ETIMEDOUT ? 0 : -EIO;
}

static int child_is_at_it(struct recorder *recorder, void *arg)
{
    work *w = arg;
    RECORD_INT(recorder, in_a_thread(poll_it_from_elsewhere, w), 0);
    RECORD_INT(recorder, weft_once_run(&w->once, count, w, WEFT_FOREVER), -EDEADLK);
    RECORD_INT(recorder, w->calls, 0);
    return 0;
}

static int fork_in_it(void *arg)
{
    work *w = arg;
    struct recorder recorder = {0};
    struct child child;
    int r = child_start(&child, child_is_at_it, w);
    if (r == 0)
        r = child_join(&child, &recorder);
    recorder_assert(&recorder);
    return r < 0 ? r : count(w);
}

/* The thread that forks while it is about to do it is that in the child, too. */
static void a_child_forked_in_it_is_still_at_it(void **state)
{
    (void)state;
    work w = {.result = 0};
    assert_int_equal(weft_once_run(&w.once, fork_in_it, &w, WEFT_FOREVER), 0);
    assert_int_equal(w.calls, 1);
}

static int shut_down(void **state)
{
    (void)state;
    return weft_shutdown(WEFT_FOREVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(it_is_done_once),
        weft_test(after_a_failure_the_next_one_tries),
        weft_test(misuse_is_refused),
        weft_test(the_others_wait_until_it_is_done),
        weft_test(when_the_first_is_cancelled_the_next_does_it),
        weft_test(a_forked_child_does_it_itself),
        weft_test(a_child_forked_in_it_is_still_at_it),
    };
    return cmocka_run_group_tests(tests, NULL, shut_down);
}
