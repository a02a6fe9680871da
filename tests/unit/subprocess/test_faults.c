/* SPDX-License-Identifier: MIT */
/* Each allocation made to fail, once and from then on: a code, no leak, no child, no descriptor. */
#include <stdio.h>
#include <sys/resource.h>

#include "subprocess_support.h"
#include "support/support.h"

/* The n-th allocation from now fails, and (`for_good`) all after it. */
typedef struct fault_allocator {
    long countdown; /* 0: none fails */
    bool for_good, failed;
    long blocks;
} fault_allocator;

static fault_allocator counted;

static void *counting_realloc(void *memory, size_t size, void *arg)
{
    fault_allocator *self = arg;
    if (self->countdown > 0 && --self->countdown == 0) {
        self->failed = true;
        self->countdown = self->for_good ? 1 : 0;
        return NULL;
    }
    void *block = realloc(memory, size);
    self->blocks += block != NULL && memory == NULL;
    return block;
}

static void counting_free(void *memory, void *arg)
{
    ((fault_allocator *)arg)->blocks--;
    free(memory);
}

/* Runs `operation` with the 1st, 2nd, ... allocation failing until none does. */
static void fail_each_allocation(int (*operation)(void), bool for_good)
{
    for (long n = 1;; n++) {
        counted = (fault_allocator){.for_good = for_good, .blocks = counted.blocks};
        long blocks = counted.blocks;
        int fds = count_fds();
        counted.countdown = n;
        int r = operation();
        bool failed = counted.failed;
        counted.countdown = 0;
        assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
        if (counted.blocks != blocks || count_fds() != fds || have_children())
            fail_msg("allocation %ld%s: %ld blocks, %d descriptors more, children: %d", n,
                     for_good ? " and all after it" : "", counted.blocks - blocks,
                     count_fds() - fds, have_children());
        if (!failed) {
            assert_int_equal(r, 0);
            return;
        }
        if (r != 0) /* some can be done without */
            assert_int_equal(r, -ENOMEM);
    }
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
    fail_each_allocation(talk_to_a_terminal, false);
    fail_each_allocation(talk_to_a_terminal, true);
}

static void a_captured_run_survives_failing_memory(void **state)
{
    (void)state;
    fail_each_allocation(run_captured, false);
    fail_each_allocation(run_captured, true);
}

static void a_run_with_input_survives_failing_memory(void **state)
{
    (void)state;
    fail_each_allocation(run_with_input, false);
    fail_each_allocation(run_with_input, true);
}

static void reading_lines_survives_failing_memory(void **state)
{
    (void)state;
    fail_each_allocation(read_lines, false);
    fail_each_allocation(read_lines, true);
}

static void a_repeated_communicate_survives_failing_memory(void **state)
{
    (void)state;
    fail_each_allocation(communicate_twice, false);
    fail_each_allocation(communicate_twice, true);
}

int main(void)
{
    const weft_allocator allocator = {counting_realloc, counting_free, &counted, {NULL}};
    if (weft_set_allocator(&allocator) != 0)
        return 1;
    const struct CMUnitTest tests[] = {
        weft_test(a_captured_run_survives_failing_memory),
        weft_test(a_run_with_input_survives_failing_memory),
        weft_test(reading_lines_survives_failing_memory),
        weft_test(a_repeated_communicate_survives_failing_memory),
        weft_test(a_terminal_survives_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
