/* SPDX-License-Identifier: MIT */
#include "support/places.h"

#include <math.h>

#define PLACES(behaviour)                                                                          \
    do {                                                                                           \
        struct recorder recorder = {0};                                                            \
        in_each_place(behaviour, &recorder);                                                       \
        recorder_assert(&recorder);                                                                \
    } while (0)

static int wait_for_nothing(void)
{
    weft_event event = {0};
    return weft_event_wait(&event, WEFT_FOREVER);
}

static int once(void *arg)
{
    struct recorder *recorder = arg;
    int scope = weft_timeout_begin(0.001);
    RECORD(recorder, scope >= 0);
    int r = wait_for_nothing();
    RECORD_INT(recorder, r, -ECANCELED);
    RECORD(recorder, !weft_cancelled());
    RECORD_INT(recorder, weft_sleep(0.002), 0); /* cleanup may wait */
    RECORD_INT(recorder, weft_sleep(0), 0);
    RECORD_INT(recorder, weft_timeout_end(scope, r), -ETIMEDOUT);
    RECORD_INT(recorder, weft_sleep(0), 0);
    return 0;
}

static void it_ends_one_wait_and_its_end_says_timed_out(void **state)
{
    (void)state;
    PLACES(once);
}

static int other_results(void *arg)
{
    struct recorder *recorder = arg;
    int scope = weft_timeout_begin(100);
    RECORD_INT(recorder, weft_timeout_end(scope, 7), 7);
    scope = weft_timeout_begin(100);
    RECORD_INT(recorder, weft_timeout_end(scope, -ECANCELED), -ECANCELED); /* not the scope's */
    scope = weft_timeout_begin(0);
    wait_for_nothing();
    RECORD_INT(recorder, weft_timeout_end(scope, -EIO), -EIO); /* it was coped with */
    scope = weft_timeout_begin(0);
    wait_for_nothing();
    RECORD_INT(recorder, weft_timeout_end(scope, 3), 3);
    return 0;
}

static void other_results_pass_through(void **state)
{
    (void)state;
    PLACES(other_results);
}

static int nested(void *arg)
{
    struct recorder *recorder = arg;
    int outer = weft_timeout_begin(0.001), inner = weft_timeout_begin(100);
    RECORD_INT(recorder, inner, outer + 1);
    int r = wait_for_nothing();
    r = weft_timeout_end(inner, r);
    RECORD_INT(recorder, r, -ECANCELED); /* the outer one's */
    RECORD_INT(recorder, weft_timeout_end(outer, r), -ETIMEDOUT);

    outer = weft_timeout_begin(100);
    inner = weft_timeout_begin(0.001);
    r = wait_for_nothing();
    r = weft_timeout_end(inner, r);
    RECORD_INT(recorder, r, -ETIMEDOUT);
    RECORD_INT(recorder, weft_timeout_end(outer, r), -ETIMEDOUT);

    outer = weft_timeout_begin(0); /* both are over: one wait each */
    inner = weft_timeout_begin(0);
    RECORD_INT(recorder, wait_for_nothing(), -ECANCELED);
    int innermost = weft_timeout_begin(0);
    r = wait_for_nothing();
    RECORD_INT(recorder, r, -ECANCELED);
    weft_timeout_end(innermost, r);
    weft_timeout_end(inner, 0);
    weft_timeout_end(outer, 0);
    return 0;
}

static void scopes_nest(void **state)
{
    (void)state;
    PLACES(nested);
}

static int deep(void *arg)
{
    struct recorder *recorder = arg;
    enum { DEPTH = 100 };
    int scopes[DEPTH];
    for (int i = 0; i < DEPTH; i++) {
        scopes[i] = weft_timeout_begin(i == 50 ? 0.001 : 100);
        RECORD_INT(recorder, scopes[i], scopes[0] + i);
    }
    int r = wait_for_nothing();
    for (int i = DEPTH - 1; i >= 0; i--) {
        r = weft_timeout_end(scopes[i], r);
        RECORD_INT(recorder, r, i > 50 ? -ECANCELED : -ETIMEDOUT);
    }
    return 0;
}

