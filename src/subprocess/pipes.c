/* SPDX-License-Identifier: MIT */
/*
 * The child's standard descriptors, and waiting for several of their other ends at once.
 *
 * A pipe has two open file descriptions, so this process's end is non-blocking and the child's is
 * not. A stream that is moved into a child (a pipeline's middle) is made blocking again first,
 * since that is a property of what they share. An end of ours that would get a number below 3,
 * because the host has closed that one, is moved up: the host may yet print to it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "core/error.h"
#include "core/memory.h"
#include "platform/cloexec.h"
#include "platform/pipesize.h"
#include "subprocess/popen.h"

static const char *const names[WEFT_CHILD_STREAMS] = {"stdin", "stdout", "stderr"};

void weft_stdio_own(weft_stdio *stdio, int i, int fd)
{
    stdio->child[i] = fd;
    stdio->owned[i] = true;
    weft_io_init(&stdio->ends[i], fd);
}

static int open_pipe(weft_stdio *stdio, int i, size_t size, const char *who)
{
    char name[128];
    weft_io made, *end = &stdio->ends[i];
    int r = i == WEFT_CHILD_IN ? weft_io_pipe(end, &made) : weft_io_pipe(&made, end);
    if (r < 0)
        return r;
    int mine = made.fd;
    stdio->child[i] = end->fd;
    stdio->owned[i] = true;
    if (size > 0)
        (void)weft_pipesize_set(mine, size); /* where it cannot be set, it is as it is */
    (void)snprintf(name, sizeof name, "%s of %s", names[i], who);
    if (mine <= 2)
        (void)weft_io_take(&made); /* the number will be another's */
    r = weft_cloexec_move_up(&mine);
    if (r == 0)
        r = weft_stream_from_fd(&stdio->streams[i], mine, false, name);
    (void)weft_io_take(&made); /* the stream has entered it itself */
    if (r < 0)
        (void)close(mine);
    return r;
}

static int open_null(weft_stdio *stdio, int i)
{
    int fd = weft_cloexec_open("/dev/null", O_RDWR);
    if (fd < 0)
        return fd;
    weft_stdio_own(stdio, i, fd);
    return 0;
}

static int open_one(weft_stdio *stdio, int i, int kind, const weft_popen_options *options,
                    const char *who)
{
    stdio->child[i] = -1;
    switch (kind) {
    case 0:
        return 0;
    case WEFT_PIPE:
        return open_pipe(stdio, i, options->pipe_size, who);
    case WEFT_DEVNULL:
        return open_null(stdio, i);
    case WEFT_PTY:
        return weft_stdio_open_terminal(stdio, i, options, who);
    case WEFT_STDOUT:
        if (i != WEFT_CHILD_ERR)
            return -EINVAL;
        stdio->child[i] = WEFT_SPAWN_AS_STDOUT;
        return 0;
    default:
        if (kind < 0)
            return -EINVAL;
        stdio->child[i] = kind;
        return 0;
    }
}

/* The stream becomes the child's stdin, unless the start fails. */
static int move_in(weft_stdio *stdio, weft_stream *stream)
{
    int r = weft_handle_check(stream, &weft_stream_kind, "start a popen: .in_stream");
    if (r == 0)
        r = weft_stream_reader_acquire(stream, false); /* nothing is read of it here */
    if (r < 0)
        return r;
    if (stream->start < stream->end) {
        weft_stream_reader_release(stream);
        return weft_error(WEFT_EINVALID_STATE,
                          "start a popen: .in_stream '%s' has bytes in its buffer",
                          weft_handle_name_of(&stream->handle));
    }
    r = weft_cloexec_set_nonblocking(stream->io.fd, false);
    if (r < 0) {
        weft_stream_reader_release(stream);
        return weft_error_on(r, "start a popen: .in_stream", weft_handle_name_of(&stream->handle));
    }
    stdio->child[WEFT_CHILD_IN] = stream->io.fd;
    stdio->moved = stream;
    return 0;
}

int weft_stdio_open(weft_stdio *stdio, const weft_popen_options *options, const char *who)
{
    const int kinds[WEFT_CHILD_STREAMS] = {options->in, options->out, options->err};
    *stdio = (weft_stdio){.child = {-1, -1, -1}, .first_terminal = -1};
    for (int i = 0; i < WEFT_CHILD_STREAMS; i++) {
        int r = open_one(stdio, i, kinds[i], options, who);
        if (r < 0) {
            weft_stdio_close(stdio, false);
            return weft_error(r, "run '%s': open its %s: %s", who, names[i], weft_strerror(r));
        }
    }
    int r = options->in_stream != NULL ? move_in(stdio, options->in_stream) : 0;
    if (r < 0)
        weft_stdio_close(stdio, false);
    return r;
}

void weft_stdio_plan(const weft_stdio *stdio, weft_spawn_plan *plan)
{
    for (int i = 0; i < WEFT_CHILD_STREAMS; i++)
        plan->fds[i] = stdio->child[i];
    if (stdio->first_terminal >= 0) {
        plan->terminal = stdio->terminal_path;
        plan->terminal_fd = stdio->first_terminal;
    }
}

