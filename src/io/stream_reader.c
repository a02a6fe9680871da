/* SPDX-License-Identifier: MIT */
/*
 * Reading: by what is there, by lines, by separators, by size, all.
 *
 * The buffer is a window [start, end) of one block. It is moved to the front only when it would
 * else have to grow and half of the block lies idle, so that each byte is moved a bounded number of
 * times; it doubles, so that it is copied a bounded number of times. A search never looks at a byte
 * twice (`scanned`). A line is lent where it lies: the byte behind it is kept aside (`under`) for
 * the NUL, and put back by the next reader.
 *
 * A read with nothing buffered goes straight to the caller's memory. After a read that took all
 * there was, a thread waits before it reads again, which saves the read that would say EAGAIN. (A
 * coroutine tries: its runner is told of edges, and the end may have come with the bytes.)
 */
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/scope.h"
#include "io/stream.h"
#include "platform/pipesize.h"

enum { FIRST_ROOM = 4096 };

static size_t buffered(const weft_stream *stream)
{
    return stream->end - stream->start;
}

static void use_up(weft_stream *stream, size_t size)
{
    stream->start += size;
    stream->scanned = 0;
    if (stream->start == stream->end)
        stream->start = stream->end = 0;
}

static void move_to_front(weft_stream *stream)
{
    if (stream->start == 0)
        return;
    memmove(stream->data, stream->data + stream->start, buffered(stream));
    stream->end -= stream->start;
    stream->start = 0;
}

int weft_stream_reserve(weft_stream *stream, size_t want)
{
    if (stream->room - stream->end > want) /* and the NUL */
        return 0;
    if (stream->start >= stream->room / 2 || buffered(stream) == 0)
        move_to_front(stream);
    if (stream->room - stream->end > want)
        return 0;
    size_t room = stream->room > 0 ? stream->room : FIRST_ROOM;
    while (room - stream->end <= want) {
        if (room > SIZE_MAX / 2)
            return -ENOMEM;
        room *= 2;
    }
    char *data = weft_realloc(stream->data, room);
    if (data == NULL)
        return -ENOMEM;
    stream->data = data;
    stream->room = room;
    return 0;
}

/* ---- One read ---------------------------------------------------------------------------------
 */

/* A full pipe is a busy one: from now on it holds more. */
static void widen(weft_stream *stream, size_t got)
{
    if (stream->wide || got < WEFT_STREAM_FULL)
        return;
    stream->wide = true;
    (void)weft_pipesize_set(stream->io.fd, WEFT_STREAM_WIDE);
}

int weft_stream_read_once(weft_stream *stream, void *into, size_t room)
{
    ssize_t n;
    if (room > INT_MAX)
        room = INT_MAX;
    do
        n = stream->socket ? recv(stream->io.fd, into, room, 0) : read(stream->io.fd, into, room);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EIO && stream->terminal)
        n = 0; /* all have closed the other side */
    if (n < 0) {
        stream->dry = errno == EAGAIN || errno == EWOULDBLOCK;
        return stream->dry ? -EAGAIN : -errno;
    }
    stream->dry = (size_t)n < room;
    stream->ended = n == 0;
    widen(stream, (size_t)n);
    return (int)n;
}

int weft_stream_fill(weft_stream *stream)
{
    /* a read that filled its room is followed by one with as much again */
    size_t most = stream->wide ? WEFT_STREAM_WIDE : WEFT_STREAM_FULL;
    size_t want = stream->room == 0 ? FIRST_ROOM - 1 : stream->dry ? FIRST_ROOM / 2 : stream->room;
    int r = weft_stream_reserve(stream, want < most ? want : most);
    if (r < 0)
        return r;
    r = weft_stream_read_once(stream, stream->data + stream->end, stream->room - stream->end - 1);
    if (r > 0)
        stream->end += (size_t)r;
    return r;
}

