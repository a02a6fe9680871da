/* SPDX-License-Identifier: MIT */
/* parker: a change of the word is never missed, whoever makes it and whenever. */
#include "platform/parker.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "support/support.h"
#include <cmocka.h>

enum { ROUNDS = 5000, MS = 1000000 };

/* ---- a pair: an owner who answers each change of his word by one of the other's */

typedef struct parker_side {
    weft_parker parker;
    int data; /* plain: written before the word, read after it */
} parker_side;

typedef struct parker_pair {
    parker_side there, back;
    uint32_t allow_at; /* the owner allows signals before this round; 0: never */
    int allowed;       /* what allow_signals returned */
    int wrong;         /* data that did not fit, waits that failed */
} parker_pair;

static void await(weft_parker *parker, uint32_t wanted, int *wrong)
{
    uint32_t seen;
    while ((seen = atomic_load_explicit(&parker->word, memory_order_acquire)) != wanted)
        if (weft_parker_wait(parker, seen, WEFT_INSTANT_NEVER) != 0)
            ++*wrong;
}

static void tell(parker_side *side, uint32_t round)
{
    side->data = (int)round;
    atomic_store_explicit(&side->parker.word, round, memory_order_release);
    weft_parker_wake(&side->parker);
}

static void *owner(void *arg)
{
    parker_pair *pair = arg;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        if (round == pair->allow_at)
            pair->allowed = weft_parker_allow_signals(&pair->there.parker);
        await(&pair->there.parker, round, &pair->wrong);
        if (pair->there.data != (int)round)
            pair->wrong++;
        tell(&pair->back, round);
    }
    return NULL;
}

static void play(uint32_t allow_at)
{
    parker_pair pair = {.allow_at = allow_at};
    pthread_t thread;
    int wrong = 0;
    assert_int_equal(weft_parker_init(&pair.there.parker), 0);
    assert_int_equal(weft_parker_init(&pair.back.parker), 0);
    assert_int_equal(pthread_create(&thread, NULL, owner, &pair), 0);
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        tell(&pair.there, round);
        await(&pair.back.parker, round, &wrong);
        if (pair.back.data != (int)round)
            wrong++;
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(wrong, 0);
    assert_int_equal(pair.wrong, 0);
    assert_int_equal(pair.allowed, 0);
    weft_parker_destroy(&pair.there.parker);
    weft_parker_destroy(&pair.back.parker);
}

static void no_wake_is_lost_between_two_threads(void **state)
{
    (void)state;
    play(0);
}

static void no_wake_is_lost_by_an_owner_who_allows_signals(void **state)
{
    (void)state;
    play(1);
}

static void no_wake_is_lost_while_signals_become_allowed(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 5; i++)
        play(ROUNDS / 2 + i);
}

/* ---- alone */

static int open_parker(void **state)
{
    weft_parker *parker = malloc(sizeof *parker);
    if (parker == NULL)
        return -1;
    *state = parker;
    return weft_parker_init(parker);
}

static int close_parker(void **state)
{
    weft_parker_destroy(*state);
    free(*state);
    return 0;
}

static void word_starts_as_zero(void **state)
{
    weft_parker *parker = *state;
    assert_int_equal(atomic_load(&parker->word), 0);
}

static void wait_returns_at_once_when_the_word_differs(void **state)
{
    weft_parker *parker = *state;
    assert_int_equal(weft_parker_wait(parker, 7, WEFT_INSTANT_NEVER), 0);
    assert_int_equal(weft_parker_wait(parker, 7, WEFT_INSTANT_NOW), 0);
}

static void wait_does_not_wait_for_a_deadline_in_the_past(void **state)
{
    weft_parker *parker = *state;
    for (int polls = 0; polls < 2; polls++) {
        assert_int_equal(weft_parker_wait(parker, 0, WEFT_INSTANT_NOW), -ETIMEDOUT);
        assert_int_equal(weft_parker_wait(parker, 0, -1), -ETIMEDOUT);
        assert_int_equal(weft_parker_wait(parker, 0, 1), -ETIMEDOUT);
        assert_int_equal(weft_parker_allow_signals(parker), 0);
    }
}

