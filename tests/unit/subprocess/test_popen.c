/* SPDX-License-Identifier: MIT */
/* Children: how they start, what they inherit, how they end. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "subprocess_support.h"
#include "support/support.h"

/* ---- the start */

static void a_program_that_is_not_there_is_an_error_of_the_start(void **state)
{
    (void)state;
    weft_popen *popen = (weft_popen *)(uintptr_t)1;
    const char *const argv[] = {"nosuch-program", NULL};
    assert_int_equal(weft_popen_start(&popen, argv, NULL), -ENOENT);
    assert_null(popen);
    assert_string_equal(weft_error_message(), "run 'nosuch-program': No such file or directory");
    const char *const directory[] = {"/", NULL};
    assert_int_equal(weft_popen_start(&popen, directory, NULL), -EACCES);
    assert_string_equal(weft_error_message(), "run '/': Permission denied");
    const char *const empty[] = {"", NULL};
    assert_int_equal(weft_popen_start(&popen, empty, NULL), -ENOENT);
}

static void a_directory_that_is_not_there_is_named(void **state)
{
    (void)state;
    weft_popen *popen;
    const weft_popen_options options = {.cwd = "/nosuch-directory"};
    assert_int_equal(weft_popen_start(&popen, ARGV("exit", "0"), &options), -ENOENT);
    assert_non_null(strstr(weft_error_message(), "in '/nosuch-directory': No such file"));
}

static int failing_hook(void *arg)
{
    return *(int *)arg;
}

static void a_failing_hook_ends_the_start(void **state)
{
    (void)state;
    weft_popen *popen;
    int code = -EDOM;
    const weft_popen_options options = {.hook = failing_hook, .hook_arg = &code};
    assert_int_equal(weft_popen_start(&popen, ARGV("exit", "0"), &options), -EDOM);
    assert_non_null(strstr(weft_error_message(), "its hook failed"));
}

static void options_that_exclude_each_other_are_refused(void **state)
{
    (void)state;
    weft_popen *popen;
    const char *const bad_env[] = {"A=b", "noequals", NULL}, *const no_name[] = {"=b", NULL};
    const char *const no_argv[] = {NULL};
    const int fds[] = {3, -1};
    const weft_popen_options options[] = {
        {.env = bad_env},
        {.env = no_name},
        {.keep_fds = true, .pass_fds = fds, .pass_fds_count = 1},
        {.pass_fds = fds, .pass_fds_count = 2},
        {.new_group = true, .process_group = 1},
        {.process_group = -1},
        {.out = WEFT_STDOUT},
        {.in = -9},
        {.grace = -1},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        assert_int_equal(weft_popen_start(&popen, ARGV("exit", "0"), &options[i]), -EINVAL);
        assert_string_not_equal(weft_error_message(), "");
    }
    assert_int_equal(weft_popen_start(&popen, no_argv, NULL), -EINVAL);
    assert_int_equal(weft_popen_start(&popen, NULL, NULL), -EINVAL);
    assert_int_equal(weft_popen_shell(&popen, NULL, NULL), -EINVAL);
    assert_int_equal(
        weft_popen_start(&popen, ARGV("exit", "0"), &(weft_popen_options){.out = 1000}), -EBADF);
}

static void nobody_need_take_the_handle(void **state)
{
    (void)state;
    weft_gate gate = open_gate();
    const weft_popen_options options = {.pass_fds = &gate.write_fd, .pass_fds_count = 1};
    assert_int_equal(weft_popen_start(NULL, ARGV("exit", "0"), &options), 0);
    await_gate(&gate);
    await_no_children();
}

/* ---- the end */

