/* SPDX-License-Identifier: MIT */
/* Children that find a terminal. */
#include <stdio.h>
#include <sys/ioctl.h>

#include "subprocess_support.h"
#include "support/places.h"

enum { TERMINAL = WEFT_PTY };

/* The next line of a terminal is `text`, as the terminal ends it. */
static void expect_line(struct recorder *recorder, weft_stream *stream, const char *text)
{
    const char *line = "";
    int n = weft_stream_readline(stream, &line, WEFT_FOREVER);
    RECORD(recorder, n == (int)strlen(text) + 2 && strncmp(line, text, strlen(text)) == 0 &&
                         strcmp(line + strlen(text), "\r\n") == 0);
}

/* Which of 0, 1, 2 are terminals, and whether the child controls one. */
static void expect_terminals(struct recorder *recorder, weft_popen_options options,
                             const char *text)
{
    weft_popen *popen;
    RECORD_INT(recorder, weft_popen_start(&popen, ARGV("tty"), &options), 0);
    weft_stream *out =
        options.out == TERMINAL ? weft_popen_stdout(popen) : weft_popen_stderr(popen);
    expect_line(recorder, out, text);
    RECORD_INT(recorder, weft_wait(popen, WEFT_FOREVER), 0);
    weft_release(popen);
}

static int finds_terminals(void *arg)
{
    struct recorder *recorder = arg;
    weft_popen_options options = {.in = TERMINAL, .out = TERMINAL, .err = TERMINAL};
    expect_terminals(recorder, options, "ttt");
    options.new_session = true;
    expect_terminals(recorder, options, "ttt own");
    options.in = WEFT_DEVNULL;
    options.err = WEFT_STDOUT;
    expect_terminals(recorder, options, "-tt own");
    expect_terminals(
        recorder,
        (weft_popen_options){
            .in = WEFT_DEVNULL, .out = WEFT_DEVNULL, .err = TERMINAL, .new_session = true},
        "--t own");
    return 0;
}

static void a_child_finds_terminals_and_may_control_one(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    in_each_place(finds_terminals, &recorder);
    recorder_assert(&recorder);
}

/* What is typed comes back as an echo, then as what the program makes of it. */
static int talks(void *arg)
{
    struct recorder *recorder = arg;
    weft_popen *popen;
    int returncode = 99;
    const weft_popen_options options = {.in = TERMINAL, .out = TERMINAL, .err = TERMINAL};
    RECORD_INT(recorder, weft_popen_start(&popen, ARGV("cat"), &options), 0);
    weft_stream *terminal = weft_popen_stdout(popen);
    RECORD(recorder, weft_popen_stdin(popen) == terminal);
    RECORD(recorder, weft_popen_stderr(popen) == NULL);
    RECORD_INT(recorder, weft_stream_write(terminal, "one\n", 4, WEFT_FOREVER), 0);
    expect_line(recorder, terminal, "one");
    expect_line(recorder, terminal, "one");
    RECORD_INT(recorder, weft_stream_write(terminal, "two", 3, WEFT_FOREVER), 0);
    RECORD_INT(recorder, weft_stream_write_eof(terminal), 0); /* ends the line, then the input */
    RECORD_INT(recorder, weft_popen_wait(popen, &returncode, WEFT_FOREVER), 0);
    RECORD_INT(recorder, returncode, 0);
    char rest[16];
    int n = weft_stream_read(terminal, rest, sizeof rest, WEFT_FOREVER);
    for (int more = n; more > 0 && n < 6; n += more) /* echo and copy */
        more = weft_stream_read(terminal, rest + n, sizeof rest - (size_t)n, WEFT_FOREVER);
    RECORD(recorder, n == 6 && memcmp(rest, "twotwo", 6) == 0);
    RECORD_INT(recorder, weft_stream_read(terminal, rest, sizeof rest, WEFT_FOREVER), 0);
    weft_release(popen);
    return 0;
}

static void what_is_typed_is_echoed_and_answered_until_the_end_is_typed(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    in_each_place(talks, &recorder);
    recorder_assert(&recorder);
}

static int communicates(void *arg)
{
    struct recorder *recorder = arg;
    weft_completed completed;
    const weft_subprocess_options options = {
        .input = "a\nb", .input_size = 3, .out = TERMINAL, .popen.new_session = true};
    /* its input is a pipe, its output a terminal */
    RECORD_INT(recorder, weft_subprocess_run(&completed, ARGV("cat"), &options), 0);
    RECORD(recorder, completed.out.data != NULL && strcmp(completed.out.data, "a\r\nb") == 0);
    weft_completed_clear(&completed);

    weft_popen *popen;
    const weft_popen_options all = {.in = TERMINAL, .out = TERMINAL, .err = TERMINAL};
    RECORD_INT(recorder, weft_popen_start(&popen, ARGV("gulp", "4"), &all), 0);
    RECORD_INT(recorder, weft_popen_communicate(popen, "a\nbc", 4, &completed, WEFT_FOREVER), 0);
    RECORD_INT(recorder, completed.returncode, 0);
    RECORD(recorder, completed.out.data != NULL && strcmp(completed.out.data, "a\r\nbc") == 0);
    weft_completed_clear(&completed);
    weft_release(popen);
    return 0;
}

