/* SPDX-License-Identifier: MIT */
/*
 * A pidfd names the process itself, not a number that may be reused: it is readable from the end
 * on, takes signals, and tells the status, from Linux 6.15 even after somebody else has reaped the
 * child.
 *
 * Dropped children lie on one list, and their pidfds in an epoll set, so that looking for those
 * that have ended costs by their number and not by that of the ones that run. Without the set (no
 * descriptor left) the whole list is walked. The list's node is allocated when the child is opened,
 * so that closing cannot fail.
 *
 * Lock order: a child's own lock and the list's are never held together.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "platform/childexit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/base.h>

#include "core/memory.h"
#include "platform/cloexec.h"

enum {
    ID_IS_PIDFD = 3, /* P_PIDFD */
    BATCH = 64,
    PATIENCE = 1000, /* looks for a status that another thread's wait is about to leave */
};

/* The kernel's struct pidfd_info in its first size, and its request; headers before 6.13 lack both.
 */
typedef struct pidfd_information {
    uint64_t mask, cgroup;
    uint32_t pid, tgid, ppid, ids[8];
    int32_t exit_code; /* as wait(2) gives it */
} pidfd_information;

#define GET_INFORMATION  _IOWR(0xFF, 11, pidfd_information)
#define INFORMATION_EXIT (UINT64_C(1) << 3)

const bool weft_childexit_has_usage = true;

typedef struct dropped {
    struct dropped *next;
    struct dropped **link; /* what points here */
    pid_t pid;
    int fd;
} dropped;

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static dropped *list;
static _Atomic int list_count; /* changed under the lock; read without as a hint */
static int list_set = -1;      /* the epoll set; -1: none, or not all of the list is in it */

/* ---- one child */

/* The kernel's struct rusage, whose times are longs whatever libc's are. */
typedef struct kernel_usage {
    long user[2], system[2]; /* seconds, microseconds */
    long max_rss;            /* KiB */
    long unused1[3];
    long minor_faults, major_faults;
    long unused2;
    long blocks_in, blocks_out;
    long unused3[3];
    long voluntary_switches, involuntary_switches;
} kernel_usage;

static void tell_usage(weft_childexit_usage *usage, const kernel_usage *kernel)
{
    *usage = (weft_childexit_usage){
        .user = (double)kernel->user[0] + (double)kernel->user[1] / 1e6,
        .system = (double)kernel->system[0] + (double)kernel->system[1] / 1e6,
        .max_rss = (uint64_t)kernel->max_rss * 1024,
        .minor_faults = (uint64_t)kernel->minor_faults,
        .major_faults = (uint64_t)kernel->major_faults,
        .blocks_in = (uint64_t)kernel->blocks_in,
        .blocks_out = (uint64_t)kernel->blocks_out,
        .voluntary_switches = (uint64_t)kernel->voluntary_switches,
        .involuntary_switches = (uint64_t)kernel->involuntary_switches,
    };
}

/* waitid(2), whose fifth argument libc hides. */
static int ask(int type, int id, siginfo_t *info, kernel_usage *usage)
{
    long r;

    do {
        info->si_pid = 0;
        r = syscall(SYS_waitid, type, id, info, WEXITED | WNOHANG, usage);
    } while (r < 0 && errno == EINTR);
    return (int)r;
}

/* 1: ended, *status and *usage (may be NULL) set; 0: runs; WEFT_ESTATUS_LOST: not ours to wait for
 * any more. */
static int wait_for(pid_t pid, int fd, int *status, weft_childexit_usage *usage)
{
    siginfo_t info;
    kernel_usage kernel = {.max_rss = 0};

    int r = ask(ID_IS_PIDFD, fd, &info, &kernel);
    if (r < 0 && errno == EINVAL) /* Linux 5.3 */
        r = ask(P_PID, pid, &info, &kernel);
    if (r < 0)
        return WEFT_ESTATUS_LOST;
    if (info.si_pid == 0)
        return 0;
    *status = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    if (usage != NULL)
        tell_usage(usage, &kernel);
    return 1;
}

static short readiness(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};
    return poll(&look, 1, 0) > 0 ? look.revents : 0;
}

/* Somebody else has reaped the child, or is about to: the kernel leaves the status just before the
 * process disappears, which POLLHUP tells, but answers ECHILD to others a little earlier. */
static int ask_for(int fd, int *status)
{
    for (int i = 0; i < PATIENCE; i++) {
        short ready = readiness(fd);
        if (ready == 0)
            return 0; /* not our child, and it runs */

        pidfd_information info = {.mask = INFORMATION_EXIT};
        /* Not ioctl(): musl's takes an int, which the number is not. */
        bool told = syscall(SYS_ioctl, fd, GET_INFORMATION, &info) == 0;
        if (!told && errno != ESRCH)
            return WEFT_ESTATUS_LOST;
        if (told && (info.mask & INFORMATION_EXIT) != 0) {
            *status = WIFSIGNALED(info.exit_code) ? -WTERMSIG(info.exit_code)
                                                  : WEXITSTATUS(info.exit_code);
            return 1;
        }
        if ((ready & POLLHUP) != 0)
            return WEFT_ESTATUS_LOST;
        (void)sched_yield();
    }
    return WEFT_ESTATUS_LOST;
}

static int look(pid_t pid, int fd, int *status)
{
    int r = wait_for(pid, fd, status, NULL);
    return r == WEFT_ESTATUS_LOST ? ask_for(fd, status) : r;
}

