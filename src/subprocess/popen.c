/* SPDX-License-Identifier: MIT */
/*
 * A child's end, and the handle's.
 *
 * Nobody watches a child: its end is seen by whoever waits, polls or asks, and by the next start
 * once it has been dropped. So there is no thread, no SIGCHLD and no zombie that stays.
 *
 * Races: reaping and killing exclude each other inside platform/childexit. Of several that see the
 * end, the one that turns `settled` writes the outcome and completes the handle; the others wait
 * for that, which is a few instructions: who has seen the end finds it told.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>

#include "core/clock.h"
#include "core/error.h"
#include "core/memory.h"
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
    if (atomic_exchange_explicit(&popen->settled, true, memory_order_relaxed)) {
        while (!weft_handle_done(&popen->job.handle))
            (void)sched_yield();
        return;
    }
    popen->returncode = r < 0 ? WEFT_NO_RETURNCODE : status;
    int code = r < 0 ? r : status != 0 ? WEFT_ECALLED_PROCESS : 0;
    if (r < 0)
        (void)snprintf(message, sizeof message, "command '%.300s': %s", popen->command,
                       weft_strerror(r));
    else
        weft_returncode_describe(message, sizeof message, popen->command, status);
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
    int r = weft_popen_end(popen, popen->on_drop == WEFT_ON_DROP_KILL ? SIGKILL : SIGTERM);
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

void weft_popen_free(weft_popen *popen)
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
    int status;
    if (popen->on_drop != WEFT_ON_DROP_LEAVE && weft_childexit_reap(&popen->exit, &status) == 0)
        (void)weft_popen_end(popen, popen->on_drop == WEFT_ON_DROP_KILL ? SIGKILL : SIGTERM);
    weft_childexit_close(&popen->exit);
    weft_popen_free(popen);
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

/* ---- Waiting ----------------------------------------------------------------------------------
 */

/* Moves what is there into the buffers; the pipes that may have more, whose number is returned, go
 * to `waits`. *moved: some may have it at once. Errors, with message: -ENOMEM: nobody would empty
 * the pipe. */
static int drain_pipes(weft_popen *popen, weft_pipe_wait *waits, bool *moved)
{
    int count = 0;
    for (int i = WEFT_CHILD_OUT; i <= WEFT_CHILD_ERR; i++) {
        weft_stream *stream = popen->streams[i];
        int r = stream != NULL ? weft_stream_drain(stream) : 0;
        if (r == -ENOMEM)
            return weft_error(r, "wait for '%.300s': no memory for its output", popen->command);
        *moved |= r > 0;
        if (r > 0 || r == -EAGAIN)
            waits[count++] = (weft_pipe_wait){.stream = stream, .interest = WEFT_READABLE};
    }
    return count;
}

/* 1: ended; 0: runs. Errors, with message: WEFT_ESTATUS_LOST. */
static int see_end(weft_popen *popen)
{
    int returncode;
    int r = weft_popen_look(popen, &returncode);
    return r < 0 ? weft_error(r, "wait for '%.300s': %s", popen->command, weft_strerror(r)) : r;
}

int weft_popen_await(weft_popen *popen, bool drain, weft_instant deadline)
{
    weft_pipe_wait waits[WEFT_CHILD_STREAMS];
    for (;;) {
        bool moved = false;
        int count = drain ? drain_pipes(popen, waits, &moved) : 0;
        if (count < 0)
            return count;
        int r = count > 0 ? see_end(popen) : weft_handle_wait(&popen->job.handle, deadline);
        if (r == 0 && count == 0)
            r = see_end(popen);
        if (r != 0)
            return r < 0 ? r : 0;
        if (deadline == WEFT_INSTANT_NOW)
            return weft_error_timed_out();
        /* a coroutine is told of edges: it sleeps only after EAGAIN */
        r = moved ? weft_stream_breathe(deadline)
                  : weft_pipes_sleep(popen, waits, (size_t)count, deadline);
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
        (void)weft_popen_end(popen, SIGTERM);
        r = weft_popen_await(popen, false, weft_instant_now() + popen->grace);
    }
    if (r < 0 && r != WEFT_ESTATUS_LOST) { /* also where a signal handler has ended the wait */
        (void)weft_popen_end(popen, SIGKILL);
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

/* ---- What it is -------------------------------------------------------------------------------
 */

pid_t weft_popen_pid(weft_popen *popen)
{
    int r = weft_handle_check(popen, &weft_popen_kind, "pid");
    return r < 0 ? (pid_t)r : popen->exit.pid;
}

const char *weft_popen_command(weft_popen *popen)
{
    return weft_handle_check(popen, &weft_popen_kind, "command") < 0 ? NULL : popen->command;
}

int weft_popen_fileno(weft_popen *popen)
{
    int r = weft_handle_check(popen, &weft_popen_kind, "fileno");
    return r < 0 ? r : popen->exit.fd;
}

void weft_popen_tell_usage(const weft_popen *popen, weft_rusage *usage)
{
    const weft_childexit_usage *known = &popen->exit.usage;
    *usage = (weft_rusage){
        .user_time = known->user,
        .system_time = known->system,
        .max_rss = known->max_rss,
        .minor_faults = known->minor_faults,
        .major_faults = known->major_faults,
        .blocks_in = known->blocks_in,
        .blocks_out = known->blocks_out,
        .voluntary_switches = known->voluntary_switches,
        .involuntary_switches = known->involuntary_switches,
    };
}

int weft_popen_rusage(weft_popen *popen, weft_rusage *usage)
{
    int r = weft_handle_check(popen, &weft_popen_kind, "rusage");
    if (r < 0)
        return r;
    if (usage == NULL)
        return weft_error(-EINVAL, "rusage of '%.300s': nowhere to write it", popen->command);
    if (!weft_childexit_has_usage)
        return weft_error(-ENOTSUP,
                          "rusage of '%.300s': the system tells only that of all children",
                          popen->command);
    if (!weft_handle_done(&popen->job.handle))
        return weft_error(WEFT_EINVALID_STATE, "rusage of '%.300s': it has not been waited for",
                          popen->command);
    if (!popen->exit.usage_known)
        return weft_error(WEFT_ESTATUS_LOST, "rusage of '%.300s': somebody else waited for it",
                          popen->command);
    weft_popen_tell_usage(popen, usage);
    return 0;
}

static weft_stream *stream(weft_popen *popen, int i, const char *what)
{
    if (weft_handle_check(popen, &weft_popen_kind, what) < 0)
        return NULL;
    if (popen->streams[i] == NULL)
        weft_error(-EINVAL, "%s of '%.300s' is no pipe of ours", what, popen->command);
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
