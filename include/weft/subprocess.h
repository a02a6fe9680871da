/* SPDX-License-Identifier: MIT */
/*
 * subprocess: programs run as child processes.
 *
 *     #include <stdio.h>
 *     #include <weft.h>
 *
 *     int main(void)
 *     {
 *         const char *const argv[] = {"sort", "-r", NULL};
 *         weft_completed completed;
 *         int r = weft_subprocess_run(&completed, argv,
 *                                     &(weft_subprocess_options){
 *                                         .input = "a\nb\n",
 *                                         .input_size = 4,
 *                                         .capture_output = true,
 *                                         .check = true,
 *                                     });
 *         if (r < 0)
 *             fprintf(stderr, "%s\n", weft_error_message());
 *         else
 *             fputs(completed.out.data, stdout);
 *         weft_completed_clear(&completed);
 *     }
 *
 * First weft_subprocess_run: start, talk, wait, in one call. Then weft_popen, the handle of a child
 * that runs beside the caller. Then pipelines, what a shell command says, and command lines taken
 * apart and put together. Everything waits as all of weft does: a thread is blocked, a coroutine
 * alone is suspended.
 *
 * A child inherits 0, 1 and 2 and what .pass_fds names, nothing else. A program that cannot be
 * executed is an error of the start: "run 'nosuch': No such file or directory". No shell is used
 * unless the function's name says so. SIGCHLD is never touched, and no child but weft's own is ever
 * waited for or signalled. Exit codes are out-parameters: N, or -N for a death by signal N.
 */
#ifndef WEFT_SUBPROCESS_H
#define WEFT_SUBPROCESS_H

#include <limits.h>
#include <sys/types.h>

#include <weft/handle.h>
#include <weft/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What .in, .out and .err may be, beside 0 (inherited) and the number of a descriptor (borrowed:
 * until the start returns). */
enum {
    WEFT_PIPE = -1,    /* a pipe to or from this process: a stream, or captured */
    WEFT_STDOUT = -2,  /* .err only: wherever the child's stdout goes */
    WEFT_DEVNULL = -3, /* nothing to read, and what is written is dropped */
    WEFT_PTY = -4,     /* a new terminal, one for all three: a stream that goes both ways */
};

/* What becomes of a child that still runs when its handle's last reference goes, or when a
 * weft_popen_wait or weft_popen_communicate for it is cancelled. It is reaped in every case: at
 * once, or by a later start, wait or weft_shutdown. */
typedef enum weft_on_drop {
    WEFT_ON_DROP_LEAVE,     /* it runs on */
    WEFT_ON_DROP_TERMINATE, /* SIGTERM; a cancelled wait sends SIGKILL after .grace seconds */
    WEFT_ON_DROP_KILL,      /* SIGKILL */
} weft_on_drop;

/* A resource limit, in the unit of the system. */
typedef struct weft_limit {
    int resource;        /* RLIMIT_NOFILE and so on, of <sys/resource.h> */
    uint64_t soft, hard; /* WEFT_LIMIT_NONE: without limit; soft is at most hard */
} weft_limit;

#define WEFT_LIMIT_NONE UINT64_MAX

