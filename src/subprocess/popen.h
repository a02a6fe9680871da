/* SPDX-License-Identifier: MIT */
/*
 * popen: a child process as a handle; what the files of this folder share.
 *
 * The end of the child is told by a descriptor (platform/childexit), so nobody need run for it to
 * be noticed: whoever waits, polls or asks reaps it, and the first to do so completes the handle.
 *
 * The pipes are streams (io/stream.h), whose buffers are the only place where output is kept: what
 * weft_popen_wait drains and what a weft_popen_communicate that ran out of time has read is found
 * there by whoever reads next.
 */
#ifndef WEFT_SUBPROCESS_POPEN_H
#define WEFT_SUBPROCESS_POPEN_H

#include <weft/subprocess.h>

#include "core/job.h"
#include "io/stream.h"
#include "platform/childexit.h"
#include "platform/pty.h"
#include "platform/spawn.h"

enum { WEFT_CHILD_IN, WEFT_CHILD_OUT, WEFT_CHILD_ERR, WEFT_CHILD_STREAMS };

struct weft_popen {
    weft_job job; /* first; no function: its outcome is the child's */
    weft_childexit exit;
    char *command;                            /* owned; one line */
    weft_stream *streams[WEFT_CHILD_STREAMS]; /* a reference each; NULL: no pipe */
    weft_on_drop on_drop;
    weft_instant grace;   /* nanoseconds */
    bool leader;          /* of a process group */
    int returncode;       /* valid once done */
    _Atomic bool settled; /* somebody writes the outcome, or has */

    /* Of the one communicate at a time. */
    _Atomic bool talking;
    bool input_given; /* by the first */
    char *input;      /* owned; the rest of it, after the time was up */
    size_t input_size;

    int last_line; /* which stream's it was: WEFT_CHILD_OUT or _ERR; of who reads both */
};

extern const weft_kind weft_popen_kind;

/* ---- command.c: what is to be run ---- */

/* The candidates for execve, NULL at the end, in one block. Owned. NULL: no memory. */
const char **weft_command_paths(const char *program, const char *const *environment);

/* Errors, with message: -EINVAL. */
int weft_command_check(const char *const argv[], const weft_popen_options *options);

/* Errors: -EINVAL, bytes at NULL. */
int weft_command_check_input(const char *what, const void *input, size_t size);

/* The environment that the child gets. */
const char *const *weft_command_environment(const weft_popen_options *options);

/* ---- shlex.c: lines of words ---- */

/* As weft_shlex_join. Owned. NULL: no memory. */
char *weft_command_line(const char *const argv[]);

/* ---- environment.c ---- */

/* This process's, changed; owned. NULL: no changes. Errors: -ENOMEM. */
int weft_environment_make(const char ***made, const char *const *changes);

/* ---- pipes.c: the child's 0, 1 and 2 ---- */

typedef struct weft_stdio {
    int child[WEFT_CHILD_STREAMS];  /* to be given to the child; -1: inherited */
    bool owned[WEFT_CHILD_STREAMS]; /* child[i] is to be closed here, by ends[i] */
    weft_io ends[WEFT_CHILD_STREAMS];
    weft_stream *streams[WEFT_CHILD_STREAMS]; /* this process's ends; a reference each */
    weft_stream *moved;                       /* .in_stream, acquired for reading */
    int first_terminal; /* of child, that is the slave of WEFT_PTY; -1: none */
    char terminal_path[WEFT_PTY_PATH];
} weft_stdio;

/* `who`: for the names of the streams. Errors, with message. */
int weft_stdio_open(weft_stdio *stdio, const weft_popen_options *options, const char *who);

/* The child has them, or never will (started false): closes what is not needed any more. The
 * streams are the caller's if it has started. */
void weft_stdio_close(weft_stdio *stdio, bool started);

/* The descriptor is for the child, and to be closed here: also by a process that is forked
 * meanwhile, or what is read at the other end would end with that process only. */
void weft_stdio_own(weft_stdio *stdio, int i, int fd);

/* What is the child's, and which of that a terminal. */
void weft_stdio_plan(const weft_stdio *stdio, weft_spawn_plan *plan);

/* terminal.c. Errors, without message: those of weft_pty_open, -ENOTSUP (a size), -ENOMEM. */
int weft_stdio_open_terminal(weft_stdio *stdio, int i, const weft_popen_options *options,
                             const char *who);

/* What to wait for in a sleep. */
typedef struct weft_pipe_wait {
    weft_stream *stream;
    uint32_t interest;
} weft_pipe_wait;

/* Sleeps until one of the pipes is ready or closed, or (popen not NULL) the child has ended: a
 * hint. Errors: -ETIMEDOUT, -ECANCELED, -ENOMEM, a signal handler's code. */
int weft_pipes_sleep(weft_popen *popen, const weft_pipe_wait *pipes, size_t count,
                     weft_instant deadline);

/* ---- start.c ---- */

/* What runs a command line, its argument 0 too. */
const char *weft_command_shell(const weft_popen_options *options);

/* weft_popen_start with the command line given; NULL: that of argv. */
int weft_popen_start_as(weft_popen **popen, const char *const argv[], const char *command,
                        const weft_popen_options *options);

/* ---- popen.c ---- */

/* A handle without a child, or whose child has been closed. */
void weft_popen_free(weft_popen *popen);

/* What it has used: zero where that is not known. Once done. */
void weft_popen_tell_usage(const weft_popen *popen, weft_rusage *usage);

/* 1: ended, *returncode set; 0: runs. Errors: WEFT_ESTATUS_LOST, without message. */
int weft_popen_look(weft_popen *popen, int *returncode);

/* Waits for the end. Draining: see weft_popen_wait. */
int weft_popen_await(weft_popen *popen, bool drain, weft_instant deadline);

/* Ends it, by `on_drop`, and reaps it. The failure that is the context's stays. */
void weft_popen_abandon(weft_popen *popen, weft_on_drop on_drop, int code);

/* ---- popen_signal.c ---- */

/* "command 'x' died of SIGTERM", or its exit status. */
void weft_returncode_describe(char *text, size_t size, const char *command, int returncode);

/* A signal to the child, and to its whole group where it leads one. Errors, without message:
 * -ESRCH, -EPERM, -EINVAL. */
int weft_popen_end(weft_popen *popen, int signum);

/* ---- communicate.c ---- */

/* Both directions to their ends, then the child's end. What came stays in the streams' buffers. */
int weft_popen_talk(weft_popen *popen, const void *input, size_t size, weft_instant deadline);

/* Reads what is in the pipes now, for as much as they can have held. */
void weft_popen_sip(weft_popen *popen);

/* Hands over (and closes the streams) or copies what the streams' buffers hold, and tells the
 * returncode if the end is known. Errors: -ENOMEM, with message. */
int weft_popen_collect(weft_popen *popen, weft_completed *completed, bool take);

/* Makes *completed as before a run, but for the command (copied). */
void weft_completed_begin(weft_completed *completed, const char *command);

#endif
