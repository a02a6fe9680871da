/* SPDX-License-Identifier: MIT */
/*
 * Input to one pipe and output of several, all at once, in one context.
 *
 * Each round moves what can be moved without waiting; only when nothing can is there a sleep, for
 * all of them together, so neither side ever waits for the other (the deadlock of writing all and
 * then reading). A coroutine is told of edges, so it goes on until each descriptor has said EAGAIN;
 * a thread polls levels, and sleeps after each round, which costs it nothing while there is data.
 *
 * Output grows in the streams' own buffers. A child that never lets its pipes run dry does not keep
 * a deadline from being seen: after it at most as much is read as the pipes can have held.
 */
#include "subprocess/talk.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/scope.h"

/* ---- One round --------------------------------------------------------------------------------
 */

/* -EAGAIN: the end could not be typed yet. */
static int close_input(weft_talk *talk)
{
    int r = talk->in->terminal ? weft_stream_type_eof(talk->in) : 0;
    if (r == -EAGAIN)
        return r;
    if (!talk->in->terminal) /* which is for reading too */
        weft_stream_shut(talk->in);
    weft_stream_writer_release(talk->in);
    talk->in = NULL;
    return 0;
}

static int write_some(weft_talk *talk)
{
    int n = talk->written < talk->input_size
                ? weft_stream_push(talk->in, talk->input + talk->written,
                                   talk->input_size - talk->written)
                : 0;
    talk->in_idle = n == -EAGAIN;
    if (n == -EAGAIN)
        return 0;
    if (n < 0 && n != -EPIPE)
        return weft_error_on(n, "write to", weft_handle_name_of(&talk->in->handle));
    if (n == -EPIPE)
        talk->written = talk->input_size; /* it need not read all */
    else
        talk->written += (size_t)n;
    if (talk->written == talk->input_size)
        talk->in_idle = close_input(talk) == -EAGAIN;
    return 0;
}

static int read_some(weft_talk *talk, weft_talk_out *out)
{
    int n = weft_stream_fill(out->stream);
    out->idle = n == -EAGAIN;
    if (n == -EAGAIN)
        return 0;
    if (n < 0)
        return weft_error_on(n, "read", weft_handle_name_of(&out->stream->handle));
    if (n == 0)
        out->ended = true;
    talk->spare -= (size_t)n < talk->spare ? (size_t)n : talk->spare;
    return 0;
}

static int move_some(weft_talk *talk)
{
    int r = talk->in != NULL ? write_some(talk) : 0;
    for (size_t i = 0; i < talk->count && r == 0; i++) {
        if (!talk->outs[i].ended)
            r = read_some(talk, &talk->outs[i]);
    }
    return r;
}

/* ---- Between rounds ---------------------------------------------------------------------------
 */

static bool all_ended(const weft_talk *talk)
{
    bool ended = talk->in == NULL;
    for (size_t i = 0; i < talk->count; i++)
        ended = ended && talk->outs[i].ended;
    return ended;
}

static bool all_idle(const weft_talk *talk)
{
    bool idle = talk->in == NULL || talk->in_idle;
    for (size_t i = 0; i < talk->count; i++)
        idle = idle && (talk->outs[i].ended || talk->outs[i].idle);
    return idle;
}

static int sleep_for_pipes(weft_talk *talk)
{
    size_t count = 0;
    if (talk->in != NULL)
        talk->waits[count++] = (weft_pipe_wait){.stream = talk->in, .interest = WEFT_WRITABLE};
    for (size_t i = 0; i < talk->count; i++) {
        if (!talk->outs[i].ended)
            talk->waits[count++] =
                (weft_pipe_wait){.stream = talk->outs[i].stream, .interest = WEFT_READABLE};
    }
    return weft_pipes_sleep(NULL, talk->waits, count, talk->deadline);
}

static void fill_spare(weft_talk *talk)
{
    talk->spare = talk->count * WEFT_STREAM_WIDE;
}

static int pause_round(weft_talk *talk, weft_context *self, bool level)
{
    bool idle = all_idle(talk);
    weft_instant limit = weft_instant_min(talk->deadline, self->scopes.nearest);
    if (limit == WEFT_INSTANT_NEVER || (limit > WEFT_INSTANT_NOW && weft_instant_now() < limit)) {
        fill_spare(talk); /* the first round past the deadline begins to count */
        return idle || level ? sleep_for_pipes(talk) : weft_sleep(0);
    }
    if (!idle && talk->spare > 0)
        return 0;
    return limit < talk->deadline ? weft_scope_fire(self) : weft_error_timed_out();
}

/* ---- All of it --------------------------------------------------------------------------------
 */

int weft_talk_write(weft_talk *talk, weft_stream *stream, const void *input, size_t size)
{
    int r = weft_stream_writer_acquire(stream);
    if (r < 0)
        return r;
    talk->in = stream;
    talk->input = input;
    talk->input_size = size;
    return 0;
}

int weft_talk_read(weft_talk *talk, weft_stream *stream)
{
    if (!weft_stream_is_open(stream))
        return 0;
    int r = weft_stream_reader_acquire(stream, false);
    if (r == 0)
        talk->outs[talk->count++] = (weft_talk_out){.stream = stream, .ended = stream->ended};
    return r;
}

int weft_talk_exchange(weft_talk *talk)
{
    weft_context *self = weft_context_self();
    if (self == NULL)
        return -ENOMEM;
    fill_spare(talk);
    for (;;) {
        int r = move_some(talk);
        if (r < 0)
            return r;
        if (all_ended(talk))
            return 0;
        r = pause_round(talk, self, !self->coroutine);
        if (r < 0)
            return r;
    }
}

void weft_talk_end(weft_talk *talk)
{
    if (talk->in != NULL)
        weft_stream_writer_release(talk->in);
    for (size_t i = 0; i < talk->count; i++)
        weft_stream_reader_release(talk->outs[i].stream);
}