/* How to start a child; copied, zero is the default. */
typedef struct weft_popen_options {
    const char *name;       /* of the handle; NULL: Popen-1, Popen-2 ... */
    const char *executable; /* the program, where argv[0] shall be another name */
    int in, out, err; /* 0: inherited; WEFT_PIPE, WEFT_DEVNULL, WEFT_PTY, WEFT_STDOUT, an fd */
    weft_stream *in_stream; /* moved into the child as its stdin, and closed here; excludes .in */
    const char *cwd;        /* where it runs; NULL: here */
    const char *const *env; /* "NAME=value" ..., NULL; the whole environment; NULL: this one's */
    const char *const *env_changes; /* to this one's: "NAME=value" sets, "NAME" removes; NULL at its
                                       end; excludes .env */
    const int *pass_fds;            /* kept open, under their numbers */
    size_t pass_fds_count;
    bool keep_fds;       /* all descriptors that are not close-on-exec; excludes .pass_fds */
    bool keep_signals;   /* SIGPIPE and SIGXFSZ stay ignored if they are */
    bool new_session;    /* setsid: leader of a session and group; a WEFT_PTY controls it */
    bool new_group;      /* leader of a group of its own */
    pid_t process_group; /* joins this group; excludes .new_group */
    bool set_umask;
    mode_t umask;
    bool set_uid, set_gid, set_groups; /* need privilege; groups, gid, uid in that order */
    uid_t uid;
    gid_t gid;
    const gid_t *groups; /* none: it has no other group */
    size_t groups_count;
    const char *user, *group;        /* by name, instead of .uid and .gid; looked up here, before */
    const char *const *extra_groups; /* names, NULL at their end, instead of .groups */
    const weft_limit *limits;        /* set before the identity changes */
    size_t limits_count;
    int parent_death_signal; /* sent to it by the system when this process ends, however it does,
                                and by weft_shutdown; 0: none */
    unsigned short rows, columns; /* of the WEFT_PTY; 0: as the system makes it */
    weft_fn *hook;  /* runs in the child before the exec, in a copy of this process (fork) in which
                       other threads may have held any lock: only async-signal-safe calls, no call
                       of weft; non-zero ends the start, as minus an errno */
    void *hook_arg; /* borrowed: for the call */
    weft_on_drop on_drop; /* where it leads a group, for the whole group */
    double grace;         /* of WEFT_ON_DROP_TERMINATE; 0: one second */
    size_t pipe_size;     /* of each pipe, where the system lets it be set; 0: as it is */
    void *reserved_[4];
} weft_popen_options;

/* How to run a command to its end; copied, zero is the default. */
typedef struct weft_subprocess_options {
    bool capture_output; /* .out and .err are WEFT_PIPE; excludes both */
    bool check;          /* a returncode other than 0 is WEFT_ECALLED_PROCESS */
    double timeout;      /* seconds, 0: none; then the child is killed, and -ETIMEDOUT returned */
    const void *input;   /* written to its stdin, which is then closed; excludes .in, .in_stream */
    size_t input_size;
    int in, out, err;         /* as in weft_popen_options; WEFT_PIPE: captured */
    weft_popen_options popen; /* everything else: `.popen.cwd = "/"` */
    void *reserved_[4];
} weft_subprocess_options;

/* The returncode of a child that has not ended, or never began. */
#define WEFT_NO_RETURNCODE INT_MIN

/* What a child has used, with those of its own children that it has waited for. */
typedef struct weft_rusage {
    double user_time, system_time; /* seconds */
    uint64_t max_rss;              /* bytes: the most memory at one time */
    uint64_t minor_faults, major_faults;
    uint64_t blocks_in, blocks_out; /* of 512 bytes, read from and written to disks */
    uint64_t voluntary_switches, involuntary_switches;
    void *reserved_[4];
} weft_rusage;

/* What came of a command. Valid after every run and communicate, a failed one too; cleared by
 * weft_completed_clear. */
typedef struct weft_completed {
    int returncode; /* N, -N: died by signal N, or WEFT_NO_RETURNCODE */
    weft_bytes out; /* captured, a NUL behind; data NULL: was not captured */
    weft_bytes err;
    char *command;     /* as one line, quoted for a shell where that is needed */
    weft_rusage usage; /* zero as long as it runs, and where the system does not tell */
    void *reserved_[4];
} weft_completed;

/* ---- Running a command to its end -------------------------------------------------------------
 */

/*
 * Runs argv[0] with the arguments argv (NULL at its end), gives it its input, captures what is a
 * pipe, and waits for its end. argv[0] without a slash is looked for in the PATH of the child's
 * environment. Returns 0 whatever the returncode, unless .check. On any failure after the start,
 * the child (with its whole group, where it leads one) is killed and reaped, and *completed has the
 * output so far; a grandchild that keeps a pipe open holds nothing up once the time is up. Can be
 * cancelled.
 * Errors: -ETIMEDOUT, -ECANCELED, WEFT_ECALLED_PROCESS, WEFT_ESTATUS_LOST (ended; somebody else
 * took the status), -ENOENT, -EACCES and others of exec, -EINVAL, -ENOMEM, -EMFILE, -ENFILE,
 * -EAGAIN. Python: subprocess.run
 */
