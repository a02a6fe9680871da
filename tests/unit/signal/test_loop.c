/* SPDX-License-Identifier: MIT */
/* Handlers while the main thread runs a loop; the end of a loop by a handler's code. */
#include "support/support.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <weft.h>

typedef struct scene {
    weft_event handled, more;
    pthread_t main;
    int calls, in_coroutine, code;
    struct recorder recorder;
} scene;

static int handler(const weft_signal_info *info, void *arg)
{
    scene *s = arg;
    (void)info;
    s->calls++;
    s->in_coroutine += weft_loop_current() != NULL;
    weft_event_set(&s->handled);
    return s->code < 0 ? weft_error(s->code, "the handler has had enough") : 0;
}

static int wait_handled(void *arg)
{
    scene *s = *(scene **)arg;
    kill(getpid(), SIGUSR1);
    return weft_event_wait(&s->handled, WEFT_FOREVER);
}

static void a_handler_runs_between_the_tasks(void **state)
{
    scene s = {0}, *pointer = &s;
    (void)state;
    assert_int_equal(weft_signal_set(SIGUSR1, handler, &s), 0);
    assert_int_equal(weft_run(wait_handled, WEFT_ARG(pointer), NULL), 0);
    assert_int_equal(s.calls, 1);
    assert_int_equal(s.in_coroutine, 1);
}

static int set_inside(void *arg)
{
    scene *s = *(scene **)arg;
    int r = weft_signal_set(SIGUSR1, handler, s);
    return r < 0 ? r : wait_handled(arg);
}

static void a_handler_can_be_set_in_a_task(void **state)
{
    scene s = {0}, *pointer = &s;
    (void)state;
    assert_int_equal(weft_run(set_inside, WEFT_ARG(pointer), NULL), 0);
    assert_int_equal(s.calls, 1);
}

static void *send_from_thread(void *arg)
{
    scene *s = arg;
    pthread_kill(s->main, SIGUSR1);
    return NULL;
}

static int wait_for_thread(void *arg)
{
    scene *s = *(scene **)arg;
    pthread_t thread;
    int r = -pthread_create(&thread, NULL, send_from_thread, s);
    if (r == 0)
        r = weft_event_wait(&s->handled, WEFT_FOREVER);
    pthread_join(thread, NULL);
    return r;
}

static void a_sleeping_loop_is_woken(void **state)
{
    scene s = {.main = pthread_self()}, *pointer = &s;
    (void)state;
    assert_int_equal(weft_signal_set(SIGUSR1, handler, &s), 0);
    assert_int_equal(weft_run(wait_for_thread, WEFT_ARG(pointer), NULL), 0);
    assert_int_equal(s.calls, 1);
}

static int wait_for_ever(void *arg)
{
    scene *s = *(scene **)arg;
    kill(getpid(), SIGUSR1);
    return weft_event_wait(&s->more, WEFT_FOREVER);
}

static void a_code_ends_the_run_with_its_message(void **state)
{
    scene s = {.code = -20009}, *pointer = &s;
    (void)state;
    assert_int_equal(weft_signal_set(SIGUSR1, handler, &s), 0);
    assert_int_equal(weft_run(wait_for_ever, WEFT_ARG(pointer), NULL), -20009);
    assert_string_equal(weft_error_message(), "the handler has had enough");
}

static int survive(void *arg)
{
    int r = wait_for_ever(arg);
    return r == -ECANCELED ? 11 : -1;
}

static int fail_otherwise(void *arg)
{
    wait_for_ever(arg);
    return weft_error(-EDOM, "of its own");
}

static void what_the_first_task_makes_of_it_counts(void **state)
{
    scene s = {.code = -20009}, *pointer = &s;
    (void)state;
    assert_int_equal(weft_signal_set(SIGUSR1, handler, &s), 0);
    assert_int_equal(weft_run(survive, WEFT_ARG(pointer), NULL), 11);
    assert_int_equal(weft_run(fail_otherwise, WEFT_ARG(pointer), NULL), -EDOM);
    assert_string_equal(weft_error_message(), "of its own");
}

/* The second interrupt cancels the wait in the cleanup of the first. */
static int clean_up(void *arg)
{
    int r = wait_for_ever(arg);
    return r < 0 ? wait_for_ever(arg) : r;
}

static void a_second_code_cancels_the_cleanup(void **state)
{
    scene s = {.code = -20009}, *pointer = &s;
    (void)state;
    assert_int_equal(weft_signal_set(SIGUSR1, handler, &s), 0);
    assert_int_equal(weft_run(clean_up, WEFT_ARG(pointer), NULL), -20009);
    assert_int_equal(s.calls, 2);
}

static int linger(void *arg)
{
    int r = weft_sleep(WEFT_FOREVER); /* cancelled by the end of the first task */
    return r < 0 ? wait_for_ever(arg) : r;
}

