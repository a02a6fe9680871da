/* SPDX-License-Identifier: MIT */
#include "support/places.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

static _Atomic int made, destroyed;

static int init_seven(void *copy)
{
    if (*(int *)copy != 0)
        return -EIO;
    *(int *)copy = 7;
    atomic_fetch_add(&made, 1);
    return 0;
}

static void count_destroyed(void *copy)
{
    *(int *)copy = -1;
    atomic_fetch_add(&destroyed, 1);
}

static weft_local zeroed = {.size = sizeof(int)};
static weft_local sevens = {.size = sizeof(int), .init = init_seven, .destroy = count_destroyed};

static int use_both(void *arg)
{
    struct recorder *recorder = arg;
    RECORD(recorder, weft_local_find(&zeroed) == NULL);
    RECORD(recorder, weft_local_find(&sevens) == NULL);
    int *number = weft_local_get(&zeroed), *seven = weft_local_get(&sevens);
    if (!RECORD(recorder, number != NULL && seven != NULL))
        return -EIO;
    RECORD_INT(recorder, *number, 0);
    RECORD_INT(recorder, *seven, 7);
    *number = 5;
    *seven = 8;
    RECORD_INT(recorder, weft_sleep(0), 0);
    RECORD(recorder, weft_local_get(&zeroed) == number && weft_local_find(&zeroed) == number);
    RECORD(recorder, weft_local_get(&sevens) == seven);
    RECORD_INT(recorder, *number + *seven, 5 + 8);
    return 0;
}

static void each_place_has_a_copy_of_its_own(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    made = destroyed = 0;
    in_each_place(use_both, &recorder);
    recorder_assert(&recorder);
    assert_int_equal(made, 4);
    assert_int_equal(destroyed, 3); /* this thread's is still there */
    assert_int_equal(*(int *)weft_local_get(&sevens), 8);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    assert_int_equal(destroyed, 4);
    assert_null(weft_local_find(&sevens));
}

static int step(void *arg)
{
    struct recorder *recorder = arg;
    for (int i = 0; i < 50; i++) {
        int *number = weft_local_get(&zeroed);
        RECORD_INT(recorder, *number, i);
        ++*number;
        RECORD_INT(recorder, weft_sleep(0), 0);
    }
    return 0;
}

static int several_tasks(void *arg)
{
    weft_task *tasks[4];
    for (int i = 0; i < 4; i++) {
        int r = weft_task_start(&tasks[i], step, WEFT_POINTER(arg), NULL);
        if (r < 0)
            return r;
    }
    int r = weft_gather(tasks, 4, WEFT_FOREVER);
    weft_release_many(tasks, 4);
    return weft_local_find(&zeroed) == NULL ? r : -EIO;
}

static void tasks_of_a_loop_do_not_share(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    assert_int_equal(in_a_task(several_tasks, &recorder), 0);
    recorder_assert(&recorder);
}

/* Jobs of a pool follow each other on one stack. */
static void jobs_do_not_inherit(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    weft_executor *pool;
    weft_future *futures[20];
    made = destroyed = 0;
    assert_int_equal(weft_thread_pool_open(&pool, &(weft_thread_pool_options){.max_workers = 1}),
                     0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(weft_submit(pool, &futures[i], use_both, WEFT_POINTER(&recorder), NULL),
                         0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(weft_result(futures[i], WEFT_NONE, WEFT_FOREVER), 0);
        assert_true(destroyed > i); /* before the result is there */
    }
    weft_release_many(futures, 20);
    weft_release(pool);
    recorder_assert(&recorder);
}

static int get_one(void *arg)
{
    (void)arg;
    return weft_local_get(&sevens) != NULL ? 3 : -EIO;
}

static void it_is_destroyed_before_the_result_is_there(void **state)
{
    (void)state;
    weft_thread *thread;
    made = destroyed = 0;
    for (int i = 1; i <= 50; i++) {
        assert_int_equal(weft_thread_start(&thread, get_one, WEFT_NONE, NULL), 0);
        assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 3);
        assert_int_equal(destroyed, i);
        weft_release(thread);
    }
}

