/* SPDX-License-Identifier: MIT */
/*
 * childexit: the end of one child process, as a descriptor.
 *
 * The descriptor becomes readable when the child has ended; the status is taken by
 * weft_childexit_reap. SIGCHLD is never touched and no other child is ever waited for. Whether the
 * pid is still the child's (not reaped, so not recycled) is known here, so signals go through here.
 *
 * childexit_pidfd.c: the child's pidfd; where somebody else reaped the child, the status comes from
 * PIDFD_GET_INFO (Linux 6.15).  childexit_thread.c: a thread in waitid(P_PID, WEXITED | WNOWAIT)
 * that writes to a pipe.
 */
#ifndef WEFT_PLATFORM_CHILDEXIT_H
#define WEFT_PLATFORM_CHILDEXIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Seconds, bytes, numbers. */
typedef struct weft_childexit_usage {
    double user, system;
    uint64_t max_rss;
    uint64_t minor_faults, major_faults;
    uint64_t blocks_in, blocks_out;
    uint64_t voluntary_switches, involuntary_switches;
} weft_childexit_usage;

/* Whether the system tells what one child has used. */
extern const bool weft_childexit_has_usage;

typedef struct weft_childexit {
    pid_t pid;
    int fd;               /* readable at the child's end; -1 after close; poll it, do not read it */
    pthread_mutex_t lock; /* guards the fields below, and kill against reap */
    bool reaped;
    bool status_lost; /* reaped by somebody else and not kept by the system */
    int status;       /* exit code, or minus the signal's number; valid once reaped and not lost */
    weft_childexit_usage usage; /* as status, where weft_childexit_has_usage; zero where lost */
    bool usage_known;
    void *impl;
} weft_childexit;

/* `pidfd` is one made at the child's birth (taken over on success), or -1. A child that is gone
 * already is no error: the descriptor is readable then. The child runs on and is the caller's on
 * errors: -ENOSYS: no pidfds here (Linux before 5.3, Valgrind before 3.21: build with the thread);
 * -EMFILE, -ENFILE, -ENOMEM, -EAGAIN (no thread). */
int weft_childexit_open(weft_childexit *child, pid_t pid, int pidfd);

/* 1: it has ended, and `status` is set (exit code, or minus the signal); 0: it runs. Never waits.
 * After the first 1 always 1. Any thread. Errors: WEFT_ESTATUS_LOST: ended, the status is gone,
 * from now on always. */
int weft_childexit_reap(weft_childexit *child, int *status);

/* Any thread. A child that has ended but is not reaped is no error.
 * Errors: -ESRCH: reaped already (no system call is made), or by somebody else; -EPERM, -EINVAL. */
int weft_childexit_kill(weft_childexit *child, int signum);

/* Closes the descriptor. A child that has not been reaped is, or, if it still runs, is left to
 * itself and kept on a list for weft_childexit_reap_dropped. No thread stays. The last call on
 * `child`. */
void weft_childexit_close(weft_childexit *child);

/* Reaps what was dropped and has ended. Returns how many still run. Costs one load when there are
 * none. */
int weft_childexit_reap_dropped(void);

/* Around a fork: before in the parent, after in both. The child of the fork forgets what was
 * dropped: these are not its children. */
void weft_childexit_before_fork(void);
void weft_childexit_after_fork(bool in_child);

#endif
