/* SPDX-License-Identifier: MIT */
#include "support/places.h"

#include <stdio.h>

#include "core/error.h"

static void codes_names_and_texts_come_from_one_list(void **state)
{
    (void)state;
    int previous = -10000;
#define CHECK(name, code, text)                                                                    \
    assert_int_equal(name, code);                                                                  \
    assert_string_equal(weft_error_name(name), #name);                                             \
    assert_string_equal(weft_strerror(name), text);                                                \
    assert_true(name < previous);                                                                  \
    previous = name;
    WEFT_ERRORS(CHECK)
#undef CHECK
    assert_true(previous > WEFT_EUSER);
}

static void the_systems_codes_have_names_and_texts(void **state)
{
    (void)state;
    assert_string_equal(weft_error_name(-ENOENT), "ENOENT");
    assert_string_equal(weft_strerror(-ENOENT), "No such file or directory");
    assert_string_equal(weft_error_name(-ETIMEDOUT), "ETIMEDOUT");
    assert_string_equal(weft_error_name(-ECANCELED), "ECANCELED");
    assert_string_equal(weft_error_name(-EDEADLK), "EDEADLK");
}

static void every_code_has_some_name_and_text(void **state)
{
    (void)state;
    assert_string_equal(weft_error_name(0), "OK");
    assert_string_equal(weft_error_name(7), "OK");
    assert_string_equal(weft_strerror(0), "Success");
    assert_string_equal(weft_error_name(WEFT_EUSER), "WEFT_EUSER");
    assert_string_equal(weft_error_name(WEFT_EUSER - 5), "WEFT_EUSER");
    assert_string_equal(weft_error_name(-9999), "EUNKNOWN");
    for (int code = -11000; code < 10; code++) {
        assert_true(weft_error_name(code)[0] != '\0');
        assert_true(weft_strerror(code)[0] != '\0');
    }
    assert_non_null(weft_strerror(INT32_MIN));
}

static int fail_of_its_own(void *arg)
{
    struct recorder *recorder = arg;
    RECORD(recorder, strcmp(weft_error_message(), "main's") != 0);
    RECORD_INT(recorder, weft_error(-EDOM, "another's"), -EDOM);
    RECORD(recorder, strcmp(weft_error_message(), "another's") == 0);
    return 0;
}

static void each_thread_and_task_has_its_own_message(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    assert_int_equal(weft_error(-EINVAL, "%s", "main's"), -EINVAL);
    assert_int_equal(in_a_thread(fail_of_its_own, &recorder), 0);
    assert_string_equal(weft_error_message(), "main's");
    assert_int_equal(in_a_task(fail_of_its_own, &recorder), 0);
    assert_string_equal(weft_error_message(), "main's");
    assert_int_equal(in_a_job(fail_of_its_own, &recorder), 0);
    assert_string_equal(weft_error_message(), "main's");
    recorder_assert(&recorder);
}

static void there_is_no_message_before_the_first_failure(void **state)
{
    (void)state;
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0); /* this thread's context is a new one */
    assert_string_equal(weft_error_message(), "");
}

static int keep_across_waits(void *arg)
{
    struct recorder *recorder = arg;
    weft_error(-EDOM, "kept");
    for (int i = 0; i < 3; i++)
        RECORD_INT(recorder, weft_sleep(0), 0);
    RECORD(recorder, strcmp(weft_error_message(), "kept") == 0);
    return 0;
}

static int two_tasks(void *arg)
{
    weft_task *tasks[2];
    int r = weft_task_start(&tasks[0], fail_of_its_own, WEFT_POINTER(arg), NULL);
    if (r == 0)
        r = weft_task_start(&tasks[1], keep_across_waits, WEFT_POINTER(arg), NULL);
    if (r == 0)
        r = weft_gather(tasks, 2, WEFT_FOREVER);
    weft_release_many(tasks, 2);
    return r;
}

static void a_message_stays_while_other_tasks_fail(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    assert_int_equal(weft_run(two_tasks, WEFT_POINTER(&recorder), NULL), 0);
    recorder_assert(&recorder);
}

/* Cleanup, between the failure and its return; that time has passed is no failure. */
static int fail_and_wait(void *arg)
{
    weft_future *never, *none = NULL;
    struct recorder *recorder = arg;
    if (weft_future_open(&never) < 0)
        return -ENOMEM;
    weft_error(-EDOM, "%s", "the failure");
    RECORD_INT(recorder, weft_sleep(1e-6), 0);
    RECORD(recorder, strcmp(weft_error_message(), "the failure") == 0);
    for (int mode = WEFT_WAIT_ALL; mode <= WEFT_WAIT_FIRST_EXCEPTION; mode++) {
        RECORD_INT(recorder, weft_wait_many(&never, 1, (weft_wait_mode)mode, NULL, 1e-6), 0);
        RECORD_INT(recorder, weft_wait_many(&never, 1, (weft_wait_mode)mode, NULL, 0), 0);
        RECORD_INT(recorder, weft_wait_many(&none, 1, (weft_wait_mode)mode, NULL, 0), 0);
        RECORD(recorder, strcmp(weft_error_message(), "the failure") == 0);
    }
    weft_release(never);
    return -EDOM;
}

