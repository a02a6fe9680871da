/* SPDX-License-Identifier: MIT */
/*
 * Writing: straight to the system, nothing kept here.
 *
 * The write is tried first and waited for only when it would block: most find room. SIGPIPE is kept
 * from the host by MSG_NOSIGNAL, for pipes by platform/nosigpipe.
 */
#include <limits.h>
#include <sys/socket.h>
#include <termios.h>

#include "core/clock.h"
#include "core/error.h"
#include "io/stream.h"
#include "platform/nosigpipe.h"
#include "platform/pipesize.h"

static ssize_t send_some(int fd, const void *data, size_t size)
{
    ssize_t n;
    do
        n = send(fd, data, size, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

int weft_stream_push(weft_stream *stream, const void *data, size_t size)
{
    if (size > INT_MAX)
        size = INT_MAX;
    if (!stream->wide && !stream->terminal && size > WEFT_STREAM_FULL) {
        stream->wide = true;
        (void)weft_pipesize_set(stream->io.fd, WEFT_STREAM_WIDE);
    }
    ssize_t n = stream->socket ? send_some(stream->io.fd, data, size)
                               : weft_nosigpipe_write(stream->io.fd, data, size);
    if (n > 0)
        stream->within_line = ((const char *)data)[n - 1] != '\n';
    return n == -EWOULDBLOCK ? -EAGAIN : (int)n;
}

int weft_stream_type_eof(weft_stream *stream)
{
    struct termios modes;
    if (tcgetattr(stream->io.fd, &modes) < 0)
        return errno == EIO ? 0 : -errno; /* nobody is there to read it */
    if ((modes.c_lflag & ICANON) == 0)
        return 0;
    for (int n = stream->within_line ? 2 : 1; n > 0; n--) {
        const char end[1] = {(char)modes.c_cc[VEOF]};
        int r = weft_stream_push(stream, end, sizeof end);
        if (r < 0)
            return r;
        stream->within_line = false;
    }
    return 0;
}

static int begin(weft_stream *stream, const char *what)
{
    int r = weft_handle_check(stream, &weft_stream_kind, what);
    if (r < 0)
        return r;
    if (weft_context_self() == NULL)
        return -ENOMEM;
    return weft_stream_writer_acquire(stream);
}

/* Who is told how far it went: those whose bytes may be there in part. */
static int failed(weft_stream *stream, int r, size_t done, size_t size)
{
    const char *name = weft_handle_name_of(&stream->handle);
    if (r == -EBADF)
        return weft_error(r, "write to '%s': closed meanwhile", name);
    return weft_error(r, "write to '%s': %s (%zu of %zu bytes are written)", name, weft_strerror(r),
                      done, size);
}

int weft_stream_write(weft_stream *stream, const void *data, size_t size, double timeout)
{
    weft_instant deadline;
    size_t done = 0;
    int r = weft_deadline(timeout, &deadline);
    if (r == 0)
        r = begin(stream, "write");
    if (r < 0)
        return r;
    if (data == NULL && size > 0)
        r = weft_error(-EINVAL, "write: no data");
    while (r == 0 && done < size) {
        int n = weft_stream_push(stream, (const char *)data + done, size - done);
        if (n >= 0) {
            done += (size_t)n;
            continue;
        }
        r = n == -EAGAIN ? weft_io_wait(&stream->io, WEFT_WRITABLE, deadline) : n;
        if (r < 0)
            r = failed(stream, r, done, size);
    }
    weft_stream_writer_release(stream);
    return r;
}

static int type_eof(weft_stream *stream)
{
    int r;
    while ((r = weft_stream_type_eof(stream)) == -EAGAIN) {
        r = weft_io_wait(&stream->io, WEFT_WRITABLE, WEFT_INSTANT_NEVER);
        if (r < 0)
            return r;
    }
    return r < 0 ? weft_error_on(r, "write to", weft_handle_name_of(&stream->handle)) : 0;
}

int weft_stream_write_eof(weft_stream *stream)
{
    int r = begin(stream, "write eof");
    if (r < 0)
        return r;
    if (stream->terminal)
        r = type_eof(stream);
    else if (!stream->readable)
        weft_stream_shut(stream);
    else if (!stream->socket)
        r = weft_error(-ENOTCONN, "write to '%s': it has one end for both directions",
                       weft_handle_name_of(&stream->handle));
    else if (shutdown(stream->io.fd, SHUT_WR) < 0)
        r = weft_error_on(-errno, "write to", weft_handle_name_of(&stream->handle));
    weft_stream_writer_release(stream);
    return r;
}
