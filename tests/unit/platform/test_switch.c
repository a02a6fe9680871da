/* SPDX-License-Identifier: MIT */
/*
 * The switch between stacks, whichever implementation stands behind it. Coroutines only record; the
 * test's own frame asserts.
 */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "platform/stack.h"
#include "platform/switch.h"
#include "support/support.h"

enum {
    STACK = 128 * 1024,
    ROUNDS = 1000,
};

/* One coroutine and the place of whoever resumes it. */
typedef struct coroutine {
    weft_switch self;
    weft_switch *back;
    weft_stack stack;
    long count;
    int seen;
    double real;
    struct coroutine *inner;
} coroutine;

static void resume(weft_switch *here, coroutine *c)
{
    c->back = here;
    weft_switch_to(here, &c->self);
}

static void suspend(coroutine *c)
{
    weft_switch_to(&c->self, c->back);
}

static int begin(coroutine *c, weft_switch_entry *entry)
{
    int r = weft_stack_acquire(&c->stack, STACK, true);
    if (r < 0)
        return r;
    memset(&c->self, 0, sizeof c->self);
    return weft_switch_start(&c->self, &c->stack, entry, c);
}

static void end(coroutine *c)
{
    weft_switch_destroy(&c->self);
    weft_stack_release(&c->stack);
}

static weft_switch *count_to_rounds(void *arg)
{
    coroutine *c = arg;
    for (int i = 0; i < ROUNDS; i++) {
        c->count++;
        suspend(c);
    }
    c->seen = 1;
    return c->back;
}

static void each_switch_goes_on_where_it_left_off(void **state)
{
    (void)state;
    weft_switch here;
    coroutine c = {0};
    weft_switch_init_thread(&here);
    assert_int_equal(begin(&c, count_to_rounds), 0);
    assert_int_equal(c.count, 0);
    for (long i = 1; i <= ROUNDS; i++) {
        resume(&here, &c);
        assert_int_equal(c.count, i);
    }
    resume(&here, &c);
    assert_int_equal(c.seen, 1);
    end(&c);
    weft_switch_destroy_thread(&here);
}

static void restart_on_the_same_stack_begins_anew(void **state)
{
    (void)state;
    weft_switch here;
    coroutine c = {0};
    weft_switch_init_thread(&here);
    assert_int_equal(begin(&c, count_to_rounds), 0);
    for (int restart = 0; restart < 20; restart++) {
        c.count = 0;
        c.seen = 0;
        while (c.seen == 0)
            resume(&here, &c);
        assert_int_equal(c.count, ROUNDS);
        assert_int_equal(weft_switch_start(&c.self, &c.stack, count_to_rounds, &c), 0);
    }
    c.seen = 0;
    while (c.seen == 0) /* the last start runs to its end, too */
        resume(&here, &c);
    assert_int_equal(c.count, 2 * ROUNDS);
    end(&c);
    weft_switch_destroy_thread(&here);
}

static weft_switch *count_one(void *arg)
{
    coroutine *c = arg;
    c->count++;
    return c->back;
}

static void a_hundred_thousand_restarts_leave_nothing_behind(void **state)
{
    (void)state;
    enum { RESTARTS = 100000 };
    weft_switch here;
    coroutine c = {0};
    weft_switch_init_thread(&here);
    assert_int_equal(begin(&c, count_one), 0);
    resume(&here, &c);
    for (int i = 1; i < RESTARTS; i++) {
        if (weft_switch_start(&c.self, &c.stack, count_one, &c) != 0)
            break;
        resume(&here, &c);
    }
    assert_int_equal(c.count, RESTARTS);
    end(&c);
    weft_switch_destroy_thread(&here);
}

/* Resumes the coroutine below it, which resumes the one below that. */
static weft_switch *descend(void *arg)
{
    coroutine *c = arg;
    for (int round = 0; round < 2; round++) {
        if (c->inner != NULL)
            resume(&c->self, c->inner);
        c->count++;
        suspend(c);
    }
    return c->back;
}

static void switches_nest_deeply(void **state)
{
    (void)state;
    enum { DEPTH = 200 };
    static coroutine chain[DEPTH];
    weft_switch here;
    weft_switch_init_thread(&here);
    memset(chain, 0, sizeof chain);
    int started = 0;
    for (int i = 0; i < DEPTH; i++) {
        started += begin(&chain[i], descend) == 0;
        chain[i].inner = i + 1 < DEPTH ? &chain[i + 1] : NULL;
    }
    assert_int_equal(started, DEPTH);
    for (int round = 1; round <= 2; round++) {
        resume(&here, &chain[0]);
        for (int i = 0; i < DEPTH; i++)
            assert_int_equal(chain[i].count, round);
    }
    for (int i = 0; i < DEPTH; i++) { /* each to its exit, without its inner one */
        resume(&here, &chain[i]);
        end(&chain[i]);
    }
    weft_switch_destroy_thread(&here);
}

