/* SPDX-License-Identifier: MIT */
#include "support/places.h"

typedef struct subject {
    struct gate ready, go;
    struct recorder recorder;
    int begun;
} subject;

static void subject_init(subject *made)
{
    memset(made, 0, sizeof *made);
    gate_init(&made->ready, 1);
    gate_init(&made->go, 1);
}

static void subject_destroy(subject *made)
{
    recorder_assert(&made->recorder);
    gate_destroy(&made->ready);
    gate_destroy(&made->go);
}

static int delivered_once(void *arg)
{
    subject *test = arg;
    weft_event event = {0};
    RECORD(&test->recorder, !weft_cancelled());
    gate_arrive(&test->ready);
    RECORD_INT(&test->recorder, weft_event_wait(&event, WEFT_FOREVER), -ECANCELED);
    RECORD(&test->recorder, weft_cancelled());
    RECORD_INT(&test->recorder, weft_event_wait(&event, 0.001), -ETIMEDOUT); /* cleanup waits */
    RECORD_INT(&test->recorder, weft_sleep(0), 0);
    RECORD(&test->recorder, weft_cancelled()); /* stays asked */
    return 5;
}

static void it_is_delivered_once_and_stays_asked(void **state)
{
    (void)state;
    subject test;
    subject_init(&test);
    weft_thread *thread;
    weft_thread_start(&thread, delivered_once, WEFT_POINTER(&test), NULL);
    gate_wait(&test.ready);
    assert_int_equal(weft_cancel(thread), 1);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 5); /* it was suppressed */
    assert_int_equal(weft_cancel(thread), 0);
    weft_release(thread);
    subject_destroy(&test);
}

static int computes(void *arg)
{
    subject *test = arg;
    weft_event event = {0};
    gate_arrive(&test->ready);
    gate_wait(&test->go); /* cancelled meanwhile, without a wait of weft's */
    RECORD(&test->recorder, weft_cancelled());
    RECORD_INT(&test->recorder, weft_event_wait(&event, WEFT_FOREVER), -ECANCELED);
    RECORD_INT(&test->recorder, weft_event_wait(&event, 0.001), -ETIMEDOUT);
    return 5;
}

static void it_ends_the_next_wait_of_one_that_computes(void **state)
{
    (void)state;
    subject test;
    subject_init(&test);
    weft_thread *thread;
    weft_thread_start(&thread, computes, WEFT_POINTER(&test), NULL);
    gate_wait(&test.ready);
    assert_int_equal(weft_cancel(thread), 1);
    assert_int_equal(weft_cancel(thread), 1); /* one delivery, all the same */
    gate_arrive(&test.go);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 5);
    weft_release(thread);
    subject_destroy(&test);
}

static int begins(void *arg)
{
    ((subject *)arg)->begun++;
    return 0;
}

static int block_worker(void *arg)
{
    subject *test = arg;
    gate_arrive(&test->ready);
    gate_wait(&test->go);
    return 0;
}

static void what_has_not_begun_never_begins(void **state)
{
    (void)state;
    subject test;
    subject_init(&test);
    weft_executor *pool;
    weft_future *first, *second;
    weft_thread_pool_open(&pool, &(weft_thread_pool_options){.max_workers = 1});
    weft_submit(pool, &first, block_worker, WEFT_POINTER(&test), NULL);
    gate_wait(&test.ready);
    weft_submit(pool, &second, begins, WEFT_POINTER(&test), NULL);
    assert_int_equal(weft_cancel(second), 1);
    assert_true(weft_done(second)); /* at once, though the worker is busy */
    assert_int_equal(weft_result(second, WEFT_NONE, WEFT_FOREVER), -ECANCELED);
    gate_arrive(&test.go);
    assert_int_equal(weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER), 0);
    assert_int_equal(test.begun, 0);
    weft_release(first);
    weft_release(second);
    weft_release(pool);
    RECORD(&test.recorder, true);
    subject_destroy(&test);
}

static int start_and_cancel(void *arg)
{
    subject *test = arg;
    weft_task *task;
    weft_task_start(&task, begins, WEFT_POINTER(test), NULL);
    RECORD_INT(&test->recorder, weft_cancel(task), 1);
    RECORD(&test->recorder, !weft_done(task));
    RECORD_INT(&test->recorder, weft_result(task, WEFT_NONE, WEFT_FOREVER), -ECANCELED);
    RECORD(&test->recorder, strcmp(weft_error_message(), "cancelled") == 0);
    RECORD(&test->recorder, !weft_cancelled()); /* that was the other one's */
    RECORD_INT(&test->recorder, test->begun, 0);
    RECORD_INT(&test->recorder, weft_cancel(task), 0);
    weft_release(task);
    return 0;
}

static void a_task_that_has_not_begun_never_begins(void **state)
{
    (void)state;
    subject test;
    subject_init(&test);
    assert_int_equal(weft_run(start_and_cancel, WEFT_POINTER(&test), NULL), 0);
    subject_destroy(&test);
}

