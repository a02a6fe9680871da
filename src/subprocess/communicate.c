/* SPDX-License-Identifier: MIT */
/*
 * Input to a child and its two outputs, all at once, in one context.
 *
 * Each round moves what can be moved without waiting; only when nothing can is there a sleep, for
 * all of them together, so neither side ever waits for the other (the deadlock of writing all and
 * then reading). A coroutine is told of edges, so it goes on until each descriptor has said EAGAIN;
 * a thread polls levels, and sleeps after each round, which costs it nothing while there is data.
 *
 * Output grows in the streams' own buffers and is handed over at the end; when the time is up it
 * simply stays there, and the rest of the input is copied here: nothing is lost. A child that never
 * lets its pipes run dry does not keep a deadline from being seen: after it at most as much is read
 * as the pipes can have held.
 */
#include <stdio.h>

#include "core/clock.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/scope.h"
#include "subprocess/popen.h"

/* What is under way. */
typedef struct weft_talk {
    weft_popen *popen;
    weft_stream *in; /* NULL: nothing (more) to be written */
    const char *input;
    size_t input_size, written;
    weft_stream *out[2]; /* NULL: has ended, or is no pipe */
    weft_stream *acquired[2];
    bool idle[1 + 2]; /* in, out: had nothing to move when last tried */
    weft_instant deadline;
    size_t spare; /* what may be read after the deadline */
    bool level;   /* a sleep tells of what is ready, not of what became so */
} weft_talk;

/* ---- One round --------------------------------------------------------------------------------
 */

static void close_input(weft_talk *talk)
{
    weft_stream_shut(talk->in);
    weft_stream_writer_release(talk->in);
    talk->in = NULL;
}

static int write_some(weft_talk *talk)
{
    int n = talk->written < talk->input_size
                ? weft_stream_push(talk->in, talk->input + talk->written,
                                   talk->input_size - talk->written)
                : 0;
    talk->idle[0] = n == -EAGAIN;
    if (n == -EAGAIN)
        return 0;
    if (n < 0 && n != -EPIPE)
        return weft_error_on(n, "write to", weft_handle_name_of(&talk->in->handle));
    if (n == -EPIPE)
        talk->written = talk->input_size; /* it need not read all */
    else
        talk->written += (size_t)n;
    if (talk->written == talk->input_size)
        close_input(talk);
    return 0;
}

static int read_some(weft_talk *talk, int i)
{
    int n = weft_stream_fill(talk->out[i]);
    talk->idle[1 + i] = n == -EAGAIN;
    if (n == -EAGAIN)
        return 0;
    if (n < 0)
        return weft_error_on(n, "read", weft_handle_name_of(&talk->out[i]->handle));
    if (n == 0)
        talk->out[i] = NULL;
    talk->spare -= (size_t)n < talk->spare ? (size_t)n : talk->spare;
    return 0;
}

static int move_some(weft_talk *talk)
{
    int r = talk->in != NULL ? write_some(talk) : 0;
    for (int i = 0; i < 2 && r == 0; i++) {
        if (talk->out[i] != NULL)
            r = read_some(talk, i);
    }
    return r;
}

static bool all_idle(const weft_talk *talk)
{
    return (talk->in == NULL || talk->idle[0]) && (talk->out[0] == NULL || talk->idle[1]) &&
           (talk->out[1] == NULL || talk->idle[2]);
}

/* ---- Between rounds ---------------------------------------------------------------------------
 */

static int sleep_for_pipes(weft_talk *talk)
{
    weft_pipe_wait waits[WEFT_CHILD_STREAMS];
    size_t count = 0;
    if (talk->in != NULL)
        waits[count++] = (weft_pipe_wait){.stream = talk->in, .interest = WEFT_WRITABLE};
    for (int i = 0; i < 2; i++) {
        if (talk->out[i] != NULL)
            waits[count++] = (weft_pipe_wait){.stream = talk->out[i], .interest = WEFT_READABLE};
    }
    return weft_pipes_sleep(NULL, waits, count, talk->deadline);
}

