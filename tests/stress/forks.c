/* SPDX-License-Identifier: MIT */
/*
 * Forks beside processes and children that come and go: what the forking thread has open is open in
 * its child, whatever numbers others close and reuse meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress/stress.h"
#include "support/support.h"

enum { FORKERS = 3, STARTERS = 2, FORKS = 400 * STRESS_FACTOR };

static _Atomic bool over;

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int start_processes(void *arg)
{
    int r = 0;
    (void)arg;
    while (r == 0 && !atomic_load(&over)) {
        weft_process *process;
        r = weft_process_start(&process, nothing, WEFT_NONE, NULL);
        if (r == 0)
            r = weft_process_join(process, WEFT_FOREVER);
        weft_release(process);
    }
    return r;
}

/* 1: the child misses one of the two; -errno. */
static int fork_once(void)
{
    int fds[2], status;
    if (pipe(fds) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0)
        _exit(fcntl(fds[0], F_GETFD) < 0 || fcntl(fds[1], F_GETFD) < 0);
    int r = pid < 0 ? -errno : 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    close(fds[0]);
    close(fds[1]);
    return r == 0 ? WEXITSTATUS(status) : r;
}

static void *fork_often(void *arg)
{
    int *r = arg;
    for (int i = 0; i < FORKS && *r == 0; i++)
        *r = fork_once();
    return NULL;
}

static void a_forked_child_has_what_its_parent_had(void **state)
{
    (void)state;
    weft_thread *starters[STARTERS];
    pthread_t forkers[FORKERS];
    int results[FORKERS] = {0};
    atomic_store(&over, false);
    for (int i = 0; i < STARTERS; i++)
        assert_int_equal(weft_thread_start(&starters[i], start_processes, WEFT_NONE, NULL), 0);
    for (int i = 0; i < FORKERS; i++)
        assert_int_equal(pthread_create(&forkers[i], NULL, fork_often, &results[i]), 0);
    for (int i = 0; i < FORKERS; i++)
        pthread_join(forkers[i], NULL);
    atomic_store(&over, true);
    for (int i = 0; i < STARTERS; i++)
        assert_int_equal(weft_result(starters[i], WEFT_NONE, WEFT_FOREVER), 0);
    for (int i = 0; i < FORKERS; i++)
        assert_int_equal(results[i], 0);
    weft_release_many(starters, STARTERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {weft_test(a_forked_child_has_what_its_parent_had)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
