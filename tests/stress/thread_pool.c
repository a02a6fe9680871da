/* SPDX-License-Identifier: MIT */
/*
 * A pool that falls asleep and is woken for every single job: no job waits for a worker that
 * sleeps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stress/stress.h"
#include "support/support.h"

enum { JOBS = 30000 * STRESS_FACTOR, SUBMITTERS = 2, WORKERS = 2, TOO_LONG = 30 };

static int seven(void *arg)
{
    (void)arg;
    return 7;
}

static int submit_one_by_one(void *arg)
{
    weft_executor *pool = arg;
    int r = 7;
    for (int i = 0; i < JOBS && r == 7; i++) {
        weft_future *future;
        r = weft_submit(pool, &future, seven, WEFT_NONE, NULL);
        if (r == 0)
            r = weft_result(future, WEFT_NONE, TOO_LONG);
        weft_release(future);
    }
    return r;
}

static void every_job_finds_a_worker(void **state)
{
    (void)state;
    weft_executor *pool;
    weft_thread *threads[SUBMITTERS];
    assert_int_equal(
        weft_thread_pool_open(&pool, &(weft_thread_pool_options){.max_workers = WORKERS}), 0);
    for (int i = 0; i < SUBMITTERS; i++)
        assert_int_equal(
            weft_thread_start(&threads[i], submit_one_by_one, WEFT_POINTER(pool), NULL), 0);
    for (int i = 0; i < SUBMITTERS; i++)
        assert_int_equal(weft_result(threads[i], WEFT_NONE, WEFT_FOREVER), 7);
    weft_release_many(threads, SUBMITTERS);
    assert_int_equal(weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER), 0);
    weft_release(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {weft_test(every_job_finds_a_worker)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
