/* SPDX-License-Identifier: MIT */
/*
 * The seldom used parts of the ring: making, growing and freeing it.
 */
#include "threading/ring.h"

#include <errno.h>
#include <stdint.h>

#include "core/memory.h"

enum {
    FIRST_SLOTS = 16,
    LARGEST_INSIDE = 256, /* larger items are not copied under the lock */
    USUAL_ROOM = 24,      /* of queues of any size */
};

int weft_ring_init(weft_ring *ring, size_t item_size)
{
    size_t room = item_size;
    if (item_size > SIZE_MAX / 4)
        return -EINVAL;
    if (item_size == 0)
        room = USUAL_ROOM;
    else if (item_size > LARGEST_INSIDE)
        room = sizeof(void *);
    size_t aligned = (room + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *);
    *ring = (weft_ring){.room = room, .stride = offsetof(weft_slot, in) + aligned};
    return 0;
}

static size_t next_slots(const weft_ring *ring)
{
    return ring->slots != NULL ? 2 * (ring->mask + 1) : FIRST_SLOTS;
}

void *weft_ring_block(const weft_ring *ring)
{
    size_t slots = next_slots(ring), each = ring->stride + ring->beside;
    return slots <= SIZE_MAX / 2 / each ? weft_alloc(slots * each) : NULL;
}

void *weft_ring_grow(weft_ring *ring, void *block)
{
    unsigned char *old = ring->slots, *slots = block;
    size_t count = weft_ring_count(ring), mask = next_slots(ring) - 1;
    if (count > 0) {
        size_t first = ring->head & ring->mask, to_end = ring->mask + 1 - first;
        size_t straight = count < to_end ? count : to_end;
        memcpy(slots, old + first * ring->stride, straight * ring->stride);
        memcpy(slots + straight * ring->stride, old, (count - straight) * ring->stride);
    }
    ring->slots = slots;
    ring->mask = mask;
    /* atomic: a spinning waiter reads them without the lock, as a hint */
    __atomic_store_n(&ring->head, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->tail, count, __ATOMIC_RELAXED);
    return old;
}

void weft_ring_empty(const weft_ring *ring, const weft_slot *slot)
{
    if (slot->size > ring->room)
        weft_dealloc(slot->in.block);
}

void weft_ring_clear(weft_ring *ring)
{
    for (; ring->head != ring->tail; ring->head++)
        weft_ring_empty(ring, weft_ring_slot(ring, ring->head));
    weft_dealloc(ring->slots);
    ring->slots = NULL;
}