WEFT_API int weft_subprocess_run(weft_completed *completed, const char *const argv[],
                                 const weft_subprocess_options *options);

/*
 * As weft_subprocess_run, for a command line that /bin/sh -c runs (.popen.executable: another
 * shell). Never build `command` from what others typed. Can be cancelled.
 * Errors: as weft_subprocess_run. Python: subprocess.run(shell=True)
 */
WEFT_API int weft_subprocess_shell(weft_completed *completed, const char *command,
                                   const weft_subprocess_options *options);

/*
 * Frees what it holds, and makes it as after no run. NULL is allowed. Python: del
 */
WEFT_API void weft_completed_clear(weft_completed *completed);

/*
 * What .check does, afterwards: 0 where the returncode is 0. Errors: WEFT_ECALLED_PROCESS (the
 * message has the exit status, or the signal's name), -EINVAL (it has no returncode).
 * Python: CompletedProcess.check_returncode
 */
WEFT_API int weft_completed_check(const weft_completed *completed);

/* ---- A child that runs beside -----------------------------------------------------------------
 *
 * weft_popen is a handle (handle.h): weft_wait and weft_wait_any wait for its end, weft_result is 0
 * or WEFT_ECALLED_PROCESS, weft_cancel sends SIGTERM (SIGKILL with WEFT_ON_DROP_KILL).
 *
 * A child with WEFT_PTY finds a terminal: it asks for passwords, colours its output, and writes
 * each line at once. What it writes comes with CR LF at the ends of lines, and, until it switches
 * that off, what is written to it comes back as an echo. weft_popen_stdin and weft_popen_stdout are
 * then one stream; weft_stream_write_eof types the end-of-file character. With .new_session it is
 * the controlling terminal, so that ^C and job control work.
 */

/*
 * Starts argv[0] with the arguments argv (NULL at its end), and returns when it has been executed:
 * what keeps it from that is an error here, and leaves no child behind. *popen is to be released;
 * NULL where it is not wanted. Errors: -ENOENT, -EACCES and others of exec ("run 'x': ..."), of the
 * directory ("run 'x' in 'cwd': ..."), -EPERM (uid, gid, groups, limits, session), -EINVAL (also:
 * no such user or group), -ENOTSUP (.set_groups, .extra_groups, .parent_death_signal, .rows and
 * .columns in plain POSIX), -ENOMEM, -EMFILE, -ENFILE, -EAGAIN, -EBADF, -ENOSPC (terminals).
 * Python: subprocess.Popen
 */
WEFT_API int weft_popen_start(weft_popen **popen, const char *const argv[],
                              const weft_popen_options *options);

/*
 * As weft_popen_start, for a command line that /bin/sh -c runs (.executable: another shell).
 * Errors: as weft_popen_start. Python: subprocess.Popen(shell=True)
 */
WEFT_API int weft_popen_shell(weft_popen **popen, const char *command,
                              const weft_popen_options *options);

/*
 * The stream that writes to its stdin. Borrowed: as long as the handle. NULL with a message unless
 * .in is WEFT_PIPE or WEFT_PTY. Python: Popen.stdin
 */
WEFT_API weft_stream *weft_popen_stdin(weft_popen *popen);

/*
 * The stream that reads its stdout. Borrowed: as long as the handle. NULL with a message unless
 * .out is WEFT_PIPE or WEFT_PTY. Python: Popen.stdout
 */
WEFT_API weft_stream *weft_popen_stdout(weft_popen *popen);

/*
 * The stream that reads its stderr. Borrowed: as long as the handle. NULL with a message unless
 * .err is WEFT_PIPE, or a WEFT_PTY that .out is not. Python: Popen.stderr
 */
WEFT_API weft_stream *weft_popen_stderr(weft_popen *popen);

