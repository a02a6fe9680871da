/* SPDX-License-Identifier: MIT */
#include "support/places.h"

#include <stdatomic.h>

static weft_executor *open_pool(size_t workers)
{
    weft_executor *pool;
    assert_int_equal(
        weft_thread_pool_open(&pool, &(weft_thread_pool_options){.max_workers = workers}), 0);
    return pool;
}

typedef struct call {
    weft_executor *pool;
    int n;
} call;

/* Promise 11: jobs wait for jobs of their own pool. */
static int fib(void *arg)
{
    call self = *(call *)arg;
    if (self.n < 2)
        return self.n;
    weft_future *futures[2];
    int sum = 0, r = 0;
    for (int i = 0; i < 2; i++) {
        call next = {self.pool, self.n - 1 - i};
        r = weft_submit(self.pool, &futures[i], fib, WEFT_ARG(next), NULL);
        if (r < 0)
            return r;
    }
    for (int i = 0; i < 2; i++) {
        r = weft_result(futures[i], WEFT_NONE, WEFT_FOREVER);
        sum += r;
        weft_release(futures[i]);
        if (r < 0)
            return r;
    }
    return sum;
}

static void jobs_wait_for_jobs_of_their_own_pool(void **state)
{
    (void)state;
    for (size_t workers = 1; workers <= 4; workers++) {
        weft_executor *pool = open_pool(workers);
        weft_future *future;
        call first = {pool, 16};
        assert_int_equal(weft_submit(pool, &future, fib, WEFT_ARG(first), NULL), 0);
        assert_int_equal(weft_result(future, WEFT_NONE, WEFT_FOREVER), 987);
        weft_release(future);
        weft_release(pool);
    }
}

#if defined(WEFT_PLATFORM_POSIX) || defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { DEPTH = 500 }; /* a thread, or a shadow of a stack, each */
#else
enum { DEPTH = 10000 };
#endif

static int chain(void *arg)
{
    call self = *(call *)arg;
    if (self.n == 0)
        return 0;
    weft_future *future;
    call next = {self.pool, self.n - 1};
    int r = weft_submit(self.pool, &future, chain, WEFT_ARG(next), NULL);
    if (r < 0)
        return r;
    r = weft_result(future, WEFT_NONE, WEFT_FOREVER);
    weft_release(future);
    return r < 0 ? r : r + 1;
}

static void a_deep_chain_runs_on_one_worker(void **state)
{
    (void)state;
    weft_executor *pool = open_pool(1);
    weft_future *future;
    call first = {pool, DEPTH};
    assert_int_equal(weft_submit(pool, &future, chain, WEFT_ARG(first), NULL), 0);
    assert_int_equal(weft_result(future, WEFT_NONE, WEFT_FOREVER), DEPTH);
    weft_release(future);
    weft_release(pool);
}

static int meet(void *arg)
{
    gate_pass(*(struct gate **)arg); /* stops its whole worker */
    return 0;
}

static void as_many_workers_as_are_allowed_run_at_once(void **state)
{
    (void)state;
    weft_executor *pool = open_pool(4);
    struct gate gate, *pointer = &gate;
    weft_future *futures[4];
    gate_init(&gate, 4);
    for (int i = 0; i < 4; i++)
        weft_submit(pool, &futures[i], meet, WEFT_ARG(pointer), NULL);
    for (int i = 0; i < 4; i++)
        assert_int_equal(weft_result(futures[i], WEFT_NONE, WEFT_FOREVER), 0);
    weft_release_many(futures, 4);
    weft_release(pool);
    gate_destroy(&gate);
}

typedef struct party {
    weft_executor *pool;
    struct gate *gate;
} party;

/* What one job submits is work for the other workers, too. */
static int invite(void *arg)
{
    party *self = arg;
    weft_future *futures[2];
    for (int i = 0; i < 2; i++) {
        int r = weft_submit(self->pool, &futures[i], meet, WEFT_ARG(self->gate), NULL);
        if (r < 0)
            return r;
    }
    int r = weft_gather(futures, 2, WEFT_FOREVER);
    weft_release_many(futures, 2);
    return r;
}

