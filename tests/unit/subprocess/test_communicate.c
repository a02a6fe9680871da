/* SPDX-License-Identifier: MIT */
/* Input and output at once, ended by time and taken up again. */
#include <signal.h>
#include <stdio.h>

#include "subprocess_support.h"
#include "support/support.h"

enum { LARGE = 5 * 1000 * 1000 };

static weft_popen *start(const char *const argv[], weft_popen_options options)
{
    weft_popen *popen;
    assert_int_equal(weft_popen_start(&popen, argv, &options), 0);
    return popen;
}

static void what_came_before_the_time_was_up_is_shown_and_kept(void **state)
{
    (void)state;
    weft_completed completed;
    weft_popen *popen = start(ARGV("cat"), (weft_popen_options){.in = WEFT_PIPE, .out = WEFT_PIPE});
    weft_stream *in = weft_popen_stdin(popen), *out = weft_popen_stdout(popen);
    assert_int_equal(weft_stream_write(in, "so far", 6, WEFT_FOREVER), 0);
    assert_int_equal(weft_wait(out, WEFT_FOREVER), 0);
    weft_popen_send_signal(popen, SIGSTOP); /* so it does not see the end of its input */
    assert_int_equal(weft_popen_communicate(popen, WEFT_NONE, &completed, 0.01), -ETIMEDOUT);
    assert_output(completed.out, "so far");
    assert_null(completed.err.data);
    assert_int_equal(completed.returncode, WEFT_NO_RETURNCODE);
    weft_completed_clear(&completed);
    assert_int_equal(weft_popen_communicate(popen, WEFT_NONE, &completed, WEFT_NOWAIT), -ETIMEDOUT);
    assert_output(completed.out, "so far");
    weft_completed_clear(&completed);
    weft_popen_send_signal(popen, SIGCONT);
    assert_int_equal(weft_popen_communicate(popen, WEFT_NONE, &completed, WEFT_FOREVER), 0);
    assert_output(completed.out, "so far");
    assert_int_equal(completed.returncode, 0);
    weft_completed_clear(&completed);
    weft_release(popen);
}

static char *make_input(void)
{
    char *input = malloc(LARGE);
    for (size_t i = 0; input != NULL && i < LARGE; i++)
        input[i] = (char)('a' + i % (26 * 1001) % 26);
    return input;
}

static void the_rest_of_the_input_is_written_by_the_next_call(void **state)
{
    (void)state;
    weft_completed completed;
    char *input = make_input();
    int r;
    weft_popen *popen = start(ARGV("cat"), (weft_popen_options){.in = WEFT_PIPE, .out = WEFT_PIPE});
    weft_popen_send_signal(popen, SIGSTOP);
    assert_int_equal(weft_popen_communicate(popen, input, LARGE, &completed, 0.01), -ETIMEDOUT);
    weft_completed_clear(&completed);
    memset(input, 0, LARGE); /* it is not looked at any more */
    assert_int_equal(weft_popen_communicate(popen, "more", 4, &completed, 0.01), -EINVAL);
    weft_completed_clear(&completed);
    weft_popen_send_signal(popen, SIGCONT);
    while ((r = weft_popen_communicate(popen, WEFT_NONE, &completed, 0.001)) == -ETIMEDOUT)
        weft_completed_clear(&completed);
    assert_int_equal(r, 0);
    assert_flood(completed.out, LARGE);
    assert_int_equal(completed.returncode, 0);
    weft_completed_clear(&completed);
    free(input);
    weft_release(popen);
}

static void polling_again_and_again_loses_nothing(void **state)
{
    (void)state;
    weft_completed completed;
    size_t seen = 0;
    int r;
    weft_popen *popen =
        start(ARGV("floods", "3000000"), (weft_popen_options){.out = WEFT_PIPE, .err = WEFT_PIPE});
    while ((r = weft_popen_communicate(popen, WEFT_NONE, &completed, WEFT_NOWAIT)) == -ETIMEDOUT) {
        assert_true(completed.out.size >= seen);
        seen = completed.out.size;
        weft_completed_clear(&completed);
        assert_int_equal(weft_sleep(0.001), 0);
    }
    assert_int_equal(r, 0);
    assert_flood(completed.out, 3000000);
    assert_flood(completed.err, 3000000);
    weft_completed_clear(&completed);
    weft_release(popen);
}

