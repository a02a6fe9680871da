/* SPDX-License-Identifier: MIT */
/*
 * The order is CPython's (_posixsubprocess): what may be needed later is kept until nobody can need
 * it. Descriptors first, then the directory, umask, signals, session, terminal, group, limits (a
 * privilege may be needed to raise them), identity, the death signal (which a change of identity
 * clears), then the hook, which sees all of that done, then everything unlisted is closed, then
 * exec. Without a hook the unlisted is closed before the limits, which could hide it, or leave no
 * descriptor to list it by.
 *
 * Signals are blocked since before the fork. They are let through only after every handler has been
 * put to default, because a handler would run the parent's code, on the parent's memory. Ignored
 * signals stay ignored, as exec keeps them.
 *
 * A failure is written to a close-on-exec pipe: that arrives whether or not memory is shared with
 * the parent (under TSan, Valgrind and qemu a vfork is a fork). The pipe's end without a report
 * means that the program runs.
 */
#include "platform/spawn_child.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

WEFT_SPAWN_RAW static _Noreturn void fail(const weft_spawn_child *child, weft_spawn_stage stage,
                                          int error)
{
    weft_spawn_report report = {.stage = (int)stage, .error = error};
    ssize_t n;

    child->shared->report.stage = report.stage;
    child->shared->report.error = report.error;
    do
        n = child->report_fd < 0 ? 0
                                 : write(child->report_fd, &report,
                                         sizeof report); /* below PIPE_BUF: whole or not at all */
    while (n < 0 && errno == EINTR);
    _exit(127);
}

WEFT_SPAWN_RAW static int keep_open(int fd)
{
    int flags = fcntl(fd, F_GETFD);

    if (flags < 0)
        return errno;
    if ((flags & FD_CLOEXEC) != 0 && fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC) < 0)
        return errno;
    return 0;
}

WEFT_SPAWN_RAW static int put_at(int fd, int target)
{
    while (dup2(fd, target) < 0) {
        if (errno != EINTR && errno != EBUSY)
            return errno;
    }
    return 0;
}

/* `target` is inherited; where that would leave it closed in the program, it becomes /dev/null. */
WEFT_SPAWN_RAW static int inherit(int target)
{
    int flags = fcntl(target, F_GETFD);

    if (flags >= 0 && (flags & FD_CLOEXEC) == 0)
        return 0;
    if (flags >= 0)
        (void)close(target); /* some other descriptor of the parent landed here */

    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return errno;
    if (fd == target)
        return 0;
    int error = put_at(fd, target);
    (void)close(fd);
    return error;
}

/* First every source that lies on another's target is moved out of the way, then all are put down.
 */
WEFT_SPAWN_RAW static int set_standard(const weft_spawn_plan *plan)
{
    int source[3];
    int error = 0;

    for (int i = 0; i < 3; i++) {
        source[i] = plan->fds[i];
        if (source[i] < 0 || source[i] > 2 || source[i] == i)
            continue;
        source[i] = fcntl(source[i], F_DUPFD_CLOEXEC, 3);
        if (source[i] < 0)
            return errno;
    }
    for (int i = 0; i < 3 && error == 0; i++) {
        if (source[i] == WEFT_SPAWN_AS_STDOUT)
            error = put_at(1, i);
        else if (source[i] < 0)
            error = inherit(i);
        else if (source[i] == i)
            error = keep_open(i);
        else
            error = put_at(source[i], i);
    }
    return error;
}

WEFT_SPAWN_RAW static int set_descriptors(const weft_spawn_plan *plan)
{
    for (size_t i = 0; i < plan->pass_fds_count; i++) {
        int error = keep_open(plan->pass_fds[i]);
        if (error != 0)
            return error;
    }
    return set_standard(plan);
}

WEFT_SPAWN_RAW static void set_signals(const weft_spawn_child *child)
{
    struct sigaction action;

    for (int s = 1; s < child->signals && !child->handlers_reset; s++) {
        if (sigaction(s, NULL, &action) < 0)
            continue; /* no such signal, or one of libc's own, which exec resets */
        if ((action.sa_flags & SA_SIGINFO) == 0 &&
            (action.sa_handler == SIG_IGN || action.sa_handler == SIG_DFL))
            continue;
        action.sa_flags = 0;
        action.sa_handler = SIG_DFL;
        (void)sigaction(s, &action, NULL);
    }
    if (!child->plan->keep_signals) {
        action.sa_flags = 0;
        action.sa_handler = SIG_DFL;
        (void)sigemptyset(&action.sa_mask);
        (void)sigaction(SIGPIPE, &action, NULL);
        (void)sigaction(SIGXFSZ, &action, NULL);
    }
    (void)sigprocmask(SIG_SETMASK, child->mask, NULL);
}

