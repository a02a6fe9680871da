/* SPDX-License-Identifier: MIT */
/*
 * spawn_child: what runs in the child between fork and exec.
 *
 * Private to the spawn seam. The child may share the parent's memory (vfork) or be the copy of a
 * parent with other threads: only async-signal-safe calls, no allocation, no lock, no write to
 * memory that the parent uses but `shared`.
 */
#ifndef WEFT_PLATFORM_SPAWN_CHILD_H
#define WEFT_PLATFORM_SPAWN_CHILD_H

#include <signal.h>
#include <stdbool.h>

#include "platform/spawn.h"

/* The child shares memory with the sanitizers' run time of the parent, which must not see its
 * frames. */
#if defined(__has_attribute)
#if __has_attribute(no_sanitize)
#define WEFT_SPAWN_RAW                                                                             \
    __attribute__((no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined")))
#endif
#endif
#ifndef WEFT_SPAWN_RAW
#define WEFT_SPAWN_RAW
#endif

/* What the child says through the pipe, and in memory where the parent shares it. */
typedef struct weft_spawn_report {
    int stage; /* weft_spawn_stage */
    int error; /* errno; 0 in memory: nothing to report */
} weft_spawn_report;

typedef struct weft_spawn_shared {
    volatile int alive; /* the child stores 1: seen by the parent only where memory is one */
    volatile weft_spawn_report report;
} weft_spawn_shared;

typedef struct weft_spawn_child {
    const weft_spawn_plan *plan;
    int report_fd;        /* >= 3, close-on-exec; -1: memory is shared, which is enough */
    const sigset_t *mask; /* what the program starts with */
    pid_t parent;
    int signals;         /* signal numbers lie below this */
    bool handlers_reset; /* the system has put handlers to default at birth */
    int close_bound;     /* no descriptor is open from here on; -1: unknown */
    weft_spawn_shared *shared;
} weft_spawn_child;

/* Ends in the program, or in _exit(127) after the report. */
_Noreturn void weft_spawn_child_run(const weft_spawn_child *child);

/* What the implementation brings, spawn_clone.c or spawn_fork.c: */

enum { WEFT_SPAWN_NEEDS_PIPE = 1 };

/* Whether the child certainly runs in the parent's memory, so that it need not be given a pipe. */
bool weft_spawn_shares(const weft_spawn_plan *plan);

/* Makes the child, which goes to weft_spawn_child_run, and sets pid and pidfd. All signals are
 * blocked. 0 or a negative errno; result->stage is set to what the plan asks in vain with -ENOTSUP.
 * WEFT_SPAWN_NEEDS_PIPE: memory cannot be shared any more. */
int weft_spawn_begin(weft_spawn_child *child, weft_spawn_result *result);

/* In the child. Groups, gid, uid: POSIX has no setgroups, and libc's functions walk a list of
 * threads that are the parent's. 0 or an errno. */
int weft_spawn_child_identity(const weft_spawn_plan *plan);

/* In the child, leader of a session: `fd` is the terminal at `path`, which becomes the session's
 * own. 0 or an errno. */
int weft_spawn_child_terminal(int fd, const char *path);

/* In the child. 0 or an errno; where the parent has died already, so does the child. */
int weft_spawn_child_death_signal(int signum, pid_t parent);

/* In the child. Closes descriptors from `from` up to and including `to` (-1: all above). 0 or an
 * errno. */
int weft_spawn_child_close(const weft_spawn_child *child, int from, int to);

#endif