/*
 * Reads the next line of its stdout or stderr, whichever comes first. *line is borrowed: until the
 * next read of either; it has its newline (the last one may lack it) and a NUL behind. *fd (may be
 * NULL) is 1 or 2. Returns its length, 0 when both have ended. A line longer than its stream's
 * limit is dropped as by weft_stream_readline. Can be cancelled. One reader at a time. Errors:
 * -EINVAL (neither is a pipe), WEFT_ELIMIT_OVERRUN, -ETIMEDOUT, -ECANCELED, -EBUSY, -EBADF
 * (closed), -ENOMEM, -EMFILE, -ENFILE, WEFT_EFORKED, those of read(2). Python: for line in
 * Popen.stdout
 */
WEFT_API int weft_popen_readline(weft_popen *popen, int *fd, const char **line, double timeout);

/*
 * Waits for its end. *returncode (may be NULL) is N, or -N for a death by signal N. Returns 0.
 * While it waits, what comes out of pipes that nobody has read from yet is moved to the buffers of
 * their streams, without limit, so that a child with much to say can end; later reads find it
 * there. Can be cancelled: then .on_drop is applied.
 * Errors: -ETIMEDOUT (it runs on), -ECANCELED, WEFT_ESTATUS_LOST (ended; somebody else took the
 * status), -EINVAL, -ENOMEM, -EMFILE, -ENFILE, WEFT_EFORKED. Python: Popen.wait
 */
WEFT_API int weft_popen_wait(weft_popen *popen, int *returncode, double timeout);

/*
 * Looks whether it has ended. Returns 1 with *returncode (may be NULL) set, or 0: it runs.
 * Errors: WEFT_ESTATUS_LOST (ended), -EINVAL, WEFT_EFORKED. Python: Popen.poll
 */
WEFT_API int weft_popen_poll(weft_popen *popen, int *returncode);

/*
 * Writes `input` (WEFT_NONE: nothing) to its stdin and closes that, reads its stdout and stderr to
 * their ends, all at once, as far as they are pipes, then waits for its end. *completed (may be
 * NULL) tells all. After -ETIMEDOUT the child runs on, *completed has a copy of the output so far,
 * and the call may be repeated with WEFT_NONE: nothing is lost, the rest of the input is kept here.
 * What was read from the streams before is not told again. Can be cancelled: then .on_drop is
 * applied. One reader at a time.
 * Errors: -ETIMEDOUT, -ECANCELED, WEFT_ESTATUS_LOST, -EBUSY (another uses a stream), -EINVAL (input
 * where stdin is no pipe, or again), -ENOMEM, -EMFILE, -ENFILE, WEFT_EFORKED, those of read(2) and
 * write(2) but -EPIPE: a child need not read its input. Python: Popen.communicate
 */
WEFT_API int weft_popen_communicate(weft_popen *popen, const void *input, size_t size,
                                    weft_completed *completed, double timeout);

/*
 * Sends a signal; 0 asks whether it could be. Returns 0.
 * Errors: -ESRCH (it has ended: no signal is sent), -EPERM, -EINVAL, WEFT_EFORKED.
 * Python: Popen.send_signal
 */
WEFT_API int weft_popen_send_signal(weft_popen *popen, int signum);

/*
 * Sends a signal to the process group that it leads (.new_group or .new_session), until somebody
 * has seen its end: so also to those of the group that outlive it, and keep its pipes open. Errors:
 * -ESRCH (its end has been seen), -EPERM, -EINVAL (it leads no group), WEFT_EFORKED. Python:
 * os.killpg
 */
WEFT_API int weft_popen_send_signal_group(weft_popen *popen, int signum);

/*
 * Tells its terminal (WEFT_PTY) a new size, and it by SIGWINCH. Returns 0.
 * Errors: -EINVAL (it has none), -ENOTSUP, -EBADF (closed), WEFT_EFORKED. Python:
 * termios.tcsetwinsize
 */
WEFT_API int weft_popen_set_terminal_size(weft_popen *popen, unsigned short rows,
                                          unsigned short columns);

/*
 * Sends SIGTERM. Errors: as weft_popen_send_signal. Python: Popen.terminate
 */
WEFT_API int weft_popen_terminate(weft_popen *popen);

/*
 * Sends SIGKILL. Errors: as weft_popen_send_signal. Python: Popen.kill
 */
