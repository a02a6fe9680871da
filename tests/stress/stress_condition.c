/* SPDX-License-Identifier: MIT */
/*
 * A bounded buffer made of a lock and two conditions, between threads and tasks: each notification
 * wakes one, so one that is lost to somebody who timed out or was cancelled ends in a standstill.
 * The same with an rlock that is held twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stress/stress.h"

enum { ITEMS = 30000 * STRESS_FACTOR, THREADS = 4, TASKS = 8, ROOM = 2 };

typedef struct buffer {
    weft_lock lock;
    weft_rlock rlock;
    bool recursive; /* the rlock is used */
    weft_condition not_empty, not_full;
    int count, inside;
    long in, out, left; /* left: to be taken */
} buffer;

/* Timed waits give up half of the time only: else nobody would need a notification. */
static double timeout_of(uint64_t *seed)
{
    return stress_random(seed) % 4 == 0 ? stress_random(seed) % 500 * 1e-6 : WEFT_FOREVER;
}

static int enter(buffer *b)
{
    int r;
    do
        r = weft_condition_acquire(&b->not_empty, WEFT_FOREVER);
    while (r == -ECANCELED);
    if (r == 0 && b->recursive)
        r = weft_rlock_acquire(&b->rlock, WEFT_NOWAIT);
    if (r < 0)
        return r;
    return b->inside++ == 0 ? 0 : weft_error(WEFT_EUSER, "two are inside");
}

static int leave(buffer *b)
{
    b->inside--;
    int r = b->recursive ? weft_rlock_release(&b->rlock) : 0;
    return r < 0 ? r : weft_condition_release(&b->not_full);
}

/* The lock is held before and after, whatever comes out. */
static int wait(buffer *b, weft_condition *condition, uint64_t *seed)
{
    b->inside--;
    int r = weft_condition_wait(condition, timeout_of(seed));
    if (b->inside++ != 0)
        return weft_error(WEFT_EUSER, "back from a wait without the lock");
    return stress_expected(r) ? 0 : r;
}

static int put(buffer *b, uint64_t *seed)
{
    int r = enter(b);
    while (r == 0 && b->count == ROOM)
        r = wait(b, &b->not_full, seed);
    if (r < 0)
        return r;
    b->count++;
    b->in++;
    r = weft_condition_notify(&b->not_empty, 1);
    return r < 0 ? r : leave(b);
}

/* 1: took one, 0: there are no more to come. */
static int take(buffer *b, uint64_t *seed)
{
    int r = enter(b);
    while (r == 0 && b->count == 0 && b->left > 0)
        r = wait(b, &b->not_empty, seed);
    if (r < 0)
        return r;
    int took = b->count > 0;
    if (took) {
        b->count--;
        b->out++;
        b->left--;
        r = weft_condition_notify(&b->not_full, 1);
        if (b->left == 0)
            r = weft_condition_notify_all(&b->not_empty);
    }
    int left = leave(b);
    return r < 0 ? r : left < 0 ? left : took;
}

static int crowd_member(void *arg)
{
    member *m = arg;
    buffer *b = m->crowd->shared;
    int r = 1;
    if (m->index % 2 == 0) {
        r = 0;
        for (int i = 0; i < ITEMS && r == 0; i++)
            r = put(b, &m->seed);
    }
    while (r > 0)
        r = take(b, &m->seed);
    return r;
}

static void run(buffer *b)
{
    const long all = (THREADS + TASKS) / 2 * (long)ITEMS;
    crowd c = {.fn = crowd_member, .shared = b, .threads = THREADS, .tasks = TASKS};
    b->left = all;
    c.seed = stress_seed("condition");
    assert_int_equal(crowd_run(&c), 0);
    assert_int_equal(b->in, all);
    assert_int_equal(b->out, all);
    assert_int_equal(b->not_full.waiting_, 0);
    assert_int_equal(b->not_empty.waiting_, 0);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
}

static void no_notification_is_lost(void **state)
{
    (void)state;
    buffer b = {.recursive = false};
    b.not_empty.lock = b.not_full.lock = &b.lock;
    run(&b);
    assert_int_equal(b.lock.state_, 0);
}

static void nor_with_an_rlock(void **state)
{
    (void)state;
    buffer b = {.recursive = true};
    b.not_empty.rlock = b.not_full.rlock = &b.rlock;
    run(&b);
    assert_false(weft_rlock_locked(&b.rlock));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_notification_is_lost),
                                       cmocka_unit_test(nor_with_an_rlock)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
