/* SPDX-License-Identifier: MIT */
/* Processes sleep on a word that they share; no wake-up is lost, no deadline comes early. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/sharedpark.h"
#include "support/support.h"

typedef struct area {
    _Atomic uint32_t ping;
    _Atomic uint32_t pong;
    _Atomic uint32_t go;
} area;

/* A page that forks share: a file without a name, as plain POSIX has no anonymous one. */
static area *share(void)
{
    char path[] = "/tmp/weft-test-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0)
        return NULL;
    unlink(path);
    void *memory = MAP_FAILED;
    if (ftruncate(fd, 4096) == 0)
        memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return memory == MAP_FAILED ? NULL : memory;
}

static void await(const _Atomic uint32_t *word, uint32_t value)
{
    for (;;) {
        uint32_t seen = atomic_load(word);
        if (seen == value)
            return;
        (void)weft_sharedpark_wait(word, seen, WEFT_INSTANT_NEVER);
    }
}

static void another_value_does_not_wait(void **state)
{
    _Atomic uint32_t word = 5;

    (void)state;
    assert_int_equal(weft_sharedpark_wait(&word, 4, WEFT_INSTANT_NEVER), 0);
    assert_int_equal(weft_sharedpark_wait(&word, 4, WEFT_INSTANT_NOW), 0);
}

static void a_deadline_ends_the_wait_and_not_early(void **state)
{
    _Atomic uint32_t word = 5;
    int r;

    (void)state;
    assert_int_equal(weft_sharedpark_wait(&word, 5, WEFT_INSTANT_NOW), -ETIMEDOUT);
    weft_instant deadline = weft_instant_now() + 3000000;
    do
        r = weft_sharedpark_wait(&word, 5, deadline);
    while (r == 0);
    assert_int_equal(r, -ETIMEDOUT);
    assert_true(weft_instant_now() >= deadline);
}

static void two_processes_hand_a_word_to_and_fro(void **state)
{
    enum { ROUNDS = 300 };
    area *a = share();
    int status;

    (void)state;
    assert_non_null(a);
    pid_t pid = fork();
    if (pid == 0) {
        for (uint32_t i = 1; i <= ROUNDS; i++) {
            await(&a->ping, i);
            atomic_store(&a->pong, i);
            weft_sharedpark_wake(&a->pong, 1);
        }
        _exit(0);
    }
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        atomic_store(&a->ping, i);
        weft_sharedpark_wake(&a->ping, 1);
        await(&a->pong, i);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    munmap(a, 4096);
}

static void one_wake_reaches_all_sleepers(void **state)
{
    enum { SLEEPERS = 6 };
    area *a = share();
    pid_t pids[SLEEPERS];
    int status;

    (void)state;
    assert_non_null(a);
    for (int i = 0; i < SLEEPERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            atomic_fetch_add(&a->ping, 1);
            weft_sharedpark_wake(&a->ping, UINT32_MAX);
            await(&a->go, 1);
            _exit(0);
        }
    }
    await(&a->ping, SLEEPERS);
    atomic_store(&a->go, 1);
    weft_sharedpark_wake(&a->go, UINT32_MAX);
    for (int i = 0; i < SLEEPERS; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    munmap(a, 4096);
}

static void a_sleeper_that_is_killed_harms_nobody(void **state)
{
    area *a = share();
    int status;

    (void)state;
    assert_non_null(a);
    for (uint32_t round = 1; round <= 10; round++) {
        pid_t killed = fork();
        if (killed == 0) {
            atomic_store(&a->ping, round);
            weft_sharedpark_wake(&a->ping, 1);
            await(&a->go, UINT32_MAX);
            _exit(0);
        }
        await(&a->ping, round);
        kill(killed, SIGKILL);
        assert_int_equal(waitpid(killed, &status, 0), killed);

        pid_t pid = fork();
        if (pid == 0) {
            await(&a->pong, round);
            _exit(0);
        }
        atomic_store(&a->pong, round);
        weft_sharedpark_wake(&a->pong, 1);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
    munmap(a, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        census_test(another_value_does_not_wait),
        census_test(a_deadline_ends_the_wait_and_not_early),
        census_test(two_processes_hand_a_word_to_and_fro),
        census_test(one_wake_reaches_all_sleepers),
        census_test(a_sleeper_that_is_killed_harms_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
