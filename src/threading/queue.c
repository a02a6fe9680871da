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
__attribute__((noinline)) static int put_slowly(weft_queue *queue, const weft_item *put,
                                                double timeout)
{
    weft_instant deadline;
    int r = enter_slowly(queue, timeout, &deadline);
    return r < 0 ? r : weft_queue_put_waiting(queue, put, deadline);
}

__attribute__((noinline)) static int put_block(weft_queue *queue, weft_item *put, double timeout)
{
    put->block = weft_memdup(put->data, put->size);
    if (put->block == NULL)
        return weft_error(-ENOMEM, "put: no memory for %zu bytes", put->size);
    weft_ilock_acquire(&queue->lock);
    int r = put_slowly(queue, put, timeout);
    if (r < 0)
        weft_dealloc(put->block);
    return r;
}

static inline int put_item(weft_queue *queue, weft_item *put, double timeout)
{
    if (put->size > queue->room)
        return put_block(queue, put, timeout);
    weft_ilock_acquire(&queue->lock);
    if (weft_queue_put_ready(queue) && timeout == timeout) {
        weft_queue_store(queue, put);
        weft_queue_leave_with_item(queue);
        return 0;
    }
    return put_slowly(queue, put, timeout);
}

int weft_queue_put_item(weft_queue *queue, weft_item *put, double timeout)
{
    return put_item(queue, put, timeout);
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
    weft_item put = {.data = (void *)(uintptr_t)data, .size = size};
    if (size != queue->item_size || data == NULL) {
        int r = weft_queue_check_item(queue, data, size);
        if (r < 0)
            return r;
    }
    return put_item(queue, &put, timeout);
}

/* ---- Get --------------------------------------------------------------------------------------
 */

/* Enters with the lock, and leaves it. */
__attribute__((noinline)) static int get_slowly(weft_queue *queue, weft_item *got, double timeout)
{
    weft_instant deadline;
    int r = enter_slowly(queue, timeout, &deadline);
    return r < 0 ? r : weft_queue_get_waiting(queue, got, deadline);
}

static inline int get_item(weft_queue *queue, weft_item *got, double timeout)
{
    weft_ilock_acquire(&queue->lock);
    if (weft_queue_free_items(queue) > 0 && timeout == timeout) {
        int r = weft_queue_take(queue, got);
        if (r == 0)
            weft_queue_leave_with_room(queue);
        else
            weft_ilock_release(&queue->lock);
        return r;
    }
    return get_slowly(queue, got, timeout);
}

/* Into given room: the size, and what a block holds is copied. */
static inline int get_into(weft_queue *queue, weft_item *got, double timeout)
{
    size_t room = got->size;
    int r = get_item(queue, got, timeout);
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

int weft_queue_get_item(weft_queue *queue, weft_item *got, double timeout)
{
    return get_into(queue, got, timeout);
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
    weft_item got = {.data = data, .size = room};
    return get_into(queue, &got, timeout);
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
    int r = get_item(queue, &got, timeout);
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
