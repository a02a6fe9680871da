/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/asyncio.h>
#include <weft/futures.h>
#include <weft/multiprocessing.h>
#include <weft/threading.h>

#include "multiprocessing/arena.h"
#include "support/support.h"

typedef struct latch {
    _Atomic int here, open, runs;
} latch;

static void await(_Atomic int *word, int value)
{
    while (atomic_load(word) < value)
        weft_sleep(0.0005);
}

static weft_executor *open_pool(size_t workers)
{
    weft_executor *pool = NULL;
    weft_process_pool_options options = {.max_workers = workers};
    assert_int_equal(weft_process_pool_open(&pool, &options), 0);
    assert_non_null(pool);
    return pool;
}

static void close_pool(weft_executor *pool)
{
    assert_int_equal(weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER), 0);
    weft_release(pool);
}

static int square(void *arg)
{
    int n = *(int *)arg;
    return n < 0 ? weft_error(-EDOM, "square %d: negative", n) : n * n;
}

static int own_pid(void *arg)
{
    (void)arg;
    return getpid();
}

static int hold(void *arg)
{
    latch *at = arg;
    alarm(120); /* should the test end before it opens the latch */
    atomic_fetch_add(&at->here, 1);
    await(&at->open, 1);
    alarm(0);
    atomic_fetch_add(&at->runs, 1);
    return 3;
}

static int kill_self(void *arg)
{
    (void)arg;
    raise(SIGKILL);
    return 0;
}

static int exit_at_once(void *arg)
{
    (void)arg;
    return weft_process_exit(5);
}

static void jobs_run_in_other_processes(void **state)
{
    (void)state;
    weft_executor *pool = open_pool(2);
    weft_future *future;
    int n = 12, out = 0;
    assert_int_equal(weft_submit(pool, &future, square, WEFT_ARG(n), NULL), 0);
    assert_int_equal(weft_result(future, WEFT_OUT(out), WEFT_FOREVER), 144);
    assert_int_equal(out, 144);
    weft_release(future);
    assert_int_equal(weft_submit(pool, &future, own_pid, WEFT_NONE, NULL), 0);
    assert_int_not_equal(weft_result(future, WEFT_NONE, WEFT_FOREVER), getpid());
    weft_release(future);
    n = -2;
    assert_int_equal(weft_submit(pool, &future, square, WEFT_ARG(n), NULL), 0);
    assert_int_equal(weft_result(future, WEFT_NONE, WEFT_FOREVER), -EDOM);
    assert_string_equal(weft_error_message(), "square -2: negative");
    weft_release(future);
    close_pool(pool);
}

static int doubled(void *arg)
{
    size_t size = weft_arg_size();
    int r = weft_return(arg, size);
    return r < 0 ? r : weft_return_append(arg, size);
}

static void bytes_of_any_size_cross(void **state)
{
    (void)state;
    weft_executor *pool = open_pool(2);
    static char sent[1 << 20];
    uint64_t before, after;
    memset(sent, 'x', sizeof sent);
    assert_int_equal(weft_arena_check(&before), 0);
    for (size_t size = 1; size <= sizeof sent; size *= 4) {
        weft_future *future;
        const void *data;
        size_t got;
        assert_int_equal(weft_submit(pool, &future, doubled, sent, size, NULL), 0);
        assert_int_equal(weft_result_view(future, &data, &got, WEFT_FOREVER), 0);
        assert_int_equal(got, 2 * size);
        assert_int_equal(((const char *)data)[2 * size - 1], 'x');
        weft_release(future);
    }
    assert_int_equal(weft_arena_check(&after), 0);
    assert_int_equal(before, after); /* nothing stays behind */
    close_pool(pool);
}

static void map_gives_results_in_order(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static int numbers[COUNT], squares[COUNT];
    weft_executor *pool = open_pool(2);
    for (int i = 0; i < COUNT; i++)
        numbers[i] = i;
    assert_int_equal(
        weft_map(pool, square, numbers, sizeof(int), COUNT, squares, sizeof(int), NULL), 0);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(squares[i], i * i);
    numbers[77] = -1;
    assert_int_equal(
        weft_map(pool, square, numbers, sizeof(int), COUNT, squares, sizeof(int), NULL), -EDOM);
    close_pool(pool);
}

