/* SPDX-License-Identifier: MIT */
/*
 * places: the same behaviour wherever a function runs.
 *
 *     static int behaves(void *arg)
 *     {
 *         struct recorder *recorder = arg;
 *         RECORD_INT(recorder, weft_sleep(0), 0);
 *         return 0;
 *     }
 *     ...
 *     in_each_place(behaves, &recorder);
 *     recorder_assert(&recorder);
 *
 * runs it in this thread, in a thread of weft's, in a task of a loop and in a job of a pool.
 */
#ifndef WEFT_TESTS_PLACES_H
#define WEFT_TESTS_PLACES_H

#include <weft.h>

#include "support/support.h"

static inline int in_a_thread(weft_fn *fn, void *arg)
{
    weft_thread *thread;
    int r = weft_thread_start(&thread, fn, WEFT_POINTER(arg), NULL);
    if (r == 0)
        r = weft_result(thread, WEFT_NONE, WEFT_FOREVER);
    weft_release(thread);
    return r;
}

static inline int in_a_task(weft_fn *fn, void *arg)
{
    return weft_run(fn, WEFT_POINTER(arg), NULL);
}

static inline int in_a_job(weft_fn *fn, void *arg)
{
    weft_executor *pool;
    weft_future *future = NULL;
    int r = weft_thread_pool_open(&pool, &(weft_thread_pool_options){.max_workers = 1});
    if (r == 0)
        r = weft_submit(pool, &future, fn, WEFT_POINTER(arg), NULL);
    if (r == 0)
        r = weft_result(future, WEFT_NONE, WEFT_FOREVER);
    weft_release(future);
    weft_release(pool);
    return r;
}

/* Asserts that fn returned >= 0 everywhere: test's frame only. */
static inline void in_each_place(weft_fn *fn, void *arg)
{
    assert_true(fn(arg) >= 0);
    assert_true(in_a_thread(fn, arg) >= 0);
    assert_true(in_a_task(fn, arg) >= 0);
    assert_true(in_a_job(fn, arg) >= 0);
}

#endif