static void scopes_nest_deeply(void **state)
{
    (void)state;
    PLACES(deep);
}

static int forgotten(void *arg)
{
    struct recorder *recorder = arg;
    int outer = weft_timeout_begin(100);
    int inner = weft_timeout_begin(0.001);
    weft_timeout_begin(0.001);
    RECORD_INT(recorder, weft_timeout_end(outer, 5), 5); /* pops all three */
    RECORD_INT(recorder, weft_sleep(0.003), 0);
    RECORD_INT(recorder, weft_timeout_end(inner, 0), -EINVAL);
    RECORD_INT(recorder, weft_timeout_begin(1), outer);
    RECORD_INT(recorder, weft_timeout_end(outer, 0), 0);
    return 0;
}

static void an_end_pops_what_was_forgotten(void **state)
{
    (void)state;
    PLACES(forgotten);
}

static int leave_one_open(void *arg)
{
    (void)arg;
    return weft_timeout_begin(0) >= 0 ? 0 : -EIO;
}

static int jobs_one_after_the_other(void *arg)
{
    struct recorder *recorder = arg;
    weft_executor *pool;
    weft_future *future;
    weft_thread_pool_open(&pool, &(weft_thread_pool_options){.max_workers = 1});
    for (int i = 0; i < 3; i++) {
        weft_submit(pool, &future, leave_one_open, WEFT_NONE, NULL);
        RECORD_INT(recorder, weft_result(future, WEFT_NONE, WEFT_FOREVER), 0);
        weft_release(future);
        weft_submit(pool, &future, once, WEFT_POINTER(arg), NULL);
        RECORD_INT(recorder, weft_result(future, WEFT_NONE, WEFT_FOREVER), 0);
        weft_release(future);
    }
    weft_release(pool);
    return 0;
}

static void a_job_leaves_no_scope_to_the_next(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    assert_int_equal(jobs_one_after_the_other(&recorder), 0);
    recorder_assert(&recorder);
}

static int moved(void *arg)
{
    struct recorder *recorder = arg;
    int scope = weft_timeout_begin(WEFT_FOREVER);
    RECORD_INT(recorder, weft_timeout_reschedule(scope, 0.001), 0);
    int r = wait_for_nothing();
    RECORD_INT(recorder, r, -ECANCELED);
    RECORD_INT(recorder, weft_timeout_reschedule(scope, 1), WEFT_EINVALID_STATE);
    RECORD_INT(recorder, weft_timeout_end(scope, r), -ETIMEDOUT);
    scope = weft_timeout_begin(0);
    RECORD_INT(recorder, weft_timeout_reschedule(scope, WEFT_FOREVER), 0);
    RECORD_INT(recorder, weft_sleep(0.001), 0);
    RECORD_INT(recorder, weft_timeout_end(scope, 0), 0);
    return 0;
}

static void it_can_be_moved_until_it_is_over(void **state)
{
    (void)state;
    PLACES(moved);
}

static int misused(void *arg)
{
    struct recorder *recorder = arg;
    RECORD_INT(recorder, weft_timeout_begin(NAN), -EINVAL);
    RECORD_INT(recorder, weft_timeout_end(0, 5), -EINVAL);
    RECORD_INT(recorder, weft_timeout_end(-1, 5), -EINVAL);
    RECORD_INT(recorder, weft_timeout_reschedule(0, 5), -EINVAL);
    int scope = weft_timeout_begin(100);
    RECORD_INT(recorder, weft_timeout_end(scope + 1, 5), -EINVAL);
    RECORD_INT(recorder, weft_timeout_reschedule(scope, NAN), -EINVAL);
    RECORD_INT(recorder, weft_timeout_end(scope, 0), 0);
    return 0;
}

