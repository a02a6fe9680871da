/* SPDX-License-Identifier: MIT */
#include "support/places.h"

#include <stdatomic.h>

typedef struct diary {
    struct recorder recorder;
    char order[64];
    int count;
} diary;

static diary *pages;

static void write_down(char letter)
{
    pages->order[pages->count++] = letter;
}

static int note(void *arg)
{
    write_down(*(char *)arg);
    return 0;
}

static int run_diary(weft_fn *fn, diary *test)
{
    pages = test;
    return weft_run(fn, WEFT_POINTER(test), NULL);
}

static int starts_three(void *arg)
{
    diary *test = arg;
    weft_task *tasks[3];
    for (int i = 0; i < 3; i++)
        weft_task_start(&tasks[i], note, WEFT_ARG((char){(char)('a' + i)}), NULL);
    RECORD_INT(&test->recorder, test->count, 0); /* they begin when the loop comes to them */
    write_down('-');
    RECORD_INT(&test->recorder, weft_sleep(0), 0);
    write_down('+');
    RECORD_INT(&test->recorder, weft_wait_all(tasks, 3, WEFT_FOREVER), 0);
    weft_release_many(tasks, 3);
    return 0;
}

static void tasks_begin_in_order_when_the_loop_comes_to_them(void **state)
{
    (void)state;
    diary test = {0};
    assert_int_equal(run_diary(starts_three, &test), 0);
    assert_string_equal(test.order, "-abc+");
    recorder_assert(&test.recorder);
}

static int deep_wait(int depth)
{
    char frame[64];
    memset(frame, depth, sizeof frame);
    if (depth > 0)
        return deep_wait(depth - 1) + (frame[10] == depth ? 1 : 1000);
    return weft_sleep(0);
}

static int waits_deep(void *arg)
{
    (void)arg;
    return deep_wait(100);
}

static void any_function_may_wait_at_any_depth(void **state)
{
    (void)state;
    assert_int_equal(weft_run(waits_deep, WEFT_NONE, NULL), 100);
}

static int knows_itself(void *arg)
{
    struct recorder *recorder = arg;
    weft_task *self = weft_task_current();
    char text[128];
    RECORD(recorder, self != NULL);
    RECORD(recorder, strcmp(weft_handle_name(self), "me") == 0);
    RECORD(recorder, strcmp(weft_current_name(), "me") == 0);
    weft_sleep(0);
    RECORD(recorder, weft_task_current() == self);
    weft_handle_describe(self, text, sizeof text);
    RECORD(recorder, strcmp(text, "<task 'me' running>") == 0);
    return 0;
}

static int start_named(void *arg)
{
    weft_task *task;
    weft_task_start(&task, knows_itself, WEFT_POINTER(arg), &(weft_task_options){.name = "me"});
    int r = weft_result(task, WEFT_NONE, WEFT_FOREVER);
    weft_release(task);
    return r;
}

static void a_task_knows_itself(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    assert_null(weft_task_current());
    assert_int_equal(in_a_task(start_named, &recorder), 0);
    recorder_assert(&recorder);
}

static int large_argument(void *arg)
{
    const unsigned char *bytes = arg;
    for (size_t i = 0; i < weft_arg_size(); i++) {
        if (bytes[i] != (unsigned char)(i * 7))
            return -EIO;
    }
    return (int)weft_arg_size();
}

static int start_with_arguments(void *arg)
{
    struct recorder *recorder = arg;
    static unsigned char bytes[20000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 7);
    for (size_t size = 1; size <= sizeof bytes; size = size * 3 + 1) {
        weft_task *task;
        RECORD_INT(recorder, weft_task_start(&task, large_argument, bytes, size, NULL), 0);
        RECORD_INT(recorder, weft_result(task, WEFT_NONE, WEFT_FOREVER), (int)size);
        weft_release(task);
    }
    return 0;
}

static void arguments_of_any_size_are_copied(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    assert_int_equal(in_a_task(start_with_arguments, &recorder), 0);
    recorder_assert(&recorder);
}

static int without_handle(void *arg)
{
    diary *test = arg;
    RECORD_INT(&test->recorder, weft_task_start(NULL, note, WEFT_ARG((char){'x'}), NULL), 0);
    weft_sleep(0);
    RECORD_INT(&test->recorder, test->count, 1);
    return 0;
}

static void a_task_needs_no_handle(void **state)
{
    (void)state;
    diary test = {0};
    assert_int_equal(run_diary(without_handle, &test), 0);
    recorder_assert(&test.recorder);
}

static int answer(void *arg)
{
    (void)arg;
    return 5;
}

static int keep_task(void *arg)
{
    int r = weft_task_start(arg, answer, WEFT_NONE, NULL);
    return r < 0 ? r : weft_sleep(0);
}

static void a_task_outlives_its_loop(void **state)
{
    (void)state;
    weft_task *task = NULL;
    assert_int_equal(weft_run(keep_task, WEFT_POINTER(&task), NULL), 0);
    assert_int_equal(weft_result(task, WEFT_NONE, WEFT_FOREVER), 5);
    weft_release(task);
}

typedef struct foreign {
    weft_loop *_Atomic loop;
    struct gate open;
    weft_event done;
} foreign;

static int open_for_others(void *arg)
{
    foreign *test = arg;
    atomic_store(&test->loop, weft_loop_current());
    gate_arrive(&test->open);
    return weft_event_wait(&test->done, WEFT_FOREVER);
}

