/* SPDX-License-Identifier: MIT */
/*
 * Stacks and their pool, whichever implementation stands behind them. Where the switch brings its
 * own frames (low is NULL) only the control block is looked at, and the guard is found by a
 * coroutine's own overflow.
 */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/stack.h"
#include "support/support.h"

enum {
    SIZE = 256 * 1024,
    MANY = 100000,
};

static bool is_zeroed(const void *memory, size_t size)
{
    const unsigned char *byte = memory;
    for (size_t i = 0; i < size; i++)
        if (byte[i] != 0)
            return false;
    return true;
}

static int trim(void **state)
{
    (void)state;
    weft_stack_trim();
    return 0;
}

static void a_stack_has_its_size_and_an_aligned_control_block(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 16384, 20000, 65536, SIZE, 1 << 20, 8 << 20, 100 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        weft_stack stack;
        weft_stack_trim(); /* the next one is fresh */
        assert_int_equal(weft_stack_acquire(&stack, sizes[i], true), 0);
        assert_true(stack.slot >= sizes[i] && stack.slot >= WEFT_STACK_SMALLEST);
        assert_true((stack.slot & (stack.slot - 1)) == 0);
        assert_true((uintptr_t)stack.control % 64 == 0);
        assert_true(is_zeroed(stack.control, WEFT_STACK_CONTROL));
        memset(stack.control, 0xa5, WEFT_STACK_CONTROL);
        if (stack.low != NULL) {
            assert_ptr_equal((char *)stack.low + stack.size, stack.control);
            assert_true(stack.size >= stack.slot / 2);
            *(volatile char *)stack.low = 1;
            *((volatile char *)stack.control - 1) = 1;
        }
        weft_stack_release(&stack);
    }
}

static void a_size_above_a_gigabyte_is_refused(void **state)
{
    (void)state;
    weft_stack stack;
    assert_int_equal(weft_stack_acquire(&stack, ((size_t)1 << 30) + 1, true), -EINVAL);
    assert_int_equal(weft_stack_acquire(&stack, SIZE_MAX, true), -EINVAL);
    int r = weft_stack_acquire(&stack, (size_t)1 << 30, true);
    assert_true(r == 0 || r == -ENOMEM);
    if (r == 0)
        weft_stack_release(&stack);
}

static void the_pool_hands_out_the_newest_with_its_control_block_kept(void **state)
{
    (void)state;
    weft_stack a, b, again, other = {0};
    assert_int_equal(weft_stack_acquire(&a, SIZE, true), 0);
    assert_int_equal(weft_stack_acquire(&b, SIZE, true), 0);
    memset(a.control, 'a', WEFT_STACK_CONTROL);
    memset(b.control, 'b', WEFT_STACK_CONTROL);
    weft_stack_release(&b);
    weft_stack_release(&a);
    if (a.low != NULL) { /* frames are of one size */
        assert_int_equal(weft_stack_acquire(&other, SIZE / 4, true), 0);
        assert_ptr_not_equal(other.control, a.control);
    }
    assert_int_equal(weft_stack_acquire(&again, SIZE - 1, true), 0);
    assert_ptr_equal(again.control, a.control);
    assert_ptr_equal(again.low, a.low);
    for (size_t i = 0; i < WEFT_STACK_CONTROL; i++)
        assert_int_equal(((char *)again.control)[i], 'a');
    weft_stack_release(&again);
    if (other.control != NULL)
        weft_stack_release(&other);
}

static void trim_keeps_what_is_in_use(void **state)
{
    (void)state;
    weft_stack used, gone, fresh;
    weft_stack_trim();
    assert_int_equal(weft_stack_acquire(&used, SIZE, true), 0);
    assert_int_equal(weft_stack_acquire(&gone, SIZE, true), 0);
    memset(used.control, 'u', WEFT_STACK_CONTROL);
    memset(gone.control, 'g', WEFT_STACK_CONTROL);
    weft_stack_release(&gone);
    weft_stack_trim();
    assert_int_equal(*(char *)used.control, 'u');
    weft_stack_release(&used);
    weft_stack_trim();
    weft_stack_trim();
    assert_int_equal(weft_stack_acquire(&fresh, SIZE, true), 0);
    assert_true(is_zeroed(fresh.control, WEFT_STACK_CONTROL));
    weft_stack_release(&fresh);
}

