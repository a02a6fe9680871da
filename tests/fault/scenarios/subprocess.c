/* SPDX-License-Identifier: MIT */
#include "fault/scenarios/scenarios.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static int check_completed(int r, weft_completed *completed, const char *out, const char *err)
{
    if (r >= 0 && (completed->out.data == NULL || strcmp(completed->out.data, out) != 0))
        r = weft_error(SCENARIO_WRONG, "the output is '%s'", (char *)completed->out.data);
    if (r >= 0 && (completed->err.data == NULL || strcmp(completed->err.data, err) != 0))
        r = weft_error(SCENARIO_WRONG, "the errors are '%s'", (char *)completed->err.data);
    if (r >= 0 && (completed->returncode != 0 || completed->command == NULL))
        r = weft_error(SCENARIO_WRONG, "the returncode is %d", completed->returncode);
    weft_completed_clear(completed);
    return r;
}

static int run_captured(void)
{
    const char *const argv[] = {"sh", "-c", "cat; echo two >&2", NULL};
    weft_completed completed;
    int r = weft_subprocess_run(&completed, argv,
                                &(weft_subprocess_options){.capture_output = true,
                                                           .check = true,
                                                           .input = "one\n",
                                                           .input_size = 4,
                                                           .timeout = 1000});
    return check_completed(r, &completed, "one\n", "two\n");
}

static int run_by_a_shell(void)
{
    weft_completed completed;
    int r = weft_subprocess_shell(&completed, "echo one; echo two >&2",
                                  &(weft_subprocess_options){.capture_output = true});
    return check_completed(r, &completed, "one\n", "two\n");
}

