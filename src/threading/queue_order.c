/* SPDX-License-Identifier: MIT */
/*
 * The heap of ranks: 4-ary, so that four children lie in one cache line; and the seldom used parts
 * of every order.
 */
#include "threading/queue_order.h"

#include <errno.h>
#include <limits.h>

enum { CHILDREN = 4 };

/* The empty item comes behind all others: none has a number this high. */
#define LAST (UINT64_C(1) << 63)

typedef struct rank {
    int priority;
    uint32_t slot;
    uint64_t sequence;
} rank;

static rank *ranks_of(const weft_order *order)
{
    return weft_ring_beside(&order->ring);
}

static bool goes_before(const rank *a, const rank *b)
{
    return a->priority != b->priority ? a->priority < b->priority : a->sequence < b->sequence;
}

int weft_order_init(weft_order *order, weft_queue_order kind, size_t item_size)
{
    int r = weft_ring_init(&order->ring, item_size);
    order->kind = kind;
    order->sequence = 0;
    if (kind == WEFT_QUEUE_PRIORITY)
        order->ring.beside = sizeof(rank);
    return r;
}

weft_slot *weft_order_add_rank(weft_order *order, const void *item, size_t size)
{
    rank *ranks = ranks_of(order);
    size_t at = weft_ring_count(&order->ring);
    rank added = {.priority = INT_MAX, .slot = ranks[at].slot, .sequence = order->sequence++};
    if (size >= sizeof(added.priority))
        memcpy(&added.priority, item, sizeof(added.priority));
    else
        added.sequence |= LAST;
    while (at > 0) {
        size_t parent = (at - 1) / CHILDREN;
        if (!goes_before(&added, &ranks[parent]))
            break;
        ranks[at] = ranks[parent];
        at = parent;
    }
    ranks[at] = added;
    return weft_ring_slot(&order->ring, added.slot);
}

weft_slot *weft_order_next_rank(const weft_order *order)
{
    return weft_ring_slot(&order->ring, ranks_of(order)->slot);
}

/* Which of the children of `at` goes next; 0: it has none below `count`. */
static size_t next_child(const rank *ranks, size_t at, size_t count)
{
    size_t first = at * CHILDREN + 1, best = first;
    if (first >= count)
        return 0;
    for (size_t i = first + 1; i < first + CHILDREN && i < count; i++)
        if (goes_before(&ranks[i], &ranks[best]))
            best = i;
    return best;
}

/* The first is gone, and `tail` tells so already: the last takes its place, and sinks. */
void weft_order_remove_rank(weft_order *order)
{
    rank *ranks = ranks_of(order);
    size_t count = weft_ring_count(&order->ring), at = 0, child;
    rank moved = ranks[count];
    ranks[count].slot = ranks[0].slot; /* free */
    while ((child = next_child(ranks, at, count)) != 0 && goes_before(&ranks[child], &moved)) {
        ranks[at] = ranks[child];
        at = child;
    }
    if (count > 0)
        ranks[at] = moved;
}

void *weft_order_block(const weft_order *order)
{
    bool numbered = order->kind != WEFT_QUEUE_PRIORITY || order->ring.mask < UINT32_MAX / 2;
    return numbered ? weft_ring_block(&order->ring) : NULL;
}

void *weft_order_grow(weft_order *order, void *block)
{
    size_t count = weft_ring_count(&order->ring);
    const rank *old = count > 0 ? ranks_of(order) : NULL;
    void *old_block = weft_ring_grow(&order->ring, block);
    if (order->kind == WEFT_QUEUE_PRIORITY) {
        /* it was full: all its slots and ranks are in use */
        rank *ranks = ranks_of(order);
        if (count > 0)
            memcpy(ranks, old, count * sizeof(*ranks));
        for (size_t i = count; i <= order->ring.mask; i++)
            ranks[i].slot = (uint32_t)i;
    }
    return old_block;
}

size_t weft_order_drop(weft_order *order, weft_order *dropped)
{
    *dropped = *order;
    order->ring.slots = NULL;
    order->ring.mask = 0;
    if (order->kind == WEFT_QUEUE_FIFO) /* as in add */
        __atomic_store_n(&order->ring.head, order->ring.tail, __ATOMIC_RELAXED);
    else
        __atomic_store_n(&order->ring.tail, order->ring.head, __ATOMIC_RELAXED);
    return weft_ring_count(&dropped->ring);
}

void weft_order_clear(weft_order *order)
{
    weft_ring *ring = &order->ring;
    if (order->kind == WEFT_QUEUE_PRIORITY) {
        for (size_t i = 0; i < weft_ring_count(ring); i++)
            weft_ring_empty(ring, weft_ring_slot(ring, ranks_of(order)[i].slot));
        ring->head = ring->tail;
    }
    weft_ring_clear(ring);
}