static void communicate_types_the_end_of_the_input(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    in_each_place(communicates, &recorder);
    recorder_assert(&recorder);
}

static void an_interrupt_is_typed_to_the_session(void **state)
{
    (void)state;
    weft_popen *popen;
    int returncode = 99;
    const weft_popen_options options = {
        .in = TERMINAL, .out = TERMINAL, .err = TERMINAL, .new_session = true};
    assert_int_equal(weft_popen_start(&popen, ARGV("cat"), &options), 0);
    assert_int_equal(weft_stream_write(weft_popen_stdin(popen), "\003", 1, WEFT_FOREVER), 0);
    assert_int_equal(weft_popen_wait(popen, &returncode, WEFT_FOREVER), 0);
    assert_int_equal(returncode, -SIGINT);
    weft_release(popen);
}

static void a_dropped_terminal_hangs_its_session_up(void **state)
{
    (void)state;
    weft_gate gate = open_gate();
    weft_popen *popen;
    const weft_popen_options options = {.in = TERMINAL,
                                        .out = TERMINAL,
                                        .new_session = true,
                                        .pass_fds = &gate.write_fd,
                                        .pass_fds_count = 1};
    assert_int_equal(weft_popen_start(&popen, ARGV("cat"), &options), 0);
    weft_release(popen);
    await_gate(&gate);
    await_no_children();
}

static void the_size_is_told(void **state)
{
    (void)state;
    weft_popen *popen;
    const weft_popen_options options = {.in = TERMINAL, .out = TERMINAL, .rows = 33, .columns = 99};
#if defined(WEFT_PLATFORM_POSIX)
    assert_int_equal(weft_popen_start(&popen, ARGV("cat"), &options), -ENOTSUP);
#else
    struct winsize size = {0};
    assert_int_equal(weft_popen_start(&popen, ARGV("cat"), &options), 0);
    /* a copy of the slave would do; the master knows it too */
    for (int fd = 3; fd < 64 && size.ws_row == 0; fd++)
        (void)ioctl(fd, TIOCGWINSZ, &size);
    assert_int_equal(size.ws_row, 33);
    assert_int_equal(size.ws_col, 99);
    assert_int_equal(weft_popen_set_terminal_size(popen, 44, 88), 0);
    size = (struct winsize){0};
    for (int fd = 3; fd < 64 && size.ws_row == 0; fd++)
        (void)ioctl(fd, TIOCGWINSZ, &size);
    assert_int_equal(size.ws_row, 44);
    assert_int_equal(weft_popen_kill(popen), 0);
    assert_int_equal(weft_wait(popen, WEFT_FOREVER), 0);
    weft_release(popen);
    assert_int_equal(weft_popen_start(&popen, ARGV("exit", "0"), NULL), 0);
    assert_int_equal(weft_popen_set_terminal_size(popen, 1, 1), -EINVAL);
    assert_int_equal(weft_wait(popen, WEFT_FOREVER), 0);
    weft_release(popen);
#endif
}

/* A terminal stays open when its input has been given; what was kept of that is not given again. */
static void a_repeated_communicate_types_its_input_once(void **state)
{
    (void)state;
    static char input[1 << 18];
    char command[200];
    const char *line;
    int gate[2], r = -ETIMEDOUT;
    weft_popen *popen;
    weft_completed completed;
    for (size_t i = 0; i < sizeof input; i++)
        input[i] = i % 64 == 63 ? '\n' : 'x';
    assert_int_equal(pipe(gate), 0);
    fcntl(gate[1], F_SETFD, FD_CLOEXEC);
    const weft_popen_options options = {
        .in = TERMINAL, .out = TERMINAL, .pass_fds = gate, .pass_fds_count = 1};
    (void)snprintf(command, sizeof command,
                   "stty -echo; echo ready; cat <&%d; cat >/dev/null; echo first; cat; echo second",
                   gate[0]);
    assert_int_equal(weft_popen_shell(&popen, command, &options), 0);
    assert_int_equal(weft_popen_readline(popen, NULL, &line, WEFT_FOREVER), 7);
    /* more than a terminal holds */
    assert_int_equal(weft_popen_communicate(popen, input, sizeof input, NULL, WEFT_NOWAIT),
                     -ETIMEDOUT);
    close(gate[0]);
    close(gate[1]);
    for (bool seen = false; r == -ETIMEDOUT;) {
        r = weft_popen_communicate(popen, WEFT_NONE, &completed, seen ? WEFT_FOREVER : 0.05);
        seen = completed.out.size > 0;
        if (r == -ETIMEDOUT)
            weft_completed_clear(&completed);
    }
    assert_int_equal(r, 0);
    assert_output(completed.out, "first\r\nsecond\r\n");
    weft_completed_clear(&completed);
    weft_release(popen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(a_child_finds_terminals_and_may_control_one),
        weft_test(what_is_typed_is_echoed_and_answered_until_the_end_is_typed),
        weft_test(communicate_types_the_end_of_the_input),
        weft_test(a_repeated_communicate_types_its_input_once),
        weft_test(an_interrupt_is_typed_to_the_session),
        weft_test(a_dropped_terminal_hangs_its_session_up),
        weft_test(the_size_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
