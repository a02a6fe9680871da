/* SPDX-License-Identifier: MIT */
/* Threads and coroutines of several loops on one semaphore and one queue, with timeouts and
 * cancels: permits and items in = out. The seed is printed; WEFT_TEST_SEED sets it. */
#include "support/places.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef WEFT_TORTURE
enum { ROUNDS = 20000 };
#else
enum { ROUNDS = 1000 };
#endif
enum { LOOPS = 2, TASKS = 8, THREADS = 3, PERMITS = 3 };

static weft_semaphore semaphore;
static weft_queue *queue;
static atomic_int inside, put, got, broken;
static uint64_t seed;

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void once(uint64_t *state)
{
    double timeout = (double)(next_random(state) % 200) * 1e-6;
    if (weft_semaphore_acquire(&semaphore, timeout) == 0) {
        if (atomic_fetch_add(&inside, 1) >= PERMITS)
            atomic_store(&broken, 1);
        if (next_random(state) % 4 == 0)
            weft_sleep(0);
        atomic_fetch_sub(&inside, 1);
        weft_semaphore_release(&semaphore, 1);
    }
    int item = 1;
    if (next_random(state) % 2 == 0)
        atomic_fetch_add(&put, weft_queue_put(queue, WEFT_ARG(item), timeout) == 0);
    else
        atomic_fetch_add(&got, weft_queue_get(queue, WEFT_OUT(item), timeout) > 0);
}

static int work(void *arg)
{
    uint64_t state = seed + 977 * *(uint64_t *)arg;
    for (int i = 0; i < ROUNDS; i++)
        once(&state);
    return 0;
}

static int run_tasks(void *arg)
{
    weft_task *tasks[TASKS];
    uint64_t first = *(uint64_t *)arg, state = seed + first;
    for (uint64_t i = 0; i < TASKS; i++) {
        uint64_t number = first + i;
        int r = weft_task_start(&tasks[i], work, WEFT_ARG(number), NULL);
        if (r < 0)
            return r;
    }
    while (weft_wait_all(tasks, TASKS, 0.0001) == -ETIMEDOUT)
        weft_cancel(tasks[next_random(&state) % TASKS]);
    weft_release_many(tasks, TASKS);
    return 0;
}

static int run_loop(void *arg)
{
    return weft_run(run_tasks, arg, sizeof(uint64_t), NULL);
}

static void what_goes_in_comes_out(void **state)
{
    (void)state;
    weft_thread *threads[THREADS + LOOPS];
    semaphore = (weft_semaphore){.value = PERMITS, .bound = PERMITS};
    assert_int_equal(weft_queue_open(&queue, &(weft_queue_options){.maxsize = 4}), 0);
    for (uint64_t i = 0; i < THREADS + LOOPS; i++) {
        uint64_t number = 100 * (i + 1);
        assert_int_equal(
            weft_thread_start(&threads[i], i < THREADS ? work : run_loop, WEFT_ARG(number), NULL),
            0);
    }
    for (int i = 0; i < THREADS + LOOPS; i++)
        assert_int_equal(weft_result(threads[i], WEFT_NONE, WEFT_FOREVER), 0);
    assert_false(atomic_load(&broken));
    assert_int_equal(weft_semaphore_value(&semaphore), PERMITS);
    assert_int_equal(atomic_load(&put) - atomic_load(&got), weft_queue_qsize(queue));
    weft_release_many(threads, THREADS + LOOPS);
    weft_release(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {weft_test(what_goes_in_comes_out)};
    const char *given = getenv("WEFT_TEST_SEED");
    seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761u | 1;
    printf("WEFT_TEST_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