static void misuse_is_refused(void **state)
{
    (void)state;
    PLACES(misused);
}

static int own_timeout(void *arg)
{
    struct recorder *recorder = arg;
    weft_event event = {0};
    int scope = weft_timeout_begin(100);
    RECORD_INT(recorder, weft_event_wait(&event, 0.001), -ETIMEDOUT); /* the wait's own */
    RECORD_INT(recorder, weft_timeout_end(scope, -ETIMEDOUT), -ETIMEDOUT);
    scope = weft_timeout_begin(0.001);
    int r = weft_event_wait(&event, 100);
    RECORD_INT(recorder, r, -ECANCELED);
    RECORD_INT(recorder, weft_timeout_end(scope, r), -ETIMEDOUT);
    scope = weft_timeout_begin(0); /* a poll does not wait */
    RECORD_INT(recorder, weft_event_wait(&event, WEFT_NOWAIT), -ETIMEDOUT);
    weft_event_set(&event);
    RECORD_INT(recorder, weft_event_wait(&event, WEFT_FOREVER), 0);
    RECORD_INT(recorder, weft_timeout_end(scope, 0), 0);
    return 0;
}

static void the_waits_own_timeout_is_another(void **state)
{
    (void)state;
    PLACES(own_timeout);
}

typedef struct cancelled_in_scope {
    struct gate waits;
    double seconds;
    int waited, ended;
} cancelled_in_scope;

static int cleanup_in_scope(void *arg)
{
    cancelled_in_scope *test = arg;
    int scope = weft_timeout_begin(test->seconds);
    int r = 0;
    if (test->seconds == 0)
        r = wait_for_nothing(); /* the scope's */
    gate_arrive(&test->waits);
    test->waited = wait_for_nothing(); /* the cancel's */
    test->ended = weft_timeout_end(scope, test->waited);
    return r == 0 || r == -ECANCELED ? 0 : r;
}

static void a_cancel_in_it_stays_a_cancel(void **state)
{
    (void)state;
    const double seconds[] = {100, 0};
    for (int i = 0; i < 2; i++) {
        cancelled_in_scope test = {.seconds = seconds[i]};
        weft_thread *thread;
        gate_init(&test.waits, 1);
        weft_thread_start(&thread, cleanup_in_scope, WEFT_POINTER(&test), NULL);
        gate_wait(&test.waits);
        assert_int_equal(weft_cancel(thread), 1);
        weft_thread_join(thread, WEFT_FOREVER);
        assert_int_equal(test.waited, -ECANCELED);
        assert_int_equal(test.ended, -ECANCELED);
        weft_release(thread);
        gate_destroy(&test.waits);
    }
}

static void without_memory_no_scope_is_opened(void **state)
{
    (void)state;
    weft_error(-EIO, "so that there is room for a message");
    int scopes[64], count = 0;
    allocator_fail(1, ALLOCATOR_ONWARDS);
    while (count < 64 && (scopes[count] = weft_timeout_begin(100)) >= 0)
        count++;
    allocator_fail(0, ALLOCATOR_ONCE);
    assert_true(count < 64);
    assert_int_equal(scopes[count], -ENOMEM);
    while (count-- > 0)
        assert_int_equal(weft_timeout_end(scopes[count], count), count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(it_ends_one_wait_and_its_end_says_timed_out),
        weft_test(other_results_pass_through),
        weft_test(scopes_nest),
        weft_test(scopes_nest_deeply),
        weft_test(an_end_pops_what_was_forgotten),
        weft_test(a_job_leaves_no_scope_to_the_next),
        weft_test(it_can_be_moved_until_it_is_over),
        weft_test(misuse_is_refused),
        weft_test(the_waits_own_timeout_is_another),
        weft_test(a_cancel_in_it_stays_a_cancel),
        weft_test(without_memory_no_scope_is_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
