/* SPDX-License-Identifier: MIT */
/* weft_test compares the census before each test with that after weft_shutdown. */
#include "support/places.h"

#include <math.h>
#include <unistd.h>

static int answer(void *arg)
{
    (void)arg;
    return 4;
}

static int waits(void *arg)
{
    int ends[2];
    weft_source *source;
    (void)arg;
    if (pipe(ends) < 0)
        return -errno;
    int r = weft_source_from_fd(&source, ends[0], WEFT_READABLE);
    if (r == 0)
        r = weft_wait(source, 0.001) == -ETIMEDOUT ? 0 : -EIO;
    weft_release(source);
    close(ends[0]);
    close(ends[1]);
    return r;
}

static void use_it(void)
{
    in_each_place(answer, NULL);
    in_each_place(waits, NULL);
    weft_completed completed;
    const char *const argv[] = {"/bin/true", NULL};
    assert_int_equal(weft_subprocess_run(&completed, argv, NULL), 0);
    weft_completed_clear(&completed);
}

static void before_first_use_there_is_nothing(void **state)
{
    (void)state;
    struct census before;
    char text[1024];
    census_take(&before);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    assert_int_equal(census_compare(&before, text, sizeof text), 0);
}

static void all_is_as_before_and_use_again_works(void **state)
{
    (void)state;
    struct census before;
    char text[1024];
    census_take(&before);
    for (int i = 0; i < 3; i++) {
        use_it();
        assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
        if (census_compare(&before, text, sizeof text) != 0)
            fail_msg("%s", text);
        assert_int_equal(weft_shutdown(WEFT_FOREVER), 0); /* once more is harmless */
    }
}

static int wait_at_gate(void *arg)
{
    gate_wait(arg);
    return 0;
}

static void time_up_names_the_thread_that_runs(void **state)
{
    (void)state;
    struct gate go;
    gate_init(&go, 1);
    assert_int_equal(weft_thread_start(NULL, wait_at_gate, WEFT_POINTER(&go),
                                       &(weft_thread_options){.name = "laggard"}),
                     0);
    assert_int_equal(weft_shutdown(0.001), -ETIMEDOUT);
    assert_non_null(strstr(weft_error_message(), "laggard"));
    assert_int_equal(weft_shutdown(WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(in_a_thread(answer, NULL), 4); /* nothing has been freed */
    gate_arrive(&go);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    gate_destroy(&go);
}

static void time_up_names_the_pool_that_runs(void **state)
{
    (void)state;
    struct gate go;
    weft_executor *pool;
    gate_init(&go, 1);
    assert_int_equal(weft_thread_pool_open(&pool, NULL), 0);
    weft_handle_set_name(pool, "lagoon");
    assert_int_equal(weft_submit(pool, NULL, wait_at_gate, WEFT_POINTER(&go), NULL), 0);
    assert_int_equal(weft_shutdown(0.001), -ETIMEDOUT);
    assert_non_null(strstr(weft_error_message(), "lagoon"));
    gate_arrive(&go);
    weft_release(pool);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    gate_destroy(&go);
}

static int sleep_for_ever(void *arg)
{
    gate_arrive(arg);
    return weft_sleep(WEFT_FOREVER);
}

static void daemons_are_cancelled(void **state)
{
    (void)state;
    struct gate started;
    weft_thread *thread;
    gate_init(&started, 1);
    weft_thread_start(&thread, sleep_for_ever, WEFT_POINTER(&started),
                      &(weft_thread_options){.daemon = true});
    gate_wait(&started);
    weft_release(thread);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    gate_destroy(&started);
}

static int shut_down_here(void *arg)
{
    struct recorder *recorder = arg;
    RECORD_INT(recorder, weft_shutdown(WEFT_FOREVER), -EBUSY);
    return 0;
}

static void where_it_would_wait_for_its_caller_it_is_refused(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    assert_int_equal(in_a_task(shut_down_here, &recorder), 0);
    assert_int_equal(in_a_job(shut_down_here, &recorder), 0);
    assert_int_equal(in_a_thread(shut_down_here, &recorder), 0);
    recorder_assert(&recorder);
    assert_int_equal(weft_shutdown(NAN), -EINVAL);
}

static void released_pools_run_out_first(void **state)
{
    (void)state;
    enum { JOBS = 50 };
    weft_executor *pool;
    weft_future *futures[JOBS];
    assert_int_equal(weft_thread_pool_open(&pool, &(weft_thread_pool_options){.max_workers = 2}),
                     0);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(weft_submit(pool, &futures[i], answer, WEFT_NONE, NULL), 0);
    weft_release(pool);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(weft_result(futures[i], WEFT_NONE, WEFT_FOREVER), 4);
    weft_release_many(futures, JOBS);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(before_first_use_there_is_nothing),
        weft_test(all_is_as_before_and_use_again_works),
        weft_test(time_up_names_the_thread_that_runs),
        weft_test(time_up_names_the_pool_that_runs),
        weft_test(daemons_are_cancelled),
        weft_test(where_it_would_wait_for_its_caller_it_is_refused),
        weft_test(released_pools_run_out_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
