/* SPDX-License-Identifier: MIT */
/*
 * process: a job that runs in a process of its own.
 *
 * The child leaves its outcome in a file without a name that both have open, header last, so that
 * it never waits for a reader, and one that was killed can be told from one that had nothing to
 * say. The parent reads it when the system says that the child has ended.
 */
#ifndef WEFT_MULTIPROCESSING_PROCESS_H
#define WEFT_MULTIPROCESSING_PROCESS_H

#include <weft/multiprocessing.h>

#include "core/job.h"
#include "platform/childexit.h"

struct weft_process {
    weft_job job;        /* first */
    weft_childexit exit; /* the parent's view of its end */
    weft_link link;      /* in the list of those that run, which has a reference; under its lock */
    uint32_t id;         /* in the arena; 0: none */
    int outcome_fd;      /* -1 once it has been read */
    bool daemon;
    _Atomic bool settled; /* somebody has seen its end and writes the outcome */
    _Atomic bool asked;   /* weft_cancel */
    int exitcode;         /* or WEFT_ESTATUS_LOST below -10000; valid once done */
};

extern const weft_kind weft_process_kind;

/* The process that runs now; NULL: not one of weft_process_start. Set in the child before it runs
 * anything. */
extern weft_process *weft_process_self;

/* As weft_process_start, for pools: the pointer may be any; `name` NULL: a made one. */
int weft_process_launch(weft_process **process, weft_fn *fn, const void *arg, size_t arg_size,
                        const char *name, bool daemon);

/* Looks whether it has ended, and completes it then. */
void weft_process_look(weft_process *process);

/* Waits for the processes that this one has started: those that are not daemons, or sends the
 * daemons SIGTERM first. Errors: -ETIMEDOUT. */
int weft_process_join_all(bool daemons, weft_instant deadline);

/* "killed by SIGKILL", "exited with status 3" */
void weft_process_end_text(int exitcode, char *buffer, size_t size);

/* ---- start_fork.c */

/* The child runs the job and never returns. The pid, and *pidfd. Errors: as fork. */
pid_t weft_process_fork(weft_process *process, int *pidfd);

/* Ends the child: flushes and leaves. */
_Noreturn void weft_process_leave(int code);

/* Takes the outcome that the child left; false: it left none. */
bool weft_process_read_outcome(weft_process *process);

#endif