static void more_jobs_than_the_window(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static weft_future *futures[COUNT];
    weft_executor *pool = open_pool(2);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(weft_submit(pool, &futures[i], square, WEFT_ARG(i), NULL), 0);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(weft_result(futures[i], WEFT_NONE, WEFT_FOREVER), i * i);
    weft_release_many(futures, COUNT);
    close_pool(pool);
}

static int submit_in_coroutine(void *arg)
{
    weft_executor *pool = *(weft_executor **)arg;
    weft_future *futures[10];
    int sum = 0, r;
    for (int i = 0; i < 10; i++)
        if ((r = weft_submit(pool, &futures[i], square, WEFT_ARG(i), NULL)) < 0)
            return r;
    if ((r = weft_gather(futures, 10, WEFT_FOREVER)) < 0)
        return r;
    for (int i = 0; i < 10; i++)
        sum += weft_result(futures[i], WEFT_NONE, WEFT_NOWAIT);
    weft_release_many(futures, 10);
    return sum;
}

static void coroutines_wait_for_jobs(void **state)
{
    (void)state;
    weft_executor *pool = open_pool(2);
    assert_int_equal(weft_run(submit_in_coroutine, WEFT_ARG(pool), NULL), 285);
    close_pool(pool);
}

static void a_lost_worker_costs_its_job_alone(void **state)
{
    (void)state;
    weft_executor *pool = open_pool(2);
    weft_future *lost, *others[20];
    for (int round = 0; round < 3; round++) {
        assert_int_equal(
            weft_submit(pool, &lost, round < 2 ? kill_self : exit_at_once, WEFT_NONE, NULL), 0);
        for (int i = 0; i < 20; i++)
            assert_int_equal(weft_submit(pool, &others[i], square, WEFT_ARG(i), NULL), 0);
        assert_int_equal(weft_result(lost, WEFT_NONE, WEFT_FOREVER), WEFT_EWORKER_LOST);
        assert_non_null(strstr(weft_error_message(), "worker 'Process-"));
        assert_non_null(strstr(weft_error_message(), round < 2 ? "was killed by SIGKILL while"
                                                               : "exited with status 5 while"));
        for (int i = 0; i < 20; i++)
            assert_int_equal(weft_result(others[i], WEFT_NONE, WEFT_FOREVER), i * i);
        weft_release(lost);
        weft_release_many(others, 20);
    }
    close_pool(pool);
}

static void a_lost_worker_may_break_the_pool(void **state)
{
    (void)state;
    weft_executor *pool;
    weft_future *lost, *late = NULL;
    latch *at = weft_shared_alloc(sizeof *at);
    weft_future *running;
    assert_int_equal(
        weft_process_pool_open(
            &pool, &(weft_process_pool_options){.max_workers = 2, .break_on_loss = true}),
        0);
    assert_int_equal(weft_submit(pool, &running, hold, WEFT_POINTER(at), NULL), 0);
    await(&at->here, 1);
    assert_int_equal(weft_submit(pool, &lost, kill_self, WEFT_NONE, NULL), 0);
    assert_int_equal(weft_result(lost, WEFT_NONE, WEFT_FOREVER), WEFT_EWORKER_LOST);
    assert_int_equal(weft_result(running, WEFT_NONE, WEFT_FOREVER), WEFT_EBROKEN_POOL);
    assert_int_equal(weft_submit(pool, &late, square, WEFT_ARG((int){1}), NULL), WEFT_EBROKEN_POOL);
    assert_null(late);
    assert_non_null(strstr(weft_error_message(), "was killed by SIGKILL"));
    weft_release(lost);
    weft_release(running);
    close_pool(pool);
    weft_shared_free(at);
}

static int initialized;

static int initialize(void *arg)
{
    initialized = *(int *)arg;
    return initialized < 0 ? weft_error(-EACCES, "no luck with %d", initialized) : 0;
}