static void a_hundred_thousand_guarded_stacks_live_at_once(void **state)
{
    (void)state;
    weft_stack *stacks = calloc(MANY, sizeof *stacks);
    assert_non_null(stacks);
    int got = 0, r = 0;
    bool all_guarded = true;
    while (got < MANY) {
        r = weft_stack_acquire(&stacks[got], SIZE, false);
        if (r < 0)
            break;
        all_guarded = all_guarded && stacks[got].guarded;
        *(int *)stacks[got].control = got;
        got++;
    }
    /* Where guards cost mappings, there is an end, with a code; no stack is then without a guard.
     */
    assert_true(got == MANY || r == -EAGAIN || r == -ENOMEM);
    assert_true(got > 10000);
    assert_true(all_guarded);
    int intact = 0;
    for (int i = 0; i < got; i++)
        intact += *(int *)stacks[i].control == i;
    assert_int_equal(intact, got);
    if (r == -EAGAIN) {
        weft_stack bare;
        assert_int_equal(weft_stack_acquire(&bare, SIZE, true), 0);
        weft_stack_release(&bare);
    }
    for (int i = 0; i < got; i++)
        weft_stack_release(&stacks[i]);
    free(stacks);
    weft_stack_trim();
}

/* In a forked child: 1 when the write did not kill it. */
static int die_by_writing(volatile char *address)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        *address = 1;
        _exit(1);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void below_the_lowest_byte_is_a_guard(void **state)
{
    (void)state;
    weft_stack stacks[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(weft_stack_acquire(&stacks[i], SIZE, false), 0);
    if (stacks[0].low == NULL) {
        for (int i = 0; i < 3; i++)
            weft_stack_release(&stacks[i]);
        skip();
    }
    for (int round = 0; round < 2; round++) { /* a recycled stack still has its guard */
        for (int i = 0; i < 3; i++) {
            assert_true(stacks[i].guarded);
            assert_int_equal(die_by_writing(stacks[i].low), 1);
            assert_int_equal(die_by_writing((char *)stacks[i].low - 1), -SIGSEGV);
        }
        for (int i = 0; i < 3; i++)
            weft_stack_release(&stacks[i]);
        for (int i = 0; i < 3; i++)
            assert_int_equal(weft_stack_acquire(&stacks[i], SIZE, false), 0);
    }
    for (int i = 0; i < 3; i++)
        weft_stack_release(&stacks[i]);
}

/* Deep stacks in a full pool lose their deep pages, never the control block or the guard. */
static void a_full_pool_of_deep_stacks_keeps_control_blocks_and_guards(void **state)
{
    (void)state;
    enum { STACKS = 300 };
    static weft_stack stacks[STACKS];
    for (int round = 0; round < 3; round++) {
        int right = 0;
        for (int i = 0; i < STACKS; i++) {
            assert_int_equal(weft_stack_acquire(&stacks[i], SIZE, false), 0);
            right += round == 0 || *(char *)stacks[i].control == 'd';
            if (stacks[i].low != NULL)
                memset(stacks[i].low, 'x', stacks[i].size);
            memset(stacks[i].control, 'd', WEFT_STACK_CONTROL);
        }
        assert_int_equal(right, STACKS);
        if (stacks[0].low != NULL)
            assert_int_equal(die_by_writing((char *)stacks[STACKS - 1].low - 1), -SIGSEGV);
        for (int i = 0; i < STACKS; i++)
            weft_stack_release(&stacks[i]);
    }
}

typedef struct worker {
    pthread_t thread;
    unsigned seed;
    int wrong;
} worker;

static void *acquire_and_release(void *arg)
{
    enum { HELD = 16, ROUNDS = 20000 };
    worker *w = arg;
    weft_stack held[HELD];
    bool used[HELD] = {false};
    unsigned random = w->seed;
    for (int i = 0; i < ROUNDS; i++) {
        random = random * 1103515245u + 12345u;
        unsigned at = (random >> 16) % HELD;
        if (!used[at]) {
            if (weft_stack_acquire(&held[at], (size_t)65536 << (random >> 8) % 3, true) < 0) {
                w->wrong++;
                continue;
            }
            *(unsigned *)held[at].control = w->seed * HELD + at;
        } else {
            w->wrong += *(unsigned *)held[at].control != w->seed * HELD + at;
            weft_stack_release(&held[at]);
        }
        used[at] = !used[at];
    }
    for (unsigned at = 0; at < HELD; at++)
        if (used[at])
            weft_stack_release(&held[at]);
    return NULL;
}

static void threads_never_share_a_stack(void **state)
{
    (void)state;
    enum { THREADS = 8 };
    worker workers[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (worker){.seed = i + 1};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, acquire_and_release, &workers[i]),
                         0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(workers[i].wrong, 0);
}

static void the_child_of_a_fork_may_use_the_pool(void **state)
{
    (void)state;
    weft_stack before;
    assert_int_equal(weft_stack_acquire(&before, SIZE, true), 0);
    weft_stack_before_fork();
    pid_t pid = fork();
    weft_stack_after_fork();
    if (pid == 0) {
        weft_stack stack;
        int r = weft_stack_acquire(&stack, SIZE, true);
        if (r == 0)
            weft_stack_release(&stack);
        weft_stack_release(&before);
        weft_stack_trim();
        _exit(r == 0 ? 0 : 1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    weft_stack_release(&before);
}

/* Bytes of addresses in use; 0 where the system does not tell. */
static rlim_t addresses_in_use(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL) {
        if (fscanf(file, "%lu", &pages) != 1)
            pages = 0;
        fclose(file);
    }
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void without_address_space_it_is_enomem(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        /* Little room: slabs get smaller, then the answer is -ENOMEM, and stacks released come
         * back. */
        weft_stack_trim();
        struct rlimit limit;
        getrlimit(RLIMIT_AS, &limit);
        limit.rlim_cur = addresses_in_use() + ((rlim_t)512 << 20);
        setrlimit(RLIMIT_AS, &limit);
        static weft_stack stacks[2048];
        int got = 0, r = 0;
        while (got < 2048 && (r = weft_stack_acquire(&stacks[got], 1 << 20, true)) == 0)
            got++;
        if (stacks[0].low == NULL || got == 2048) /* the limit is not applied here */
            _exit(0);
        if (r != -ENOMEM || got < 256)
            _exit(1);
        weft_stack_release(&stacks[--got]);
        _exit(weft_stack_acquire(&stacks[got], 1 << 20, true) == 0 ? 0 : 2);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

/* What the pool keeps is no leak. */
static int trimmed_teardown(void **state)
{
    weft_stack_trim();
    return census_teardown(state);
}

#define trimmed_test(f) cmocka_unit_test_setup_teardown(f, census_setup, trimmed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        trimmed_test(a_stack_has_its_size_and_an_aligned_control_block),
        trimmed_test(a_size_above_a_gigabyte_is_refused),
        trimmed_test(the_pool_hands_out_the_newest_with_its_control_block_kept),
        trimmed_test(trim_keeps_what_is_in_use),
        trimmed_test(a_hundred_thousand_guarded_stacks_live_at_once),
        trimmed_test(below_the_lowest_byte_is_a_guard),
        trimmed_test(a_full_pool_of_deep_stacks_keeps_control_blocks_and_guards),
        trimmed_test(threads_never_share_a_stack),
        trimmed_test(the_child_of_a_fork_may_use_the_pool),
        trimmed_test(without_address_space_it_is_enomem),
    };
    return cmocka_run_group_tests(tests, NULL, trim);
}
