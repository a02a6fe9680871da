/* SPDX-License-Identifier: MIT */
/*
 * Several items at once: as many as go in or out under one taking of the lock; for the next one it
 * waits as a single put does, and then goes on in the same way.
 *
 * Items that lie in blocks of their own go one by one: their allocations and copies are made
 * without the lock.
 */
#include <limits.h>

#include "core/clock.h"
#include "core/error.h"
#include "core/memory.h"
#include "threading/queue_state.h"

/* Where the i-th of the items is. */
static void *item_at(const void *items, size_t item_size, size_t i)
{
    return (char *)(uintptr_t)items + i * item_size;
}

/* ---- Put --------------------------------------------------------------------------------------
 */

/* The lock is taken and left. How many of the items went in without waiting. */
static size_t put_some(weft_queue *queue, const void *items, size_t item_size, size_t count)
{
    size_t done = 0;
    if (item_size > queue->order.ring.room)
        return 0;
    weft_ilock_acquire(&queue->lock);
    while (done < count && weft_queue_put_ready(queue)) {
        weft_item put = {.data = item_at(items, item_size, done), .size = item_size};
        weft_queue_store(queue, &put);
        done++;
    }
    weft_queue_leave_with_item(queue);
    return done;
}

static int put_one(weft_queue *queue, const void *data, size_t size, double timeout)
{
    return weft_queue_is_own(queue) ? weft_queue_put_item(queue, data, size, timeout)
                                    : weft_queue_put(queue, data, size, timeout);
}

int weft_queue_put_many(weft_queue *queue, const void *items, size_t item_size, size_t count,
                        double timeout)
{
    bool own = weft_queue_is_own(queue);
    weft_instant deadline;
    int r = own ? weft_queue_check_item(queue, items, item_size)
                : weft_queue_check_shared(queue, "put_many");
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    if (r < 0)
        return r;
    if (count > INT_MAX)
        count = INT_MAX;
    size_t done = own ? put_some(queue, items, item_size, count) : 0;
    while (done < count) {
        r = put_one(queue, item_at(items, item_size, done), item_size,
                    weft_deadline_left(deadline));
        if (r < 0)
            break;
        done++;
        if (own)
            done += put_some(queue, item_at(items, item_size, done), item_size, count - done);
    }
    if (done > 0 && r < 0 && r != WEFT_ESHUTDOWN && r != -ENOMEM)
        weft_wait_defer(r);
    return done > 0 ? (int)done : r;
}

/* ---- Get --------------------------------------------------------------------------------------
 */

/* The lock is taken and left. How many items of that size came out without waiting: those that are
 * there, but of those in blocks one. */
static size_t get_some(weft_queue *queue, void *items, size_t item_size, size_t room)
{
    weft_item got = {.block = NULL};
    size_t done = 0;
    weft_ilock_acquire(&queue->lock);
    while (done < room && got.block == NULL && weft_queue_free_items(queue) > 0 &&
           weft_order_next(&queue->order)->size == item_size) {
        got = (weft_item){.data = item_at(items, item_size, done), .size = item_size};
        weft_queue_take(queue, &got);
        done++;
    }
    weft_queue_leave_with_room(queue);
    if (got.block != NULL) {
        memcpy(got.data, got.block, item_size);
        weft_dealloc(got.block);
    }
    return done;
}

static size_t get_what_is_there(weft_queue *queue, void *items, size_t item_size, size_t room)
{
    size_t done = 0, n;
    do {
        n = get_some(queue, item_at(items, item_size, done), item_size, room - done);
        done += n;
    } while (n > 0 && done < room && item_size > queue->order.ring.room);
    return done;
}

static int get_own(weft_queue *queue, void *items, size_t item_size, size_t room, double timeout)
{
    size_t done = get_what_is_there(queue, items, item_size, room);
    if (done > 0)
        return (int)done;
    int r = weft_queue_get_item(queue, items, item_size, item_size, timeout);
    if (r <= 0 || room == 1)
        return r < 0 ? r : r > 0;
    return 1 + (int)get_what_is_there(queue, item_at(items, item_size, 1), item_size, room - 1);
}

int weft_queue_get_many(weft_queue *queue, void *items, size_t item_size, size_t room,
                        double timeout)
{
    bool own = weft_queue_is_own(queue);
    weft_instant deadline;
    int r = own ? 0 : weft_queue_check_shared(queue, "get_many");
    if (r == 0 && (items == NULL || item_size == 0 || room == 0))
        r = weft_error(-EINVAL, "get: room for %zu items of %zu bytes%s", room, item_size,
                       items == NULL ? " at NULL" : "");
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    if (r < 0)
        return r;
    if (room > INT_MAX)
        room = INT_MAX;
    return own ? get_own(queue, items, item_size, room, timeout)
               : weft_shared_queue.get_many(queue, items, item_size, room, deadline);
}
