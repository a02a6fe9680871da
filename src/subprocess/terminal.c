/* SPDX-License-Identifier: MIT */
/*
 * The terminal of a child with WEFT_PTY: one for its stdin, stdout and stderr, and here one stream
 * for both directions.
 *
 * This process keeps no copy of the slave: when the child and its descendants have closed theirs,
 * the stream ends. (Where a system says EIO then, io/stream takes it for the end.)
 */
#include <stdio.h>
#include <unistd.h>

#include "core/error.h"
#include "platform/cloexec.h"
#include "subprocess/popen.h"

/* The stream of a master, which is moved in, and closed on failure. */
static int open_stream(weft_stream **stream, int master, const weft_popen_options *options,
                       const char *who)
{
    char name[128];
    int r = options->rows != 0 || options->columns != 0
                ? weft_pty_set_size(master, options->rows, options->columns)
                : 0;
    (void)snprintf(name, sizeof name, "terminal of %s", who);
    if (r == 0)
        r = weft_cloexec_move_up(&master);
    if (r == 0)
        r = weft_stream_from_fd(stream, master, false, name);
    if (r < 0)
        (void)close(master);
    else
        (*stream)->terminal = true;
    return r;
}

static int open_first(weft_stdio *stdio, int i, const weft_popen_options *options, const char *who)
{
    int master, slave;
    int r = weft_pty_open(&master, &slave, stdio->terminal_path);
    if (r < 0)
        return r;
    weft_stdio_own(stdio, i, slave);
    r = open_stream(&stdio->streams[i], master, options, who);
    if (r == 0)
        stdio->first_terminal = i;
    return r;
}

/* stdout and stderr come out together, as the stdout. */
int weft_stdio_open_terminal(weft_stdio *stdio, int i, const weft_popen_options *options,
                             const char *who)
{
    int first = stdio->first_terminal;
    if (first < 0)
        return open_first(stdio, i, options, who);
    stdio->child[i] = stdio->child[first];
    bool told = i == WEFT_CHILD_ERR && stdio->child[WEFT_CHILD_OUT] == stdio->child[first];
    if (!told) {
        stdio->streams[i] = stdio->streams[first];
        weft_handle_hold(&stdio->streams[i]->handle);
    }
    return 0;
}

int weft_popen_set_terminal_size(weft_popen *popen, unsigned short rows, unsigned short columns)
{
    int r = weft_handle_check(popen, &weft_popen_kind, "set the terminal's size");
    for (int i = 0; i < WEFT_CHILD_STREAMS && r == 0; i++) {
        weft_stream *stream = popen->streams[i];
        if (stream == NULL || !stream->terminal)
            continue;
        r = weft_io_enter(&stream->io);
        if (r == 0) {
            r = weft_pty_set_size(stream->io.fd, rows, columns);
            weft_io_leave(&stream->io);
        }
        return r < 0 ? weft_error(r, "set the size of the terminal of '%.300s': %s", popen->command,
                                  weft_strerror(r))
                     : 0;
    }
    return r < 0 ? r
                 : weft_error(-EINVAL, "set the size of the terminal of '%.300s': it has none",
                              popen->command);
}