static void jobs_of_a_job_run_on_other_workers(void **state)
{
    (void)state;
    weft_executor *pool = open_pool(3);
    struct gate gate;
    weft_future *future;
    gate_init(&gate, 2);
    party self = {pool, &gate};
    weft_submit(pool, &future, invite, WEFT_ARG(self), NULL);
    assert_int_equal(weft_result(future, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(future);
    weft_release(pool);
    gate_destroy(&gate);
}

static int wait_for_event(void *arg)
{
    return weft_event_wait(arg, WEFT_FOREVER);
}

static int set_event(void *arg)
{
    weft_event_set(arg);
    return 0;
}

static void a_job_that_waits_gives_its_worker_away(void **state)
{
    (void)state;
    enum { WAITERS = 30 };
    weft_executor *pool = open_pool(1);
    weft_future *futures[WAITERS + 1];
    weft_event event = {0};
    for (int i = 0; i < WAITERS; i++)
        weft_submit(pool, &futures[i], wait_for_event, WEFT_POINTER(&event), NULL);
    weft_submit(pool, &futures[WAITERS], set_event, WEFT_POINTER(&event), NULL);
    for (int i = 0; i <= WAITERS; i++)
        assert_int_equal(weft_result(futures[i], WEFT_NONE, WEFT_FOREVER), 0);
    weft_release_many(futures, WAITERS + 1);
    weft_release(pool);
}

typedef struct busy {
    struct gate runs, go;
    atomic_int ran;
} busy;

static void busy_init(busy *made)
{
    gate_init(&made->runs, 1);
    gate_init(&made->go, 1);
    atomic_init(&made->ran, 0);
}

static int block(void *arg)
{
    busy *test = arg;
    gate_arrive(&test->runs);
    gate_wait(&test->go);
    return 1;
}

static int run_once(void *arg)
{
    atomic_fetch_add(&((busy *)arg)->ran, 1);
    return 2;
}

enum { QUEUED = 20 };

static weft_executor *open_busy(busy *test, weft_future **first, weft_future **futures)
{
    weft_executor *pool = open_pool(1);
    busy_init(test);
    weft_submit(pool, first, block, WEFT_POINTER(test), NULL);
    gate_wait(&test->runs);
    for (int i = 0; i < QUEUED; i++)
        weft_submit(pool, &futures[i], run_once, WEFT_POINTER(test), NULL);
    return pool;
}

static void a_draining_shutdown_runs_what_was_submitted(void **state)
{
    (void)state;
    busy test;
    weft_future *first, *futures[QUEUED];
    weft_executor *pool = open_busy(&test, &first, futures);
    assert_int_equal(weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_NOWAIT), 0);
    assert_false(weft_done(pool));
    assert_int_equal(weft_submit(pool, NULL, run_once, WEFT_POINTER(&test), NULL), WEFT_ESHUTDOWN);
    assert_int_equal(weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, 0.001), -ETIMEDOUT);
    gate_arrive(&test.go);
    assert_int_equal(weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER), 0);
    assert_true(weft_done(pool));
    assert_int_equal(atomic_load(&test.ran), QUEUED);
    assert_int_equal(weft_executor_shutdown(pool, WEFT_SHUTDOWN_IMMEDIATE, WEFT_FOREVER), 0);
    for (int i = 0; i < QUEUED; i++)
        assert_int_equal(weft_result(futures[i], WEFT_NONE, WEFT_NOWAIT), 2);
    weft_release_many(futures, QUEUED);
    weft_release(first);
    weft_release(pool);
}

static void an_immediate_shutdown_cancels_what_has_not_begun(void **state)
{
    (void)state;
    busy test;
    weft_future *first, *futures[QUEUED];
    weft_executor *pool = open_busy(&test, &first, futures);
    assert_int_equal(weft_executor_shutdown(pool, WEFT_SHUTDOWN_IMMEDIATE, WEFT_NOWAIT), 0);
    for (int i = 0; i < QUEUED; i++) /* at once, though the worker is busy */
        assert_int_equal(weft_result(futures[i], WEFT_NONE, WEFT_NOWAIT), -ECANCELED);
    assert_false(weft_done(first));
    gate_arrive(&test.go);
    assert_int_equal(weft_executor_shutdown(pool, WEFT_SHUTDOWN_IMMEDIATE, WEFT_FOREVER), 0);
    assert_int_equal(weft_result(first, WEFT_NONE, WEFT_NOWAIT), 1);
    assert_int_equal(atomic_load(&test.ran), 0);
    weft_release_many(futures, QUEUED);
    weft_release(first);
    weft_release(pool);
}

