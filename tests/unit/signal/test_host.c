/* SPDX-License-Identifier: MIT */
/* Handlers of the host's: found, called as well, put back; those that it installs later. */
#include "support/support.h"

#include <errno.h>
#include <setjmp.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft.h>

/* gcc defines the macro, clang has the feature: it calls handlers with all signals blocked, or at
 * a later point, whatever was asked for. */
#if defined(__SANITIZE_THREAD__)
enum { MASKS_ARE_EXACT = false };
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
enum { MASKS_ARE_EXACT = false };
#else
enum { MASKS_ARE_EXACT = true };
#endif
#else
enum { MASKS_ARE_EXACT = true };
#endif

static int calls;
static weft_signal_info last;

static int count(const weft_signal_info *info, void *arg)
{
    calls++;
    last = *info;
    return arg != NULL ? *(int *)arg : 0;
}

/* ---- the host's handlers */

static volatile sig_atomic_t host_calls, host_signum, host_pid, host_blocked, host_depth,
    host_deepest, host_has_context;

static void plain(int signum)
{
    host_calls++;
    host_signum = signum;
}

static void informed(int signum, siginfo_t *info, void *context)
{
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    host_calls++;
    host_signum = signum;
    host_pid = (sig_atomic_t)info->si_pid;
    host_has_context = context != NULL;
    host_blocked =
        (sigismember(&mask, SIGUSR1) == 1 ? 1 : 0) | (sigismember(&mask, SIGUSR2) == 1 ? 2 : 0);
}

static void nested(int signum)
{
    host_deepest = ++host_depth > host_deepest ? host_depth : host_deepest;
    if (host_calls++ == 0)
        raise(signum);
    host_depth--;
}

static struct sigaction first;

static void install(int signum, const struct sigaction *action)
{
    host_calls = host_signum = host_pid = host_blocked = host_depth = host_deepest = 0;
    calls = 0;
    assert_int_equal(sigaction(signum, action, &first), 0);
}

static void remove_host(int signum)
{
    assert_int_equal(weft_signal_restore(signum), 0);
    assert_int_equal(sigaction(signum, &first, NULL), 0);
}

/* ---- chained */

static void the_found_one_is_called_at_once_and_weft_s_later(void **state)
{
    struct sigaction action = {.sa_handler = plain};
    (void)state;
    install(SIGUSR1, &action);
    assert_int_equal(weft_signal_set_chained(SIGUSR1, count, NULL), 0);
    raise(SIGUSR1);
    assert_int_equal(host_calls, 1);
    assert_int_equal(host_signum, SIGUSR1);
    assert_int_equal(calls, 0);
    assert_int_equal(weft_signal_check(), 0);
    assert_int_equal(calls, 1);
    assert_int_equal(weft_signal_get(SIGUSR1, NULL, NULL), WEFT_SIGNAL_HANDLED);
    /* until the next that is not chained */
    assert_int_equal(weft_signal_set(SIGUSR1, count, NULL), 0);
    raise(SIGUSR1);
    assert_int_equal(weft_signal_check(), 0);
    assert_int_equal(host_calls, 1);
    assert_int_equal(calls, 2);
    remove_host(SIGUSR1);
}

static void its_information_and_mask_are_in_force(void **state)
{
    struct sigaction action = {.sa_sigaction = informed, .sa_flags = SA_SIGINFO};
    (void)state;
    sigaddset(&action.sa_mask, SIGUSR2);
    install(SIGUSR1, &action);
    assert_int_equal(weft_signal_set_chained(SIGUSR1, count, NULL), 0);
    kill(getpid(), SIGUSR1);
    assert_int_equal(host_calls, 1);
    assert_int_equal(host_pid, getpid());
    assert_true(host_has_context);
    assert_int_equal(host_blocked, 3);
    assert_int_equal(weft_signal_check(), 0);
    assert_int_equal(last.pid, getpid());
    remove_host(SIGUSR1);
    /* and without the mask, the signal itself being let through */
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    install(SIGUSR1, &action);
    assert_int_equal(weft_signal_set_chained(SIGUSR1, count, NULL), 0);
    raise(SIGUSR1);
    if (MASKS_ARE_EXACT)
        assert_int_equal(host_blocked, 0);
    assert_int_equal(weft_signal_check(), 0);
    remove_host(SIGUSR1);
}