WEFT_API int weft_popen_kill(weft_popen *popen);

/*
 * Its process id (of the shell, for weft_popen_shell). Signal it through the handle alone: after
 * the end the number may be another's. Errors: -EINVAL, WEFT_EFORKED. Python: Popen.pid
 */
WEFT_API pid_t weft_popen_pid(weft_popen *popen);

/*
 * What a wait, poll or communicate has learnt, without looking: 1 with *returncode set, or 0.
 * Errors: WEFT_ESTATUS_LOST, -EINVAL, WEFT_EFORKED. Python: Popen.returncode
 */
WEFT_API int weft_popen_returncode(weft_popen *popen, int *returncode);

/*
 * What it has used; known once a wait, poll or communicate has learnt its end. Returns 0.
 * Errors: WEFT_EINVALID_STATE (not known to have ended), WEFT_ESTATUS_LOST, -ENOTSUP (the system
 * tells only the sum of all children), -EINVAL, WEFT_EFORKED. Python: os.wait4
 */
WEFT_API int weft_popen_rusage(weft_popen *popen, weft_rusage *usage);

/*
 * The command as one line, quoted for a shell where that is needed. Borrowed: as long as the
 * handle. NULL with a message where it is none. Python: Popen.args
 */
WEFT_API const char *weft_popen_command(weft_popen *popen);

/*
 * A descriptor that is readable from its end on, for a poll of the host's own: a pidfd where there
 * is one. Borrowed: as long as the handle; not to be read from or closed. Returns it.
 * Errors: -EINVAL, WEFT_EFORKED. Python: os.pidfd_open
 */
WEFT_API int weft_popen_fileno(weft_popen *popen);

/* ---- Around children --------------------------------------------------------------------------
 */

/*
 * Reaps those whose handles are gone and that have ended, as every start, wait and communicate
 * does; for a program that starts no more but lives on. Children of the host's own are left alone.
 * Returns how many still run. Errors: -ENOMEM. Python: subprocess._cleanup
 */
WEFT_API int weft_subprocess_reap(void);

/*
 * Turns a status of wait(2) into a returncode: *returncode is N, or -N for a death by signal N.
 * Returns 0. Errors: -EINVAL (stopped or continued). Python: os.waitstatus_to_exitcode
 */
WEFT_API int weft_waitstatus_to_exitcode(int status, int *returncode);

/* ---- Several commands in a row ----------------------------------------------------------------
 *
 *     const char *const list[] = {"ls", "/usr/bin", NULL};
 *     const char *const match[] = {"grep", "-c", "zip", NULL};
 *     const weft_pipeline_command commands[] = {{.argv = list}, {.argv = match}};
 *     weft_pipeline pipeline;
 *     int r = weft_pipeline_run(&pipeline, commands, 2,
 *                               &(weft_pipeline_options){.capture_output = true});
 */

/* One command of a pipeline. */
typedef struct weft_pipeline_command {
    const char *const *argv; /* as for weft_subprocess_run */
    /* NULL: defaults. Without .out but in the last command, .in and .in_stream but in the first:
     * the pipes are there. .err is its own, and excepts it from that of the pipeline. */
    const weft_popen_options *popen;
    void *reserved_[4];
} weft_pipeline_command;

/* How to run a pipeline; copied, zero is the default. */
typedef struct weft_pipeline_options {
    bool capture_output; /* .out and .err are WEFT_PIPE; excludes both */
    bool check;          /* a returncode other than 0 is WEFT_ECALLED_PROCESS */
    double timeout;      /* seconds, 0: none; then all are killed, and -ETIMEDOUT returned */
    const void *input;   /* written to the first's stdin, which is then closed; excludes .in */
    size_t input_size;
    int in;  /* of the first, as in weft_popen_options */
    int out; /* of the last; WEFT_PIPE: captured */
    int err; /* of each; WEFT_PIPE: captured, WEFT_STDOUT: down the pipe with its output */
    void *reserved_[4];
} weft_pipeline_options;

/* What came of a pipeline. Valid after every run, a failed one too; cleared by weft_pipeline_clear.
 */
