/* SPDX-License-Identifier: MIT */
/* Waiting for handles of several kinds at once, in each place where a function can run. */
#include "support/places.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#define PLACES(behaviour)                                                                          \
    do {                                                                                           \
        struct recorder recorder = {0};                                                            \
        in_each_place(behaviour, &recorder);                                                       \
        recorder_assert(&recorder);                                                                \
    } while (0)

typedef struct mixed {
    weft_future *future;
    weft_event event;
    weft_source *from_event, *from_fd;
    weft_thread *thread;
    struct gate go;
    int ends[2];
    void *handles[4];
} mixed;

static int wait_at_gate(void *arg)
{
    gate_wait(arg);
    return 9;
}

static void mixed_open(mixed *m)
{
    memset(m, 0, sizeof *m);
    gate_init(&m->go, 1);
    if (pipe(m->ends) < 0)
        abort();
    weft_future_open(&m->future);
    weft_source_from_event(&m->from_event, &m->event);
    weft_source_from_fd(&m->from_fd, m->ends[0], WEFT_READABLE);
    weft_thread_start(&m->thread, wait_at_gate, WEFT_POINTER(&m->go), NULL);
    void *all[] = {m->future, m->from_event, m->from_fd, m->thread};
    memcpy(m->handles, all, sizeof all);
}

static void mixed_close(mixed *m)
{
    gate_arrive(&m->go);
    weft_thread_join(m->thread, WEFT_FOREVER);
    void *all[] = {m->future, m->from_event, m->from_fd, m->thread};
    weft_release_many(all, 4);
    close(m->ends[0]);
    close(m->ends[1]);
    gate_destroy(&m->go);
}

static void make_ready(mixed *m, int which)
{
    if (which == 0)
        weft_future_set_result(m->future, WEFT_NONE);
    else if (which == 1)
        weft_event_set(&m->event);
    else if (which == 2)
        (void)!write(m->ends[1], "x", 1);
    else
        gate_arrive(&m->go);
}

typedef struct later {
    mixed *m;
    int which;
} later;

static int make_ready_later(void *arg)
{
    later *when = arg;
    int r = weft_sleep(0.002); /* whether the other waits by then or not, it ends the same */
    make_ready(when->m, when->which);
    return r;
}

static int any_of_mixed(void *arg)
{
    struct recorder *recorder = arg;
    for (int which = 0; which < 4; which++) {
        for (int before = 0; before < 2; before++) {
            mixed m;
            mixed_open(&m);
            weft_thread *helper = NULL;
            RECORD_INT(recorder, weft_wait_any(m.handles, 4, WEFT_NOWAIT), -ETIMEDOUT);
            RECORD_INT(recorder, weft_wait_any(m.handles, 4, 0.0005), -ETIMEDOUT);
            later when = {&m, which};
            if (before && which < 3)
                make_ready(&m, which);
            else
                weft_thread_start(&helper, make_ready_later, WEFT_ARG(when), NULL);
            RECORD_INT(recorder, weft_wait_any(m.handles, 4, WEFT_FOREVER), which);
            RECORD(recorder, weft_done(m.handles[which]));
            if (helper != NULL)
                weft_thread_join(helper, WEFT_FOREVER);
            weft_release(helper);
            mixed_close(&m);
        }
    }
    return 0;
}

static void any_of_mixed_kinds(void **state)
{
    (void)state;
    PLACES(any_of_mixed);
}

static int all_of_mixed(void *arg)
{
    struct recorder *recorder = arg;
    const weft_wait_mode modes[] = {WEFT_WAIT_ALL, WEFT_WAIT_FIRST_EXCEPTION};
    for (int how = 0; how < 2; how++) {
        mixed m;
        weft_thread *helpers[4];
        mixed_open(&m);
        RECORD_INT(recorder, weft_wait_many(m.handles, 4, modes[how], NULL, 0), 0);
        for (int which = 0; which < 4; which++) {
            later when = {&m, which};
            weft_thread_start(&helpers[which], make_ready_later, WEFT_ARG(when), NULL);
        }
        bool done[4];
        RECORD_INT(recorder, weft_wait_many(m.handles, 4, modes[how], done, 10), 4);
        for (int i = 0; i < 4; i++)
            RECORD(recorder, done[i]);
        RECORD_INT(recorder, weft_wait_all(m.handles, 4, WEFT_FOREVER), 0);
        for (int i = 0; i < 4; i++)
            weft_thread_join(helpers[i], WEFT_FOREVER);
        weft_release_many(helpers, 4);
        mixed_close(&m);
    }
    return 0;
}