static void one_that_lets_itself_through_is_nested(void **state)
{
    struct sigaction action = {.sa_handler = nested, .sa_flags = SA_NODEFER};
    (void)state;
    install(SIGUSR1, &action);
    assert_int_equal(weft_signal_set_chained(SIGUSR1, count, NULL), 0);
    raise(SIGUSR1);
    if (MASKS_ARE_EXACT)
        assert_int_equal(host_deepest, 2);
    assert_int_equal(weft_signal_check(), 0);
    assert_int_equal(calls, 1);
    remove_host(SIGUSR1);
}

static void one_for_a_single_call_is_called_once(void **state)
{
    struct sigaction action = {.sa_handler = plain}, now;
    (void)state;
    action.sa_flags = (int)SA_RESETHAND;
    install(SIGUSR1, &action);
    assert_int_equal(weft_signal_set_chained(SIGUSR1, count, NULL), 0);
    for (int i = 1; i <= 3; i++) {
        raise(SIGUSR1);
        assert_int_equal(weft_signal_check(), 0);
        assert_int_equal(calls, i);
        assert_int_equal(host_calls, 1);
    }
    assert_int_equal(weft_signal_restore(SIGUSR1), 0);
    assert_int_equal(sigaction(SIGUSR1, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_DFL); /* what it would be without weft */
    remove_host(SIGUSR1);
}

static void restarting_is_as_the_host_had_it(void **state)
{
    struct sigaction action = {.sa_handler = plain}, now;
    (void)state;
    install(SIGUSR1, &action);
    assert_int_equal(weft_signal_set_chained(SIGUSR1, count, NULL), 0);
    sigaction(SIGUSR1, NULL, &now);
    assert_false((now.sa_flags & SA_RESTART) != 0);
    remove_host(SIGUSR1);
    action.sa_flags = SA_RESTART;
    install(SIGUSR1, &action);
    assert_int_equal(weft_signal_set_chained(SIGUSR1, count, NULL), 0);
    sigaction(SIGUSR1, NULL, &now);
    assert_true((now.sa_flags & SA_RESTART) != 0);
    remove_host(SIGUSR1);
}

static sigjmp_buf out;

static void leap(int signum)
{
    host_calls++;
    siglongjmp(out, signum);
}

static void it_may_leave_by_a_jump(void **state)
{
    struct sigaction action = {.sa_handler = leap};
    (void)state;
    install(SIGUSR1, &action);
    assert_int_equal(weft_signal_set_chained(SIGUSR1, count, NULL), 0);
    if (sigsetjmp(out, 1) == 0) {
        raise(SIGUSR1);
        fail();
    }
    assert_int_equal(host_calls, 1);
    assert_int_equal(weft_signal_check(), 0);
    assert_int_equal(calls, 1);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0); /* waits for no handler that is gone */
    remove_host(SIGUSR1);
}

static void where_none_was_there_is_none_to_call(void **state)
{
    (void)state;
    calls = 0;
    assert_int_equal(weft_signal_set_chained(SIGUSR1, count, NULL), 0);
    assert_int_equal(weft_signal_raise(SIGUSR1), 0); /* the default action would kill */
    assert_int_equal(calls, 1);
    assert_int_equal(weft_signal_set_chained(SIGUSR1, weft_signal_ignore, NULL), 0);
    raise(SIGUSR1);
    assert_int_equal(weft_signal_restore(SIGUSR1), 0);
}

/* ---- what the host installs later */

static void a_later_one_is_left_alone(void **state)
{
    struct sigaction action = {.sa_handler = plain}, now, as_before;
    (void)state;
    sigaction(SIGUSR1, NULL, &as_before);
    assert_int_equal(weft_signal_set(SIGUSR1, count, NULL), 0);
    install(SIGUSR1, &action);
    assert_int_equal(weft_signal_get(SIGUSR1, NULL, NULL), WEFT_SIGNAL_FOREIGN);
    assert_int_equal(weft_signal_restore(SIGUSR1), 0);
    sigaction(SIGUSR1, NULL, &now);
    assert_true(now.sa_handler == plain);
    weft_signal_set(SIGUSR2, count, NULL);
    sigaction(SIGUSR2, &action, NULL);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    sigaction(SIGUSR2, NULL, &now);
    assert_true(now.sa_handler == plain);
    sigaction(SIGUSR1, &as_before, NULL);
    sigaction(SIGUSR2, &as_before, NULL);
}

static struct sigaction before_host;

static void calls_on(int signum, siginfo_t *info, void *context)
{
    host_calls++;
    if ((before_host.sa_flags & SA_SIGINFO) != 0)
        before_host.sa_sigaction(signum, info, context);
}

