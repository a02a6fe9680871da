/* SPDX-License-Identifier: MIT */
/* Signals that are taken by who waits for them, without a handler. */
#include "support/places.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static weft_sigset old;

static weft_sigset only(int signum)
{
    weft_sigset set = {0};
    weft_sigset_add(&set, signum);
    return set;
}

static void block(int signum)
{
    weft_sigset set = only(signum);
    weft_signal_pthread_sigmask(WEFT_SIG_BLOCK, &set, &old);
}

static void unblock(void)
{
    weft_signal_pthread_sigmask(WEFT_SIG_SETMASK, &old, NULL);
}

static int calls;

static int count(const weft_signal_info *info, void *arg)
{
    (void)info;
    calls++;
    return arg != NULL ? *(int *)arg : 0;
}

static int takes(void *arg)
{
    struct recorder *recorder = arg;
    weft_sigset set = only(SIGUSR1);
    weft_signal_info info = {0};
    RECORD_INT(recorder, weft_signal_sigwait(&set, WEFT_NOWAIT), -ETIMEDOUT);
    RECORD_INT(recorder, weft_signal_sigwait(&set, 0.001), -ETIMEDOUT);
    kill(getpid(), SIGUSR1);
    RECORD_INT(recorder, weft_signal_sigwait(&set, WEFT_NOWAIT), SIGUSR1);
    kill(getpid(), SIGUSR1);
    RECORD_INT(recorder, weft_signal_sigwaitinfo(&set, &info, WEFT_FOREVER), SIGUSR1);
    RECORD_INT(recorder, info.signum, SIGUSR1);
    RECORD_INT(recorder, info.code, SI_USER);
    RECORD_INT(recorder, info.pid, getpid());
    RECORD_INT(recorder, info.uid, getuid());
    kill(getpid(), SIGUSR1);
    RECORD_INT(recorder, weft_signal_sigwaitinfo(&set, NULL, WEFT_FOREVER), SIGUSR1);
    int scope = weft_timeout_begin(0.001);
    RECORD_INT(recorder, weft_timeout_end(scope, weft_signal_sigwait(&set, WEFT_FOREVER)),
               -ETIMEDOUT);
    return 0;
}

static void a_pending_signal_is_taken_in_each_place(void **state)
{
    struct recorder recorder = {0};
    (void)state;
    calls = 0;
    weft_signal_set(SIGUSR1, count, NULL);
    block(SIGUSR1);
    in_each_place(takes, &recorder);
    unblock();
    recorder_assert(&recorder);
    assert_int_equal(calls, 0); /* no handler */
}

typedef struct sender {
    weft_event begun;
    int signum;
} sender;

static int send_later(void *arg)
{
    sender *s = arg;
    int r = weft_event_wait(&s->begun, WEFT_FOREVER);
    r = r < 0 ? r : weft_sleep(0.002);
    kill(getpid(), s->signum);
    return r;
}

/* Begins the wait, most likely, before the signal comes; right either way. */
static int wait_for_sender(void *arg)
{
    sender s = {.signum = SIGUSR1};
    weft_sigset set = only(SIGUSR1);
    weft_thread *thread;
    (void)arg;
    int r = weft_thread_start(&thread, send_later, WEFT_POINTER(&s), NULL);
    weft_event_set(&s.begun);
    r = r < 0 ? r : weft_signal_sigwait(&set, WEFT_FOREVER);
    weft_thread_join(thread, WEFT_FOREVER);
    weft_release(thread);
    return r;
}

static void a_wait_sleeps_until_the_signal_comes(void **state)
{
    (void)state;
    block(SIGUSR1);
    assert_int_equal(wait_for_sender(NULL), SIGUSR1);
    assert_int_equal(in_a_thread(wait_for_sender, NULL), SIGUSR1);
    assert_int_equal(in_a_task(wait_for_sender, NULL), SIGUSR1);
    assert_int_equal(in_a_job(wait_for_sender, NULL), SIGUSR1);
    unblock();
}

static int take_one(void *arg)
{
    weft_sigset set = only(SIGUSR1);
    (void)arg;
    return weft_signal_sigwait(&set, WEFT_FOREVER);
}

static int two_take(void *arg)
{
    weft_task *tasks[2];
    int results[2] = {0};
    (void)arg;
    weft_task_start(&tasks[0], take_one, WEFT_NONE, NULL);
    weft_task_start(&tasks[1], take_one, WEFT_NONE, NULL);
    int r = weft_sleep(0); /* both wait, and this one goes on */
    kill(getpid(), SIGUSR1);
    int first = weft_wait_any(tasks, 2, WEFT_FOREVER);
    r = r == 0 && first >= 0 ? weft_wait(tasks[1 - first], 0.01) : -EIO;
    if (r == -ETIMEDOUT) { /* one signal, one taker */
        results[0] = weft_result(tasks[first], WEFT_NONE, WEFT_NOWAIT);
        kill(getpid(), SIGUSR1);
        results[1] = weft_result(tasks[1 - first], WEFT_NONE, WEFT_FOREVER);
    }
    weft_release_many(tasks, 2);
    return results[0] == SIGUSR1 && results[1] == SIGUSR1 ? 0 : -EIO;
}

static void each_signal_goes_to_one_and_the_loop_goes_on(void **state)
{
    (void)state;
    block(SIGUSR1);
    assert_int_equal(weft_run(two_take, WEFT_NONE, NULL), 0);
    unblock();
}