static int leave(void *arg)
{
    int r = weft_task_start(NULL, linger, arg, sizeof(void *), NULL);
    return r < 0 ? r : weft_sleep(0);
}

static void a_code_ends_the_waits_of_the_run_down(void **state)
{
    scene s = {.code = -20009}, *pointer = &s;
    (void)state;
    assert_int_equal(weft_signal_set(SIGUSR1, handler, &s), 0);
    assert_int_equal(weft_run(leave, WEFT_ARG(pointer), NULL), 0);
    assert_int_equal(s.calls, 1);
}

static int waiting_handler(const weft_signal_info *info, void *arg)
{
    scene *s = arg;
    if (info->signum == SIGUSR2) {
        weft_event_set(&s->more);
        return 0;
    }
    int r = weft_event_wait(&s->more, WEFT_FOREVER); /* holds up nobody */
    weft_event_set(&s->handled);
    return r;
}

static int raise_both(void *arg)
{
    scene *s = *(scene **)arg;
    kill(getpid(), SIGUSR1);
    int r = weft_sleep(0);
    kill(getpid(), SIGUSR2);
    return r < 0 ? r : weft_event_wait(&s->handled, WEFT_FOREVER);
}

static void a_handler_that_waits_holds_up_no_other(void **state)
{
    scene s = {0}, *pointer = &s;
    (void)state;
    assert_int_equal(weft_signal_set(SIGUSR1, waiting_handler, &s), 0);
    assert_int_equal(weft_signal_set(SIGUSR2, waiting_handler, &s), 0);
    assert_int_equal(weft_run(raise_both, WEFT_ARG(pointer), NULL), 0);
}

static int raise_both_at_once(void *arg)
{
    scene *s = *(scene **)arg;
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR2);
    return weft_event_wait(&s->handled, WEFT_FOREVER);
}

static void a_handler_that_waits_holds_up_none_that_came_with_it(void **state)
{
    scene s = {0}, *pointer = &s;
    (void)state;
    assert_int_equal(weft_signal_set(SIGUSR1, waiting_handler, &s), 0);
    assert_int_equal(weft_signal_set(SIGUSR2, waiting_handler, &s), 0);
    assert_int_equal(weft_run(raise_both_at_once, WEFT_ARG(pointer), NULL), 0);
}

static int check_in_task(void *arg)
{
    scene *s = *(scene **)arg;
    int r = weft_signal_raise(SIGUSR1);
    while (r == 0 && s->calls == 0) /* where coroutines are threads it comes a little later */
        r = weft_signal_check();
    return r;
}

static void a_task_can_check(void **state)
{
    scene s = {.code = -20003}, *pointer = &s;
    (void)state;
    assert_int_equal(weft_signal_set(SIGUSR1, handler, &s), 0);
    assert_int_equal(weft_run(check_in_task, WEFT_ARG(pointer), NULL), -20003);
    assert_int_equal(s.calls, 1);
    assert_string_equal(weft_error_message(), "the handler has had enough");
}

static int in_child(struct recorder *recorder, void *arg)
{
    scene *s = arg;
    kill(getpid(), SIGUSR1);
    RECORD_INT(recorder, weft_event_wait(&s->handled, WEFT_FOREVER), 0);
    RECORD_INT(recorder, s->calls, 1);
    weft_event_clear(&s->handled);
    /* and in a loop of its own */
    RECORD_INT(recorder, weft_run(wait_handled, WEFT_ARG(s), NULL), 0);
    RECORD_INT(recorder, s->calls, 2);
    return 3;
}

static int fork_in_task(void *arg)
{
    scene *s = *(scene **)arg;
    struct child child;
    int r = child_start(&child, in_child, s);
    return r < 0 ? r : child_join(&child, &s->recorder);
}

static void handlers_go_on_in_the_child_of_a_task(void **state)
{
    scene s = {0}, *pointer = &s;
    (void)state;
    assert_int_equal(weft_signal_set(SIGUSR1, handler, &s), 0);
#if defined(WEFT_PLATFORM_POSIX)
    skip(); /* coroutines are threads there, which block all signals */
#endif
    assert_int_equal(weft_run(fork_in_task, WEFT_ARG(pointer), NULL), 3);
    recorder_assert(&s.recorder);
    assert_int_equal(s.calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(a_handler_runs_between_the_tasks),
        weft_test(a_handler_can_be_set_in_a_task),
        weft_test(a_sleeping_loop_is_woken),
        weft_test(a_code_ends_the_run_with_its_message),
        weft_test(what_the_first_task_makes_of_it_counts),
        weft_test(a_second_code_cancels_the_cleanup),
        weft_test(a_code_ends_the_waits_of_the_run_down),
        weft_test(a_handler_that_waits_holds_up_no_other),
        weft_test(a_handler_that_waits_holds_up_none_that_came_with_it),
        weft_test(a_task_can_check),
        weft_test(handlers_go_on_in_the_child_of_a_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
