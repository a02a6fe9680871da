/* SPDX-License-Identifier: MIT */
/*
 * queue: slots in an order (queue_order.h) and four lists of waiters, under one internal lock.
 *
 * Reservation: nobody hands an item to a parked getter. A put that finds one waiting promises it
 * *an* item and wakes it; the item stays in its slot until the getter has resumed and takes what is
 * next then. So a getter that turns out to be cancelled gives the promise back (to the next one),
 * and neither order nor bound is broken. In the same way a get promises free room to a parked
 * putter.
 *
 *     items - getters.promised             may be taken by whoever comes
 *     maxsize - items - putters.promised   may be filled by whoever comes
 *
 * Invariant, whenever the lock is free: if a getter is parked and an item is free to be taken, a
 * thread that has been promised one is coming; likewise for putters and room. So of threads one at
 * a time is woken in a line: while it is on its way, others put and take freely, and when it is
 * there it wakes the next, if there is still something to wake it for. That spares most of the
 * system calls of a busy queue, which are what it costs. A coroutine is woken at once: it costs
 * nothing, and its loop may be long in coming to it. `leave` and `serve` restore the invariant:
 * every operation ends in one of them. Where nobody is parked it is one store.
 *
 * Observers (weft_wait_any and its kin) take nothing; they are told whenever a get would not wait.
 *
 * The lock is held for the copy of an item of a few bytes, never over a wait, an allocation, or
 * code of others. Signal handlers run where a wait sleeps, and so never inside of it: they may use
 * the queue that the main thread waits for.
 *
 * Here: one item in, one item out. queue_many.c: several. queue_wait.c: what waits. queue_handle.c:
 * its life, its ends, and what it tells of itself.
 */
#include <limits.h>

#include "core/clock.h"
#include "core/error.h"
#include "core/memory.h"
#include "threading/queue_state.h"

/* Enters with the lock; leaves it when it fails. The clock is not read with the lock held. */
static int enter_slowly(weft_queue *queue, double timeout, weft_instant *deadline)
{
    if (timeout < 0) {
        *deadline = WEFT_INSTANT_NEVER;
        return 0;
    }
    weft_ilock_release(&queue->lock);
    int r = weft_deadline(timeout, deadline);
    if (r == 0)
        weft_ilock_acquire(&queue->lock);
    return r;
}

/* ---- Put --------------------------------------------------------------------------------------
 */

/* Enters with the lock, and leaves it. */
__attribute__((noinline)) static int put_slowly(weft_queue *queue, const void *data, size_t size,
                                                void *block, double timeout)
{
    const weft_item put = {.data = (void *)(uintptr_t)data, .size = size, .block = block};
    weft_instant deadline;
    int r = enter_slowly(queue, timeout, &deadline);
    return r < 0 ? r : weft_queue_put_waiting(queue, &put, deadline);
}

__attribute__((noinline)) static int put_block(weft_queue *queue, const void *data, size_t size,
                                               double timeout)
{
    void *block = weft_memdup(data, size);
    if (block == NULL)
        return weft_error(-ENOMEM, "put: no memory for %zu bytes", size);
    weft_ilock_acquire(&queue->lock);
    int r = put_slowly(queue, data, size, block, timeout);
    if (r < 0)
        weft_dealloc(block);
    return r;
}

/* The item of the short way is in registers: nobody is given its address. */
static inline int put_item(weft_queue *queue, const void *data, size_t size, double timeout)
{
    if (size > queue->room)
        return put_block(queue, data, size, timeout);
    weft_ilock_acquire(&queue->lock);
    if (weft_queue_put_ready(queue) && timeout == timeout) {
        const weft_item put = {.data = (void *)(uintptr_t)data, .size = size};
        weft_queue_store(queue, &put);
        weft_queue_leave_with_item(queue);
        return 0;
    }
    return put_slowly(queue, data, size, NULL, timeout);
}

int weft_queue_put_item(weft_queue *queue, const void *data, size_t size, double timeout)
{
    return put_item(queue, data, size, timeout);
}

int weft_queue_check_item(const weft_queue *queue, const void *data, size_t size)
{
    if (size > INT_MAX)
        return weft_error(-EMSGSIZE, "put: an item of %zu bytes", size);
    if (data == NULL && size > 0)
        return weft_error(-EINVAL, "put: %zu bytes at NULL", size);
    if (size != queue->item_size && size > 0 && queue->item_size > 0)
        return weft_error(-EMSGSIZE, "put: an item of %zu bytes into a queue of items of %zu", size,
                          queue->item_size);
    if (queue->order.kind == WEFT_QUEUE_PRIORITY && size > 0 && size < sizeof(int))
        return weft_error(-EMSGSIZE, "put: an item of %zu bytes does not begin with its priority",
                          size);
    return 0;
}

