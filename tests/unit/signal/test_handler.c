/* SPDX-License-Identifier: MIT */
/* What is installed, looked up, restored; where handlers run, and with what they are told. */
#include "support/support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <weft.h>

static int calls, last_signum, last_pid;
static unsigned int last_uid;

static int count(const weft_signal_info *info, void *arg)
{
    calls++;
    last_signum = info->signum;
    last_pid = info->pid;
    last_uid = info->uid;
    return arg != NULL ? *(int *)arg : 0;
}

static void a_handler_runs_at_the_check_and_not_before(void **state)
{
    (void)state;
    calls = 0;
    assert_int_equal(weft_signal_set(SIGUSR1, count, NULL), 0);
    kill(getpid(), SIGUSR1);
    assert_int_equal(calls, 0);
    assert_int_equal(weft_signal_check(), 0);
    assert_int_equal(calls, 1);
    assert_int_equal(last_signum, SIGUSR1);
    assert_int_equal(last_pid, getpid());
    assert_int_equal(last_uid, getuid());
    assert_int_equal(weft_signal_check(), 0);
    assert_int_equal(calls, 1);
}

static void raise_runs_the_handler_before_it_returns(void **state)
{
    int code = -20007;
    (void)state;
    calls = 0;
    assert_int_equal(weft_signal_set(SIGUSR1, count, &code), 0);
    assert_int_equal(weft_signal_raise(SIGUSR1), -20007);
    assert_int_equal(calls, 1);
    assert_non_null(strstr(weft_error_message(), "SIGUSR1"));
    code = 3; /* a success: no code of a wait */
    assert_int_equal(weft_signal_raise(SIGUSR1), 0);
    assert_int_equal(calls, 2);
}

static void signals_of_one_number_are_merged_and_others_are_not(void **state)
{
    (void)state;
    calls = 0;
    weft_signal_set(SIGUSR1, count, NULL);
    weft_signal_set(SIGUSR2, count, NULL);
    raise(SIGUSR2);
    raise(SIGUSR1);
    raise(SIGUSR1);
    assert_int_equal(weft_signal_check(), 0);
    assert_int_equal(calls, 2);
    assert_int_equal(last_signum, SIGUSR1 < SIGUSR2 ? SIGUSR2 : SIGUSR1);
}

static void after_a_failed_handler_the_others_still_run(void **state)
{
    int code = -20001;
    int first = SIGUSR1 < SIGUSR2 ? SIGUSR1 : SIGUSR2;
    (void)state;
    calls = 0;
    weft_signal_set(first, count, &code);
    weft_signal_set(SIGUSR1 + SIGUSR2 - first, count, NULL);
    raise(SIGUSR1);
    raise(SIGUSR2);
    assert_int_equal(weft_signal_check(), -20001);
    assert_int_equal(calls, 1);
    assert_int_equal(weft_sleep(0), 0);
    assert_int_equal(calls, 2);
}

static void interrupt_has_a_code_and_names_the_signal(void **state)
{
    (void)state;
    assert_int_equal(weft_signal_set(SIGINT, weft_signal_interrupt, NULL), 0);
    assert_int_equal(weft_signal_raise(SIGINT), WEFT_EINTERRUPTED);
    assert_non_null(strstr(weft_error_message(), "SIGINT"));
    raise(SIGINT);
    assert_int_equal(weft_sleep(WEFT_FOREVER), WEFT_EINTERRUPTED);
    assert_non_null(strstr(weft_error_message(), "SIGINT"));
    assert_int_equal(weft_sleep(0), 0);
}

static volatile sig_atomic_t foreign_calls;

static void foreign(int signum)
{
    (void)signum;
    foreign_calls++;
}

static void get_tells_the_four_apart(void **state)
{
    weft_signal_fn *handler = NULL;
    void *arg = NULL;
    int code = 0;
    struct sigaction action = {.sa_handler = foreign}, before;
    (void)state;
    assert_int_equal(weft_signal_get(SIGUSR1, &handler, &arg), WEFT_SIGNAL_DEFAULT);
    assert_true(handler == weft_signal_default);
    assert_int_equal(weft_signal_set(SIGUSR1, weft_signal_ignore, NULL), 0);
    assert_int_equal(weft_signal_get(SIGUSR1, &handler, NULL), WEFT_SIGNAL_IGNORED);
    assert_true(handler == weft_signal_ignore);
    raise(SIGUSR1);
    assert_int_equal(weft_signal_set(SIGUSR1, count, &code), 0);
    assert_int_equal(weft_signal_get(SIGUSR1, &handler, &arg), WEFT_SIGNAL_HANDLED);
    assert_true(handler == count && arg == &code);
    sigaction(SIGUSR1, &action, &before);
    assert_int_equal(weft_signal_get(SIGUSR1, &handler, &arg), WEFT_SIGNAL_FOREIGN);
    assert_null(handler);
    sigaction(SIGUSR1, &before, NULL);
    assert_int_equal(weft_signal_get(SIGUSR1, NULL, NULL), WEFT_SIGNAL_HANDLED);
}

