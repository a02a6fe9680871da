/* SPDX-License-Identifier: MIT */
/*
 * Pools of two threads: submit and take the result, one by one; many jobs in waves of 10,000; and
 * fib(25) as jobs that wait for jobs. glib's and libuv's jobs have no results to wait for: a
 * counter stands in.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "bench.h"
#include "peers.h"

#ifdef WEFT_BENCH_GLIB
#include <glib.h>
#endif
#ifdef WEFT_BENCH_UV
#include <uv.h>
#endif
#include <weft/futures.h>

enum { WAVE = 10000, WORKERS = 2 };

/* What a job does. */
static _Atomic size_t worked;

static void work(void)
{
    atomic_fetch_add_explicit(&worked, 1, memory_order_relaxed);
}

#ifdef WEFT_BENCH_GLIB
static GMutex mutex;
static GCond all_done;
static size_t awaited;

static void glib_job(gpointer data, gpointer user_data)
{
    (void)data;
    (void)user_data;
    work();
    g_mutex_lock(&mutex);
    if (--awaited == 0)
        g_cond_signal(&all_done);
    g_mutex_unlock(&mutex);
}

static void glib_waves(size_t n, size_t wave)
{
    GThreadPool *pool = g_thread_pool_new(glib_job, NULL, WORKERS, TRUE, NULL);
    bench_begin();
    for (size_t i = 0; i < n; i += wave) {
        g_mutex_lock(&mutex);
        awaited = wave;
        g_mutex_unlock(&mutex);
        for (size_t k = 0; k < wave; k++)
            g_thread_pool_push(pool, &mutex, NULL);
        g_mutex_lock(&mutex);
        while (awaited > 0)
            g_cond_wait(&all_done, &mutex);
        g_mutex_unlock(&mutex);
    }
    bench_end();
}

static void glib_one(size_t n)
{
    glib_waves(n, 1);
}

static void glib_many(size_t n)
{
    glib_waves(n, WAVE);
}
#endif

#ifdef WEFT_BENCH_UV
static void uv_job(uv_work_t *request)
{
    (void)request;
    work();
}

static void uv_after(uv_work_t *request, int status)
{
    (void)request;
    (void)status;
}

static void uv_waves(size_t n, size_t wave)
{
    uv_loop_t *loop = uv_default_loop();
    uv_work_t *requests = malloc(wave * sizeof *requests);
    setenv("UV_THREADPOOL_SIZE", "2", 1);
    bench_begin();
    for (size_t i = 0; i < n; i += wave) {
        for (size_t k = 0; k < wave; k++)
            uv_queue_work(loop, &requests[k], uv_job, uv_after);
        uv_run(loop, UV_RUN_DEFAULT);
    }
    bench_end();
}

static void uv_one(size_t n)
{
    uv_waves(n, 1);
}

static void uv_many(size_t n)
{
    uv_waves(n, WAVE);
}
#endif

/* One hand-over there and one back between two threads, by condition: what a pool cannot do
 * without. */
static pthread_mutex_t turn_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static int turn;

static void take_turn(int mine)
{
    pthread_mutex_lock(&turn_mutex);
    while (turn != mine)
        pthread_cond_wait(&turn_changed, &turn_mutex);
    turn = !mine;
    pthread_cond_signal(&turn_changed);
    pthread_mutex_unlock(&turn_mutex);
}

static void *other_side(void *arg)
{
    for (size_t n = *(size_t *)arg; n > 0; n--)
        take_turn(1);
    return NULL;
}

static void hand_over(size_t n)
{
    pthread_t other;
    if (pthread_create(&other, NULL, other_side, &n) != 0)
        bench_fail("pthread_create");
    bench_begin();
    for (size_t i = 0; i < n; i++)
        take_turn(0);
    bench_end();
    pthread_join(other, NULL);
}

static weft_executor *open_pool(size_t workers)
{
    weft_executor *pool;
    BENCH_CHECK(weft_thread_pool_open(&pool, &(weft_thread_pool_options){.max_workers = workers}));
    return pool;
}

