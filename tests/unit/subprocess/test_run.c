/* SPDX-License-Identifier: MIT */
/* A command from its start to its end in one call, in threads and in coroutines. */
#include <pthread.h>
#include <stdio.h>

#include "subprocess_support.h"
#include "support/support.h"

enum { LARGE = 10 * 1000 * 1000 };

static void output_is_captured_and_status_told(void **state)
{
    (void)state;
    weft_completed completed;
    const weft_subprocess_options capture = {.capture_output = true};
    assert_int_equal(
        weft_subprocess_run(&completed, ARGV("say", "to stdout", "to stderr"), &capture), 0);
    assert_int_equal(completed.returncode, 0);
    assert_output(completed.out, "to stdout");
    assert_output(completed.err, "to stderr");
    assert_string_equal(completed.command, TARGET " say 'to stdout' 'to stderr'");
    weft_completed_clear(&completed);
    assert_null(completed.out.data);
    assert_int_equal(completed.returncode, WEFT_NO_RETURNCODE);
    weft_completed_clear(&completed);
    weft_completed_clear(NULL);

    assert_int_equal(weft_subprocess_run(&completed, ARGV("exit", "9"), NULL), 0);
    assert_int_equal(completed.returncode, 9);
    assert_null(completed.out.data);
    weft_completed_clear(&completed);
    assert_int_equal(weft_subprocess_run(NULL, ARGV("exit", "0"), &capture), 0);
}

static void absent_and_empty_differ(void **state)
{
    (void)state;
    weft_completed completed;
    const weft_subprocess_options merged = {.out = WEFT_PIPE, .err = WEFT_STDOUT};
    assert_int_equal(weft_subprocess_run(&completed, ARGV("say", "one", "two"), &merged), 0);
    assert_output(completed.out, "onetwo");
    assert_null(completed.err.data);
    weft_completed_clear(&completed);

    const weft_subprocess_options dropped = {.out = WEFT_DEVNULL, .err = WEFT_PIPE};
    assert_int_equal(weft_subprocess_run(&completed, ARGV("say", "one", ""), &dropped), 0);
    assert_null(completed.out.data);
    assert_output(completed.err, "");
    weft_completed_clear(&completed);
}

static void check_makes_a_status_a_failure_that_keeps_the_output(void **state)
{
    (void)state;
    weft_completed completed;
    const weft_subprocess_options options = {.capture_output = true, .check = true};
    assert_int_equal(weft_subprocess_shell(&completed, "echo out; echo err >&2; exit 3", &options),
                     WEFT_ECALLED_PROCESS);
    assert_string_equal(weft_error_message(), "command 'echo out; echo err >&2; exit 3' returned "
                                              "non-zero exit status 3");
    assert_int_equal(completed.returncode, 3);
    assert_output(completed.out, "out\n");
    assert_output(completed.err, "err\n");
    assert_string_equal(completed.command, "echo out; echo err >&2; exit 3");
    weft_completed_clear(&completed);
    assert_int_equal(weft_subprocess_run(&completed, ARGV("die", "9"), &options),
                     WEFT_ECALLED_PROCESS);
    assert_int_equal(completed.returncode, -9);
    assert_non_null(strstr(weft_error_message(), "died of SIGKILL"));
    weft_completed_clear(&completed);
}

static void what_cannot_be_started_leaves_a_valid_result(void **state)
{
    (void)state;
    weft_completed completed;
    const char *const argv[] = {"nosuch-program", NULL};
    assert_int_equal(weft_subprocess_run(&completed, argv, NULL), -ENOENT);
    assert_string_equal(weft_error_message(), "run 'nosuch-program': No such file or directory");
    assert_int_equal(completed.returncode, WEFT_NO_RETURNCODE);
    weft_completed_clear(&completed);
    const weft_subprocess_options wrong[] = {
        {.capture_output = true, .out = WEFT_PIPE},
        {.capture_output = true, .popen.err = WEFT_DEVNULL},
        {.input = "a", .input_size = 1, .in = WEFT_DEVNULL},
        {.input = NULL, .input_size = 1},
        {.out = WEFT_PIPE, .popen.out = WEFT_PIPE},
        {.timeout = -1 / 0.0 + 1 / 0.0},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(weft_subprocess_run(&completed, ARGV("exit", "0"), &wrong[i]), -EINVAL);
        weft_completed_clear(&completed);
    }
    assert_int_equal(weft_subprocess_shell(&completed, NULL, NULL), -EINVAL);
    weft_completed_clear(&completed);
}

/* As the target's flood, so that the check is the same. */
static char *make_input(void)
{
    char *input = malloc(LARGE);
    for (size_t i = 0; input != NULL && i < LARGE; i++)
        input[i] = (char)('a' + i % (26 * 1001) % 26);
    return input;
}

static void much_goes_in_and_out_at_once(void **state)
{
    (void)state;
    weft_completed completed;
    char *input = make_input();
    const weft_subprocess_options options = {
        .input = input, .input_size = LARGE, .capture_output = true, .check = true};
    assert_int_equal(weft_subprocess_run(&completed, ARGV("cat"), &options), 0);
    assert_flood(completed.out, LARGE);
    assert_output(completed.err, "");
    weft_completed_clear(&completed);
    free(input);
}