static void all_of_mixed_kinds(void **state)
{
    (void)state;
    PLACES(all_of_mixed);
}

static int loop_over_any(void *arg)
{
    struct recorder *recorder = arg;
    weft_future *futures[3];
    for (int i = 0; i < 3; i++)
        weft_future_open(&futures[i]);
    void *handles[] = {NULL, futures[0], NULL, futures[1], futures[2]};
    weft_future_set_result(futures[1], WEFT_NONE);
    weft_future_set_result(futures[0], WEFT_NONE);
    int order[3], count = 0, r;
    while ((r = weft_wait_any(handles, 5, WEFT_FOREVER)) >= 0) {
        order[count++] = r;
        handles[r] = NULL;
        if (count == 2)
            weft_future_set_result(futures[2], WEFT_NONE);
    }
    RECORD_INT(recorder, r, -ENOENT);
    RECORD_INT(recorder, count, 3);
    RECORD_INT(recorder, order[0], 1); /* the first in the array of those that are ready */
    RECORD_INT(recorder, order[1], 3);
    RECORD_INT(recorder, order[2], 4);
    RECORD_INT(recorder, weft_wait_any(handles, 5, WEFT_NOWAIT), -ENOENT);
    RECORD_INT(recorder, weft_wait_any(handles, 0, WEFT_FOREVER), -ENOENT);
    RECORD_INT(recorder, weft_wait_all(handles, 5, WEFT_FOREVER), 0);
    RECORD_INT(recorder, weft_wait_all(handles, 0, WEFT_FOREVER), 0);
    for (int mode = WEFT_WAIT_ALL; mode <= WEFT_WAIT_FIRST_EXCEPTION; mode++) {
        bool done[5] = {true, true, true, true, true};
        RECORD_INT(recorder, weft_wait_many(handles, 5, (weft_wait_mode)mode, done, WEFT_FOREVER),
                   0);
        RECORD(recorder, !done[0] && !done[4]);
    }
    weft_release_many(futures, 3);
    return 0;
}

static void null_entries_are_skipped(void **state)
{
    (void)state;
    PLACES(loop_over_any);
}

static int bad_arguments(void *arg)
{
    struct recorder *recorder = arg;
    weft_future *future;
    weft_future_open(&future);
    uint64_t words[32] = {0};
    void *handles[] = {future, words};
    RECORD_INT(recorder, weft_wait(future, NAN), -EINVAL);
    RECORD_INT(recorder, weft_wait_any(&future, 1, NAN), -EINVAL);
    RECORD_INT(recorder, weft_wait_all(&future, 1, NAN), -EINVAL);
    RECORD_INT(recorder, weft_wait_many(&future, 1, WEFT_WAIT_ALL, NULL, NAN), -EINVAL);
    RECORD_INT(recorder, weft_wait_many(&future, 1, (weft_wait_mode)77, NULL, 0), -EINVAL);
    RECORD_INT(recorder, weft_wait_any(handles, 2, 0), -EINVAL);
    RECORD_INT(recorder, weft_wait_all(handles, 2, 0), -EINVAL);
    RECORD_INT(recorder, weft_gather(handles, 2, 0), -EINVAL);
    weft_release(future);
    return 0;
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    PLACES(bad_arguments);
}

static int polls(void *arg)
{
    struct recorder *recorder = arg;
    weft_future *futures[2];
    weft_future_open(&futures[0]);
    weft_future_open(&futures[1]);
    weft_future_set_result(futures[1], WEFT_NONE);
    RECORD_INT(recorder, weft_wait(futures[0], WEFT_NOWAIT), -ETIMEDOUT);
    RECORD_INT(recorder, weft_wait(futures[1], WEFT_NOWAIT), 0);
    RECORD_INT(recorder, weft_wait_all(futures, 2, WEFT_NOWAIT), -ETIMEDOUT);
    RECORD_INT(recorder, weft_wait_any(futures, 1, WEFT_NOWAIT), -ETIMEDOUT);
    RECORD_INT(recorder, weft_wait_any(futures, 2, WEFT_NOWAIT), 1);
    bool done[2];
    for (int mode = WEFT_WAIT_ALL; mode <= WEFT_WAIT_FIRST_EXCEPTION; mode++) {
        RECORD_INT(recorder, weft_wait_many(futures, 2, (weft_wait_mode)mode, done, 0), 1);
        RECORD(recorder, !done[0] && done[1]);
    }
    weft_release_many(futures, 2);
    return 0;
}