static void wait_ends_at_the_deadline_and_not_before(void **state)
{
    weft_parker *parker = *state;
    for (int polls = 0; polls < 2; polls++) {
        weft_instant deadline = weft_instant_now() + 3 * MS + 1;
        int r;
        while ((r = weft_parker_wait(parker, 0, deadline)) == 0)
            continue;
        assert_int_equal(r, -ETIMEDOUT);
        assert_true(weft_instant_now() >= deadline);
        assert_int_equal(weft_parker_allow_signals(parker), 0);
    }
}

static void wake_without_a_sleeper_leaves_nothing_behind_but_a_spurious_return(void **state)
{
    weft_parker *parker = *state;
    for (int polls = 0; polls < 2; polls++) {
        for (int i = 0; i < 100; i++)
            weft_parker_wake(parker);
        weft_instant deadline = weft_instant_now() + MS;
        int returns = 0;
        while (weft_parker_wait(parker, 0, deadline) == 0)
            returns++;
        assert_in_range(returns, 0, 50);
        assert_int_equal(weft_parker_allow_signals(parker), 0);
    }
}

static void wake_from_signal_preserves_errno_however_often(void **state)
{
    weft_parker *parker = *state;
    assert_int_equal(weft_parker_allow_signals(parker), 0);
    errno = 4711;
    for (int i = 0; i < 70000; i++)
        weft_parker_wake_from_signal(parker);
    assert_int_equal(errno, 4711);
    weft_instant deadline = weft_instant_now() + MS;
    int r;
    while ((r = weft_parker_wait(parker, 0, deadline)) == 0)
        continue;
    assert_int_equal(r, -ETIMEDOUT);
}

static void allow_signals_without_descriptors_leaves_the_parker_as_it_was(void **state)
{
    weft_parker *parker = *state;
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int r = weft_parker_allow_signals(parker);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
#ifdef WEFT_TEST_PARKER_CONDITION
    assert_int_equal(r, -EMFILE);
#else
    assert_int_equal(r, 0); /* needs none */
#endif
    assert_int_equal(weft_parker_wait(parker, 0, weft_instant_now()), -ETIMEDOUT);
    assert_int_equal(weft_parker_allow_signals(parker), 0);
}

/* ---- signals */

static weft_parker *_Atomic handled; /* who is woken by the handler */
static _Atomic int idle_signals;

static void wake_handler(int signum)
{
    (void)signum;
    weft_parker *parker = atomic_load(&handled);
    atomic_fetch_add(&parker->word, 1);
    weft_parker_wake_from_signal(parker);
}

static void idle_handler(int signum)
{
    (void)signum;
    atomic_fetch_add(&idle_signals, 1);
}

static void install(int signum, void (*fn)(int), struct sigaction *before)
{
    struct sigaction action = {.sa_handler = fn, .sa_flags = SA_RESTART};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(signum, &action, before);
}

static void *owner_of_signals(void *arg)
{
    parker_pair *pair = arg;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        await(&pair->there.parker, round, &pair->wrong);
        tell(&pair->back, round);
    }
    return NULL;
}