static void restore_puts_back_what_was_found_first(void **state)
{
    struct sigaction action = {.sa_handler = foreign}, now, first;
    (void)state;
    foreign_calls = 0;
    calls = 0;
    sigaction(SIGUSR1, &action, &first);
    assert_int_equal(weft_signal_restore(SIGUSR1), 0); /* nothing was set */
    weft_signal_set(SIGUSR1, count, NULL);
    weft_signal_set(SIGUSR1, weft_signal_default, NULL);
    weft_signal_set(SIGUSR1, count, NULL);
    raise(SIGUSR1); /* dropped by the restore */
    assert_int_equal(weft_signal_restore(SIGUSR1), 0);
    raise(SIGUSR1);
    assert_int_equal(weft_signal_check(), 0);
    assert_int_equal(calls, 0);
    assert_int_equal(foreign_calls, 1);
    sigaction(SIGUSR1, NULL, &now);
    assert_true(now.sa_handler == foreign);
    sigaction(SIGUSR1, &first, NULL);
}

static void shutdown_restores(void **state)
{
    struct sigaction now;
    (void)state;
    calls = 0;
    weft_signal_set(SIGUSR1, count, NULL);
    weft_signal_set(SIGUSR2, weft_signal_ignore, NULL);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    sigaction(SIGUSR1, NULL, &now);
    assert_true(now.sa_handler == SIG_DFL);
    sigaction(SIGUSR2, NULL, &now);
    assert_true(now.sa_handler == SIG_DFL);
    /* and it all works again */
    weft_signal_set(SIGUSR1, count, NULL);
    assert_int_equal(weft_signal_raise(SIGUSR1), 0);
    assert_int_equal(calls, 1);
}

static void host_system_calls_are_restarted(void **state)
{
    struct sigaction now;
    (void)state;
    weft_signal_set(SIGUSR1, count, NULL);
    sigaction(SIGUSR1, NULL, &now);
    assert_true((now.sa_flags & SA_RESTART) != 0);
}

static void bad_arguments_are_refused_with_a_message(void **state)
{
    (void)state;
    assert_int_equal(weft_signal_set(0, count, NULL), -EINVAL);
    assert_int_equal(weft_signal_set(WEFT_SIGNALS, count, NULL), -EINVAL);
    assert_int_equal(weft_signal_set(SIGUSR1, NULL, NULL), -EINVAL);
    assert_non_null(strstr(weft_error_message(), "SIGUSR1"));
    assert_int_equal(weft_signal_set(SIGKILL, count, NULL), -EINVAL);
    assert_non_null(strstr(weft_error_message(), "SIGKILL"));
    assert_int_equal(weft_signal_get(-1, NULL, NULL), -EINVAL);
    assert_int_equal(weft_signal_restore(-1), -EINVAL);
    assert_int_equal(weft_signal_raise(-1), -EINVAL);
}

static void *set_elsewhere(void *arg)
{
    int *r = arg;
    r[0] = weft_signal_set(SIGUSR1, count, NULL);
    r[1] = weft_signal_restore(SIGUSR1);
    raise(SIGUSR1); /* noted, and handled by the main thread */
    r[2] = weft_signal_check();
    r[3] = calls;
    r[4] = weft_sleep(0.001);
    r[5] = calls;
    return NULL;
}

static void only_the_main_thread_sets_and_runs_handlers(void **state)
{
    pthread_t thread;
    int r[6] = {0};
    (void)state;
    calls = 0;
    assert_int_equal(weft_signal_set(SIGUSR1, count, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, set_elsewhere, r), 0);
    pthread_join(thread, NULL);
    assert_int_equal(r[0], -EPERM);
    assert_int_equal(r[1], -EPERM);
    assert_int_equal(r[2], 0);
    assert_int_equal(r[3], 0);
    assert_int_equal(r[4], 0);
    assert_int_equal(r[5], 0);
    assert_int_equal(weft_sleep(0), 0);
    assert_int_equal(calls, 1);
}

static int replace(const weft_signal_info *info, void *arg)
{
    (void)arg;
    calls++;
    if (info->signum == SIGINT) /* as the application does that wants its second one to kill */
        return weft_signal_set(SIGINT, weft_signal_default, NULL);
    return weft_signal_raise(SIGINT); /* handled after this one */
}

static void a_handler_may_set_and_raise(void **state)
{
    (void)state;
    calls = 0;
    weft_signal_set(SIGINT, replace, NULL);
    weft_signal_set(SIGUSR1, replace, NULL);
    assert_int_equal(weft_signal_raise(SIGUSR1), 0);
    assert_int_equal(calls, 2);
    assert_int_equal(weft_signal_get(SIGINT, NULL, NULL), WEFT_SIGNAL_DEFAULT);
    assert_int_equal(weft_signal_get(SIGUSR1, NULL, NULL), WEFT_SIGNAL_HANDLED);
}

