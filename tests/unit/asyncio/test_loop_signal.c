/* SPDX-License-Identifier: MIT */
/* Handlers of signals that are calls of a loop. */
#include "support/places.h"

#include <errno.h>
#include <unistd.h>

typedef struct scene {
    struct recorder recorder;
    weft_event called;
    int calls, sum, other_calls;
} scene;

typedef struct argument {
    scene *scene;
    int number;
} argument;

static int add(void *arg)
{
    argument *a = arg;
    a->scene->calls++;
    a->scene->sum += a->number;
    a->number = -1000; /* its own copy */
    weft_event_set(&a->scene->called);
    return -20005; /* ends nothing */
}

static int other(const weft_signal_info *info, void *arg)
{
    scene *s = arg;
    (void)info;
    s->other_calls++;
    weft_event_set(&s->called);
    return 0;
}

static int send_and_wait(scene *s)
{
    weft_event_clear(&s->called);
    kill(getpid(), SIGUSR1);
    return weft_event_wait(&s->called, WEFT_FOREVER);
}

static int add_and_remove(void *arg)
{
    scene *s = arg;
    weft_loop *loop = weft_loop_current();
    argument first = {s, 3}, second = {s, 40};
    RECORD_INT(&s->recorder, weft_loop_remove_signal_handler(loop, SIGUSR1), 0);
    RECORD_INT(&s->recorder, weft_loop_add_signal_handler(loop, SIGUSR1, add, WEFT_ARG(first)), 0);
    first.number = 5000;
    RECORD_INT(&s->recorder, send_and_wait(s), 0);
    RECORD_INT(&s->recorder, send_and_wait(s), 0);
    RECORD_INT(&s->recorder, weft_loop_add_signal_handler(loop, SIGUSR1, add, WEFT_ARG(second)), 0);
    RECORD_INT(&s->recorder, send_and_wait(s), 0);
    RECORD_INT(&s->recorder, s->calls, 3);
    RECORD_INT(&s->recorder, s->sum, 46);
    RECORD_INT(&s->recorder, s->other_calls, 0);
    RECORD_INT(&s->recorder, weft_loop_remove_signal_handler(loop, SIGUSR1), 1);
    RECORD_INT(&s->recorder, weft_loop_remove_signal_handler(loop, SIGUSR1), 0);
    RECORD_INT(&s->recorder, send_and_wait(s), 0);
    RECORD_INT(&s->recorder, s->other_calls, 1);
    RECORD_INT(&s->recorder, weft_loop_add_signal_handler(loop, SIGUSR1, add, WEFT_ARG(second)), 0);
    RECORD_INT(&s->recorder, weft_loop_add_signal_handler(loop, SIGUSR2, add, WEFT_ARG(second)), 0);
    return 0;
}

static void what_was_set_before_is_back_after_it(void **state)
{
    scene s = {0};
    (void)state;
    weft_signal_set(SIGUSR1, other, &s);
    assert_int_equal(in_a_task(add_and_remove, &s), 0);
    recorder_assert(&s.recorder);
    assert_int_equal(weft_signal_raise(SIGUSR1), 0); /* the loop's end has removed it */
    assert_int_equal(s.other_calls, 2);
    assert_int_equal(weft_signal_get(SIGUSR2, NULL, NULL), WEFT_SIGNAL_DEFAULT);
}

static void ignore_host(int signum)
{
    (void)signum;
}

static int add_for_two(void *arg)
{
    argument a = {arg, 1};
    int r = weft_loop_add_signal_handler(weft_loop_current(), SIGUSR1, add, WEFT_ARG(a));
    return r < 0 ? r : weft_loop_add_signal_handler(weft_loop_current(), SIGUSR2, add, WEFT_ARG(a));
}

