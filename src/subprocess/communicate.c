/* SPDX-License-Identifier: MIT */
/*
 * Input to a child and its two outputs, then its end; what came of it, in the shape of a result.
 *
 * The moving itself is talk.c's. When the time is up, output simply stays in the streams' buffers,
 * and the rest of the input is copied here: nothing is lost.
 */
#include <stdio.h>

#include "core/clock.h"
#include "core/error.h"
#include "core/memory.h"
#include "subprocess/talk.h"

/* ---- Beginning and end ------------------------------------------------------------------------
 */

static int begin_input(weft_popen *popen, weft_talk *talk, const void *input, size_t size)
{
    weft_stream *stream = popen->streams[WEFT_CHILD_IN];
    bool open = weft_stream_is_open(stream);
    if (input != NULL && popen->input_given)
        return weft_error(-EINVAL, "communicate with '%.300s': input was given before",
                          popen->command);
    if (input != NULL && !open)
        return weft_error(-EINVAL, "communicate with '%.300s': its stdin is no open pipe",
                          popen->command);
    if (!open)
        return 0;
    int r = input != NULL ? weft_talk_write(talk, stream, input, size)
                          : weft_talk_write(talk, stream, popen->input, popen->input_size);
    popen->input_given |= r == 0 && input != NULL;
    return r;
}

static int exchange(weft_popen *popen, weft_talk *talk, const void *input, size_t size)
{
    int r = begin_input(popen, talk, input, size);
    if (r == 0)
        r = weft_talk_read(talk, popen->streams[WEFT_CHILD_OUT]);
    if (r == 0)
        r = weft_talk_read(talk, popen->streams[WEFT_CHILD_ERR]);
    return r < 0 ? r : weft_talk_exchange(talk);
}

/* What has not been written is kept for the next call. */
static int keep_input(weft_popen *popen, const weft_talk *talk)
{
    size_t left = talk->input_size - talk->written;
    if (left == 0 && talk->input == popen->input)
        popen->input_size = 0; /* a terminal is open still */
    if (left == 0)
        return 0;
    char *rest = weft_memdup(talk->input + talk->written, left);
    weft_dealloc(popen->input);
    popen->input = rest;
    popen->input_size = rest != NULL ? left : 0;
    if (rest != NULL)
        return 0;
    return weft_error(-ENOMEM, "communicate with '%.300s': no memory to keep %zu bytes of input",
                      popen->command, left);
}

int weft_popen_talk(weft_popen *popen, const void *input, size_t size, weft_instant deadline)
{
    weft_talk_out outs[WEFT_CHILD_STREAMS];
    weft_pipe_wait waits[WEFT_CHILD_STREAMS];
    weft_talk talk = {.outs = outs, .waits = waits, .deadline = deadline};
    /* acquire, release: input and its size */
    if (atomic_exchange_explicit(&popen->talking, true, memory_order_acquire))
        return weft_error(-EBUSY, "communicate with '%.300s': somebody else does already",
                          popen->command);
    (void)weft_childexit_reap_dropped();
    int r = exchange(popen, &talk, input, size);
    int kept = keep_input(popen, &talk);
    weft_talk_end(&talk);
    if (kept < 0)
        r = kept;
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
        if (!weft_stream_is_open(stream) || weft_stream_reader_acquire(stream, false) < 0)
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

int weft_completed_check(const weft_completed *completed)
{
    char message[WEFT_MESSAGE_SIZE];
    if (completed == NULL || completed->returncode == WEFT_NO_RETURNCODE)
        return weft_error(-EINVAL, "check a command: it has no returncode");
    if (completed->returncode == 0)
        return 0;
    weft_returncode_describe(message, sizeof message,
                             completed->command != NULL ? completed->command : "",
                             completed->returncode);
    return weft_error(WEFT_ECALLED_PROCESS, "%s", message);
}

static int collect_one(weft_stream *stream, weft_bytes *bytes, bool take)
{
    if (!weft_stream_is_open(stream))
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
    if (weft_handle_done(&popen->job.handle)) {
        completed->returncode = popen->returncode;
        weft_popen_tell_usage(popen, &completed->usage);
    }
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
    if (r == 0)
        r = weft_command_check_input("communicate", input, size);
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
