/* SPDX-License-Identifier: MIT */
/*
 * weft_shutdown beside threads at their last instructions: it returns when they are gone, so
 * nothing of theirs is left, and nothing of weft's is used after it has been freed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stress/stress.h"
#include "support/support.h"

enum { ROUNDS = 6000 * STRESS_FACTOR, THREADS = 4 };

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* The handle of each thread is dropped at another moment of its life. */
static int start_and_drop(unsigned when)
{
    weft_thread *thread;
    int r = weft_thread_start(when == 0 ? NULL : &thread, nothing, WEFT_NONE, NULL);
    if (r < 0 || when == 0)
        return r;
    if (when == 1)
        r = weft_result(thread, WEFT_NONE, WEFT_FOREVER);
    else if (when == 2)
        r = weft_thread_join(thread, WEFT_FOREVER);
    weft_release(thread);
    return r;
}

static void threads_that_nobody_joined_are_gone_after_it(void **state)
{
    (void)state;
    uint64_t seed = stress_seed("shutdown");
    for (int i = 0; i < ROUNDS; i++) {
        for (int n = 0; n < THREADS; n++)
            assert_int_equal(start_and_drop(stress_random(&seed) % 4), 0);
        assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
        assert_int_equal(allocator_blocks(), 0);
    }
}

/* A thread of the host's is not waited for: it may end at any moment. */
static void *use_weft_and_end(void *arg)
{
    int r = weft_sleep(0);
    gate_pass(arg);
    return r < 0 ? arg : NULL;
}

static void threads_of_the_hosts_may_end_beside_it(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < ROUNDS / 10; i++) {
        struct gate gate;
        gate_init(&gate, THREADS + 1);
        for (int n = 0; n < THREADS; n++)
            assert_int_equal(pthread_create(&threads[n], NULL, use_weft_and_end, &gate), 0);
        gate_pass(&gate);
        assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
        for (int n = 0; n < THREADS; n++) {
            void *failed;
            pthread_join(threads[n], &failed);
            assert_null(failed);
        }
        gate_destroy(&gate);
    }
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    assert_int_equal(allocator_blocks(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(threads_that_nobody_joined_are_gone_after_it),
        weft_test(threads_of_the_hosts_may_end_beside_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
