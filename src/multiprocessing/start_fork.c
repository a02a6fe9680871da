/* SPDX-License-Identifier: MIT */
/*
 * The start by fork, and the child's side of a process.
 *
 * The child goes on on the very stack it was forked on, also when that is a coroutine's: the fork's
 * child handlers have made the thread an ordinary one that runs no loop, and the child never
 * returns from here to the code that was running before, so the copy of the loop and its poller are
 * never touched (a poller is one with the parent's).
 *
 * The outcome lies in a file: result bytes and message first, the header, by which it counts, last.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/context.h"
#include "core/fork.h"
#include "core/interrupt.h"
#include "core/iowait.h"
#include "core/memory.h"
#include "core/shutdown.h"
#include "multiprocessing/process.h"
#include "platform/spawn.h"

#define MAGIC UINT64_C(0x656d6f6374756f77)

typedef struct outcome_header {
    uint64_t magic;
    int32_t code;
    uint32_t message_size; /* behind the data */
    uint64_t data_size;    /* behind this header */
    uint32_t has_data;
    uint32_t reserved;
} outcome_header;

/* ---- the outcome -------------------------------------------------------------------------------
 */

static int write_all(int fd, const void *data, size_t size, uint64_t at)
{
    const char *from = data;
    while (size > 0) {
        ssize_t n = pwrite(fd, from, size, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        from += n;
        size -= (size_t)n;
        at += (uint64_t)n;
    }
    return 0;
}

/* 0, -errno, or 1: that much is not there. */
static int read_all(int fd, void *data, size_t size, uint64_t at)
{
    char *to = data;
    while (size > 0) {
        ssize_t n = pread(fd, to, size, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 1;
        to += n;
        size -= (size_t)n;
        at += (uint64_t)n;
    }
    return 0;
}

static int write_outcome(int fd, int code, const char *message, const weft_bytes *data)
{
    outcome_header header = {.magic = MAGIC, .code = code, .has_data = data->data != NULL};
    header.data_size = data->data != NULL ? data->size : 0;
    header.message_size = message != NULL ? (uint32_t)strlen(message) : 0;
    int r = write_all(fd, data->data, (size_t)header.data_size, sizeof header);
    if (r == 0)
        r = write_all(fd, message, header.message_size, sizeof header + header.data_size);
    return r < 0 ? r : write_all(fd, &header, sizeof header, 0);
}

static void leave_outcome(weft_process *process)
{
    weft_job *job = &process->job;
    const char *message = job->code < 0 ? weft_job_message(job) : NULL;
    sigset_t too_large;
    sigemptyset(&too_large);
    sigaddset(&too_large, SIGXFSZ); /* over a limit on file sizes: an error is enough */
    pthread_sigmask(SIG_BLOCK, &too_large, NULL);
    int r = write_outcome(process->outcome_fd, job->code, message, &job->result);
    if (r < 0) {
        weft_bytes none = {0};
        char text[128];
        snprintf(text, sizeof text, "hand over %zu result bytes: %s", job->result.size,
                 weft_strerror(r));
        job->code = r;
        (void)write_outcome(process->outcome_fd, r, text, &none);
    }
}

static int read_body(weft_process *process, const outcome_header *header)
{
    size_t size = (size_t)header->data_size;
    if (size >= SIZE_MAX - header->message_size - 2)
        return -ENOMEM;
    char *body = weft_alloc(size + header->message_size + 2);
    if (body == NULL)
        return -ENOMEM;
    char *message = body + size + 1;
    int r = read_all(process->outcome_fd, body, size, sizeof *header);
    if (r == 0)
        r = read_all(process->outcome_fd, message, header->message_size, sizeof *header + size);
    message[header->message_size] = '\0';
    if (r == 0)
        weft_job_set_outcome(&process->job, header->code, message,
                             header->has_data != 0 ? body : NULL, size);
    weft_dealloc(body);
    return r;
}

bool weft_process_read_outcome(weft_process *process)
{
    outcome_header header;
    int r = read_all(process->outcome_fd, &header, sizeof header, 0);
    if (r > 0 || (r == 0 && header.magic != MAGIC))
        return false;
    if (r == 0)
        r = read_body(process, &header);
    if (r != 0)
        weft_job_set_outcome(&process->job, r < 0 ? r : -EIO, NULL, NULL, 0);
    return true;
}

/* ---- the child ---------------------------------------------------------------------------------
 */

/* Not all streams: another thread may hold the lock of one for as long as it waits for input. */
static void flush_standard_output(void)
{
    (void)fflush(stdout);
    (void)fflush(stderr);
}

_Noreturn void weft_process_leave(int code)
{
    flush_standard_output();
    _exit(code);
}

static void standard_input_from_nowhere(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDONLY);
    while (fd < 0 && errno == EINTR);
    if (fd > 0) {
        (void)dup2(fd, 0);
        (void)close(fd);
    }
}

/* Where coroutines are threads these have all signals blocked; a process that started so could not
 * be terminated. */
static void open_signals(void)
{
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGINT) == 1 &&
        sigismember(&mask, SIGHUP) == 1 && sigismember(&mask, SIGCHLD) == 1) {
        sigemptyset(&mask);
        pthread_sigmask(SIG_SETMASK, &mask, NULL);
    }
}

_Noreturn static void run_child(weft_process *process, bool from_coroutine)
{
    weft_process_self = process;
    /* the copy of the handle is the child's own */
    process->job.handle.fork_generation = weft_fork_generation;
    process->exit.pid = getpid();
    process->exit.fd = -1;
    weft_io_close_inherited();
    standard_input_from_nowhere();
    if (from_coroutine)
        open_signals();
    (void)weft_interrupt_claim_main();
    weft_job_call(&process->job);
    flush_standard_output();
    /* as in Python, what it has started ends first; a pool's workers would be waited for in vain */
    (void)weft_shutdown_run(WEFT_STAGE_EXECUTORS, WEFT_INSTANT_NEVER);
    (void)weft_shutdown_run(WEFT_STAGE_THREADS, WEFT_INSTANT_NEVER);
    (void)weft_process_join_all(true, WEFT_INSTANT_NEVER);
    leave_outcome(process);
    weft_process_leave(process->job.code < 0 ? 1 : 0);
}

pid_t weft_process_fork(weft_process *process, int *pidfd)
{
    weft_context *self = weft_context_self();
    bool from_coroutine = self != NULL && self->coroutine;
    flush_standard_output(); /* or both would write what is in the buffers */
    pid_t pid = weft_spawn_fork(pidfd);
    if (pid == 0)
        run_child(process, from_coroutine);
    return pid;
}
