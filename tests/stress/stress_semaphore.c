/* SPDX-License-Identifier: MIT */
/*
 * Permits that are released many at once, to waiters that time out and are cancelled meanwhile:
 * each is taken by one, or is still there. And more releases than a bound allows, while those who
 * wait come and go: it holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stress/stress.h"

enum { ROUNDS = 4000 * STRESS_FACTOR, THREADS = 20, TASKS = 4 };

typedef struct store {
    weft_semaphore semaphore;
    _Atomic long taken;
    _Atomic bool over;
} store;

/* Index 0 releases; the others take. */
static int crowd_member(void *arg)
{
    member *m = arg;
    store *s = m->crowd->shared;
    int r = 0;
    if (m->index == 0) {
        for (int i = 0; i < ROUNDS && r == 0; i++) {
            r = weft_semaphore_release(&s->semaphore, CROWD);
            weft_sleep(stress_random(&m->seed) % 100 * 1e-6);
        }
        atomic_store(&s->over, true);
        return r;
    }
    while (!atomic_load(&s->over) && (r == 0 || stress_expected(r))) {
        r = weft_semaphore_acquire(&s->semaphore, stress_random(&m->seed) % 120 * 1e-6);
        if (r == 0)
            atomic_fetch_add(&s->taken, 1);
    }
    return stress_expected(r) ? 0 : r;
}

static void no_permit_is_lost(void **state)
{
    (void)state;
    store s = {.semaphore = {.value = 0}};
    crowd c = {.fn = crowd_member, .shared = &s, .threads = THREADS, .tasks = TASKS};
    c.seed = stress_seed("semaphore");
    assert_int_equal(crowd_run(&c), 0);
    long left = (long)weft_semaphore_value(&s.semaphore);
    assert_int_equal(s.taken + left, (long)ROUNDS * CROWD);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
}

/* Of the even ones each releases what is one too many, of the odd ones each waits, and soon leaves.
 */
static int crowd_pusher(void *arg)
{
    member *m = arg;
    store *s = m->crowd->shared;
    bool pushes = m->index % 2 == 0;
    for (int i = 0; pushes ? !atomic_load(&s->over) : i < ROUNDS / 8; i++) {
        int r = pushes ? weft_semaphore_release(&s->semaphore, 1) : -EINVAL;
        if (r < 0 && r != -EINVAL)
            return r;
        if (weft_semaphore_value(&s->semaphore) > s->semaphore.bound)
            return weft_error(-EOVERFLOW, "more permits than the bound");
        r = weft_semaphore_acquire(&s->semaphore, pushes ? WEFT_NOWAIT : 1e-7);
        if (r < 0 && !stress_expected(r))
            return r;
    }
    atomic_store(&s->over, true);
    return 0;
}

static void the_bound_holds(void **state)
{
    (void)state;
    store s = {.semaphore = {.bound = 1}};
    crowd c = {.fn = crowd_pusher, .shared = &s, .threads = 5, .tasks = 2};
    c.seed = stress_seed("semaphore with a bound");
    assert_int_equal(crowd_run(&c), 0);
    assert_true(weft_semaphore_value(&s.semaphore) <= 1);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_permit_is_lost),
        cmocka_unit_test(the_bound_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