static void a_release_without_shutdown_runs_out(void **state)
{
    (void)state;
    busy test;
    weft_future *first, *futures[QUEUED];
    weft_executor *pool = open_busy(&test, &first, futures);
    weft_release(pool);
    gate_arrive(&test.go);
    for (int i = 0; i < QUEUED; i++)
        assert_int_equal(weft_result(futures[i], WEFT_NONE, WEFT_FOREVER), 2);
    weft_release_many(futures, QUEUED);
    weft_release(first);
}

static void an_unused_pool_ends_at_once(void **state)
{
    (void)state;
    weft_release(open_pool(3));
    weft_executor *pool = open_pool(3);
    assert_int_equal(weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER), 0);
    weft_release(pool);
}

static void queued_jobs_can_be_cancelled(void **state)
{
    (void)state;
    busy test;
    weft_future *first, *futures[QUEUED];
    weft_executor *pool = open_busy(&test, &first, futures);
    for (int i = 0; i < QUEUED; i += 2)
        assert_int_equal(weft_cancel(futures[i]), 1);
    gate_arrive(&test.go);
    for (int i = 0; i < QUEUED; i++)
        assert_int_equal(weft_result(futures[i], WEFT_NONE, WEFT_FOREVER),
                         i % 2 == 0 ? -ECANCELED : 2);
    weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER);
    assert_int_equal(atomic_load(&test.ran), QUEUED / 2);
    weft_release_many(futures, QUEUED);
    weft_release(first);
    weft_release(pool);
}

static int shut_down_own(void *arg)
{
    weft_executor *pool = arg;
    int r = weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER);
    if (r != -EDEADLK)
        return -EIO;
    r = weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_NOWAIT); /* only begins it */
    if (r < 0)
        return r;
    return weft_submit(pool, NULL, run_once, WEFT_NONE, NULL) == WEFT_ESHUTDOWN ? 7 : -EIO;
}

static void a_job_cannot_wait_for_the_end_of_its_pool(void **state)
{
    (void)state;
    weft_executor *pool = open_pool(2);
    weft_future *future;
    weft_submit(pool, &future, shut_down_own, WEFT_POINTER(pool), NULL);
    assert_int_equal(weft_result(future, WEFT_NONE, WEFT_FOREVER), 7);
    weft_release(future);
    assert_int_equal(weft_wait(pool, WEFT_FOREVER), 0);
    weft_release(pool);
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
    assert_int_equal(weft_submit(pool, &future, fib, WEFT_ARG((call){pool, 1}), NULL), 0);
    weft_release(future);
    assert_int_equal(weft_add_done_callback(pool, shut_down_again, &r), 0);
    assert_int_equal(weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER), 0);
    weft_release(pool);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0); /* the callback is over */
    assert_int_equal(r, 0);
}

static int initialize(void *arg)
{
    atomic_fetch_add(*(atomic_int **)arg, 1);
    return 0;
}

static int tell_name(void *arg)
{
    return strncmp(weft_current_name(), arg, strlen(arg)) == 0 ? 1 : 0;
}

static void workers_are_initialised_and_named(void **state)
{
    (void)state;
    atomic_int initialized = 0, *pointer = &initialized;
    weft_executor *pool;
    weft_future *future;
    weft_thread_pool_options options = {.max_workers = 2,
                                        .name = "crew",
                                        .initializer = initialize,
                                        .arg = &pointer,
                                        .arg_size = sizeof pointer};
    assert_int_equal(weft_thread_pool_open(&pool, &options), 0);
    weft_submit(pool, &future, tell_name, WEFT_STRING("crew_"), NULL);
    assert_int_equal(weft_result(future, WEFT_NONE, WEFT_FOREVER), 1);
    weft_release(future);
    assert_true(atomic_load(&initialized) >= 1);
    weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER);
    weft_release(pool);
}

