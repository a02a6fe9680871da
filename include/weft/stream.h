/* SPDX-License-Identifier: MIT */
/*
 * stream: bytes in and out of a child's pipe or a socket, by lines, by size, or all of them.
 *
 *     #include <stdio.h>
 *     #include <weft.h>
 *
 *     int main(void)
 *     {
 *         const char *const argv[] = {"ls", "-1", "/usr", NULL};
 *         weft_popen *popen;
 *         const char *line;
 *         int n = weft_popen_start(&popen, argv, &(weft_popen_options){.out = WEFT_PIPE});
 *         while (n >= 0 && (n = weft_stream_readline(weft_popen_stdout(popen), &line, 10)) > 0)
 *             printf("%d bytes: %s", n, line);
 *         if (n < 0)
 *             fprintf(stderr, "%s\n", weft_error_message());
 *         weft_release(popen);
 *     }
 *
 * A stream is a handle (handle.h): weft_wait returns when a read would not wait, and the last
 * release closes it. weft_popen_stdin and its kin give the streams of a child; net.h those of
 * connections. One reader and one writer may use a stream at a time, from any threads or
 * coroutines; the reader and the writer need not know of each other.
 *
 * What ends a call early (time up, a cancel) loses nothing: bytes that had come are in the stream's
 * buffer, and the next read finds them.
 */
#ifndef WEFT_STREAM_H
#define WEFT_STREAM_H

#include <weft/handle.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The longest line, and the furthest separator, unless weft_stream_set_limit says otherwise. */
#define WEFT_STREAM_LIMIT 65536

/* ---- Reading ----------------------------------------------------------------------------------
 */

/*
 * Reads what is there, at most `room` bytes; waits only while there is nothing. Returns how many,
 * 0 at the end (or where room is 0). Can be cancelled. One reader at a time.
 * Errors: -ETIMEDOUT, -ECANCELED, -EBUSY (another reads), -EBADF (closed, or for writing alone),
 * -EINVAL, -ENOMEM, WEFT_EFORKED, those of read(2). Python: StreamReader.read(n)
 */
WEFT_API int weft_stream_read(weft_stream *stream, void *out, size_t room, double timeout);

/*
 * Reads a line. *line is borrowed: until the next read of this stream; it has its newline (the last
 * line may lack one) and a NUL behind. Returns its length, 0 at the end. A line longer than the
 * limit is dropped: through its newline if that has come, else as much as has come. Can be
 * cancelled. One reader at a time.
 * Errors: WEFT_ELIMIT_OVERRUN, -ETIMEDOUT, -ECANCELED, -EBUSY, -EBADF, -EINVAL, -ENOMEM,
 * WEFT_EFORKED, those of read(2). Python: StreamReader.readline
 */
WEFT_API int weft_stream_readline(weft_stream *stream, const char **line, double timeout);

/*
 * Reads through the next `separator`. *data is borrowed: until the next read of this stream; the
 * separator is at its end, and a NUL behind. Returns its length. On failure all bytes stay in the
 * buffer. Can be cancelled. One reader at a time.
 * Errors: WEFT_EINCOMPLETE_READ (the end came first), WEFT_ELIMIT_OVERRUN, -ETIMEDOUT, -ECANCELED,
 * -EBUSY, -EBADF, -EINVAL (no separator), -ENOMEM, WEFT_EFORKED, those of read(2).
 * Python: StreamReader.readuntil
 */
WEFT_API int weft_stream_readuntil(weft_stream *stream, const void *separator,
                                   size_t separator_size, const void **data, double timeout);

/*
 * Reads `size` bytes, no more and no less. Returns 0. On failure all bytes stay in the buffer, and
 * `out` is untouched. Can be cancelled. One reader at a time.
 * Errors: WEFT_EINCOMPLETE_READ (the message tells how many came), -ETIMEDOUT, -ECANCELED, -EBUSY,
 * -EBADF, -EINVAL, -ENOMEM, WEFT_EFORKED, those of read(2). Python: StreamReader.readexactly
 */
WEFT_API int weft_stream_readexactly(weft_stream *stream, void *out, size_t size, double timeout);

/*
 * Reads until the end; no limit but memory. *bytes is owned: weft_free(bytes.data), with a NUL
 * behind. Returns 0. On failure all bytes stay in the buffer. Can be cancelled. One reader at a
 * time.
 * Errors: -ETIMEDOUT, -ECANCELED, -EBUSY, -EBADF, -EINVAL, -ENOMEM, WEFT_EFORKED, those of read(2).
 * Python: StreamReader.read()
 */
WEFT_API int weft_stream_read_all(weft_stream *stream, weft_bytes *bytes, double timeout);

/*
 * Whether the end has come and the buffer is empty. Does not look for new bytes: true only after a
 * read has met the end. One reader at a time. Python: StreamReader.at_eof
 */
WEFT_API bool weft_stream_at_eof(weft_stream *stream);

/*
 * Sets how long a line may be, and how far a separator (1 to INT_MAX). Returns 0. One reader at a
 * time. Errors: -EINVAL, WEFT_EFORKED. Python: StreamReader(limit=)
 */
WEFT_API int weft_stream_set_limit(weft_stream *stream, size_t limit);

/* ---- Writing ----------------------------------------------------------------------------------
 */

/*
 * Writes `size` bytes and returns 0 when the system has all of them: nothing is buffered here.
 * After -ETIMEDOUT and -ECANCELED a part may have been written (the message tells how many bytes).
 * Never raises SIGPIPE. Can be cancelled. One writer at a time.
 * Errors: -EPIPE (nobody reads any more), -ETIMEDOUT, -ECANCELED, -EBUSY (another writes), -EBADF
 * (closed, or for reading alone), -EINVAL, -ENOMEM, WEFT_EFORKED, those of write(2).
 * Python: StreamWriter.write with drain
 */
WEFT_API int weft_stream_write(weft_stream *stream, const void *data, size_t size, double timeout);

/*
 * Says that nothing more will be written: the other side reads to its end. A pipe is closed, a
 * socket can still be read; into a terminal the end-of-file character is typed as soon as there is
 * room for it, which its program may or may not take for an end. Returns 0. Can be cancelled. One
 * writer at a time.
 * Errors: -ECANCELED, -EBUSY, -EBADF (closed, or for reading alone), -ENOTCONN, -EINVAL,
 * WEFT_EFORKED. Python: StreamWriter.write_eof
 */
WEFT_API int weft_stream_write_eof(weft_stream *stream);

/* ---- The end ----------------------------------------------------------------------------------
 */

/*
 * Closes both directions; whoever reads or writes in another context returns -EBADF. What is in the
 * buffer is dropped with the handle. Closing again does nothing. Returns 0.
 * Errors: -EINVAL, WEFT_EFORKED. Python: StreamWriter.close
 */
WEFT_API int weft_stream_close(weft_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
