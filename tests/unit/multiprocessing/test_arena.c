/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/multiprocessing.h>

#include "multiprocessing/arena.h"

#ifdef WEFT_TORTURE
enum { KILLS = 2000 };
#else
enum { KILLS = 200 };
#endif

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void reap(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
}

static int open_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return -1;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static void memory_is_zeroed_and_aligned(void **state)
{
    (void)state;
    for (size_t size = 0; size < 70000; size = size * 5 / 4 + 1) {
        unsigned char *memory = weft_arena_alloc(size);
        assert_non_null(memory);
        memset(memory, 0xa5, size);
        assert_int_equal(weft_shared_free(memory), 0);
        memory = weft_shared_alloc(size);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % (size > 0 && size % 64 == 0 ? 64 : 16), 0);
        assert_true(weft_is_shared(memory));
        assert_true(weft_arena_room(memory) >= size);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(memory[i], 0);
        assert_int_equal(weft_shared_free(memory), 0);
    }
}

static void free_refuses_what_is_no_block(void **state)
{
    (void)state;
    int local;
    char *small = weft_shared_alloc(100);
    char *large = weft_shared_alloc(200000);
    assert_int_equal(weft_shared_free(NULL), 0);
    assert_int_equal(weft_shared_free(&local), -EINVAL);
    assert_int_equal(weft_shared_free(small + 16), -EINVAL);
    assert_int_equal(weft_shared_free(large + 16), -EINVAL);
    assert_int_equal(weft_shared_free(large + 65536), -EINVAL);
    assert_int_equal(weft_shared_free((void *)weft_shared_base), -EINVAL);
    assert_int_equal(weft_shared_free((char *)weft_shared_base + weft_shared_size - 64), -EINVAL);
    assert_int_equal(weft_shared_free(small), 0);
    assert_int_equal(weft_shared_free(small), -EINVAL);
    assert_non_null(strstr(weft_error_message(), "not a block in use"));
    assert_int_equal(weft_shared_free(large), 0);
    assert_int_equal(weft_shared_free(large), -EINVAL);
}

enum { BLOCKS = 300 };

typedef struct block {
    unsigned char *at;
    size_t size;
    unsigned char fill;
} block;

static size_t random_size(uint32_t *random)
{
    uint32_t kind = next_random(random) % 16;
    if (kind < 12)
        return next_random(random) % 600;
    if (kind < 15)
        return next_random(random) % 40000;
    return next_random(random) % 400000;
}

static bool intact(const block *of)
{
    for (size_t i = 0; i < of->size; i++)
        if (of->at[i] != of->fill)
            return false;
    return true;
}

static void blocks_never_overlap(void **state)
{
    (void)state;
    static block blocks[BLOCKS];
    uint32_t random = 1;
    uint64_t before, used;
    assert_int_equal(weft_arena_check(&before), 0);
    for (int i = 0; i < 20000; i++) {
        block *of = &blocks[next_random(&random) % BLOCKS];
        if (of->at != NULL) {
            assert_true(intact(of));
            assert_int_equal(weft_shared_free(of->at), 0);
            of->at = NULL;
        } else {
            *of = (block){.size = random_size(&random), .fill = (unsigned char)i};
            of->at = weft_arena_alloc(of->size);
            assert_non_null(of->at);
            memset(of->at, of->fill, of->size);
        }
        if (i % 500 == 0)
            assert_int_equal(weft_arena_check(&used), 0);
    }
    for (int i = 0; i < BLOCKS; i++)
        assert_int_equal(weft_shared_free(blocks[i].at), 0);
    memset(blocks, 0, sizeof blocks);
    assert_int_equal(weft_arena_check(&used), 0);
    assert_int_equal(used, before);
}

static void a_child_sees_the_same_memory(void **state)
{
    (void)state;
    _Atomic int *words = weft_shared_alloc(2 * sizeof *words);
    uint32_t mine = atomic_load(&weft_process_id);
    pid_t pid = fork();
    if (pid == 0) {
        atomic_store(&words[0], 42);
        atomic_store(&words[1], (int)atomic_load(&weft_process_id));
        _exit(0);
    }
    reap(pid);
    assert_int_equal(atomic_load(&words[0]), 42);
    assert_int_not_equal(atomic_load(&words[1]), mine);
    assert_int_not_equal(atomic_load(&words[1]), 0);
    assert_int_equal(atomic_load(&weft_process_id), mine);
    assert_int_equal(weft_shared_free((void *)words), 0);
}

/* What a child allocates lies where the parent can use and free it, also when it grew the heap. */
static void memory_crosses_from_a_child(void **state)
{
    (void)state;
    enum { SIZE = 5 << 20 };
    char *_Atomic *cell = weft_shared_alloc(sizeof *cell);
    pid_t pid = fork();
    if (pid == 0) {
        char *memory = weft_shared_alloc(SIZE);
        if (memory != NULL) {
            memset(memory, 7, SIZE);
            atomic_store(cell, memory);
        }
        _exit(0);
    }
    reap(pid);
    char *memory = atomic_load(cell);
    assert_non_null(memory);
    assert_int_equal(memory[SIZE - 1], 7);
    assert_int_equal(weft_shared_free(memory), 0);
    assert_int_equal(weft_shared_free((void *)cell), 0);
}

