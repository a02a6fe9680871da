/* SPDX-License-Identifier: MIT */
/* An executor of somebody else's works with the same calls. */
#include "support/places.h"

#include "futures/executor.h"

/* Runs each job at once, in its submitter. */
typedef struct inline_executor {
    weft_executor executor; /* first */
    bool closed;
    int submitted;
} inline_executor;

static int inline_submit(weft_executor *executor, weft_future *future)
{
    inline_executor *self = (inline_executor *)executor;
    if (self->closed)
        return weft_error(WEFT_ESHUTDOWN, "submit: closed");
    self->submitted++;
    if (weft_future_begin(future))
        weft_future_run(future);
    return 0;
}

static int inline_shutdown(weft_executor *executor, weft_shutdown_mode mode, weft_instant deadline)
{
    (void)mode;
    (void)deadline;
    ((inline_executor *)executor)->closed = true;
    return 0;
}

static size_t inline_width(weft_executor *executor)
{
    (void)executor;
    return 1;
}

static void inline_finalize(weft_handle *handle)
{
    weft_handle_clear(handle);
}

static const weft_executor_methods methods = {inline_submit, inline_shutdown, inline_width};
static const weft_kind kind = {
    .name = weft_executor_kind_name, .prefix = "Inline", .finalize = inline_finalize};

static inline_executor made;

static weft_executor *open_inline(void)
{
    made = (inline_executor){.executor = {.methods = &methods}};
    weft_handle_init(&made.executor.handle, &kind);
    return &made.executor;
}

static int square(void *arg)
{
    int n = *(int *)arg;
    return n * n;
}

static void submit_runs_by_its_table(void **state)
{
    (void)state;
    weft_executor *executor = open_inline();
    weft_future *future;
    assert_int_equal(weft_submit(executor, &future, square, WEFT_ARG((int){6}), NULL), 0);
    assert_true(weft_done(future));
    assert_int_equal(weft_result(future, WEFT_NONE, WEFT_NOWAIT), 36);
    weft_release(future);
    assert_int_equal(weft_submit(executor, NULL, square, WEFT_ARG((int){6}), NULL), 0);
    assert_int_equal(made.submitted, 2);
    weft_release(executor);
}

static void map_works_with_it(void **state)
{
    (void)state;
    weft_executor *executor = open_inline();
    int numbers[20], squares[20];
    for (int i = 0; i < 20; i++)
        numbers[i] = i;
    assert_int_equal(
        weft_map(executor, square, numbers, sizeof(int), 20, squares, sizeof(int), NULL), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(squares[i], i * i);
    assert_int_equal(made.submitted, 20);
    weft_release(executor);
}

static void after_the_shutdown_it_takes_nothing(void **state)
{
    (void)state;
    weft_executor *executor = open_inline();
    weft_future *future = (weft_future *)&made;
    assert_int_equal(weft_executor_shutdown(executor, (weft_shutdown_mode)9, 0), -EINVAL);
    assert_int_equal(weft_executor_shutdown(executor, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER), 0);
    assert_int_equal(weft_submit(executor, &future, square, WEFT_ARG((int){6}), NULL),
                     WEFT_ESHUTDOWN);
    assert_null(future);
    weft_release(executor);
}

static void what_is_no_executor_is_refused(void **state)
{
    (void)state;
    weft_future *future;
    weft_future_open(&future);
    void *wrong = future;
    assert_int_equal(weft_submit(wrong, NULL, square, WEFT_ARG((int){6}), NULL), -EINVAL);
    assert_non_null(strstr(weft_error_message(), "a future was given, not an executor"));
    assert_int_equal(weft_submit(NULL, NULL, square, WEFT_NONE, NULL), -EINVAL);
    assert_int_equal(weft_executor_shutdown(wrong, WEFT_SHUTDOWN_DRAIN, 0), -EINVAL);
    assert_int_equal(weft_executor_shutdown(NULL, WEFT_SHUTDOWN_DRAIN, 0), -EINVAL);
    weft_release(future);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(submit_runs_by_its_table),
        weft_test(map_works_with_it),
        weft_test(after_the_shutdown_it_takes_nothing),
        weft_test(what_is_no_executor_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
