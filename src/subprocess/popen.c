/* SPDX-License-Identifier: MIT */
/*
 * A child's life: start, signals, end.
 *
 * Nobody watches a child: its end is seen by whoever waits, polls or asks, and by the next start
 * once it has been dropped. So there is no thread, no SIGCHLD and no zombie that stays.
 *
 * Races: reaping and killing exclude each other inside platform/childexit. Of several that see the
 * end, the one that turns `settled` writes the outcome and completes the handle; the others know
 * the status from childexit and need not wait for that.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/shutdown.h"
#include "platform/spawn.h"
#include "subprocess/popen.h"

enum { NANOSECONDS = 1000000000, REAP_SECONDS = 10 };

static weft_popen *popen_of(weft_handle *handle)
{
    return (weft_popen *)(void *)handle;
}

/* ---- The end ----------------------------------------------------------------------------------
 */

static void settle(weft_popen *popen, int r, int status)
{
    char message[WEFT_MESSAGE_SIZE];
    /* relaxed: only who wins matters; the outcome is handed over by the handle's completion */
    if (atomic_exchange_explicit(&popen->settled, true, memory_order_relaxed))
        return;
    popen->returncode = r < 0 ? WEFT_NO_RETURNCODE : status;
    int code = r < 0 ? r : status != 0 ? WEFT_ECALLED_PROCESS : 0;
    if (r < 0)
        (void)snprintf(message, sizeof message, "command '%.300s': %s", popen->command,
                       weft_strerror(r));
    else if (status < 0)
        (void)snprintf(message, sizeof message, "command '%.300s' died of signal %d",
                       popen->command, -status);
    else
        (void)snprintf(message, sizeof message, "command '%.300s' returned non-zero exit status %d",
                       popen->command, status);
    weft_job_set_outcome(&popen->job, code, message, NULL, 0);
    weft_job_complete(&popen->job);
}

int weft_popen_look(weft_popen *popen, int *returncode)
{
    int status = 0;
    int r = weft_childexit_reap(&popen->exit, &status);
    if (r == 0)
        return 0;
    settle(popen, r, status);
    if (r > 0)
        *returncode = status;
    return r;
}

static struct weft_job *job(weft_handle *handle)
{
    return &popen_of(handle)->job;
}

static void poke(weft_handle *handle)
{
    int returncode;
    (void)weft_popen_look(popen_of(handle), &returncode);
}

static int descriptor(weft_handle *handle, weft_fd_wait *fd)
{
    if (weft_handle_done(handle))
        return 0;
    *fd = (weft_fd_wait){.fd = popen_of(handle)->exit.fd, .interest = WEFT_READABLE};
    return 1;
}

static int cancel(weft_handle *handle)
{
    weft_popen *popen = popen_of(handle);
    int returncode;
    if (weft_popen_look(popen, &returncode) != 0)
        return 0;
    int r =
        weft_childexit_kill(&popen->exit, popen->on_drop == WEFT_ON_DROP_KILL ? SIGKILL : SIGTERM);
    if (r == -ESRCH)
        return 0;
    return r < 0 ? weft_error_on(r, "cancel", popen->command) : 1;
}

static int describe(weft_handle *handle, char *buffer, size_t size)
{
    weft_popen *popen = popen_of(handle);
    if (!weft_handle_done(handle))
        return snprintf(buffer, size, "running, pid %ld", (long)popen->exit.pid);
    if (popen->returncode == WEFT_NO_RETURNCODE)
        return snprintf(buffer, size, "ended, returncode lost");
    return snprintf(buffer, size, "ended, returncode %d", popen->returncode);
}

static void free_popen(weft_popen *popen)
{
    for (int i = 0; i < WEFT_CHILD_STREAMS; i++) {
        if (popen->streams[i] != NULL)
            weft_handle_drop(&popen->streams[i]->handle);
    }
    weft_dealloc(popen->command);
    weft_dealloc(popen->input);
    weft_job_clear(&popen->job);
    weft_dealloc(popen);
}

static void finalize(weft_handle *handle)
{
    weft_popen *popen = popen_of(handle);
    if (popen->on_drop != WEFT_ON_DROP_LEAVE) /* -ESRCH where it has been reaped */
        (void)weft_childexit_kill(&popen->exit,
                                  popen->on_drop == WEFT_ON_DROP_KILL ? SIGKILL : SIGTERM);
    weft_childexit_close(&popen->exit);
    free_popen(popen);
}

static _Atomic uint32_t numbers;

const weft_kind weft_popen_kind = {
    .name = "popen",
    .prefix = "Popen",
    .numbers = &numbers,
    .finalize = finalize,
    .job = job,
    .cancel = cancel,
    .descriptor = descriptor,
    .poke = poke,
    .describe = describe,
};