static int fail_to_initialize(void *arg)
{
    gate_wait(arg);
    return weft_error(-EIO, "no");
}

static void a_failing_initializer_breaks_the_pool(void **state)
{
    (void)state;
    struct gate go;
    weft_executor *pool;
    weft_future *futures[5];
    gate_init(&go, 1);
    weft_thread_pool_options options = {
        .max_workers = 1, .initializer = fail_to_initialize, .arg = &go};
    assert_int_equal(weft_thread_pool_open(&pool, &options), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(weft_submit(pool, &futures[i], run_once, WEFT_NONE, NULL), 0);
    gate_arrive(&go);
    for (int i = 0; i < 5; i++)
        assert_int_equal(weft_result(futures[i], WEFT_NONE, WEFT_FOREVER), WEFT_EBROKEN_POOL);
    assert_int_equal(weft_submit(pool, NULL, run_once, WEFT_NONE, NULL), WEFT_EBROKEN_POOL);
    assert_int_equal(weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER), 0);
    weft_release_many(futures, 5);
    weft_release(pool);
    gate_destroy(&go);
}

static void note(void *handle, void *arg)
{
    (void)handle;
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void each_job_completes_once(void **state)
{
    (void)state;
    enum { JOBS = 300 };
    weft_executor *pool = open_pool(3);
    weft_future *futures[JOBS];
    busy test;
    busy_init(&test);
    atomic_int completed = 0;
    for (int i = 0; i < JOBS; i++) {
        weft_submit(pool, &futures[i], run_once, WEFT_POINTER(&test), NULL);
        weft_add_done_callback(futures[i], note, &completed);
        if (i % 3 == 0)
            weft_cancel(futures[i]);
    }
    int ran = 0, cancelled = 0;
    for (int i = 0; i < JOBS; i++) {
        int r = weft_result(futures[i], WEFT_NONE, WEFT_FOREVER);
        ran += r == 2;
        cancelled += r == -ECANCELED;
    }
    weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER);
    assert_int_equal(ran + cancelled, JOBS);
    assert_int_equal(atomic_load(&test.ran), ran);
    assert_int_equal(atomic_load(&completed), JOBS);
    weft_release_many(futures, JOBS);
    weft_release(pool);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    weft_executor *pool = open_pool(1);
    weft_future *future = (weft_future *)&pool;
    assert_int_equal(weft_thread_pool_open(NULL, NULL), -EINVAL);
    assert_int_equal(weft_submit(pool, &future, NULL, WEFT_NONE, NULL), -EINVAL);
    assert_null(future);
    assert_int_equal(weft_submit(pool, &future, run_once, NULL, 5, NULL), -EINVAL);
    weft_release(pool);
    weft_thread_pool_options options = {.initializer = initialize, .arg_size = 5};
    assert_int_equal(weft_thread_pool_open(&pool, &options), -EINVAL);
    assert_null(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(jobs_wait_for_jobs_of_their_own_pool),
        weft_test(a_deep_chain_runs_on_one_worker),
        weft_test(as_many_workers_as_are_allowed_run_at_once),
        weft_test(jobs_of_a_job_run_on_other_workers),
        weft_test(a_job_that_waits_gives_its_worker_away),
        weft_test(a_draining_shutdown_runs_what_was_submitted),
        weft_test(an_immediate_shutdown_cancels_what_has_not_begun),
        weft_test(a_release_without_shutdown_runs_out),
        weft_test(an_unused_pool_ends_at_once),
        weft_test(queued_jobs_can_be_cancelled),
        weft_test(a_job_cannot_wait_for_the_end_of_its_pool),
        weft_test(its_last_thread_may_shut_it_down_again),
        weft_test(workers_are_initialised_and_named),
        weft_test(a_failing_initializer_breaks_the_pool),
        weft_test(each_job_completes_once),
        weft_test(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
