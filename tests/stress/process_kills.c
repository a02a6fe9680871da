/* SPDX-License-Identifier: MIT */
/*
 * Processes killed wherever they happen to be: workers of a pool, holders of shared locks, users of
 * shared queues. Nobody hangs, nothing is lost but what the killed one had in hand, and what is
 * shared is whole afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft/futures.h>
#include <weft/multiprocessing.h>
#include <weft/queue.h>
#include <weft/threading.h>

#include "multiprocessing/arena.h"

#ifdef WEFT_TORTURE
enum { TIMES = 10 };
#else
enum { TIMES = 1 };
#endif

enum { WORKER_KILLS = 200 * TIMES, HOLDER_KILLS = 100 * TIMES, QUEUE_KILLS = 100 * TIMES };

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* A short while that is no round number of anything. */
static void dawdle(uint32_t *random)
{
    uint32_t kind = next_random(random) % 4;
    if (kind == 0)
        weft_sleep((next_random(random) % 3000) * 1e-6);
    else
        for (volatile uint32_t i = next_random(random) % 20000; i > 0; i--)
            continue;
}

/* ---- workers ----------------------------------------------------------------------------------
 */

enum { PIDS = 64 };

typedef struct register_of_pids {
    _Atomic int pids[PIDS]; /* of workers, as they start */
    _Atomic uint32_t count;
} register_of_pids;

static int sign_in(void *arg)
{
    register_of_pids *of = *(register_of_pids **)arg;
    atomic_store(&of->pids[atomic_fetch_add(&of->count, 1) % PIDS], (int)getpid());
    return 0;
}

typedef struct numbers {
    int n;
    unsigned char filler[100];
} numbers;

static int square(void *arg)
{
    numbers *of = arg;
    long long result = (long long)of->n * of->n;
    for (volatile int i = of->n % 3000; i > 0; i--)
        continue;
    return weft_return(WEFT_ARG(result));
}

typedef struct tally {
    int values, lost, wrong;
} tally;

static void take_result(weft_future *future, int n, tally *of)
{
    long long result = 0;
    int r = weft_result(future, WEFT_OUT(result), WEFT_FOREVER);
    if (r == WEFT_EWORKER_LOST)
        of->lost++;
    else if (r == 0 && result == (long long)n * n)
        of->values++;
    else
        of->wrong++;
    weft_release(future);
}

/* The newest of the workers that signed in, not us; it may be dead already, which is as well. */
static bool kill_worker(register_of_pids *of, uint32_t *random)
{
    uint32_t count = atomic_load(&of->count);
    if (count == 0)
        return false;
    uint32_t back = next_random(random) % (count < 3 ? count : 3);
    int pid = atomic_exchange(&of->pids[(count - 1 - back) % PIDS], 0);
    return pid > 0 && kill(pid, SIGKILL) == 0;
}

static void killed_workers_lose_at_most_their_job(void **state)
{
    (void)state;
    enum { BATCH = 40 };
    weft_executor *pool;
    register_of_pids *pids = weft_shared_alloc(sizeof *pids);
    uint32_t random = 99;
    tally all = {0};
    int kills = 0, jobs = 0;
    weft_process_pool_options options = {
        .max_workers = 3, .initializer = sign_in, .arg = &pids, .arg_size = sizeof pids};
    assert_int_equal(weft_process_pool_open(&pool, &options), 0);
    while (kills < WORKER_KILLS) {
        weft_future *futures[BATCH];
        numbers item = {0};
        for (int i = 0; i < BATCH; i++) {
            item.n = jobs + i;
            assert_int_equal(weft_submit(pool, &futures[i], square, WEFT_ARG(item), NULL), 0);
            if (i % 16 == 7) {
                dawdle(&random);
                kills += kill_worker(pids, &random);
            }
        }
        for (int i = 0; i < BATCH; i++)
            take_result(futures[i], jobs + i, &all);
        jobs += BATCH;
    }
    assert_int_equal(weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER), 0);
    weft_release(pool);
    assert_int_equal(all.wrong, 0);
    assert_int_equal(all.values + all.lost, jobs);
    assert_true(all.lost <= kills);
    assert_true(all.values > 0);
    uint64_t used;
    assert_int_equal(weft_arena_check(&used), 0);
    weft_shared_free(pids);
}

/* ---- holders of a lock ------------------------------------------------------------------------
 */

typedef struct account {
    weft_lock lock;
    _Atomic int steps;
    int left, right; /* equal whenever the lock is free and its last holder has released it */
} account;

static int transfer(void *arg)
{
    account *of = arg;
    alarm(120);
    for (;;) {
        int r = weft_lock_acquire(&of->lock, WEFT_FOREVER);
        if (r == 1) /* its last holder died: the data must be looked at */
            of->right = of->left;
        else if (r < 0 || of->left != of->right)
            return -1;
        of->left++;
        for (volatile int i = 0; i < 50; i++)
            continue;
        of->right++;
        atomic_fetch_add(&of->steps, 1);
        weft_lock_release(&of->lock);
    }
}

static void wait_for_steps(_Atomic int *steps, int more)
{
    int until = atomic_load(steps) + more;
    while (atomic_load(steps) - until < 0)
        weft_sleep(0);
}

