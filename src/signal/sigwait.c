/* SPDX-License-Identifier: MIT */
/*
 * Taking a signal off without a handler.
 *
 * Whatever waits, the taking is the same: sigtimedwait with no time, so that nobody is ever stuck
 * in the system with a cancel, a scope or a handler pending, and of several that wait exactly one
 * gets the signal; the others look again. In between is an ordinary wait of the library: for a
 * descriptor, where the system has one for pending signals (platform/signalwait.h), else for a
 * short time, which doubles up to 5 ms.
 *
 * The system leaves open what becomes of a signal that is not blocked. A thread blocks it for the
 * time of the wait, which is all that a program of one thread needs; a coroutine cannot, since its
 * thread goes on with others meanwhile.
 */
#include "signal/handler.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/error.h"
#include "core/iowait.h"
#include "platform/signalwait.h"
#include "signal/note.h"

/* The number; 0: none is pending. */
static int take(const sigset_t *set, siginfo_t *info)
{
    const struct timespec none = {0};
    int r;
    do
        r = sigtimedwait(set, info, &none);
    while (r < 0 && errno == EINTR);
    return r >= 0 ? r : errno == EAGAIN ? 0 : -errno;
}

/* Until a look is worth while. `step`, seconds, is used where there is no descriptor. */
static int wait_once(int fd, weft_instant deadline, double *step)
{
    if (deadline != WEFT_INSTANT_NEVER && deadline <= weft_instant_now())
        return weft_error_timed_out();
    if (fd >= 0)
        return weft_fd_wait_for(fd, WEFT_READABLE, deadline);
    double left = weft_deadline_left(deadline);
    int r = weft_sleep(left >= 0 && left < *step ? left : *step);
    *step = *step < 2.5e-3 ? *step * 2 : 5e-3;
    return r;
}

static int take_in_time(const sigset_t *set, siginfo_t *info, weft_instant deadline)
{
    double step = 50e-6;
    int r = take(set, info);
    if (r != 0)
        return r < 0 ? weft_error(r, "wait for a signal: %s", weft_strerror(r)) : r;
    int fd = weft_signalwait_open(set);
    if (fd < 0 && fd != -ENOTSUP)
        return weft_error(fd, "wait for a signal: %s", weft_strerror(fd));
    /* 0: again; a look that the wait was for comes first when its time is up, too */
    while ((r = take(set, info)) == 0 && (r = wait_once(fd, deadline, &step)) == 0)
        continue;
    int late = r == -ETIMEDOUT ? take(set, info) : 0;
    if (fd >= 0)
        close(fd);
    return late > 0 ? late : r;
}

/* Errors, with a message: -EINVAL. *unblocked: those of the set that the thread lets through. */
static int check_blocked(const weft_sigset *set, sigset_t *unblocked, bool *any)
{
    sigset_t mask;
    weft_context *self = weft_context_self();
    if (self == NULL)
        return weft_error(-ENOMEM, "wait for a signal: no memory");
    int r = -pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (r < 0)
        return weft_error(r, "wait for a signal: %s", weft_strerror(r));
    (void)sigemptyset(unblocked);
    for (int signum = 0; (signum = weft_sigset_next(set, signum)) > 0;) {
        if (sigismember(&mask, signum) == 1)
            continue;
        if (self->coroutine)
            return weft_error(-EINVAL, "wait for %s: it is not blocked in the loop's thread",
                              weft_signal_label(signum));
        (void)sigaddset(unblocked, signum);
        *any = true;
    }
    return 0;
}

/* SIGKILL and SIGSTOP can be neither blocked nor waited for: they are left out, as the system does.
 */
static int wait_for(const weft_sigset *wanted, siginfo_t *info, double timeout)
{
    weft_instant deadline;
    weft_sigset set;
    sigset_t system, unblocked;
    bool any = false;
    if (wanted == NULL)
        return weft_error(-EINVAL, "wait for a signal: the set is NULL");
    set = *wanted;
    (void)weft_sigset_remove(&set, SIGKILL);
    (void)weft_sigset_remove(&set, SIGSTOP);
    int r = weft_deadline(timeout, &deadline);
    if (r == 0)
        r = check_blocked(&set, &unblocked, &any);
    if (r < 0)
        return r;
    weft_sigset_to_system(&set, &system);
    if (any)
        r = -pthread_sigmask(SIG_BLOCK, &unblocked, NULL);
    if (r < 0)
        return weft_error(r, "wait for a signal: %s", weft_strerror(r));
    r = take_in_time(&system, info, deadline);
    if (any) /* these alone: a handler may have changed the mask meanwhile */
        (void)pthread_sigmask(SIG_UNBLOCK, &unblocked, NULL);
    return r;
}

int weft_signal_sigwait(const weft_sigset *set, double timeout)
{
    siginfo_t info;
    return wait_for(set, &info, timeout);
}

int weft_signal_sigwaitinfo(const weft_sigset *set, weft_signal_info *info, double timeout)
{
    siginfo_t system;
    int r = wait_for(set, &system, timeout);
    if (r > 0 && info != NULL) {
        weft_signal_info_from_system(info, &system);
        info->signum = r;
    }
    return r;
}
