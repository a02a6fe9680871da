/* SPDX-License-Identifier: MIT */
/*
 * Commands in a row, each reading what the one before writes.
 *
 * All are started, from the first to the last; the stream that reads the output of one is moved
 * into the next, so this process never keeps a middle end, and ends and broken pipes travel. Then
 * the outer pipes and every stderr are moved at once (talk.h), and only then is each end waited
 * for: whatever blocks one command, its neighbour's end unblocks it.
 *
 * Every way out after the first start ends and reaps all of them: they are signalled all at once,
 * then waited for one after the other.
 */
#include <signal.h>
#include <stdio.h>

#include "core/clock.h"
#include "core/error.h"
#include "core/memory.h"
#include "subprocess/talk.h"

typedef struct weft_line {
    const weft_pipeline_command *commands;
    const weft_pipeline_options *options;
    weft_pipeline *pipeline;
    weft_popen **popens; /* a reference each; in one block with the arrays of `talk` */
    size_t count, started;
    weft_talk talk;
} weft_line;

/* ---- Start ------------------------------------------------------------------------------------
 */

/* An end that the pipeline gives: the command may have none of its own. */
static int give(int *kind, int given, const char *name, size_t i)
{
    if (given != 0 && *kind != 0)
        return weft_error(-EINVAL, "run a pipeline: .%s of command %zu is given twice", name,
                          i + 1);
    if (given != 0)
        *kind = given;
    return 0;
}

/* The options of the i-th start. */
static int merge(weft_line *line, size_t i, weft_popen_options *merged)
{
    const weft_pipeline_options *options = line->options;
    const weft_popen_options *own = line->commands[i].popen;
    int capture = options->capture_output ? WEFT_PIPE : 0;
    bool first = i == 0, last = i == line->count - 1;
    *merged = own != NULL ? *own : (weft_popen_options){0};
    if (merged->in_stream != NULL && (!first || options->input != NULL))
        return weft_error(-EINVAL, "run a pipeline: command %zu has no use for .in_stream", i + 1);
    if (!first && merged->in != 0)
        return weft_error(-EINVAL, "run a pipeline: .in of command %zu is a pipe", i + 1);
    int r = first ? give(&merged->in, options->in, "in", i) : 0;
    if (r == 0 && first)
        r = give(&merged->in, options->input != NULL ? WEFT_PIPE : 0, "in (or .input)", i);
    if (r == 0)
        r = give(&merged->out, last ? options->out : WEFT_PIPE, "out", i);
    if (r == 0 && last)
        r = give(&merged->out, capture, "out (or .capture_output)", i);
    if (r == 0 && capture != 0 && options->err != 0)
        r = weft_error(-EINVAL, "run a pipeline: .err and .capture_output exclude each other");
    if (merged->err == 0)
        merged->err = capture != 0 ? capture : options->err;
    if (!first)
        merged->in_stream = line->popens[i - 1]->streams[WEFT_CHILD_OUT];
    return r;
}

static int start_all(weft_line *line)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < line->count; i++) {
        weft_popen_options merged;
        r = merge(line, i, &merged);
        if (r == 0)
            r = weft_popen_start_as(&line->popens[i], line->commands[i].argv, NULL, &merged);
        if (r < 0)
            break;
        line->started++;
        line->pipeline->completed[i].command = weft_strdup(line->popens[i]->command);
        if (line->pipeline->completed[i].command == NULL)
            r = weft_error(-ENOMEM, "run a pipeline: no memory");
    }
    return r;
}

/* ---- From the start to the end ----------------------------------------------------------------
 */

static int exchange(weft_line *line)
{
    weft_stream *in = line->popens[0]->streams[WEFT_CHILD_IN];
    weft_stream *out = line->popens[line->count - 1]->streams[WEFT_CHILD_OUT];
    int r = in != NULL
                ? weft_talk_write(&line->talk, in, line->options->input, line->options->input_size)
                : 0;
    if (r == 0)
        r = weft_talk_read(&line->talk, out);
    for (size_t i = 0; r == 0 && i < line->count; i++)
        r = weft_talk_read(&line->talk, line->popens[i]->streams[WEFT_CHILD_ERR]);
    if (r == 0)
        r = weft_talk_exchange(&line->talk);
    weft_talk_end(&line->talk);
    return r;
}

/* Of each; a status that somebody else took ends nothing. */
static int await_all(weft_line *line)
{
    int lost = 0;
    for (size_t i = 0; i < line->count; i++) {
        int r = weft_popen_await(line->popens[i], false, line->talk.deadline);
        if (r < 0 && r != WEFT_ESTATUS_LOST)
            return r;
        lost = r < 0 ? r : lost;
    }
    return lost;
}

/* All are ended and reaped, the failure that is the context's stays. The last is signalled first:
 * no command shall take a killed writer's end for the end of its input. */
