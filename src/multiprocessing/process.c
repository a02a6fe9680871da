/* SPDX-License-Identifier: MIT */
/*
 * Processes as handles: start, signals, end.
 *
 * A process that runs is on a list, which has a reference of its own: it runs on when its handle is
 * released, and weft_shutdown finds it. Its end is a descriptor that becomes readable; whoever
 * waits for the handle, or asks, looks there, and of several that see the end the one that turns
 * `settled` reads the outcome, takes it off the list and completes the handle. One that nobody asks
 * about any more is reaped by a later start or the shutdown.
 */
#include "multiprocessing/process.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/signal.h>

#include "core/clock.h"
#include "core/context.h"
#include "core/fork.h"
#include "core/memory.h"
#include "core/shutdown.h"
#include "multiprocessing/arena.h"
#include "platform/sharedmap.h"

weft_process *weft_process_self;

static struct {
    weft_ilock lock; /* guards what follows */
    weft_list all;
    size_t count; /* in it */
} running;

/* ---- the end -----------------------------------------------------------------------------------
 */

static weft_process *process_of(weft_handle *handle)
{
    return (weft_process *)(void *)handle;
}

void weft_process_end_text(int exitcode, char *buffer, size_t size)
{
    const char *name = exitcode < 0 ? weft_signal_name(-exitcode) : NULL;
    if (exitcode == WEFT_ESTATUS_LOST)
        snprintf(buffer, size, "ended, nobody knows how");
    else if (exitcode >= 0)
        snprintf(buffer, size, "exited with status %d", exitcode);
    else if (name != NULL)
        snprintf(buffer, size, "was killed by %s", name);
    else
        snprintf(buffer, size, "was killed by signal %d", -exitcode);
}

/* The function has not returned. */
static void outcome_from_status(weft_process *process)
{
    char end[64], message[256];
    int code = process->exitcode == 0                   ? 0
               : process->exitcode == WEFT_ESTATUS_LOST ? WEFT_ESTATUS_LOST
               : atomic_load(&process->asked)           ? -ECANCELED
                                                        : WEFT_ECALLED_PROCESS;
    weft_process_end_text(process->exitcode, end, sizeof end);
    snprintf(message, sizeof message, "process '%.100s' %s",
             weft_handle_name_of(&process->job.handle), end);
    weft_job_set_outcome(&process->job, code, message, NULL, 0);
}

static void unlist(weft_process *process)
{
    weft_ilock_acquire(&running.lock);
    weft_list_remove(&process->link);
    running.count--;
    weft_ilock_release(&running.lock);
}

static void settle(weft_process *process, int r, int status)
{
    /* relaxed: only who wins matters; the handle's completion hands the outcome over */
    if (atomic_exchange_explicit(&process->settled, true, memory_order_relaxed))
        return;
    process->exitcode = r < 0 ? WEFT_ESTATUS_LOST : status;
    weft_arena_disclaim(process->id);
    if (!weft_process_read_outcome(process))
        outcome_from_status(process);
    else if (r < 0)
        process->exitcode = process->job.code < 0 ? 1 : 0; /* its outcome tells its status */
    unlist(process); /* first: a child of a fork closes the numbers of those that are listed */
    (void)close(process->outcome_fd);
    process->outcome_fd = -1;
    weft_job_complete(&process->job);
    weft_handle_drop(&process->job.handle); /* the list's */
}

void weft_process_look(weft_process *process)
{
    int status = 0;
    if (weft_handle_done(&process->job.handle) || process == weft_process_self)
        return;
    int r = weft_childexit_reap(&process->exit, &status);
    if (r != 0)
        settle(process, r, status);
}

static weft_job *job(weft_handle *handle)
{
    return &process_of(handle)->job;
}

static void poke(weft_handle *handle)
{
    weft_process_look(process_of(handle));
}

static int descriptor(weft_handle *handle, weft_fd_wait *fd)
{
    if (weft_handle_done(handle) || process_of(handle) == weft_process_self)
        return 0;
    *fd = (weft_fd_wait){.fd = process_of(handle)->exit.fd, .interest = WEFT_READABLE};
    return 1;
}

