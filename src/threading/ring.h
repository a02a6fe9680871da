/* SPDX-License-Identifier: MIT */
/*
 * ring: the slots of a queue, in one block that doubles.
 *
 * A slot is a size and the item's bytes; an item that is larger than the slot's room lies in a
 * block of its own, whose pointer is in the slot. All calls are under the queue's lock; blocks are
 * made and freed outside of it.
 */
#ifndef WEFT_THREADING_RING_H
#define WEFT_THREADING_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct weft_slot {
    size_t size;
    union {
        void *block;                         /* size > room: owned, a NUL behind the bytes */
        unsigned char bytes[sizeof(void *)]; /* room bytes */
    } in;
} weft_slot;

typedef struct weft_ring {
    unsigned char *slots; /* owned */
    size_t mask;          /* number of slots - 1; the number is a power of two */
    size_t head, tail;    /* count up for ever; tail - head: items */
    size_t stride, room;
    size_t beside; /* bytes for each slot that lie behind all slots, in the same block */
} weft_ring;

/* Where the item of that number is. */
static inline weft_slot *weft_ring_slot(const weft_ring *ring, size_t number)
{
    return (weft_slot *)(void *)(ring->slots + (number & ring->mask) * ring->stride);
}

static inline size_t weft_ring_count(const weft_ring *ring)
{
    return ring->tail - ring->head;
}

static inline bool weft_ring_full(const weft_ring *ring)
{
    return ring->slots == NULL || weft_ring_count(ring) > ring->mask;
}

/* What lies behind the slots. */
static inline void *weft_ring_beside(const weft_ring *ring)
{
    return ring->slots + (ring->mask + 1) * ring->stride;
}

static inline void weft_copy_item(void *to, const void *from, size_t size)
{
    if (size == sizeof(void *))
        memcpy(to, from, sizeof(void *)); /* one instruction for the usual size */
    else if (size > 0)
        memcpy(to, from, size);
}

/* Slots for items of item_size bytes, 0: any; none are there yet. Errors: -EINVAL: too large. */
int weft_ring_init(weft_ring *ring, size_t item_size);

/* Twice the slots: the block for that, to be made without the lock (NULL: no memory) ... */
void *weft_ring_block(const weft_ring *ring);
/* ... and put in with it, the items at its start; what lies beside the slots is the caller's.
 * Returns the old block, to be freed without. The ring has not grown since. */
void *weft_ring_grow(weft_ring *ring, void *block);

/* Frees the slot's block, if its item has one. */
void weft_ring_empty(const weft_ring *ring, const weft_slot *slot);

/* Nobody uses it any more: frees all, what the items from head to tail have too. */
void weft_ring_clear(weft_ring *ring);

#endif
