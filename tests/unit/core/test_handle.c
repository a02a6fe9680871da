/* SPDX-License-Identifier: MIT */
#include "support/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int answer(void *arg)
{
    (void)arg;
    return 42;
}

static weft_future *open_future(void)
{
    weft_future *future;
    assert_int_equal(weft_future_open(&future), 0);
    return future;
}

static void the_wrong_kind_is_refused_with_both_names(void **state)
{
    (void)state;
    weft_future *future = open_future();
    void *wrong = future;
    assert_int_equal(weft_thread_join(wrong, WEFT_NOWAIT), -EINVAL);
    assert_non_null(strstr(weft_error_message(), "a future was given, not a thread"));
    assert_int_equal(weft_submit(wrong, NULL, answer, WEFT_NONE, NULL), -EINVAL);
    assert_int_equal(weft_loop_call_soon(wrong, NULL, answer, WEFT_NONE), -EINVAL);
    weft_release(future);
}

static void what_is_no_handle_is_refused(void **state)
{
    (void)state;
    uint64_t words[64] = {0};
    void *no_handle = words;
    assert_int_equal(weft_wait(no_handle, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_cancel(no_handle), -EINVAL);
    assert_int_equal(weft_retain(no_handle), -EINVAL);
    assert_null(weft_handle_name(no_handle));
    weft_release(no_handle);
}

/* An allocator that keeps what is freed for a while, so that it can be looked at. */
static void *kept[256];
static size_t kept_count;

static void *keeping_realloc(void *memory, size_t size, void *arg)
{
    (void)arg;
    return realloc(memory, size);
}

static void keeping_free(void *memory, void *arg)
{
    (void)arg;
    if (kept_count < 256)
        kept[kept_count++] = memory;
    else
        free(memory);
}

static void a_released_handle_is_told_where_it_can_be(void **state)
{
    (void)state;
    weft_shutdown(WEFT_FOREVER);
    weft_allocator keeping = {.realloc = keeping_realloc, .free = keeping_free};
    assert_int_equal(weft_set_allocator(&keeping), 0);
    weft_future *future = open_future();
    weft_release(future);
    assert_int_equal(weft_wait(future, WEFT_NOWAIT), -EINVAL);
    assert_non_null(strstr(weft_error_message(), "released"));
    weft_release(future); /* harmless */
    weft_shutdown(WEFT_FOREVER);
    while (kept_count > 0)
        free(kept[--kept_count]);
    allocator_install();
}

static void null_is_refused_and_tells_what_failed_before(void **state)
{
    (void)state;
    weft_thread *thread;
    assert_int_equal(weft_thread_start(&thread, NULL, WEFT_NONE, NULL), -EINVAL);
    assert_null(thread);
    char before[256];
    snprintf(before, sizeof before, "%s", weft_error_message());
    assert_int_equal(weft_wait(thread, WEFT_NOWAIT), -EINVAL);
    assert_non_null(strstr(weft_error_message(), before));
    assert_non_null(strstr(weft_error_message(), "NULL"));
    char expected[512];
    snprintf(expected, sizeof expected, "cancel: the handle is NULL (before: %s)", before);
    assert_int_equal(weft_cancel(thread), -EINVAL);
    assert_string_equal(weft_error_message(), expected); /* not each NULL in turn */
}

static void null_is_refused_everywhere_but_in_release(void **state)
{
    (void)state;
    void *none = NULL;
    const void *data;
    size_t size;
    int code;
    char text[8];
    weft_release(none);
    weft_release_many((void **)NULL, 3);
    void *nothing[2] = {NULL, NULL};
    weft_release_many(nothing, 2);
    assert_int_equal(weft_retain(none), -EINVAL);
    assert_false(weft_done(none));
    assert_int_equal(weft_wait(none, 0), -EINVAL);
    assert_int_equal(weft_cancel(none), -EINVAL);
    assert_int_equal(weft_result(none, WEFT_NONE, 0), -EINVAL);
    assert_int_equal(weft_result_view(none, &data, &size, 0), -EINVAL);
    assert_int_equal(weft_exception(none, &code, NULL, 0), -EINVAL);
    assert_int_equal(weft_handle_set_name(none, "x"), -EINVAL);
    assert_int_equal(weft_handle_describe(none, text, sizeof text), -EINVAL);
    assert_null(weft_handle_name(none));
    assert_null(weft_handle_data(none));
    weft_handle_set_data(none, &text);
    assert_int_equal(weft_wait_any((void **)NULL, 2, 0), -EINVAL);
    assert_int_equal(weft_wait_all((void **)NULL, 2, 0), -EINVAL);
    assert_int_equal(weft_wait_many((void **)NULL, 2, WEFT_WAIT_ALL, NULL, 0), -EINVAL);
}

static void made_names_count_per_prefix(void **state)
{
    (void)state;
    weft_future *futures[2] = {open_future(), open_future()};
    weft_event event = {0};
    weft_source *source;
    assert_int_equal(weft_source_from_event(&source, &event), 0);
    int first, second;
    assert_int_equal(sscanf(weft_handle_name(futures[0]), "Future-%d", &first), 1);
    assert_int_equal(sscanf(weft_handle_name(futures[1]), "Future-%d", &second), 1);
    assert_int_equal(second, first + 1);
    assert_int_equal(sscanf(weft_handle_name(source), "Source-%d", &second), 1);
    weft_future *third = open_future();
    assert_int_equal(sscanf(weft_handle_name(third), "Future-%d", &second), 1);
    assert_int_equal(second, first + 2);
    weft_release(third);
    weft_release(source);
    weft_release_many(futures, 2);
}

static void who_is_named_at_once_takes_no_number(void **state)
{
    (void)state;
    weft_thread *threads[3];
    const char *const given[3] = {NULL, "given", NULL};
    for (int i = 0; i < 3; i++)
        assert_int_equal(weft_thread_start(&threads[i], answer, WEFT_NONE,
                                           &(weft_thread_options){.name = given[i]}),
                         0);
    int first, second;
    assert_int_equal(sscanf(weft_handle_name(threads[0]), "Thread-%d", &first), 1);
    assert_int_equal(sscanf(weft_handle_name(threads[2]), "Thread-%d", &second), 1);
    assert_int_equal(second, first + 1);
    assert_int_equal(weft_handle_set_name(threads[2], "later"), 0); /* its number stays used */
    assert_int_equal(weft_wait_all(threads, 3, WEFT_FOREVER), 0);
    weft_release_many(threads, 3);
}

static void an_old_name_stays_valid_after_a_rename(void **state)
{
    (void)state;
    weft_future *future = open_future();
    char given[] = "given";
    assert_int_equal(weft_handle_set_name(future, given), 0);
    const char *name = weft_handle_name(future);
    given[0] = 'X'; /* it was copied */
    assert_string_equal(name, "given");
    assert_int_equal(weft_handle_set_name(future, "second"), 0);
    assert_string_equal(name, "given");
    assert_string_equal(weft_handle_name(future), "second");
    assert_int_equal(weft_handle_set_name(future, NULL), -EINVAL);
    assert_string_equal(weft_handle_name(future), "second");
    weft_release(future);
}

static void without_memory_a_name_stays_and_a_made_one_is_its_prefix(void **state)
{
    (void)state;
    weft_future *future = open_future();
    weft_error(-EIO, "so that there is room for a message");
    allocator_fail(1, ALLOCATOR_ONWARDS);
    const char *name = weft_handle_name(future);
    allocator_fail(0, ALLOCATOR_ONCE);
    assert_string_equal(name, "Future");
    assert_int_equal(weft_handle_set_name(future, "first"), 0);
    allocator_fail(1, ALLOCATOR_ONWARDS);
    int r = weft_handle_set_name(future, "other");
    allocator_fail(0, ALLOCATOR_ONCE);
    assert_int_equal(r, -ENOMEM);
    assert_string_equal(weft_handle_name(future), "first");
    weft_release(future);
}

static void data_is_kept(void **state)
{
    (void)state;
    weft_future *future = open_future();
    int mine;
    assert_null(weft_handle_data(future));
    weft_handle_set_data(future, &mine);
    assert_ptr_equal(weft_handle_data(future), &mine);
    weft_handle_set_data(future, NULL);
    assert_null(weft_handle_data(future));
    weft_release(future);
}

static void describe_tells_kind_name_state_and_result(void **state)
{
    (void)state;
    char text[256];
    weft_future *future = open_future();
    weft_handle_set_name(future, "mine");
    int length = weft_handle_describe(future, text, sizeof text);
    assert_string_equal(text, "<future 'mine' pending>");
    assert_int_equal(length, strlen(text));
    assert_int_equal(weft_handle_describe(future, NULL, 0), length);
    char few[8];
    assert_int_equal(weft_handle_describe(future, few, sizeof few), length);
    assert_string_equal(few, "<future");
    assert_int_equal(weft_handle_describe(future, NULL, 5), -EINVAL);
    weft_future_set_exception(future, -ENOENT, "no such thing");
    weft_handle_describe(future, text, sizeof text);
    assert_string_equal(text, "<future 'mine' failed, ENOENT: no such thing>");
    weft_release(future);
    weft_thread *thread;
    weft_thread_start(&thread, answer, WEFT_NONE, &(weft_thread_options){.name = "deep"});
    weft_thread_join(thread, WEFT_FOREVER);
    weft_handle_describe(thread, text, sizeof text);
    assert_string_equal(text, "<thread 'deep' done, result 42>");
    weft_release(thread);
}

static void describe_has_a_state_for_every_kind(void **state)
{
    (void)state;
    char text[256];
    int ends[2];
    weft_executor *pool;
    weft_event event = {0};
    weft_source *source, *set;
    assert_int_equal(pipe(ends), 0);
    weft_thread_pool_open(&pool, NULL);
    weft_source_from_fd(&source, ends[0], WEFT_READABLE);
    weft_source_from_event(&set, &event);
    void *handles[] = {pool, source, set};
    for (size_t i = 0; i < 3; i++) {
        weft_handle_describe(handles[i], text, sizeof text);
        assert_null(strstr(text, " >"));
    }
    weft_handle_describe(source, text, sizeof text);
    assert_non_null(strstr(text, "not ready>"));
    assert_int_equal(write(ends[1], "x", 1), 1);
    weft_handle_describe(source, text, sizeof text);
    assert_null(strstr(text, "not ready>"));
    weft_release_many(handles, 3);
    close(ends[0]);
    close(ends[1]);
}

static void a_source_of_no_descriptor_is_refused(void **state)
{
    (void)state;
    int ends[2];
    weft_source *source;
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(weft_source_from_fd(&source, ends[0], WEFT_READABLE), -EBADF);
    assert_null(source);
    assert_int_equal(weft_source_from_fd(&source, -1, WEFT_READABLE), -EBADF);
    assert_int_equal(weft_source_from_fd(&source, 0, 8), -EINVAL);
}

typedef struct calls {
    char order[32];
    int count;
    void *handle;
} calls;

static calls called;

static void note(void *handle, void *arg)
{
    called.handle = handle;
    called.order[called.count++] = *(char *)arg;
}

static void callbacks_run_once_in_order(void **state)
{
    (void)state;
    called = (calls){0};
    weft_future *future = open_future();
    char letters[] = "abcd";
    for (int i = 0; i < 3; i++)
        assert_int_equal(weft_add_done_callback(future, note, &letters[i]), 0);
    assert_string_equal(called.order, "");
    assert_int_equal(weft_future_set_result(future, WEFT_NONE), 0);
    assert_string_equal(called.order, "abc");
    assert_ptr_equal(called.handle, future);
    assert_int_equal(weft_future_set_result(future, WEFT_NONE), WEFT_EINVALID_STATE);
    assert_string_equal(called.order, "abc");
    assert_int_equal(weft_add_done_callback(future, note, &letters[3]), 0); /* at once */
    assert_string_equal(called.order, "abcd");
    weft_release(future);
    assert_string_equal(called.order, "abcd");
}

static void a_callback_of_what_never_ends_is_dropped(void **state)
{
    (void)state;
    called = (calls){0};
    weft_future *future = open_future();
    assert_int_equal(weft_add_done_callback(future, note, "x"), 0);
    weft_release(future);
    assert_int_equal(called.count, 0);
}

static void release_in_it(void *handle, void *arg)
{
    (void)arg;
    weft_release((weft_future *)handle);
}

static void a_callback_may_use_and_release_the_handle(void **state)
{
    (void)state;
    called = (calls){0};
    weft_future *future = open_future();
    weft_retain(future);
    weft_add_done_callback(future, release_in_it, NULL);
    weft_add_done_callback(future, note, "z");
    weft_future_set_result(future, WEFT_NONE);
    assert_string_equal(called.order, "z");
    weft_release(future);
}

static void callbacks_that_cannot_be_are_refused(void **state)
{
    (void)state;
    weft_future *future = open_future();
    weft_event event = {0};
    weft_source *source;
    weft_source_from_event(&source, &event);
    assert_int_equal(weft_add_done_callback(future, NULL, NULL), -EINVAL);
    assert_int_equal(weft_add_done_callback(source, note, NULL), -ENOTSUP);
    allocator_fail(1, ALLOCATOR_ONWARDS);
    int r = weft_add_done_callback(future, note, NULL);
    allocator_fail(0, ALLOCATOR_ONCE);
    assert_int_equal(r, -ENOMEM);
    weft_release(source);
    weft_release(future);
}

static void each_reference_counts(void **state)
{
    (void)state;
    weft_future *future = open_future();
    size_t blocks = allocator_blocks();
    assert_int_equal(weft_retain(future), 0);
    assert_int_equal(weft_retain(future), 0);
    weft_future *more[] = {future, NULL, future};
    weft_release_many(more, 3);
    assert_int_equal(weft_future_set_result(future, WEFT_NONE), 0); /* still there */
    assert_int_equal(allocator_blocks(), blocks);
    weft_release(future);
    assert_true(allocator_blocks() < blocks);
}

static void cancel_is_one_then_zero(void **state)
{
    (void)state;
    weft_future *future = open_future();
    assert_int_equal(weft_cancel(future), 1);
    assert_true(weft_done(future));
    assert_int_equal(weft_cancel(future), 0);
    assert_int_equal(weft_result(future, WEFT_NONE, WEFT_NOWAIT), -ECANCELED);
    weft_release(future);
    weft_event event = {0};
    weft_source *source;
    weft_source_from_event(&source, &event);
    assert_int_equal(weft_cancel(source), -ENOTSUP);
    weft_release(source);
}

static int tells_its_name(void *arg)
{
    return strcmp(weft_current_name(), arg) == 0 ? 1 : 0;
}

static int tells_that_of_its_task(void *arg)
{
    (void)arg;
    int r = weft_handle_set_name(weft_task_current(), "renamed");
    return r < 0 ? r : strcmp(weft_current_name(), "renamed") == 0;
}

static void the_current_name_is_of_what_runs(void **state)
{
    (void)state;
    weft_thread *thread;
    weft_thread_start(&thread, tells_its_name, WEFT_STRING("worker"),
                      &(weft_thread_options){.name = "worker"});
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 1);
    weft_release(thread);
    assert_int_equal(weft_run(tells_that_of_its_task, WEFT_NONE, NULL), 1);
    assert_true(weft_current_name()[0] != '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(the_wrong_kind_is_refused_with_both_names),
        weft_test(what_is_no_handle_is_refused),
        weft_test(a_released_handle_is_told_where_it_can_be),
        weft_test(null_is_refused_and_tells_what_failed_before),
        weft_test(null_is_refused_everywhere_but_in_release),
        weft_test(made_names_count_per_prefix),
        weft_test(who_is_named_at_once_takes_no_number),
        weft_test(an_old_name_stays_valid_after_a_rename),
        weft_test(without_memory_a_name_stays_and_a_made_one_is_its_prefix),
        weft_test(data_is_kept),
        weft_test(a_source_of_no_descriptor_is_refused),
        weft_test(describe_tells_kind_name_state_and_result),
        weft_test(describe_has_a_state_for_every_kind),
        weft_test(callbacks_run_once_in_order),
        weft_test(a_callback_of_what_never_ends_is_dropped),
        weft_test(a_callback_may_use_and_release_the_handle),
        weft_test(callbacks_that_cannot_be_are_refused),
        weft_test(each_reference_counts),
        weft_test(cancel_is_one_then_zero),
        weft_test(the_current_name_is_of_what_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