/* Everything that is done between fork and exec. */
static int start_with_all_options(void)
{
    const char *const argv[] = {"sh", "-c", "pwd; umask", NULL};
    const char *const env[] = {"PATH=/nosuch:/usr/bin:/bin", "A=b", NULL};
    const gid_t groups[] = {getegid()};
    int zero = 0;
    weft_completed completed;
    weft_popen_options options = {.name = "with all options",
                                  .cwd = "/",
                                  .env = env,
                                  .pass_fds = &zero,
                                  .pass_fds_count = 1,
                                  .new_session = true,
                                  .set_umask = true,
                                  .umask = 077,
                                  .pipe_size = 65536,
                                  .on_drop = WEFT_ON_DROP_KILL};
    if (geteuid() == 0) {
#if !defined(WEFT_PLATFORM_POSIX) /* which cannot */
        options.set_groups = true;
#endif
        options.set_uid = options.set_gid = true;
        options.uid = geteuid();
        options.gid = getegid();
        options.groups = groups;
        options.groups_count = 1;
    }
    int r = weft_subprocess_run(
        &completed, argv,
        &(weft_subprocess_options){.capture_output = true, .popen = options, .in = WEFT_DEVNULL});
    if (r >= 0 && (completed.out.data == NULL || strncmp(completed.out.data, "/\n", 2) != 0 ||
                   strstr(completed.out.data, "77\n") == NULL))
        r = weft_error(SCENARIO_WRONG, "the child says '%s'", (char *)completed.out.data);
    weft_completed_clear(&completed);
    return r;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int start_in_a_group_with_a_hook(void)
{
    const char *const argv[] = {"true", NULL};
    weft_popen *popen = SCENARIO_JUNK;
    int returncode = 0;
    int r = weft_popen_start(&popen, argv,
                             &(weft_popen_options){.new_group = true,
                                                   .hook = nothing,
                                                   .executable = "true",
                                                   .out = WEFT_DEVNULL,
                                                   .err = WEFT_STDOUT});
    if ((r = scenario_started(r, popen)) < 0)
        return r;
    r = weft_popen_wait(popen, &returncode, WEFT_FOREVER);
    r = scenario_first(r, scenario_await(popen));
    r = scenario_expect(r, returncode == 0, "the returncode");
    weft_release(popen);
    return r;
}

/* Signals, polls, and what is left for later. */
static int signals(void)
{
    weft_popen *popen;
    int returncode = 0;
    int r = weft_popen_shell(&popen, "exec sleep 1000",
                             &(weft_popen_options){.new_group = true, .in = WEFT_PIPE});
    if (r < 0)
        return r;
    r = weft_popen_poll(popen, &returncode);
    if (r >= 0)
        r = scenario_expect(r, r == 0 && weft_popen_returncode(popen, NULL) == 0, "poll");
    if (r >= 0)
        r = scenario_expect(0, weft_popen_pid(popen) > 0, "the pid");
    if (r >= 0 && (r = weft_popen_wait(popen, &returncode, 1e-5)) == -ETIMEDOUT)
        r = 0;
    r = scenario_first(r, weft_popen_send_signal(popen, 0));
    r = scenario_first(r, weft_popen_send_signal_group(popen, 0));
    r = scenario_first(r, weft_popen_terminate(popen));
    int killed = weft_popen_kill(popen), waited;
    if (killed < 0 && killed != -ESRCH) { /* once more: only one is made to fail */
        r = scenario_first(r, killed);
        weft_popen_kill(popen);
    }
    waited = weft_popen_wait(popen, &returncode, WEFT_FOREVER);
    waited = scenario_first(waited, scenario_await(popen));
    if (waited >= 0 && returncode != -SIGTERM && returncode != -SIGKILL)
        r = weft_error(SCENARIO_WRONG, "the returncode is %d", returncode);
    weft_release(popen);
    return scenario_first(r, waited);
}

static int drop(void)
{
    const char *const argv[] = {"cat", NULL}; /* it ends by itself, too: the kill may fail */
    weft_popen *popen;
    int r = weft_popen_start(&popen, argv,
                             &(weft_popen_options){.on_drop = WEFT_ON_DROP_KILL, .in = WEFT_PIPE});
    weft_release(r < 0 ? NULL : popen);
    return r;
}

static int communicate_in_parts(void)
{
    static char input[100000];
    const char *const argv[] = {"cat", NULL};
    weft_popen *popen;
    weft_completed completed;
    int r =
        weft_popen_start(&popen, argv, &(weft_popen_options){.in = WEFT_PIPE, .out = WEFT_PIPE});
    if (r < 0)
        return r;
    memset(input, 'x', sizeof input);
    r = weft_popen_communicate(popen, input, sizeof input, &completed, WEFT_NOWAIT);
    while (r == -ETIMEDOUT) {
        weft_completed_clear(&completed);
        r = weft_popen_communicate(popen, WEFT_NONE, &completed, 0.01);
    }
    r = scenario_expect(r, completed.out.size == sizeof input, "the size");
    weft_completed_clear(&completed);
    if (r < 0)
        weft_popen_kill(popen);
    int waited = weft_popen_wait(popen, NULL, WEFT_FOREVER);
    waited = scenario_first(waited, scenario_await(popen));
    weft_release(popen);
    return scenario_first(r, waited);
}

static int stream_into_a_child(void)
{
    const char *const echo[] = {"echo", "hello", NULL}, *const cat[] = {"cat", NULL};
    weft_popen *first, *second = NULL;
    weft_completed completed = {0};
    int r = weft_popen_start(&first, echo, &(weft_popen_options){.out = WEFT_PIPE});
    if (r < 0)
        return r;
    r = weft_popen_start(
        &second, cat,
        &(weft_popen_options){.in_stream = weft_popen_stdout(first), .out = WEFT_PIPE});
    if (r >= 0) {
        r = weft_popen_communicate(second, WEFT_NONE, &completed, WEFT_FOREVER);
        if (r >= 0 && completed.out.size != 6)
            r = weft_error(SCENARIO_WRONG, "%zu bytes", completed.out.size);
        weft_completed_clear(&completed);
        if (r < 0)
            weft_popen_kill(second);
        scenario_await(second);
        weft_release(second);
    }
    int waited = weft_popen_wait(first, NULL, WEFT_FOREVER);
    waited = scenario_first(waited, scenario_await(first));
    weft_release(first);
    return scenario_first(r, waited);
}

static int words(void)
{
    const char *const argv[] = {"a b", "c", NULL};
    const char **split = SCENARIO_JUNK;
    weft_bytes quoted = {NULL, 0}, line = {NULL, 0};
    int r = weft_shlex_quote("it's", &quoted);
    if (r >= 0)
        r = weft_shlex_join(argv, &line);
    if (r >= 0 && (r = weft_shlex_split(line.data, &split)) >= 0) {
        r = scenario_expect(r, r == 2 && strcmp(split[0], "a b") == 0, "the words");
        weft_free(split);
    }
    weft_free(quoted.data);
    weft_free(line.data);
    return r;
}

static int output_of_a_shell(void)
{
    weft_bytes output = {NULL, 0};
    int returncode = -1, r = weft_subprocess_getoutput("echo a", &output, WEFT_FOREVER);
    if (r < 0)
        return scenario_first(output.data == NULL ? 0 : SCENARIO_WRONG, r);
    weft_free(output.data);
    r = weft_subprocess_getstatusoutput("echo a; exit 3", &returncode, &output, WEFT_FOREVER);
    if (r < 0)
        return r;
    r = scenario_expect(r, returncode == 3 && strcmp(output.data, "a") == 0, "the output");
    weft_free(output.data);
    return r;
}

/* So many pipes that to wait for them needs memory. */
static int pipeline(void)
{
    const char *const cat[] = {"cat", NULL}, *const tr[] = {"tr", "a-z", "A-Z", NULL};
    const weft_pipeline_command commands[] = {{.argv = cat}, {.argv = cat}, {.argv = cat},
                                              {.argv = cat}, {.argv = cat}, {.argv = tr}};
    weft_pipeline done;
    int r = weft_pipeline_run(
        &done, commands, 6,
        &(weft_pipeline_options){
            .input = "abc", .input_size = 3, .capture_output = true, .check = true});
    r = scenario_expect(r, done.out.size == 3 && memcmp(done.out.data, "ABC", 3) == 0,
                        "the output");
    weft_pipeline_clear(&done);
    return r;
}

static int both_outputs_line_by_line(void)
{
    const char *line;
    weft_rusage usage;
    weft_popen *popen;
    int lines = 0, fd = 0, status = 0;
    int r = weft_popen_shell(&popen, "echo one; echo two >&2",
                             &(weft_popen_options){.out = WEFT_PIPE, .err = WEFT_PIPE});
    if (r < 0)
        return r;
    r = weft_popen_fileno(popen);
    if (r >= 0 && weft_popen_command(popen) == NULL)
        r = -ENOMEM;
    while (r >= 0 && (r = weft_popen_readline(popen, &fd, &line, WEFT_FOREVER)) > 0)
        lines += fd;
    r = scenario_expect(r, lines == 3, "the lines");
    int waited = weft_popen_wait(popen, &status, WEFT_FOREVER);
    waited = scenario_first(waited, scenario_await(popen));
    if (waited >= 0 && (waited = weft_popen_rusage(popen, &usage)) == -ENOTSUP)
        waited = 0;
    weft_release(popen);
    r = scenario_first(r, waited);
    return scenario_first(r, weft_subprocess_reap());
}

static int on_a_terminal(void)
{
    weft_popen *popen;
    weft_completed completed;
    const weft_limit limit = {RLIMIT_CORE, 0, 0};
    const char *const changes[] = {"A=b", "B", NULL};
    const char *const argv[] = {"sh", "-c", "test -t 1 && echo $A", NULL};
    int r = weft_popen_start(&popen, argv,
                             &(weft_popen_options){.in = WEFT_PTY,
                                                   .out = WEFT_PTY,
                                                   .err = WEFT_PTY,
                                                   .rows = 20,
                                                   .columns = 70,
                                                   .new_session = true,
                                                   .env_changes = changes,
                                                   .limits = &limit,
                                                   .limits_count = 1});
    if (r < 0)
        return scenario_where_there_is(r);
    r = scenario_where_there_is(weft_popen_set_terminal_size(popen, 25, 80));
    int talked = weft_popen_communicate(popen, WEFT_NONE, &completed, WEFT_FOREVER);
    /* EIO is how a terminal's other side says that it has gone: then nothing was said */
    if (talked >= 0 && completed.out.size > 0 && strncmp(completed.out.data, "b", 1) != 0)
        r = weft_error(SCENARIO_WRONG, "on a terminal: '%s'", (char *)completed.out.data);
    weft_completed_clear(&completed);
    if (talked < 0)
        weft_popen_kill(popen);
    talked = scenario_first(talked, scenario_await(popen));
    weft_release(popen);
    return scenario_first(r, talked);
}

/* All that the system lets be asked for by name, and what only privileged processes may. */
static int as_somebody(void)
{
    const char *const argv[] = {"true", NULL};
    weft_completed completed;
    weft_popen_options options = {.parent_death_signal = SIGKILL};
    if (geteuid() == 0)
        options.user = "root";
    int r = weft_subprocess_run(&completed, argv,
                                &(weft_subprocess_options){.popen = options, .check = true});
    if (r >= 0)
        r = weft_completed_check(&completed);
    weft_completed_clear(&completed);
    return scenario_where_there_is(r);
}

const scenario scenarios_subprocess[] = {
    SCENARIO(run_captured, 0),
    SCENARIO(run_by_a_shell, SCENARIO_NO_CHILD),
    SCENARIO(start_with_all_options, 0),
    SCENARIO(start_in_a_group_with_a_hook, 0),
    SCENARIO(signals, SCENARIO_NO_CHILD),
    SCENARIO(drop, SCENARIO_NO_CHILD),
    SCENARIO(communicate_in_parts, SCENARIO_NO_CHILD),
    SCENARIO(stream_into_a_child, SCENARIO_NO_CHILD),
    SCENARIO(words, 0),
    SCENARIO(output_of_a_shell, SCENARIO_NO_CHILD),
    SCENARIO(pipeline, SCENARIO_NO_CHILD),
    SCENARIO(both_outputs_line_by_line, SCENARIO_NO_CHILD),
    SCENARIO(on_a_terminal, 0),
    SCENARIO(as_somebody, 0),
    {NULL, NULL, 0},
};
