/* SPDX-License-Identifier: MIT */
/*
 * talk: moves input to one pipe and the output of several at once, to their ends.
 *
 *     weft_talk_out outs[2];
 *     weft_pipe_wait waits[3];
 *     weft_talk talk = {.outs = outs, .waits = waits, .deadline = deadline};
 *     int r = weft_talk_write(&talk, to_child, input, size);
 *     if (r == 0)
 *         r = weft_talk_read(&talk, from_child);
 *     if (r == 0)
 *         r = weft_talk_exchange(&talk);
 *     weft_talk_end(&talk);
 *
 * What has come is in the streams' buffers, also after a failure.
 */
#ifndef WEFT_SUBPROCESS_TALK_H
#define WEFT_SUBPROCESS_TALK_H

#include "subprocess/popen.h"

/* An output; acquired for reading. */
typedef struct weft_talk_out {
    weft_stream *stream;
    bool ended;
    bool idle; /* had nothing when last tried */
} weft_talk_out;

typedef struct weft_talk {
    weft_stream *in; /* acquired for writing; NULL: nothing (more) to be written */
    const char *input;
    size_t input_size, written;
    bool in_idle;        /* took nothing when last tried */
    weft_talk_out *outs; /* the caller's: room for all */
    size_t count;
    weft_pipe_wait *waits; /* the caller's: room for all, and the input */
    weft_instant deadline;
    size_t spare; /* what may be read after the deadline */
} weft_talk;

/* Errors, with message: those of weft_stream_writer_acquire. */
int weft_talk_write(weft_talk *talk, weft_stream *stream, const void *input, size_t size);

/* NULL, or one that is closed: nothing. Errors, with message: those of weft_stream_reader_acquire.
 */
int weft_talk_read(weft_talk *talk, weft_stream *stream);

/* Until all have ended, and the input is written and closed. Errors, with message: -ETIMEDOUT,
 * -ECANCELED, -ENOMEM, a signal handler's code, those of read(2) and write(2) but -EPIPE. */
int weft_talk_exchange(weft_talk *talk);

/* Lets go of the streams. Input that was not written is talk->input + talk->written; its stream is
 * open. */
void weft_talk_end(weft_talk *talk);

#endif