static int send_signal(weft_process *process, int signum, const char *what)
{
    int r = process == weft_process_self ? (kill(getpid(), signum) < 0 ? -errno : 0)
                                         : weft_childexit_kill(&process->exit, signum);
    if (r < 0 && r != -ESRCH)
        return weft_error_on(r, what, weft_handle_name_of(&process->job.handle));
    return r;
}

static int cancel(weft_handle *handle)
{
    weft_process *process = process_of(handle);
    if (process == weft_process_self)
        return weft_job_cancel(handle);
    weft_process_look(process);
    if (weft_handle_done(handle))
        return 0;
    atomic_store(&process->asked, true);
    int r = send_signal(process, SIGTERM, "cancel process");
    return r == -ESRCH ? 0 : r < 0 ? r : 1;
}

static int describe(weft_handle *handle, char *buffer, size_t size)
{
    weft_process *process = process_of(handle);
    char end[64];
    if (!weft_handle_done(handle))
        return snprintf(buffer, size, "running, pid %ld", (long)process->exit.pid);
    weft_process_end_text(process->exitcode, end, sizeof end);
    return snprintf(buffer, size, "%s", end);
}

static void finalize(weft_handle *handle)
{
    weft_process *process = process_of(handle);
    weft_childexit_close(&process->exit);
    weft_job_clear(&process->job);
    weft_dealloc(process);
}

static _Atomic uint32_t numbers;

const weft_kind weft_process_kind = {
    .name = "process",
    .prefix = "Process",
    .numbers = &numbers,
    .runs = true,
    .finalize = finalize,
    .job = job,
    .cancel = cancel,
    .descriptor = descriptor,
    .poke = poke,
    .describe = describe,
};

/* ---- those that run ----------------------------------------------------------------------------
 */

/* A process of the list, held, that is (not) a daemon; NULL: none. */
static weft_process *hold_first(bool daemons)
{
    weft_process *found = NULL;
    weft_ilock_acquire(&running.lock);
    for (weft_link *link = weft_list_first(&running.all); link != NULL && found == NULL;
         link = weft_list_next(&running.all, link)) {
        weft_process *process = WEFT_CONTAINER(link, weft_process, link);
        if (process->daemon == daemons) {
            weft_handle_hold(&process->job.handle);
            found = process;
        }
    }
    weft_ilock_release(&running.lock);
    return found;
}

int weft_process_join_all(bool daemons, weft_instant deadline)
{
    int r = 0;
    weft_process *process;
    while (r == 0 && (process = hold_first(daemons)) != NULL) {
        if (daemons)
            (void)send_signal(process, SIGTERM, "terminate process");
        r = weft_handle_wait(&process->job.handle, deadline);
        if (r == -ETIMEDOUT)
            r = weft_error(r, "shut down: process '%s' still runs",
                           weft_handle_name_of(&process->job.handle));
        weft_handle_drop(&process->job.handle);
    }
    return r;
}

enum { BATCH = 16 };

/* Some of those that nobody but the list knows, held. Each that has been looked at goes to the end
 * of the list; *left: how many are still to be. */
static size_t hold_forgotten(weft_process **found, size_t *left)
{
    size_t count = 0;
    weft_ilock_acquire(&running.lock);
    if (*left > running.count)
        *left = running.count;
    for (; *left > 0 && count < BATCH; (*left)--) {
        weft_link *link = weft_list_pop(&running.all);
        weft_process *process = WEFT_CONTAINER(link, weft_process, link);
        weft_list_append(&running.all, link);
        /* relaxed: a reference that comes or goes meanwhile is looked at next time */
        if (atomic_load_explicit(&process->job.handle.refs, memory_order_relaxed) == 1) {
            weft_handle_hold(&process->job.handle);
            found[count++] = process;
        }
    }
    weft_ilock_release(&running.lock);
    return count;
}