static void a_poll_gets_all_that_is_there(void **state)
{
    (void)state;
    weft_completed completed;
    siginfo_t info;
    weft_popen *popen = start(ARGV("flood", "60000"), (weft_popen_options){.out = WEFT_PIPE});
    assert_int_equal(waitid(P_PID, (id_t)weft_popen_pid(popen), &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(weft_popen_communicate(popen, WEFT_NONE, &completed, WEFT_NOWAIT), 0);
    assert_flood(completed.out, 60000);
    weft_completed_clear(&completed);
    weft_release(popen);
}

static void a_grandchild_keeps_the_pipe_and_what_was_said_is_told(void **state)
{
    (void)state;
    char number[16];
    weft_completed completed;
    weft_gate gate = open_gate();
    (void)snprintf(number, sizeof number, "%d", gate.read_fd);
    weft_popen *popen = start(
        ARGV("orphan", number),
        (weft_popen_options){.out = WEFT_PIPE, .pass_fds = &gate.read_fd, .pass_fds_count = 1});
    assert_int_equal(weft_wait(weft_popen_stdout(popen), WEFT_FOREVER), 0);
    int returncode;
    assert_int_equal(weft_popen_wait(popen, &returncode, WEFT_FOREVER), 0);
    assert_int_equal(weft_popen_communicate(popen, WEFT_NONE, &completed, 0.01), -ETIMEDOUT);
    assert_output(completed.out, "left");
    assert_int_equal(completed.returncode, 0);
    weft_completed_clear(&completed);
    close(gate.read_fd);
    close(gate.write_fd); /* now the grandchild ends */
    assert_int_equal(weft_popen_communicate(popen, WEFT_NONE, &completed, WEFT_FOREVER), 0);
    assert_output(completed.out, "left");
    weft_completed_clear(&completed);
    weft_release(popen);
}

static void what_was_read_before_is_not_told_again(void **state)
{
    (void)state;
    const char *line;
    weft_completed completed;
    weft_popen *popen = start(ARGV("cat"), (weft_popen_options){.in = WEFT_PIPE, .out = WEFT_PIPE});
    assert_int_equal(weft_stream_write(weft_popen_stdin(popen), "one\ntwo\n", 8, WEFT_FOREVER), 0);
    assert_int_equal(weft_stream_readline(weft_popen_stdout(popen), &line, WEFT_FOREVER), 4);
    assert_string_equal(line, "one\n");
    assert_int_equal(weft_popen_communicate(popen, "three\n", 6, &completed, WEFT_FOREVER), 0);
    assert_output(completed.out, "two\nthree\n");
    weft_completed_clear(&completed);
    assert_int_equal(weft_popen_communicate(popen, WEFT_NONE, &completed, WEFT_FOREVER), 0);
    assert_null(completed.out.data); /* handed over before */
    assert_int_equal(completed.returncode, 0);
    weft_completed_clear(&completed);
    weft_release(popen);
}

static void input_needs_a_pipe(void **state)
{
    (void)state;
    weft_completed completed;
    weft_popen *popen = start(ARGV("exit", "0"), (weft_popen_options){.in = WEFT_DEVNULL});
    assert_int_equal(weft_popen_communicate(popen, "a", 1, &completed, WEFT_FOREVER), -EINVAL);
    weft_completed_clear(&completed);
    assert_int_equal(weft_popen_communicate(popen, NULL, 1, NULL, WEFT_FOREVER), -EINVAL);
    assert_int_equal(weft_popen_communicate(popen, WEFT_NONE, NULL, WEFT_FOREVER), 0);
    assert_int_equal(weft_popen_communicate(NULL, WEFT_NONE, &completed, WEFT_FOREVER), -EINVAL);
    weft_completed_clear(&completed);
    weft_release(popen);
}

/* ---- a cancelled wait applies .on_drop */

static int wait_in_task(void *arg)
{
    weft_popen *popen = *(weft_popen **)arg;
    return weft_popen_wait(popen, NULL, WEFT_FOREVER);
}

static int cancel_a_wait(void *arg)
{
    weft_task *task;
    int r = weft_task_start(&task, wait_in_task, arg, sizeof(weft_popen *), NULL);
    if (r == 0)
        r = weft_sleep(0); /* it waits now */
    weft_cancel(task);
    r = weft_result(task, WEFT_NONE, WEFT_FOREVER);
    weft_release(task);
    return r;
}

static weft_popen *start_ready(const char *what, weft_popen_options options)
{
    char number[16];
    weft_gate gate = open_gate();
    (void)snprintf(number, sizeof number, "%d", gate.write_fd);
    options.pass_fds = &gate.write_fd;
    options.pass_fds_count = 1;
    options.out = WEFT_DEVNULL;
    weft_popen *popen = start(ARGV(what, number), options);
    await_gate(&gate);
    return popen;
}

static int returncode_after_cancel(const char *what, weft_popen_options options)
{
    int returncode = 99;
    weft_popen *popen = start_ready(what, options);
    assert_int_equal(weft_run(cancel_a_wait, WEFT_ARG(popen), NULL), -ECANCELED);
    if (weft_popen_poll(popen, &returncode) == 0) {
        weft_popen_kill(popen);
        assert_int_equal(weft_wait(popen, WEFT_FOREVER), 0);
    }
    weft_release(popen);
    return returncode;
}

static void a_cancelled_wait_does_what_on_drop_says(void **state)
{
    (void)state;
    assert_int_equal(returncode_after_cancel("ready", (weft_popen_options){0}), 99); /* ran on */
    assert_int_equal(
        returncode_after_cancel("ready", (weft_popen_options){.on_drop = WEFT_ON_DROP_KILL}),
        -SIGKILL);
    assert_int_equal(
        returncode_after_cancel("ready", (weft_popen_options){.on_drop = WEFT_ON_DROP_TERMINATE}),
        -SIGTERM);
    assert_int_equal(
        returncode_after_cancel(
            "ignore", (weft_popen_options){.on_drop = WEFT_ON_DROP_TERMINATE, .grace = 0.01}),
        -SIGKILL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(what_came_before_the_time_was_up_is_shown_and_kept),
        weft_test(the_rest_of_the_input_is_written_by_the_next_call),
        weft_test(polling_again_and_again_loses_nothing),
        weft_test(a_poll_gets_all_that_is_there),
        weft_test(a_grandchild_keeps_the_pipe_and_what_was_said_is_told),
        weft_test(what_was_read_before_is_not_told_again),
        weft_test(input_needs_a_pipe),
        weft_test(a_cancelled_wait_does_what_on_drop_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