static void a_later_one_may_call_on_wefts(void **state)
{
    struct sigaction action = {.sa_sigaction = calls_on, .sa_flags = SA_SIGINFO}, as_before;
    (void)state;
    calls = host_calls = 0;
    sigaction(SIGUSR1, NULL, &as_before);
    assert_int_equal(weft_signal_set(SIGUSR1, count, NULL), 0);
    sigaction(SIGUSR1, &action, &before_host);
    kill(getpid(), SIGUSR1);
    assert_int_equal(weft_signal_check(), 0);
    assert_int_equal(host_calls, 1);
    assert_int_equal(calls, 1);
    /* also after weft's has been removed: then nothing comes of it */
    assert_int_equal(weft_signal_restore(SIGUSR1), 0);
    raise(SIGUSR1);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    raise(SIGUSR1);
    assert_int_equal(weft_signal_check(), 0);
    assert_int_equal(host_calls, 3);
    assert_int_equal(calls, 1);
    sigaction(SIGUSR1, &as_before, NULL);
}

/* ---- SIGCHLD, which is the program's */

static void a_handler_for_children_changes_nothing_for_wefts(void **state)
{
    const char *const argv[] = {"sh", "-c", "exit 3", NULL};
    weft_completed completed;
    (void)state;
    calls = 0;
    assert_int_equal(weft_signal_set(SIGCHLD, count, NULL), 0);
    int child = fork();
    if (child == 0)
        _exit(4);
    while (calls == 0)
        assert_int_equal(weft_signal_pause(WEFT_FOREVER), 0);
    assert_int_equal(last.pid, child);
    assert_int_equal(last.code, CLD_EXITED);
    assert_int_equal(last.status, 4);
    assert_int_equal(last.uid, getuid());
    assert_int_equal(waitpid(child, NULL, 0), child);
    /* of several that end, one signal may tell: so that one was alone */
    assert_int_equal(weft_subprocess_run(&completed, argv, NULL), 0);
    assert_int_equal(completed.returncode, 3);
    weft_completed_clear(&completed);
    while (calls == 1)
        assert_int_equal(weft_signal_pause(WEFT_FOREVER), 0);
}

/* ---- siginterrupt */

static int interrupt_flag(int signum)
{
    struct sigaction now;
    sigaction(signum, NULL, &now);
    return (now.sa_flags & SA_RESTART) == 0;
}

static void interrupting_is_until_the_next_set(void **state)
{
    struct sigaction action = {.sa_handler = plain};
    (void)state;
    assert_int_equal(weft_signal_set(SIGUSR1, count, NULL), 0);
    assert_int_equal(interrupt_flag(SIGUSR1), 0);
    assert_int_equal(weft_signal_siginterrupt(SIGUSR1, WEFT_SIGINTERRUPT_ON), 0);
    assert_int_equal(interrupt_flag(SIGUSR1), 1);
    assert_int_equal(weft_signal_get(SIGUSR1, NULL, NULL), WEFT_SIGNAL_HANDLED);
    assert_int_equal(weft_signal_siginterrupt(SIGUSR1, WEFT_SIGINTERRUPT_OFF), 0);
    assert_int_equal(interrupt_flag(SIGUSR1), 0);
    assert_int_equal(weft_signal_siginterrupt(SIGUSR1, WEFT_SIGINTERRUPT_ON), 0);
    assert_int_equal(weft_signal_set(SIGUSR1, count, NULL), 0);
    assert_int_equal(interrupt_flag(SIGUSR1), 0);
    assert_int_equal(weft_signal_restore(SIGUSR1), 0);
    assert_int_equal(weft_signal_siginterrupt(SIGUSR1, WEFT_SIGINTERRUPT_ON), 0);
    install(SIGUSR2, &action);
    assert_int_equal(weft_signal_siginterrupt(SIGUSR2, WEFT_SIGINTERRUPT_OFF), -EPERM);
    assert_non_null(strstr(weft_error_message(), "SIGUSR2"));
    assert_int_equal(weft_signal_siginterrupt(0, WEFT_SIGINTERRUPT_OFF), -EINVAL);
    remove_host(SIGUSR2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(the_found_one_is_called_at_once_and_weft_s_later),
        weft_test(its_information_and_mask_are_in_force),
        weft_test(one_that_lets_itself_through_is_nested),
        weft_test(one_for_a_single_call_is_called_once),
        weft_test(restarting_is_as_the_host_had_it),
        weft_test(it_may_leave_by_a_jump),
        weft_test(where_none_was_there_is_none_to_call),
        weft_test(a_later_one_is_left_alone),
        weft_test(a_later_one_may_call_on_wefts),
        weft_test(a_handler_for_children_changes_nothing_for_wefts),
        weft_test(interrupting_is_until_the_next_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
