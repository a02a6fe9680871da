/* SPDX-License-Identifier: MIT */
/*
 * futures: functions run by pools, and their results to come.
 *
 *     #include <stdio.h>
 *     #include <weft.h>
 *
 *     static int square(void *arg)
 *     {
 *         int n = *(int *)arg;
 *         return n * n;
 *     }
 *
 *     int main(void)
 *     {
 *         int numbers[] = {1, 2, 3, 4}, squares[4];
 *         weft_executor *pool;
 *         weft_thread_pool_open(&pool, NULL);
 *         int r = weft_map(pool, square, numbers, sizeof(int), 4, squares, sizeof(int), NULL);
 *         if (r < 0)
 *             fprintf(stderr, "%s\n", weft_error_message());
 *         else
 *             printf("%d %d\n", squares[2], squares[3]);
 *         weft_release(pool);
 *         return weft_shutdown(WEFT_FOREVER);
 *     }
 *
 * A job of a thread pool is a coroutine on one of the pool's threads: when it waits, it gives its
 * thread to the next job, so jobs may wait for other jobs of their own pool to any depth. A job
 * stays on its thread once it has begun. A process pool (multiprocessing.h) is used by the same
 * calls.
 */
#ifndef WEFT_FUTURES_H
#define WEFT_FUTURES_H

#include <weft/handle.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Thread pools -----------------------------------------------------------------------------
 */

typedef struct weft_thread_pool_options {
    size_t max_workers; /* threads, started as they are needed; 0: as many as the processors, plus
                           4, at most 32 */
    const char *name;   /* of its threads, "name_0" ...; copied; NULL: "ThreadPoolExecutor-1" ... */
    size_t stack_size;  /* of jobs, in bytes of address space; 0: 1 MiB */
    weft_fn *initializer; /* called in each thread before its first job; a failure breaks the pool;
                             NULL: none */
    const void *arg;      /* of the initializer, copied once (arg_size 0: the pointer) */
    size_t arg_size;
    void *reserved_[4];
} weft_thread_pool_options;

/*
 * Opens a pool of threads, to be released. The last release shuts it down without waiting: what was
 * submitted still runs. Errors: -EINVAL, -ENOMEM. Python: concurrent.futures.ThreadPoolExecutor
 */
WEFT_API int weft_thread_pool_open(weft_executor **pool, const weft_thread_pool_options *options);

/* ---- Submitting -------------------------------------------------------------------------------
 */

typedef struct weft_submit_options {
    const char *name; /* of the future; copied; NULL: "Future-1" ... */
    void *reserved_[4];
} weft_submit_options;

/*
 * Has the executor run fn(arg). The argument bytes are copied; what they point at must outlive the
 * job. *future is to be released; NULL where it is not wanted: the job runs all the same. Errors:
 * -EINVAL, -ENOMEM, WEFT_ESHUTDOWN, WEFT_EBROKEN_POOL, WEFT_EFORKED. Python: Executor.submit
 */
WEFT_API int weft_submit(weft_executor *executor, weft_future **future, weft_fn *fn,
                         const void *arg, size_t arg_size, const weft_submit_options *options);

typedef struct weft_map_options {
    double timeout; /* seconds for the whole; 0: none */
    void *reserved_[4];
} weft_map_options;

/*
 * Runs fn on each of `count` items of item_size bytes, and writes result i (of exactly result_size
 * bytes; its number, an int, where fn set no bytes) to results + i * result_size; results NULL:
 * they are dropped. As many items are in work at once as the executor is wide, twice over. Waits
 * for all. After a failure what has not begun is cancelled, the rest is waited for, and the first
 * failure by index is returned. Can be cancelled. Errors: fn's own; -ETIMEDOUT, -ECANCELED,
 * -EMSGSIZE (a result of another size), -EINVAL, -ENOMEM, WEFT_ESHUTDOWN, WEFT_EBROKEN_POOL,
 * WEFT_EWORKER_LOST, WEFT_EFORKED. Python: Executor.map, Pool.map
 */
WEFT_API int weft_map(weft_executor *executor, weft_fn *fn, const void *items, size_t item_size,
                      size_t count, void *results, size_t result_size,
                      const weft_map_options *options);

/*
 * Ends an executor: no more submits; WEFT_SHUTDOWN_DRAIN runs what was submitted,
 * WEFT_SHUTDOWN_IMMEDIATE cancels what has not begun. Waits until all has ended; with timeout 0 it
 * only starts that. May be called again. Can be cancelled. Errors: -ETIMEDOUT, -ECANCELED, -EINVAL,
 * -EDEADLK (called by one of its jobs), -ENOMEM, WEFT_EFORKED. Python: Executor.shutdown
 */
WEFT_API int weft_executor_shutdown(weft_executor *executor, weft_shutdown_mode mode,
                                    double timeout);

/* ---- Futures ----------------------------------------------------------------------------------
 */

/*
 * Makes a future, to be released, whose result somebody sets. Its waiters wait for ever if nobody
 * does. Errors: -EINVAL, -ENOMEM. Python: asyncio.Future
 */
WEFT_API int weft_future_open(weft_future **future);

/*
 * Completes the future with result bytes (copied; WEFT_NONE: the number 0). Wakes its waiters and
 * runs its callbacks in this context. Errors: WEFT_EINVALID_STATE (it is done, or an executor's),
 * -EINVAL, -ENOMEM, WEFT_EFORKED. Python: Future.set_result
 */
WEFT_API int weft_future_set_result(weft_future *future, const void *data, size_t size);

/*
 * Completes the future with a failure: code < 0, message copied (NULL: the code's text).
 * Errors: WEFT_EINVALID_STATE (it is done, or an executor's), -EINVAL (code >= 0), WEFT_EFORKED.
 * Python: Future.set_exception
 */
WEFT_API int weft_future_set_exception(weft_future *future, int code, const char *message);

#ifdef __cplusplus
}
#endif

#endif