static void a_lock_outlives_its_holders(void **state)
{
    (void)state;
    enum { SIDES = 3 };
    account *of = weft_shared_alloc(sizeof *of);
    weft_process *processes[SIDES] = {NULL};
    uint32_t random = 7;
    for (int i = 0; i < HOLDER_KILLS; i++) {
        weft_process **process = &processes[i % SIDES];
        if (*process != NULL) {
            int code = 0;
            assert_int_equal(weft_process_kill(*process), 0);
            assert_int_equal(weft_process_join(*process, WEFT_FOREVER), 0);
            assert_int_equal(weft_process_exitcode(*process, &code), 1);
            assert_int_equal(code, -SIGKILL); /* it saw nothing wrong before */
            weft_release(*process);
        }
        assert_int_equal(weft_process_start(process, transfer, WEFT_POINTER(of), NULL), 0);
        wait_for_steps(&of->steps, 1 + (int)(next_random(&random) % 20)); /* somebody goes on */
        dawdle(&random);
    }
    for (int i = 0; i < SIDES; i++) {
        weft_process_kill(processes[i]);
        weft_process_join(processes[i], WEFT_FOREVER);
        weft_release(processes[i]);
    }
    int r = weft_lock_acquire(&of->lock, WEFT_FOREVER);
    assert_in_range(r, 0, 1);
    assert_int_equal(weft_lock_release(&of->lock), 0);
    assert_int_equal(weft_lock_acquire(&of->lock, WEFT_FOREVER), 0);
    weft_lock_release(&of->lock);
    weft_shared_free(of);
}

/* ---- users of a queue -------------------------------------------------------------------------
 */

typedef struct route {
    weft_queue *queue;
    _Atomic int *steps;
    uint32_t seed;
} route;

typedef struct parcel {
    uint32_t size, sum;
    unsigned char bytes[1000];
} parcel;

static uint32_t sum_of(const parcel *of)
{
    uint32_t sum = of->size;
    for (uint32_t i = 0; i < of->size; i++)
        sum = sum * 31 + of->bytes[i];
    return sum;
}

static int send_parcels(void *arg)
{
    route *of = arg;
    parcel item;
    alarm(120);
    for (;;) {
        item.size = next_random(&of->seed) % sizeof item.bytes;
        memset(item.bytes, (int)item.size, item.size);
        item.sum = sum_of(&item);
        int r = weft_queue_put(of->queue, &item, offsetof(parcel, bytes) + item.size, WEFT_FOREVER);
        if (r < 0)
            return r;
        atomic_fetch_add(of->steps, 1);
    }
}

static int receive_parcels(void *arg)
{
    route *of = arg;
    parcel item;
    alarm(120);
    for (;;) {
        int r = weft_queue_get(of->queue, &item, sizeof item, WEFT_FOREVER);
        if (r < 0)
            return r;
        if ((size_t)r != offsetof(parcel, bytes) + item.size || item.sum != sum_of(&item))
            return -1;
        atomic_fetch_add(of->steps, 1);
    }
}

static void a_queue_outlives_its_users(void **state)
{
    (void)state;
    enum { SIDES = 4 };
    weft_process *processes[SIDES] = {NULL};
    uint32_t random = 31;
    route of = {.steps = weft_shared_alloc(sizeof(int))};
    weft_queue_options options = {.maxsize = 20, .shared = true};
    assert_int_equal(weft_queue_open(&of.queue, &options), 0);
    for (int i = 0; i < QUEUE_KILLS; i++) {
        weft_process **process = &processes[i % SIDES];
        if (*process != NULL) {
            int code = 0;
            assert_int_equal(weft_process_kill(*process), 0);
            assert_int_equal(weft_process_join(*process, WEFT_FOREVER), 0);
            assert_int_equal(weft_process_exitcode(*process, &code), 1);
            assert_int_equal(code, -SIGKILL);
            weft_release(*process);
        }
        of.seed = next_random(&random);
        assert_int_equal(weft_process_start(process, i % 2 == 0 ? send_parcels : receive_parcels,
                                            WEFT_ARG(of), NULL),
                         0);
        if (i >= SIDES)
            wait_for_steps(of.steps, 1 + (int)(next_random(&random) % 60));
        dawdle(&random);
    }
    for (int i = 0; i < SIDES; i++) {
        weft_process_kill(processes[i]);
        weft_process_join(processes[i], WEFT_FOREVER);
        weft_release(processes[i]);
    }
    parcel item;
    int r;
    while ((r = weft_queue_get(of.queue, &item, sizeof item, WEFT_NOWAIT)) >= 0)
        assert_int_equal(item.sum, sum_of(&item));
    assert_int_equal(r, -ETIMEDOUT);
    assert_int_equal(weft_queue_put(of.queue, &item, 10, WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_get(of.queue, &item, sizeof item, WEFT_NOWAIT), 10);
    weft_release(of.queue);
    weft_shared_free((void *)of.steps);
    uint64_t used;
    assert_int_equal(weft_arena_check(&used), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_workers_lose_at_most_their_job),
        cmocka_unit_test(a_lock_outlives_its_holders),
        cmocka_unit_test(a_queue_outlives_its_users),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed + (weft_shutdown(WEFT_FOREVER) < 0);
}
