/* SPDX-License-Identifier: MIT */
/*
 * The parent's side of a spawn, the same for every way to make the child.
 *
 * The report comes through a pipe whose write end closes at the exec. Where the child has shown, by
 * a store that arrived here, that it runs in the parent's memory, the parent was stopped until the
 * exec, so the report lies in memory already and the pipe need not be read. That is faster. Once
 * that has been seen, the next children are made without a pipe.
 *
 * The pipe must not be held open by a child of somebody else's fork, which would hold the start up
 * as long as it lives. So no fork takes place between the making of the pipe and the closing of its
 * write end, but the spawn's own: `pipe_lock`, which that fork's handlers find held by their own
 * thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/cloexec.h"
#include "platform/spawn_child.h"

static pthread_mutex_t pipe_lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local bool within; /* this thread holds it, for a spawn */

void weft_spawn_before_fork(void)
{
    if (!within)
        (void)pthread_mutex_lock(&pipe_lock);
}

void weft_spawn_after_fork(void)
{
    if (!within)
        (void)pthread_mutex_unlock(&pipe_lock);
}

/* Before the pipe exists, whose numbers could be just those that are passed although they are
 * closed. */
static int check_descriptors(const weft_spawn_plan *plan)
{
    for (int i = 0; i < 3; i++) {
        if (plan->fds[i] >= 0 && fcntl(plan->fds[i], F_GETFD) < 0)
            return -errno;
    }
    for (size_t i = 0; i < plan->pass_fds_count; i++) {
        if (fcntl(plan->pass_fds[i], F_GETFD) < 0)
            return -errno;
    }
    return 0;
}

/* Both ends above 2, which belong to the program. */
static int report_pipe(int fds[2])
{
    int r = weft_cloexec_pipe(fds);
    if (r < 0)
        return r;

    r = weft_cloexec_move_up(&fds[0]);
    if (r == 0)
        r = weft_cloexec_move_up(&fds[1]);
    if (r < 0) {
        (void)close(fds[0]);
        (void)close(fds[1]);
    }
    return r;
}

static int take_report(int fd, const weft_spawn_shared *shared, weft_spawn_result *result)
{
    weft_spawn_report report;
    ssize_t n;

    if (shared->alive != 0) {
        report.stage = shared->report.stage;
        report.error = shared->report.error;
    } else {
        if (fd < 0) /* killed before it could store */
            return 0;
        do
            n = read(fd, &report, sizeof report);
        while (n < 0 && errno == EINTR);
        if (n != (ssize_t)sizeof report)
            return 0;
    }
    if (report.error != 0)
        result->stage = (weft_spawn_stage)report.stage;
    return -report.error;
}

static void discard(weft_spawn_result *result)
{
    int status;

    while (waitpid(result->pid, &status, 0) < 0 && errno == EINTR)
        ; /* ECHILD: the host, or an ignored SIGCHLD, was faster */
    if (result->pidfd >= 0)
        (void)close(result->pidfd);
    result->pid = -1;
    result->pidfd = -1;
}

static int signal_bound(void)
{
#ifdef SIGRTMAX
    return SIGRTMAX + 1;
#else
    return 65;
#endif
}

/* With a pipe, or (fds -1) without. 0, a negative errno, or WEFT_SPAWN_NEEDS_PIPE. */
static int begin(const weft_spawn_plan *plan, const int fds[2], weft_spawn_shared *shared,
                 weft_spawn_result *result)
{
    sigset_t all;
    sigset_t before;
    weft_spawn_child child = {
        .plan = plan,
        .report_fd = fds[1],
        .mask = plan->mask != NULL ? plan->mask : &before,
        .parent = getpid(),
        .signals = signal_bound(),
        .close_bound = -1,
        .shared = shared,
    };

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = weft_spawn_begin(&child, result);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

static int begin_with_pipe(const weft_spawn_plan *plan, weft_spawn_shared *shared,
                           weft_spawn_result *result, int *report_fd)
{
    int fds[2];
    int r = report_pipe(fds);
    if (r < 0)
        return r;
    *report_fd = fds[0];
    r = begin(plan, fds, shared, result);
    (void)close(fds[1]);
    return r;
}

static int spawn_with_pipe(const weft_spawn_plan *plan, weft_spawn_result *result)
{
    weft_spawn_shared shared = {.alive = 0};
    int report_fd = -1;

    weft_cloexec_before_fork();
    weft_spawn_before_fork();
    within = true;
    int r = begin_with_pipe(plan, &shared, result, &report_fd);
    within = false;
    weft_spawn_after_fork();
    weft_cloexec_after_fork();
    if (r == 0)
        r = take_report(report_fd, &shared, result);
    if (report_fd >= 0)
        (void)close(report_fd);
    return r;
}

static int spawn_sharing(const weft_spawn_plan *plan, weft_spawn_result *result)
{
    static const int none[2] = {-1, -1};
    weft_spawn_shared shared = {.alive = 0};

    int r = begin(plan, none, &shared, result);
    return r == 0 ? take_report(-1, &shared, result) : r;
}

int weft_spawn(const weft_spawn_plan *plan, weft_spawn_result *result)
{
    *result = (weft_spawn_result){.pid = -1, .pidfd = -1, .stage = WEFT_SPAWN_SETUP};
    int r = check_descriptors(plan);
    if (r < 0)
        return r;
    result->stage = WEFT_SPAWN_FORK;
    r = weft_spawn_shares(plan) ? spawn_sharing(plan, result) : WEFT_SPAWN_NEEDS_PIPE;
    if (r == WEFT_SPAWN_NEEDS_PIPE)
        r = spawn_with_pipe(plan, result);
    if (r < 0 && result->pid > 0)
        discard(result);
    return r;
}
