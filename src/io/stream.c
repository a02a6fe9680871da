/* SPDX-License-Identifier: MIT */
/*
 * The life of a stream, its readiness, and who may use it.
 *
 * A stream is the reader of asyncio and the socket below it in one object: it reads when it is
 * asked to, so there is no transport to be paused and resumed, and what the system buffers is the
 * backpressure. The descriptor belongs to a weft_io, which answers a close under a waiter; what is
 * buffered belongs to the one reader.
 *
 * Races: the two flags of use and `touched` are under `lock`. `buffered` is stored by the reader
 * when it leaves and read by whoever waits for readiness: a hint that is looked at again. Who waits
 * for readiness uses the descriptor as a reader does, from when it gets the number to when it has
 * slept: a close meanwhile wakes it, and the number is given back when it has gone.
 */
#include "io/stream.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>

#include "core/error.h"
#include "core/memory.h"
#include "platform/cloexec.h"

static weft_stream *stream_of(weft_handle *handle)
{
    return WEFT_CONTAINER(handle, weft_stream, handle);
}

static void finalize(weft_handle *handle)
{
    weft_stream *stream = stream_of(handle);
    weft_io_close(&stream->io);
    weft_dealloc(stream->data);
    weft_handle_clear(handle);
    weft_dealloc(stream);
}

/* ---- Readiness --------------------------------------------------------------------------------
 */

static bool io_closed(weft_io *io)
{
    weft_ilock_acquire(&io->lock);
    bool closed = io->closed;
    weft_ilock_release(&io->lock);
    return closed;
}

bool weft_stream_is_open(weft_stream *stream)
{
    return stream != NULL && !io_closed(&stream->io);
}

static bool readable_now(weft_stream *stream)
{
    if (weft_io_enter(&stream->io) < 0)
        return true; /* closed: a read fails at once */
    struct pollfd look = {.fd = stream->io.fd, .events = POLLIN};
    int n = poll(&look, 1, 0);
    weft_io_leave(&stream->io);
    return n > 0;
}

static bool ready(weft_handle *handle)
{
    weft_stream *stream = stream_of(handle);
    /* relaxed: a hint; the bytes are read by who acquires the stream */
    return !stream->readable || atomic_load_explicit(&stream->buffered, memory_order_relaxed) ||
           readable_now(stream);
}

static int enlist(weft_handle *handle, weft_waiter *waiter)
{
    if (ready(handle))
        return 1;
    weft_ilock_acquire(&handle->lock);
    bool closed = io_closed(&stream_of(handle)->io); /* a close notifies under this lock, after */
    if (!closed)
        weft_list_append(&handle->waiters, &waiter->link);
    weft_ilock_release(&handle->lock);
    return closed ? 1 : 0;
}

static void delist(weft_handle *handle, weft_waiter *waiter)
{
    weft_ilock_acquire(&handle->lock);
    if (weft_link_linked(&waiter->link))
        weft_list_remove(&waiter->link);
    weft_ilock_release(&handle->lock);
}

static int descriptor(weft_handle *handle, weft_fd_wait *fd)
{
    weft_stream *stream = stream_of(handle);
    if (!stream->readable)
        return 0;
    return weft_io_enter_wait(&stream->io, WEFT_READABLE, weft_context_current, fd);
}

static void descriptor_done(weft_handle *handle)
{
    weft_io_leave(&stream_of(handle)->io);
}

static int describe(weft_handle *handle, char *buffer, size_t size)
{
    weft_stream *stream = stream_of(handle);
    return snprintf(buffer, size, "%s",
                    io_closed(&stream->io) ? "closed"
                    : !stream->readable    ? "open for writing"
                    : !stream->writable    ? "open for reading"
                                           : "open");
}

static _Atomic uint32_t numbers;

