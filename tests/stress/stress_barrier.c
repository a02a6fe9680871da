/* SPDX-License-Identifier: MIT */
/*
 * A barrier for eleven among many threads and tasks that time out, are cancelled and mend it when
 * it is broken: every round that trips lets exactly eleven go, with each index once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stress/stress.h"

enum { ROUNDS = 10000 * STRESS_FACTOR, THREADS = 6, TASKS = 8, PARTIES = 11 };

typedef struct hall {
    weft_barrier barrier;
    _Atomic long rounds, passed[PARTIES];
    _Atomic bool over;
} hall;

static int count_round(void *arg)
{
    hall *h = arg;
    long round = atomic_fetch_add(&h->rounds, 1);
    if (round >= ROUNDS)
        atomic_store(&h->over, true);
    if (round % 16 == 0)
        weft_sleep(20e-6); /* others are cancelled, give up, or come meanwhile */
    return 0;
}

static double timeout_of(uint64_t *seed)
{
    return stress_random(seed) % 8 == 0 ? stress_random(seed) % 2000 * 1e-6 : WEFT_FOREVER;
}

static int crowd_member(void *arg)
{
    member *m = arg;
    hall *h = m->crowd->shared;
    while (atomic_load(&m->crowd->begun) < THREADS + TASKS) /* not all rounds among a few */
        weft_sleep(0);
    while (!atomic_load(&h->over)) {
        int r = weft_barrier_wait(&h->barrier, timeout_of(&m->seed));
        if (r >= PARTIES || (r < 0 && r != WEFT_EBROKEN_BARRIER && !stress_expected(r)))
            return weft_error(r < 0 ? r : WEFT_EUSER, "the wait gave %d", r);
        if (r >= 0)
            atomic_fetch_add(&h->passed[r], 1);
        else if (weft_barrier_broken(&h->barrier) && !atomic_load(&h->over))
            weft_barrier_reset(&h->barrier);
    }
    weft_barrier_abort(&h->barrier); /* for those who wait */
    return 0;
}

static void each_round_lets_each_index_go_once(void **state)
{
    (void)state;
    hall h = {.barrier = {.parties = PARTIES, .action = count_round, .arg = &h}};
    crowd c = {.fn = crowd_member, .shared = &h, .threads = THREADS, .tasks = TASKS};
    c.seed = stress_seed("barrier");
    assert_int_equal(crowd_run(&c), 0);
    /* of a round whose action ran while somebody mended it, nobody passes */
    long most = h.rounds;
    for (int i = 0; i < PARTIES; i++)
        assert_int_equal(h.passed[i], h.passed[0]);
    assert_true(h.passed[0] <= most && h.passed[0] > 0);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_round_lets_each_index_go_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
