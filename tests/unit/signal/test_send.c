/* SPDX-License-Identifier: MIT */
/* Signals for threads, by their handles. */
#include "support/places.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

static int calls;

static int count(const weft_signal_info *info, void *arg)
{
    (void)info;
    calls++;
    return arg != NULL ? *(int *)arg : 0;
}

static weft_event leave;
static _Atomic bool entered;
static pthread_t entered_by;

static void note_thread(int signum)
{
    (void)signum;
    entered_by = pthread_self();
    entered = true;
}

static int stay(void *arg)
{
    (void)arg;
    int r = weft_event_wait(&leave, WEFT_FOREVER);
    return r < 0 ? r : weft_return(WEFT_ARG((pthread_t){pthread_self()}));
}

static void a_signal_comes_to_the_thread_and_main_handles_it(void **state)
{
    struct sigaction host = {.sa_handler = note_thread}, old;
    weft_thread *thread;
    pthread_t self;
    (void)state;
    calls = 0;
    entered = false;
    weft_event_clear(&leave);
    sigaction(SIGUSR1, &host, &old);
    assert_int_equal(weft_signal_set_chained(SIGUSR1, count, NULL), 0);
    assert_int_equal(weft_thread_start(&thread, stay, WEFT_NONE, NULL), 0);
    /* also to one that has hardly begun */
    assert_int_equal(weft_signal_pthread_kill(thread, 0), 0);
    assert_int_equal(weft_signal_pthread_kill(thread, SIGUSR1), 0);
    while (calls == 0)
        assert_int_equal(weft_signal_pause(WEFT_FOREVER), 0);
    while (!entered)
        sched_yield();
    weft_event_set(&leave);
    assert_true(weft_result(thread, WEFT_OUT(self), WEFT_FOREVER) >= 0);
    assert_true(pthread_equal(self, entered_by));
    weft_thread_join(thread, WEFT_FOREVER);
    assert_int_equal(weft_signal_pthread_kill(thread, SIGUSR1), -ESRCH);
    assert_non_null(strstr(weft_error_message(), "SIGUSR1"));
    assert_int_equal(weft_signal_pthread_kill(thread, 0), -ESRCH);
    weft_release(thread);
    assert_int_equal(weft_signal_restore(SIGUSR1), 0);
    sigaction(SIGUSR1, &old, NULL);
}

static void to_the_main_thread_itself_the_handler_has_run(void **state)
{
    int code = -20001;
    (void)state;
    calls = 0;
    weft_signal_set(SIGUSR1, count, &code);
    assert_int_equal(weft_signal_pthread_kill(weft_thread_current(), SIGUSR1), -20001);
    assert_int_equal(calls, 1);
}

static int send_to(void *arg)
{
    return weft_signal_pthread_kill(*(weft_thread **)arg, SIGUSR1);
}

static void from_another_thread_to_main(void **state)
{
    weft_thread *main = weft_thread_current();
    (void)state;
    calls = 0;
    weft_signal_set(SIGUSR1, count, NULL);
    weft_thread *thread;
    assert_int_equal(weft_thread_start(&thread, send_to, WEFT_ARG(main), NULL), 0);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(thread);
    assert_int_equal(weft_signal_check(), 0);
    assert_int_equal(calls, 1);
}

static weft_thread *foreign;
static struct gate known, over;

static void *be_known(void *arg)
{
    (void)arg;
    foreign = weft_thread_current();
    weft_retain(foreign);
    gate_pass(&known);
    gate_wait(&over);
    return NULL;
}

static void a_thread_of_the_hosts_while_it_is_there(void **state)
{
    pthread_t thread;
    (void)state;
    gate_init(&known, 2);
    gate_init(&over, 1);
    weft_signal_set(SIGUSR1, count, NULL);
    assert_int_equal(pthread_create(&thread, NULL, be_known, NULL), 0);
    gate_pass(&known);
    assert_int_equal(weft_signal_pthread_kill(foreign, SIGUSR1), 0);
    gate_arrive(&over);
    pthread_join(thread, NULL);
    assert_int_equal(weft_signal_pthread_kill(foreign, SIGUSR1), -ESRCH);
    weft_release(foreign);
    gate_destroy(&known);
    gate_destroy(&over);
}

static void what_is_no_thread_or_no_signal_is_refused(void **state)
{
    weft_thread *self = weft_thread_current();
    weft_queue *queue;
    (void)state;
    assert_int_equal(weft_signal_pthread_kill(NULL, SIGUSR1), -EINVAL);
    assert_int_equal(weft_signal_pthread_kill(self, -1), -EINVAL);
    assert_int_equal(weft_signal_pthread_kill(self, WEFT_SIGNALS), -EINVAL);
    assert_int_equal(weft_queue_open(&queue, NULL), 0);
    assert_int_equal(weft_signal_pthread_kill((weft_thread *)(void *)queue, SIGUSR1), -EINVAL);
    weft_release(queue);
}

/* Ends and signals meet at every point: no thread that is gone is signalled. */
static int end_at_once(void *arg)
{
    (void)arg;
    return 0;
}

static void a_thread_that_ends_meanwhile_is_there_or_not(void **state)
{
    (void)state;
    weft_signal_set(SIGUSR1, count, NULL);
    for (int i = 0; i < 100; i++) {
        weft_thread *thread;
        int r;
        assert_int_equal(weft_thread_start(&thread, end_at_once, WEFT_NONE, NULL), 0);
        while ((r = weft_signal_pthread_kill(thread, i % 2 == 0 ? SIGUSR1 : 0)) == 0)
            sched_yield();
        assert_int_equal(r, -ESRCH);
        weft_release(thread);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(a_signal_comes_to_the_thread_and_main_handles_it),
        weft_test(to_the_main_thread_itself_the_handler_has_run),
        weft_test(from_another_thread_to_main),
        weft_test(a_thread_of_the_hosts_while_it_is_there),
        weft_test(what_is_no_thread_or_no_signal_is_refused),
        weft_test(a_thread_that_ends_meanwhile_is_there_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