static int put_shared(weft_queue *queue, const void *data, size_t size, double timeout)
{
    weft_instant deadline;
    int r = weft_queue_check_shared(queue, "put");
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    return r < 0 ? r : weft_shared_queue.put(queue, data, size, deadline);
}

int weft_queue_put(weft_queue *queue, const void *data, size_t size, double timeout)
{
    if (!weft_queue_is_own(queue))
        return put_shared(queue, data, size, timeout);
    if (size != queue->item_size || data == NULL) {
        int r = weft_queue_check_item(queue, data, size);
        if (r < 0)
            return r;
    }
    return put_item(queue, data, size, timeout);
}

/* ---- Get --------------------------------------------------------------------------------------
 */

/* Enters with the lock, and leaves it. */
static int get_slowly(weft_queue *queue, weft_item *got, double timeout)
{
    weft_instant deadline;
    int r = enter_slowly(queue, timeout, &deadline);
    return r < 0 ? r : weft_queue_get_waiting(queue, got, deadline);
}

static inline bool may_take(const weft_queue *queue, double timeout)
{
    return weft_queue_free_items(queue) > 0 && timeout == timeout;
}

/* Enters with the lock, and leaves it. There is an item. */
static inline int take_and_leave(weft_queue *queue, weft_item *got)
{
    int r = weft_queue_take(queue, got);
    if (r == 0)
        weft_queue_leave_with_room(queue);
    else
        weft_ilock_release(&queue->lock);
    return r;
}

/* What a get returns that has been given room; what is in a block is copied. */
static inline int given(int r, const weft_item *got, size_t room)
{
    if (r == -EMSGSIZE)
        return weft_error(r, "get: the item has %zu bytes, there is room for %zu", got->size, room);
    if (r < 0)
        return r;
    if (got->block != NULL) {
        memcpy(got->data, got->block, got->size);
        weft_dealloc(got->block);
    }
    return (int)got->size;
}

/* Enters with the lock, and leaves it. */
__attribute__((noinline)) static int get_into_slowly(weft_queue *queue, void *data, size_t room,
                                                     size_t least, double timeout)
{
    weft_item got = {.data = data, .size = room, .least = least};
    return given(get_slowly(queue, &got, timeout), &got, room);
}

/* The item of the short way is in registers, as in put_item. */
static inline int get_into(weft_queue *queue, void *data, size_t room, size_t least, double timeout)
{
    weft_ilock_acquire(&queue->lock);
    if (!may_take(queue, timeout))
        return get_into_slowly(queue, data, room, least, timeout);
    weft_item got = {.data = data, .size = room, .least = least};
    return given(take_and_leave(queue, &got), &got, room);
}

int weft_queue_get_item(weft_queue *queue, void *data, size_t room, size_t least, double timeout)
{
    return get_into(queue, data, room, least, timeout);
}

static int get_shared(weft_queue *queue, void *data, size_t room, double timeout)
{
    weft_instant deadline;
    int r = weft_queue_check_shared(queue, "get");
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    return r < 0 ? r : weft_shared_queue.get(queue, data, room, deadline);
}

int weft_queue_get(weft_queue *queue, void *data, size_t room, double timeout)
{
    if (!weft_queue_is_own(queue))
        return get_shared(queue, data, room, timeout);
    if (data == NULL && room > 0)
        return weft_error(-EINVAL, "get: %zu bytes of room at NULL", room);
    return get_into(queue, data, room, 0, timeout);
}

static int get_bytes_shared(weft_queue *queue, weft_bytes *bytes, double timeout)
{
    weft_instant deadline;
    int r = weft_queue_check_shared(queue, "get");
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    return r < 0 ? r : weft_shared_queue.get_bytes(queue, bytes, deadline);
}

int weft_queue_get_bytes(weft_queue *queue, weft_bytes *bytes, double timeout)
{
    if (!weft_queue_is_own(queue))
        return get_bytes_shared(queue, bytes, timeout);
    if (bytes == NULL)
        return weft_error(-EINVAL, "get: nowhere to put it");
    /* made before the item is taken: a failure must leave it where it is */
    weft_item got = {.data = weft_alloc(queue->order.ring.room + 1), .size = INT_MAX};
    if (got.data == NULL)
        return weft_error(-ENOMEM, "get: no memory");
    weft_ilock_acquire(&queue->lock);
    int r =
        may_take(queue, timeout) ? take_and_leave(queue, &got) : get_slowly(queue, &got, timeout);
    if (r < 0 || got.block != NULL || got.size == 0) {
        weft_dealloc(got.data);
        got.data = got.block;
    } else {
        ((char *)got.data)[got.size] = '\0';
    }
    if (r < 0)
        return r;
    *bytes = (weft_bytes){got.data, got.size};
    return (int)got.size;
}
