/* SPDX-License-Identifier: MIT */
/*
 * stream: a handle over one descriptor, with a buffer for reading and none for writing.
 *
 * What modules to the right of io use: the constructor, and the steps that never wait, by which a
 * child's three pipes are moved at once (subprocess/communicate.c).
 *
 * Reading: `lock` guards `reading`, `writing` and `touched`, nothing else. Whoever set `reading`
 * (weft_stream_reader_acquire) owns the buffer until weft_stream_reader_release. Draining reads
 * into the buffer for nobody in particular: it holds `lock` itself, over one read that cannot wait,
 * and only while there is no reader; so a reader never finds the stream taken by a drain.
 */
#ifndef WEFT_IO_STREAM_H
#define WEFT_IO_STREAM_H

#include <sys/types.h>

#include <weft/stream.h>

#include "core/handle.h"
#include "core/iowait.h"

struct weft_stream {
    weft_handle handle; /* first */
    weft_io io;
    bool socket;             /* send and recv, shutdown; both directions */
    bool terminal;           /* the master of one: set by who made the stream, before its use */
    bool readable, writable; /* which directions there are; a pipe's end has one */
    weft_ilock lock;
    bool reading, writing; /* a call is under way */
    bool touched;          /* somebody has read from it: it is not drained any more */

    /* The reader's. data[start, end) has come and has not been read; data[room - 1] is kept free
     * for a NUL. */
    char *data;
    size_t start, end, room;
    size_t limit;   /* of lines and separators */
    size_t scanned; /* bytes from start on that hold no separator's first byte */
    bool marked;    /* a NUL stands at data[mark], where `under` belongs */
    char under;
    size_t mark;
    bool dry;   /* the last read took all there was: wait before the next */
    bool ended; /* a read has met the end */
    bool wide;  /* the pipe has been widened, or cannot be */

    /* The writer's, of a terminal. */
    bool within_line; /* the last byte was no newline */

    _Atomic bool buffered; /* start < end or ended, for those who wait for readiness */
};

/* Where a pipe is worth being widened: it was found full. */
enum { WEFT_STREAM_WIDE = 1 << 20, WEFT_STREAM_FULL = 1 << 16 };

/*
 * A stream over fd, which is moved in (on failure it is still the caller's) and becomes
 * non-blocking: never give a descriptor that the host shares with others. A socket goes both ways;
 * another descriptor the way in which it was opened. name may be NULL. Errors: -ENOMEM, -EBADF.
 */
int weft_stream_from_fd(weft_stream **stream, int fd, bool socket, const char *name);

/* The check of every public function, and then the right to read: 0, or -EBUSY, -EBADF with a
 * message. `touch`: it reads for the user, so it is not to be drained any more. */
int weft_stream_reader_acquire(weft_stream *stream, bool touch);
void weft_stream_reader_release(weft_stream *stream);
int weft_stream_writer_acquire(weft_stream *stream);
void weft_stream_writer_release(weft_stream *stream);

/* Reader. One read to the buffer that does not wait: bytes, 0 at the end, -EAGAIN, or a failure
 * without message. The buffer grows as far as memory does. */
int weft_stream_fill(weft_stream *stream);

/* Reader. The next line, read as far as that need not wait, and lent as by weft_stream_readline:
 * its length, 0 at the end, -EAGAIN: more must come. Errors, with message: WEFT_ELIMIT_OVERRUN,
 * -ENOMEM, those of read(2). */
int weft_stream_next_line(weft_stream *stream, const char **line);

/* Reader. Hands over what has come (a NUL behind), and leaves the buffer empty; *bytes has data
 * even when there is none. Errors: -ENOMEM (only where there was nothing, or no room for a NUL). */
int weft_stream_take(weft_stream *stream, weft_bytes *bytes);

/* Reader. A copy of what has come. Errors: -ENOMEM. */
int weft_stream_copy(weft_stream *stream, weft_bytes *bytes);

/* Writer. One write that does not wait: bytes, -EAGAIN, -EPIPE, or a failure without message. Never
 * raises SIGPIPE. */
int weft_stream_push(weft_stream *stream, const void *data, size_t size);

/* Writer. Types the end-of-file character (twice within a line, which the first only ends), where
 * the program reads lines: 0, -EAGAIN (call again when it is writable), or a failure without
 * message. */
int weft_stream_type_eof(weft_stream *stream);

/* One read into the buffer of a stream that nobody has read from and nobody reads now; never
 * waits. > 0: there may be more at once; -EAGAIN: later; else there is nothing to be drained. */
int weft_stream_drain(weft_stream *stream);

/* Between two reads that did not have to wait: looks at the time and lets others run, so that a
 * source that never runs dry holds nothing up. Errors: -ETIMEDOUT, -ECANCELED. */
int weft_stream_breathe(weft_instant deadline);

/* NULL is not. */
bool weft_stream_is_open(weft_stream *stream);

/* weft_stream_close for those who have checked: all who wait are woken. */
void weft_stream_shut(weft_stream *stream);

/* ---- What the files of this folder share ---- */

extern const weft_kind weft_stream_kind;

/* Room for `want` more bytes and a NUL. Errors: -ENOMEM. */
int weft_stream_reserve(weft_stream *stream, size_t want);

/* One read that does not wait, into memory of whoever. As weft_stream_fill. */
int weft_stream_read_once(weft_stream *stream, void *into, size_t room);

#endif
