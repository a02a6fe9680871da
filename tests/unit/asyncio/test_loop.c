/* SPDX-License-Identifier: MIT */
#include "support/places.h"

#include <sched.h>

#include "asyncio/loop.h"

static int number(void *arg)
{
    return *(int *)arg;
}

static int failing(void *arg)
{
    (void)arg;
    return weft_error(-ENOENT, "the first task's words");
}

static void run_returns_the_first_tasks_outcome(void **state)
{
    (void)state;
    assert_int_equal(weft_run(number, WEFT_ARG((int){17}), NULL), 17);
    assert_int_equal(weft_run(failing, WEFT_NONE, NULL), -ENOENT);
    assert_string_equal(weft_error_message(), "the first task's words");
    assert_int_equal(weft_run(NULL, WEFT_NONE, NULL), -EINVAL);
    assert_int_equal(weft_run(number, WEFT_ARG((int){18}), NULL), 18);
}

static int nested_run(void *arg)
{
    struct recorder *recorder = arg;
    RECORD_INT(recorder, weft_run(number, WEFT_ARG((int){1}), NULL), WEFT_EINVALID_STATE);
    return 0;
}

static void a_thread_runs_one_loop_at_a_time(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    assert_int_equal(in_a_task(nested_run, &recorder), 0);
    assert_int_equal(in_a_job(nested_run, &recorder), 0);
    recorder_assert(&recorder);
}

static int tells_the_loop(void *arg)
{
    struct recorder *recorder = arg;
    weft_loop *loop = weft_loop_current();
    RECORD(recorder, loop != NULL);
    RECORD(recorder, strcmp(weft_handle_name(loop), "mine") == 0);
    RECORD(recorder, !weft_done(loop));
    return 0;
}

static void the_current_loop_is_the_one_that_runs(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    assert_null(weft_loop_current());
    assert_true(weft_error_message()[0] != '\0');
    weft_loop_options options = {.name = "mine"};
    assert_int_equal(weft_run(tells_the_loop, WEFT_POINTER(&recorder), &options), 0);
    assert_null(weft_loop_current());
    recorder_assert(&recorder);
}

typedef struct left {
    weft_task *task;
    int cleaned;
} left;

static int waits_and_cleans_up(void *arg)
{
    left *test = arg;
    int r = weft_sleep(WEFT_FOREVER);
    test->cleaned = r == -ECANCELED && weft_sleep(0.001) == 0;
    return r;
}

static int leave_one(void *arg)
{
    left *test = arg;
    int r = weft_task_start(&test->task, waits_and_cleans_up, WEFT_POINTER(test), NULL);
    return r < 0 ? r : weft_sleep(0);
}

static void tasks_that_are_left_are_cancelled_and_waited_for(void **state)
{
    (void)state;
    left test = {0};
    assert_int_equal(weft_run(leave_one, WEFT_POINTER(&test), NULL), 0);
    assert_true(test.cleaned);
    assert_int_equal(weft_result(test.task, WEFT_NONE, WEFT_NOWAIT), -ECANCELED);
    weft_release(test.task);
}

/* The end of the loop: what its tasks start while they clean up. */
typedef struct cleanup {
    struct recorder recorder;
    weft_task *task, *started;
    weft_call *soon, *later;
    int ran;
} cleanup;

static int runs(void *arg)
{
    ((cleanup *)arg)->ran++;
    return 0;
}

static int starts_while_cleaning_up(void *arg)
{
    cleanup *test = arg;
    weft_sleep(WEFT_FOREVER);
    weft_task_start(&test->started, runs, WEFT_POINTER(test), NULL);
    weft_loop_call_soon(weft_loop_current(), &test->soon, runs, WEFT_POINTER(test));
    weft_loop_call_later(weft_loop_current(), &test->later, 1000, runs, WEFT_POINTER(test));
    return 0;
}

static int leave_that(void *arg)
{
    cleanup *test = arg;
    weft_task_start(&test->task, starts_while_cleaning_up, WEFT_POINTER(test), NULL);
    return weft_sleep(0);
}

