/* SPDX-License-Identifier: MIT */
/*
 * Ten thousand children: from sixteen threads at once each finds 0, 1, 2 and what was passed, and
 * nothing else; released at once they leave nothing; and where the host takes every status that it
 * can get, each end is noticed and told truly, or told to be lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/subprocess.h>

#include "support/support.h"

#ifdef WEFT_TORTURE
enum { TIMES = 20 };
#else
enum { TIMES = 1 };
#endif
#if defined(__SANITIZE_ADDRESS__) /* so is each child, and slow to start */
#define SLOW 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SLOW  1
#define FORKS 1 /* and the pidfd is made after the fork */
#elif __has_feature(address_sanitizer)
#define SLOW 1
#endif
#endif
#if defined(SLOW) || defined(WEFT_PLATFORM_POSIX)
enum { CHILDREN = 1000 * TIMES };
#else
enum { CHILDREN = 10000 * TIMES };
#endif

enum { THREADS = 16, EACH = CHILDREN / THREADS, DROPPED = CHILDREN, TAKEN = CHILDREN / 10 };

/* What a thread sleeps with, made once: a pipe where there is nothing better. */
enum { SLEEPS_WITH = 2 };

static int count_fds(void)
{
    int count = 0;
    for (int fd = 0; fd < 4096; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static bool have_children(void)
{
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* ---- what they inherit ------------------------------------------------------------------------
 */

/* The child is this program: its exit status tells whether just 0, 1, 2 and `passed` are open. */
static int look_at_descriptors(int passed)
{
    for (int fd = 0; fd < 1024; fd++) {
        bool open = fcntl(fd, F_GETFD) >= 0;
        if (open != (fd < 3 || fd == passed))
            return 1;
    }
    return 0;
}

static const char *self;

static void *start_many(void *arg)
{
    int *wrong = arg;
    char number[16];
    int fd = fcntl(0, F_DUPFD_CLOEXEC, 100);
    for (int i = 0; i < EACH; i++) {
        weft_completed completed;
        bool pass = i % 2 == 0;
        (void)snprintf(number, sizeof number, "%d", pass ? fd : -1);
        const char *const argv[] = {self, "--look", number, NULL};
        /* pipes of its own, that the others' children may not see */
        weft_subprocess_options options = {.in = WEFT_DEVNULL, .capture_output = true};
        options.popen.pass_fds = &fd;
        options.popen.pass_fds_count = pass;
        int r = weft_subprocess_run(&completed, argv, &options);
        *wrong += r != 0 || completed.returncode != 0;
        weft_completed_clear(&completed);
    }
    close(fd);
    return NULL;
}

static void each_finds_just_what_was_passed(void **state)
{
    pthread_t threads[THREADS];
    int wrong[THREADS] = {0}, sum = 0;
    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, start_many, &wrong[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += wrong[i];
    }
    assert_int_equal(sum, 0);
}

/* ---- dropped ----------------------------------------------------------------------------------
 */

static void ten_thousand_released_at_once_leave_nothing(void **state)
{
    const char *const argv[] = {"/bin/true", NULL};
    static weft_popen *popens[250];
    weft_popen *last;
    (void)state;
    int fds = count_fds();
    for (int i = 0; i < DROPPED; i += 250) {
        for (int k = 0; k < 250; k++)
            assert_int_equal(weft_popen_start(&popens[k], argv, NULL), 0);
        weft_release_many(popens, 250);
    }
    while (weft_subprocess_reap() > 0) /* the last ones may still run */
        assert_int_equal(weft_sleep(0.001), 0);
    assert_int_equal(weft_popen_start(&last, argv, NULL), 0);
    assert_int_equal(weft_popen_wait(last, NULL, WEFT_FOREVER), 0);
    weft_release(last);
    assert_false(have_children());
    assert_true(count_fds() <= fds + SLEEPS_WITH);
}

/* ---- a host that takes all statuses -----------------------------------------------------------
 */

static _Atomic bool over;

static void *take_all(void *arg)
{
    (void)arg;
    while (!atomic_load(&over)) {
        if (waitpid(-1, NULL, WNOHANG) <= 0)
            sched_yield();
    }
    return NULL;
}

/* How many statuses were lost; -1: one was wrong. */
static int start_and_wait(void)
{
    int lost = 0;
    for (int i = 0; i < TAKEN; i++) {
        char number[16];
        weft_popen *popen;
        int returncode = -1, wanted = i % 100;
        (void)snprintf(number, sizeof number, "exit %d", wanted);
        const char *const argv[] = {"/bin/sh", "-c", number, NULL};
        if (weft_popen_start(&popen, argv, NULL) < 0)
            return -1;
        int r = weft_popen_wait(popen, &returncode, WEFT_FOREVER);
        lost += r == WEFT_ESTATUS_LOST;
        if ((r != 0 && r != WEFT_ESTATUS_LOST) || (r == 0 && returncode != wanted))
            return -1;
        weft_release(popen);
        /* no status is no bad one */
        const char *const good[] = {"/bin/true", NULL};
        r = weft_subprocess_run(NULL, good, &(weft_subprocess_options){.check = true});
        lost += r == WEFT_ESTATUS_LOST;
        if (r != 0 && r != WEFT_ESTATUS_LOST)
            return -1;
    }
    return lost;
}

/* Whether the kernel keeps a status: found out by one child. */
static bool kept_by_the_system(void)
{
    weft_popen *popen;
    const char *const argv[] = {"/bin/true", NULL};
    if (weft_popen_start(&popen, argv, NULL) < 0)
        return false;
    while (waitpid(weft_popen_pid(popen), NULL, 0) < 0 && errno == EINTR)
        continue;
    int r = weft_popen_wait(popen, NULL, WEFT_FOREVER);
    weft_release(popen);
    return r == 0;
}

static void check_lost(int lost)
{
    assert_true(lost >= 0);
#ifndef FORKS
    if (kept_by_the_system())
        assert_int_equal(lost, 0);
#else
    (void)kept_by_the_system;
#endif
}

static void ends_are_told_beside_a_host_that_waits_for_all(void **state)
{
    pthread_t taker;
    (void)state;
    atomic_store(&over, false);
    assert_int_equal(pthread_create(&taker, NULL, take_all, NULL), 0);
    int lost = start_and_wait();
    atomic_store(&over, true);
    pthread_join(taker, NULL);
    check_lost(lost);
}

static void ends_are_told_where_sigchld_is_ignored(void **state)
{
    const struct sigaction actions[] = {{.sa_handler = SIG_IGN},
                                        {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT}};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct sigaction before;
        sigaction(SIGCHLD, &actions[i], &before);
        int lost = start_and_wait();
        sigaction(SIGCHLD, &before, NULL);
        check_lost(lost);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        weft_test(each_finds_just_what_was_passed),
        weft_test(ten_thousand_released_at_once_leave_nothing),
        weft_test(ends_are_told_beside_a_host_that_waits_for_all),
        weft_test(ends_are_told_where_sigchld_is_ignored),
    };
    self = argv[0];
    if (argc == 3 && strcmp(argv[1], "--look") == 0)
        return look_at_descriptors(atoi(argv[2]));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
