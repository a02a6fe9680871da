/* SPDX-License-Identifier: MIT */
/*
 * POSIX has no descriptor for a process, and SIGCHLD belongs to the host, so one small thread per
 * child waits for its end and writes to a pipe. (Closing alone would not do: a child forked
 * meanwhile has a copy of the write end.)
 *
 * The thread waits with WNOWAIT and leaves the reaping to weft_childexit_reap, under the child's
 * lock: until then the pid cannot be reused, so a signal cannot meet a stranger. Where a host reaps
 * everything, POSIX cannot do better than to look with waitid right before the kill.
 *
 * A child that is dropped while it runs takes no thread along: the thread is cancelled in waitid,
 * which POSIX makes a cancellation point, and joined. Cancellation is enabled nowhere else in it.
 * Dropped children are then asked one by one.
 */
#include "platform/childexit.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__GLIBC__)
#include <unwind.h>
#endif

#include <weft/base.h>

#include "core/memory.h"
#include "platform/cloexec.h"

enum {
    STACK_SPARE = 64 * 1024, /* above the system's least, for sanitizers and cancellation */
};

const bool weft_childexit_has_usage = false; /* getrusage tells the sum of all children */

typedef struct watch {
    pid_t pid;
    pthread_t thread;
    int write_fd;       /* the thread's until it is joined */
    _Atomic bool done;  /* the thread is past its waitid */
    struct watch *next; /* dropped */
} watch;

#if defined(__GLIBC__)
/* The first pthread_cancel opens the library that this is in, and aborts where no descriptor or
 * memory is left for that; one that the program has been linked with is there already. */
__attribute__((used)) static _Unwind_Reason_Code (*const unwind)(_Unwind_Trace_Fn,
                                                                 void *) = _Unwind_Backtrace;
#endif

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static watch *list;
static _Atomic int list_count; /* changed under the lock; read without as a hint */

static void *watch_thread(void *arg)
{
    watch *self = arg;
    siginfo_t info;
    ssize_t n;
    int state;
    int r;

    (void)pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
    do
        r = waitid(P_PID, (id_t)self->pid, &info, WEXITED | WNOWAIT);
    while (r < 0 && errno == EINTR);
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);

    /* ECHILD is an end too: reaped by somebody else. The pipe is empty and its read end open. */
    do
        n = write(self->write_fd, "", 1);
    while (n < 0 && errno == EINTR);
    (void)close(self->write_fd);
    self->write_fd = -1;
    atomic_store_explicit(&self->done, true, memory_order_relaxed); /* a hint; the join orders */
    return NULL;
}

/* The cleanest start: all signals blocked, so that none of the host's handlers ever runs there. */
static int watch_start(watch *self)
{
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    long least = sysconf(_SC_THREAD_STACK_MIN);

    if (pthread_attr_init(&attributes) != 0)
        return -ENOMEM;
    if (least < PTHREAD_STACK_MIN)
        least = PTHREAD_STACK_MIN;
    (void)pthread_attr_setstacksize(&attributes, (size_t)least + STACK_SPARE);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = -pthread_create(&self->thread, &attributes, watch_thread, self);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return r;
}

/* The thread is gone and the pipe's end closed after this. */
static void watch_stop(watch *self)
{
    if (!atomic_load_explicit(&self->done, memory_order_relaxed))
        (void)pthread_cancel(self->thread);
    (void)pthread_join(self->thread, NULL);
    if (self->write_fd >= 0)
        (void)close(self->write_fd);
    self->write_fd = -1;
}

int weft_childexit_open(weft_childexit *child, pid_t pid, int pidfd)
{
    int fds[2];

    watch *self = weft_calloc(1, sizeof *self);
    if (self == NULL)
        return -ENOMEM;
    int r = weft_cloexec_pipe(fds);
    if (r < 0)
        goto free_watch;

    self->pid = pid;
    self->write_fd = fds[1];
    r = watch_start(self);
    if (r < 0)
        goto close_pipe;

    if (pidfd >= 0)
        (void)close(pidfd); /* taken over, of no use here */
    *child = (weft_childexit){.pid = pid, .fd = fds[0], .impl = self};
    (void)pthread_mutex_init(&child->lock, NULL);
    return 0;

close_pipe:
    (void)close(fds[0]);
    (void)close(fds[1]);
free_watch:
    weft_dealloc(self);
    return r;
}

/* 1: ended, *status set; 0: runs; WEFT_ESTATUS_LOST: not ours to wait for any more. */
static int look(pid_t pid, int options, int *status)
{
    siginfo_t info;
    int r;

    do {
        info.si_pid = 0;
        r = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | options);
    } while (r < 0 && errno == EINTR);
    if (r < 0)
        return WEFT_ESTATUS_LOST;
    if (info.si_pid == 0)
        return 0;
    *status = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    return 1;
}

int weft_childexit_reap(weft_childexit *child, int *status)
{
    int r = 1;

    (void)pthread_mutex_lock(&child->lock);
    if (!child->reaped) {
        r = look(child->pid, 0, &child->status);
        child->reaped = r != 0;
        child->status_lost = r < 0;
    }
    if (child->status_lost)
        r = WEFT_ESTATUS_LOST;
    else if (child->reaped)
        *status = child->status;
    (void)pthread_mutex_unlock(&child->lock);
    return r;
}

int weft_childexit_kill(weft_childexit *child, int signum)
{
    int status;
    int r = 0;

    (void)pthread_mutex_lock(&child->lock);
    if (child->reaped || look(child->pid, WNOWAIT, &status) < 0)
        r = -ESRCH;
    else if (kill(child->pid, signum) < 0)
        r = -errno;
    (void)pthread_mutex_unlock(&child->lock);
    return r;
}

void weft_childexit_close(weft_childexit *child)
{
    watch *self = child->impl;
    int status;

    int r = weft_childexit_reap(child, &status);
    watch_stop(self);
    (void)close(child->fd);
    child->fd = -1;
    child->impl = NULL;
    (void)pthread_mutex_destroy(&child->lock);
    if (r != 0) {
        weft_dealloc(self);
        return;
    }
    (void)pthread_mutex_lock(&list_lock);
    self->next = list;
    list = self;
    atomic_fetch_add_explicit(&list_count, 1, memory_order_relaxed);
    (void)pthread_mutex_unlock(&list_lock);
}

int weft_childexit_reap_dropped(void)
{
    int left = 0;
    int status;

    if (atomic_load_explicit(&list_count, memory_order_relaxed) == 0)
        return 0;
    (void)pthread_mutex_lock(&list_lock);
    for (watch **link = &list; *link != NULL;) {
        watch *node = *link;
        if (look(node->pid, 0, &status) == 0) {
            link = &node->next;
            left++;
            continue;
        }
        *link = node->next;
        weft_dealloc(node);
    }
    atomic_store_explicit(&list_count, left, memory_order_relaxed);
    (void)pthread_mutex_unlock(&list_lock);
    return left;
}

void weft_childexit_before_fork(void)
{
    (void)pthread_mutex_lock(&list_lock);
}

void weft_childexit_after_fork(bool in_child)
{
    if (in_child) {
        while (list != NULL) {
            watch *node = list;
            list = node->next;
            weft_dealloc(node);
        }
        atomic_store_explicit(&list_count, 0, memory_order_relaxed);
    }
    (void)pthread_mutex_unlock(&list_lock);
}