const weft_kind weft_stream_kind = {
    .name = "stream",
    .prefix = "Stream",
    .numbers = &numbers,
    .finalize = finalize,
    .ready = ready,
    .enlist = enlist,
    .delist = delist,
    .descriptor = descriptor,
    .descriptor_done = descriptor_done,
    .describe = describe,
};

/* ---- Beginning and end ------------------------------------------------------------------------
 */

static int directions(weft_stream *stream, int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return -errno;
    int mode = flags & O_ACCMODE;
    stream->readable = stream->socket || mode != O_WRONLY;
    stream->writable = stream->socket || mode != O_RDONLY;
    return weft_cloexec_set_nonblocking(fd, true);
}

int weft_stream_from_fd(weft_stream **stream, int fd, bool socket, const char *name)
{
    *stream = NULL;
    weft_stream *self = weft_calloc(1, sizeof *self);
    if (self == NULL)
        return weft_error(-ENOMEM, "stream: out of memory");
    self->socket = socket;
    self->limit = WEFT_STREAM_LIMIT;
    self->wide = socket;
    int r = directions(self, fd);
    if (r < 0) {
        weft_dealloc(self);
        return weft_error_on(r, "stream", name);
    }
    weft_handle_init(&self->handle, &weft_stream_kind);
    r = name != NULL ? weft_handle_rename(&self->handle, name) : 0;
    if (r < 0) {
        weft_handle_clear(&self->handle);
        weft_dealloc(self);
        return weft_error(r, "stream '%s': out of memory", name);
    }
    weft_io_init(&self->io, fd);
    *stream = self;
    return 0;
}

void weft_stream_shut(weft_stream *stream)
{
    weft_io_close(&stream->io);
    weft_handle_notify(&stream->handle);
}

int weft_stream_close(weft_stream *stream)
{
    int r = weft_handle_check(stream, &weft_stream_kind, "close a stream");
    if (r < 0)
        return r;
    weft_stream_shut(stream);
    return 0;
}

/* ---- Who uses it ------------------------------------------------------------------------------
 */

static int acquire(weft_stream *stream, bool *using, bool direction, const char *verb)
{
    weft_handle *handle = &stream->handle;
    if (!direction)
        return weft_error(-EBADF, "%s '%s': open for %s alone", verb, weft_handle_name_of(handle),
                          stream->readable ? "reading" : "writing");
    weft_ilock_acquire(&stream->lock);
    bool busy = *using;
    *using = true;
    weft_ilock_release(&stream->lock);
    if (busy)
        return weft_error(-EBUSY, "%s '%s': somebody else does already", verb,
                          weft_handle_name_of(handle));
    if (weft_io_enter(&stream->io) == 0)
        return 0;
    weft_ilock_acquire(&stream->lock);
    *using = false;
    weft_ilock_release(&stream->lock);
    return weft_error(-EBADF, "%s '%s': closed", verb, weft_handle_name_of(handle));
}

static void leave(weft_stream *stream, bool *using)
{
    weft_io_leave(&stream->io);
    weft_ilock_acquire(&stream->lock);
    *using = false;
    weft_ilock_release(&stream->lock);
}

int weft_stream_reader_acquire(weft_stream *stream, bool touch)
{
    int r = acquire(stream, &stream->reading, stream->readable, "read");
    if (r < 0)
        return r;
    weft_ilock_acquire(&stream->lock);
    stream->touched |= touch;
    weft_ilock_release(&stream->lock);
    if (stream->marked)
        stream->data[stream->mark] = stream->under;
    stream->marked = false;
    return 0;
}

void weft_stream_reader_release(weft_stream *stream)
{
    atomic_store_explicit(&stream->buffered, stream->start < stream->end || stream->ended,
                          memory_order_relaxed); /* a hint */
    leave(stream, &stream->reading);
}

int weft_stream_writer_acquire(weft_stream *stream)
{
    return acquire(stream, &stream->writing, stream->writable, "write to");
}

void weft_stream_writer_release(weft_stream *stream)
{
    leave(stream, &stream->writing);
}