static int pause_round(weft_talk *talk, weft_context *self)
{
    bool idle = all_idle(talk);
    weft_instant limit = weft_instant_min(talk->deadline, self->scopes.nearest);
    if (limit == WEFT_INSTANT_NEVER || (limit > WEFT_INSTANT_NOW && weft_instant_now() < limit)) {
        /* the first round past the deadline begins to count */
        talk->spare = (size_t)2 * WEFT_STREAM_WIDE;
        return idle || talk->level ? sleep_for_pipes(talk) : weft_sleep(0);
    }
    if (!idle && talk->spare > 0)
        return 0;
    return limit < talk->deadline ? weft_scope_fire(self) : weft_error_timed_out();
}

static int exchange(weft_talk *talk)
{
    weft_context *self = weft_context_self();
    talk->level = !self->coroutine;
    for (;;) {
        int r = move_some(talk);
        if (r < 0)
            return r;
        if (talk->in == NULL && talk->out[0] == NULL && talk->out[1] == NULL)
            return 0;
        r = pause_round(talk, self);
        if (r < 0)
            return r;
    }
}

/* ---- Beginning and end ------------------------------------------------------------------------
 */

static bool stream_open(weft_stream *stream)
{
    if (stream == NULL)
        return false;
    weft_ilock_acquire(&stream->io.lock);
    bool open = !stream->io.closed;
    weft_ilock_release(&stream->io.lock);
    return open;
}

static int begin_input(weft_talk *talk, const void *input, size_t size)
{
    weft_popen *popen = talk->popen;
    bool open = stream_open(popen->streams[WEFT_CHILD_IN]);
    if (input != NULL && popen->input_given)
        return weft_error(-EINVAL, "communicate with '%.300s': input was given before",
                          popen->command);
    if (input != NULL && !open)
        return weft_error(-EINVAL, "communicate with '%.300s': its stdin is no open pipe",
                          popen->command);
    if (!open)
        return 0;
    int r = weft_stream_writer_acquire(popen->streams[WEFT_CHILD_IN]);
    if (r < 0)
        return r;
    talk->in = popen->streams[WEFT_CHILD_IN];
    talk->input = input != NULL ? input : popen->input;
    talk->input_size = input != NULL ? size : popen->input_size;
    popen->input_given |= input != NULL;
    return 0;
}

static int begin(weft_talk *talk, const void *input, size_t size)
{
    int r = begin_input(talk, input, size);
    for (int i = 0; i < 2 && r == 0; i++) {
        weft_stream *stream = talk->popen->streams[WEFT_CHILD_OUT + i];
        if (!stream_open(stream))
            continue;
        r = weft_stream_reader_acquire(stream, false);
        if (r == 0)
            talk->acquired[i] = stream;
        if (r == 0 && !stream->ended)
            talk->out[i] = stream;
    }
    return r;
}

/* What has not been written is kept for the next call. */
static int keep_input(weft_talk *talk)
{
    weft_popen *popen = talk->popen;
    size_t left = talk->input_size - talk->written;
    char *rest = weft_memdup(talk->input + talk->written, left);
    weft_dealloc(popen->input);
    popen->input = rest;
    popen->input_size = rest != NULL ? left : 0;
    if (rest != NULL)
        return 0;
    return weft_error(-ENOMEM, "communicate with '%.300s': no memory to keep %zu bytes of input",
                      popen->command, left);
}

static int end(weft_talk *talk, int r)
{
    if (talk->in != NULL) {
        int kept = talk->written < talk->input_size ? keep_input(talk) : 0;
        r = kept < 0 ? kept : r;
        weft_stream_writer_release(talk->in);
    }
    for (int i = 0; i < 2; i++) {
        if (talk->acquired[i] != NULL)
            weft_stream_reader_release(talk->acquired[i]);
    }
    return r;
}

