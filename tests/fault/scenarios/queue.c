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

/* ---- Every order ------------------------------------------------------------------------------
 */

static const weft_queue_order orders[] = {WEFT_QUEUE_FIFO, WEFT_QUEUE_LIFO, WEFT_QUEUE_PRIORITY};

/* r; a failure must leave as many items as there were. */
static int unchanged(weft_queue *queue, int before, int r)
{
    bool changed = r < 0 && weft_queue_qsize(queue) != before;
    return changed ? weft_error(SCENARIO_WRONG, "not as before the call") : r;
}

/* Past the second growth of its slots. */
static int grows(weft_queue *queue)
{
    enum { COUNT = 70 };
    char item[10] = "";
    int r = 0, in = 0, out = 0;
    for (; r >= 0 && in < COUNT; in += r >= 0)
        r = unchanged(queue, in, weft_queue_put(queue, WEFT_ARG(item), WEFT_NOWAIT));
    for (; r >= 0 && out < in; out++)
        r = weft_queue_get(queue, WEFT_OUT(item), WEFT_NOWAIT);
    return r;
}

static int large_items(weft_queue *queue)
{
    static const char large[1000];
    weft_bytes item = {NULL, 0};
    int r = unchanged(queue, 0, weft_queue_put(queue, WEFT_ARG(large), WEFT_NOWAIT));
    if (r >= 0)
        r = unchanged(queue, 1, weft_queue_get_bytes(queue, &item, WEFT_NOWAIT));
    weft_free(item.data);
    /* dropped with the queue */
    return r < 0 ? r : weft_queue_put(queue, WEFT_ARG(large), WEFT_NOWAIT);
}

/* A part is a success that says so. */
static int several(weft_queue *queue, size_t size)
{
    enum { COUNT = 40, LARGEST = 100 };
    static const char items[COUNT * LARGEST];
    static char got[COUNT * LARGEST];
    int in = weft_queue_put_many(queue, items, size, COUNT, WEFT_NOWAIT);
    int r = scenario_expect(in < 0 ? 0 : in, weft_queue_qsize(queue) == (in < 0 ? 0 : in),
                            "another number is in");
    if (r > 0)
        r = weft_queue_get_many(queue, got, size, COUNT, WEFT_NOWAIT);
    if (r >= 0 && in > 0 && r != in)
        return weft_error(SCENARIO_WRONG, "%d of %d came out", r, in);
    if (r == SCENARIO_WRONG || in < 0)
        return r == SCENARIO_WRONG ? r : in;
    return in < COUNT ? -ENOMEM : r;
}

static int several_small(weft_queue *queue)
{
    return several(queue, 10);
}

static int several_large(weft_queue *queue)
{
    return several(queue, 100);
}

static int waits(weft_queue *queue)
{
    int n = 0, r = weft_queue_get(queue, WEFT_OUT(n), 1e-5);
    if (r == -ETIMEDOUT)
        r = weft_queue_put(queue, WEFT_ARG(n), WEFT_NOWAIT);
    if (r == 0 && (r = weft_queue_join(queue, 1e-5)) == -ETIMEDOUT)
        r = weft_wait(queue, WEFT_FOREVER);
    return r < 0 ? r : weft_queue_shutdown(queue, WEFT_SHUTDOWN_IMMEDIATE);
}

static int in_each_order(void)
{
    static int (*const behaves[])(weft_queue *) = {grows, large_items, several_small, several_large,
                                                   waits};
    int r = 0;
    for (size_t i = 0; r >= 0 && i < sizeof(orders) / sizeof(orders[0]); i++) {
        for (size_t k = 0; r >= 0 && k < sizeof(behaves) / sizeof(behaves[0]); k++) {
            weft_queue *queue = SCENARIO_JUNK;
            r = weft_queue_open(&queue, &(weft_queue_options){.order = orders[i]});
            r = scenario_started(r, queue);
            if (r >= 0)
                r = behaves[k](queue);
            weft_release(queue);
        }
    }
    return r < 0 ? r : 0;
}

const scenario scenarios_queue[] = {
    SCENARIO(in_each_order, 0),
    SCENARIO(items_of_any_size, 0),
    SCENARIO(between_threads, 0),
    SCENARIO(shut_down, 0),
    {NULL, NULL, 0},
};
