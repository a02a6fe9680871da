/* SPDX-License-Identifier: MIT */
/*
 * weft_map: a window of futures slides over the items; results are taken in order. The window
 * bounds what is in memory, whatever the number of items.
 */
#include <stdio.h>

#include "core/clock.h"
#include "core/error.h"
#include "core/memory.h"
#include "futures/executor.h"

#undef weft_result

typedef struct mapping {
    weft_executor *executor;
    weft_fn *fn;
    const char *items;
    size_t item_size, count;
    char *results; /* NULL: dropped */
    size_t result_size;
    weft_instant deadline;
    weft_future **window; /* a ring of `room`: item i is in window[i % room] */
    size_t room;
    size_t submitted, taken;
    bool interrupted; /* the wait has ended by time or a cancel */
} mapping;

static int take_next(mapping *map)
{
    weft_future *future = map->window[map->taken % map->room];
    void *out = map->results != NULL ? map->results + map->taken * map->result_size : NULL;
    int r = weft_handle_wait(&future->job.handle, map->deadline);
    map->interrupted = r < 0;
    if (r < 0)
        return r;
    r = weft_result(future, out, map->result_size, WEFT_NOWAIT);
    weft_handle_drop(&future->job.handle);
    map->taken++;
    return r < 0 ? r : 0;
}

static int submit_next(mapping *map)
{
    int r = weft_submit(map->executor, &map->window[map->submitted % map->room], map->fn,
                        map->items + map->submitted * map->item_size, map->item_size, NULL);
    if (r == 0)
        map->submitted++;
    return r;
}

static void cancel_from(const mapping *map, size_t from, bool running)
{
    for (size_t i = from; i < map->submitted; i++)
        weft_future_cancel(map->window[i % map->room], running);
}

/* After a failure of fn: nothing begins any more, and what runs is waited for, since its argument
 * may point at what the caller has. When a wait has ended, by time or by a cancel, what runs is
 * asked to stop, and not waited for. The handles are given up. */
static void abandon(mapping *map, bool waits)
{
    cancel_from(map, map->taken, !waits);
    for (size_t i = map->taken; i < map->submitted; i++) {
        weft_future *future = map->window[i % map->room];
        int r = waits ? weft_handle_wait(&future->job.handle, map->deadline) : 0;
        if (r < 0) {
            weft_wait_defer(r); /* the failure is what is told */
            waits = false;
            cancel_from(map, i, true);
        }
        weft_handle_drop(&future->job.handle);
    }
}

static int run_map(mapping *map)
{
    int r = 0;
    while (r == 0 && map->taken < map->count) {
        if (map->submitted < map->count && map->submitted - map->taken < map->room)
            r = submit_next(map);
        else
            r = take_next(map);
    }
    if (r < 0) {
        char message[WEFT_MESSAGE_SIZE]; /* of the failure, not of what follows it */
        snprintf(message, sizeof message, "%s", weft_error_message());
        abandon(map, !map->interrupted);
        weft_error(r, "%s", message);
    }
    return r;
}

static int check_map(const mapping *map)
{
    int r = weft_executor_check(map->executor, "map");
    if (r < 0 || map->count == 0)
        return r;
    if (map->items == NULL || map->item_size == 0)
        return weft_error(-EINVAL, "map: no items were given");
    if (map->results != NULL && map->result_size > SIZE_MAX / map->count)
        return weft_error(-EINVAL, "map: %zu results of %zu bytes", map->count, map->result_size);
    return 0;
}

int weft_map(weft_executor *executor, weft_fn *fn, const void *items, size_t item_size,
             size_t count, void *results, size_t result_size, const weft_map_options *options)
{
    mapping map = {.executor = executor,
                   .fn = fn,
                   .items = items,
                   .item_size = item_size,
                   .count = count,
                   .results = results,
                   .result_size = result_size};
    int r = check_map(&map);
    if (r == 0)
        r = weft_deadline_option(options != NULL ? options->timeout : 0, &map.deadline);
    if (r < 0 || count == 0)
        return r;
    map.room = 2 * executor->methods->width(executor);
    if (map.room > count)
        map.room = count;
    map.window = weft_calloc(map.room, sizeof(weft_future *));
    if (map.window == NULL)
        return weft_error(-ENOMEM, "map: no memory");
    r = run_map(&map);
    weft_dealloc(map.window);
    return r;
}
