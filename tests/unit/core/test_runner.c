/* SPDX-License-Identifier: MIT */
#include "support/coroutines.h"
#include "support/places.h"

#include <sched.h>
#include <unistd.h>

#include "core/iowait.h"

enum { THREADS = 4, EACH = 200 };

typedef struct waiting {
    weft_waiter waiter;
    int number, r;
} waiting;

static int resumed[THREADS * EACH];
static int resumed_count;

static void park(void *arg)
{
    waiting *self = arg;
    weft_waiter_init(&self->waiter);
    weft_wait_publish(&self->waiter);
    self->r = weft_wait_sleep(self->waiter.context, WEFT_INSTANT_NEVER);
    resumed[resumed_count++] = self->number;
}

static void notify(waiting *each)
{
    weft_wake wake;
    weft_wait_notify(&each->waiter, &wake);
    weft_wake_deliver(wake);
}

static waiting all[THREADS * EACH];

static void *notify_mine(void *arg)
{
    waiting *mine = arg;
    for (int i = 0; i < EACH; i++)
        notify(&mine[i]);
    return NULL;
}

static void turn(weft_runner *runner, int times)
{
    for (int i = 0; i < times; i++)
        weft_runner_turn(runner, WEFT_INSTANT_NOW);
}

static unsigned spawn_all(weft_runner *runner, unsigned *left, int count)
{
    resumed_count = 0;
    for (int i = 0; i < count; i++) {
        all[i] = (waiting){.number = i, .r = 77};
        assert_non_null(coroutine_spawn(runner, left, park, &all[i]));
    }
    turn(runner, 2 + count / 64);
    return *left;
}

static void wakes_from_many_threads_reach_each_once(void **state)
{
    (void)state;
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    assert_int_equal(spawn_all(runner, &left, THREADS * EACH), THREADS * EACH);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, notify_mine, &all[i * EACH]);
    assert_int_equal(coroutines_run(runner, &left), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(resumed_count, THREADS * EACH);
    int last[THREADS];
    memset(last, -1, sizeof last);
    for (int i = 0; i < resumed_count; i++) { /* each thread's in its order */
        int thread = resumed[i] / EACH;
        assert_true(resumed[i] % EACH == last[thread] + 1);
        last[thread]++;
        assert_int_equal(all[i].r, 0);
    }
    weft_runner_close(runner);
}

static void its_own_wakes_are_first_in_first_out(void **state)
{
    (void)state;
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    spawn_all(runner, &left, 50);
    for (int i = 0; i < 50; i++)
        notify(&all[(i * 7) % 50]);
    coroutines_run(runner, &left);
    for (int i = 0; i < 50; i++)
        assert_int_equal(resumed[i], (i * 7) % 50);
    weft_runner_close(runner);
}

static void a_second_notification_is_refused(void **state)
{
    (void)state;
    unsigned left = 0;
    weft_wake wake, second;
    weft_runner *runner = coroutines_open();
    spawn_all(runner, &left, 1);
    assert_true(weft_wait_notify(&all[0].waiter, &wake));
    assert_false(weft_wait_notify(&all[0].waiter, &second));
    assert_null(second.context);
    assert_false(weft_wait_time_out(all[0].waiter.context));
    weft_wake_deliver(wake);
    coroutines_run(runner, &left);
    assert_int_equal(resumed_count, 1);
    weft_runner_close(runner);
}

typedef struct yielder {
    int turns;
    bool *stop;
} yielder;

static void yield_until_stopped(void *arg)
{
    yielder *self = arg;
    while (!*self->stop) {
        self->turns++;
        weft_sleep(0);
    }
}

static void sleep_then_stop(void *arg)
{
    weft_sleep(0.005);
    *(bool *)arg = true;
}

static void yielding_starves_no_timer_and_nobody(void **state)
{
    (void)state;
    unsigned left = 0;
    bool stop = false;
    yielder yielders[3] = {{0, &stop}, {0, &stop}, {0, &stop}};
    weft_runner *runner = coroutines_open();
    for (int i = 0; i < 3; i++)
        coroutine_spawn(runner, &left, yield_until_stopped, &yielders[i]);
    coroutine_spawn(runner, &left, sleep_then_stop, &stop);
    coroutines_run(runner, &left);
    assert_true(yielders[0].turns > 0);
    for (int i = 1; i < 3; i++) /* in turns */
        assert_true(yielders[i].turns >= yielders[0].turns - 1 &&
                    yielders[i].turns <= yielders[0].turns + 1);
    weft_runner_close(runner);
}

typedef struct reader {
    int fd;
    bool *stop;
    int r;
} reader;

