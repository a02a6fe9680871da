/* SPDX-License-Identifier: MIT */
/* What ends a pause, and what does not: on the main thread, on others, in tasks. */
#include "support/places.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

/* A task that is a thread of the system's blocks all signals: one that it raises stays with it. */
#if defined(WEFT_PLATFORM_POSIX)
enum { BLOCKED_IN_TASKS = true };
#else
enum { BLOCKED_IN_TASKS = false };
#endif

static int calls;

static int count(const weft_signal_info *info, void *arg)
{
    (void)info;
    calls++;
    return arg != NULL ? *(int *)arg : 0;
}

static void what_has_come_before_ends_it(void **state)
{
    (void)state;
    calls = 0;
    weft_signal_set(SIGUSR1, count, NULL);
    raise(SIGUSR1);
    assert_int_equal(weft_signal_pause(WEFT_NOWAIT), 0);
    assert_int_equal(calls, 1);
    assert_int_equal(weft_signal_pause(WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_signal_pause(0.001), -ETIMEDOUT);
}

static void a_handlers_code_is_the_pauses_and_no_other_waits(void **state)
{
    int code = -20002;
    (void)state;
    weft_signal_set(SIGUSR1, count, &code);
    raise(SIGUSR1);
    assert_int_equal(weft_signal_pause(WEFT_FOREVER), -20002);
    assert_non_null(strstr(weft_error_message(), "SIGUSR1"));
    assert_int_equal(weft_sleep(0), 0);
}

static void *send_to_main(void *arg)
{
    pthread_kill(*(pthread_t *)arg, SIGUSR1);
    return NULL;
}

static void it_sleeps_until_the_signal_comes(void **state)
{
    pthread_t self = pthread_self(), thread;
    (void)state;
    calls = 0;
    weft_signal_set(SIGUSR1, count, NULL);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(pthread_create(&thread, NULL, send_to_main, &self), 0);
        assert_int_equal(weft_signal_pause(WEFT_FOREVER), 0);
        pthread_join(thread, NULL);
        assert_int_equal(calls, i + 1);
    }
}

static int pause_in_task(void *arg)
{
    (void)arg;
    return weft_signal_pause(WEFT_FOREVER);
}

static int pause_in_two(void *arg)
{
    weft_task *tasks[2];
    (void)arg;
    weft_task_start(&tasks[0], pause_in_task, WEFT_NONE, NULL);
    weft_task_start(&tasks[1], pause_in_task, WEFT_NONE, NULL);
    int r = weft_sleep(0); /* they have begun */
    kill(getpid(), SIGUSR1);
    r = r < 0 ? r : weft_gather(tasks, 2, WEFT_FOREVER);
    weft_release_many(tasks, 2);
    r = r < 0 ? r : weft_signal_pause(WEFT_NOWAIT);
    return r == -ETIMEDOUT ? 0 : r;
}

static void the_loops_handler_ends_all_pauses_of_its_tasks(void **state)
{
    (void)state;
    calls = 0;
    weft_signal_set(SIGUSR1, count, NULL);
    assert_int_equal(weft_run(pause_in_two, WEFT_NONE, NULL), 0);
    assert_int_equal(calls, 1);
}

static int pause_after_signal(void *arg)
{
    raise(SIGUSR1);
    int r = weft_signal_pause(WEFT_NOWAIT);
    return arg != NULL ? r : r == 0 ? weft_signal_pause(WEFT_NOWAIT) : -EIO;
}

static void what_has_come_before_ends_a_tasks_too(void **state)
{
    int code = -20006;
    (void)state;
    calls = 0;
    weft_signal_set(SIGUSR1, count, NULL);
    assert_int_equal(weft_run(pause_after_signal, WEFT_NONE, NULL),
                     BLOCKED_IN_TASKS ? -EIO : -ETIMEDOUT);
    assert_int_equal(calls, BLOCKED_IN_TASKS ? 0 : 1);
    weft_signal_set(SIGUSR1, count, &code);
    assert_int_equal(weft_run(pause_after_signal, WEFT_POINTER(&code), NULL),
                     BLOCKED_IN_TASKS ? -ETIMEDOUT : -20006);
}

static int pause_cancelled(void *arg)
{
    weft_task *task;
    (void)arg;
    weft_task_start(&task, pause_in_task, WEFT_NONE, NULL);
    int r = weft_sleep(0);
    weft_cancel(task);
    r = r < 0 ? r : weft_result(task, WEFT_NONE, WEFT_FOREVER);
    weft_release(task);
    return r == -ECANCELED ? 0 : -EIO;
}

