/* SPDX-License-Identifier: MIT */
/*
 * A lock and a semaphore between threads and tasks, with time-outs and cancels: nobody is inside
 * who should not be, nothing is lost, and all come to their end. And releases by many who do not
 * know whether it is held: each that succeeds belongs to one acquire.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stress/stress.h"

enum { ROUNDS = 60000 * STRESS_FACTOR, SEATS = 3 };

typedef struct table {
    weft_lock lock;
    int inside;
    long count;
    weft_semaphore seats;
    _Atomic int seated;
    _Atomic long successes;
    _Atomic bool over;
} table;

static int lock_once(table *t, uint64_t *seed)
{
    int r = weft_lock_acquire(&t->lock, stress_timeout(seed));
    if (r < 0)
        return stress_expected(r) ? 0 : r;
    if (t->inside++ != 0)
        return weft_error(WEFT_EUSER, "two hold the lock");
    t->count++;
    if (stress_random(seed) % 64 == 0)
        weft_sleep(0);
    t->inside--;
    atomic_fetch_add(&t->successes, 1);
    return weft_lock_release(&t->lock);
}

static int sit_once(table *t, uint64_t *seed)
{
    int r = weft_semaphore_acquire(&t->seats, stress_timeout(seed));
    if (r < 0)
        return stress_expected(r) ? 0 : r;
    if (atomic_fetch_add(&t->seated, 1) >= SEATS)
        return weft_error(WEFT_EUSER, "more permits than there are");
    if (stress_random(seed) % 64 == 0)
        weft_sleep(0);
    atomic_fetch_sub(&t->seated, 1);
    return weft_semaphore_release(&t->seats, 1);
}

static int crowd_member(void *arg)
{
    member *m = arg;
    int r = 0;
    for (int i = 0; i < ROUNDS && r >= 0; i++)
        r = stress_random(&m->seed) % 2 == 0 ? lock_once(m->crowd->shared, &m->seed)
                                             : sit_once(m->crowd->shared, &m->seed);
    return r;
}

static void nothing_is_lost(void **state)
{
    (void)state;
    table t = {.seats = {.value = SEATS, .bound = SEATS}};
    crowd c = {.fn = crowd_member, .shared = &t, .threads = 4, .tasks = 8};
    c.seed = stress_seed("lock");
    assert_int_equal(crowd_run(&c), 0);
    assert_int_equal(t.count, t.successes);
    assert_int_equal(t.lock.state_, 0);
    assert_int_equal(weft_semaphore_value(&t.seats), SEATS);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
}

static int release_at_random(void *arg)
{
    table *t = arg;
    while (!atomic_load(&t->over))
        if (weft_lock_release(&t->lock) == 0)
            atomic_fetch_sub(&t->successes, 1);
    return 0;
}

static int acquire_for_others(void *arg)
{
    table *t = arg;
    while (!atomic_load(&t->over))
        if (weft_lock_acquire(&t->lock, 0.01) == 0)
            atomic_fetch_add(&t->successes, 1);
    return 0;
}

static void a_release_belongs_to_one_acquire(void **state)
{
    enum { PAIRS = 3 };
    (void)state;
    table t = {.successes = 0};
    weft_thread *threads[2 * PAIRS];
    for (int i = 0; i < 2 * PAIRS; i++) {
        weft_fn *fn = i % 2 == 0 ? release_at_random : acquire_for_others;
        assert_int_equal(weft_thread_start(&threads[i], fn, WEFT_POINTER(&t), NULL), 0);
    }
    weft_sleep(2 * STRESS_FACTOR);
    atomic_store(&t.over, true);
    assert_int_equal(weft_wait_all(threads, 2 * PAIRS, WEFT_FOREVER), 0);
    weft_release_many(threads, 2 * PAIRS);
    assert_int_equal(t.successes, weft_lock_locked(&t.lock));
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost),
        cmocka_unit_test(a_release_belongs_to_one_acquire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
