/* SPDX-License-Identifier: MIT */
/* A child's end is seen on the descriptor, its status is true or lost but never made up. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <weft/base.h>

#include "platform/childexit.h"
#include "platform/spawn.h"
#include "support/support.h"

enum { WAIT_FOR_EVER = -1 };

/* A child that ends with `code` as soon as the gate's write end is closed. */
typedef struct gated {
    pid_t pid;
    int pidfd;
    int gate;
} gated;

static gated start(int code)
{
    gated child = {.pid = -1};
    int fds[2];
    char byte;

    if (pipe(fds) < 0)
        return child;
    child.pid = weft_spawn_fork(&child.pidfd);
    if (child.pid == 0) {
        close(fds[1]);
        while (read(fds[0], &byte, 1) < 0 && errno == EINTR)
            ;
        if (code < 0)
            kill(getpid(), -code);
        _exit(code);
    }
    close(fds[0]);
    child.gate = fds[1];
    fcntl(child.gate, F_SETFD, FD_CLOEXEC);
    return child;
}

static int poll_for(const weft_childexit *child, int timeout)
{
    struct pollfd look = {.fd = child->fd, .events = POLLIN};
    int r;

    do
        r = poll(&look, 1, timeout);
    while (r < 0 && errno == EINTR);
    return r;
}

static int lowest_free(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(fd);
    return fd;
}

/* In a copy of this process. */
static int drop_without_descriptors(struct recorder *recorder, void *arg)
{
    const struct rlimit few = {.rlim_cur = 256, .rlim_max = 256};
    weft_childexit child;
    (void)arg;
    gated g = start(0);
    RECORD_INT(recorder, setrlimit(RLIMIT_NOFILE, &few), 0);
    RECORD_INT(recorder, weft_childexit_open(&child, g.pid, g.pidfd), 0);
    while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
        continue;
    weft_childexit_close(&child);
    RECORD_INT(recorder, weft_childexit_reap_dropped(), 1);
    return 3;
}

/* The first test, as what ends a thread for the first time may have to be brought in. */
static void dropping_a_child_needs_no_descriptor(void **state)
{
    struct recorder recorder = {0};
    struct child child;
    (void)state;
    if (!descriptors_can_be_limited())
        skip();
    assert_int_equal(child_start(&child, drop_without_descriptors, NULL), 0);
    assert_int_equal(child_join(&child, &recorder), 3);
    recorder_assert(&recorder);
}

