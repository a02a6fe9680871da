/* SPDX-License-Identifier: MIT */
/* The lines of a child, from both of its outputs, as they come. */
#include <stdio.h>

#include "subprocess_support.h"
#include "support/places.h"

static weft_popen *start_obedient(struct recorder *recorder)
{
    weft_popen *popen;
    const weft_popen_options options = {.in = WEFT_PIPE, .out = WEFT_PIPE, .err = WEFT_PIPE};
    RECORD_INT(recorder, weft_popen_start(&popen, ARGV("obey"), &options), 0);
    return popen;
}

static void tell(struct recorder *recorder, weft_popen *popen, const char *text)
{
    RECORD_INT(recorder,
               weft_stream_write(weft_popen_stdin(popen), text, strlen(text), WEFT_FOREVER), 0);
}

static void expect(struct recorder *recorder, weft_popen *popen, int wanted, const char *text)
{
    const char *line = NULL;
    int fd = 0;
    RECORD_INT(recorder, weft_popen_readline(popen, &fd, &line, WEFT_FOREVER), (int)strlen(text));
    RECORD_INT(recorder, fd, wanted);
    RECORD(recorder, line != NULL && strcmp(line, text) == 0);
}

static int come_in_order(void *arg)
{
    struct recorder *recorder = arg;
    const char *line;
    int fd = 7;
    weft_popen *popen = start_obedient(recorder);
    RECORD_INT(recorder, weft_popen_readline(popen, &fd, &line, WEFT_NOWAIT), -ETIMEDOUT);
    RECORD_INT(recorder, fd, 7);
    for (int i = 0; i < 20; i++) {
        tell(recorder, popen, i % 3 == 0 ? "e wrong\n" : "o right\n");
        expect(recorder, popen, i % 3 == 0 ? 2 : 1, i % 3 == 0 ? "wrong\n" : "right\n");
    }
    RECORD_INT(recorder, weft_popen_readline(popen, &fd, &line, 0.001), -ETIMEDOUT);
    tell(recorder, popen, "o one\no two\no three\ne last");
    RECORD_INT(recorder, weft_stream_close(weft_popen_stdin(popen)), 0);
    RECORD_INT(recorder, weft_popen_wait(popen, NULL, WEFT_FOREVER), 0);
    /* all is there: by turns */
    expect(recorder, popen, 2, "last");
    expect(recorder, popen, 1, "one\n");
    expect(recorder, popen, 1, "two\n");
    expect(recorder, popen, 1, "three\n");
    RECORD_INT(recorder, weft_popen_readline(popen, &fd, &line, WEFT_FOREVER), 0);
    RECORD_INT(recorder, weft_popen_readline(popen, &fd, &line, WEFT_NOWAIT), 0);
    weft_release(popen);
    return 0;
}

static void lines_of_both_outputs_come_as_they_are_written(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    in_each_place(come_in_order, &recorder);
    recorder_assert(&recorder);
}

/* Neither output starves the other, and nothing is lost, whatever the pipes' sizes. */
static int come_by_turns(void *arg)
{
    struct recorder *recorder = arg;
    enum { SIZE = 500000 };
    weft_popen *popen;
    size_t sizes[3] = {0};
    int fd, n;
    const char *line;
    const weft_popen_options options = {.out = WEFT_PIPE, .err = WEFT_PIPE};
    char text[64];
    (void)snprintf(text, sizeof text, "yes out | head -c %d & yes err | head -c %d >&2; wait", SIZE,
                   SIZE);
    RECORD_INT(recorder, weft_popen_shell(&popen, text, &options), 0);
    while ((n = weft_popen_readline(popen, &fd, &line, WEFT_FOREVER)) > 0) {
        if (n != 4 || strcmp(line, fd == 1 ? "out\n" : "err\n") != 0)
            RECORD_INT(recorder, n, 4);
        sizes[fd] += (size_t)n;
    }
    RECORD_INT(recorder, n, 0);
    RECORD_INT(recorder, (int)sizes[1], SIZE);
    RECORD_INT(recorder, (int)sizes[2], SIZE);
    RECORD_INT(recorder, weft_popen_wait(popen, NULL, WEFT_FOREVER), 0);
    weft_release(popen);
    return 0;
}

static void floods_of_lines_come_from_both(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    in_each_place(come_by_turns, &recorder);
    recorder_assert(&recorder);
}

