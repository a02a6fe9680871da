/* SPDX-License-Identifier: MIT */
/*
 * spawn: a program in a new process.
 *
 * The plan is prepared whole by the parent (no allocation, no look-up between fork and exec). The
 * call returns when the child has executed the program, or says why it did not: which stage failed,
 * and its errno, reported through a close-on-exec pipe.
 *
 * spawn_parent.c: the parent's side.  spawn_clone.c: clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD) on
 * a stack of its own, tried at run time, then vfork, then fork.  spawn_fork.c: fork. spawn_child.c:
 * what runs in the child: only async-signal-safe calls.
 */
#ifndef WEFT_PLATFORM_SPAWN_H
#define WEFT_PLATFORM_SPAWN_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

typedef enum weft_spawn_stage {
    WEFT_SPAWN_FORK,  /* no child came to be: fork, pipe */
    WEFT_SPAWN_SETUP, /* descriptors, session, group, umask */
    WEFT_SPAWN_CHDIR,
    WEFT_SPAWN_LIMITS,
    WEFT_SPAWN_IDENTITY,     /* uid, gid, groups */
    WEFT_SPAWN_DEATH_SIGNAL, /* cannot be asked for */
    WEFT_SPAWN_HOOK,         /* the preexec hook returned non-zero */
    WEFT_SPAWN_EXEC,
} weft_spawn_stage;

enum { WEFT_SPAWN_AS_STDOUT = -2 };

typedef struct weft_spawn_limit {
    int resource;
    struct rlimit value;
} weft_spawn_limit;

typedef struct weft_spawn_plan {
    const char *const *paths; /* NULL-ended candidates, tried in order: ENOENT and ENOTDIR go on */
    char *const *argv;
    char *const *envp;
    const char *cwd;     /* NULL: the parent's */
    int fds[3];          /* become 0, 1, 2; -1: inherited as it is, /dev/null where it is closed;
                          * of the last, WEFT_SPAWN_AS_STDOUT: what 1 has become */
    const int *pass_fds; /* kept open, under their numbers; sorted, ascending; of 0, 1, 2 only
                          * what `fds` leaves at -1 */
    size_t pass_fds_count;
    bool keep_fds;     /* do not close the others */
    bool keep_signals; /* do not give SIGPIPE and SIGXFSZ their default action */
    bool new_session;
    const char *terminal; /* with new_session: its controlling one; NULL: none is given */
    int terminal_fd;      /* 0, 1 or 2, which is that terminal */
    bool set_group;       /* setpgid(0, group) */
    pid_t group;
    bool set_umask;
    mode_t umask;
    bool set_uid, set_gid, set_groups; /* groups, gid, uid in that order; each checked */
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t groups_count;
    const weft_spawn_limit *limits; /* set before the identity changes */
    size_t limits_count;
    int death_signal;       /* comes when the calling thread ends; 0: none */
    const sigset_t *mask;   /* what the program starts with; NULL: the calling thread's */
    int (*hook)(void *arg); /* non-zero: an errno, of either sign; switches to plain fork */
    void *hook_arg;
} weft_spawn_plan;

typedef struct weft_spawn_result {
    pid_t pid;
    int pidfd;              /* made at birth, close-on-exec; -1 where the system has none */
    weft_spawn_stage stage; /* on failure */
} weft_spawn_result;

/* Waits for the exec. 0, or a negative errno with result->stage (the child, if any, is reaped, pid
 * and pidfd are -1). Signals are blocked in the calling thread meanwhile; the mask is restored in
 * every case. A child that is killed before its exec counts as
 * started. Errors: -ENOTSUP: supplementary groups, the death signal, or closing without bound, in
 * plain POSIX; -EBADF with WEFT_SPAWN_SETUP: one of fds or pass_fds is not open; -EAGAIN, -ENOMEM,
 * -EMFILE, -ENFILE; those of chdir, setsid, setpgid, setrlimit, setreuid, setregid, setgroups,
 * execve; the hook's. */
int weft_spawn(const weft_spawn_plan *plan, weft_spawn_result *result);

/* A copy of this process: as fork(2), plus a pidfd from birth where there is one (else -1; NULL:
 * none wanted). In the child 0 is returned, and *pidfd is -1. Flushing and locks are the caller's.
 * Errors, negative: -EAGAIN, -ENOMEM, -EMFILE, -ENFILE. */
pid_t weft_spawn_fork(int *pidfd);

/* Around every fork, in pthread_atfork handlers: before in the parent, after in parent and child.
 * No child has a copy of what a spawn in another thread waits for the end of. */
void weft_spawn_before_fork(void);
void weft_spawn_after_fork(void);

/* Gives back the stacks that spawns keep for the next one. At shutdown. */
void weft_spawn_trim(void);

#endif