static int tell_initialized(void *arg)
{
    (void)arg;
    return initialized;
}

static void workers_are_initialized(void **state)
{
    (void)state;
    weft_executor *pool;
    weft_future *future;
    int value = 41;
    weft_process_pool_options options = {
        .max_workers = 2, .initializer = initialize, .arg = &value, .arg_size = sizeof value};
    assert_int_equal(weft_process_pool_open(&pool, &options), 0);
    assert_int_equal(weft_submit(pool, &future, tell_initialized, WEFT_NONE, NULL), 0);
    assert_int_equal(weft_result(future, WEFT_NONE, WEFT_FOREVER), 41);
    weft_release(future);
    close_pool(pool);
    value = -1;
    assert_int_equal(weft_process_pool_open(&pool, &options), 0);
    int r = weft_submit(pool, &future, tell_initialized, WEFT_NONE, NULL);
    if (r == 0) {
        r = weft_result(future, WEFT_NONE, WEFT_FOREVER);
        weft_release(future);
    }
    assert_int_equal(r, WEFT_EBROKEN_POOL);
    assert_non_null(strstr(weft_error_message(), "no luck with -1"));
    close_pool(pool);
}

static void shutdown_drains(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    weft_executor *pool = open_pool(1);
    weft_future *futures[COUNT], *late;
    latch *at = weft_shared_alloc(sizeof *at);
    assert_int_equal(weft_submit(pool, &futures[0], hold, WEFT_POINTER(at), NULL), 0);
    for (int i = 1; i < COUNT; i++)
        assert_int_equal(weft_submit(pool, &futures[i], square, WEFT_ARG(i), NULL), 0);
    assert_int_equal(weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_NOWAIT), 0);
    assert_int_equal(weft_submit(pool, &late, square, WEFT_ARG((int){1}), NULL), WEFT_ESHUTDOWN);
    assert_int_equal(weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, 0.01), -ETIMEDOUT);
    atomic_store(&at->open, 1);
    assert_int_equal(weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER), 0);
    assert_true(weft_done(pool));
    assert_int_equal(weft_result(futures[0], WEFT_NONE, WEFT_NOWAIT), 3);
    for (int i = 1; i < COUNT; i++)
        assert_int_equal(weft_result(futures[i], WEFT_NONE, WEFT_NOWAIT), i * i);
    weft_release_many(futures, COUNT);
    weft_release(pool);
    weft_shared_free(at);
}

static void immediate_shutdown_cancels_what_waits(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    weft_executor *pool = open_pool(1);
    weft_future *futures[COUNT];
    latch *at = weft_shared_alloc(sizeof *at);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(weft_submit(pool, &futures[i], hold, WEFT_POINTER(at), NULL), 0);
    await(&at->here, 1);
    assert_int_equal(weft_executor_shutdown(pool, WEFT_SHUTDOWN_IMMEDIATE, WEFT_NOWAIT), 0);
    atomic_store(&at->open, 1);
    assert_int_equal(weft_executor_shutdown(pool, WEFT_SHUTDOWN_IMMEDIATE, WEFT_FOREVER), 0);
    assert_int_equal(weft_result(futures[0], WEFT_NONE, WEFT_NOWAIT), 3);
    for (int i = 1; i < COUNT; i++)
        assert_int_equal(weft_result(futures[i], WEFT_NONE, WEFT_NOWAIT), -ECANCELED);
    assert_int_equal(atomic_load(&at->runs), 1);
    weft_release_many(futures, COUNT);
    weft_release(pool);
    weft_shared_free(at);
}