static void wait_readable_then_stop(void *arg)
{
    reader *self = arg;
    self->r = weft_fd_wait_for(self->fd, WEFT_READABLE, WEFT_INSTANT_NEVER);
    *self->stop = true;
}

static void yielding_starves_no_descriptor(void **state)
{
    (void)state;
    unsigned left = 0;
    bool stop = false;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    yielder yielding = {0, &stop};
    reader reading = {ends[0], &stop, 1};
    weft_runner *runner = coroutines_open();
    coroutine_spawn(runner, &left, wait_readable_then_stop, &reading);
    coroutine_spawn(runner, &left, yield_until_stopped, &yielding);
    turn(runner, 2);
    assert_int_equal(write(ends[1], "x", 1), 1);
    coroutines_run(runner, &left);
    assert_int_equal(reading.r, 0);
    weft_runner_close(runner);
    close(ends[0]);
    close(ends[1]);
}

static void *wake_when_it_sleeps(void *arg)
{
    weft_runner *runner = all[0].waiter.context->runner;
    (void)arg;
    /* not a wait for time: the runner does get to sleep, as there is nothing else to do */
    while (atomic_load(&runner->parker.word) == WEFT_RUNNER_AWAKE)
        sched_yield();
    notify(&all[0]);
    return NULL;
}

static void a_wake_ends_its_sleep(void **state)
{
    (void)state;
    for (int with_poller = 0; with_poller < 2; with_poller++) {
        for (int round = 0; round < 50; round++) {
            unsigned left = 0;
            pthread_t thread;
            weft_runner *runner = coroutines_open();
            if (with_poller)
                assert_int_equal(weft_runner_open_poller(runner), 0);
            spawn_all(runner, &left, 1);
            pthread_create(&thread, NULL, wake_when_it_sleeps, NULL);
            coroutines_run(runner, &left);
            pthread_join(thread, NULL);
            assert_int_equal(all[0].r, 0);
            weft_runner_close(runner);
        }
    }
}

static void inbox_and_poller_together(void **state)
{
    (void)state;
    unsigned left = 0;
    bool stop = false;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    reader reading = {ends[0], &stop, 1};
    weft_runner *runner = coroutines_open();
    spawn_all(runner, &left, EACH);
    coroutine_spawn(runner, &left, wait_readable_then_stop, &reading);
    turn(runner, 4);
    assert_int_equal(left, EACH + 1);
    pthread_t thread;
    pthread_create(&thread, NULL, notify_mine, all);
    assert_int_equal(write(ends[1], "x", 1), 1);
    coroutines_run(runner, &left);
    pthread_join(thread, NULL);
    assert_int_equal(resumed_count, EACH);
    assert_int_equal(reading.r, 0);
    weft_runner_close(runner);
    close(ends[0]);
    close(ends[1]);
}

static void a_thread_runs_one_loop(void **state)
{
    (void)state;
    weft_runner *runner = coroutines_open(), *second = NULL;
    assert_int_equal(weft_runner_open(&second, NULL, NULL), WEFT_EINVALID_STATE);
    assert_null(second);
    weft_runner_close(runner);
}

static void a_deadline_ends_a_turn(void **state)
{
    (void)state;
    weft_runner *runner = coroutines_open();
    weft_instant before = weft_instant_now(), until = before + 2 * 1000 * 1000;
    while (weft_instant_now() < until)
        assert_int_equal(weft_runner_turn(runner, until), 0);
    weft_runner_close(runner);
}

typedef struct failing {
    int r;
} failing;

static void sleep_without_memory(void *arg)
{
    failing *self = arg;
    weft_error(-EIO, "so that there is room for a message");
    allocator_fail(1, ALLOCATOR_ONWARDS);
    self->r = weft_sleep(0.001);
    allocator_fail(0, ALLOCATOR_ONCE);
}

static void without_memory_for_a_timer_the_wait_fails(void **state)
{
    (void)state;
    unsigned left = 0;
    failing one = {1};
    weft_runner *runner = coroutines_open();
    coroutine_spawn(runner, &left, sleep_without_memory, &one);
    coroutines_run(runner, &left);
    assert_int_equal(one.r, -ENOMEM);
    weft_runner_close(runner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(wakes_from_many_threads_reach_each_once),
        weft_test(its_own_wakes_are_first_in_first_out),
        weft_test(a_second_notification_is_refused),
        weft_test(yielding_starves_no_timer_and_nobody),
        weft_test(yielding_starves_no_descriptor),
        weft_test(a_wake_ends_its_sleep),
        weft_test(inbox_and_poller_together),
        weft_test(a_thread_runs_one_loop),
        weft_test(a_deadline_ends_a_turn),
        weft_test(without_memory_for_a_timer_the_wait_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