WEFT_SPAWN_RAW static int set_session(const weft_spawn_plan *plan)
{
    int error = 0;

    if (plan->new_session && setsid() < 0)
        return errno;
    if (plan->new_session && plan->terminal != NULL)
        error = weft_spawn_child_terminal(plan->terminal_fd, plan->terminal);
    if (error == 0 && plan->set_group && setpgid(0, plan->group) < 0)
        error = errno;
    return error;
}

WEFT_SPAWN_RAW static int set_limits(const weft_spawn_plan *plan)
{
    for (size_t i = 0; i < plan->limits_count; i++) {
        if (setrlimit(plan->limits[i].resource, &plan->limits[i].value) < 0)
            return errno;
    }
    return 0;
}

/* Closes what is neither 0, 1, 2, nor passed, nor the report's. Gaps between those, in ascending
 * order. */
WEFT_SPAWN_RAW static int close_others(const weft_spawn_child *child)
{
    const weft_spawn_plan *plan = child->plan;
    size_t next = 0;
    int from = 3;

    for (;;) {
        while (next < plan->pass_fds_count && plan->pass_fds[next] < from)
            next++;
        int keep = next < plan->pass_fds_count ? plan->pass_fds[next] : -1;
        if (child->report_fd >= from && (keep < 0 || child->report_fd < keep))
            keep = child->report_fd;

        if (keep != from) {
            int error = weft_spawn_child_close(child, from, keep < 0 ? -1 : keep - 1);
            if (error != 0 || keep < 0)
                return error;
        }
        from = keep + 1;
    }
}

WEFT_SPAWN_RAW static void close_unlisted(const weft_spawn_child *child)
{
    int error = child->plan->keep_fds ? 0 : close_others(child);
    if (error != 0)
        fail(child, WEFT_SPAWN_SETUP, error);
}

/* The first error that is not "no such file" wins, so that a program found but not executable says
 * so. */
WEFT_SPAWN_RAW static int execute(const weft_spawn_plan *plan)
{
    int first = 0;
    int error = ENOENT;

    for (size_t i = 0; plan->paths[i] != NULL; i++) {
        (void)execve(plan->paths[i], plan->argv, plan->envp);
        error = errno;
        if (error != ENOENT && error != ENOTDIR && first == 0)
            first = error;
    }
    return first != 0 ? first : error;
}

WEFT_SPAWN_RAW _Noreturn void weft_spawn_child_run(const weft_spawn_child *child)
{
    const weft_spawn_plan *plan = child->plan;
    int error;

    child->shared->alive = 1;

    error = set_descriptors(plan);
    if (error != 0)
        fail(child, WEFT_SPAWN_SETUP, error);
    if (plan->cwd != NULL && chdir(plan->cwd) < 0)
        fail(child, WEFT_SPAWN_CHDIR, errno);
    if (plan->set_umask)
        (void)umask(plan->umask);

    set_signals(child);

    error = set_session(plan);
    if (error != 0)
        fail(child, WEFT_SPAWN_SETUP, error);
    if (plan->hook == NULL)
        close_unlisted(child);
    error = set_limits(plan);
    if (error != 0)
        fail(child, WEFT_SPAWN_LIMITS, error);
    error = weft_spawn_child_identity(plan);
    if (error != 0)
        fail(child, WEFT_SPAWN_IDENTITY, error);
    error = plan->death_signal != 0
                ? weft_spawn_child_death_signal(plan->death_signal, child->parent)
                : 0;
    if (error != 0)
        fail(child, WEFT_SPAWN_DEATH_SIGNAL, error);
    if (plan->hook != NULL) {
        error = plan->hook(plan->hook_arg);
        if (error != 0)
            fail(child, WEFT_SPAWN_HOOK, error < 0 ? -error : error);
        close_unlisted(child);
    }
    fail(child, WEFT_SPAWN_EXEC, execute(plan));
}