/* Both one that waits in the pool's own queue and one that is out already. */
static void jobs_that_have_not_begun_can_be_cancelled(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    static const int cancelled[] = {5, 6, 20, COUNT - 2, COUNT - 1};
    weft_executor *pool = open_pool(1);
    weft_future *futures[COUNT];
    latch *at = weft_shared_alloc(sizeof *at);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(weft_submit(pool, &futures[i], hold, WEFT_POINTER(at), NULL), 0);
    await(&at->here, 1);
    assert_int_equal(weft_cancel(futures[0]), 0); /* runs on */
    for (int i = 0; i < 5; i++) {
        assert_int_equal(weft_cancel(futures[cancelled[i]]), 1);
        assert_int_equal(weft_result(futures[cancelled[i]], WEFT_NONE, WEFT_NOWAIT), -ECANCELED);
        assert_int_equal(weft_cancel(futures[cancelled[i]]), 0);
    }
    atomic_store(&at->open, 1);
    close_pool(pool);
    assert_int_equal(atomic_load(&at->runs), COUNT - 5);
    int count = 0;
    for (int i = 0; i < COUNT; i++)
        count += weft_result(futures[i], WEFT_NONE, WEFT_NOWAIT) == 3;
    assert_int_equal(count, COUNT - 5);
    weft_release_many(futures, COUNT);
    weft_shared_free(at);
}

/* Descriptors for a few workers, not for all. */
static int open_with_a_cancel_pending(void *arg)
{
    struct rlimit before, few;
    weft_executor *pool = NULL;
    siginfo_t info;
    gate_arrive(arg);
    while (!weft_cancelled())
        sched_yield();
    int lowest = dup(0);
    close(lowest);
    getrlimit(RLIMIT_NOFILE, &before);
    few = before;
    few.rlim_cur = (rlim_t)lowest + 20;
    setrlimit(RLIMIT_NOFILE, &few);
    int r = weft_process_pool_open(&pool, &(weft_process_pool_options){.max_workers = 64});
    setrlimit(RLIMIT_NOFILE, &before);
    if (r >= 0 || pool != NULL)
        return -EIO;
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
        return -ECHILD; /* one is left */
    return weft_sleep(0.001) == -ECANCELED ? 3 : -EIO;
}

static void a_pool_that_cannot_start_ends_its_workers(void **state)
{
    (void)state;
    weft_thread *thread;
    struct gate runs;
    gate_init(&runs, 1);
    assert_int_equal(
        weft_thread_start(&thread, open_with_a_cancel_pending, WEFT_POINTER(&runs), NULL), 0);
    gate_wait(&runs);
    assert_int_equal(weft_cancel(thread), 1);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 3);
    weft_release(thread);
    gate_destroy(&runs);
}

static void private_pointers_are_refused(void **state)
{
    (void)state;
    weft_executor *pool = open_pool(1);
    weft_future *future;
    int local = 3;
    assert_int_equal(weft_submit(pool, &future, square, WEFT_POINTER(&local), NULL), -EINVAL);
    weft_executor *refused = pool;
    weft_process_pool_options options = {.initializer = square, .arg_size = 5};
    assert_int_equal(weft_process_pool_open(&refused, &options), -EINVAL);
    assert_null(refused);
    assert_null(future);
    close_pool(pool);
}

static volatile sig_atomic_t interrupted;

static void note_interrupt(int signum)
{
    (void)signum;
    interrupted = 1;
}

static int raise_interrupt(void *arg)
{
    (void)arg;
    raise(SIGINT);
    return 8;
}

static void interrupts_can_be_ignored(void **state)
{
    (void)state;
    weft_executor *pool;
    weft_future *future;
    struct sigaction fatal = {.sa_handler = SIG_DFL}, before;
    sigaction(SIGINT, &fatal, &before);
    assert_int_equal(
        weft_process_pool_open(
            &pool, &(weft_process_pool_options){.max_workers = 1, .ignore_interrupt = true}),
        0);
    signal(SIGINT, note_interrupt);
    assert_int_equal(weft_submit(pool, &future, raise_interrupt, WEFT_NONE, NULL), 0);
    assert_int_equal(weft_result(future, WEFT_NONE, WEFT_FOREVER), 8);
    assert_false(interrupted);
    weft_release(future);
    close_pool(pool);
    sigaction(SIGINT, &before, NULL);
}

static void shut_down_again(void *handle, void *arg)
{
    weft_executor *pool = handle;
    *(int *)arg = weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, 1);
}