typedef struct weft_pipeline {
    int returncode; /* of the last command that did not return 0, else 0; WEFT_NO_RETURNCODE where
                       one has none */
    weft_bytes out; /* of the last, captured, a NUL behind; data NULL: was not captured */
    weft_completed *completed; /* of each: returncode, err, command */
    size_t count;
    void *reserved_[4];
} weft_pipeline;

/*
 * Runs `count` commands at once, the stdout of each a pipe to the stdin of the next, gives the
 * first its input, captures what is to be captured, and waits until all have ended. Returns 0
 * whatever the returncodes, unless .check. *pipeline may be NULL. A command whose reader has left
 * may die of SIGPIPE, as in a shell. When one cannot be started, or after any other failure, all
 * are killed and reaped, and *pipeline has the output so far; for a cancel .popen.on_drop =
 * WEFT_ON_DROP_TERMINATE is SIGTERM first, and SIGKILL when the longest .popen.grace of them is
 * over. No command has another's pipe, so ends travel. Can be cancelled.
 * Errors: -ETIMEDOUT, -ECANCELED, WEFT_ECALLED_PROCESS, WEFT_ESTATUS_LOST, -ENOENT, -EACCES and
 * others of exec, -EINVAL, -ENOMEM, -EMFILE, -ENFILE, -EAGAIN. Python: Popen(stdin=p.stdout)
 */
WEFT_API int weft_pipeline_run(weft_pipeline *pipeline, const weft_pipeline_command *commands,
                               size_t count, const weft_pipeline_options *options);

/*
 * Frees what it holds, and makes it as after no run. NULL is allowed. Python: del
 */
WEFT_API void weft_pipeline_clear(weft_pipeline *pipeline);

/* ---- What a shell command says ----------------------------------------------------------------
 */

/*
 * Runs `command` by /bin/sh -c. *output (owned: weft_free(output.data)) is what it wrote to stdout
 * and stderr together, without one newline at its end, a NUL behind. Returns 0 whatever the
 * status. After a failure *output is untouched, and the shell is killed and reaped; a timeout of 0
 * is one before it starts. Never build `command` from what others typed. Can be cancelled.
 * Errors: as weft_subprocess_run. Python: subprocess.getoutput
 */
WEFT_API int weft_subprocess_getoutput(const char *command, weft_bytes *output, double timeout);

/*
 * As weft_subprocess_getoutput; *returncode (may be NULL) is N, or -N for a death by signal N. Can
 * be cancelled. Errors: as weft_subprocess_run. Python: subprocess.getstatusoutput
 */
WEFT_API int weft_subprocess_getstatusoutput(const char *command, int *returncode,
                                             weft_bytes *output, double timeout);

/* ---- Command lines ----------------------------------------------------------------------------
 */

/*
 * `word` as a shell takes it for one word, whatever it holds: in quotes, unless it needs none.
 * *quoted is owned: weft_free(quoted.data), a NUL behind. Returns 0.
 * Errors: -EINVAL, -ENOMEM. Python: shlex.quote
 */
WEFT_API int weft_shlex_quote(const char *word, weft_bytes *quoted);

/*
 * The command argv (NULL at its end) as a line that a shell runs as it: each word is quoted where
 * that is needed, the first also where a shell would take it for an assignment or a word of its
 * grammar. *line is owned: weft_free(line.data), a NUL behind. Returns 0.
 * Errors: -EINVAL, -ENOMEM. Python: shlex.join
 */
WEFT_API int weft_shlex_join(const char *const argv[], weft_bytes *line);

/*
 * Takes a line apart as a shell would, but for what it expands: words end at blanks and newlines,
 * '...' keeps all, "..." all but \" and \\, a backslash elsewhere the next character (a newline
 * too). *argv is owned: weft_free(argv), one block, NULL at its end, ready for weft_popen_start.
 * Returns how many words there are.
 * Errors: -EINVAL ("No closing quotation", "No escaped character"), -ENOMEM. Python: shlex.split
 */
WEFT_API int weft_shlex_split(const char *line, const char ***argv);

#ifdef __cplusplus
}
#endif

#endif