static void a_killed_process_is_dead_before_it_is_reaped(void **state)
{
    (void)state;
    _Atomic uint32_t *id = weft_shared_alloc(sizeof *id);
    assert_true(weft_arena_alive(atomic_load(&weft_process_id)));
    pid_t pid = fork();
    if (pid == 0) {
        atomic_store(id, atomic_load(&weft_process_id));
        for (;;)
            pause();
    }
    while (atomic_load(id) == 0)
        sched_yield();
    assert_true(weft_arena_alive(atomic_load(id)));
    assert_int_equal(kill(pid, SIGKILL), 0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_false(weft_arena_alive(atomic_load(id)));
    reap(pid);
    assert_false(weft_arena_alive(atomic_load(id)));
    assert_int_equal(weft_shared_free((void *)id), 0);
}

static void slots_are_used_again_under_other_ids(void **state)
{
    (void)state;
    uint32_t first, id;
    assert_int_equal(weft_arena_claim(&first), 0);
    weft_arena_disclaim(first);
    for (int i = 0; i < 2 * WEFT_SLOTS; i++) {
        assert_int_equal(weft_arena_claim(&id), 0);
        assert_int_not_equal(id, first);
        assert_int_not_equal(id, 0);
        assert_int_equal(id >> 30, 0);
        assert_false(weft_arena_alive(id));
        weft_arena_disclaim(id);
    }
}

static void a_full_table_is_an_error(void **state)
{
    (void)state;
    static uint32_t ids[WEFT_SLOTS];
    uint32_t count = 0, none;
    while (weft_arena_claim(&ids[count]) == 0)
        count++;
    assert_true(count > WEFT_SLOTS / 2);
    assert_int_equal(weft_arena_claim(&none), -EAGAIN);
    while (count > 0)
        weft_arena_disclaim(ids[--count]);
}

static void a_dead_holder_gives_its_lock_up(void **state)
{
    (void)state;
    _Atomic uint32_t *lock = weft_shared_alloc(sizeof *lock);
    pid_t pid = fork();
    if (pid == 0) {
        weft_robust_acquire(lock);
        raise(SIGKILL);
    }
    reap(pid);
    assert_int_not_equal(atomic_load(lock), 0);
    assert_int_equal(weft_robust_acquire(lock), 1);
    weft_robust_release(lock);
    assert_int_equal(atomic_load(lock), 0);
    assert_int_equal(weft_robust_acquire(lock), 0);
    weft_robust_release(lock);
    assert_int_equal(weft_shared_free((void *)lock), 0);
}

static void churn(uint32_t random, _Atomic uint32_t *steps)
{
    void *blocks[32] = {NULL};
    alarm(60); /* should the test end before it kills this */
    for (;;) {
        void **of = &blocks[next_random(&random) % 32];
        if (*of != NULL)
            weft_arena_free(*of);
        *of = *of != NULL ? NULL : weft_arena_alloc(random_size(&random) % 30000);
        atomic_fetch_add(steps, 1);
    }
}

/* Two children at a time in allocations and frees, one of them killed wherever it happens to be. */
static void the_heap_survives_kills_anywhere(void **state)
{
    (void)state;
    _Atomic uint32_t *steps = weft_shared_alloc(sizeof *steps);
    uint32_t random = 12345;
    uint64_t used;
    pid_t pids[2] = {0, 0};
    for (int i = 0; i < KILLS; i++) {
        pid_t *pid = &pids[i % 2];
        if (*pid != 0) {
            kill(*pid, SIGKILL);
            reap(*pid);
            assert_int_equal(weft_arena_check(&used), 0);
        }
        uint32_t seed = next_random(&random);
        *pid = fork();
        if (*pid == 0)
            churn(seed, steps);
        uint32_t until = atomic_load(steps) + next_random(&random) % 50;
        while ((int32_t)(atomic_load(steps) - until) < 0)
            sched_yield();
    }
    for (int i = 0; i < 2; i++) {
        kill(pids[i], SIGKILL);
        reap(pids[i]);
    }
    void *memory = weft_shared_alloc(100);
    assert_non_null(memory);
    assert_int_equal(weft_arena_check(&used), 0);
    assert_int_equal(weft_shared_free(memory), 0);
    assert_int_equal(weft_shared_free((void *)steps), 0);
}

static void full_memory_is_an_error(void **state)
{
    (void)state;
    enum { BLOCK = 1 << 20 };
    void *blocks[32];
    size_t count = 0;
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    setenv("WEFT_ARENA_SIZE", "16m", 1);
    while (count < 32 && (blocks[count] = weft_shared_alloc(BLOCK)) != NULL)
        count++;
    unsetenv("WEFT_ARENA_SIZE");
    assert_int_equal(weft_shared_size, 16 << 20);
    assert_in_range(count, 10, 16);
    assert_non_null(strstr(weft_error_message(), "shared memory"));
    assert_null(weft_shared_alloc(SIZE_MAX - 100));
    assert_int_equal(weft_shared_free(blocks[0]), 0);
    blocks[0] = weft_shared_alloc(BLOCK);
    assert_non_null(blocks[0]);
    while (count > 0)
        assert_int_equal(weft_shared_free(blocks[--count]), 0);
}

static void shutdown_gives_everything_back(void **state)
{
    (void)state;
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    int before = open_descriptors();
    void *memory = weft_shared_alloc(10);
    assert_non_null(memory);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    assert_int_equal(open_descriptors(), before);
    assert_false(weft_is_shared(memory));
    assert_int_equal(atomic_load(&weft_process_id), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(free_refuses_what_is_no_block),
        cmocka_unit_test(blocks_never_overlap),
        cmocka_unit_test(a_child_sees_the_same_memory),
        cmocka_unit_test(memory_crosses_from_a_child),
        cmocka_unit_test(a_killed_process_is_dead_before_it_is_reaped),
        cmocka_unit_test(slots_are_used_again_under_other_ids),
        cmocka_unit_test(a_full_table_is_an_error),
        cmocka_unit_test(a_dead_holder_gives_its_lock_up),
        cmocka_unit_test(the_heap_survives_kills_anywhere),
        cmocka_unit_test(full_memory_is_an_error),
        cmocka_unit_test(shutdown_gives_everything_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