/* More live values than there are registers a call may clobber. */
static uint64_t mix(coroutine *c, uint64_t seed, void (*away)(coroutine *))
{
    uint64_t a = seed, b = seed * 3, d = seed * 5, e = seed * 7, f = seed * 11, g = seed * 13,
             h = seed * 17, i = seed * 19;
    double x = (double)seed, y = x * 0.5, z = x * 0.25;
    for (int round = 0; round < 100; round++) {
        a += b ^ d, b += d ^ e, d += e ^ f, e += f ^ g, f += g ^ h, g += h ^ i, h += i ^ a, i += a;
        x += y, y += z, z = z * 0.5 + 1;
        if (away != NULL)
            away(c);
    }
    return a ^ b ^ d ^ e ^ f ^ g ^ h ^ i ^ (uint64_t)(x + y + z);
}

static weft_switch here_of_mix;

static void resume_for_mix(coroutine *c)
{
    resume(&here_of_mix, c);
}

static weft_switch *mix_in_coroutine(void *arg)
{
    coroutine *c = arg;
    c->seen = mix(c, 77, suspend) == mix(c, 77, NULL);
    return c->back;
}

static void registers_survive_on_both_sides(void **state)
{
    (void)state;
    coroutine c = {0};
    weft_switch_init_thread(&here_of_mix);
    assert_int_equal(begin(&c, mix_in_coroutine), 0);
    uint64_t mixed = mix(&c, 12345, resume_for_mix);
    resume(&here_of_mix, &c);
    assert_true(mixed == mix(&c, 12345, NULL));
    assert_int_equal(c.seen, 1);
    end(&c);
    weft_switch_destroy_thread(&here_of_mix);
}

static weft_switch *round_down_and_up(void *arg)
{
    coroutine *c = arg;
    int inherited = fegetround();
    fesetround(FE_DOWNWARD);
    suspend(c);
    int kept = fegetround();
    fesetround(FE_UPWARD);
    suspend(c);
    c->seen = inherited == FE_TOWARDZERO && kept == FE_DOWNWARD && fegetround() == FE_UPWARD;
    return c->back;
}

static void floating_point_control_goes_with_the_stack(void **state)
{
    (void)state;
    weft_switch here;
    coroutine c = {0};
    weft_switch_init_thread(&here);
    int before = fegetround();
    fesetround(FE_TOWARDZERO);
    int r = begin(&c, round_down_and_up); /* inherits the mode of its starter */
    if (r == 0)
        resume(&here, &c);
    int after = fegetround();
    fesetround(before);
    assert_int_equal(r, 0);
    assert_int_equal(after, FE_TOWARDZERO);
    resume(&here, &c);
    assert_int_equal(fegetround(), before);
    resume(&here, &c);
    assert_int_equal(fegetround(), before);
    assert_int_equal(c.seen, 1);
    end(&c);
    weft_switch_destroy_thread(&here);
}

static void switching_leaves_errno_alone(void **state)
{
    (void)state;
    weft_switch here;
    coroutine c = {0};
    weft_switch_init_thread(&here);
    assert_int_equal(begin(&c, count_to_rounds), 0);
    errno = EXDEV;
    while (c.seen == 0)
        resume(&here, &c);
    int after = errno;
    assert_int_equal(after, EXDEV);
    end(&c);
    weft_switch_destroy_thread(&here);
}

static weft_switch *look_at_alignment(void *arg)
{
    coroutine *c = arg;
    _Alignas(16) volatile char block[16];
    block[0] = 0;
    /* The compiler's own assumption: a frame at 16. A long double is stored aligned. */
    volatile uintptr_t at = (uintptr_t)block; /* volatile, or the compiler answers by itself */
    c->seen = at % 16 == 0 && block[0] == 0;
    volatile long double wide = 1.5L;
    c->real = (double)(wide * 2);
    return c->back;
}

static void the_first_frame_is_aligned(void **state)
{
    (void)state;
    weft_switch here;
    coroutine c = {0};
    weft_switch_init_thread(&here);
    assert_int_equal(begin(&c, look_at_alignment), 0);
    resume(&here, &c);
    assert_int_equal(c.seen, 1);
    assert_true(c.real == 3.0);
    end(&c);
    weft_switch_destroy_thread(&here);
}

/* Fills what a coroutine may use of its stack. */
static weft_switch *use_much(void *arg)
{
    coroutine *c = arg;
    volatile char much[64 * 1024];
    for (size_t i = 0; i < sizeof much; i++)
        much[i] = (char)i;
    suspend(c);
    c->seen = 1;
    for (size_t i = 0; i < sizeof much; i++)
        if (much[i] != (char)i)
            c->seen = 0;
    return c->back;
}

