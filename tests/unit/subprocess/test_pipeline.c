/* SPDX-License-Identifier: MIT */
/* Several commands in a row, in threads and in coroutines. */
#include <stdio.h>
#include <sys/resource.h>

#include "subprocess_support.h"
#include "support/places.h"

#define COMMAND(...)                                                                               \
    {                                                                                              \
        .argv = ARGV(__VA_ARGS__)                                                                  \
    }
#define SHELL(text)                                                                                \
    {                                                                                              \
        .argv = (const char *const[])                                                              \
        {                                                                                          \
            "/bin/sh", "-c", text, NULL                                                            \
        }                                                                                          \
    }

static bool is(weft_bytes bytes, const char *text)
{
    return bytes.data != NULL && bytes.size == strlen(text) &&
           memcmp(bytes.data, text, bytes.size + 1) == 0;
}

/* ---- What it tells ----------------------------------------------------------------------------
 */

static int tells_output_and_statuses(void *arg)
{
    struct recorder *recorder = arg;
    weft_pipeline pipeline;
    const weft_pipeline_command commands[] = {
        SHELL("tr a-z A-Z; echo first >&2; exit 3"),
        SHELL("cat; echo second >&2"),
        SHELL("sed s/B/x/; echo third >&2"),
    };
    const weft_pipeline_options options = {
        .capture_output = true, .input = "abc\n", .input_size = 4};
    RECORD_INT(recorder, weft_pipeline_run(&pipeline, commands, 3, &options), 0);
    RECORD(recorder, is(pipeline.out, "AxC\n"));
    RECORD_INT(recorder, pipeline.returncode, 3);
    RECORD_INT(recorder, (int)pipeline.count, 3);
    static const int returncodes[] = {3, 0, 0};
    static const char *const errors[] = {"first\n", "second\n", "third\n"};
    for (size_t i = 0; i < pipeline.count && i < 3; i++) {
        RECORD_INT(recorder, pipeline.completed[i].returncode, returncodes[i]);
        RECORD(recorder, is(pipeline.completed[i].err, errors[i]));
        RECORD(recorder, pipeline.completed[i].out.data == NULL);
    }
    RECORD(recorder,
           strcmp(pipeline.completed[1].command, "/bin/sh -c 'cat; echo second >&2'") == 0);
    weft_pipeline_clear(&pipeline);
    RECORD(recorder, pipeline.out.data == NULL && pipeline.completed == NULL);
    return 0;
}

static void output_and_each_status_are_told(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    in_each_place(tells_output_and_statuses, &recorder);
    recorder_assert(&recorder);
    weft_pipeline_clear(NULL);
}

static void the_last_that_fails_is_the_status_of_all(void **state)
{
    (void)state;
    weft_pipeline pipeline;
    const weft_pipeline_command commands[] = {COMMAND("exit", "1"), COMMAND("exit", "2"),
                                              COMMAND("exit", "0")};
    assert_int_equal(weft_pipeline_run(&pipeline, commands, 3, NULL), 0);
    assert_int_equal(pipeline.returncode, 2);
    assert_null(pipeline.out.data);
    assert_null(pipeline.completed[0].err.data);
    weft_pipeline_clear(&pipeline);

    const weft_pipeline_options check = {.check = true};
    assert_int_equal(weft_pipeline_run(&pipeline, commands, 3, &check), WEFT_ECALLED_PROCESS);
    assert_non_null(strstr(weft_error_message(), "exit 2' returned non-zero exit status 2"));
    assert_int_equal(pipeline.completed[0].returncode, 1);
    weft_pipeline_clear(&pipeline);
    assert_int_equal(weft_pipeline_run(NULL, commands, 3, &check), WEFT_ECALLED_PROCESS);
    assert_int_equal(weft_pipeline_run(NULL, &commands[2], 1, &check), 0);
}