static void it_can_be_cancelled_and_ends_with_a_scope(void **state)
{
    (void)state;
    assert_int_equal(weft_run(pause_cancelled, WEFT_NONE, NULL), 0);
    int scope = weft_timeout_begin(0.001);
    assert_int_equal(weft_timeout_end(scope, weft_signal_pause(WEFT_FOREVER)), -ETIMEDOUT);
}

/* ---- another thread */

typedef struct other {
    weft_event begun;
} other;

static int pause_here(void *arg)
{
    other *o = arg;
    weft_event_set(&o->begun);
    return weft_signal_pause(WEFT_FOREVER);
}

/* Until the thread is in its pause nothing tells; so it is sent again and again. */
static void a_signal_to_a_thread_ends_its_pause_and_main_handles_it(void **state)
{
    other o = {0};
    weft_thread *thread;
    (void)state;
    calls = 0;
    weft_signal_set(SIGUSR1, count, NULL);
    assert_int_equal(weft_thread_start(&thread, pause_here, WEFT_POINTER(&o), NULL), 0);
    assert_int_equal(weft_event_wait(&o.begun, WEFT_FOREVER), 0);
    while (!weft_done(thread)) {
        int r = weft_signal_pthread_kill(thread, SIGUSR1);
        assert_true(r == 0 || r == -ESRCH);
        sched_yield();
    }
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 0);
    assert_int_equal(weft_sleep(0), 0);
    assert_true(calls > 0);
    weft_release(thread);
}

static void mains_signals_do_not_end_the_pause_of_another(void **state)
{
    other o = {0};
    weft_thread *thread;
    (void)state;
    calls = 0;
    weft_signal_set(SIGUSR1, count, NULL);
    assert_int_equal(weft_thread_start(&thread, pause_here, WEFT_POINTER(&o), NULL), 0);
    assert_int_equal(weft_event_wait(&o.begun, WEFT_FOREVER), 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(weft_signal_raise(SIGUSR1), 0);
        assert_int_equal(weft_wait(thread, 0.001), -ETIMEDOUT);
    }
    assert_int_equal(calls, 20);
    weft_cancel(thread);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), -ECANCELED);
    weft_release(thread);
}

static int times_out(void *arg)
{
    struct recorder *recorder = arg;
    RECORD_INT(recorder, weft_signal_pause(WEFT_NOWAIT), -ETIMEDOUT);
    RECORD_INT(recorder, weft_signal_pause(0.001), -ETIMEDOUT);
    int scope = weft_timeout_begin(0.001);
    RECORD_INT(recorder, weft_timeout_end(scope, weft_signal_pause(WEFT_FOREVER)), -ETIMEDOUT);
    return 0;
}

static void it_ends_in_time_in_each_place(void **state)
{
    struct recorder recorder = {0};
    (void)state;
    in_each_place(times_out, &recorder);
    recorder_assert(&recorder);
}

static int pause_in_child(struct recorder *recorder, void *arg)
{
    (void)arg;
    RECORD_INT(recorder, weft_signal_pause(WEFT_NOWAIT), -ETIMEDOUT);
    raise(SIGUSR1);
    RECORD_INT(recorder, weft_signal_pause(WEFT_FOREVER), 0);
    return 5;
}

static int fork_in_handler(const weft_signal_info *info, void *arg)
{
    struct child child;
    (void)info;
    if (arg == NULL)
        return 0;
    weft_signal_set(SIGUSR1, fork_in_handler, NULL);
    child_start(&child, pause_in_child, NULL);
    return child_join(&child, arg) == 5 ? 0 : -EIO;
}

static void a_child_that_is_forked_meanwhile_has_pauses_of_its_own(void **state)
{
    struct recorder recorder = {0};
    (void)state;
    weft_signal_set(SIGUSR1, fork_in_handler, &recorder);
    raise(SIGUSR1);
    assert_int_equal(weft_signal_pause(WEFT_FOREVER), 0);
    recorder_assert(&recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(what_has_come_before_ends_it),
        weft_test(a_handlers_code_is_the_pauses_and_no_other_waits),
        weft_test(it_sleeps_until_the_signal_comes),
        weft_test(the_loops_handler_ends_all_pauses_of_its_tasks),
        weft_test(what_has_come_before_ends_a_tasks_too),
        weft_test(it_can_be_cancelled_and_ends_with_a_scope),
        weft_test(a_signal_to_a_thread_ends_its_pause_and_main_handles_it),
        weft_test(mains_signals_do_not_end_the_pause_of_another),
        weft_test(it_ends_in_time_in_each_place),
        weft_test(a_child_that_is_forked_meanwhile_has_pauses_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