static void timeout_zero_polls(void **state)
{
    (void)state;
    PLACES(polls);
}

static int first_exception(void *arg)
{
    struct recorder *recorder = arg;
    weft_future *futures[4];
    bool done[4];
    for (int i = 0; i < 4; i++)
        weft_future_open(&futures[i]);
    weft_cancel(futures[3]); /* a cancelled one has not failed */
    weft_future_set_result(futures[0], WEFT_NONE);
    RECORD_INT(recorder, weft_wait_many(futures, 4, WEFT_WAIT_FIRST_EXCEPTION, done, 0.001), 2);
    weft_future_set_exception(futures[2], -EIO, NULL);
    RECORD_INT(recorder, weft_wait_many(futures, 4, WEFT_WAIT_FIRST_EXCEPTION, done, WEFT_FOREVER),
               3);
    RECORD(recorder, done[0] && !done[1] && done[2] && done[3]);
    weft_release_many(futures, 4);
    return 0;
}

static void first_exception_ends_at_a_failure(void **state)
{
    (void)state;
    PLACES(first_exception);
}

enum { MANY = 1000 };

static int set_one(void *arg)
{
    weft_future **futures = *(weft_future ***)arg;
    weft_sleep(0.001);
    for (int i = MANY - 1; i >= 0; i--)
        weft_future_set_result(futures[i], WEFT_NONE);
    return 0;
}

static int a_thousand(void *arg)
{
    struct recorder *recorder = arg;
    weft_future **futures = calloc(MANY, sizeof *futures);
    weft_thread *thread;
    for (int i = 0; i < MANY; i++)
        weft_future_open(&futures[i]);
    RECORD_INT(recorder, weft_wait_any(futures, MANY, 0.0005), -ETIMEDOUT);
    weft_thread_start(&thread, set_one, WEFT_ARG(futures), NULL);
    RECORD(recorder, weft_wait_any(futures, MANY, WEFT_FOREVER) >= 0);
    RECORD_INT(recorder, weft_gather(futures, MANY, WEFT_FOREVER), 0);
    RECORD_INT(recorder, weft_wait_all(futures, MANY, WEFT_FOREVER), 0);
    RECORD_INT(recorder, weft_wait_many(futures, MANY, WEFT_WAIT_FIRST_EXCEPTION, NULL, 0), MANY);
    weft_thread_join(thread, WEFT_FOREVER);
    weft_release(thread);
    weft_release_many(futures, MANY);
    free(futures);
    return 0;
}

static void a_thousand_handles(void **state)
{
    (void)state;
    PLACES(a_thousand);
}

static int the_same_twice(void *arg)
{
    struct recorder *recorder = arg;
    weft_future *future;
    weft_future_open(&future);
    void *handles[] = {future, future, future};
    RECORD_INT(recorder, weft_wait_any(handles, 3, 0.001), -ETIMEDOUT);
    RECORD_INT(recorder, weft_gather(handles, 3, 0.001), -ETIMEDOUT);
    weft_future_set_result(future, WEFT_NONE);
    RECORD_INT(recorder, weft_wait_any(handles, 3, WEFT_FOREVER), 0);
    RECORD_INT(recorder, weft_gather(handles, 3, WEFT_FOREVER), 0);
    weft_release(future);
    return 0;
}

static void a_handle_may_stand_there_twice(void **state)
{
    (void)state;
    PLACES(the_same_twice);
}

typedef struct cancelled_wait {
    weft_future *futures[2];
    struct gate waits;
    int how, r;
} cancelled_wait;

static int wait_somehow(void *arg)
{
    cancelled_wait *test = arg;
    gate_arrive(&test->waits);
    switch (test->how) {
    case 0:
        return test->r = weft_wait(test->futures[0], WEFT_FOREVER);
    case 1:
        return test->r = weft_wait_any(test->futures, 2, WEFT_FOREVER);
    case 2:
        return test->r = weft_wait_all(test->futures, 2, WEFT_FOREVER);
    case 3:
        return test->r =
                   weft_wait_many(test->futures, 2, WEFT_WAIT_FIRST_EXCEPTION, NULL, WEFT_FOREVER);
    case 4:
        return test->r = weft_wait_many(test->futures, 2, WEFT_WAIT_ALL, NULL, WEFT_FOREVER);
    default:
        return test->r = weft_gather(test->futures, 2, WEFT_FOREVER);
    }
}

