/* SPDX-License-Identifier: MIT */
/* The census finds what is left behind, and nothing where nothing is. */
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/memory.h"

static char text[2048];

static void nothing_left_is_nothing_found(void **state)
{
    struct census before;
    (void)state;
    census_take(&before);
    assert_int_equal(census_compare(&before, text, sizeof text), 0);
}

static void an_open_descriptor_is_found(void **state)
{
    struct census before;
    (void)state;
    census_take(&before);
    int fd = open("/dev/null", O_RDONLY);
    assert_int_equal(census_compare(&before, text, sizeof text), 1);
    assert_non_null(strstr(text, "left open"));
    close(fd);
    assert_int_equal(census_compare(&before, text, sizeof text), 0);
}

static void *wait_at_gate(void *arg)
{
    gate_wait(arg);
    return NULL;
}

static void a_running_thread_is_found(void **state)
{
    struct census before;
    struct gate gate;
    pthread_t thread;
    (void)state;
    gate_init(&gate, 1);
    census_take(&before);
    if (before.threads < 0)
        skip();
    assert_int_equal(pthread_create(&thread, NULL, wait_at_gate, &gate), 0);
    struct census after;
    census_take(&after);
    long during = after.threads;
    gate_arrive(&gate);
    pthread_join(thread, NULL);
    assert_true(during > before.threads);
    gate_destroy(&gate);
}

static int exit_with_seven(struct recorder *recorder, void *arg)
{
    (void)arg;
    RECORD(recorder, true);
    return 7;
}

static void a_zombie_is_found(void **state)
{
    struct census before;
    struct child child;
    struct recorder recorder = {0};
    siginfo_t info;
    (void)state;
    census_take(&before);
    assert_int_equal(child_start(&child, exit_with_seven, NULL), 0);
    while (waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        ;
    int found = census_compare(&before, text, sizeof text);
    assert_int_equal(child_join(&child, &recorder), 7);
    recorder_assert(&recorder);
    assert_int_equal(found, 2); /* the child, and the descriptor it records through */
    assert_int_equal(census_compare(&before, text, sizeof text), 0);
}

static void a_handler_and_a_mask_are_found(void **state)
{
    struct census before;
    sigset_t set, old;
    (void)state;
    census_take(&before);
    struct sigaction ignore = {.sa_handler = SIG_IGN}, found_there;
    sigaction(SIGUSR1, &ignore, &found_there);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, &old);
    int found = census_compare(&before, text, sizeof text);
    sigaction(SIGUSR1, &found_there, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    assert_true(found >= 2);
    assert_non_null(strstr(text, "left blocked"));
}

static void a_block_is_found(void **state)
{
    struct census before;
    (void)state;
    census_take(&before);
    void *block = weft_alloc(100);
    int found = census_compare(&before, text, sizeof text);
    weft_dealloc(block);
    assert_int_equal(found, 1);
    assert_int_equal(census_compare(&before, text, sizeof text), 0);
}

static int two_blocks(void *arg)
{
    void *a = weft_alloc(1);
    void *b = weft_alloc(2);
    bool leak = *(bool *)arg;
    int r = a != NULL && b != NULL ? 0 : -ENOMEM;
    weft_dealloc(a);
    if (!leak)
        weft_dealloc(b);
    return r;
}

static void the_nth_request_fails_once_or_from_then_on(void **state)
{
    bool leak = false;
    (void)state;
    allocator_fail(2, ALLOCATOR_ONCE);
    void *one = weft_alloc(1), *two = weft_alloc(1), *three = weft_alloc(1);
    assert_true(allocator_failed());
    weft_dealloc(one);
    weft_dealloc(three);
    assert_non_null(one);
    assert_null(two);
    assert_non_null(three);
    allocator_fail(1, ALLOCATOR_ONWARDS);
    assert_null(weft_alloc(1));
    assert_null(weft_alloc(1));
    assert_int_equal(allocator_fault_loop(two_blocks, &leak), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        census_test(nothing_left_is_nothing_found),
        census_test(an_open_descriptor_is_found),
        census_test(a_running_thread_is_found),
        census_test(a_zombie_is_found),
        census_test(a_handler_and_a_mask_are_found),
        census_test(a_block_is_found),
        census_test(the_nth_request_fails_once_or_from_then_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