static void status_of(int code)
{
    weft_childexit child;
    int status = 12345;
    gated g = start(code);

    assert_int_equal(weft_childexit_open(&child, g.pid, g.pidfd), 0);
    assert_true((fcntl(child.fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(poll_for(&child, 0), 0);
    assert_int_equal(weft_childexit_reap(&child, &status), 0);
    assert_int_equal(status, 12345);
    close(g.gate);
    assert_int_equal(poll_for(&child, WAIT_FOR_EVER), 1);
    assert_int_equal(weft_childexit_reap(&child, &status), 1);
    assert_int_equal(status, code);
    status = 12345;
    assert_int_equal(weft_childexit_reap(&child, &status), 1);
    assert_int_equal(status, code);
    assert_int_equal(waitpid(g.pid, NULL, WNOHANG), -1);
    weft_childexit_close(&child);
    assert_int_equal(child.fd, -1);
}

static void an_exit_code_is_the_status(void **state)
{
    int before = lowest_free();

    (void)state;
    status_of(0);
    status_of(3);
    status_of(255);
    assert_int_equal(lowest_free(), before);
}

static void a_signal_is_minus_its_number(void **state)
{
    (void)state;
    status_of(-SIGKILL);
    status_of(-SIGTERM);
}

static void opens_by_number_alone(void **state)
{
    weft_childexit child;
    int status = 0;
    gated g = start(5);

    (void)state;
    if (g.pidfd >= 0)
        close(g.pidfd);
    assert_int_equal(weft_childexit_open(&child, g.pid, -1), 0);
    close(g.gate);
    assert_int_equal(poll_for(&child, WAIT_FOR_EVER), 1);
    assert_int_equal(weft_childexit_reap(&child, &status), 1);
    assert_int_equal(status, 5);
    weft_childexit_close(&child);
}

static void kill_reaches_the_child_until_it_is_reaped(void **state)
{
    weft_childexit child;
    int status = 0;
    gated g = start(0);

    (void)state;
    assert_int_equal(weft_childexit_open(&child, g.pid, g.pidfd), 0);
    assert_int_equal(weft_childexit_kill(&child, 12345), -EINVAL);
    assert_int_equal(weft_childexit_kill(&child, SIGTERM), 0);
    assert_int_equal(poll_for(&child, WAIT_FOR_EVER), 1);
    assert_int_equal(weft_childexit_kill(&child, SIGTERM), 0);
    assert_int_equal(weft_childexit_reap(&child, &status), 1);
    assert_int_equal(status, -SIGTERM);
    assert_int_equal(weft_childexit_kill(&child, SIGTERM), -ESRCH);
    weft_childexit_close(&child);
    close(g.gate);
}

/* Linux 6.15 and later keep the status for whoever holds a pidfd from birth. */
static bool system_keeps_status(void)
{
#ifdef WEFT_TEST_CHILDEXIT_PIDFD
    struct utsname system;
    char *end;

    if (uname(&system) < 0)
        return false;
    long major = strtol(system.release, &end, 10);
    long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    return !emulated() && (major > 6 || (major == 6 && minor >= 15));
#else
    return false;
#endif
}

/* Never an invented status, never a wait. */
static void check_taken(weft_childexit *child, int code, bool from_birth)
{
    int status = 12345;

    assert_int_equal(poll_for(child, WAIT_FOR_EVER), 1);
    int r = weft_childexit_reap(child, &status);
    if (r == 1) {
        assert_int_equal(status, code);
    } else {
        assert_int_equal(r, WEFT_ESTATUS_LOST);
        assert_false(from_birth && system_keeps_status());
        assert_int_equal(status, 12345);
        assert_int_equal(weft_childexit_reap(child, &status), WEFT_ESTATUS_LOST);
    }
    assert_int_equal(weft_childexit_kill(child, SIGTERM), -ESRCH);
    weft_childexit_close(child);
}

static void a_child_reaped_by_the_host_is_told_or_lost(void **state)
{
    weft_childexit child;
    gated g = start(9);

    (void)state;
    assert_int_equal(weft_childexit_open(&child, g.pid, g.pidfd), 0);
    close(g.gate);
    while (waitpid(-1, NULL, 0) < 0 && errno == EINTR)
        ;
    check_taken(&child, 9, g.pidfd >= 0);
}

static void a_child_reaped_before_the_open_is_told_or_lost(void **state)
{
    weft_childexit child;
    gated g = start(10);

    (void)state;
    close(g.gate);
    assert_int_equal(waitpid(g.pid, NULL, 0), g.pid);
    assert_int_equal(weft_childexit_open(&child, g.pid, g.pidfd), 0);
    check_taken(&child, 10, g.pidfd >= 0);

    g = start(11);
    if (g.pidfd >= 0)
        close(g.pidfd);
    close(g.gate);
    assert_int_equal(waitpid(g.pid, NULL, 0), g.pid);
    assert_int_equal(weft_childexit_open(&child, g.pid, -1), 0);
    check_taken(&child, 11, false);
}

static void an_ignored_sigchld_does_not_hide_the_end(void **state)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction before;
    weft_childexit child;

    (void)state;
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGCHLD, &ignore, &before);
    gated g = start(-SIGKILL);
    int r = weft_childexit_open(&child, g.pid, g.pidfd);
    close(g.gate);
    if (r == 0)
        (void)poll_for(&child, WAIT_FOR_EVER);
    sigaction(SIGCHLD, &before, NULL);
    assert_int_equal(r, 0);
    check_taken(&child, -SIGKILL, g.pidfd >= 0);
}

static void only_the_own_child_is_reaped(void **state)
{
    weft_childexit child;
    int status = 0;
    int other_status = 0;
    gated g = start(1);
    gated other = start(2);

    (void)state;
    assert_int_equal(weft_childexit_open(&child, g.pid, g.pidfd), 0);
    close(other.gate);
    close(g.gate);
    assert_int_equal(poll_for(&child, WAIT_FOR_EVER), 1);
    assert_int_equal(weft_childexit_reap(&child, &status), 1);
    weft_childexit_close(&child);
    assert_int_equal(weft_childexit_reap_dropped(), 0);
    assert_int_equal(waitpid(other.pid, &other_status, 0), other.pid);
    assert_int_equal(WEXITSTATUS(other_status), 2);
    if (other.pidfd >= 0)
        close(other.pidfd);
}

static void a_later_copy_of_the_process_does_not_hide_the_end(void **state)
{
    weft_childexit child;
    int status = 0;
    gated g = start(6);

    (void)state;
    assert_int_equal(weft_childexit_open(&child, g.pid, g.pidfd), 0);
    close(g.gate);
    gated copy = start(0); /* has copies of whatever tells the end of the first */
    assert_int_equal(poll_for(&child, WAIT_FOR_EVER), 1);
    assert_int_equal(weft_childexit_reap(&child, &status), 1);
    assert_int_equal(status, 6);
    weft_childexit_close(&child);
    close(copy.gate);
    if (copy.pidfd >= 0)
        close(copy.pidfd);
    assert_int_equal(waitpid(copy.pid, NULL, 0), copy.pid);
}

/* Waits, without reaping, until all children have ended. */
static void all_ended(const gated *g, int count)
{
    siginfo_t info;

    for (int i = 0; i < count; i++) {
        while (waitid(P_PID, (id_t)g[i].pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
            ;
    }
}

static void dropped_children_are_reaped_later(void **state)
{
    enum { COUNT = 100, RUNNING = 3 };
    gated g[COUNT];
    weft_childexit child;
    int before = lowest_free();

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        g[i] = start(0);
        assert_int_equal(weft_childexit_open(&child, g[i].pid, g[i].pidfd), 0);
        weft_childexit_close(&child);
    }
    assert_int_equal(weft_childexit_reap_dropped(), COUNT);
    /* A later child holds the earlier gates open too, so they end in the order newest first. */
    for (int i = COUNT - 1; i >= RUNNING; i--) {
        close(g[i].gate);
        kill(g[i].pid, SIGKILL);
    }
    all_ended(g + RUNNING, COUNT - RUNNING);
    assert_int_equal(weft_childexit_reap_dropped(), RUNNING);
    for (int i = 0; i < RUNNING; i++) {
        close(g[i].gate);
        kill(g[i].pid, SIGKILL);
    }
    all_ended(g, RUNNING);
    assert_int_equal(weft_childexit_reap_dropped(), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(lowest_free(), before);
}

static void closing_reaps_a_child_that_has_ended(void **state)
{
    weft_childexit child;
    gated g = start(0);

    (void)state;
    assert_int_equal(weft_childexit_open(&child, g.pid, g.pidfd), 0);
    close(g.gate);
    assert_int_equal(poll_for(&child, WAIT_FOR_EVER), 1);
    weft_childexit_close(&child);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void a_fork_forgets_what_its_parent_dropped(void **state)
{
    weft_childexit child;
    int status = 0;
    gated g = start(0);

    (void)state;
    assert_int_equal(weft_childexit_open(&child, g.pid, g.pidfd), 0);
    weft_childexit_close(&child);
    weft_childexit_before_fork();
    pid_t pid = fork();
    weft_childexit_after_fork(pid == 0);
    if (pid == 0)
        _exit(weft_childexit_reap_dropped());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(weft_childexit_reap_dropped(), 1);
    close(g.gate);
    all_ended(&g, 1);
    assert_int_equal(weft_childexit_reap_dropped(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        census_test(dropping_a_child_needs_no_descriptor),
        census_test(an_exit_code_is_the_status),
        census_test(a_signal_is_minus_its_number),
        census_test(opens_by_number_alone),
        census_test(kill_reaches_the_child_until_it_is_reaped),
        census_test(a_child_reaped_by_the_host_is_told_or_lost),
        census_test(a_child_reaped_before_the_open_is_told_or_lost),
        census_test(an_ignored_sigchld_does_not_hide_the_end),
        census_test(only_the_own_child_is_reaped),
        census_test(a_later_copy_of_the_process_does_not_hide_the_end),
        census_test(dropped_children_are_reaped_later),
        census_test(closing_reaps_a_child_that_has_ended),
        census_test(a_fork_forgets_what_its_parent_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
