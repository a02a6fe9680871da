/* SPDX-License-Identifier: MIT */
/* Command lines, what a shell says, and pipelines: each allocation made to fail. */
#include <sys/wait.h>

#include "support/places.h"

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int quote_join_split(void *arg)
{
    weft_bytes quoted = {NULL, 0}, line = {NULL, 0};
    const char **argv = arg;
    int r = weft_shlex_quote("a b", &quoted);
    if (r == 0)
        r = weft_shlex_join(WORDS("a b", "c"), &line);
    if (r == 0) {
        r = weft_shlex_split(line.data, &argv);
        if (r < 0 && argv != NULL)
            r = -EIO; /* none that may come */
        weft_free(argv);
    }
    weft_free(quoted.data);
    weft_free(line.data);
    return r;
}

static int ask_a_shell(void *arg)
{
    weft_bytes output = {arg, 1};
    int r = weft_subprocess_getstatusoutput("echo a", NULL, &output, WEFT_FOREVER);
    if (r < 0)
        return output.data == arg ? r : -EIO;
    weft_free(output.data);
    return r;
}

static int run_a_pipeline(void *arg)
{
    weft_pipeline pipeline;
    const weft_popen_options named = {.name = "first"};
    const weft_pipeline_command commands[] = {
        {.argv = WORDS("cat"), .popen = &named},
        {.argv = WORDS("cat")},
        {.argv = WORDS("cat")},
        {.argv = WORDS("cat")},
        {.argv = WORDS("sh", "-c", "cat; echo e >&2")},
    };
    const weft_pipeline_options options = {
        .capture_output = true, .check = true, .input = "a\n", .input_size = 2};
    (void)arg;
    int r = weft_pipeline_run(&pipeline, commands, 5, &options);
    if (r == 0 && (pipeline.out.size != 2 || pipeline.completed[4].err.size != 2))
        r = -EIO;
    weft_pipeline_clear(&pipeline);
    return r;
}

/* Without memory a coroutine cannot wait: who was killed is then reaped later. */
static int pipeline_in_a_loop(void *arg)
{
    siginfo_t info;
    int r = weft_run(run_a_pipeline, WEFT_POINTER(arg), NULL);
    do
        weft_shutdown(WEFT_FOREVER);
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0);
    return r;
}

static void loop(int (*scenario)(void *arg))
{
    int mark = 0;
    weft_error(-EPERM, "so that there is room for a message");
    assert_true(scenario(&mark) >= 0);
    assert_true(allocator_fault_loop(scenario, &mark) > 0);
    assert_true(scenario(&mark) >= 0);
}

static void lines_survive_failing_memory(void **state)
{
    (void)state;
    loop(quote_join_split);
}

static void a_shell_survives_failing_memory(void **state)
{
    (void)state;
    loop(ask_a_shell);
}

static void a_pipeline_survives_failing_memory(void **state)
{
    (void)state;
    loop(run_a_pipeline);
    loop(pipeline_in_a_loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(lines_survive_failing_memory),
        weft_test(a_shell_survives_failing_memory),
        weft_test(a_pipeline_survives_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
