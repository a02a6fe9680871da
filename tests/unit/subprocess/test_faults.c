/* SPDX-License-Identifier: MIT */
/* Each allocation made to fail, once and from then on: a code, no leak, no child, no descriptor. */
#include <stdio.h>
#include <sys/resource.h>

#include "subprocess_support.h"
#include "support/support.h"

/* Runs `operation` with the 1st, 2nd, ... allocation failing until none does. */
static void fail_each_allocation(int (*operation)(void), enum allocator_mode mode)
{
    for (size_t n = 1;; n++) {
        size_t blocks = allocator_blocks();
        int fds = count_fds();
        allocator_fail(n, mode);
        int r = operation();
        bool failed = allocator_failed();
        allocator_relent();
        assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
        if (allocator_blocks() != blocks || count_fds() != fds || have_children())
            fail_msg("allocation %zu%s: %zu blocks were %zu, %d descriptors more, children: %d", n,
                     mode == ALLOCATOR_ONWARDS ? " and all after it" : "", allocator_blocks(),
                     blocks, count_fds() - fds, have_children());
        if (!failed) {
            assert_true(n > 5);
            assert_int_equal(r, 0);
            return;
        }
        if (r != 0) /* some can be done without */
            assert_int_equal(r, -ENOMEM);
    }
}

static void in_both_modes(int (*operation)(void))
{
    fail_each_allocation(operation, ALLOCATOR_ONCE);
    fail_each_allocation(operation, ALLOCATOR_ONWARDS);
}

static int run_captured(void)
{
    weft_completed completed;
    const weft_subprocess_options options = {.capture_output = true, .check = true};
    int r = weft_subprocess_run(&completed, ARGV("floods", "30000"), &options);
    if (r == 0 && (completed.out.size != 30000 || completed.err.size != 30000))
        r = WEFT_EUSER;
    weft_completed_clear(&completed);
    return r;
}

static int run_with_input(void)
{
    weft_completed completed;
    const weft_subprocess_options options = {.input = "a\nb\n", .input_size = 4, .out = WEFT_PIPE};
    int r = weft_subprocess_run(&completed, ARGV("cat"), &options);
    if (r == 0 && completed.out.size != 4)
        r = WEFT_EUSER;
    weft_completed_clear(&completed);
    return r;
}

static int read_lines(void)
{
    weft_popen *popen;
    const char *line;
    int zero = 0;
    const char *const env[] = {"PATH=/bin", NULL};
    const weft_popen_options options = {.name = "reader",
                                        .out = WEFT_PIPE,
                                        .env = env,
                                        .pass_fds = &zero,
                                        .pass_fds_count = 1,
                                        .on_drop = WEFT_ON_DROP_KILL};
    int r = weft_popen_start(&popen, ARGV("say", "one\ntwo\n"), &options);
    if (r < 0)
        return popen == NULL ? r : WEFT_EUSER;
    r = weft_stream_readline(weft_popen_stdout(popen), &line, WEFT_FOREVER);
    if (r >= 0)
        r = weft_stream_readline(weft_popen_stdout(popen), &line, WEFT_FOREVER);
    if (r >= 0)
        r = strcmp(line, "two\n") == 0 ? 0 : WEFT_EUSER;
    int waited = weft_popen_wait(popen, NULL, WEFT_FOREVER);
    weft_release(popen);
    return r < 0 ? r : waited;
}

static int communicate_twice(void)
{
    weft_popen *popen;
    weft_completed completed;
    char input[100000] = {0};
    const weft_popen_options options = {.in = WEFT_PIPE, .out = WEFT_PIPE};
    int r = weft_popen_start(&popen, ARGV("cat"), &options);
    if (r < 0)
        return r;
    r = weft_popen_communicate(popen, input, sizeof input, &completed, WEFT_NOWAIT);
    while (r == -ETIMEDOUT) {
        weft_completed_clear(&completed);
        r = weft_popen_communicate(popen, WEFT_NONE, &completed, 0.01);
    }
    if (r == 0 && completed.out.size != sizeof input)
        r = WEFT_EUSER;
    weft_completed_clear(&completed);
    if (r < 0) {
        weft_popen_kill(popen);
        weft_wait(popen, WEFT_FOREVER);
    }
    weft_release(popen);
    return r;
}

/* The child ends only when its output is moved out of the pipes. */
static int wait_without_reading(void)
{
    weft_popen *popen;
    const weft_popen_options options = {.out = WEFT_PIPE, .err = WEFT_PIPE};
    int r = weft_popen_start(&popen, ARGV("floods", "300000"), &options);
    if (r < 0)
        return r;
    r = weft_popen_wait(popen, NULL, WEFT_FOREVER);
    if (r < 0) {
        weft_popen_kill(popen);
        weft_wait(popen, WEFT_FOREVER);
    }
    weft_release(popen);
    return r;
}

/* All that is allocated for options, and a terminal. */
static int talk_to_a_terminal(void)
{
    weft_popen *popen;
    const char *line = "";
    const char *const changes[] = {"WEFT_A=b", "WEFT_B", NULL};
    const weft_limit limits[] = {{RLIMIT_CORE, 0, 0}};
    weft_popen_options options = {.env_changes = changes,
                                  .limits = limits,
                                  .limits_count = 1,
                                  .in = WEFT_PTY,
                                  .out = WEFT_PTY,
                                  .err = WEFT_PIPE,
                                  .new_session = true};
#if !defined(WEFT_PLATFORM_POSIX)
    const char *const groups[] = {NULL};
    if (geteuid() == 0)
        options.extra_groups = groups;
    options.parent_death_signal = SIGKILL;
    options.rows = 24;
    options.columns = 80;
#endif
    int fd = 0;
    int r = weft_popen_start(&popen, ARGV("tty"), &options);
    if (r < 0)
        return popen == NULL ? r : WEFT_EUSER;
    r = weft_popen_readline(popen, &fd, &line, WEFT_FOREVER);
    if (r > 0)
        r = fd == 1 && strcmp(line, "tt- own\r\n") == 0 ? 0 : WEFT_EUSER;
    int waited = weft_wait(popen, WEFT_FOREVER);
    weft_release(popen);
    return r < 0 ? r : waited;
}

static void a_terminal_survives_failing_memory(void **state)
{
    (void)state;
    in_both_modes(talk_to_a_terminal);
}

static void a_captured_run_survives_failing_memory(void **state)
{
    (void)state;
    in_both_modes(run_captured);
}

static void a_run_with_input_survives_failing_memory(void **state)
{
    (void)state;
    in_both_modes(run_with_input);
}

static void reading_lines_survives_failing_memory(void **state)
{
    (void)state;
    in_both_modes(read_lines);
}

static void a_repeated_communicate_survives_failing_memory(void **state)
{
    (void)state;
    in_both_modes(communicate_twice);
}

static void a_wait_survives_failing_memory(void **state)
{
    (void)state;
    in_both_modes(wait_without_reading);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(a_captured_run_survives_failing_memory),
        weft_test(a_run_with_input_survives_failing_memory),
        weft_test(reading_lines_survives_failing_memory),
        weft_test(a_repeated_communicate_survives_failing_memory),
        weft_test(a_wait_survives_failing_memory),
        weft_test(a_terminal_survives_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