static void a_message_stays_when_time_passes(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    assert_int_equal(fail_and_wait(&recorder), -EDOM);
    assert_string_equal(weft_error_message(), "the failure");
    int (*const places[])(weft_fn *, void *) = {in_a_thread, in_a_task, in_a_job};
    for (int i = 0; i < 3; i++) {
        weft_error(-EIO, "another");
        assert_int_equal(places[i](fail_and_wait, &recorder), -EDOM);
        assert_string_equal(weft_error_message(), "the failure");
    }
    recorder_assert(&recorder);
}

static int fail_with_words(void *arg)
{
    return weft_error(WEFT_EUSER - 3, "the words of %d", *(int *)arg);
}

static int fail_without_words(void *arg)
{
    weft_error(-EPERM, "of another code");
    return *(int *)arg;
}

static void the_message_goes_with_the_result(void **state)
{
    (void)state;
    int n = 42;
    assert_int_equal(in_a_thread(fail_with_words, &n), WEFT_EUSER - 3);
    assert_string_equal(weft_error_message(), "the words of 42");
    n = 43;
    assert_int_equal(in_a_task(fail_with_words, &n), WEFT_EUSER - 3);
    assert_string_equal(weft_error_message(), "the words of 43");
    n = 44;
    assert_int_equal(in_a_job(fail_with_words, &n), WEFT_EUSER - 3);
    assert_string_equal(weft_error_message(), "the words of 44");
}

static void a_failure_without_message_has_its_codes_text(void **state)
{
    (void)state;
    int code = -ENOENT;
    assert_int_equal(in_a_thread(fail_without_words, &code), -ENOENT);
    assert_string_equal(weft_error_message(), "No such file or directory");
    assert_int_equal(in_a_task(fail_without_words, &code), -ENOENT);
    assert_string_equal(weft_error_message(), "No such file or directory");
}

static void long_messages_are_cut(void **state)
{
    (void)state;
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(weft_error(-E2BIG, "%s", text), -E2BIG);
    assert_int_equal(strlen(weft_error_message()), WEFT_MESSAGE_SIZE - 1);
    assert_memory_equal(weft_error_message(), text, WEFT_MESSAGE_SIZE - 1);
}

static void a_message_may_contain_the_last_one(void **state)
{
    (void)state;
    weft_error(-ENOENT, "the cause");
    weft_error(-EIO, "because of: %s", weft_error_message());
    assert_string_equal(weft_error_message(), "because of: the cause");
    weft_error(-EIO, "%s", weft_error_message());
    assert_string_equal(weft_error_message(), "because of: the cause");
}

static void percent_signs_in_arguments_are_text(void **state)
{
    (void)state;
    weft_error(-EIO, "%s", "100%n%s");
    assert_string_equal(weft_error_message(), "100%n%s");
}

static void without_memory_the_text_of_the_code_stands(void **state)
{
    (void)state;
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    assert_int_equal(weft_sleep(0), 0); /* a context, but no room for a message yet */
    allocator_fail(1, ALLOCATOR_ONWARDS);
    int r = weft_error(-EIO, "words %d", 1);
    allocator_fail(0, ALLOCATOR_ONCE);
    assert_int_equal(r, -EIO);
    assert_string_equal(weft_error_message(), "Input/output error");
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    allocator_fail(1, ALLOCATOR_ONWARDS); /* not even a context */
    r = weft_error(-EIO, "words %d", 2);
    assert_string_equal(weft_error_message(), "Input/output error");
    allocator_fail(0, ALLOCATOR_ONCE);
    assert_int_equal(r, -EIO);
    assert_int_equal(weft_sleep(0), 0); /* the context that there is now has it, too */
    assert_string_equal(weft_error_message(), "Input/output error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(codes_names_and_texts_come_from_one_list),
        weft_test(the_systems_codes_have_names_and_texts),
        weft_test(every_code_has_some_name_and_text),
        weft_test(each_thread_and_task_has_its_own_message),
        weft_test(there_is_no_message_before_the_first_failure),
        weft_test(a_message_stays_while_other_tasks_fail),
        weft_test(a_message_stays_when_time_passes),
        weft_test(the_message_goes_with_the_result),
        weft_test(a_failure_without_message_has_its_codes_text),
        weft_test(long_messages_are_cut),
        weft_test(a_message_may_contain_the_last_one),
        weft_test(percent_signs_in_arguments_are_text),
        weft_test(without_memory_the_text_of_the_code_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
