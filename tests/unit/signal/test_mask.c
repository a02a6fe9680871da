/* SPDX-License-Identifier: MIT */
/* The mask of a thread, and what waits behind it. */
#include "support/places.h"

#include <errno.h>
#include <unistd.h>

static int calls;

static int count(const weft_signal_info *info, void *arg)
{
    (void)info;
    calls++;
    return arg != NULL ? *(int *)arg : 0;
}

static weft_sigset of_two(int first, int second)
{
    weft_sigset set = {0};
    weft_sigset_add(&set, first);
    weft_sigset_add(&set, second);
    return set;
}

static void what_is_blocked_is_pending_and_comes_when_it_is_let(void **state)
{
    weft_sigset both = of_two(SIGUSR1, SIGUSR2), old, pending;
    int code = -20003;
    (void)state;
    calls = 0;
    weft_signal_set(SIGUSR1, count, NULL);
    weft_signal_set(SIGUSR2, count, &code);
    assert_int_equal(weft_signal_pthread_sigmask(WEFT_SIG_BLOCK, &both, &old), 0);
    assert_false(weft_sigset_has(&old, SIGUSR1));
    kill(getpid(), SIGUSR1);
    assert_int_equal(weft_signal_raise(SIGUSR2), 0);
    assert_int_equal(calls, 0);
    assert_int_equal(weft_signal_sigpending(&pending), 0);
    assert_true(weft_sigset_has(&pending, SIGUSR1));
    assert_true(weft_sigset_has(&pending, SIGUSR2));
    assert_int_equal(weft_sigset_next(&pending, SIGUSR1 > SIGUSR2 ? SIGUSR1 : SIGUSR2), 0);
    weft_sigset first = of_two(SIGUSR1, SIGUSR1);
    assert_int_equal(weft_signal_pthread_sigmask(WEFT_SIG_UNBLOCK, &first, NULL), 0);
    assert_int_equal(calls, 1);
    /* the handler's code is the call's, and the mask is changed all the same */
    assert_int_equal(weft_signal_pthread_sigmask(WEFT_SIG_SETMASK, &old, &both), -20003);
    assert_int_equal(calls, 2);
    assert_true(weft_sigset_has(&both, SIGUSR2));
    assert_false(weft_sigset_has(&both, SIGUSR1));
    assert_int_equal(weft_signal_pthread_sigmask(WEFT_SIG_BLOCK, NULL, &both), 0);
    assert_false(weft_sigset_has(&both, SIGUSR2));
}

static void bad_arguments_are_refused(void **state)
{
    weft_sigset set = {0};
    (void)state;
    assert_int_equal(weft_signal_pthread_sigmask((weft_sigmask)7, &set, NULL), -EINVAL);
    assert_int_equal(weft_signal_sigpending(NULL), -EINVAL);
}

static int has_blocked(void *arg)
{
    weft_sigset now;
    int r = weft_signal_pthread_sigmask(WEFT_SIG_BLOCK, NULL, &now);
    return r < 0 ? r : weft_sigset_has(&now, *(int *)arg);
}

static int change_and_ask(void *arg)
{
    weft_sigset set = of_two(SIGUSR1, SIGUSR1);
    int signum = SIGUSR1;
    (void)arg;
    int r = weft_signal_pthread_sigmask(WEFT_SIG_BLOCK, &set, NULL);
    return r < 0 ? r : has_blocked(&signum);
}

static void a_thread_begins_with_its_starters_mask_and_changes_its_own(void **state)
{
    weft_sigset set = of_two(SIGUSR2, SIGUSR2), old;
    int two = SIGUSR2, one = SIGUSR1;
    (void)state;
    assert_int_equal(weft_signal_pthread_sigmask(WEFT_SIG_BLOCK, &set, &old), 0);
    assert_int_equal(in_a_thread(has_blocked, &two), 1);
    assert_int_equal(in_a_thread(change_and_ask, NULL), 1);
    assert_int_equal(has_blocked(&one), 0);
    assert_int_equal(weft_signal_pthread_sigmask(WEFT_SIG_SETMASK, &old, NULL), 0);
}

/* A task's is its loop's thread's; where it is a thread of the system it has one that stays. */
static void a_task_changes_its_loops_threads(void **state)
{
    weft_sigset set = of_two(SIGUSR1, SIGUSR1);
    int one = SIGUSR1, r = in_a_task(change_and_ask, NULL);
    (void)state;
    if (r != -ENOTSUP) {
        assert_int_equal(r, 1);
        assert_int_equal(has_blocked(&one), 1);
    }
    assert_int_equal(weft_signal_pthread_sigmask(WEFT_SIG_UNBLOCK, &set, NULL), 0);
    assert_int_equal(has_blocked(&one), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(what_is_blocked_is_pending_and_comes_when_it_is_let),
        weft_test(bad_arguments_are_refused),
        weft_test(a_thread_begins_with_its_starters_mask_and_changes_its_own),
        weft_test(a_task_changes_its_loops_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