static int run_open_loop(void *arg)
{
    return weft_run(open_for_others, WEFT_POINTER(arg), NULL);
}

static int on_which_loop(void *arg)
{
    return weft_loop_current() == *(weft_loop **)arg ? 1 : 0;
}

static void tasks_can_be_started_from_other_threads(void **state)
{
    (void)state;
    enum { TASKS = 100 };
    foreign test = {.loop = NULL};
    weft_thread *thread;
    weft_task *tasks[TASKS];
    gate_init(&test.open, 1);
    weft_thread_start(&thread, run_open_loop, WEFT_POINTER(&test), NULL);
    gate_wait(&test.open);
    weft_loop *loop = atomic_load(&test.loop);
    weft_task_options options = {.loop = loop};
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(weft_task_start(&tasks[i], on_which_loop, WEFT_ARG(loop), &options), 0);
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(weft_result(tasks[i], WEFT_NONE, WEFT_FOREVER), 1);
    weft_release_many(tasks, TASKS);
    weft_event_set(&test.done);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(thread);
    gate_destroy(&test.open);
}

static void without_a_loop_it_is_refused(void **state)
{
    (void)state;
    weft_task *task = (weft_task *)state;
    assert_int_equal(weft_task_start(&task, answer, WEFT_NONE, NULL), WEFT_EINVALID_STATE);
    assert_null(task);
}

static int refused_arguments(void *arg)
{
    struct recorder *recorder = arg;
    weft_task *task = (weft_task *)arg;
    RECORD_INT(recorder, weft_task_start(&task, NULL, WEFT_NONE, NULL), -EINVAL);
    RECORD(recorder, task == NULL);
    RECORD_INT(recorder, weft_task_start(&task, answer, NULL, 5, NULL), -EINVAL);
    weft_future *future;
    weft_future_open(&future);
    void *wrong = future;
    RECORD_INT(recorder,
               weft_task_start(&task, answer, WEFT_NONE, &(weft_task_options){.loop = wrong}),
               -EINVAL);
    weft_release(future);
    return 0;
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    assert_int_equal(in_a_task(refused_arguments, &recorder), 0);
    recorder_assert(&recorder);
}

static int sleeps(void *arg)
{
    (void)arg;
    return weft_sleep(0.001);
}

static int ten_thousand(void *arg)
{
    struct recorder *recorder = arg;
#if defined(WEFT_PLATFORM_POSIX) || defined(__SANITIZE_THREAD__)
    enum { TASKS = 500 }; /* each is a thread, or a fiber of the sanitizer's */
#else
    enum { TASKS = 5000 };
#endif
    static weft_task *tasks[TASKS];
    for (int i = 0; i < TASKS; i++)
        RECORD_INT(recorder, weft_task_start(&tasks[i], sleeps, WEFT_NONE, NULL), 0);
    RECORD_INT(recorder, weft_gather(tasks, TASKS, WEFT_FOREVER), 0);
    weft_release_many(tasks, TASKS);
    return 0;
}

static void thousands_wait_at_once(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    assert_int_equal(in_a_task(ten_thousand, &recorder), 0);
    recorder_assert(&recorder);
}

static int suppresses(void *arg)
{
    (void)arg;
    int r = weft_sleep(WEFT_FOREVER);
    return r == -ECANCELED ? 99 : r;
}

static int cancel_is_suppressed(void *arg)
{
    struct recorder *recorder = arg;
    weft_task *task;
    weft_task_start(&task, suppresses, WEFT_NONE, NULL);
    weft_sleep(0);
    RECORD_INT(recorder, weft_cancel(task), 1);
    RECORD_INT(recorder, weft_cancel(task), 1); /* again, before it has been delivered */
    RECORD_INT(recorder, weft_result(task, WEFT_NONE, WEFT_FOREVER), 99);
    weft_release(task);
    return 0;
}

static void a_cancel_may_be_suppressed(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    assert_int_equal(in_a_task(cancel_is_suppressed, &recorder), 0);
    recorder_assert(&recorder);
}

static int cancelled_after_completion(void *arg)
{
    struct recorder *recorder = arg;
    weft_task *task;
    weft_task_start(&task, answer, WEFT_NONE, NULL);
    weft_wait(task, WEFT_FOREVER);
    RECORD_INT(recorder, weft_cancel(task), 0);
    RECORD_INT(recorder, weft_result(task, WEFT_NONE, WEFT_NOWAIT), 5);
    weft_release(task);
    return 0;
}

static void what_is_done_cannot_be_cancelled(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    assert_int_equal(in_a_task(cancelled_after_completion, &recorder), 0);
    recorder_assert(&recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(tasks_begin_in_order_when_the_loop_comes_to_them),
        weft_test(any_function_may_wait_at_any_depth),
        weft_test(a_task_knows_itself),
        weft_test(arguments_of_any_size_are_copied),
        weft_test(a_task_needs_no_handle),
        weft_test(a_task_outlives_its_loop),
        weft_test(tasks_can_be_started_from_other_threads),
        weft_test(without_a_loop_it_is_refused),
        weft_test(bad_arguments_are_refused),
        weft_test(thousands_wait_at_once),
        weft_test(a_cancel_may_be_suppressed),
        weft_test(what_is_done_cannot_be_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
