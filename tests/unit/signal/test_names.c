/* SPDX-License-Identifier: MIT */
/* Names, numbers and texts of signals; sets of them. */
#include "support/support.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <weft.h>

static void a_name_and_a_number_stand_for_each_other(void **state)
{
    weft_sigset all;
    int count = 0;
    (void)state;
    weft_sigset_fill(&all);
    for (int signum = 0; (signum = weft_sigset_next(&all, signum)) > 0; count++) {
        const char *name = weft_signal_name(signum);
        assert_non_null(name);
        assert_int_equal(weft_signal_number(name), signum);
        assert_non_null(weft_signal_strsignal(signum));
    }
    assert_true(count >= 28); /* those of POSIX */
    assert_string_equal(weft_signal_name(SIGINT), "SIGINT");
    assert_string_equal(weft_signal_strsignal(SIGINT), "Interrupt");
    assert_string_equal(weft_signal_strsignal(SIGSEGV), "Segmentation fault");
}

static void other_names_are_understood(void **state)
{
    (void)state;
    assert_string_equal(weft_signal_name(SIGABRT), "SIGABRT");
    assert_string_equal(weft_signal_name(SIGCHLD), "SIGCHLD");
#if defined(SIGIOT)
    assert_int_equal(weft_signal_number("SIGIOT"), SIGABRT);
#endif
#if defined(SIGCLD)
    assert_int_equal(weft_signal_number("SIGCLD"), SIGCHLD);
#endif
#if defined(SIGPOLL)
    assert_int_equal(weft_signal_number("SIGPOLL"), SIGPOLL);
#endif
}

static void real_time_signals_have_names(void **state)
{
    (void)state;
#if defined(SIGRTMIN)
    assert_string_equal(weft_signal_name(SIGRTMIN), "SIGRTMIN");
    assert_string_equal(weft_signal_name(SIGRTMIN + 3), "SIGRTMIN+3");
    assert_string_equal(weft_signal_name(SIGRTMAX), "SIGRTMAX");
    assert_int_equal(weft_signal_number("SIGRTMIN+3"), SIGRTMIN + 3);
    assert_string_equal(weft_signal_strsignal(SIGRTMIN + 1), "Real-time signal 1");
#endif
}

static void what_has_no_name_is_told(void **state)
{
    (void)state;
    assert_null(weft_signal_name(0));
    assert_null(weft_signal_name(-5));
    assert_null(weft_signal_name(100000));
    assert_null(weft_signal_strsignal(0));
    assert_null(weft_signal_strsignal(WEFT_SIGNALS));
    assert_int_equal(weft_signal_number("INT"), -EINVAL);
    assert_non_null(strstr(weft_error_message(), "'INT'"));
    assert_int_equal(weft_signal_number(""), -EINVAL);
    assert_int_equal(weft_signal_number(NULL), -EINVAL);
}

static void a_set_has_what_was_added(void **state)
{
    weft_sigset set = {0};
    (void)state;
    assert_int_equal(weft_sigset_next(&set, 0), 0);
    assert_int_equal(weft_sigset_add(&set, SIGUSR1), 0);
    assert_int_equal(weft_sigset_add(&set, SIGTERM), 0);
    assert_true(weft_sigset_has(&set, SIGUSR1));
    assert_false(weft_sigset_has(&set, SIGUSR2));
    assert_false(weft_sigset_has(&set, 0));
    assert_false(weft_sigset_has(&set, WEFT_SIGNALS));
    int first = weft_sigset_next(&set, -3), second = weft_sigset_next(&set, first);
    assert_int_equal(first, SIGUSR1 < SIGTERM ? SIGUSR1 : SIGTERM);
    assert_int_equal(first + second, SIGUSR1 + SIGTERM);
    assert_int_equal(weft_sigset_next(&set, second), 0);
    assert_int_equal(weft_sigset_remove(&set, SIGUSR1), 0);
    assert_int_equal(weft_sigset_remove(&set, SIGUSR1), 0);
    assert_false(weft_sigset_has(&set, SIGUSR1));
    weft_sigset_empty(&set);
    assert_int_equal(weft_sigset_next(&set, 0), 0);
    weft_sigset_fill(&set);
    assert_int_equal(weft_sigset_next(&set, INT_MIN), 1);
    assert_int_equal(weft_sigset_next(&set, WEFT_SIGNALS - 1), 0);
    assert_int_equal(weft_sigset_next(&set, INT_MAX), 0);
}

static void the_full_set_is_what_the_system_takes(void **state)
{
    weft_sigset all;
    sigset_t system;
    (void)state;
    sigfillset(&system);
    weft_sigset_fill(&all);
    assert_true(weft_sigset_has(&all, SIGKILL));
    for (int signum = 1; signum < WEFT_SIGNALS; signum++)
        assert_int_equal(weft_sigset_has(&all, signum), sigismember(&system, signum) == 1);
}

static void what_is_no_signal_is_refused(void **state)
{
    weft_sigset set = {0};
    (void)state;
    assert_int_equal(weft_sigset_add(&set, 0), -EINVAL);
    assert_int_equal(weft_sigset_add(&set, -1), -EINVAL);
    assert_int_equal(weft_sigset_add(&set, WEFT_SIGNALS), -EINVAL);
    assert_int_equal(weft_sigset_remove(&set, WEFT_SIGNALS), -EINVAL);
    assert_int_equal(weft_sigset_next(&set, 0), 0);
}

static void a_set_that_is_null_is_refused(void **state)
{
    (void)state;
    assert_int_equal(weft_sigset_add(NULL, SIGINT), -EINVAL);
    assert_string_equal(weft_error_message(), "add to a set of signals: the set is NULL");
    assert_int_equal(weft_sigset_remove(NULL, SIGINT), -EINVAL);
    assert_false(weft_sigset_has(NULL, SIGINT));
    assert_int_equal(weft_sigset_next(NULL, 0), 0);
    weft_sigset_fill(NULL);
    weft_sigset_empty(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(a_name_and_a_number_stand_for_each_other),
        weft_test(other_names_are_understood),
        weft_test(real_time_signals_have_names),
        weft_test(what_has_no_name_is_told),
        weft_test(a_set_has_what_was_added),
        weft_test(the_full_set_is_what_the_system_takes),
        weft_test(what_is_no_signal_is_refused),
        weft_test(a_set_that_is_null_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
