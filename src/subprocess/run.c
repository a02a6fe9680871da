/* SPDX-License-Identifier: MIT */
/*
 * A command from its start to its end in one call: Python's subprocess.run, and getoutput on it.
 *
 * Once the child has been started, every way out reaps it. What goes wrong (time up, a cancel, no
 * memory) kills it, as in Python; then what it had written is taken from the pipes without waiting
 * for their end, which a grandchild may put off for ever.
 */
#include <stdio.h>

#include "core/clock.h"
#include "core/error.h"
#include "core/memory.h"
#include "subprocess/popen.h"

static int merge_kind(int *kind, int given, const char *name)
{
    if (given == 0)
        return 0;
    if (*kind != 0)
        return weft_error(-EINVAL, "run: .%s is given twice", name);
    *kind = given;
    return 0;
}

/* The options of the start. */
static int merge(weft_popen_options *merged, const weft_subprocess_options *options)
{
    int capture = options->capture_output ? WEFT_PIPE : 0;
    *merged = options->popen;
    int r = weft_command_check_input("run", options->input, options->input_size);
    if (r == 0)
        r = merge_kind(&merged->in, options->in, "in");
    if (r == 0 && options->input != NULL && merged->in_stream != NULL)
        r = weft_error(-EINVAL, "run: .input and .in_stream exclude each other");
    if (r == 0)
        r = merge_kind(&merged->in, options->input != NULL ? WEFT_PIPE : 0, "in (or .input)");
    if (r == 0)
        r = merge_kind(&merged->out, options->out, "out");
    if (r == 0)
        r = merge_kind(&merged->out, capture, "out (or .capture_output)");
    if (r == 0)
        r = merge_kind(&merged->err, options->err, "err");
    if (r == 0)
        r = merge_kind(&merged->err, capture, "err (or .capture_output)");
    return r;
}

/* The child is ended and reaped, and what came is in *completed; returns r with its message. */
static int give_up(weft_popen *popen, weft_completed *completed, int r)
{
    char message[WEFT_MESSAGE_SIZE];
    (void)snprintf(message, sizeof message, "%s", weft_error_message());
    weft_popen_abandon(popen, WEFT_ON_DROP_KILL, r);
    weft_popen_sip(popen);
    (void)weft_popen_collect(popen, completed, true);
    return weft_error(r, "%s", message);
}

static int finish(weft_popen *popen, weft_completed *completed,
                  const weft_subprocess_options *options, int r)
{
    if (r == -ETIMEDOUT)
        r = weft_error(r, "command '%.300s' timed out after %g seconds", popen->command,
                       options->timeout);
    if (r < 0 && r != WEFT_ESTATUS_LOST)
        return give_up(popen, completed, r);
    int collected = weft_popen_collect(popen, completed, true);
    if (r < 0)
        return weft_error(r, "command '%.300s': %s", popen->command, weft_strerror(r));
    if (collected < 0)
        return collected;
    if (options->check && completed->returncode != 0)
        return weft_error(WEFT_ECALLED_PROCESS, "%s", weft_job_message(&popen->job));
    return 0;
}

static int run(weft_completed *completed, const char *const argv[], const char *command,
               const weft_subprocess_options *options)
{
    static const weft_subprocess_options defaults;
    weft_popen_options merged;
    weft_popen *popen;
    weft_instant deadline;
    if (options == NULL)
        options = &defaults;
    int r = weft_deadline_option(options->timeout, &deadline);
    if (r == 0)
        r = merge(&merged, options);
    if (r == 0)
        r = weft_popen_start_as(&popen, argv, command, &merged);
    if (r < 0)
        return r;
    completed->command = weft_strdup(popen->command);
    if (completed->command == NULL)
        r = weft_error(-ENOMEM, "run '%s': no memory", argv[0]);
    if (r == 0)
        r = weft_popen_talk(popen, options->input, options->input_size, deadline);
    r = finish(popen, completed, options, r);
    weft_handle_drop(&popen->job.handle);
    return r;
}

int weft_subprocess_run(weft_completed *completed, const char *const argv[],
                        const weft_subprocess_options *options)
{
    weft_completed unwanted;
    if (completed == NULL)
        completed = &unwanted;
    weft_completed_begin(completed, NULL);
    int r = run(completed, argv, NULL, options);
    if (completed == &unwanted)
        weft_completed_clear(completed);
    return r;
}

int weft_subprocess_shell(weft_completed *completed, const char *command,
                          const weft_subprocess_options *options)
{
    const char *shell = options != NULL ? weft_command_shell(&options->popen) : "/bin/sh";
    const char *const argv[] = {shell, "-c", command, NULL};
    weft_completed unwanted;
    if (completed == NULL)
        completed = &unwanted;
    weft_completed_begin(completed, NULL);
    int r = command != NULL ? run(completed, argv, command, options)
                            : weft_error(-EINVAL, "run: no command");
    if (completed == &unwanted)
        weft_completed_clear(completed);
    return r;
}

/* ---- What a shell command says ----------------------------------------------------------------
 */

int weft_subprocess_getstatusoutput(const char *command, int *returncode, weft_bytes *output,
                                    double timeout)
{
    weft_completed completed;
    const weft_subprocess_options options = {
        .out = WEFT_PIPE, .err = WEFT_STDOUT, .timeout = timeout};
    if (output == NULL)
        return weft_error(-EINVAL, "run: no place for the output");
    if (timeout == 0) /* as an option it would be none */
        return weft_error(-ETIMEDOUT, "run: no time for a command");
    int r = weft_subprocess_shell(&completed, command, &options);
    if (r == 0) {
        char *text = completed.out.data;
        size_t size = completed.out.size;
        size -= size > 0 && text[size - 1] == '\n';
        text[size] = '\0';
        *output = (weft_bytes){.data = text, .size = size};
        completed.out = (weft_bytes){NULL, 0};
        if (returncode != NULL)
            *returncode = completed.returncode;
    }
    weft_completed_clear(&completed);
    return r;
}

int weft_subprocess_getoutput(const char *command, weft_bytes *output, double timeout)
{
    return weft_subprocess_getstatusoutput(command, NULL, output, timeout);
}