int weft_popen_talk(weft_popen *popen, const void *input, size_t size, weft_instant deadline)
{
    weft_talk talk = {.popen = popen, .deadline = deadline, .spare = (size_t)2 * WEFT_STREAM_WIDE};
    if (weft_context_self() == NULL)
        return -ENOMEM;
    /* acquire, release: input and its size */
    if (atomic_exchange_explicit(&popen->talking, true, memory_order_acquire))
        return weft_error(-EBUSY, "communicate with '%.300s': somebody else does already",
                          popen->command);
    (void)weft_childexit_reap_dropped();
    int r = begin(&talk, input, size);
    if (r == 0)
        r = exchange(&talk);
    r = end(&talk, r);
    if (r == 0)
        r = weft_popen_await(popen, false, deadline);
    atomic_store_explicit(&popen->talking, false, memory_order_release);
    return r;
}

void weft_popen_sip(weft_popen *popen)
{
    for (int i = WEFT_CHILD_OUT; i <= WEFT_CHILD_ERR; i++) {
        weft_stream *stream = popen->streams[i];
        size_t most = WEFT_STREAM_WIDE;
        int n = 1;
        if (!stream_open(stream) || weft_stream_reader_acquire(stream, false) < 0)
            continue;
        while (n > 0 && most > 0 && !stream->ended) {
            n = weft_stream_fill(stream);
            most -= n > 0 ? ((size_t)n < most ? (size_t)n : most) : 0;
        }
        weft_stream_reader_release(stream);
    }
}

/* ---- What came of it --------------------------------------------------------------------------
 */

void weft_completed_begin(weft_completed *completed, const char *command)
{
    *completed = (weft_completed){.returncode = WEFT_NO_RETURNCODE};
    completed->command = command != NULL ? weft_strdup(command) : NULL;
}

void weft_completed_clear(weft_completed *completed)
{
    if (completed == NULL)
        return;
    weft_dealloc(completed->out.data);
    weft_dealloc(completed->err.data);
    weft_dealloc(completed->command);
    weft_completed_begin(completed, NULL);
}

static int collect_one(weft_stream *stream, weft_bytes *bytes, bool take)
{
    if (!stream_open(stream))
        return 0;
    int r = weft_stream_reader_acquire(stream, false);
    if (r < 0)
        return r;
    r = take ? weft_stream_take(stream, bytes) : weft_stream_copy(stream, bytes);
    if (r < 0)
        r = weft_error(r, "read '%s': no memory", weft_handle_name_of(&stream->handle));
    if (take)
        weft_stream_shut(stream);
    weft_stream_reader_release(stream);
    return r;
}

int weft_popen_collect(weft_popen *popen, weft_completed *completed, bool take)
{
    int out = collect_one(popen->streams[WEFT_CHILD_OUT], &completed->out, take);
    int err = collect_one(popen->streams[WEFT_CHILD_ERR], &completed->err, take);
    /* returncode is WEFT_NO_RETURNCODE until it is known; done: it has been written */
    if (weft_handle_done(&popen->job.handle))
        completed->returncode = popen->returncode;
    return out < 0 ? out : err;
}

int weft_popen_communicate(weft_popen *popen, const void *input, size_t size,
                           weft_completed *completed, double timeout)
{
    weft_completed unwanted;
    weft_instant deadline;
    char message[WEFT_MESSAGE_SIZE];
    if (completed == NULL)
        completed = &unwanted;
    weft_completed_begin(completed, NULL);
    int r = weft_handle_check(popen, &weft_popen_kind, "communicate");
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    if (r < 0)
        return r;
    completed->command = weft_strdup(popen->command);
    r = weft_popen_talk(popen, input, size, deadline);
    if (r == -ECANCELED)
        weft_popen_abandon(popen, popen->on_drop, r);
    (void)snprintf(message, sizeof message, "%s", r < 0 ? weft_error_message() : "");
    int collected = r == -EBUSY ? 0 : weft_popen_collect(popen, completed, r == 0);
    if (r < 0)
        (void)weft_error(r, "%s", message);
    else
        r = collected;
    if (completed == &unwanted)
        weft_completed_clear(completed);
    return r;
}