static void stderr_goes_where_it_is_told(void **state)
{
    (void)state;
    weft_pipeline pipeline;
    const weft_popen_options quiet = {.err = WEFT_DEVNULL};
    const weft_pipeline_command commands[] = {
        SHELL("echo one >&2"),
        {.argv = (const char *const[]){"/bin/sh", "-c", "cat; echo two >&2", NULL},
         .popen = &quiet},
        COMMAND("cat"),
    };
    const weft_pipeline_options merged = {.out = WEFT_PIPE, .err = WEFT_STDOUT};
    assert_int_equal(weft_pipeline_run(&pipeline, commands, 3, &merged), 0);
    assert_output(pipeline.out, "one\n");
    weft_pipeline_clear(&pipeline);
    const weft_pipeline_options captured = {.capture_output = true};
    assert_int_equal(weft_pipeline_run(&pipeline, commands, 3, &captured), 0);
    assert_output(pipeline.out, "");
    assert_output(pipeline.completed[0].err, "one\n");
    assert_null(pipeline.completed[1].err.data);
    weft_pipeline_clear(&pipeline);
}

/* ---- Pipes ------------------------------------------------------------------------------------
 */

enum { LARGE = 3 * 1000 * 1000, MANY = 12 };

static int much_goes_through(void *arg)
{
    struct recorder *recorder = arg;
    weft_pipeline pipeline;
    const weft_pipeline_command cat = COMMAND("cat");
    weft_pipeline_command commands[MANY];
    char *input = malloc(LARGE);
    memset(input, 'x', LARGE);
    for (int i = 0; i < MANY; i++)
        commands[i] = cat;
    const weft_pipeline_options options = {
        .capture_output = true, .input = input, .input_size = LARGE, .check = true};
    RECORD_INT(recorder, weft_pipeline_run(&pipeline, commands, MANY, &options), 0);
    RECORD(recorder, pipeline.out.size == LARGE && memcmp(pipeline.out.data, input, LARGE) == 0);
    weft_pipeline_clear(&pipeline);
    free(input);
    return 0;
}

static void much_goes_through_many(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    in_each_place(much_goes_through, &recorder);
    recorder_assert(&recorder);
}

static void all_flood_their_stderr_at_once(void **state)
{
    (void)state;
    weft_pipeline pipeline;
    const weft_pipeline_command commands[] = {COMMAND("floods", "1000000"),
                                              SHELL("tee /dev/stderr"), SHELL("tee /dev/stderr")};
    const weft_pipeline_options options = {.capture_output = true, .check = true};
    assert_int_equal(weft_pipeline_run(&pipeline, commands, 3, &options), 0);
    assert_flood(pipeline.out, 1000000);
    for (int i = 0; i < 3; i++)
        assert_flood(pipeline.completed[i].err, 1000000);
    weft_pipeline_clear(&pipeline);
}

static void each_has_its_own_ends_alone(void **state)
{
    (void)state;
    weft_pipeline pipeline;
    const weft_pipeline_command commands[] = {COMMAND("fds"), SHELL("cat; exec " TARGET " fds"),
                                              SHELL("cat; exec " TARGET " fds")};
    const weft_pipeline_options options = {.in = WEFT_DEVNULL, .capture_output = true};
    assert_int_equal(weft_pipeline_run(NULL, commands, 3, &options), 0); /* waits open one, once */
    int before = count_fds();
    assert_int_equal(weft_pipeline_run(&pipeline, commands, 3, &options), 0);
    assert_output(pipeline.out, "0 1 2 0 1 2 0 1 2 ");
    weft_pipeline_clear(&pipeline);
    assert_int_equal(count_fds(), before);
}

static void a_reader_that_leaves_ends_its_writer(void **state)
{
    (void)state;
    weft_pipeline pipeline;
    const weft_pipeline_command commands[] = {COMMAND("flood", "1000000000000"), COMMAND("cat"),
                                              COMMAND("gulp", "10")};
    assert_int_equal(weft_pipeline_run(&pipeline, commands, 3, NULL), 0);
    assert_int_equal(pipeline.completed[0].returncode, -SIGPIPE);
    assert_int_equal(pipeline.completed[2].returncode, 0);
    assert_int_not_equal(pipeline.returncode, 0);
    weft_pipeline_clear(&pipeline);
}

static void input_need_not_be_read(void **state)
{
    (void)state;
    char *input = calloc(1, LARGE);
    const weft_pipeline_command commands[] = {COMMAND("gulp", "1"), COMMAND("cat")};
    const weft_pipeline_options options = {.input = input, .input_size = LARGE, .check = true};
    assert_int_equal(weft_pipeline_run(NULL, commands, 2, &options), 0);
    free(input);
}

/* ---- Failures ---------------------------------------------------------------------------------
 */

