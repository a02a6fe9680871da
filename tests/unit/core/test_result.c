/* SPDX-License-Identifier: MIT */
#include "support/places.h"

typedef struct pair {
    int a;
    double b;
} pair;

static int number(void *arg)
{
    return *(int *)arg;
}

static int give_pair(void *arg)
{
    (void)arg;
    pair given = {3, 0.5};
    return weft_return(WEFT_ARG(given));
}

static int give_twice(void *arg)
{
    pair first = {1, 1};
    weft_return(WEFT_ARG(first));
    weft_return(WEFT_ARG(first));
    return give_pair(arg);
}

static int give_list(void *arg)
{
    int n = *(int *)arg, r = 0;
    for (int i = 0; r == 0 && i < n; i++)
        r = weft_return_append(WEFT_ARG(i));
    return r < 0 ? r : n;
}

static int give_nothing(void *arg)
{
    (void)arg;
    return weft_return(NULL, 0);
}

static int fail_after_bytes(void *arg)
{
    give_pair(arg);
    return weft_error(-ERANGE, "after all");
}

static weft_thread *started(weft_fn *fn, const void *arg, size_t size)
{
    weft_thread *thread;
    assert_int_equal(weft_thread_start(&thread, fn, arg, size, NULL), 0);
    return thread;
}

static void the_number_is_the_result(void **state)
{
    (void)state;
    int out = -1;
    weft_thread *thread = started(number, WEFT_ARG((int){77}));
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 77);
    assert_int_equal(weft_result(thread, WEFT_OUT(out), WEFT_FOREVER), 77); /* as often as asked */
    assert_int_equal(out, 77);
    weft_release(thread);
}

static void bytes_come_back_exactly(void **state)
{
    (void)state;
    weft_fn *functions[] = {give_pair, give_twice};
    for (int i = 0; i < 2; i++) {
        pair out = {0};
        weft_thread *thread = started(functions[i], WEFT_NONE);
        assert_int_equal(weft_result(thread, WEFT_OUT(out), WEFT_FOREVER), 0);
        assert_int_equal(out.a, 3);
        assert_true(out.b == 0.5);
        weft_release(thread);
    }
}

static void another_size_is_refused_and_both_are_told(void **state)
{
    (void)state;
    weft_thread *thread = started(give_pair, WEFT_NONE);
    char small[3] = "ab", large[64] = "cd";
    assert_int_equal(weft_result(thread, WEFT_OUT(small), WEFT_FOREVER), -EMSGSIZE);
    assert_non_null(strstr(weft_error_message(), "3 bytes"));
    assert_non_null(strstr(weft_error_message(), "16"));
    assert_int_equal(weft_result(thread, WEFT_OUT(large), WEFT_FOREVER), -EMSGSIZE);
    assert_string_equal(small, "ab"); /* untouched */
    assert_string_equal(large, "cd");
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(thread);
}