int weft_stream_drain(weft_stream *stream)
{
    int r = 0;
    weft_ilock_acquire(&stream->lock);
    bool mine = !stream->touched && !stream->reading && stream->readable && !stream->ended;
    if (mine && weft_io_enter(&stream->io) == 0) {
        r = weft_stream_fill(stream);
        weft_io_leave(&stream->io);
        atomic_store_explicit(&stream->buffered, buffered(stream) > 0 || stream->ended,
                              memory_order_relaxed); /* a hint */
    }
    weft_ilock_release(&stream->lock);
    return r;
}

int weft_stream_breathe(weft_instant deadline)
{
    weft_context *self = weft_context_self();
    weft_instant limit = weft_instant_min(deadline, self->scopes.nearest);
    if (limit != WEFT_INSTANT_NEVER && weft_instant_now() >= limit)
        return limit < deadline ? weft_scope_fire(self) : weft_error_timed_out();
    if (self->coroutine)
        return weft_sleep(0);
    return weft_cancel_pending(self) ? weft_wait_cancelled(self) : 0;
}

static int failed(weft_stream *stream, int r)
{
    return weft_error_on(r, "read", weft_handle_name_of(&stream->handle));
}

static int wait_for_bytes(weft_stream *stream, weft_instant deadline)
{
    int r = weft_io_wait(&stream->io, WEFT_READABLE, deadline);
    return r == -EBADF ? weft_error(-EBADF, "read '%s': closed meanwhile",
                                    weft_handle_name_of(&stream->handle))
                       : r;
}

/* Reads at least one byte, or meets the end: to `into`, or to the buffer where that is NULL. */
static int read_some(weft_stream *stream, void *into, size_t room, weft_instant deadline)
{
    if (stream->ended)
        return 0;
    bool wait = stream->dry && deadline != WEFT_INSTANT_NOW && !weft_context_self()->coroutine;
    for (;;) {
        int r = wait ? wait_for_bytes(stream, deadline) : 0;
        if (r < 0)
            return r;
        r = into != NULL ? weft_stream_read_once(stream, into, room) : weft_stream_fill(stream);
        if (r >= 0)
            return r;
        if (r != -EAGAIN)
            return failed(stream, r);
        wait = true;
    }
}

/* ---- What is taken out of the buffer ----------------------------------------------------------
 */

static int take_copy(weft_stream *stream, void *out, size_t room)
{
    size_t size = buffered(stream) < room ? buffered(stream) : room;
    if (size > INT_MAX)
        size = INT_MAX;
    memcpy(out, stream->data + stream->start, size);
    use_up(stream, size);
    return (int)size;
}

/* Lends `size` bytes where they lie, with a NUL behind. */
static int lend(weft_stream *stream, size_t size, const char **data)
{
    *data = stream->data + stream->start;
    stream->mark = stream->start + size;
    stream->under = stream->data[stream->mark];
    stream->data[stream->mark] = '\0';
    stream->marked = true;
    /* not use_up: the block must not be begun anew while the mark stands */
    stream->start += size;
    stream->scanned = 0;
    return (int)size;
}

int weft_stream_take(weft_stream *stream, weft_bytes *bytes)
{
    int r = weft_stream_reserve(stream, 0);
    if (r < 0)
        return r;
    move_to_front(stream);
    size_t size = stream->end;
    char *data = stream->data;
    data[size] = '\0';
    if (stream->room > size + 1) {
        char *less = weft_realloc(data, size + 1);
        data = less != NULL ? less : data;
    }
    *bytes = (weft_bytes){.data = data, .size = size};
    stream->data = NULL;
    stream->start = stream->end = stream->room = stream->scanned = 0;
    return 0;
}

int weft_stream_copy(weft_stream *stream, weft_bytes *bytes)
{
    static const char nothing[1];
    const char *from = stream->data != NULL ? stream->data + stream->start : nothing;
    void *data = weft_memdup(from, buffered(stream));
    if (data == NULL)
        return -ENOMEM;
    *bytes = (weft_bytes){.data = data, .size = buffered(stream)};
    return 0;
}

/* ---- Separators -------------------------------------------------------------------------------
 */

