/* SPDX-License-Identifier: MIT */
/*
 * A queue between threads and tasks, in each order, one by one and in batches, with time-outs and
 * cancels on both sides: what goes in comes out, once, and in its order: each producer's items as
 * they were put, or those of one priority; and what waits in a queue by priority is never passed
 * over (looked at where one consumer takes several at once).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stress/stress.h"

enum { ITEMS = 9000 * STRESS_FACTOR, THREADS = 6, TASKS = 12, PRIORITIES = 3, BATCH = 4 };

typedef struct flow {
    weft_queue *queue;
    weft_queue_order order;
    size_t maxsize;
    _Atomic int producers; /* that have not ended */
    _Atomic long in, out;
    _Atomic unsigned char *seen; /* [producer * ITEMS + item] */
} flow;

typedef struct parcel {
    int priority, producer, item;
} parcel;

static parcel make(const flow *f, int producer, int item)
{
    return (parcel){f->order == WEFT_QUEUE_PRIORITY ? item % PRIORITIES : 0, producer, item};
}

static int put_some(flow *f, int producer, int first, uint64_t *seed)
{
    parcel all[BATCH];
    int count = 1 + (int)(stress_random(seed) % BATCH);
    for (int i = 0; i < BATCH; i++)
        all[i] = make(f, producer, first + i);
    if (count > ITEMS - first)
        count = ITEMS - first;
    if (count > 1)
        return weft_queue_put_many(f->queue, all, sizeof(all[0]), (size_t)count,
                                   stress_timeout(seed));
    int r = weft_queue_put(f->queue, WEFT_ARG(all[0]), stress_timeout(seed));
    return r < 0 ? r : 1;
}

static int produce(flow *f, int producer, uint64_t *seed)
{
    for (int i = 0; i < ITEMS;) {
        int r = put_some(f, producer, i, seed);
        if (r < 0 && !stress_expected(r))
            return r;
        if (r > 0) {
            i += r;
            atomic_fetch_add(&f->in, r);
        }
        if (f->maxsize > 0 && weft_queue_qsize(f->queue) > (int)f->maxsize)
            return weft_error(WEFT_EUSER, "more items than the bound");
    }
    if (atomic_fetch_sub(&f->producers, 1) == 1)
        return weft_queue_shutdown(f->queue, WEFT_SHUTDOWN_DRAIN);
    return 0;
}

static int get_some(flow *f, parcel *got, uint64_t *seed)
{
    double timeout = stress_timeout(seed);
    if (stress_random(seed) % 2 == 0)
        return weft_queue_get_many(f->queue, got, sizeof(*got), BATCH, timeout);
    int r = weft_queue_get(f->queue, got, sizeof(*got), timeout);
    return r < 0 ? r : 1;
}

typedef struct history {
    int last[CROWD][PRIORITIES]; /* of each producer */
} history;

static int take_in(flow *f, history *h, const parcel *p)
{
    int *last = &h->last[p->producer][p->priority];
    if (f->order != WEFT_QUEUE_LIFO && p->item <= *last)
        return weft_error(WEFT_EUSER, "producer %d: %d after %d", p->producer, p->item, *last);
    *last = p->item;
    if (atomic_exchange(&f->seen[p->producer * ITEMS + p->item], 1) != 0)
        return weft_error(WEFT_EUSER, "producer %d: %d came twice", p->producer, p->item);
    atomic_fetch_add(&f->out, 1);
    return 0;
}

static int consume(flow *f, uint64_t *seed)
{
    history h;
    for (int i = 0; i < CROWD * PRIORITIES; i++)
        h.last[i / PRIORITIES][i % PRIORITIES] = -1;
    for (;;) {
        parcel got[BATCH];
        int r = get_some(f, got, seed);
        if (r == WEFT_ESHUTDOWN)
            return 0;
        if (r < 0 && !stress_expected(r))
            return r;
        for (int i = 0; i < r; i++) {
            int wrong = take_in(f, &h, &got[i]);
            if (wrong < 0)
                return wrong;
            /* under one taking of the lock, but for the first, which may have been waited for */
            if (i > 1 && got[i].priority < got[i - 1].priority)
                return weft_error(WEFT_EUSER, "priority %d after %d", got[i].priority,
                                  got[i - 1].priority);
        }
    }
}

/* Every other one produces, of threads as of tasks. */
static int crowd_member(void *arg)
{
    member *m = arg;
    flow *f = m->crowd->shared;
    return m->index % 2 == 0 ? produce(f, m->index, &m->seed) : consume(f, &m->seed);
}

static void run(weft_queue_order order, size_t maxsize)
{
    flow f = {.order = order, .maxsize = maxsize, .producers = (THREADS + TASKS) / 2};
    crowd c = {.fn = crowd_member, .shared = &f, .threads = THREADS, .tasks = TASKS};
    const weft_queue_options options = {
        .order = order, .maxsize = maxsize, .item_size = sizeof(parcel)};
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
    run(WEFT_QUEUE_FIFO, 3);
    run(WEFT_QUEUE_LIFO, 3);
    run(WEFT_QUEUE_PRIORITY, 3);
}

static void through_a_wide_one(void **state)
{
    (void)state;
    run(WEFT_QUEUE_FIFO, 200);
    run(WEFT_QUEUE_LIFO, 200);
    run(WEFT_QUEUE_PRIORITY, 200);
}

static void through_one_without_bound(void **state)
{
    (void)state;
    run(WEFT_QUEUE_FIFO, 0);
    run(WEFT_QUEUE_LIFO, 0);
    run(WEFT_QUEUE_PRIORITY, 0);
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