void weft_stdio_close(weft_stdio *stdio, bool started)
{
    for (int i = 0; i < WEFT_CHILD_STREAMS; i++) {
        if (stdio->owned[i])
            weft_io_close(&stdio->ends[i]);
        if (!started && stdio->streams[i] != NULL)
            weft_handle_drop(&stdio->streams[i]->handle);
        stdio->owned[i] = false;
    }
    if (stdio->moved == NULL)
        return;
    if (started)
        weft_stream_shut(stdio->moved);
    else
        (void)weft_cloexec_set_nonblocking(stdio->moved->io.fd, true);
    weft_stream_reader_release(stdio->moved);
    stdio->moved = NULL;
}

/* ---- Waiting ----------------------------------------------------------------------------------
 */

enum { FEW = 2 * WEFT_CHILD_STREAMS };

/* One of those waited for: its list has a waiter for the one wait word of the running context. */
typedef struct weft_sleep_entry {
    weft_waiter waiter;
    weft_ilock *lock; /* of the list */
    weft_io *entered;
} weft_sleep_entry;

typedef struct weft_sleeper {
    weft_context *context;
    weft_sleep_entry *entries; /* few_entries, or in one block with the descriptors */
    weft_fd_wait *fds;
    size_t count;
    weft_sleep_entry few_entries[FEW];
    weft_fd_wait few_fds[FEW];
} weft_sleeper;

/* Room for `most`. Errors: -ENOMEM. */
static int make_room(weft_sleeper *sleeper, size_t most)
{
    sleeper->entries = sleeper->few_entries;
    sleeper->fds = sleeper->few_fds;
    sleeper->count = 0;
    if (most <= FEW)
        return 0;
    sleeper->entries = weft_alloc(most * (sizeof *sleeper->entries + sizeof *sleeper->fds));
    if (sleeper->entries == NULL)
        return weft_error(-ENOMEM, "wait for %zu pipes: no memory", most);
    sleeper->fds = (weft_fd_wait *)(void *)(sleeper->entries + most);
    return 0;
}

static void link_waiter(weft_sleeper *sleeper, weft_ilock *lock, weft_list *list, weft_fd_wait fd,
                        weft_io *io)
{
    size_t i = sleeper->count++;
    weft_sleep_entry *entry = &sleeper->entries[i];
    *entry = (weft_sleep_entry){.waiter = {.context = sleeper->context}};
    entry->lock = lock;
    entry->entered = io;
    sleeper->fds[i] = fd;
    weft_list_append(list, &entry->waiter.link);
}

/* false: it has ended. */
static bool link_exit(weft_sleeper *sleeper, weft_popen *popen)
{
    weft_handle *handle = &popen->job.handle;
    weft_ilock_acquire(&handle->lock);
    bool done = atomic_load_explicit(&handle->done, memory_order_relaxed) != 0; /* under the lock */
    if (!done)
        link_waiter(sleeper, &handle->lock, &handle->waiters,
                    (weft_fd_wait){.fd = popen->exit.fd, .interest = WEFT_READABLE}, NULL);
    weft_ilock_release(&handle->lock);
    return !done;
}

/* false: it is closed. */
static bool link_pipe(weft_sleeper *sleeper, const weft_pipe_wait *pipe)
{
    weft_io *io = &pipe->stream->io;
    if (weft_io_enter(io) < 0)
        return false;
    weft_ilock_acquire(&io->lock);
    bool closed = io->closed;
    if (!closed) {
        weft_fd_wait fd = {.fd = io->fd, .interest = pipe->interest};
        fd.id = weft_io_registration(io, sleeper->context);
        link_waiter(sleeper, &io->lock, &io->waiters, fd, io);
    }
    weft_ilock_release(&io->lock);
    if (closed)
        weft_io_leave(io);
    return !closed;
}

static void unlink_all(weft_sleeper *sleeper)
{
    for (size_t i = 0; i < sleeper->count; i++) {
        weft_sleep_entry *entry = &sleeper->entries[i];
        weft_ilock_acquire(entry->lock);
        if (weft_link_linked(&entry->waiter.link))
            weft_list_remove(&entry->waiter.link);
        weft_ilock_release(entry->lock);
        if (entry->entered != NULL)
            weft_io_leave(entry->entered);
    }
    if (sleeper->entries != sleeper->few_entries)
        weft_dealloc(sleeper->entries);
}

int weft_pipes_sleep(weft_popen *popen, const weft_pipe_wait *pipes, size_t count,
                     weft_instant deadline)
{
    weft_sleeper sleeper;
    weft_waiter self_waiter;
    int r = weft_waiter_init(&self_waiter);
    if (r == 0)
        r = make_room(&sleeper, count + 1);
    if (r < 0)
        return r;
    weft_context *self = sleeper.context = self_waiter.context;
    weft_wait_publish(&self_waiter);
    bool waits = popen == NULL || link_exit(&sleeper, popen);
    for (size_t i = 0; waits && i < count; i++)
        waits = link_pipe(&sleeper, &pipes[i]);
    if (waits || !weft_wait_retract(self))
        r = weft_wait_sleep_fds(self, deadline, sleeper.fds, sleeper.count);
    unlink_all(&sleeper);
    return r == WEFT_WAIT_AND_CANCEL ? weft_wait_cancelled(self) : r;
}