/* Each round sends `idle` idle signals and one that wakes, to the owner or to the sender itself. */
static void signal_rounds(bool to_owner, int idle)
{
    parker_pair pair = {0};
    pthread_t thread;
    int wrong = 0;
    struct sigaction before_wake, before_idle;
    assert_int_equal(weft_parker_init(&pair.there.parker), 0);
    assert_int_equal(weft_parker_init(&pair.back.parker), 0);
    assert_int_equal(weft_parker_allow_signals(&pair.there.parker), 0);
    atomic_store(&handled, &pair.there.parker);
    install(SIGUSR1, wake_handler, &before_wake);
    install(SIGUSR2, idle_handler, &before_idle);
    assert_int_equal(pthread_create(&thread, NULL, owner_of_signals, &pair), 0);
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        /* One at a time: with more on their way, gcc's ThreadSanitizer loses the mask. */
        for (int i = 0; i < idle; i++) {
            int so_far = atomic_load(&idle_signals);
            (void)pthread_kill(thread, SIGUSR2);
            while (atomic_load(&idle_signals) == so_far)
                (void)sched_yield();
        }
        (void)pthread_kill(to_owner ? thread : pthread_self(), SIGUSR1);
        await(&pair.back.parker, round, &wrong);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)sigaction(SIGUSR1, &before_wake, NULL);
    (void)sigaction(SIGUSR2, &before_idle, NULL);
    assert_int_equal(wrong, 0);
    assert_int_equal(pair.wrong, 0);
    weft_parker_destroy(&pair.there.parker);
    weft_parker_destroy(&pair.back.parker);
}

static void handler_on_the_owner_ends_its_wait(void **state)
{
    (void)state;
    signal_rounds(true, 0);
}

static void handler_on_another_thread_ends_the_owners_wait(void **state)
{
    (void)state;
    signal_rounds(false, 0);
}

static void signals_of_no_meaning_fail_no_wait(void **state)
{
    (void)state;
    signal_rounds(true, 3);
    assert_true(atomic_load(&idle_signals) > 0);
}

/* ---- the clock below it all */

static void clock_converts_without_overflow(void **state)
{
    (void)state;
    weft_instant now = weft_instant_now();
    assert_true(now > 0);
    assert_true(weft_instant_now() >= now);
    assert_int_equal(weft_instant_poll_timeout(WEFT_INSTANT_NEVER), -1);
    assert_int_equal(weft_instant_poll_timeout(WEFT_INSTANT_NOW), 0);
    assert_int_equal(weft_instant_poll_timeout(-5), 0);
    assert_int_equal(weft_instant_poll_timeout(now), 0);
    assert_true(weft_instant_poll_timeout(WEFT_INSTANT_NEVER - 1) > 1000000000);
    /* Rounded up: a wait of that many milliseconds from here does not end early. */
    weft_instant deadline = weft_instant_now() + 1000 * (weft_instant)MS + 1;
    int timeout = weft_instant_poll_timeout(deadline);
    assert_true(weft_instant_now() + timeout * (weft_instant)MS >= deadline);

    struct timespec time = weft_instant_timespec(5 * INT64_C(1000000000) + 7);
    assert_int_equal(time.tv_sec, 5);
    assert_int_equal(time.tv_nsec, 7);
    time = weft_instant_timespec(-1);
    assert_int_equal(time.tv_sec, 0);
    assert_int_equal(time.tv_nsec, 0);
    time = weft_instant_timespec(WEFT_INSTANT_NEVER);
    assert_true(time.tv_sec > 0x7ffffff0);
}

#define WITH_PARKER(test) cmocka_unit_test_setup_teardown(test, open_parker, close_parker)

int main(void)
{
    const struct CMUnitTest tests[] = {
        census_test(clock_converts_without_overflow),
        WITH_PARKER(word_starts_as_zero),
        WITH_PARKER(wait_returns_at_once_when_the_word_differs),
        WITH_PARKER(wait_does_not_wait_for_a_deadline_in_the_past),
        WITH_PARKER(wait_ends_at_the_deadline_and_not_before),
        WITH_PARKER(wake_without_a_sleeper_leaves_nothing_behind_but_a_spurious_return),
        WITH_PARKER(wake_from_signal_preserves_errno_however_often),
        WITH_PARKER(allow_signals_without_descriptors_leaves_the_parker_as_it_was),
        census_test(no_wake_is_lost_between_two_threads),
        census_test(no_wake_is_lost_by_an_owner_who_allows_signals),
        census_test(no_wake_is_lost_while_signals_become_allowed),
        census_test(handler_on_the_owner_ends_its_wait),
        census_test(handler_on_another_thread_ends_the_owners_wait),
        census_test(signals_of_no_meaning_fail_no_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
