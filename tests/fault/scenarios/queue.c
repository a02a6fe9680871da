/* SPDX-License-Identifier: MIT */
#include "fault/scenarios/scenarios.h"

static int items_of_any_size(void)
{
    weft_queue *queue = SCENARIO_JUNK;
    weft_bytes item = {NULL, 0};
    int puts = 0, r = weft_queue_open(&queue, &(weft_queue_options){.name = "a name"});
    if ((r = scenario_started(r, queue)) < 0)
        return r;
    for (; r >= 0 && puts < 40; puts += r >= 0)
        r = weft_queue_put(queue, "some text", 10, WEFT_NOWAIT);
    if (weft_queue_qsize(queue) != puts)
        r = weft_error(SCENARIO_WRONG, "%d items, %d were put", weft_queue_qsize(queue), puts);
    if (r >= 0 && (r = weft_queue_get_bytes(queue, &item, WEFT_NOWAIT)) < 0)
        r = item.data == NULL && weft_queue_qsize(queue) == 40
                ? r
                : weft_error(SCENARIO_WRONG, "a failed get has taken");
    weft_free(item.data);
    weft_release(queue);
    return r;
}

static int consume(void *arg)
{
    weft_queue *queue = *(weft_queue **)arg;
    int n = 0, r, left = 0;
    while ((r = weft_queue_get(queue, WEFT_OUT(n), WEFT_FOREVER)) > 0 && left >= 0)
        left = weft_queue_task_done(queue);
    if (r < 0) /* so that who puts does not wait for ever */
        weft_queue_shutdown(queue, WEFT_SHUTDOWN_IMMEDIATE);
    return scenario_first(r, left);
}

static int between_threads(void)
{
    weft_queue *queue;
    weft_thread *thread;
    int r = weft_queue_open(&queue, &(weft_queue_options){.maxsize = 2, .item_size = sizeof(int)});
    if (r < 0)
        return r;
    if ((r = weft_thread_start(&thread, consume, WEFT_ARG(queue), NULL)) >= 0) {
        for (int i = 0; r >= 0 && i < 10; i++)
            r = weft_queue_put(queue, WEFT_ARG(i), WEFT_FOREVER);
        r = scenario_first(r, weft_queue_join(queue, WEFT_FOREVER));
        r = scenario_first(r, weft_queue_put(queue, WEFT_NONE, WEFT_FOREVER));
        if (r < 0)
            weft_queue_shutdown(queue, WEFT_SHUTDOWN_IMMEDIATE);
        int joined = weft_thread_join(thread, WEFT_FOREVER);
        joined = scenario_first(joined, scenario_await(thread));
        int of_thread = weft_result(thread, WEFT_NONE, WEFT_FOREVER);
        r = of_thread < 0 && (r == WEFT_ESHUTDOWN || r >= 0) ? of_thread : r;
        weft_release(thread);
    }
    weft_release(queue);
    return r;
}

static int shut_down(void)
{
    weft_queue *queue;
    int n = 0, r = weft_queue_open(&queue, NULL);
    if (r < 0)
        return r;
    r = weft_queue_put(queue, WEFT_ARG(n), WEFT_NOWAIT);
    r = scenario_first(r, weft_queue_shutdown(queue, WEFT_SHUTDOWN_DRAIN));
    if (r >= 0)
        r = weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT);
    if (r >= 0 && (r = weft_wait(queue, WEFT_FOREVER)) >= 0)
        r = weft_queue_get(queue, WEFT_OUT(n), WEFT_FOREVER) == WEFT_ESHUTDOWN ? 0 : SCENARIO_WRONG;
    weft_release(queue);
    return r;
}

const scenario scenarios_queue[] = {
    SCENARIO(items_of_any_size, 0),
    SCENARIO(between_threads, 0),
    SCENARIO(shut_down, 0),
    {NULL, NULL, 0},
};
