/* SPDX-License-Identifier: MIT */
/*
 * Processes that are killed at any moment while they use a barrier, an rlock and a condition on it:
 * those who are left go on, and in the end everything can be used as before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stress/stress.h"

enum { KILLS = 600 * STRESS_FACTOR, WORKERS = 4 };

typedef struct common {
    weft_barrier barrier;
    weft_rlock rlock;
    weft_condition condition;
    _Atomic int stop;
    _Atomic long rounds;
    long turns; /* guarded by the rlock */
} common;

static int count_round(void *arg)
{
    atomic_fetch_add(&((common *)arg)->rounds, 1);
    return 0;
}

static int take_turn(common *shared, uint64_t *seed)
{
    int r = weft_rlock_acquire(&shared->rlock, WEFT_FOREVER);
    if (r >= 0)
        r = weft_condition_acquire(&shared->condition, WEFT_NOWAIT);
    if (r < 0)
        return r;
    shared->turns++;
    r = weft_condition_notify(&shared->condition, 1);
    if (r >= 0 && (r = weft_condition_wait(&shared->condition, stress_random(seed) % 200 * 1e-6)) ==
                      -ETIMEDOUT)
        r = 0;
    int first = weft_rlock_release(&shared->rlock);
    int second = weft_rlock_release(&shared->rlock);
    return r < 0 ? r : first < 0 ? first : second;
}

static int meet(common *shared, uint64_t *seed)
{
    int r = weft_barrier_wait(&shared->barrier, stress_random(seed) % 2000 * 1e-6);
    if (r < 0 && r != -ETIMEDOUT && r != WEFT_EBROKEN_BARRIER)
        return r;
    if (r < 0 && weft_barrier_broken(&shared->barrier))
        return weft_barrier_reset(&shared->barrier);
    return r < WORKERS ? 0 : weft_error(WEFT_EUSER, "index %d", r);
}

typedef struct worker {
    common *shared;
    uint64_t seed;
} worker;

static int work(void *arg)
{
    worker *w = arg;
    int r = 0;
    while (r >= 0 && !atomic_load(&w->shared->stop)) {
        r = meet(w->shared, &w->seed);
        if (r >= 0)
            r = take_turn(w->shared, &w->seed);
    }
    return r;
}

static int work_in_loop(void *arg)
{
    return weft_run(work, arg, sizeof(worker), NULL);
}

static weft_process *start(common *shared, uint64_t *seed)
{
    weft_process *process;
    worker w = {shared, stress_random(seed)};
    weft_fn *fn = stress_random(seed) % 2 == 0 ? work : work_in_loop;
    assert_int_equal(weft_process_start(&process, fn, WEFT_ARG(w), NULL), 0);
    return process;
}

static void those_who_are_left_go_on(void **state)
{
    (void)state;
    uint64_t seed = stress_seed("shared_kills");
    common *shared = weft_shared_alloc(sizeof *shared);
    weft_process *all[WORKERS];
    assert_non_null(shared);
    shared->condition.rlock = &shared->rlock;
    shared->barrier = (weft_barrier){.parties = WORKERS - 1, .action = count_round, .arg = shared};
    for (int i = 0; i < WORKERS; i++)
        all[i] = start(shared, &seed);
    for (int i = 0; i < KILLS; i++) {
        int k = (int)(stress_random(&seed) % WORKERS);
        weft_sleep(stress_random(&seed) % 4000 * 1e-6);
        assert_int_equal(weft_process_kill(all[k]), 0);
        assert_int_equal(weft_process_join(all[k], WEFT_FOREVER), 0);
        weft_release(all[k]);
        all[k] = start(shared, &seed);
    }
    atomic_store(&shared->stop, 1);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(weft_result(all[i], WEFT_NONE, WEFT_FOREVER), 0);
    weft_release_many(all, WORKERS);
    assert_true(shared->rounds > 0 && shared->turns > 0);
    assert_int_equal(weft_barrier_reset(&shared->barrier), 0);
    shared->barrier.parties = 1;
    assert_int_equal(weft_barrier_wait(&shared->barrier, WEFT_FOREVER), 0);
    assert_true(weft_rlock_acquire(&shared->rlock, WEFT_NOWAIT) >= 0);
    assert_int_equal(weft_rlock_release(&shared->rlock), 0);
    assert_int_equal(weft_shared_free(shared), 0);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(those_who_are_left_go_on)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