static void one_that_cannot_be_started_ends_the_others(void **state)
{
    (void)state;
    weft_pipeline pipeline;
    const weft_pipeline_command commands[] = {
        COMMAND("ready", "9"), {.argv = (const char *const[]){"nosuch", NULL}}, COMMAND("cat")};
    const weft_pipeline_options options = {.capture_output = true};
    assert_int_equal(weft_pipeline_run(&pipeline, commands, 3, &options), -ENOENT);
    assert_string_equal(weft_error_message(), "run 'nosuch': No such file or directory");
    assert_int_equal(pipeline.returncode, WEFT_NO_RETURNCODE);
    assert_int_equal(pipeline.completed[0].returncode, -SIGKILL);
    assert_int_equal(pipeline.completed[2].returncode, WEFT_NO_RETURNCODE);
    weft_pipeline_clear(&pipeline);
    assert_false(have_children());
}

static int failing_hook(void *arg)
{
    (void)arg;
    return ETIMEDOUT;
}

/* -ETIMEDOUT is also what a program on a lost server says, or a look-up of names. */
static void a_start_may_fail_as_if_the_time_were_up(void **state)
{
    (void)state;
    const weft_popen_options fails = {.hook = failing_hook};
    const weft_pipeline_command first[] = {{.argv = ARGV("cat"), .popen = &fails}, COMMAND("cat")};
    const weft_pipeline_command second[] = {COMMAND("ready", "9"),
                                            {.argv = ARGV("cat"), .popen = &fails}};
    const weft_pipeline_options options = {.in = WEFT_DEVNULL};
    assert_int_equal(weft_pipeline_run(NULL, first, 2, &options), -ETIMEDOUT);
    assert_non_null(strstr(weft_error_message(), "its hook failed"));
    assert_int_equal(weft_pipeline_run(NULL, second, 2, &options), -ETIMEDOUT);
    assert_non_null(strstr(weft_error_message(), "its hook failed"));
    assert_false(have_children());
}

static void what_contradicts_itself_is_refused(void **state)
{
    (void)state;
    weft_pipeline pipeline;
    const weft_popen_options out = {.out = WEFT_PIPE}, in = {.in = WEFT_DEVNULL};
    const weft_pipeline_command plain[] = {COMMAND("cat"), COMMAND("cat")};
    const weft_pipeline_command wrong[][2] = {
        {{.argv = ARGV("cat"), .popen = &out}, COMMAND("cat")},
        {COMMAND("cat"), {.argv = ARGV("cat"), .popen = &in}},
        {COMMAND("cat"), {.argv = NULL}},
    };
    const weft_pipeline_options options[] = {
        {.input = "", .in = WEFT_DEVNULL},
        {.input = NULL, .input_size = 1},
        {.capture_output = true, .out = WEFT_DEVNULL},
        {.capture_output = true, .err = WEFT_STDOUT},
        {.timeout = -1 / 0.0 + 1 / 0.0},
    };
    const weft_pipeline_options quiet = {.in = WEFT_DEVNULL};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(weft_pipeline_run(&pipeline, wrong[i], 2, &quiet), -EINVAL);
        weft_pipeline_clear(&pipeline);
    }
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        assert_int_equal(weft_pipeline_run(&pipeline, plain, 2, &options[i]), -EINVAL);
        weft_pipeline_clear(&pipeline);
    }
    assert_int_equal(weft_pipeline_run(&pipeline, plain, 0, NULL), -EINVAL);
    assert_int_equal(weft_pipeline_run(&pipeline, NULL, 2, NULL), -EINVAL);
    assert_false(have_children());
}

static void time_up_ends_all_with_what_came(void **state)
{
    (void)state;
    weft_pipeline pipeline;
    const weft_pipeline_command commands[] = {COMMAND("ready", "9"), COMMAND("cat"),
                                              COMMAND("cat")};
    const weft_pipeline_options options = {.out = WEFT_PIPE, .timeout = 0.2};
    assert_int_equal(weft_pipeline_run(&pipeline, commands, 3, &options), -ETIMEDOUT);
    assert_non_null(strstr(weft_error_message(), "timed out after 0.2 seconds"));
    for (int i = 0; i < 3; i++)
        assert_int_equal(pipeline.completed[i].returncode, -SIGKILL);
    assert_int_equal(strncmp("ready", pipeline.out.data, pipeline.out.size), 0);
    weft_pipeline_clear(&pipeline);
    assert_false(have_children());

    const weft_pipeline_command loud[] = {COMMAND("flood", "1000000000000"), COMMAND("cat")};
    assert_int_equal(weft_pipeline_run(NULL, loud, 2, &options), -ETIMEDOUT);
    assert_false(have_children());
}