/* The size of what ends with the first separator; 0: there is none yet. */
static size_t find(weft_stream *stream, const char *separator, size_t size)
{
    const char *from = stream->data + stream->start;
    size_t have = buffered(stream);
    while (stream->scanned + size <= have) {
        const char *at = memchr(from + stream->scanned, separator[0], have - stream->scanned);
        if (at == NULL) {
            stream->scanned = have;
            return 0;
        }
        stream->scanned = (size_t)(at - from);
        if (stream->scanned + size > have)
            return 0;
        if (memcmp(at, separator, size) == 0)
            return stream->scanned + size;
        stream->scanned++;
    }
    return 0;
}

/* Where the first separator in the buffer ends; -EAGAIN: it has none. Errors: WEFT_ELIMIT_OVERRUN,
 * without message. *found: where the separator ends, also if it is too far. */
static int at_hand(weft_stream *stream, const char *separator, size_t size, size_t *found)
{
    *found = stream->data != NULL ? find(stream, separator, size) : 0;
    if (*found > stream->limit || (*found == 0 && buffered(stream) > stream->limit))
        return WEFT_ELIMIT_OVERRUN;
    return *found > 0 ? (int)*found : -EAGAIN;
}

/* Brings bytes in until a separator has come: its end. 0: the end came first. Errors: also
 * WEFT_ELIMIT_OVERRUN, without message. *found: where the separator ends, if it is too far. */
static int bring(weft_stream *stream, const char *separator, size_t size, weft_instant deadline,
                 size_t *found)
{
    stream->scanned = 0;
    for (;;) {
        int r = at_hand(stream, separator, size, found);
        if (r != -EAGAIN)
            return r;
        size_t before = buffered(stream);
        r = read_some(stream, NULL, 0, deadline);
        if (r < 0)
            return r;
        if (buffered(stream) == before)
            return 0;
    }
}

static int overrun(weft_stream *stream)
{
    return weft_error(WEFT_ELIMIT_OVERRUN, "read '%s': separator not found within %zu bytes",
                      weft_handle_name_of(&stream->handle), stream->limit);
}

/* ---- The public functions ---------------------------------------------------------------------
 */

/* out: where what is read goes. */
static int begin(weft_stream *stream, const char *what, const void *out, double timeout,
                 weft_instant *deadline)
{
    int r = weft_handle_check(stream, &weft_stream_kind, what);
    if (r == 0 && out == NULL)
        r = weft_error(-EINVAL, "%s: nowhere to put it", what);
    if (r == 0)
        r = weft_deadline(timeout, deadline);
    if (r < 0)
        return r;
    if (weft_context_self() == NULL)
        return -ENOMEM;
    return weft_stream_reader_acquire(stream, true);
}

int weft_stream_read(weft_stream *stream, void *out, size_t room, double timeout)
{
    weft_instant deadline;
    int r = begin(stream, "read", room > 0 ? out : "", timeout, &deadline);
    if (r < 0)
        return r;
    if (room == 0)
        r = 0;
    else if (buffered(stream) > 0)
        r = take_copy(stream, out, room);
    else
        r = read_some(stream, out, room, deadline);
    weft_stream_reader_release(stream);
    return r;
}

static const char newline[1] = {'\n'};

/* As weft_stream_readline says of a line that is too long; found: where it ends, if that has come.
 */
static int drop_line(weft_stream *stream, size_t found)
{
    use_up(stream, found > 0 ? found : buffered(stream));
    return overrun(stream);
}

int weft_stream_next_line(weft_stream *stream, const char **line)
{
    size_t found = 0;
    stream->scanned = 0;
    int r = at_hand(stream, newline, 1, &found);
    while (r == -EAGAIN) {
        r = stream->ended ? 0 : weft_stream_fill(stream);
        if (r == -EAGAIN)
            return r;
        if (r < 0)
            return failed(stream, r);
        r = r == 0 ? 0 : at_hand(stream, newline, 1, &found);
    }
    if (r == WEFT_ELIMIT_OVERRUN)
        return drop_line(stream, found);
    if (r == 0)
        r = (int)buffered(stream); /* the last line has no newline */
    return r > 0 ? lend(stream, (size_t)r, line) : r;
}