static void its_last_thread_may_shut_it_down_again(void **state)
{
    (void)state;
    int r = 1;
    weft_executor *pool = open_pool(1);
    weft_future *future;
    assert_int_equal(weft_submit(pool, &future, own_pid, WEFT_NONE, NULL), 0);
    weft_release(future);
    assert_int_equal(weft_add_done_callback(pool, shut_down_again, &r), 0);
    assert_int_equal(weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER), 0);
    weft_release(pool);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0); /* the callback is over */
    assert_int_equal(r, 0);
}

static int run_late(void *arg)
{
    weft_sleep(0.01);
    atomic_fetch_add(&((latch *)arg)->runs, 1);
    return 0;
}

static int leave_pools_open(void *arg)
{
    latch *at = arg;
    weft_executor *processes, *threads;
    int r = weft_process_pool_open(&processes, &(weft_process_pool_options){.max_workers = 1});
    if (r == 0)
        r = weft_submit(processes, NULL, run_late, WEFT_POINTER(at), NULL);
    if (r == 0)
        r = weft_thread_pool_open(&threads, NULL);
    return r < 0 ? r : weft_submit(threads, NULL, run_late, WEFT_POINTER(at), NULL);
}

static void a_process_waits_for_its_pools(void **state)
{
    (void)state;
    weft_process *process;
    latch *at = weft_shared_alloc(sizeof *at);
    assert_int_equal(weft_process_start(&process, leave_pools_open, WEFT_POINTER(at), NULL), 0);
    int r = weft_result(process, WEFT_NONE, 10);
    weft_process_kill(process);
    assert_int_equal(r, 0);
    assert_int_equal(atomic_load(&at->runs), 2);
    weft_release(process);
    weft_shared_free(at);
}

static void release_alone_ends_it_in_order(void **state)
{
    (void)state;
    weft_executor *pool = open_pool(2);
    weft_future *futures[50];
    for (int i = 0; i < 50; i++)
        assert_int_equal(weft_submit(pool, &futures[i], square, WEFT_ARG(i), NULL), 0);
    weft_release(pool);
    for (int i = 0; i < 50; i++)
        assert_int_equal(weft_result(futures[i], WEFT_NONE, WEFT_FOREVER), i * i);
    weft_release_many(futures, 50);
}

static int threads_and_descriptors(void)
{
    int count = 0;
    static const char *const folders[] = {"/proc/self/fd", "/proc/self/task"};
    for (int i = 0; i < 2; i++) {
        DIR *folder = opendir(folders[i]);
        if (folder == NULL)
            return -1;
        while (readdir(folder) != NULL)
            count++;
        closedir(folder);
    }
    return count;
}

static void nothing_is_left_after_shutdown(void **state)
{
    (void)state;
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    int before = threads_and_descriptors();
    for (int i = 0; i < 3; i++) {
        weft_executor *pool = open_pool(2);
        weft_future *future;
        assert_int_equal(weft_submit(pool, &future, square, WEFT_ARG(i), NULL), 0);
        weft_release(pool);
        weft_release(future);
    }
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    assert_int_equal(threads_and_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(jobs_run_in_other_processes),
        weft_test(bytes_of_any_size_cross),
        weft_test(map_gives_results_in_order),
        weft_test(more_jobs_than_the_window),
        weft_test(coroutines_wait_for_jobs),
        weft_test(a_lost_worker_costs_its_job_alone),
        weft_test(a_lost_worker_may_break_the_pool),
        weft_test(workers_are_initialized),
        weft_test(shutdown_drains),
        weft_test(immediate_shutdown_cancels_what_waits),
        weft_test(jobs_that_have_not_begun_can_be_cancelled),
        weft_test(a_pool_that_cannot_start_ends_its_workers),
        weft_test(private_pointers_are_refused),
        weft_test(interrupts_can_be_ignored),
        weft_test(its_last_thread_may_shut_it_down_again),
        weft_test(release_alone_ends_it_in_order),
        weft_test(a_process_waits_for_its_pools),
        weft_test(nothing_is_left_after_shutdown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