typedef struct late {
    subject subject;
    weft_semaphore semaphore;
    int first, second;
} late;

static int wait_for_permit(void *arg)
{
    late *test = arg;
    test->first = weft_semaphore_acquire(&test->semaphore, WEFT_FOREVER);
    return test->first;
}

static int wait_second(void *arg)
{
    late *test = arg;
    test->second = weft_semaphore_acquire(&test->semaphore, WEFT_FOREVER);
    return test->second;
}

/* The release wakes the first task; before it has resumed it is cancelled: the cancel wins, and the
 * permit goes to the second. */
static int cancel_late(void *arg)
{
    late *test = arg;
    weft_task *tasks[2];
    weft_task_start(&tasks[0], wait_for_permit, WEFT_POINTER(test), NULL);
    weft_task_start(&tasks[1], wait_second, WEFT_POINTER(test), NULL);
    weft_sleep(0);
    weft_sleep(0);
    weft_semaphore_release(&test->semaphore, 1);
    RECORD_INT(&test->subject.recorder, weft_cancel(tasks[0]), 1);
    RECORD_INT(&test->subject.recorder, weft_result(tasks[0], WEFT_NONE, WEFT_FOREVER), -ECANCELED);
    RECORD_INT(&test->subject.recorder, weft_result(tasks[1], WEFT_NONE, WEFT_FOREVER), 0);
    RECORD_INT(&test->subject.recorder, (int)weft_semaphore_value(&test->semaphore), 0);
    weft_release_many(tasks, 2);
    return 0;
}

static void a_late_cancel_wins_and_passes_on(void **state)
{
    (void)state;
    late test = {.first = 1, .second = 1};
    subject_init(&test.subject);
    assert_int_equal(weft_run(cancel_late, WEFT_POINTER(&test), NULL), 0);
    subject_destroy(&test.subject);
}

static int answer(void *arg)
{
    (void)arg;
    return 1;
}

static void what_is_done_stays_done(void **state)
{
    (void)state;
    weft_thread *thread;
    weft_thread_start(&thread, answer, WEFT_NONE, NULL);
    weft_thread_join(thread, WEFT_FOREVER);
    assert_int_equal(weft_cancel(thread), 0);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 1);
    weft_release(thread);
}

static int cancelled_next(void *arg)
{
    struct recorder *recorder = arg;
    RECORD(recorder, !weft_cancelled());
    RECORD_INT(recorder, weft_sleep(0.0001), 0);
    return 0;
}

static int never_waits(void *arg)
{
    subject *test = arg;
    gate_arrive(&test->ready);
    gate_wait(&test->go);
    return 0;
}

static void it_does_not_hit_the_next_job_of_the_thread(void **state)
{
    (void)state;
    subject test;
    subject_init(&test);
    weft_executor *pool;
    weft_future *first, *second;
    weft_thread_pool_open(&pool, &(weft_thread_pool_options){.max_workers = 1});
    weft_submit(pool, &first, never_waits, WEFT_POINTER(&test), NULL);
    gate_wait(&test.ready);
    weft_submit(pool, &second, cancelled_next, WEFT_POINTER(&test.recorder), NULL);
    assert_int_equal(weft_cancel(first), 1); /* never delivered: it does not wait */
    gate_arrive(&test.go);
    assert_int_equal(weft_result(first, WEFT_NONE, WEFT_FOREVER), 0);
    assert_int_equal(weft_result(second, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(first);
    weft_release(second);
    weft_release(pool);
    subject_destroy(&test);
}

static int cancels_itself(void *arg)
{
    struct recorder *recorder = arg;
    RECORD_INT(recorder, weft_cancel(weft_task_current()), 1);
    RECORD(recorder, weft_cancelled());
    RECORD_INT(recorder, weft_sleep(0), -ECANCELED);
    RECORD_INT(recorder, weft_sleep(0), 0);
    return 0;
}

static void a_task_may_cancel_itself(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    assert_int_equal(weft_run(cancels_itself, WEFT_POINTER(&recorder), NULL), 0);
    recorder_assert(&recorder);
}

static void a_thread_of_the_hosts_can_be_cancelled(void **state)
{
    (void)state;
    weft_thread *self = weft_thread_current();
    assert_int_equal(weft_cancel(self), 1);
    assert_true(weft_cancelled());
    assert_int_equal(weft_sleep(WEFT_FOREVER), -ECANCELED);
    assert_int_equal(weft_sleep(0.001), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(it_is_delivered_once_and_stays_asked),
        weft_test(it_ends_the_next_wait_of_one_that_computes),
        weft_test(what_has_not_begun_never_begins),
        weft_test(a_task_that_has_not_begun_never_begins),
        weft_test(a_late_cancel_wins_and_passes_on),
        weft_test(what_is_done_stays_done),
        weft_test(it_does_not_hit_the_next_job_of_the_thread),
        weft_test(a_task_may_cancel_itself),
        weft_test(a_thread_of_the_hosts_can_be_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