/* ---- Start ------------------------------------------------------------------------------------
 */

static int reap_at_shutdown(weft_instant deadline)
{
    (void)deadline;
    (void)weft_childexit_reap_dropped();
    return 0;
}

static weft_shutdown_step shutdown_step = {.stage = WEFT_STAGE_HELPERS, .run = reap_at_shutdown};

/* What is to be in place before the first child. */
static int begin_module(void)
{
    if (weft_context_self() == NULL) /* which installs the fork handlers */
        return -ENOMEM;
    weft_shutdown_register(&shutdown_step);
    return 0;
}

static int compare_fds(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* What is allocated for the plan alone. */
typedef struct weft_launch {
    weft_spawn_plan plan;
    const char **paths;
    int *pass_fds;
} weft_launch;

static int prepare(weft_launch *launch, const char *const argv[], const weft_popen_options *options)
{
    const char *const *env = weft_command_environment(options);
    *launch = (weft_launch){0};
    launch->paths =
        weft_command_paths(options->executable != NULL ? options->executable : argv[0], env);
    if (launch->paths == NULL)
        return -ENOMEM;
    if (options->pass_fds_count > 0) {
        size_t size = options->pass_fds_count * sizeof(int);
        launch->pass_fds = weft_memdup(options->pass_fds, size);
        if (launch->pass_fds == NULL)
            return -ENOMEM;
        qsort(launch->pass_fds, options->pass_fds_count, sizeof(int), compare_fds);
    }
    launch->plan = (weft_spawn_plan){
        .paths = launch->paths,
        .argv = (char *const *)(uintptr_t)argv, /* exec writes to none of them */
        .envp = (char *const *)(uintptr_t)env,
        .cwd = options->cwd,
        .pass_fds = launch->pass_fds,
        .pass_fds_count = options->pass_fds_count,
        .keep_fds = options->keep_fds,
        .keep_signals = options->keep_signals,
        .new_session = options->new_session,
        .set_group = options->new_group || options->group != 0,
        .group = options->group,
        .set_umask = options->set_umask,
        .umask = options->umask,
        .set_uid = options->set_uid,
        .set_gid = options->set_gid,
        .set_groups = options->set_groups,
        .uid = options->uid,
        .gid = options->gid,
        .groups = options->groups,
        .groups_count = options->groups_count,
        .hook = options->hook,
        .hook_arg = options->hook_arg,
    };
    return 0;
}

static int spawn_failed(int r, weft_spawn_stage stage, const char *name,
                        const weft_popen_options *options)
{
    const char *text = weft_strerror(r);
    switch (stage) {
    case WEFT_SPAWN_SETUP:
        return weft_error(r, "run '%s': set up its descriptors, session or group: %s", name, text);
    case WEFT_SPAWN_CHDIR:
        return weft_error(r, "run '%s' in '%s': %s", name, options->cwd, text);
    case WEFT_SPAWN_IDENTITY:
        return weft_error(r, "run '%s': change user or groups: %s", name, text);
    case WEFT_SPAWN_HOOK:
        return weft_error(r, "run '%s': its hook failed: %s", name, text);
    case WEFT_SPAWN_FORK:
        return weft_error(r, "run '%s': no process: %s", name, text);
    default:
        return weft_error(r, "run '%s': %s", name, text);
    }
}

/* The child has no handle: it must not run on unseen. */
static void undo_spawn(const weft_spawn_result *result)
{
    (void)kill(result->pid, SIGKILL);
    while (waitpid(result->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (result->pidfd >= 0)
        (void)close(result->pidfd);
}

static int spawn(weft_popen *popen, const char *const argv[], const weft_popen_options *options)
{
    weft_launch launch;
    weft_stdio stdio;
    weft_spawn_result result = {.pidfd = -1};
    const char *name = options->executable != NULL ? options->executable : argv[0];
    int r = prepare(&launch, argv, options);
    if (r < 0)
        weft_error(r, "run '%s': no memory", name);
    if (r == 0)
        r = weft_stdio_open(&stdio, options, name);
    if (r < 0)
        goto finish;
    for (int i = 0; i < WEFT_CHILD_STREAMS; i++)
        launch.plan.fds[i] = stdio.child[i];
    r = weft_spawn(&launch.plan, &result);
    if (r < 0) {
        r = spawn_failed(r, result.stage, name, options);
    } else {
        r = weft_childexit_open(&popen->exit, result.pid, result.pidfd);
        if (r < 0) {
            undo_spawn(&result);
            r = weft_error(r, "run '%s': watch its end: %s", name, weft_strerror(r));
        }
    }
    weft_stdio_close(&stdio, r == 0);
    for (int i = 0; i < WEFT_CHILD_STREAMS && r == 0; i++)
        popen->streams[i] = stdio.streams[i];
finish:
    weft_dealloc(launch.paths);
    weft_dealloc(launch.pass_fds);
    return r;
}

static weft_popen *new_popen(const char *const argv[], const char *command,
                             const weft_popen_options *options)
{
    weft_popen *popen = weft_calloc(1, sizeof *popen);
    if (popen == NULL)
        return NULL;
    weft_handle_init(&popen->job.handle, &weft_popen_kind);
    popen->command = command != NULL ? weft_strdup(command) : weft_command_line(argv);
    if (popen->command == NULL ||
        (options->name != NULL && weft_handle_rename(&popen->job.handle, options->name) < 0)) {
        free_popen(popen);
        return NULL;
    }
    popen->on_drop = options->on_drop;
    popen->grace = options->grace > 0 && options->grace < REAP_SECONDS * 1e6
                       ? (weft_instant)(options->grace * NANOSECONDS)
                       : NANOSECONDS;
    popen->leader = options->new_group || options->new_session;
    popen->returncode = WEFT_NO_RETURNCODE;
    return popen;
}

int weft_popen_start_as(weft_popen **popen, const char *const argv[], const char *command,
                        const weft_popen_options *options)
{
    static const weft_popen_options defaults;
    if (popen != NULL)
        *popen = NULL;
    if (options == NULL)
        options = &defaults;
    int r = begin_module();
    if (r == 0)
        r = weft_command_check(argv, options);
    if (r < 0)
        return r;
    (void)weft_childexit_reap_dropped();
    weft_popen *self = new_popen(argv, command, options);
    if (self == NULL)
        return weft_error(-ENOMEM, "run '%s': no memory", argv[0]);
    r = spawn(self, argv, options);
    if (r < 0) {
        free_popen(self);
        return r;
    }
    if (popen != NULL)
        *popen = self;
    else
        weft_handle_drop(&self->job.handle);
    return 0;
}

int weft_popen_start(weft_popen **popen, const char *const argv[],
                     const weft_popen_options *options)
{
    return weft_popen_start_as(popen, argv, NULL, options);
}

int weft_popen_shell(weft_popen **popen, const char *command, const weft_popen_options *options)
{
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};
    if (popen != NULL)
        *popen = NULL;
    if (command == NULL)
        return weft_error(-EINVAL, "start a popen: no command");
    return weft_popen_start_as(popen, argv, command, options);
}

/* ---- Waiting ----------------------------------------------------------------------------------
 */

/* Moves what is there into the buffers; the pipes that may have more go to `waits`. *moved: some
 * may have it at once. */
static size_t drain_pipes(weft_popen *popen, weft_pipe_wait *waits, bool *moved)
{
    size_t count = 0;
    for (int i = WEFT_CHILD_OUT; i <= WEFT_CHILD_ERR; i++) {
        weft_stream *stream = popen->streams[i];
        int r = stream != NULL ? weft_stream_drain(stream) : 0;
        *moved |= r > 0;
        if (r > 0 || r == -EAGAIN)
            waits[count++] = (weft_pipe_wait){.stream = stream, .interest = WEFT_READABLE};
    }
    return count;
}

int weft_popen_await(weft_popen *popen, bool drain, weft_instant deadline)
{
    weft_pipe_wait waits[WEFT_CHILD_STREAMS];
    for (;;) {
        int returncode;
        int r = weft_popen_look(popen, &returncode);
        if (r < 0)
            return weft_error(r, "wait for '%.300s': %s", popen->command, weft_strerror(r));
        if (r > 0)
            return 0;
        bool moved = false;
        size_t count = drain ? drain_pipes(popen, waits, &moved) : 0;
        if (count == 0)
            return weft_handle_wait(&popen->job.handle, deadline);
        if (deadline == WEFT_INSTANT_NOW)
            return weft_error_timed_out();
        /* a coroutine is told of edges: it sleeps only after EAGAIN */
        r = moved ? weft_stream_breathe(deadline) : weft_pipes_sleep(popen, waits, count, deadline);
        if (r < 0)
            return r;
    }
}

void weft_popen_abandon(weft_popen *popen, weft_on_drop on_drop, int code)
{
    char message[WEFT_MESSAGE_SIZE];
    if (on_drop == WEFT_ON_DROP_LEAVE)
        return;
    (void)snprintf(message, sizeof message, "%s", weft_error_message());
    int r = -ETIMEDOUT;
    if (on_drop == WEFT_ON_DROP_TERMINATE) {
        (void)weft_childexit_kill(&popen->exit, SIGTERM);
        r = weft_popen_await(popen, false, weft_instant_now() + popen->grace);
    }
    if (r == -ETIMEDOUT || r == -ECANCELED) {
        (void)weft_childexit_kill(&popen->exit, SIGKILL);
        /* a bound, because a process in the middle of a system call may take its time to die */
        (void)weft_popen_await(popen, false,
                               weft_instant_now() + (weft_instant)REAP_SECONDS * NANOSECONDS);
    }
    (void)weft_error(code, "%s", message);
}

int weft_popen_wait(weft_popen *popen, int *returncode, double timeout)
{
    weft_instant deadline;
    int r = weft_handle_check(popen, &weft_popen_kind, "wait");
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    if (r < 0)
        return r;
    (void)weft_childexit_reap_dropped();
    r = weft_popen_await(popen, true, deadline);
    if (r == -ECANCELED)
        weft_popen_abandon(popen, popen->on_drop, r);
    if (r == 0) {
        int status;
        r = weft_popen_look(popen, &status);
        if (r > 0 && returncode != NULL)
            *returncode = status;
        if (r < 0)
            return weft_error(r, "wait for '%.300s': %s", popen->command, weft_strerror(r));
    }
    return r < 0 ? r : 0;
}

int weft_popen_poll(weft_popen *popen, int *returncode)
{
    int status;
    int r = weft_handle_check(popen, &weft_popen_kind, "poll");
    if (r < 0)
        return r;
    r = weft_popen_look(popen, &status);
    if (r < 0)
        return weft_error(r, "poll '%.300s': %s", popen->command, weft_strerror(r));
    if (r > 0 && returncode != NULL)
        *returncode = status;
    return r;
}

int weft_popen_returncode(weft_popen *popen, int *returncode)
{
    int r = weft_handle_check(popen, &weft_popen_kind, "returncode");
    if (r < 0)
        return r;
    if (!weft_handle_done(&popen->job.handle))
        return 0;
    if (popen->returncode == WEFT_NO_RETURNCODE)
        return weft_error(WEFT_ESTATUS_LOST, "%s", weft_job_message(&popen->job));
    if (returncode != NULL)
        *returncode = popen->returncode;
    return 1;
}

/* ---- Signals ----------------------------------------------------------------------------------
 */

int weft_popen_send_signal(weft_popen *popen, int signum)
{
    int returncode;
    int r = weft_handle_check(popen, &weft_popen_kind, "send a signal");
    if (r < 0)
        return r;
    r = weft_popen_look(popen, &returncode) != 0 ? -ESRCH
                                                 : weft_childexit_kill(&popen->exit, signum);
    if (r < 0)
        return weft_error(r, "send signal %d to '%.300s': %s", signum, popen->command,
                          weft_strerror(r));
    return 0;
}

int weft_popen_send_signal_group(weft_popen *popen, int signum)
{
    int returncode;
    int r = weft_handle_check(popen, &weft_popen_kind, "send a signal");
    if (r < 0)
        return r;
    if (!popen->leader)
        return weft_error(-EINVAL, "send signal %d to the group of '%.300s': it leads none", signum,
                          popen->command);
    r = weft_popen_look(popen, &returncode) != 0 ? -ESRCH : 0;
    if (r == 0) {
        /* until it is reaped the number is its own, and so is the group's */
        (void)pthread_mutex_lock(&popen->exit.lock);
        if (popen->exit.reaped)
            r = -ESRCH;
        else if (killpg(popen->exit.pid, signum) < 0)
            r = -errno;
        (void)pthread_mutex_unlock(&popen->exit.lock);
    }
    if (r < 0)
        return weft_error(r, "send signal %d to the group of '%.300s': %s", signum, popen->command,
                          weft_strerror(r));
    return 0;
}

int weft_popen_terminate(weft_popen *popen)
{
    return weft_popen_send_signal(popen, SIGTERM);
}

int weft_popen_kill(weft_popen *popen)
{
    return weft_popen_send_signal(popen, SIGKILL);
}

/* ---- What it is -------------------------------------------------------------------------------
 */

pid_t weft_popen_pid(weft_popen *popen)
{
    int r = weft_handle_check(popen, &weft_popen_kind, "pid");
    return r < 0 ? (pid_t)r : popen->exit.pid;
}

static weft_stream *stream(weft_popen *popen, int i, const char *what)
{
    if (weft_handle_check(popen, &weft_popen_kind, what) < 0)
        return NULL;
    if (popen->streams[i] == NULL)
        weft_error(-EINVAL, "%s of '%.300s' is no pipe", what, popen->command);
    return popen->streams[i];
}

weft_stream *weft_popen_stdin(weft_popen *popen)
{
    return stream(popen, WEFT_CHILD_IN, "stdin");
}

weft_stream *weft_popen_stdout(weft_popen *popen)
{
    return stream(popen, WEFT_CHILD_OUT, "stdout");
}

weft_stream *weft_popen_stderr(weft_popen *popen)
{
    return stream(popen, WEFT_CHILD_ERR, "stderr");
}