static void end_all(weft_line *line, int code)
{
    char message[WEFT_MESSAGE_SIZE];
    weft_instant grace = 0;
    (void)snprintf(message, sizeof message, "%s", weft_error_message());
    for (size_t i = line->started; i-- > 0;) {
        weft_popen *popen = line->popens[i];
        bool mild = code == -ECANCELED && popen->on_drop == WEFT_ON_DROP_TERMINATE;
        if (weft_handle_done(&popen->job.handle))
            continue;
        (void)weft_popen_end(popen, mild ? SIGTERM : SIGKILL);
        grace = mild && popen->grace > grace ? popen->grace : grace;
    }
    weft_instant deadline = weft_instant_now() + grace;
    for (size_t i = 0; grace > 0 && i < line->started; i++)
        (void)weft_popen_await(line->popens[i], false, deadline);
    for (size_t i = 0; i < line->started; i++)
        weft_popen_abandon(line->popens[i], WEFT_ON_DROP_KILL, code);
    for (size_t i = 0; i < line->started; i++)
        weft_popen_sip(line->popens[i]);
    (void)weft_error(code, "%s", message);
}

/* ---- What came of it --------------------------------------------------------------------------
 */

static int collect(weft_line *line)
{
    weft_pipeline *pipeline = line->pipeline;
    int r = 0;
    pipeline->returncode = 0;
    for (size_t i = 0; i < line->count; i++) {
        weft_completed *completed = &pipeline->completed[i];
        int collected =
            line->popens[i] != NULL ? weft_popen_collect(line->popens[i], completed, true) : 0;
        r = collected < 0 ? collected : r;
        if (completed->returncode != 0 && pipeline->returncode != WEFT_NO_RETURNCODE)
            pipeline->returncode = completed->returncode;
        if (i + 1 == line->count) {
            pipeline->out = completed->out;
            completed->out = (weft_bytes){NULL, 0};
        }
    }
    return r;
}

static int check(weft_line *line)
{
    for (size_t i = line->count; i-- > 0;) {
        if (line->pipeline->completed[i].returncode != 0)
            return weft_error(WEFT_ECALLED_PROCESS, "%s", weft_job_message(&line->popens[i]->job));
    }
    return 0;
}

static int finish(weft_line *line, int r)
{
    char message[WEFT_MESSAGE_SIZE];
    if (r == -ETIMEDOUT && line->started == line->count) /* else a start's own failure */
        r = weft_error(r,
                       "pipeline of %zu commands, '%.200s' the first, timed out after %g seconds",
                       line->count, line->popens[0]->command, line->options->timeout);
    if (r < 0 && r != WEFT_ESTATUS_LOST)
        end_all(line, r);
    (void)snprintf(message, sizeof message, "%s", r < 0 ? weft_error_message() : "");
    int collected = collect(line);
    if (r < 0)
        return weft_error(r, "%s", message);
    if (collected < 0)
        return collected;
    return line->options->check ? check(line) : 0;
}

/* ---- All of it --------------------------------------------------------------------------------
 */

/* The arrays. Errors: -ENOMEM, with message. */
static int make_room(weft_line *line)
{
    size_t count = line->count;
    size_t each = sizeof(weft_popen *) + sizeof(weft_talk_out) + sizeof(weft_pipe_wait);
    char *block = weft_calloc(count + 2, each); /* one more out, and the input */
    line->pipeline->completed = weft_calloc(count, sizeof(weft_completed));
    if (block == NULL || line->pipeline->completed == NULL) {
        weft_dealloc(block);
        return weft_error(-ENOMEM, "run a pipeline: no memory for %zu commands", count);
    }
    line->popens = (weft_popen **)(void *)block;
    line->talk.outs = (weft_talk_out *)(void *)(block + (count + 2) * sizeof(weft_popen *));
    line->talk.waits = (weft_pipe_wait *)(void *)(line->talk.outs + count + 2);
    line->pipeline->count = count;
    for (size_t i = 0; i < count; i++)
        weft_completed_begin(&line->pipeline->completed[i], NULL);
    return 0;
}

static int run(weft_line *line)
{
    if (line->commands == NULL || line->count == 0)
        return weft_error(-EINVAL, "run a pipeline: no commands");
    int r = weft_deadline_option(line->options->timeout, &line->talk.deadline);
    if (r == 0)
        r = weft_command_check_input("run a pipeline", line->options->input,
                                     line->options->input_size);
    if (r == 0)
        r = make_room(line);
    if (r < 0)
        return r;
    r = start_all(line);
    if (r == 0)
        r = exchange(line);
    if (r == 0)
        r = await_all(line);
    r = finish(line, r);
    for (size_t i = 0; i < line->started; i++)
        weft_handle_drop(&line->popens[i]->job.handle);
    weft_dealloc(line->popens);
    return r;
}

int weft_pipeline_run(weft_pipeline *pipeline, const weft_pipeline_command *commands, size_t count,
                      const weft_pipeline_options *options)
{
    static const weft_pipeline_options defaults;
    weft_pipeline unwanted;
    if (pipeline == NULL)
        pipeline = &unwanted;
    *pipeline = (weft_pipeline){.returncode = WEFT_NO_RETURNCODE};
    weft_line line = {.commands = commands,
                      .options = options != NULL ? options : &defaults,
                      .pipeline = pipeline,
                      .count = count};
    int r = run(&line);
    if (pipeline == &unwanted)
        weft_pipeline_clear(pipeline);
    return r;
}

void weft_pipeline_clear(weft_pipeline *pipeline)
{
    if (pipeline == NULL)
        return;
    for (size_t i = 0; i < pipeline->count; i++)
        weft_completed_clear(&pipeline->completed[i]);
    weft_dealloc(pipeline->completed);
    weft_dealloc(pipeline->out.data);
    *pipeline = (weft_pipeline){.returncode = WEFT_NO_RETURNCODE};
}
