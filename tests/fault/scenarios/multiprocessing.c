/* SPDX-License-Identifier: MIT */
#include "fault/scenarios/scenarios.h"

static int square(void *arg)
{
    int n = *(int *)arg;
    return n * n;
}

static int start_a_process(void)
{
    weft_process *process = SCENARIO_JUNK;
    int n = 5, exitcode = -1;
    int r = weft_process_start(&process, square, WEFT_ARG(n),
                               &(weft_process_options){.name = "a name"});
    if ((r = scenario_started(r, process)) < 0)
        return r;
    r = weft_result(process, WEFT_OUT(n), WEFT_FOREVER);
    r = scenario_expect(r, n == 25, "the square");
    int joined = weft_process_join(process, WEFT_FOREVER);
    joined = scenario_first(joined, scenario_await(process));
    if (joined >= 0)
        joined = weft_process_exitcode(process, &exitcode);
    if (joined >= 0)
        joined = scenario_expect(joined, joined == 1 && !weft_process_is_alive(process), "its end");
    weft_release(process);
    return scenario_first(r, joined);
}

static int sleep_long(void *arg)
{
    (void)arg;
    return weft_sleep(1000);
}

static int stop_a_process(void)
{
    weft_process *process;
    int r = weft_process_start(&process, sleep_long, WEFT_NONE, NULL);
    if (r < 0)
        return r;
    r = weft_process_pid(process) > 0 ? 0 : SCENARIO_WRONG;
    r = scenario_first(r, weft_process_terminate(process));
    int killed = weft_process_kill(process), joined;
    if (killed < 0) {
        r = scenario_first(r, killed);
        weft_process_kill(process);
    }
    joined = weft_process_join(process, WEFT_FOREVER);
    joined = scenario_first(joined, scenario_await(process));
    weft_release(process);
    return scenario_first(r, joined);
}

static int shared_memory(void)
{
    int *number = weft_shared_alloc(100000);
    if (number == NULL) {
        weft_lock lock = {0};
        (void)lock;
        return weft_error_message() != NULL ? -ENOMEM : SCENARIO_WRONG;
    }
    int r = scenario_expect(0, *number == 0, "shared memory is zeroed");
    *number = 1;
    return scenario_first(r, weft_shared_free(number));
}

static int shared_values(void)
{
    weft_lock *lock = weft_shared_alloc(sizeof *lock);
    if (lock == NULL)
        return -ENOMEM;
    int r = weft_lock_acquire(lock, WEFT_FOREVER);
    if (r >= 0 && (r = weft_lock_acquire(lock, 0.001)) == -ETIMEDOUT)
        r = 0;
    if (weft_lock_locked(lock))
        r = scenario_first(r, weft_lock_release(lock));
    return scenario_first(r, weft_shared_free(lock));
}

static int shared_queue(void)
{
    weft_queue *queue = SCENARIO_JUNK;
    int n = 7, r = weft_queue_open(&queue, &(weft_queue_options){.shared = true, .maxsize = 10});
    if ((r = scenario_started(r, queue)) < 0)
        return r;
    r = weft_queue_put(queue, WEFT_ARG(n), WEFT_FOREVER);
    n = 0;
    r = scenario_first(r, weft_queue_get(queue, WEFT_OUT(n), 1));
    r = scenario_expect(r, n == 7, "the item");
    weft_release(queue);
    return r;
}

static int pool(void)
{
    weft_executor *pool = SCENARIO_JUNK;
    weft_future *future = SCENARIO_JUNK;
    int n = 6, r = weft_process_pool_open(
                   &pool, &(weft_process_pool_options){.max_workers = 1, .name = "name"});
    if ((r = scenario_started(r, pool)) < 0)
        return r;
    r = weft_submit(pool, &future, square, WEFT_ARG(n), NULL);
    if ((r = scenario_started(r, future)) >= 0) {
        r = weft_result(future, WEFT_OUT(n), WEFT_FOREVER);
        r = scenario_expect(r, n == 36, "the square");
        weft_release(future);
    }
    int ended = scenario_end(pool);
    weft_release(pool);
    return scenario_first(r, ended);
}

const scenario scenarios_multiprocessing[] = {
    SCENARIO(start_a_process, 0),
    SCENARIO(stop_a_process, 0),
    SCENARIO(shared_memory, 0),
    SCENARIO(shared_values, 0),
    SCENARIO(shared_queue, 0),
    SCENARIO(pool, 0),
    {NULL, NULL, 0},
};