static void the_hosts_is_back_after_the_loop(void **state)
{
    struct sigaction host = {.sa_handler = ignore_host}, ignored = {.sa_handler = SIG_IGN}, now;
    struct sigaction as_before;
    scene s = {0};
    (void)state;
    sigaction(SIGUSR1, &host, &as_before);
    sigaction(SIGUSR2, &ignored, NULL);
    assert_int_equal(in_a_task(add_for_two, &s), 0);
    sigaction(SIGUSR1, NULL, &now);
    assert_true(now.sa_handler == ignore_host);
    assert_int_equal(weft_signal_get(SIGUSR2, NULL, NULL), WEFT_SIGNAL_IGNORED);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    sigaction(SIGUSR2, NULL, &now);
    assert_true(now.sa_handler == SIG_IGN);
    sigaction(SIGUSR1, &as_before, NULL);
    sigaction(SIGUSR2, &as_before, NULL);
}

static int refusals(void *arg)
{
    scene *s = arg;
    weft_loop *loop = weft_loop_current();
    argument a = {s, 1};
    RECORD_INT(&s->recorder, weft_loop_add_signal_handler(loop, SIGUSR1, NULL, WEFT_NONE), -EINVAL);
    RECORD_INT(&s->recorder, weft_loop_add_signal_handler(loop, 0, add, WEFT_ARG(a)), -EINVAL);
    RECORD_INT(&s->recorder, weft_loop_add_signal_handler(loop, SIGUSR1, add, NULL, 5), -EINVAL);
    RECORD_INT(&s->recorder, weft_loop_add_signal_handler(loop, SIGKILL, add, WEFT_ARG(a)),
               -EINVAL);
    RECORD_INT(&s->recorder, weft_loop_add_signal_handler(NULL, SIGUSR1, add, WEFT_ARG(a)),
               -EINVAL);
    RECORD_INT(&s->recorder, weft_loop_remove_signal_handler(NULL, SIGUSR1), -EINVAL);
    RECORD_INT(&s->recorder, weft_loop_remove_signal_handler(loop, SIGKILL), 0);
    return 0;
}

static int elsewhere(void *arg)
{
    weft_loop *loop = *(weft_loop **)arg;
    int r = weft_loop_add_signal_handler(loop, SIGUSR1, add, WEFT_NONE);
    return r == WEFT_EINVALID_STATE ? weft_loop_remove_signal_handler(loop, SIGUSR1) : -EIO;
}

static int from_another_thread(void *arg)
{
    weft_loop *loop = weft_loop_current();
    weft_thread *thread;
    (void)arg;
    int r = weft_thread_start(&thread, elsewhere, WEFT_ARG(loop), NULL);
    r = r < 0 ? r : weft_result(thread, WEFT_NONE, WEFT_FOREVER);
    weft_release(thread);
    return r;
}

static int own_loop(void *arg)
{
    (void)arg;
    return weft_loop_add_signal_handler(weft_loop_current(), SIGUSR1, add, WEFT_NONE);
}

static int run_own_loop(void *arg)
{
    (void)arg;
    return weft_run(own_loop, WEFT_NONE, NULL);
}

static void what_cannot_be_is_refused(void **state)
{
    scene s = {0};
    (void)state;
    assert_int_equal(in_a_task(refusals, &s), 0);
    recorder_assert(&s.recorder);
    assert_int_equal(weft_run(from_another_thread, WEFT_NONE, NULL), WEFT_EINVALID_STATE);
    weft_signal_set(SIGUSR2, other, &s); /* this thread is main */
    assert_int_equal(in_a_thread(run_own_loop, NULL), -EPERM);
}

static int read_bytes(void *arg)
{
    return arg == NULL ? 1 : -EIO; /* WEFT_NONE */
}

static int without_argument(void *arg)
{
    (void)arg;
    int r = weft_loop_add_signal_handler(weft_loop_current(), SIGUSR1, read_bytes, WEFT_NONE);
    return r < 0 ? r : weft_signal_raise(SIGUSR1);
}

static void a_signal_at_the_loops_end_is_dropped(void **state)
{
    (void)state;
    assert_int_equal(weft_run(without_argument, WEFT_NONE, NULL), 0);
    assert_int_equal(weft_signal_check(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(what_was_set_before_is_back_after_it),
        weft_test(the_hosts_is_back_after_the_loop),
        weft_test(what_cannot_be_is_refused),
        weft_test(a_signal_at_the_loops_end_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