static void empty_input_is_an_end_at_once(void **state)
{
    (void)state;
    weft_completed completed;
    const weft_subprocess_options options = {.input = "", .out = WEFT_PIPE};
    assert_int_equal(weft_subprocess_run(&completed, ARGV("cat"), &options), 0);
    assert_output(completed.out, "");
    weft_completed_clear(&completed);
}

static void a_child_need_not_read_its_input(void **state)
{
    (void)state;
    weft_completed completed;
    char *input = make_input();
    const weft_subprocess_options options = {.input = input, .input_size = LARGE, .check = true};
    assert_int_equal(weft_subprocess_run(&completed, ARGV("gulp", "100"), &options), 0);
    weft_completed_clear(&completed);
    free(input);
}

static void two_floods_do_not_block_each_other(void **state)
{
    (void)state;
    weft_completed completed;
    const weft_subprocess_options options = {.capture_output = true, .check = true};
    assert_int_equal(weft_subprocess_run(&completed, ARGV("floods", "3000000"), &options), 0);
    assert_flood(completed.out, 3000000);
    assert_flood(completed.err, 3000000);
    weft_completed_clear(&completed);
}

static void time_up_kills_and_reaps(void **state)
{
    (void)state;
    weft_completed completed;
    const weft_subprocess_options options = {.out = WEFT_PIPE, .timeout = 0.05};
    assert_int_equal(weft_subprocess_run(&completed, ARGV("ready", "9"), &options), -ETIMEDOUT);
    assert_non_null(strstr(weft_error_message(), "timed out after 0.05 seconds"));
    assert_int_equal(completed.returncode, -9);
    assert_non_null(completed.out.data);
    assert_int_equal(strncmp("ready", completed.out.data, completed.out.size), 0);
    weft_completed_clear(&completed);
    assert_false(have_children());
}

/* The pipe stays open in a grandchild, which ends with the gate. */
static void a_grandchild_that_keeps_the_pipe_does_not_hold_up_time_up(void **state)
{
    (void)state;
    char number[16];
    weft_completed completed;
    weft_gate gate = open_gate();
    (void)snprintf(number, sizeof number, "%d", gate.read_fd);
    const weft_subprocess_options options = {
        .out = WEFT_PIPE,
        .timeout = 0.2,
        .popen = {.pass_fds = &gate.read_fd, .pass_fds_count = 1},
    };
    assert_int_equal(weft_subprocess_run(&completed, ARGV("orphan", number), &options), -ETIMEDOUT);
    assert_int_equal(strncmp("left", completed.out.data, completed.out.size), 0);
    weft_completed_clear(&completed);
    close(gate.read_fd);
    close(gate.write_fd);
    assert_false(have_children());
}

static void a_child_that_never_stops_writing_does_not_hold_up_time_up(void **state)
{
    (void)state;
    weft_completed completed;
    const weft_subprocess_options options = {.out = WEFT_PIPE, .timeout = 0.05};
    assert_int_equal(weft_subprocess_run(&completed, ARGV("flood", "1000000000000"), &options),
                     -ETIMEDOUT);
    assert_flood(completed.out, completed.out.size);
    weft_completed_clear(&completed);
}

/* ---- in coroutines */

enum { TASKS = 20 };

static int run_in_task(void *arg)
{
    char number[16];
    weft_completed completed;
    int n = *(int *)arg;
    (void)snprintf(number, sizeof number, "%d", n * 10000);
    const weft_subprocess_options options = {.out = WEFT_PIPE, .check = true};
    int r = weft_subprocess_run(&completed, ARGV("flood", number), &options);
    if (r == 0)
        r = (int)completed.out.size;
    weft_completed_clear(&completed);
    return r;
}

static int run_in_tasks(void *arg)
{
    weft_task *tasks[TASKS];
    (void)arg;
    for (int i = 0; i < TASKS; i++) {
        int r = weft_task_start(&tasks[i], run_in_task, WEFT_ARG(i), NULL);
        if (r < 0)
            return r;
    }
    int r = weft_gather(tasks, TASKS, WEFT_FOREVER);
    for (int i = 0; i < TASKS && r >= 0; i++) {
        if (weft_result(tasks[i], WEFT_NONE, WEFT_NOWAIT) != i * 10000)
            r = weft_error(WEFT_EUSER, "task %d is wrong", i);
    }
    weft_release_many(tasks, TASKS);
    return r;
}

static void commands_run_beside_each_other_in_tasks(void **state)
{
    (void)state;
    assert_int_equal(weft_run(run_in_tasks, WEFT_NONE, NULL), 0);
}

static int much_in_task(void *arg)
{
    weft_completed completed;
    const weft_subprocess_options options = {
        .input = *(char **)arg, .input_size = LARGE, .out = WEFT_PIPE, .check = true};
    int r = weft_subprocess_run(&completed, ARGV("cat"), &options);
    if (r == 0)
        r = completed.out.size == LARGE && memcmp(completed.out.data, *(char **)arg, LARGE) == 0;
    weft_completed_clear(&completed);
    return r;
}