typedef struct weft_endless {
    double grace;
    const char *first; /* what the first command does */
    int returncodes[3];
} weft_endless;

static int run_for_ever(void *arg)
{
    weft_endless *self = arg;
    weft_pipeline pipeline;
    const weft_popen_options mild = {.on_drop = WEFT_ON_DROP_TERMINATE, .grace = self->grace};
    const weft_pipeline_command commands[] = {
        {.argv = ARGV(self->first, "9"), .popen = &mild},
        {.argv = ARGV("cat"), .popen = &mild},
        COMMAND("cat"),
    };
    int r = weft_pipeline_run(&pipeline, commands, 3, &(weft_pipeline_options){.out = WEFT_PIPE});
    for (int i = 0; i < 3; i++)
        self->returncodes[i] = pipeline.completed[i].returncode;
    weft_pipeline_clear(&pipeline);
    return r;
}

static int cancel_it(void *arg)
{
    weft_task *task;
    int r = weft_task_start(&task, run_for_ever, WEFT_POINTER(arg), NULL);
    if (r == 0)
        r = weft_sleep(0.2);
    weft_cancel(task);
    r = weft_result(task, WEFT_NONE, WEFT_FOREVER);
    weft_release(task);
    return r;
}

static void a_cancel_ends_each_by_its_policy(void **state)
{
    (void)state;
    weft_endless self = {.grace = 1000, .first = "ready"};
    assert_int_equal(weft_run(cancel_it, WEFT_POINTER(&self), NULL), -ECANCELED);
    assert_int_equal(self.returncodes[0], -SIGTERM);
    assert_int_equal(self.returncodes[1], -SIGTERM);
    assert_int_equal(self.returncodes[2], -SIGKILL);
    assert_false(have_children());
}

static void after_its_grace_a_command_is_killed(void **state)
{
    (void)state;
    weft_endless self = {.grace = 0.05, .first = "ignore"};
    assert_int_equal(weft_run(cancel_it, WEFT_POINTER(&self), NULL), -ECANCELED);
    /* on a slow machine it may not ignore the signal yet */
    assert_true(self.returncodes[0] == -SIGKILL || self.returncodes[0] == -SIGTERM);
    assert_false(have_children());
}

/* Each number of descriptors that is too small, until one is enough. */
static void too_few_descriptors_are_an_error_that_leaves_nothing(void **state)
{
    (void)state;
    const weft_pipeline_command commands[] = {COMMAND("exit", "0"), COMMAND("cat"), COMMAND("cat")};
    const weft_pipeline_options options = {.capture_output = true, .in = WEFT_DEVNULL};
    struct rlimit before, limit;
    if (!descriptors_can_be_limited())
        skip();
    assert_int_equal(weft_pipeline_run(NULL, commands, 3, &options), 0);
    sleep_for_one();
    int r = -EMFILE, failures = 0, fds = count_fds();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    for (rlim_t n = 4; r != 0 && n < 200; n++) {
        limit.rlim_cur = n;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        r = weft_pipeline_run(NULL, commands, 3, &options);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        if (r != 0)
            assert_int_equal(r, -EMFILE);
        failures += r != 0;
        assert_int_equal(count_fds(), fds);
        assert_false(have_children());
    }
    assert_int_equal(r, 0);
    assert_true(failures > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(output_and_each_status_are_told),
        weft_test(the_last_that_fails_is_the_status_of_all),
        weft_test(stderr_goes_where_it_is_told),
        weft_test(much_goes_through_many),
        weft_test(all_flood_their_stderr_at_once),
        weft_test(each_has_its_own_ends_alone),
        weft_test(a_reader_that_leaves_ends_its_writer),
        weft_test(input_need_not_be_read),
        weft_test(one_that_cannot_be_started_ends_the_others),
        weft_test(a_start_may_fail_as_if_the_time_were_up),
        weft_test(what_contradicts_itself_is_refused),
        weft_test(time_up_ends_all_with_what_came),
        weft_test(a_cancel_ends_each_by_its_policy),
        weft_test(after_its_grace_a_command_is_killed),
        weft_test(too_few_descriptors_are_an_error_that_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