static void a_cancel_ends_it(void **state)
{
    weft_thread *thread;
    (void)state;
    block(SIGUSR1);
    assert_int_equal(weft_thread_start(&thread, take_one, WEFT_NONE, NULL), 0);
    assert_int_equal(weft_wait(thread, 0.001), -ETIMEDOUT);
    weft_cancel(thread);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), -ECANCELED);
    weft_release(thread);
    unblock();
}

/* ---- what is not of the set */

static void other_handlers_run_and_the_wait_goes_on(void **state)
{
    weft_sigset set = only(SIGUSR1);
    int code = -20004;
    (void)state;
    calls = 0;
    block(SIGUSR1);
    weft_signal_set(SIGUSR2, count, NULL);
    raise(SIGUSR2);
    assert_int_equal(weft_signal_sigwait(&set, 0.001), -ETIMEDOUT);
    assert_int_equal(calls, 1);
    weft_signal_set(SIGUSR2, count, &code);
    raise(SIGUSR2);
    assert_int_equal(weft_signal_sigwait(&set, WEFT_FOREVER), -20004);
    unblock();
}

static void in_a_thread_the_signal_is_blocked_for_the_wait(void **state)
{
    weft_sigset set = only(SIGUSR1), now;
    (void)state;
    calls = 0;
    weft_signal_set(SIGUSR1, count, NULL);
    /* by a child, which sends it until it is killed for that */
    int parent = getpid(), child = fork();
    if (child == 0) {
        while (kill(parent, SIGUSR1) == 0 && getppid() == parent)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        _exit(0);
    }
    weft_signal_info info;
    int r = weft_signal_sigwaitinfo(&set, &info, WEFT_FOREVER);
    kill(child, SIGKILL);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    assert_int_equal(r, SIGUSR1);
    assert_int_equal(info.pid, child);
    assert_int_equal(weft_signal_pthread_sigmask(WEFT_SIG_BLOCK, NULL, &now), 0);
    assert_false(weft_sigset_has(&now, SIGUSR1));
    weft_signal_check();
}

static int wait_unblocked(void *arg)
{
    weft_sigset set = only(SIGUSR1);
    (void)arg;
    return weft_signal_sigwait(&set, WEFT_NOWAIT);
}

static void a_task_waits_only_for_what_is_blocked(void **state)
{
    (void)state;
    int r = weft_run(wait_unblocked, WEFT_NONE, NULL);
    if (r != -ETIMEDOUT) { /* coroutines that are threads of the system block all */
        assert_int_equal(r, -EINVAL);
        assert_non_null(strstr(weft_error_message(), "SIGUSR1"));
    }
}

static void bad_arguments_are_refused(void **state)
{
    weft_sigset set = {0};
    (void)state;
    assert_int_equal(weft_signal_sigwait(NULL, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_signal_sigwaitinfo(NULL, NULL, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_signal_sigwait(&set, WEFT_NOWAIT), -ETIMEDOUT);
    weft_sigset_add(&set, SIGKILL);
    assert_int_equal(weft_signal_sigwait(&set, 0.001), -ETIMEDOUT);
}

/* Whoever has no descriptor left is told so, or does without. */
static int without_descriptors(struct recorder *recorder, void *arg)
{
    weft_sigset set = only(SIGUSR1);
    (void)arg;
    weft_sleep(0); /* what main needs is there */
    while (fcntl(0, F_DUPFD, 0) >= 0)
        continue;
    int r = weft_signal_sigwait(&set, 0.001);
    RECORD(recorder, r == -EMFILE || r == -ETIMEDOUT);
    raise(SIGUSR1);
    RECORD_INT(recorder, weft_signal_sigwait(&set, 0.001), SIGUSR1);
    return 3;
}

static void without_a_descriptor_it_ends(void **state)
{
    struct child child;
    struct recorder recorder = {0};
    (void)state;
    block(SIGUSR1);
    assert_int_equal(child_start(&child, without_descriptors, NULL), 0);
    unblock();
    assert_int_equal(child_join(&child, &recorder), 3);
    recorder_assert(&recorder);
}

static int block_another(const weft_signal_info *info, void *arg)
{
    (void)info;
    (void)arg;
    block(SIGHUP);
    kill(getpid(), SIGUSR1);
    return 0;
}

static void what_a_handler_blocks_meanwhile_stays_blocked(void **state)
{
    weft_sigset now, set = only(SIGUSR1);
    (void)state;
    weft_signal_set(SIGUSR2, block_another, NULL);
    raise(SIGUSR2);
    assert_int_equal(weft_signal_sigwait(&set, WEFT_FOREVER), SIGUSR1);
    assert_int_equal(weft_signal_pthread_sigmask(WEFT_SIG_BLOCK, NULL, &now), 0);
    set = only(SIGHUP);
    assert_int_equal(weft_signal_pthread_sigmask(WEFT_SIG_UNBLOCK, &set, NULL), 0);
    assert_true(weft_sigset_has(&now, SIGHUP));
    assert_false(weft_sigset_has(&now, SIGUSR1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(a_pending_signal_is_taken_in_each_place),
        weft_test(a_wait_sleeps_until_the_signal_comes),
        weft_test(each_signal_goes_to_one_and_the_loop_goes_on),
        weft_test(a_cancel_ends_it),
        weft_test(other_handlers_run_and_the_wait_goes_on),
        weft_test(in_a_thread_the_signal_is_blocked_for_the_wait),
        weft_test(a_task_waits_only_for_what_is_blocked),
        weft_test(bad_arguments_are_refused),
        weft_test(what_a_handler_blocks_meanwhile_stays_blocked),
        weft_test(without_a_descriptor_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
