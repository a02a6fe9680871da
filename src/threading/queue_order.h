/* SPDX-License-Identifier: MIT */
/*
 * queue_order: which item goes next.
 *
 * First in first out takes at the ring's head, last in first out at its tail. By priority the ring
 * is a pool of slots (head stays 0, tail is the number of items), and a heap of ranks beside it
 * tells the order: a rank is an item's priority, its number among all that were put (so that equal
 * ones leave in the order of coming) and its slot. Items are never moved, and nothing is allocated:
 * ranks[count] and those behind it name the free slots.
 *
 * All calls are under the queue's lock, but weft_order_block and weft_order_clear.
 */
#ifndef WEFT_THREADING_QUEUE_ORDER_H
#define WEFT_THREADING_QUEUE_ORDER_H

#include <weft/queue.h>

#include "threading/ring.h"

typedef struct weft_order {
    weft_ring ring;
    weft_queue_order kind; /* never changes */
    uint64_t sequence;     /* of the next rank */
} weft_order;

/* Errors: -EINVAL (too large). */
int weft_order_init(weft_order *order, weft_queue_order kind, size_t item_size);

/* By priority; see weft_order_add and weft_order_next. */
weft_slot *weft_order_add_rank(weft_order *order, const void *item, size_t size);
weft_slot *weft_order_next_rank(const weft_order *order);
void weft_order_remove_rank(weft_order *order);

/* Adds an item, whose bytes tell its priority: returns the slot that they, or their block, go to,
 * its size set. There is a free slot. */
static inline weft_slot *weft_order_add(weft_order *order, const void *item, size_t size)
{
    weft_ring *ring = &order->ring;
    weft_slot *slot = order->kind == WEFT_QUEUE_PRIORITY ? weft_order_add_rank(order, item, size)
                                                         : weft_ring_slot(ring, ring->tail);
    slot->size = size;
    /* atomic: a spinning waiter reads it without the lock, as a hint */
    __atomic_store_n(&ring->tail, ring->tail + 1, __ATOMIC_RELAXED);
    return slot;
}

/* The slot of the item that goes next. There is one. */
static inline weft_slot *weft_order_next(const weft_order *order)
{
    const weft_ring *ring = &order->ring;
    if (order->kind == WEFT_QUEUE_FIFO)
        return weft_ring_slot(ring, ring->head);
    return order->kind == WEFT_QUEUE_LIFO ? weft_ring_slot(ring, ring->tail - 1)
                                          : weft_order_next_rank(order);
}

/* Takes that item away; its slot is good until the lock is left. */
static inline void weft_order_remove(weft_order *order)
{
    weft_ring *ring = &order->ring;
    if (order->kind == WEFT_QUEUE_FIFO) {
        __atomic_store_n(&ring->head, ring->head + 1, __ATOMIC_RELAXED); /* as in add */
        return;
    }
    __atomic_store_n(&ring->tail, ring->tail - 1, __ATOMIC_RELAXED);
    if (order->kind == WEFT_QUEUE_PRIORITY)
        weft_order_remove_rank(order);
}

/* As the ring's. */
void *weft_order_block(const weft_order *order);
void *weft_order_grow(weft_order *order, void *block);

/* Takes everything out, into *dropped, for weft_order_clear without the lock. Returns how many. */
size_t weft_order_drop(weft_order *order, weft_order *dropped);

/* Nobody uses it any more: frees all. */
void weft_order_clear(weft_order *order);

#endif