static void half_of_the_size_is_there_for_frames(void **state)
{
    (void)state;
    weft_switch here;
    coroutine a = {0}, b = {0};
    weft_switch_init_thread(&here);
    assert_int_equal(begin(&a, use_much), 0);
    assert_int_equal(begin(&b, use_much), 0);
    resume(&here, &a);
    resume(&here, &b);
    resume(&here, &a);
    resume(&here, &b);
    assert_int_equal(a.seen, 1);
    assert_int_equal(b.seen, 1);
    end(&a);
    end(&b);
    weft_switch_destroy_thread(&here);
}

/* A ring in which each coroutine hands over to the next, without going back to the thread. */
enum { RING = 16 };
static coroutine ring[RING];
static weft_switch here_of_ring;
static long ring_steps;

static weft_switch *hand_on(void *arg)
{
    coroutine *c = arg;
    coroutine *next = &ring[(c - ring + 1) % RING];
    for (int i = 0; i < ROUNDS; i++) {
        ring_steps++;
        weft_switch_to(&c->self, &next->self);
    }
    c->seen = 1;
    return next == &ring[0] ? &here_of_ring : &next->self;
}

static void coroutines_hand_over_to_each_other(void **state)
{
    (void)state;
    weft_switch_init_thread(&here_of_ring);
    memset(ring, 0, sizeof ring);
    ring_steps = 0;
    for (int i = 0; i < RING; i++)
        assert_int_equal(begin(&ring[i], hand_on), 0);
    weft_switch_to(&here_of_ring, &ring[0].self);
    assert_int_equal(ring_steps, RING * ROUNDS);
    for (int i = 0; i < RING; i++) {
        assert_int_equal(ring[i].seen, 1);
        end(&ring[i]);
    }
    weft_switch_destroy_thread(&here_of_ring);
}

/* A stack is started in one thread and runs in another. */
static void *run_elsewhere(void *arg)
{
    coroutine *c = arg;
    weft_switch here;
    weft_switch_init_thread(&here);
    while (c->seen == 0)
        resume(&here, c);
    weft_switch_destroy_thread(&here);
    return NULL;
}

static void a_stack_may_be_started_by_another_thread(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    coroutine c[THREADS];
    pthread_t thread[THREADS];
    memset(c, 0, sizeof c);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(begin(&c[i], count_to_rounds), 0);
        assert_int_equal(pthread_create(&thread[i], NULL, run_elsewhere, &c[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(c[i].count, ROUNDS);
        end(&c[i]);
    }
}

static volatile sig_atomic_t signalled_in_stack;
static pthread_t thread_of_test;

static void note_thread(int signum)
{
    (void)signum;
    signalled_in_stack = pthread_equal(pthread_self(), thread_of_test) ? 1 : 2;
}

static weft_switch *raise_for_process(void *arg)
{
    coroutine *c = arg;
    kill(getpid(), SIGUSR1); /* handled when this returns, unless all threads block it */
    c->seen = 1;
    return c->back;
}

static void signals_for_the_process_reach_its_own_threads(void **state)
{
    (void)state;
    weft_switch here;
    coroutine c = {0};
    struct sigaction action = {.sa_handler = note_thread}, before;
    thread_of_test = pthread_self();
    sigemptyset(&action.sa_mask);
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    weft_switch_init_thread(&here);
    assert_int_equal(begin(&c, raise_for_process), 0);
    sigset_t usr1, mask;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, &mask); /* now no thread of the test's own takes it */
    resume(&here, &c);
    int early = signalled_in_stack;
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    int late = signalled_in_stack;
    sigaction(SIGUSR1, &before, NULL);
    assert_int_equal(early, 0);
    assert_int_equal(late, 1);
    end(&c);
    weft_switch_destroy_thread(&here);
}

static void a_zeroed_switch_may_be_destroyed(void **state)
{
    (void)state;
    weft_switch never;
    memset(&never, 0, sizeof never);
    weft_switch_destroy(&never);
    weft_switch_destroy(&never);
}

static int trim(void **state)
{
    (void)state;
    weft_stack_trim();
    return 0;
}

/* What the pool keeps is no leak. */
static int trimmed_teardown(void **state)
{
    weft_stack_trim();
    return census_teardown(state);
}

#define trimmed_test(f) cmocka_unit_test_setup_teardown(f, census_setup, trimmed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        trimmed_test(each_switch_goes_on_where_it_left_off),
        trimmed_test(restart_on_the_same_stack_begins_anew),
        trimmed_test(a_hundred_thousand_restarts_leave_nothing_behind),
        trimmed_test(switches_nest_deeply),
        trimmed_test(registers_survive_on_both_sides),
        trimmed_test(floating_point_control_goes_with_the_stack),
        trimmed_test(switching_leaves_errno_alone),
        trimmed_test(the_first_frame_is_aligned),
        trimmed_test(half_of_the_size_is_there_for_frames),
        trimmed_test(coroutines_hand_over_to_each_other),
        trimmed_test(a_stack_may_be_started_by_another_thread),
        trimmed_test(signals_for_the_process_reach_its_own_threads),
        trimmed_test(a_zeroed_switch_may_be_destroyed),
    };
    return cmocka_run_group_tests(tests, NULL, trim);
}