static int shut_down(const weft_signal_info *info, void *arg)
{
    (void)info;
    *(int *)arg = weft_shutdown(WEFT_FOREVER);
    return 0;
}

static void a_handler_cannot_shut_down(void **state)
{
    int r = 0;
    (void)state;
    weft_signal_set(SIGUSR1, shut_down, &r);
    assert_int_equal(weft_signal_raise(SIGUSR1), 0);
    assert_int_equal(r, -EBUSY);
}

static void errno_of_the_host_is_kept(void **state)
{
    (void)state;
    weft_signal_set(SIGUSR1, count, NULL);
    errno = EDOM;
    raise(SIGUSR1);
    assert_int_equal(errno, EDOM);
}

static int fault_child(struct recorder *recorder, void *arg)
{
    (void)arg;
    signal(SIGBUS, SIG_DFL); /* the test's framework and sanitizers have handlers of their own */
    RECORD_INT(recorder, weft_signal_set(SIGFPE, count, NULL), 0);
    RECORD_INT(recorder, weft_signal_raise(SIGFPE), 0); /* sent: no fault */
    RECORD_INT(recorder, calls, 1);
    RECORD_INT(recorder, weft_signal_set(SIGBUS, count, NULL), 0);
    char path[] = "/tmp/weft_test_XXXXXX";
    int fd = mkstemp(path);
    unlink(path);
    volatile char *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    RECORD(recorder, page != MAP_FAILED);
    return page[0]; /* behind the end of the file */
}

static void a_fault_still_kills(void **state)
{
    struct child child;
    struct recorder recorder = {0};
    (void)state;
    calls = 0;
    assert_int_equal(child_start(&child, fault_child, NULL), 0);
    assert_int_equal(child_join(&child, &recorder), -SIGBUS);
}

static int inherited_child(struct recorder *recorder, void *arg)
{
    (void)arg;
    RECORD_INT(recorder, weft_signal_check(), 0); /* what came for the parent is not ours */
    RECORD_INT(recorder, calls, 0);
    kill(getpid(), SIGUSR1);
    RECORD_INT(recorder, weft_sleep(0), 0);
    RECORD_INT(recorder, calls, 1);
    RECORD_INT(recorder, last_pid, getpid());
    RECORD_INT(recorder, weft_signal_set(SIGUSR2, weft_signal_interrupt, NULL), 0);
    raise(SIGUSR2);
    RECORD_INT(recorder, weft_sleep(WEFT_FOREVER), WEFT_EINTERRUPTED);
    return 7;
}

static void handlers_are_inherited_over_a_fork(void **state)
{
    struct child child;
    struct recorder recorder = {0};
    (void)state;
    calls = 0;
    assert_int_equal(weft_signal_set(SIGUSR1, count, NULL), 0);
    raise(SIGUSR1);
    assert_int_equal(child_start(&child, inherited_child, NULL), 0);
    assert_int_equal(child_join(&child, &recorder), 7);
    recorder_assert(&recorder);
    assert_int_equal(weft_signal_check(), 0);
    assert_int_equal(calls, 1);
}

typedef struct forker {
    struct child child;
    struct recorder recorder;
    int r, exit;
} forker;

static void *fork_elsewhere(void *arg)
{
    forker *f = arg;
    f->r = child_start(&f->child, inherited_child, NULL);
    f->exit = child_join(&f->child, &f->recorder);
    return NULL;
}

static void the_forking_thread_is_the_main_one_of_the_child(void **state)
{
    pthread_t thread;
    forker f = {0};
    (void)state;
    calls = 0;
    assert_int_equal(weft_signal_set(SIGUSR1, count, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, fork_elsewhere, &f), 0);
    pthread_join(thread, NULL);
    assert_int_equal(f.r, 0);
    assert_int_equal(f.exit, 7);
    recorder_assert(&f.recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(a_handler_runs_at_the_check_and_not_before),
        weft_test(raise_runs_the_handler_before_it_returns),
        weft_test(signals_of_one_number_are_merged_and_others_are_not),
        weft_test(after_a_failed_handler_the_others_still_run),
        weft_test(interrupt_has_a_code_and_names_the_signal),
        weft_test(get_tells_the_four_apart),
        weft_test(restore_puts_back_what_was_found_first),
        weft_test(shutdown_restores),
        weft_test(host_system_calls_are_restarted),
        weft_test(bad_arguments_are_refused_with_a_message),
        weft_test(only_the_main_thread_sets_and_runs_handlers),
        weft_test(a_handler_may_set_and_raise),
        weft_test(a_handler_cannot_shut_down),
        weft_test(errno_of_the_host_is_kept),
        weft_test(a_fault_still_kills),
        weft_test(handlers_are_inherited_over_a_fork),
        weft_test(the_forking_thread_is_the_main_one_of_the_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