static void the_returncode_is_the_exit_status_or_minus_the_signal(void **state)
{
    (void)state;
    weft_popen *popen;
    int returncode = 99;
    assert_int_equal(weft_popen_start(&popen, ARGV("exit", "7"), NULL), 0);
    assert_int_equal(weft_popen_wait(popen, &returncode, WEFT_FOREVER), 0);
    assert_int_equal(returncode, 7);
    assert_int_equal(weft_result(popen, WEFT_NONE, WEFT_NOWAIT), WEFT_ECALLED_PROCESS);
    assert_non_null(strstr(weft_error_message(), "exit 7' returned non-zero exit status 7"));
    weft_release(popen);

    assert_int_equal(weft_popen_start(&popen, ARGV("die", "15"), NULL), 0);
    assert_int_equal(weft_popen_wait(popen, &returncode, WEFT_FOREVER), 0);
    assert_int_equal(returncode, -15);
    returncode = 99;
    assert_int_equal(weft_popen_wait(popen, &returncode, WEFT_NOWAIT), 0); /* again */
    assert_int_equal(returncode, -15);
    assert_int_equal(weft_result(popen, WEFT_NONE, WEFT_NOWAIT), WEFT_ECALLED_PROCESS);
    assert_non_null(strstr(weft_error_message(), "died of SIGTERM"));
    weft_release(popen);

    assert_int_equal(weft_popen_start(&popen, ARGV("exit", "0"), NULL), 0);
    assert_int_equal(weft_result(popen, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(popen);
}

static weft_popen *start_ready(const char *what, const weft_popen_options *base)
{
    char number[16];
    weft_popen *popen;
    weft_popen_options options = base != NULL ? *base : (weft_popen_options){.out = WEFT_DEVNULL};
    weft_gate gate = open_gate();
    (void)snprintf(number, sizeof number, "%d", gate.write_fd);
    options.pass_fds = &gate.write_fd;
    options.pass_fds_count = 1;
    assert_int_equal(weft_popen_start(&popen, ARGV(what, number), &options), 0);
    await_gate(&gate);
    return popen;
}

static void a_running_child_can_be_looked_at_and_signalled(void **state)
{
    (void)state;
    char text[200];
    int returncode = 99;
    weft_popen *popen = start_ready("ready", NULL);
    assert_int_equal(weft_popen_poll(popen, &returncode), 0);
    assert_int_equal(weft_popen_returncode(popen, &returncode), 0);
    assert_int_equal(weft_popen_wait(popen, &returncode, 0.001), -ETIMEDOUT);
    assert_int_equal(weft_popen_wait(popen, &returncode, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(returncode, 99);
    assert_false(weft_done(popen));
    assert_int_equal(weft_popen_send_signal(popen, 0), 0);
    assert_int_equal(weft_popen_send_signal(popen, 1000), -EINVAL);
    weft_handle_describe(popen, text, sizeof text);
    assert_non_null(strstr(text, "running, pid "));
    assert_int_equal(weft_popen_terminate(popen), 0);
    assert_int_equal(weft_wait(popen, WEFT_FOREVER), 0);
    assert_int_equal(weft_popen_poll(popen, &returncode), 1);
    assert_int_equal(returncode, -SIGTERM);
    assert_int_equal(weft_popen_returncode(popen, &returncode), 1);
    assert_int_equal(weft_popen_kill(popen), -ESRCH);
    weft_handle_describe(popen, text, sizeof text);
    assert_non_null(strstr(text, "ended, returncode -15"));
    weft_release(popen);
}

static void an_ended_child_is_never_signalled(void **state)
{
    (void)state;
    weft_popen *popen;
    weft_gate gate = open_gate();
    const weft_popen_options options = {.pass_fds = &gate.write_fd, .pass_fds_count = 1};
    assert_int_equal(weft_popen_start(&popen, ARGV("exit", "0"), &options), 0);
    await_gate(&gate);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)weft_popen_pid(popen), &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(weft_popen_terminate(popen), -ESRCH); /* a zombie still */
    assert_true(weft_done(popen));
    weft_release(popen);
}

static void cancel_asks_it_to_end(void **state)
{
    (void)state;
    int returncode;
    weft_popen *popen = start_ready("ready", NULL);
    assert_int_equal(weft_cancel(popen), 1);
    assert_int_equal(weft_popen_wait(popen, &returncode, WEFT_FOREVER), 0);
    assert_int_equal(returncode, -SIGTERM);
    assert_int_equal(weft_cancel(popen), 0);
    weft_release(popen);
}

static void count_call(void *handle, void *arg)
{
    (void)handle;
    ++*(int *)arg;
}

static void several_children_are_waited_for_in_the_order_of_their_ends(void **state)
{
    (void)state;
    weft_popen *popens[3];
    int calls = 0;
    for (int i = 0; i < 3; i++) {
        popens[i] = start_ready("ready", NULL);
        assert_int_equal(weft_add_done_callback(popens[i], count_call, &calls), 0);
    }
    assert_int_equal(weft_wait_any(popens, 3, WEFT_NOWAIT), -ETIMEDOUT);
    weft_popen_kill(popens[1]);
    assert_int_equal(weft_wait_any(popens, 3, WEFT_FOREVER), 1);
    weft_popen_kill(popens[0]);
    weft_popen_kill(popens[2]);
    assert_int_equal(weft_wait_all(popens, 3, WEFT_FOREVER), 0);
    assert_int_equal(calls, 3);
    weft_release_many(popens, 3);
}

/* ---- what it inherits */

static weft_completed run_captured(const char *const argv[], const weft_popen_options *base)
{
    weft_popen *popen;
    weft_completed completed;
    weft_popen_options options = *base;
    options.out = WEFT_PIPE;
    assert_int_equal(weft_popen_start(&popen, argv, &options), 0);
    int r = weft_popen_communicate(popen, WEFT_NONE, &completed, WEFT_FOREVER);
    weft_release(popen);
    assert_int_equal(r, 0);
    assert_int_equal(completed.returncode, 0);
    return completed;
}

static void expect(const char *const argv[], weft_popen_options options, const char *text)
{
    weft_completed completed = run_captured(argv, &options);
    assert_output(completed.out, text);
    weft_completed_clear(&completed);
}

static void it_has_its_own_directory_environment_and_mask(void **state)
{
    (void)state;
    const char *const env[] = {"WEFT_A=b=c", NULL};
    setenv("WEFT_OUTER", "inherited", 1);
    expect(ARGV("cwd"), (weft_popen_options){.cwd = "/"}, "/");
    expect(ARGV("env", "WEFT_OUTER"), (weft_popen_options){0}, "inherited");
    expect(ARGV("env", "WEFT_OUTER"), (weft_popen_options){.env = env}, "(none)");
    expect(ARGV("env", "WEFT_A"), (weft_popen_options){.env = env}, "b=c");
    expect(ARGV("mask"), (weft_popen_options){.set_umask = true, .umask = 027}, "027");
    expect(ARGV("ids"), (weft_popen_options){0}, "- -");
    expect(ARGV("ids"), (weft_popen_options){.new_group = true}, "group -");
    expect(ARGV("ids"), (weft_popen_options){.new_session = true}, "group session");
}

static void the_path_is_that_of_the_childs_environment(void **state)
{
    (void)state;
    char path[4096];
    const char *slash = strrchr(TARGET, '/');
    (void)snprintf(path, sizeof path, "PATH=/nosuch:%.*s:/bin", (int)(slash - TARGET), TARGET);
    const char *const env[] = {path, "A=found", NULL}, *const empty[] = {"PATH=/nosuch", NULL};
    const char *const argv[] = {slash + 1, "env", "A", NULL};
    weft_popen *popen;
    expect(argv, (weft_popen_options){.env = env}, "found");
    assert_int_equal(weft_popen_start(&popen, argv, &(weft_popen_options){.env = empty}), -ENOENT);
    const char *const renamed[] = {"another-name", "env", "A", NULL};
    expect(renamed, (weft_popen_options){.env = env, .executable = slash + 1}, "found");
}

static void it_inherits_no_descriptor_but_what_is_passed(void **state)
{
    (void)state;
    char text[64];
    int fds[2], high = fcntl(0, F_DUPFD, 100);
    assert_int_equal(pipe(fds), 0); /* not close-on-exec */
    expect(ARGV("fds"), (weft_popen_options){0}, "0 1 2 ");
    const int pass[] = {high, fds[1]};
    (void)snprintf(text, sizeof text, "0 1 2 %d %d ", fds[1], high);
    expect(ARGV("fds"), (weft_popen_options){.pass_fds = pass, .pass_fds_count = 2}, text);
    close(fds[0]);
    close(fds[1]);
    close(high);
}

/* The numbers that the pipes of the start will get, if they are taken for open. */
static void a_closed_descriptor_is_not_passed(void **state)
{
    (void)state;
    weft_popen *popen;
    int lowest = dup(0);
    assert_true(lowest > 2);
    close(lowest);
    for (int fd = lowest; fd < lowest + 8; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        const weft_popen_options passed = {
            .in = WEFT_PIPE, .out = WEFT_PIPE, .pass_fds = &fd, .pass_fds_count = 1};
        const weft_popen_options given = {.in = WEFT_PIPE, .out = WEFT_PIPE, .err = fd};
        assert_int_equal(weft_popen_start(&popen, ARGV("fds"), &passed), -EBADF);
        assert_int_equal(weft_popen_start(&popen, ARGV("fds"), &given), -EBADF);
    }
}

/* In a copy of this process, whose stdout is closed: the first pipe gets its number. */
static int start_without_stdout(struct recorder *recorder, void *arg)
{
    weft_popen *popen;
    (void)arg;
    close(1);
    weft_popen_options options = {.in = WEFT_PIPE, .err = WEFT_STDOUT};
    RECORD_INT(recorder, weft_popen_start(&popen, ARGV("say", "", "text"), &options), 0);
    RECORD_INT(recorder, weft_result(popen, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(popen);
    options.in = 0;
    RECORD_INT(recorder, weft_popen_start(&popen, ARGV("say", "", "text"), &options), 0);
    RECORD_INT(recorder, weft_result(popen, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(popen);
    return weft_shutdown(WEFT_FOREVER);
}

static void stderr_goes_where_stdout_goes_also_if_that_is_closed(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    struct child child;
    assert_int_equal(child_start(&child, start_without_stdout, NULL), 0);
    assert_int_equal(child_join(&child, &recorder), 0);
    recorder_assert(&recorder);
}

static void its_streams_can_go_to_any_descriptor(void **state)
{
    (void)state;
    char bytes[16] = "";
    int fds[2], returncode;
    weft_popen *popen;
    assert_int_equal(pipe(fds), 0);
    const weft_popen_options options = {.in = WEFT_DEVNULL, .out = fds[1], .err = WEFT_STDOUT};
    assert_int_equal(weft_popen_start(&popen, ARGV("say", "one", "two"), &options), 0);
    close(fds[1]);
    assert_int_equal(weft_popen_wait(popen, &returncode, WEFT_FOREVER), 0);
    assert_int_equal(read(fds[0], bytes, sizeof bytes), 6);
    assert_string_equal(bytes, "onetwo");
    assert_null(weft_popen_stdout(popen));
    assert_non_null(strstr(weft_error_message(), "is no pipe"));
    close(fds[0]);
    weft_release(popen);
}

static void a_stream_moves_into_the_next_child(void **state)
{
    (void)state;
    weft_popen *first, *second;
    weft_completed completed;
    const weft_popen_options out = {.out = WEFT_PIPE};
    assert_int_equal(weft_popen_start(&first, ARGV("flood", "1000000"), &out), 0);
    const weft_popen_options middle = {.in_stream = weft_popen_stdout(first), .out = WEFT_PIPE};
    const weft_popen_options wrong = {
        .in_stream = weft_popen_stdout(first), .cwd = "/nosuch-directory", .out = WEFT_PIPE};
    assert_int_equal(weft_popen_start(&second, ARGV("cat"), &wrong), -ENOENT);
    assert_int_equal(weft_popen_start(&second, ARGV("cat"), &middle), 0); /* not lost by that */
    assert_int_equal(weft_popen_communicate(second, WEFT_NONE, &completed, WEFT_FOREVER), 0);
    assert_flood(completed.out, 1000000);
    assert_int_equal(weft_result(first, WEFT_NONE, WEFT_FOREVER), 0);
    weft_completed_clear(&completed);
    weft_release(first);
    weft_release(second);
}

static void a_stream_that_was_not_moved_is_drained_as_before(void **state)
{
    (void)state;
    weft_popen *first, *second;
    weft_completed completed;
    const weft_popen_options out = {.out = WEFT_PIPE};
    const char *const nosuch[] = {"/nosuch", NULL};
    assert_int_equal(weft_popen_start(&first, ARGV("flood", "1000000"), &out), 0);
    const weft_popen_options in = {.in_stream = weft_popen_stdout(first)};
    assert_int_equal(weft_popen_start(&second, nosuch, &in), -ENOENT);
    assert_int_equal(weft_popen_wait(first, NULL, WEFT_FOREVER), 0);
    assert_int_equal(weft_popen_communicate(first, WEFT_NONE, &completed, WEFT_FOREVER), 0);
    assert_flood(completed.out, 1000000);
    weft_completed_clear(&completed);
    weft_release(first);
}

static void lines_go_to_a_child_and_come_back(void **state)
{
    (void)state;
    weft_popen *popen;
    const char *line;
    int returncode;
    const weft_popen_options options = {.in = WEFT_PIPE, .out = WEFT_PIPE};
    assert_int_equal(weft_popen_start(&popen, ARGV("cat"), &options), 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(weft_stream_write(weft_popen_stdin(popen), "hello\n", 6, WEFT_FOREVER), 0);
        assert_int_equal(weft_stream_readline(weft_popen_stdout(popen), &line, WEFT_FOREVER), 6);
        assert_string_equal(line, "hello\n");
    }
    assert_int_equal(weft_stream_write_eof(weft_popen_stdin(popen)), 0);
    assert_int_equal(weft_stream_readline(weft_popen_stdout(popen), &line, WEFT_FOREVER), 0);
    assert_int_equal(weft_popen_wait(popen, &returncode, WEFT_FOREVER), 0);
    assert_int_equal(returncode, 0);
    weft_release(popen);
}

static void writing_to_a_dead_child_is_an_error_and_no_signal(void **state)
{
    (void)state;
    weft_popen *popen;
    struct sigaction fatal = {.sa_handler = SIG_DFL}, handler; /* would end this program */
    sigaction(SIGPIPE, &fatal, &handler);
    assert_int_equal(
        weft_popen_start(&popen, ARGV("exit", "0"), &(weft_popen_options){.in = WEFT_PIPE}), 0);
    assert_int_equal(weft_wait(popen, WEFT_FOREVER), 0);
    assert_int_equal(weft_stream_write(weft_popen_stdin(popen), "a", 1, WEFT_FOREVER), -EPIPE);
    sigaction(SIGPIPE, &handler, NULL);
    weft_release(popen);
}

static void a_wait_drains_pipes_that_nobody_reads(void **state)
{
    (void)state;
    weft_popen *popen;
    int returncode;
    weft_bytes out;
    weft_completed completed;
    const weft_popen_options options = {.out = WEFT_PIPE, .err = WEFT_PIPE};
    assert_int_equal(weft_popen_start(&popen, ARGV("floods", "3000000"), &options), 0);
    assert_int_equal(weft_popen_wait(popen, &returncode, WEFT_FOREVER), 0);
    assert_int_equal(returncode, 0);
    assert_int_equal(weft_stream_read_all(weft_popen_stdout(popen), &out, WEFT_FOREVER), 0);
    assert_flood(out, 3000000);
    weft_free(out.data);
    assert_int_equal(weft_popen_communicate(popen, WEFT_NONE, &completed, WEFT_FOREVER), 0);
    assert_flood(completed.err, 3000000);
    weft_completed_clear(&completed);
    weft_release(popen);
}

/* ---- signals to a group, and what a drop does */

static void a_group_is_signalled_as_one(void **state)
{
    (void)state;
    int returncode;
    weft_popen *popen =
        start_ready("ready", &(weft_popen_options){.out = WEFT_DEVNULL, .new_group = true});
    assert_int_equal(weft_popen_send_signal_group(popen, SIGTERM), 0);
    assert_int_equal(weft_popen_wait(popen, &returncode, WEFT_FOREVER), 0);
    assert_int_equal(returncode, -SIGTERM);
    assert_int_equal(weft_popen_send_signal_group(popen, SIGTERM), -ESRCH);
    weft_release(popen);
    popen = start_ready("ready", NULL);
    assert_int_equal(weft_popen_send_signal_group(popen, SIGTERM), -EINVAL);
    weft_popen_kill(popen);
    assert_int_equal(weft_wait(popen, WEFT_FOREVER), 0);
    weft_release(popen);
}

/* Reads the end of a pipe that only the child holds: it is gone then. */
static void drop_and_see_the_end(const char *what, weft_popen_options options)
{
    int fds[2];
    char bytes[8];
    assert_int_equal(pipe(fds), 0);
    options.out = fds[1];
    weft_popen *popen = start_ready(what, &options);
    close(fds[1]);
    weft_release(popen);
    assert_int_equal(read(fds[0], bytes, sizeof bytes), 5);
    assert_int_equal(read(fds[0], bytes, sizeof bytes), 0);
    close(fds[0]);
    await_no_children();
}

static void a_dropped_child_is_killed_if_that_is_asked(void **state)
{
    (void)state;
    drop_and_see_the_end("ready", (weft_popen_options){.on_drop = WEFT_ON_DROP_KILL});
    drop_and_see_the_end("ready", (weft_popen_options){.on_drop = WEFT_ON_DROP_TERMINATE});
}

static void a_leader_that_has_left_its_group_is_killed_as_well(void **state)
{
    (void)state;
    drop_and_see_the_end("desert",
                         (weft_popen_options){.new_group = true, .on_drop = WEFT_ON_DROP_KILL});
}

static void a_dropped_child_is_reaped_by_the_next_start(void **state)
{
    (void)state;
    weft_popen *popen;
    siginfo_t info;
    popen = start_ready("ready", NULL);
    id_t pid = (id_t)weft_popen_pid(popen);
    weft_release(popen);
    kill((pid_t)pid, SIGKILL);
    assert_int_equal(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0); /* a zombie */
    assert_int_equal(weft_popen_start(&popen, ARGV("exit", "0"), NULL), 0);
    assert_int_equal(waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT), -1);
    assert_int_equal(weft_wait(popen, WEFT_FOREVER), 0);
    weft_release(popen);
}

static void thousands_released_leave_nothing(void **state)
{
    (void)state;
    enum { CHILDREN = 1000 };
    int returncode;
    weft_popen *popen;
    weft_gate gate = open_gate();
    for (int i = 0; i < CHILDREN; i++) {
        const weft_popen_options options = {.pass_fds = &gate.write_fd, .pass_fds_count = 1};
        assert_int_equal(weft_popen_start(&popen, ARGV("exit", "0"), &options), 0);
        weft_release(popen);
    }
    await_gate(&gate);
    assert_int_equal(weft_popen_start(&popen, ARGV("exit", "0"), NULL), 0);
    assert_int_equal(weft_popen_wait(popen, &returncode, WEFT_FOREVER), 0);
    weft_release(popen);
    await_no_children();
}

/* ---- beside a host, and many at once */

static volatile sig_atomic_t host_signals;

static void on_sigchld(int signum)
{
    (void)signum;
    host_signals = 1;
}

static void the_hosts_handler_and_children_are_its_own(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_sigchld}, before, now;
    sigaction(SIGCHLD, &action, &before);
    for (int i = 0; i < 50; i++) {
        weft_popen *popen;
        int returncode, status;
        pid_t pid = fork();
        if (pid == 0)
            _exit(3);
        assert_int_equal(weft_popen_start(&popen, ARGV("exit", "4"), NULL), 0);
        assert_int_equal(weft_popen_wait(popen, &returncode, WEFT_FOREVER), 0);
        assert_int_equal(returncode, 4);
        weft_release(popen);
        while (waitpid(pid, &status, 0) < 0)
            assert_int_equal(errno, EINTR);
        assert_int_equal(WEXITSTATUS(status), 3);
    }
    sigaction(SIGCHLD, NULL, &now);
    assert_true(now.sa_handler == on_sigchld);
    assert_int_equal(host_signals, 1);
    sigaction(SIGCHLD, &before, NULL);
}

static void a_host_that_ignores_sigchld_still_sees_the_end(void **state)
{
    (void)state;
    weft_popen *popen;
    int returncode = 99;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGCHLD, &ignore, &before);
    int started = weft_popen_start(&popen, ARGV("exit", "5"), NULL);
    int r = weft_popen_wait(popen, &returncode, WEFT_FOREVER);
    sigaction(SIGCHLD, &before, NULL);
    assert_int_equal(started, 0);
    if (r == 0)
        assert_int_equal(returncode, 5);
    else
        assert_int_equal(r, WEFT_ESTATUS_LOST);
    weft_release(popen);
}

static _Atomic bool starting, forked;

/* In the fork that is a start's, whose report is awaited: leaves the other time for its own. */
static void before_fork(void)
{
    const struct timespec a_little = {.tv_nsec = 1000000};
    if (!starting)
        return;
    starting = false;
    for (int i = 0; i < 100 && !forked; i++)
        nanosleep(&a_little, NULL);
}

/* Of the host's, with no program behind it, until the gate's writing end is closed. */
static void *fork_meanwhile(void *arg)
{
    weft_gate *gate = arg;
    char byte;
    while (starting)
        sched_yield();
    pid_t pid = fork();
    if (pid == 0) {
        close(gate->write_fd);
        _exit((int)read(gate->read_fd, &byte, 1));
    }
    forked = true;
    return (void *)(intptr_t)pid;
}

static void a_copy_of_the_process_holds_up_no_start(void **state)
{
    (void)state;
    int code = 0, status = 99;
    weft_popen *popen;
    pthread_t thread;
    void *pid;
    weft_gate gate = open_gate();
    const weft_popen_options options = {.hook = failing_hook, .hook_arg = &code};
    assert_int_equal(weft_popen_start(&popen, ARGV("exit", "0"), &options), 0);
    assert_int_equal(weft_wait(popen, WEFT_FOREVER), 0);
    weft_release(popen);
    assert_int_equal(pthread_atfork(before_fork, NULL, NULL), 0); /* runs before the library's */
    starting = true;
    assert_int_equal(pthread_create(&thread, NULL, fork_meanwhile, &gate), 0);
    assert_int_equal(weft_popen_start(&popen, ARGV("exit", "0"), &options), 0);
    assert_int_equal(weft_wait(popen, WEFT_FOREVER), 0);
    weft_release(popen);
    pthread_join(thread, &pid);
    close(gate.write_fd);
    assert_int_equal(waitpid((pid_t)(intptr_t)pid, &status, 0), (pid_t)(intptr_t)pid);
    assert_int_equal(status, 0);
    close(gate.read_fd);
}

#ifdef WEFT_TORTURE
enum { THREADS = 16, SPAWNS = 625 };
#else
enum { THREADS = 16, SPAWNS = 10 };
#endif

static void *spawn_many(void *arg)
{
    int *wrong = arg;
    for (int i = 0; i < SPAWNS; i++) {
        weft_completed completed;
        int r = weft_subprocess_run(
            &completed, ARGV("fds"),
            &(weft_subprocess_options){.out = WEFT_PIPE, .input = "x", .input_size = 1});
        if (r < 0 || completed.returncode != 0 || completed.out.data == NULL ||
            strcmp(completed.out.data, "0 1 2 ") != 0)
            ++*wrong;
        weft_completed_clear(&completed);
    }
    return NULL;
}

static void children_started_at_once_do_not_inherit_from_each_other(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int wrong[THREADS] = {0}, sum = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, spawn_many, &wrong[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += wrong[i];
    }
    assert_int_equal(sum, 0);
}

static void a_forked_copy_does_not_own_the_child(void **state)
{
    (void)state;
    weft_popen *popen = start_ready(
        "ready", &(weft_popen_options){.out = WEFT_DEVNULL, .on_drop = WEFT_ON_DROP_KILL});
    int status, returncode;
    pid_t pid = fork();
    if (pid == 0) {
        int r = weft_popen_kill(popen);
        weft_release(popen);
        _exit(r == WEFT_EFORKED ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(weft_popen_poll(popen, &returncode), 0);
    weft_popen_kill(popen);
    assert_int_equal(weft_wait(popen, WEFT_FOREVER), 0);
    weft_release(popen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(a_program_that_is_not_there_is_an_error_of_the_start),
        weft_test(a_directory_that_is_not_there_is_named),
        weft_test(a_failing_hook_ends_the_start),
        weft_test(options_that_exclude_each_other_are_refused),
        weft_test(nobody_need_take_the_handle),
        weft_test(the_returncode_is_the_exit_status_or_minus_the_signal),
        weft_test(a_running_child_can_be_looked_at_and_signalled),
        weft_test(an_ended_child_is_never_signalled),
        weft_test(cancel_asks_it_to_end),
        weft_test(several_children_are_waited_for_in_the_order_of_their_ends),
        weft_test(it_has_its_own_directory_environment_and_mask),
        weft_test(the_path_is_that_of_the_childs_environment),
        weft_test(it_inherits_no_descriptor_but_what_is_passed),
        weft_test(a_closed_descriptor_is_not_passed),
        weft_test(stderr_goes_where_stdout_goes_also_if_that_is_closed),
        weft_test(its_streams_can_go_to_any_descriptor),
        weft_test(a_stream_moves_into_the_next_child),
        weft_test(a_stream_that_was_not_moved_is_drained_as_before),
        weft_test(lines_go_to_a_child_and_come_back),
        weft_test(writing_to_a_dead_child_is_an_error_and_no_signal),
        weft_test(a_wait_drains_pipes_that_nobody_reads),
        weft_test(a_group_is_signalled_as_one),
        weft_test(a_dropped_child_is_killed_if_that_is_asked),
        weft_test(a_leader_that_has_left_its_group_is_killed_as_well),
        weft_test(a_dropped_child_is_reaped_by_the_next_start),
        weft_test(thousands_released_leave_nothing),
        weft_test(the_hosts_handler_and_children_are_its_own),
        weft_test(a_host_that_ignores_sigchld_still_sees_the_end),
        weft_test(a_copy_of_the_process_holds_up_no_start),
        weft_test(children_started_at_once_do_not_inherit_from_each_other),
        weft_test(a_forked_copy_does_not_own_the_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