static void what_is_started_at_the_end_is_cancelled(void **state)
{
    (void)state;
    cleanup test = {0};
    assert_int_equal(weft_run(leave_that, WEFT_POINTER(&test), NULL), 0);
    assert_int_equal(test.ran, 0);
    void *handles[] = {test.started, test.soon, test.later};
    for (int i = 0; i < 3; i++)
        assert_int_equal(weft_result(handles[i], WEFT_NONE, WEFT_NOWAIT), -ECANCELED);
    weft_release_many(handles, 3);
    weft_release(test.task);
}

static int keep_loop(void *arg)
{
    weft_loop **loop = arg;
    *loop = weft_loop_current();
    return weft_retain(*loop);
}

static void a_loop_that_has_ended_takes_nothing(void **state)
{
    (void)state;
    weft_loop *loop = NULL;
    weft_call *call = (weft_call *)&loop;
    weft_task *task = (weft_task *)&loop;
    assert_int_equal(weft_run(keep_loop, WEFT_POINTER(&loop), NULL), 0);
    assert_true(weft_done(loop));
    assert_int_equal(weft_wait(loop, WEFT_FOREVER), 0);
    assert_int_equal(weft_loop_call_soon(loop, &call, runs, WEFT_NONE), WEFT_ESHUTDOWN);
    assert_null(call);
    call = (weft_call *)&loop;
    assert_int_equal(weft_loop_call_later(loop, &call, 1, runs, WEFT_NONE), WEFT_ESHUTDOWN);
    assert_null(call);
    assert_int_equal(weft_task_start(&task, runs, WEFT_NONE, &(weft_task_options){.loop = loop}),
                     WEFT_ESHUTDOWN);
    assert_null(task);
    char text[128];
    assert_true(weft_handle_describe(loop, text, sizeof text) > 0);
    assert_non_null(strstr(text, "done"));
    weft_release(loop);
}

/* A start from another thread that fails after it was let in must not keep the loop waiting. */
typedef struct arrival {
    weft_loop *_Atomic loop;
    struct gate entered;
} arrival;

static int enter_and_fail(void *arg)
{
    arrival *test = arg;
    bool foreign;
    weft_loop *loop = atomic_load(&test->loop);
    int r = weft_loop_enter(loop, "test", &foreign);
    gate_arrive(&test->entered);
    if (r < 0)
        return r;
    weft_runner *runner = loop->runner;
    while (atomic_load(&runner->parker.word) == WEFT_RUNNER_AWAKE) /* it does get to sleep */
        sched_yield();
    weft_loop_not_arrived(loop, foreign);
    return 0;
}

static int end_while_one_arrives(void *arg)
{
    arrival *test = arg;
    weft_loop *loop = weft_loop_current();
    atomic_store(&test->loop, loop);
    weft_retain(loop);
    weft_thread *thread;
    int r = weft_thread_start(&thread, enter_and_fail, WEFT_POINTER(test), NULL);
    gate_wait(&test->entered);
    weft_release(thread);
    return r;
}

static void a_start_that_fails_lets_the_loop_end(void **state)
{
    (void)state;
    arrival test = {.loop = NULL};
    gate_init(&test.entered, 1);
    assert_int_equal(weft_run(end_while_one_arrives, WEFT_POINTER(&test), NULL), 0);
    weft_release(atomic_load(&test.loop));
    gate_destroy(&test.entered);
}

static int run_one(void *arg)
{
    return weft_run(number, arg, sizeof(int), NULL);
}

static void loops_run_in_many_threads(void **state)
{
    (void)state;
    enum { LOOPS = 8 };
    weft_thread *threads[LOOPS];
    for (int i = 0; i < LOOPS; i++)
        weft_thread_start(&threads[i], run_one, WEFT_ARG(i), NULL);
    for (int i = 0; i < LOOPS; i++)
        assert_int_equal(weft_result(threads[i], WEFT_NONE, WEFT_FOREVER), i);
    weft_release_many(threads, LOOPS);
}

