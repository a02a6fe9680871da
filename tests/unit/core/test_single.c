/* SPDX-License-Identifier: MIT */
#include "core/single.h"

#include <pthread.h>

#include "support/support.h"

static weft_single single;
static _Atomic int calls;
static struct gate inside, leave;

static bool count(void)
{
    calls++;
    return true;
}

static bool fail_once(void)
{
    return calls++ > 0;
}

static bool stay_inside(void)
{
    calls++;
    gate_arrive(&inside);
    gate_wait(&leave);
    return true;
}

static void *run_and_look(void *arg)
{
    (void)arg;
    weft_single_run(&single, stay_inside);
    return calls == 1 ? NULL : &calls;
}

static void whoever_comes_while_another_is_at_it_waits_for_that_one(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    single = (weft_single){0};
    calls = 0;
    gate_init(&inside, 1);
    gate_init(&leave, 1);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_and_look, NULL), 0);
    gate_wait(&inside);
    assert_int_equal(calls, 1);
    gate_arrive(&leave);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_null(result);
    }
    weft_single_run(&single, count);
    assert_int_equal(calls, 1);
    gate_destroy(&inside);
    gate_destroy(&leave);
}

static int begin_anew(struct recorder *recorder, void *arg)
{
    (void)arg;
    weft_single_run(&single, count);
    RECORD_INT(recorder, calls, 2);
    weft_single_run(&single, count);
    RECORD_INT(recorder, calls, 2);
    return 0;
}

static void a_child_forked_in_its_middle_begins_anew(void **state)
{
    (void)state;
    pthread_t thread;
    struct recorder recorder = {0};
    struct child child;
    void *result;
    single = (weft_single){0};
    calls = 0;
    gate_init(&inside, 1);
    gate_init(&leave, 1);
    assert_int_equal(pthread_create(&thread, NULL, run_and_look, NULL), 0);
    gate_wait(&inside);
    assert_int_equal(child_start(&child, begin_anew, NULL), 0);
    assert_int_equal(child_join(&child, &recorder), 0);
    recorder_assert(&recorder);
    gate_arrive(&leave);
    pthread_join(thread, &result);
    assert_null(result);
    gate_destroy(&inside);
    gate_destroy(&leave);
}

static void what_has_failed_is_tried_again(void **state)
{
    (void)state;
    single = (weft_single){0};
    calls = 0;
    assert_false(weft_single_run(&single, fail_once));
    assert_true(weft_single_run(&single, fail_once));
    assert_true(weft_single_run(&single, fail_once));
    assert_int_equal(calls, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(whoever_comes_while_another_is_at_it_waits_for_that_one),
        weft_test(a_child_forked_in_its_middle_begins_anew),
        weft_test(what_has_failed_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
