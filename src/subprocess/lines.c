/* SPDX-License-Identifier: MIT */
/*
 * The lines of a child's stdout and stderr in the order in which they come.
 *
 * Of two that are there it is the turn of the stream whose was not the last line, so that neither
 * starves the other; a stream that never runs dry holds nothing up, as each call ends with its
 * line.
 */
#include "core/clock.h"
#include "core/error.h"
#include "subprocess/popen.h"

typedef struct weft_lines {
    weft_popen *popen;
    bool mine[WEFT_CHILD_STREAMS]; /* acquired */
    bool ended[WEFT_CHILD_STREAMS];
} weft_lines;

static int acquire(weft_lines *lines)
{
    weft_stream *const *streams = lines->popen->streams;
    if (streams[WEFT_CHILD_OUT] == NULL && streams[WEFT_CHILD_ERR] == NULL)
        return weft_error(-EINVAL, "read a line of '%.300s': neither stdout nor stderr is a pipe",
                          lines->popen->command);
    for (int i = WEFT_CHILD_OUT; i <= WEFT_CHILD_ERR; i++) {
        int r = streams[i] != NULL ? weft_stream_reader_acquire(streams[i], true) : 0;
        if (r < 0)
            return r;
        lines->mine[i] = streams[i] != NULL;
        lines->ended[i] = streams[i] == NULL;
    }
    return 0;
}

static void release(weft_lines *lines)
{
    for (int i = WEFT_CHILD_OUT; i <= WEFT_CHILD_ERR; i++) {
        if (lines->mine[i])
            weft_stream_reader_release(lines->popen->streams[i]);
    }
}

/* A line that is there; 0: both have ended, -EAGAIN: none is there yet. */
static int look_for_line(weft_lines *lines, int *fd, const char **line)
{
    int first = lines->popen->last_line == WEFT_CHILD_OUT ? WEFT_CHILD_ERR : WEFT_CHILD_OUT;
    for (int turn = 0; turn < 2; turn++) {
        int i = turn == 0 ? first : WEFT_CHILD_OUT + WEFT_CHILD_ERR - first;
        int r = lines->ended[i] ? 0 : weft_stream_next_line(lines->popen->streams[i], line);
        if (r < 0 && r != -EAGAIN)
            return r;
        if (r > 0) {
            lines->popen->last_line = i;
            if (fd != NULL)
                *fd = i;
            return r;
        }
        lines->ended[i] = r == 0;
    }
    return lines->ended[WEFT_CHILD_OUT] && lines->ended[WEFT_CHILD_ERR] ? 0 : -EAGAIN;
}

static int sleep_for_line(weft_lines *lines, weft_instant deadline)
{
    weft_pipe_wait waits[WEFT_CHILD_STREAMS];
    size_t count = 0;
    for (int i = WEFT_CHILD_OUT; i <= WEFT_CHILD_ERR; i++) {
        weft_stream *stream = lines->popen->streams[i];
        if (lines->ended[i])
            continue;
        if (!weft_stream_is_open(stream))
            return weft_error(-EBADF, "read '%s': closed meanwhile",
                              weft_handle_name_of(&stream->handle));
        waits[count++] = (weft_pipe_wait){.stream = stream, .interest = WEFT_READABLE};
    }
    if (deadline == WEFT_INSTANT_NOW)
        return weft_error_timed_out();
    return weft_pipes_sleep(NULL, waits, count, deadline);
}

int weft_popen_readline(weft_popen *popen, int *fd, const char **line, double timeout)
{
    weft_instant deadline;
    weft_lines lines = {.popen = popen};
    int r = weft_handle_check(popen, &weft_popen_kind, "read a line");
    if (r == 0 && line == NULL)
        r = weft_error(-EINVAL, "read a line: nowhere to put it");
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    if (r < 0)
        return r;
    if (weft_context_self() == NULL)
        return -ENOMEM;
    r = acquire(&lines);
    while (r == 0) {
        r = look_for_line(&lines, fd, line);
        if (r != -EAGAIN)
            break;
        r = sleep_for_line(&lines, deadline);
    }
    release(&lines);
    return r;
}