/* Completes those of them that have ended. */
static void reap_forgotten(void)
{
    weft_process *found[BATCH];
    size_t left = SIZE_MAX;
    while (left > 0) {
        size_t count = hold_forgotten(found, &left);
        for (size_t i = 0; i < count; i++) {
            weft_process_look(found[i]);
            weft_handle_drop(&found[i]->job.handle);
        }
    }
}

static int join_at_shutdown(weft_instant deadline)
{
    return weft_process_join_all(false, deadline);
}

static int terminate_at_shutdown(weft_instant deadline)
{
    return weft_process_join_all(true, deadline);
}

static weft_shutdown_step join_step = {.stage = WEFT_STAGE_THREADS, .run = join_at_shutdown};
static weft_shutdown_step terminate_step = {.stage = WEFT_STAGE_DAEMONS,
                                            .run = terminate_at_shutdown};

static void before_fork(void)
{
    weft_ilock_acquire(&running.lock);
}

static void after_fork(void)
{
    weft_ilock_release(&running.lock);
}

/* The parent's children are not this one's. */
static void after_fork_child(void)
{
    for (weft_link *link = weft_list_first(&running.all); link != NULL;
         link = weft_list_next(&running.all, link)) {
        weft_process *process = WEFT_CONTAINER(link, weft_process, link);
        if (process->outcome_fd >= 0)
            (void)close(process->outcome_fd);
        (void)close(process->exit.fd);
    }
    running.all = (weft_list){0};
    running.count = 0;
    weft_process_self = NULL;
    after_fork();
}

static weft_fork_hooks fork_hooks = {
    .prepare = before_fork, .parent = after_fork, .child = after_fork_child};

/* What is to be in place before the first child. */
static int begin_module(void)
{
    if (weft_context_self() == NULL) /* which installs the fork handlers */
        return -ENOMEM;
    weft_fork_register(&fork_hooks);
    weft_shutdown_register(&join_step);
    weft_shutdown_register(&terminate_step);
    return 0;
}

/* ---- start -------------------------------------------------------------------------------------
 */

static int start_failed(int r)
{
    return weft_error(r, "start process: %s", weft_strerror(r));
}

/* The child has no handle: it must not run on unseen. */
static void undo_fork(pid_t pid, int pidfd)
{
    (void)kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (pidfd >= 0)
        (void)close(pidfd);
}

static int fork_and_watch(weft_process *process)
{
    int pidfd = -1;
    int r = weft_arena_claim(&process->id);
    if (r < 0)
        return r;
    pid_t pid = weft_process_fork(process, &pidfd);
    if (pid < 0) {
        r = start_failed((int)pid);
    } else {
        r = weft_childexit_open(&process->exit, pid, pidfd);
        if (r < 0) {
            undo_fork(pid, pidfd);
            start_failed(r);
        }
    }
    if (r < 0)
        weft_arena_disclaim(process->id);
    return r;
}

static int make(weft_process **process, weft_fn *fn, const void *arg, size_t arg_size,
                const char *name, bool daemon)
{
    weft_process *made = weft_calloc(1, sizeof *made);
    if (made == NULL)
        return start_failed(-ENOMEM);
    int r = weft_job_init(&made->job, &weft_process_kind, fn, arg, arg_size, NULL, 0);
    if (r < 0) {
        weft_dealloc(made);
        return r;
    }
    made->daemon = daemon;
    made->outcome_fd = weft_sharedmap_open("weft-outcome");
    r = made->outcome_fd < 0 ? start_failed(made->outcome_fd) : 0;
    if (r == 0 && name != NULL)
        r = weft_handle_rename(&made->job.handle, name);
    if (r == 0)
        r = fork_and_watch(made);
    if (r < 0) {
        if (made->outcome_fd >= 0)
            (void)close(made->outcome_fd);
        weft_job_clear(&made->job);
        weft_dealloc(made);
        return r;
    }
    *process = made;
    return 0;
}

