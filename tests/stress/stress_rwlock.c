/* SPDX-License-Identifier: MIT */
/*
 * Readers and writers that time out and are cancelled while they wait: a writer is alone, readers
 * are not with one, and in the end nobody is inside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stress/stress.h"

enum { VISITS = 3000 * STRESS_FACTOR, THREADS = 18, TASKS = 6 };

typedef struct library {
    weft_rwlock rwlock;
    _Atomic int reading, writing;
    _Atomic long read, written;
} library;

static int enter_to_read(library *l, uint64_t *seed)
{
    int r = weft_rwlock_acquire_read(&l->rwlock, stress_random(seed) % 200 * 1e-6);
    if (r < 0)
        return r;
    atomic_fetch_add(&l->reading, 1);
    if (atomic_load(&l->writing) != 0)
        return weft_error(WEFT_EUSER, "a reader is with a writer");
    atomic_fetch_add(&l->read, 1);
    if (stress_random(seed) % 8 == 0)
        weft_sleep(0);
    atomic_fetch_sub(&l->reading, 1);
    return weft_rwlock_release_read(&l->rwlock);
}

static int enter_to_write(library *l, uint64_t *seed)
{
    int r = weft_rwlock_acquire_write(&l->rwlock, stress_timeout(seed));
    if (r < 0)
        return r;
    if (atomic_fetch_add(&l->writing, 1) != 0 || atomic_load(&l->reading) != 0)
        return weft_error(WEFT_EUSER, "a writer is not alone");
    atomic_fetch_add(&l->written, 1);
    weft_sleep(100e-6); /* so that many readers come, and give up about when it leaves */
    atomic_fetch_sub(&l->writing, 1);
    return weft_rwlock_release_write(&l->rwlock);
}

static int crowd_member(void *arg)
{
    member *m = arg;
    library *l = m->crowd->shared;
    int r = 0;
    for (int i = 0; i < VISITS && (r == 0 || stress_expected(r)); i++)
        r = stress_random(&m->seed) % 16 == 0 ? enter_to_write(l, &m->seed)
                                              : enter_to_read(l, &m->seed);
    return stress_expected(r) ? 0 : r;
}

static void a_writer_is_alone(void **state)
{
    (void)state;
    library l = {.reading = 0};
    crowd c = {.fn = crowd_member, .shared = &l, .threads = THREADS, .tasks = TASKS};
    c.seed = stress_seed("rwlock");
    assert_int_equal(crowd_run(&c), 0);
    assert_int_equal(l.rwlock.state_, 0);
    assert_true(l.read > 0 && l.written > 0);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_writer_is_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