static int scenario(void *arg)
{
    return weft_run(number, arg, sizeof(int), &(weft_loop_options){.name = "named"});
}

static void without_memory_it_fails_whole(void **state)
{
    (void)state;
    int seven = 7;
    scenario(&seven);
    weft_error(-EIO, "warm");
    assert_true(allocator_fault_loop(scenario, &seven) > 0);
    assert_int_equal(scenario(&seven), 7);
}

/* ---- loops that somebody else ends ------------------------------------------------------------
 */

static int wait_for_ever(void *arg)
{
    weft_event_set(*(weft_event **)arg);
    int r = weft_sleep(WEFT_FOREVER);
    return r == -ECANCELED && weft_sleep(0) == 0 ? r : -EIO; /* once: what follows may wait */
}

/* A loop of its own, whose first task has begun when *arg is set. */
static int run_for_ever(void *arg)
{
    return weft_run(wait_for_ever, arg, sizeof(weft_event *), NULL);
}

static void a_cancel_of_its_thread_ends_the_loop(void **state)
{
    (void)state;
    weft_event begun = {0}, *begins = &begun;
    weft_thread *thread;
    assert_int_equal(weft_thread_start(&thread, run_for_ever, WEFT_ARG(begins), NULL), 0);
    assert_int_equal(weft_event_wait(&begun, WEFT_FOREVER), 0);
    assert_int_equal(weft_cancel(thread), 1);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), -ECANCELED);
    weft_release(thread);
}

static int run_number(void *arg)
{
    weft_event never = {0};
    weft_event_set(arg);
    weft_event_wait(&never, WEFT_FOREVER);
    return weft_run(number, WEFT_ARG((int){3}), NULL);
}

/* The wait for the event delivers the cancel, and the loop after it is not disturbed. */
static void a_delivered_cancel_ends_no_later_loop(void **state)
{
    (void)state;
    weft_event begun = {0};
    weft_thread *thread;
    assert_int_equal(weft_thread_start(&thread, run_number, WEFT_POINTER(&begun), NULL), 0);
    assert_int_equal(weft_event_wait(&begun, WEFT_FOREVER), 0);
    assert_int_equal(weft_cancel(thread), 1);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 3);
    weft_release(thread);
}

static void shutdown_ends_daemons_that_run_loops(void **state)
{
    (void)state;
    weft_event begun = {0}, *begins = &begun;
    assert_int_equal(weft_thread_start(NULL, run_for_ever, WEFT_ARG(begins),
                                       &(weft_thread_options){.daemon = true}),
                     0);
    assert_int_equal(weft_event_wait(&begun, WEFT_FOREVER), 0);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
}

static void a_scope_around_a_loop_ends_it(void **state)
{
    (void)state;
    weft_event begun = {0}, *begins = &begun;
    int scope = weft_timeout_begin(0.001);
    int r = weft_run(wait_for_ever, WEFT_ARG(begins), NULL);
    assert_int_equal(r, -ECANCELED);
    assert_int_equal(weft_timeout_end(scope, r), -ETIMEDOUT);
    scope = weft_timeout_begin(1000);
    assert_int_equal(weft_timeout_end(scope, weft_run(number, WEFT_ARG((int){4}), NULL)), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(run_returns_the_first_tasks_outcome),
        weft_test(a_thread_runs_one_loop_at_a_time),
        weft_test(the_current_loop_is_the_one_that_runs),
        weft_test(tasks_that_are_left_are_cancelled_and_waited_for),
        weft_test(what_is_started_at_the_end_is_cancelled),
        weft_test(a_loop_that_has_ended_takes_nothing),
        weft_test(a_start_that_fails_lets_the_loop_end),
        weft_test(loops_run_in_many_threads),
        weft_test(without_memory_it_fails_whole),
        weft_test(a_cancel_of_its_thread_ends_the_loop),
        weft_test(a_delivered_cancel_ends_no_later_loop),
        weft_test(shutdown_ends_daemons_that_run_loops),
        weft_test(a_scope_around_a_loop_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