static void much_goes_in_and_out_in_a_task(void **state)
{
    (void)state;
    char *input = make_input();
    assert_int_equal(weft_run(much_in_task, WEFT_ARG((void *){input}), NULL), 1);
    free(input);
}

/* A wait drains in a task, too, and sees the time although the child never stops. */
static int wait_and_drain(void *arg)
{
    weft_popen *popen;
    weft_bytes bytes;
    int returncode;
    (void)arg;
    const weft_popen_options options = {.out = WEFT_PIPE, .on_drop = WEFT_ON_DROP_KILL};
    int r = weft_popen_start(&popen, ARGV("flood", "3000000"), &options);
    if (r == 0)
        r = weft_popen_wait(popen, &returncode, WEFT_FOREVER);
    if (r == 0)
        r = weft_stream_read_all(weft_popen_stdout(popen), &bytes, WEFT_FOREVER);
    weft_release(popen);
    if (r < 0 || bytes.size != 3000000)
        return r < 0 ? r : WEFT_EUSER;
    weft_free(bytes.data);
    r = weft_popen_start(&popen, ARGV("flood", "1000000000000"), &options);
    if (r == 0)
        r = weft_popen_wait(popen, &returncode, 0.02);
    if (r == -ETIMEDOUT)
        r = weft_stream_read_all(weft_popen_stdout(popen), &bytes, 0.02);
    weft_popen_kill(popen);
    (void)weft_wait(popen, WEFT_FOREVER);
    weft_release(popen);
    return r;
}

static void a_wait_drains_and_sees_the_time(void **state)
{
    (void)state;
    assert_int_equal(wait_and_drain(NULL), -ETIMEDOUT);
    assert_int_equal(weft_run(wait_and_drain, WEFT_NONE, NULL), -ETIMEDOUT);
}

/* A scope and a cancel end a run like its own timeout does. */
static int run_in_scope(void *arg)
{
    weft_completed completed;
    const weft_subprocess_options options = {.out = WEFT_PIPE};
    int scope = weft_timeout_begin(0.02);
    int r = weft_subprocess_run(&completed, arg, &options);
    bool killed = completed.returncode == -9;
    weft_completed_clear(&completed);
    r = weft_timeout_end(scope, r);
    return killed ? r : WEFT_EUSER;
}

static void a_scope_ends_a_run(void **state)
{
    (void)state;
    const char *const *quiet = ARGV("ready", "9"), *const *loud = ARGV("flood", "1000000000000");
    assert_int_equal(run_in_scope((void *)(uintptr_t)quiet), -ETIMEDOUT);
    assert_int_equal(run_in_scope((void *)(uintptr_t)loud), -ETIMEDOUT);
    assert_int_equal(weft_run(run_in_scope, WEFT_POINTER(quiet), NULL), -ETIMEDOUT);
    assert_int_equal(weft_run(run_in_scope, WEFT_POINTER(loud), NULL), -ETIMEDOUT);
    assert_false(have_children());
}

static int run_for_ever(void *arg)
{
    weft_completed completed;
    int r = weft_subprocess_run(&completed, ARGV("ready", "9"),
                                &(weft_subprocess_options){.out = WEFT_PIPE});
    *(int *)arg = completed.returncode;
    weft_completed_clear(&completed);
    return r;
}

static int cancel_a_run(void *arg)
{
    weft_task *task;
    int r = weft_task_start(&task, run_for_ever, WEFT_POINTER(arg), NULL);
    if (r == 0)
        r = weft_sleep(0.01);
    weft_cancel(task);
    r = weft_result(task, WEFT_NONE, WEFT_FOREVER);
    weft_release(task);
    return r;
}

static void a_cancelled_run_kills_and_reaps(void **state)
{
    (void)state;
    int returncode = 0;
    assert_int_equal(weft_run(cancel_a_run, WEFT_POINTER(&returncode), NULL), -ECANCELED);
    assert_int_equal(returncode, -9);
    assert_false(have_children());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(output_is_captured_and_status_told),
        weft_test(absent_and_empty_differ),
        weft_test(check_makes_a_status_a_failure_that_keeps_the_output),
        weft_test(what_cannot_be_started_leaves_a_valid_result),
        weft_test(much_goes_in_and_out_at_once),
        weft_test(empty_input_is_an_end_at_once),
        weft_test(a_child_need_not_read_its_input),
        weft_test(two_floods_do_not_block_each_other),
        weft_test(time_up_kills_and_reaps),
        weft_test(a_grandchild_that_keeps_the_pipe_does_not_hold_up_time_up),
        weft_test(a_child_that_never_stops_writing_does_not_hold_up_time_up),
        weft_test(commands_run_beside_each_other_in_tasks),
        weft_test(much_goes_in_and_out_in_a_task),
        weft_test(a_wait_drains_and_sees_the_time),
        weft_test(a_scope_ends_a_run),
        weft_test(a_cancelled_run_kills_and_reaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