static void a_cancel_ends_every_wait_and_only_gather_passes_it_on(void **state)
{
    (void)state;
    for (int how = 0; how <= 5; how++) {
        cancelled_wait test = {.how = how};
        weft_thread *thread;
        gate_init(&test.waits, 1);
        weft_future_open(&test.futures[0]);
        weft_future_open(&test.futures[1]);
        weft_thread_start(&thread, wait_somehow, WEFT_POINTER(&test), NULL);
        gate_wait(&test.waits);
        assert_int_equal(weft_cancel(thread), 1);
        assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), -ECANCELED);
        assert_int_equal(test.r, -ECANCELED);
        for (int i = 0; i < 2; i++)
            assert_int_equal(weft_done(test.futures[i]), how == 5);
        weft_release(thread);
        weft_release_many(test.futures, 2);
        gate_destroy(&test.waits);
    }
}

static int wait_on_it(void *arg)
{
    return weft_wait(*(weft_future **)arg, WEFT_FOREVER);
}

static void one_completion_wakes_all_who_wait(void **state)
{
    (void)state;
    enum { WAITERS = 40 };
    weft_future *future;
    weft_thread *threads[WAITERS];
    weft_future_open(&future);
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(weft_thread_start(&threads[i], wait_on_it, WEFT_ARG(future), NULL), 0);
    assert_int_equal(weft_wait(future, 0.002), -ETIMEDOUT); /* one who has gone does not matter */
    weft_future_set_result(future, WEFT_NONE);
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(weft_result(threads[i], WEFT_NONE, WEFT_FOREVER), 0);
    weft_release_many(threads, WAITERS);
    weft_release(future);
}

static int commands(void *arg)
{
    struct recorder *recorder = arg;
    weft_popen *popens[3];
    const char *const quick[] = {"/bin/sh", "-c", "exit 3", NULL};
    const char *const slow[] = {"/bin/sh", "-c", "read x", NULL};
    weft_popen_options options = {.in = WEFT_PIPE};
    RECORD_INT(recorder, weft_popen_start(&popens[0], slow, &options), 0);
    RECORD_INT(recorder, weft_popen_start(&popens[1], quick, &options), 0);
    RECORD_INT(recorder, weft_popen_start(&popens[2], slow, &options), 0);
    weft_future *future;
    weft_future_open(&future);
    void *handles[] = {popens[0], popens[1], future, popens[2]};
    RECORD_INT(recorder, weft_wait_any(handles, 4, WEFT_FOREVER), 1);
    RECORD_INT(recorder, weft_result(popens[1], WEFT_NONE, WEFT_FOREVER), WEFT_ECALLED_PROCESS);
    RECORD_INT(recorder, weft_wait_many(handles, 4, WEFT_WAIT_FIRST_EXCEPTION, NULL, WEFT_FOREVER),
               1);
    weft_popen_kill(popens[0]);
    weft_popen_kill(popens[2]);
    weft_future_set_result(future, WEFT_NONE);
    RECORD_INT(recorder, weft_wait_all(handles, 4, WEFT_FOREVER), 0);
    weft_release_many(handles, 4);
    return 0;
}

static void commands_join(void **state)
{
    (void)state;
    PLACES(commands);
}

/* A thread of the host's that has no memory for its first wait. */
static void *first_wait(void *arg)
{
    void **handles = arg;
    intptr_t r = weft_wait_any(handles, 2, 1);
    return (void *)r;
}

static void without_memory_for_a_context_a_wait_fails(void **state)
{
    (void)state;
    weft_future *futures[2];
    pthread_t thread;
    void *r;
    weft_future_open(&futures[0]);
    weft_future_open(&futures[1]);
    void *handles[] = {futures[0], futures[1]};
    allocator_fail(1, ALLOCATOR_ONWARDS);
    assert_int_equal(pthread_create(&thread, NULL, first_wait, handles), 0);
    pthread_join(thread, &r);
    allocator_fail(0, ALLOCATOR_ONCE);
    assert_int_equal((intptr_t)r, -ENOMEM);
    weft_release_many(futures, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(any_of_mixed_kinds),
        weft_test(all_of_mixed_kinds),
        weft_test(null_entries_are_skipped),
        weft_test(bad_arguments_are_refused),
        weft_test(timeout_zero_polls),
        weft_test(first_exception_ends_at_a_failure),
        weft_test(a_thousand_handles),
        weft_test(a_handle_may_stand_there_twice),
        weft_test(a_cancel_ends_every_wait_and_only_gather_passes_it_on),
        weft_test(one_completion_wakes_all_who_wait),
        weft_test(commands_join),
        weft_test(without_memory_for_a_context_a_wait_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