static void one_output_will_do_and_none_is_refused(void **state)
{
    (void)state;
    weft_popen *popen;
    const char *line;
    assert_int_equal(weft_popen_start(&popen, ARGV("say", "a", "b"),
                                      &(weft_popen_options){.out = WEFT_DEVNULL, .err = WEFT_PIPE}),
                     0);
    assert_int_equal(weft_popen_readline(popen, NULL, NULL, WEFT_FOREVER), -EINVAL);
    assert_int_equal(weft_popen_readline(popen, NULL, &line, WEFT_FOREVER), 1);
    assert_string_equal(line, "b");
    assert_int_equal(weft_popen_readline(popen, NULL, &line, WEFT_FOREVER), 0);
    assert_int_equal(weft_stream_close(weft_popen_stderr(popen)), 0);
    assert_int_equal(weft_popen_readline(popen, NULL, &line, WEFT_FOREVER), -EBADF);
    assert_int_equal(weft_wait(popen, WEFT_FOREVER), 0);
    weft_release(popen);
    assert_int_equal(weft_popen_start(&popen, ARGV("exit", "0"), NULL), 0);
    assert_int_equal(weft_popen_readline(popen, NULL, &line, WEFT_FOREVER), -EINVAL);
    assert_int_equal(weft_wait(popen, WEFT_FOREVER), 0);
    weft_release(popen);
}

static void a_line_beyond_the_limit_is_dropped(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    const char *line;
    weft_popen *popen = start_obedient(&recorder);
    assert_int_equal(weft_stream_set_limit(weft_popen_stdout(popen), 4), 0);
    tell(&recorder, popen, "o too long\no ok\n");
    assert_int_equal(weft_popen_readline(popen, NULL, &line, WEFT_FOREVER), WEFT_ELIMIT_OVERRUN);
    int r = weft_popen_readline(popen, NULL, &line, WEFT_FOREVER);
    if (r == WEFT_ELIMIT_OVERRUN) /* the rest of it came later */
        r = weft_popen_readline(popen, NULL, &line, WEFT_FOREVER);
    assert_int_equal(r, 3);
    assert_string_equal(line, "ok\n");
    weft_stream_close(weft_popen_stdin(popen));
    assert_int_equal(weft_wait(popen, WEFT_FOREVER), 0);
    weft_release(popen);
    recorder_assert(&recorder);
}

/* ---- a reader that is cancelled, or whose stream is closed */

static int read_one(void *arg)
{
    const char *line;
    return weft_popen_readline(*(weft_popen **)arg, NULL, &line, WEFT_FOREVER);
}

static int cancel_reader(void *arg)
{
    weft_task *task;
    int r = weft_task_start(&task, read_one, arg, sizeof(weft_popen *), NULL);
    if (r == 0)
        r = weft_sleep(0);
    weft_cancel(task);
    r = weft_result(task, WEFT_NONE, WEFT_FOREVER);
    weft_release(task);
    return r;
}

static int close_under_reader(void *arg)
{
    weft_task *task;
    weft_popen *popen = *(weft_popen **)arg;
    int r = weft_task_start(&task, read_one, arg, sizeof(weft_popen *), NULL);
    if (r == 0)
        r = weft_sleep(0);
    weft_stream_close(weft_popen_stdout(popen));
    r = weft_result(task, WEFT_NONE, WEFT_FOREVER);
    weft_release(task);
    return r;
}

static void a_waiting_reader_can_be_cancelled_and_sees_a_close(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    weft_popen *popen = start_obedient(&recorder);
    assert_int_equal(weft_run(cancel_reader, WEFT_ARG(popen), NULL), -ECANCELED);
    tell(&recorder, popen, "o still there\n");
    expect(&recorder, popen, 1, "still there\n");
    assert_int_equal(weft_run(close_under_reader, WEFT_ARG(popen), NULL), -EBADF);
    weft_stream_close(weft_popen_stdin(popen));
    assert_int_equal(weft_wait(popen, WEFT_FOREVER), 0);
    weft_release(popen);
    recorder_assert(&recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(lines_of_both_outputs_come_as_they_are_written),
        weft_test(floods_of_lines_come_from_both),
        weft_test(one_output_will_do_and_none_is_refused),
        weft_test(a_line_beyond_the_limit_is_dropped),
        weft_test(a_waiting_reader_can_be_cancelled_and_sees_a_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