static void *host_thread(void *arg)
{
    return get_one(arg) == 3 ? arg : NULL;
}

static void a_thread_of_the_host_has_one_too(void **state)
{
    pthread_t pthread;
    void *result;
    made = destroyed = 0;
    assert_int_equal(pthread_create(&pthread, NULL, host_thread, state), 0);
    assert_int_equal(pthread_join(pthread, &result), 0);
    assert_ptr_equal(result, state);
    assert_int_equal(destroyed, 1);
}

static void clear_makes_it_unset(void **state)
{
    (void)state;
    made = destroyed = 0;
    weft_local_clear(&sevens);
    assert_int_equal(destroyed, 0);
    *(int *)weft_local_get(&sevens) = 9;
    weft_local_clear(&sevens);
    assert_int_equal(destroyed, 1);
    assert_null(weft_local_find(&sevens));
    assert_int_equal(*(int *)weft_local_get(&sevens), 7);
    weft_local_clear(&sevens);
}

static int fail_to_init(void *copy)
{
    (void)copy;
    return weft_error(-EDOM, "no copy today");
}

static int fail_silently(void *copy)
{
    (void)copy;
    return -EDOM;
}

static void misuse_and_failures_give_null(void **state)
{
    (void)state;
    weft_local none = {0}, failing = {.size = 1, .init = fail_to_init};
    weft_local huge = {.size = SIZE_MAX - 8};
    assert_null(weft_local_get(&none));
    assert_string_equal(weft_error_message(), "local: no size");
    assert_null(weft_local_get(&failing));
    assert_string_equal(weft_error_message(), "no copy today");
    assert_null(weft_local_find(&failing));
    failing.init = fail_silently;
    assert_null(weft_local_get(&failing));
    assert_non_null(strstr(weft_error_message(), "out of domain"));
    assert_null(weft_local_get(&huge));
    weft_local *shared = weft_shared_alloc(sizeof *shared);
    assert_non_null(shared);
    shared->size = 1;
    assert_null(weft_local_get(shared));
    weft_shared_free(shared);
}

/* The memory of one is used for another: nothing of the old one is seen. */
static void another_at_the_same_place_is_another(void **state)
{
    (void)state;
    weft_local *local = calloc(1, sizeof *local);
    assert_non_null(local);
    local->size = sizeof(int);
    int *first = weft_local_get(local);
    assert_non_null(first);
    *first = 5;
    *local = (weft_local){.size = 1000};
    assert_null(weft_local_find(local));
    unsigned char *second = weft_local_get(local);
    assert_non_null(second);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(second[i], 0);
    free(local);
}

enum { MANY = 300 };

static int destroyed_last; /* which; each must be one less than the one before */

static void in_reverse(void *copy)
{
    if (*(int *)copy == destroyed_last - 1)
        destroyed_last--;
}

static int use_many(void *arg)
{
    weft_local *many = arg;
    for (int i = 0; i < MANY; i++) {
        int *copy = weft_local_get(&many[i]);
        if (copy == NULL)
            return -ENOMEM;
        *copy = i;
    }
    for (int i = 0; i < MANY; i++)
        if (*(int *)weft_local_find(&many[i]) != i)
            return -EIO;
    return 0;
}

static void many_are_found_and_the_newest_goes_first(void **state)
{
    (void)state;
    weft_local *many = calloc(MANY, sizeof *many);
    assert_non_null(many);
    for (int i = 0; i < MANY; i++)
        many[i] = (weft_local){.size = sizeof(int), .destroy = in_reverse};
    destroyed_last = MANY;
    assert_int_equal(in_a_thread(use_many, many), 0);
    assert_int_equal(destroyed_last, 0);
    free(many);
}

static weft_local stubborn;

static void make_again(void *copy)
{
    atomic_fetch_add(&destroyed, *(int *)copy);
    int *again = weft_local_get(&stubborn);
    if (again != NULL)
        *again = 1;
}

static int use_stubborn(void *arg)
{
    (void)arg;
    int *copy = weft_local_get(&stubborn);
    if (copy == NULL || weft_local_get(&sevens) == NULL)
        return -ENOMEM;
    *copy = 1;
    return 0;
}