int weft_process_launch(weft_process **process, weft_fn *fn, const void *arg, size_t arg_size,
                        const char *name, bool daemon)
{
    weft_process *made = NULL;
    int r = begin_module();
    if (r < 0)
        return r;
    reap_forgotten();
    r = make(&made, fn, arg, arg_size, name, daemon);
    if (r < 0)
        return r;
    if (process != NULL)
        *process = (weft_process *)(void *)weft_handle_hold(&made->job.handle);
    weft_ilock_acquire(&running.lock);
    weft_list_append(&running.all, &made->link);
    running.count++;
    weft_ilock_release(&running.lock);
    return 0;
}

/* ---- public ------------------------------------------------------------------------------------
 */

int weft_process_start(weft_process **process, weft_fn *fn, const void *arg, size_t arg_size,
                       const weft_process_options *options)
{
    static const weft_process_options defaults;
    if (process != NULL)
        *process = NULL;
    if (options == NULL)
        options = &defaults;
    if (weft_process_self != NULL && weft_process_self->daemon)
        return weft_error(WEFT_EINVALID_STATE, "start process: '%s' is a daemon, which has none",
                          weft_handle_name_of(&weft_process_self->job.handle));
    if (arg != NULL && arg_size == 0 && !weft_is_shared(arg))
        return weft_error(-EINVAL, "start process: the pointer does not lead into shared memory "
                                   "(weft_shared_alloc), so the process would have a copy only");
    return weft_process_launch(process, fn, arg, arg_size, options->name, options->daemon);
}

int weft_process_join(weft_process *process, double timeout)
{
    weft_instant deadline;
    int r = weft_handle_check(process, &weft_process_kind, "join process");
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    if (r < 0)
        return r;
    if (process == weft_process_self)
        return weft_error(-EDEADLK, "join process: '%s' would wait for itself",
                          weft_handle_name_of(&process->job.handle));
    return weft_handle_wait(&process->job.handle, deadline);
}

int weft_process_exitcode(weft_process *process, int *exitcode)
{
    int status;
    int r = weft_handle_check(process, &weft_process_kind, "exitcode");
    if (r < 0 || process == weft_process_self)
        return r;
    if (!weft_handle_done(&process->job.handle)) {
        if (weft_childexit_reap(&process->exit, &status) == 0)
            return 0;
        weft_process_look(process);
        /* another may be writing the outcome just now */
        r = weft_handle_wait(&process->job.handle, WEFT_INSTANT_NEVER);
        if (r < 0)
            return r;
    }
    if (process->exitcode == WEFT_ESTATUS_LOST)
        return weft_error_on(WEFT_ESTATUS_LOST, "exitcode of process",
                             weft_handle_name_of(&process->job.handle));
    if (exitcode != NULL)
        *exitcode = process->exitcode;
    return 1;
}

int weft_process_terminate(weft_process *process)
{
    int r = weft_handle_check(process, &weft_process_kind, "terminate process");
    if (r == 0)
        r = send_signal(process, SIGTERM, "terminate process");
    return r == -ESRCH ? 0 : r;
}

int weft_process_kill(weft_process *process)
{
    int r = weft_handle_check(process, &weft_process_kind, "kill process");
    if (r == 0)
        r = send_signal(process, SIGKILL, "kill process");
    return r == -ESRCH ? 0 : r;
}

bool weft_process_is_alive(weft_process *process)
{
    if (process == NULL || weft_handle_check(process, &weft_process_kind, "is_alive") < 0)
        return false;
    weft_process_look(process);
    return !weft_handle_done(&process->job.handle);
}

int weft_process_pid(weft_process *process)
{
    int r = weft_handle_check(process, &weft_process_kind, "pid");
    return r < 0 ? r : (int)process->exit.pid;
}

weft_process *weft_process_current(void)
{
    if (weft_process_self == NULL)
        weft_error(-EINVAL, "current process: it was not started by weft_process_start");
    return weft_process_self;
}

int weft_process_exit(int code)
{
    if (code < 0 || code > 255)
        return weft_error(-EINVAL, "exit process: no exit code %d", code);
    if (weft_process_self == NULL)
        return weft_error(-EINVAL, "exit process: it was not started by weft_process_start");
    weft_process_leave(code);
}
