/* SPDX-License-Identifier: MIT */
#include "fault/scenarios/scenarios.h"

static int square(void *arg)
{
    int n = *(int *)arg;
    return n * n;
}

static int settle(void *arg)
{
    (void)arg;
    return 0;
}

static int open_pool(weft_executor **pool)
{
    *pool = SCENARIO_JUNK;
    int r = weft_thread_pool_open(
        pool, &(weft_thread_pool_options){.max_workers = 2, .name = "name", .initializer = settle});
    return scenario_started(r, *pool);
}

static int submit_one(void)
{
    weft_executor *pool;
    weft_future *future = SCENARIO_JUNK;
    int n = 4, r = open_pool(&pool);
    if (r < 0)
        return r;
    r = weft_submit(pool, &future, square, WEFT_ARG(n), &(weft_submit_options){.name = "a job"});
    if ((r = scenario_started(r, future)) >= 0) {
        r = weft_result(future, WEFT_OUT(n), WEFT_FOREVER);
        r = scenario_expect(r, n == 16, "the square");
        weft_release(future);
    }
    int ended = scenario_end(pool);
    weft_release(pool);
    return scenario_first(r, ended);
}

static int map_some(void)
{
    weft_executor *pool;
    int numbers[20], squares[20] = {0}, r = open_pool(&pool);
    if (r < 0)
        return r;
    for (int i = 0; i < 20; i++)
        numbers[i] = i;
    r = weft_map(pool, square, numbers, sizeof(int), 20, squares, sizeof(int), NULL);
    for (int i = 0; i < 20; i++)
        r = scenario_expect(r, squares[i] == i * i, "a square");
    weft_release(pool);
    return r;
}

const scenario scenarios_futures[] = {
    SCENARIO(submit_one, 0),
    SCENARIO(map_some, 0),
    {NULL, NULL, 0},
};