int weft_stream_readline(weft_stream *stream, const char **line, double timeout)
{
    weft_instant deadline;
    size_t found;
    int r = begin(stream, "read a line", line, timeout, &deadline);
    if (r < 0)
        return r;
    r = bring(stream, newline, 1, deadline, &found);
    if (r == 0)
        r = (int)buffered(stream); /* the last line has no newline */
    if (r > 0)
        r = lend(stream, (size_t)r, line);
    if (r == WEFT_ELIMIT_OVERRUN)
        r = drop_line(stream, found);
    weft_stream_reader_release(stream);
    return r;
}

int weft_stream_readuntil(weft_stream *stream, const void *separator, size_t separator_size,
                          const void **data, double timeout)
{
    weft_instant deadline;
    const char *lent;
    size_t found;
    int r = begin(stream, "read until", data, timeout, &deadline);
    if (r < 0)
        return r;
    if (separator == NULL || separator_size == 0)
        r = weft_error(-EINVAL, "read until: the separator is empty");
    else if ((r = bring(stream, separator, separator_size, deadline, &found)) > 0) {
        r = lend(stream, (size_t)r, &lent);
        *data = lent;
    } else if (r == 0)
        r = weft_error(WEFT_EINCOMPLETE_READ, "read '%s': %zu bytes, then the end",
                       weft_handle_name_of(&stream->handle), buffered(stream));
    else if (r == WEFT_ELIMIT_OVERRUN)
        r = overrun(stream);
    weft_stream_reader_release(stream);
    return r;
}

/* Until `size` bytes are buffered. */
static int gather(weft_stream *stream, size_t size, weft_instant deadline)
{
    while (buffered(stream) < size) {
        int r = weft_stream_reserve(stream, size - buffered(stream));
        if (r < 0)
            return weft_error(r, "read '%s': no memory for %zu bytes",
                              weft_handle_name_of(&stream->handle), size);
        r = read_some(stream, NULL, 0, deadline);
        if (r == 0)
            r = weft_error(WEFT_EINCOMPLETE_READ, "read '%s': %zu of %zu bytes, then the end",
                           weft_handle_name_of(&stream->handle), buffered(stream), size);
        if (r < 0)
            return r;
    }
    return 0;
}

int weft_stream_readexactly(weft_stream *stream, void *out, size_t size, double timeout)
{
    weft_instant deadline;
    int r = begin(stream, "read exactly", size > 0 ? out : "", timeout, &deadline);
    if (r < 0)
        return r;
    r = gather(stream, size, deadline);
    if (r == 0 && size > 0) {
        memcpy(out, stream->data + stream->start, size);
        use_up(stream, size);
    }
    weft_stream_reader_release(stream);
    return r;
}

int weft_stream_read_all(weft_stream *stream, weft_bytes *bytes, double timeout)
{
    weft_instant deadline;
    int r = begin(stream, "read all", bytes, timeout, &deadline);
    if (r < 0)
        return r;
    size_t polled = 0;
    while ((r = read_some(stream, NULL, 0, deadline)) > 0) {
        polled += (size_t)r;
        /* a poll takes what is there, which is no more than a pipe holds */
        if (deadline == WEFT_INSTANT_NOW && polled <= WEFT_STREAM_WIDE)
            continue;
        if ((r = weft_stream_breathe(deadline)) < 0)
            break;
    }
    if (r == 0 && (r = weft_stream_take(stream, bytes)) < 0)
        r = failed(stream, r);
    weft_stream_reader_release(stream);
    return r;
}

bool weft_stream_at_eof(weft_stream *stream)
{
    if (weft_handle_check(stream, &weft_stream_kind, "at eof") < 0)
        return false;
    return stream->ended && buffered(stream) == 0;
}

int weft_stream_set_limit(weft_stream *stream, size_t limit)
{
    int r = weft_handle_check(stream, &weft_stream_kind, "set limit");
    if (r < 0)
        return r;
    if (limit == 0 || limit > INT_MAX)
        return weft_error(-EINVAL, "set limit: %zu is out of range", limit);
    stream->limit = limit;
    return 0;
}