static int weft_job_fn(void *arg)
{
    (void)arg;
    work();
    return 1;
}

static void weft_waves(size_t n, size_t wave)
{
    weft_executor *pool = open_pool(WORKERS);
    weft_future **futures = malloc(wave * sizeof *futures);
    bench_begin();
    for (size_t i = 0; i < n; i += wave) {
        for (size_t k = 0; k < wave; k++)
            BENCH_CHECK(weft_submit(pool, &futures[k], weft_job_fn, WEFT_NONE, NULL));
        for (size_t k = 0; k < wave; k++) {
            if (weft_result(futures[k], WEFT_NONE, WEFT_FOREVER) != 1)
                bench_fail(weft_error_message());
            weft_release(futures[k]);
        }
    }
    bench_end();
    if (worked != n)
        bench_fail("not every job ran once");
}

static void weft_one(size_t n)
{
    weft_waves(n, 1);
}

static void weft_many(size_t n)
{
    weft_waves(n, WAVE);
}

static weft_executor *fib_pool;

static int fib(void *arg)
{
    int n = *(int *)arg, less = n - 1;
    weft_future *future;
    if (n < 2)
        return n;
    int r = weft_submit(fib_pool, &future, fib, WEFT_ARG(less), NULL);
    if (r < 0)
        return r;
    less = n - 2;
    int b = fib(&less);
    int a = weft_result(future, WEFT_NONE, WEFT_FOREVER);
    weft_release(future);
    return a < 0 ? a : b < 0 ? b : a + b;
}

static void fib_once(int n, int expected)
{
    weft_future *future;
    BENCH_CHECK(weft_submit(fib_pool, &future, fib, WEFT_ARG(n), NULL));
    if (weft_result(future, WEFT_NONE, WEFT_FOREVER) != expected)
        bench_fail(weft_error_message());
    weft_release(future);
}

static void fib_with(size_t n, size_t workers)
{
    fib_pool = open_pool(workers);
    fib_once(15, 610);
    bench_begin();
    for (size_t i = 0; i < n; i++)
        fib_once(25, 75025);
    bench_end();
}

static void weft_fib_1(size_t n)
{
    fib_with(n, 1);
}

static void weft_fib_2(size_t n)
{
    fib_with(n, 2);
}

BENCH_GO_CASE(go_submit, "submit")
BENCH_GO_CASE(go_fib_1, "fib_1")
BENCH_GO_CASE(go_fib_2, "fib_2")

static const bench_case one_cases[] = {
    {"weft", weft_one},
    {"limit: hand-over", hand_over},
    BENCH_GLIB("glib", glib_one) BENCH_UV("libuv", uv_one){0},
};
static const bench_case many_cases[] = {
    {"weft", weft_many},
    BENCH_GLIB("glib", glib_many) BENCH_UV("libuv", uv_many) BENCH_GO("Go", go_submit){0},
};
static const bench_case fib_1_cases[] = {
    {"weft", weft_fib_1},
    BENCH_TBB("tbb", tbb_fib_1) BENCH_GO("Go", go_fib_1){0},
};
static const bench_case fib_2_cases[] = {
    {"weft", weft_fib_2},
    BENCH_TBB("tbb", tbb_fib_2) BENCH_GO("Go", go_fib_2){0},
};

static const bench_subject subjects[] = {
    {"thread pool, submit to result one by one",
     NULL,
     NULL,
     100000,
     one_cases,
     {{"glib", 1.0, false}, {"limit: hand-over", 1.2, false}}},
    {"thread pool, 10^6 jobs each with a future",
     NULL,
     NULL,
     1000000,
     many_cases,
     {{"libuv", 3.0, false}}},
    {"thread pool, fib(25) by jobs, one worker",
     NULL,
     NULL,
     20,
     fib_1_cases,
     {{"Go", 0.3, false}, {"tbb", 2.0, false}}},
    {"thread pool, fib(25) by jobs, two workers",
     NULL,
     NULL,
     20,
     fib_2_cases,
     {{"Go", 0.3, false}, {"tbb", 2.0, false}}},
};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, subjects, sizeof subjects / sizeof *subjects);
}
