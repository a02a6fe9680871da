/* SPDX-License-Identifier: MIT */
/*
 * A queue between threads and tasks, with time-outs and cancels on both sides: what goes in comes
 * out, once, and each producer's items in their order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stress/stress.h"

enum { ITEMS = 15000 * STRESS_FACTOR, THREADS = 6, TASKS = 12 };

typedef struct flow {
    weft_queue *queue;
    size_t maxsize;
    _Atomic int producers; /* that have not ended */
    _Atomic long in, out;
    _Atomic unsigned char *seen; /* [producer * ITEMS + item] */
} flow;

typedef struct parcel {
    int producer, item;
} parcel;

static int produce(flow *f, int producer, uint64_t *seed)
{
    for (int i = 0; i < ITEMS;) {
        parcel p = {producer, i};
        int r = weft_queue_put(f->queue, WEFT_ARG(p), stress_timeout(seed));
        if (r < 0 && !stress_expected(r))
            return r;
        if (r == 0) {
            i++;
            atomic_fetch_add(&f->in, 1);
        }
        if (f->maxsize > 0 && weft_queue_qsize(f->queue) > (int)f->maxsize)
            return weft_error(WEFT_EUSER, "more items than the bound");
    }
    if (atomic_fetch_sub(&f->producers, 1) == 1)
        return weft_queue_shutdown(f->queue, WEFT_SHUTDOWN_DRAIN);
    return 0;
}

static int consume(flow *f, uint64_t *seed)
{
    int last[CROWD];
    for (int i = 0; i < CROWD; i++)
        last[i] = -1;
    for (;;) {
        parcel p;
        int r = weft_queue_get(f->queue, WEFT_OUT(p), stress_timeout(seed));
        if (r == WEFT_ESHUTDOWN)
            return 0;
        if (r < 0 && !stress_expected(r))
            return r;
        if (r < 0)
            continue;
        if (p.item <= last[p.producer])
            return weft_error(WEFT_EUSER, "producer %d: %d after %d", p.producer, p.item,
                              last[p.producer]);
        last[p.producer] = p.item;
        if (atomic_exchange(&f->seen[p.producer * ITEMS + p.item], 1) != 0)
            return weft_error(WEFT_EUSER, "producer %d: %d came twice", p.producer, p.item);
        atomic_fetch_add(&f->out, 1);
    }
}

/* Every other one produces, of threads as of tasks. */
static int crowd_member(void *arg)
{
    member *m = arg;
    flow *f = m->crowd->shared;
    return m->index % 2 == 0 ? produce(f, m->index, &m->seed) : consume(f, &m->seed);
}

static void run(size_t maxsize)
{
    flow f = {.maxsize = maxsize, .producers = (THREADS + TASKS) / 2};
    crowd c = {.fn = crowd_member, .shared = &f, .threads = THREADS, .tasks = TASKS};
    const weft_queue_options options = {.maxsize = maxsize, .item_size = sizeof(parcel)};
    f.seen = calloc((size_t)CROWD * ITEMS, 1);
    assert_non_null(f.seen);
    assert_int_equal(weft_queue_open(&f.queue, &options), 0);
    c.seed = stress_seed("queue");
    assert_int_equal(crowd_run(&c), 0);
    assert_int_equal(f.in, (THREADS + TASKS) / 2 * (long)ITEMS);
    assert_int_equal(f.out, f.in);
    assert_int_equal(weft_queue_qsize(f.queue), 0);
    weft_release(f.queue);
    free((void *)f.seen);
}

static void through_a_narrow_one(void **state)
{
    (void)state;
    run(3);
}

static void through_a_wide_one(void **state)
{
    (void)state;
    run(200);
}

static void through_one_without_bound(void **state)
{
    (void)state;
    run(0);
}

static int shut_down(void **state)
{
    (void)state;
    return weft_shutdown(WEFT_FOREVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(through_a_narrow_one),
        cmocka_unit_test(through_a_wide_one),
        cmocka_unit_test(through_one_without_bound),
    };
    return cmocka_run_group_tests(tests, NULL, shut_down);
}