static void a_destructor_that_makes_copies_comes_to_an_end(void **state)
{
    (void)state;
    stubborn = (weft_local){.size = sizeof(int), .destroy = make_again};
    destroyed = 0;
    assert_int_equal(in_a_thread(use_stubborn, NULL), 0);
    assert_true(destroyed >= 2);
}

static int child_sees(struct recorder *recorder, void *arg)
{
    int *seven = weft_local_find(&sevens);
    if (RECORD(recorder, seven != NULL))
        RECORD_INT(recorder, *seven, *(int *)arg);
    RECORD(recorder, weft_local_find(&zeroed) == NULL);
    RECORD(recorder, weft_local_get(&zeroed) != NULL);
    return 0;
}

static int fork_with_a_copy(void *arg)
{
    struct recorder *recorder = arg;
    struct child child;
    int *seven = weft_local_get(&sevens);
    if (seven == NULL)
        return -ENOMEM;
    *seven = 11;
    int r = child_start(&child, child_sees, seven);
    if (r == 0)
        RECORD_INT(recorder, child_join(&child, recorder), 0);
    RECORD_INT(recorder, *seven, 11);
    return r;
}

static void a_forked_child_has_the_copies_of_who_forked(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    in_each_place(fork_with_a_copy, &recorder);
    recorder_assert(&recorder);
}

static int look_in_handler(const weft_signal_info *info, void *arg)
{
    (void)info;
    int *seven = weft_local_find(&sevens);
    *(int *)arg = seven != NULL ? *seven : -1;
    *(int *)weft_local_get(&zeroed) = 3; /* made in the handler, seen after it */
    return 0;
}

static void a_signal_handler_runs_with_those_of_the_main_thread(void **state)
{
    (void)state;
    int seen = 0;
    weft_local_clear(&zeroed);
    *(int *)weft_local_get(&sevens) = 12;
    assert_int_equal(weft_signal_set(SIGUSR1, look_in_handler, &seen), 0);
    assert_int_equal(weft_signal_raise(SIGUSR1), 0);
    assert_int_equal(weft_signal_check(), 0);
    assert_int_equal(seen, 12);
    int *number = weft_local_find(&zeroed);
    assert_non_null(number);
    assert_int_equal(*number, 3);
}

static int wait_in_first_init(void *copy)
{
    static int calls;
    *(int *)copy = ++calls;
    return calls == 1 ? weft_signal_raise(SIGUSR1) < 0 ? -EIO : weft_sleep(0) : 0;
}

static weft_local waiting = {
    .size = sizeof(int), .init = wait_in_first_init, .destroy = count_destroyed};

static int get_in_handler(const weft_signal_info *info, void *arg)
{
    (void)info;
    *(int **)arg = weft_local_get(&waiting);
    return 0;
}

static void what_a_handler_makes_while_init_waits_is_the_one(void **state)
{
    (void)state;
    int *in_handler = NULL;
    destroyed = 0;
    assert_int_equal(weft_signal_set(SIGUSR1, get_in_handler, &in_handler), 0);
    int *got = weft_local_get(&waiting);
    assert_non_null(got);
    assert_ptr_equal(got, in_handler);
    assert_ptr_equal(got, weft_local_find(&waiting));
    assert_int_equal(destroyed, 1); /* the other one */
    weft_local_clear(&waiting);
    assert_null(weft_local_find(&waiting));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(each_place_has_a_copy_of_its_own),
        weft_test(tasks_of_a_loop_do_not_share),
        weft_test(jobs_do_not_inherit),
        weft_test(it_is_destroyed_before_the_result_is_there),
        weft_test(a_thread_of_the_host_has_one_too),
        weft_test(clear_makes_it_unset),
        weft_test(misuse_and_failures_give_null),
        weft_test(another_at_the_same_place_is_another),
        weft_test(many_are_found_and_the_newest_goes_first),
        weft_test(a_destructor_that_makes_copies_comes_to_an_end),
        weft_test(a_forked_child_has_the_copies_of_who_forked),
        weft_test(a_signal_handler_runs_with_those_of_the_main_thread),
        weft_test(what_a_handler_makes_while_init_waits_is_the_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