/* A descriptor that is readable for ever, for a child that had gone before it could be named. */
static int ended_descriptor(void)
{
    int fds[2];
    int r = weft_cloexec_pipe(fds);
    if (r < 0)
        return r;
    ssize_t n =
        write(fds[1], "", 1); /* closing alone is undone by a fork's copy of the write end */
    (void)close(fds[1]);
    if (n == 1)
        return fds[0];
    (void)close(fds[0]);
    return -EAGAIN;
}

int weft_childexit_open(weft_childexit *child, pid_t pid, int pidfd)
{
    bool gone = false;

    dropped *node = weft_calloc(1, sizeof *node);
    if (node == NULL)
        return -ENOMEM;
    if (pidfd < 0) {
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (pidfd < 0 && errno == ESRCH) {
            gone = true;
            pidfd = ended_descriptor();
        } else if (pidfd < 0) {
            pidfd = -errno;
        }
    }
    if (pidfd < 0) {
        weft_dealloc(node);
        return pidfd;
    }
    *child = (weft_childexit){
        .pid = pid, .fd = pidfd, .reaped = gone, .status_lost = gone, .impl = node};
    (void)pthread_mutex_init(&child->lock, NULL);
    return 0;
}

int weft_childexit_reap(weft_childexit *child, int *status)
{
    int r = 1;

    (void)pthread_mutex_lock(&child->lock);
    if (!child->reaped) {
        r = wait_for(child->pid, child->fd, &child->status, &child->usage);
        child->usage_known = r > 0;
        if (r == WEFT_ESTATUS_LOST)
            r = ask_for(child->fd, &child->status);
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
    int r = 0;

    (void)pthread_mutex_lock(&child->lock);
    if (child->reaped) {
        r = -ESRCH;
    } else if (syscall(SYS_pidfd_send_signal, child->fd, signum, NULL, 0) < 0) {
        r = -errno;
        if (r == -ENOSYS)
            r = kill(child->pid, signum) < 0 ? -errno : 0;
    }
    (void)pthread_mutex_unlock(&child->lock);
    return r;
}

/* ---- the dropped ones; all under the list's lock */

static void set_close(void)
{
    if (list_set >= 0)
        (void)close(list_set);
    list_set = -1;
}

static void set_add(dropped *node)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = node};

    if (list == NULL && list_set < 0)
        list_set = epoll_create1(EPOLL_CLOEXEC);
    if (list_set >= 0 && epoll_ctl(list_set, EPOLL_CTL_ADD, node->fd, &event) < 0)
        set_close(); /* from now on, until it is empty, the list is walked */
}

static void list_add(dropped *node)
{
    (void)pthread_mutex_lock(&list_lock);
    set_add(node);
    node->next = list;
    node->link = &list;
    if (list != NULL)
        list->link = &node->next;
    list = node;
    atomic_fetch_add_explicit(&list_count, 1, memory_order_relaxed);
    (void)pthread_mutex_unlock(&list_lock);
}

static bool list_reap(dropped *node)
{
    int status;

    if (look(node->pid, node->fd, &status) == 0)
        return false;
    /* Not left to close: a child of a fork may hold a copy of the pidfd, which would stay in the
     * set. */
    if (list_set >= 0)
        (void)epoll_ctl(list_set, EPOLL_CTL_DEL, node->fd, NULL);
    *node->link = node->next;
    if (node->next != NULL)
        node->next->link = node->link;
    (void)close(node->fd);
    weft_dealloc(node);
    atomic_fetch_sub_explicit(&list_count, 1, memory_order_relaxed);
    return true;
}

static void reap_by_set(void)
{
    struct epoll_event events[BATCH];
    int n;

    do {
        int reaped = 0;
        n = epoll_wait(list_set, events, BATCH, 0);
        for (int i = 0; i < n; i++)
            reaped += list_reap(events[i].data.ptr);
        if (reaped == 0)
            break;
    } while (n == BATCH);
}

static void reap_by_walk(void)
{
    for (dropped *node = list; node != NULL;) {
        dropped *next = node->next;
        (void)list_reap(node);
        node = next;
    }
}

int weft_childexit_reap_dropped(void)
{
    if (atomic_load_explicit(&list_count, memory_order_relaxed) == 0)
        return 0;

    (void)pthread_mutex_lock(&list_lock);
    if (list_set >= 0)
        reap_by_set();
    else
        reap_by_walk();
    if (list == NULL)
        set_close();
    int left = atomic_load_explicit(&list_count, memory_order_relaxed);
    (void)pthread_mutex_unlock(&list_lock);
    return left;
}

void weft_childexit_close(weft_childexit *child)
{
    dropped *node = child->impl;
    int status;

    if (weft_childexit_reap(child, &status) == 0) {
        node->pid = child->pid;
        node->fd = child->fd;
        list_add(node);
    } else {
        (void)close(child->fd);
        weft_dealloc(node);
    }
    child->fd = -1;
    child->impl = NULL;
    (void)pthread_mutex_destroy(&child->lock);
}

void weft_childexit_before_fork(void)
{
    (void)pthread_mutex_lock(&list_lock);
}

/* The set is one with the parent's, so it is only closed, never changed. */
void weft_childexit_after_fork(bool in_child)
{
    if (in_child) {
        while (list != NULL) {
            dropped *node = list;
            list = node->next;
            (void)close(node->fd);
            weft_dealloc(node);
        }
        set_close();
        atomic_store_explicit(&list_count, 0, memory_order_relaxed);
    }
    (void)pthread_mutex_unlock(&list_lock);
}
