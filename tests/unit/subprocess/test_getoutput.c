/* SPDX-License-Identifier: MIT */
/* What a shell command says: both streams as one, without one newline. */
#include "subprocess_support.h"
#include "support/places.h"

static int tells(const char *command, int status, const char *text)
{
    weft_bytes output = {NULL, 0};
    int returncode = 99;
    int r = weft_subprocess_getstatusoutput(command, &returncode, &output, WEFT_FOREVER);
    if (r == 0 && (returncode != status || output.size != strlen(text) ||
                   memcmp(output.data, text, output.size + 1) != 0))
        r = -EIO;
    weft_free(output.data);
    return r;
}

static int tells_status_and_output(void *arg)
{
    struct recorder *recorder = arg;
    RECORD_INT(recorder, tells("echo out; echo err >&2; exit 3", 3, "out\nerr"), 0);
    RECORD_INT(recorder, tells("printf 'a\\n\\n'", 0, "a\n"), 0);
    RECORD_INT(recorder, tells("printf a", 0, "a"), 0);
    RECORD_INT(recorder, tells("true", 0, ""), 0);
    RECORD_INT(recorder, tells("kill -9 $$", -9, ""), 0);
    return 0;
}

static void output_is_merged_and_one_newline_taken(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    in_each_place(tells_status_and_output, &recorder);
    recorder_assert(&recorder);
}

static void the_output_alone(void **state)
{
    (void)state;
    weft_bytes output;
    assert_int_equal(weft_subprocess_getoutput("echo here; exit 1", &output, WEFT_FOREVER), 0);
    assert_output(output, "here");
    weft_free(output.data);
}

static void a_failure_leaves_the_output_untouched(void **state)
{
    (void)state;
    weft_bytes output = {NULL, 7};
    int returncode = 7;
    assert_int_equal(weft_subprocess_getstatusoutput(NULL, &returncode, &output, WEFT_FOREVER),
                     -EINVAL);
    assert_int_equal(weft_subprocess_getstatusoutput("true", &returncode, NULL, WEFT_FOREVER),
                     -EINVAL);
    assert_int_equal(weft_subprocess_getoutput("echo a; exec sleep 1000", &output, 0.01),
                     -ETIMEDOUT);
    assert_int_equal(weft_subprocess_getoutput("exit 1", &output, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(output.size, 7);
    assert_int_equal(returncode, 7);
    assert_false(have_children());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(output_is_merged_and_one_newline_taken),
        weft_test(the_output_alone),
        weft_test(a_failure_leaves_the_output_untouched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