static void a_view_shows_any_size(void **state)
{
    (void)state;
    const void *data;
    size_t size;
    weft_thread *thread = started(give_list, WEFT_ARG((int){1000}));
    assert_int_equal(weft_result_view(thread, &data, &size, WEFT_FOREVER), 1000);
    assert_int_equal(size, 1000 * sizeof(int));
    assert_int_equal((uintptr_t)data % _Alignof(max_align_t), 0);
    const int *numbers = data;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(numbers[i], i);
    assert_int_equal(((const char *)data)[size], '\0');
    weft_release(thread);

    thread = started(give_nothing, WEFT_NONE);
    assert_int_equal(weft_result_view(thread, &data, &size, WEFT_FOREVER), 0);
    assert_int_equal(size, 0);
    weft_release(thread);

    thread = started(number, WEFT_ARG((int){5}));
    assert_int_equal(weft_result_view(thread, &data, &size, WEFT_FOREVER), 5);
    assert_int_equal(size, sizeof(int));
    assert_int_equal(*(const int *)data, 5);
    assert_int_equal(weft_result_view(thread, NULL, &size, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_result_view(thread, &data, NULL, WEFT_NOWAIT), -EINVAL);
    weft_release(thread);
}

static void a_failure_is_the_result_and_its_bytes_are_not(void **state)
{
    (void)state;
    pair out = {9, 9};
    const void *data = &out;
    size_t size = 4;
    weft_thread *thread = started(fail_after_bytes, WEFT_NONE);
    assert_int_equal(weft_result(thread, WEFT_OUT(out), WEFT_FOREVER), -ERANGE);
    assert_string_equal(weft_error_message(), "after all");
    assert_int_equal(out.a, 9);
    assert_int_equal(weft_result_view(thread, &data, &size, WEFT_FOREVER), -ERANGE);
    assert_ptr_equal(data, &out);
    assert_int_equal(size, 4);
    weft_release(thread);
}

static void an_exception_is_a_value(void **state)
{
    (void)state;
    int code = 1;
    const char *message = "x";
    weft_thread *thread = started(fail_after_bytes, WEFT_NONE);
    assert_int_equal(weft_exception(thread, &code, &message, WEFT_FOREVER), 0);
    assert_int_equal(code, -ERANGE);
    assert_string_equal(message, "after all");
    assert_int_equal(weft_exception(thread, &code, NULL, WEFT_FOREVER), 0);
    assert_int_equal(weft_exception(thread, NULL, NULL, WEFT_FOREVER), -EINVAL);
    weft_release(thread);
    thread = started(number, WEFT_ARG((int){5}));
    assert_int_equal(weft_exception(thread, &code, &message, WEFT_FOREVER), 0);
    assert_int_equal(code, 0);
    assert_null(message);
    weft_release(thread);
}

static void what_is_not_done_times_out(void **state)
{
    (void)state;
    weft_future *future;
    int code = 1, out = 2;
    weft_future_open(&future);
    assert_int_equal(weft_result(future, WEFT_OUT(out), WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_result(future, WEFT_OUT(out), 0.001), -ETIMEDOUT);
    assert_int_equal(weft_exception(future, &code, NULL, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(code, 1);
    assert_int_equal(out, 2);
    weft_release(future);
}

static void kinds_without_result_say_so(void **state)
{
    (void)state;
    weft_event event = {0};
    weft_source *source;
    weft_source_from_event(&source, &event);
    int code;
    assert_int_equal(weft_result(source, WEFT_NONE, WEFT_FOREVER), -ENOTSUP);
    assert_int_equal(weft_exception(source, &code, NULL, WEFT_FOREVER), -ENOTSUP);
    weft_release(source);
}

static int waits_for_itself(void *arg)
{
    struct recorder *recorder = arg;
    int code;
    void *self =
        weft_loop_current() != NULL ? (void *)weft_task_current() : (void *)weft_thread_current();
    RECORD_INT(recorder, weft_wait(self, WEFT_FOREVER), -EDEADLK);
    RECORD_INT(recorder, weft_result(self, WEFT_NONE, WEFT_FOREVER), -EDEADLK);
    RECORD_INT(recorder, weft_exception(self, &code, NULL, WEFT_FOREVER), -EDEADLK);
    RECORD_INT(recorder, weft_wait_any(&self, 1, WEFT_FOREVER), -EDEADLK);
    RECORD_INT(recorder, weft_wait_all(&self, 1, WEFT_FOREVER), -EDEADLK);
    RECORD_INT(recorder, weft_gather(&self, 1, WEFT_FOREVER), -EDEADLK);
    return 0;
}

static void nobody_waits_for_himself(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    assert_int_equal(in_a_thread(waits_for_itself, &recorder), 0);
    assert_int_equal(in_a_task(waits_for_itself, &recorder), 0);
    assert_int_equal(waits_for_itself(&recorder), 0); /* a thread that weft did not start */
    recorder_assert(&recorder);
}

static int tell_argument(void *arg)
{
    struct recorder **recorder = arg;
    char large[5000];
    RECORD_INT(*recorder, (int)weft_arg_size(), (int)sizeof large);
    RECORD(*recorder, (uintptr_t)arg % _Alignof(max_align_t) == 0);
    memset((char *)arg + sizeof *recorder, 0, sizeof large - sizeof *recorder); /* writable */
    return 0;
}

static void arguments_are_private_copies(void **state)
{
    (void)state;
    struct recorder recorder = {0}, *pointer = &recorder;
    char large[5000];
    memcpy(large, &pointer, sizeof pointer);
    weft_thread *thread = started(tell_argument, large, sizeof large);
    memset(large, 0xff, sizeof large);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(thread);
    memcpy(large, &pointer, sizeof pointer);
    assert_int_equal(weft_run(tell_argument, large, sizeof large, NULL), 0);
    recorder_assert(&recorder);
    assert_int_equal(weft_arg_size(), 0);
}

static void outside_a_function_return_does_nothing(void **state)
{
    (void)state;
    assert_int_equal(weft_return("x", 1), 0);
    assert_int_equal(weft_return_append("x", 1), 0);
}

static int return_nothing_there(void *arg)
{
    struct recorder *recorder = arg;
    RECORD_INT(recorder, weft_return(NULL, 1), -EINVAL);
    RECORD_INT(recorder, weft_return_append(NULL, 1), -EINVAL);
    RECORD_INT(recorder, weft_return(NULL, 0), 0);
    return 0;
}

static void bytes_at_null_are_refused(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    assert_int_equal(in_a_thread(return_nothing_there, &recorder), 0);
    recorder_assert(&recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(the_number_is_the_result),
        weft_test(bytes_come_back_exactly),
        weft_test(another_size_is_refused_and_both_are_told),
        weft_test(a_view_shows_any_size),
        weft_test(a_failure_is_the_result_and_its_bytes_are_not),
        weft_test(an_exception_is_a_value),
        weft_test(what_is_not_done_times_out),
        weft_test(kinds_without_result_say_so),
        weft_test(nobody_waits_for_himself),
        weft_test(arguments_are_private_copies),
        weft_test(outside_a_function_return_does_nothing),
        weft_test(bytes_at_null_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
