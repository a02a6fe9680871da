/* SPDX-License-Identifier: MIT */
/*
 * heap: timers in a 4-ary heap whose array holds the deadline beside the pointer, so that sifting
 * touches no timer but the ones that move.
 */
#ifndef WEFT_CORE_HEAP_H
#define WEFT_CORE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/clock.h"

typedef struct weft_heap_item {
    size_t index; /* 1-based place in the heap; 0: not in it */
} weft_heap_item;

typedef struct weft_heap_entry {
    weft_instant deadline;
    uint64_t sequence; /* equal deadlines leave in the order of insertion */
    weft_heap_item *item;
} weft_heap_entry;

typedef struct weft_heap {
    weft_heap_entry *entries; /* owned */
    size_t count, room;
    uint64_t sequence;
} weft_heap;

/* Makes sure that `count` items fit without allocation. Errors: -ENOMEM. */
int weft_heap_reserve(weft_heap *heap, size_t count);

/* Errors: -ENOMEM (never within what was reserved). */
int weft_heap_insert(weft_heap *heap, weft_heap_item *item, weft_instant deadline);

/* Harmless when it is not in the heap. */
void weft_heap_remove(weft_heap *heap, weft_heap_item *item);

/* Takes the first item that is due; NULL: none. */
weft_heap_item *weft_heap_pop_due(weft_heap *heap, weft_instant now);

static inline weft_instant weft_heap_next(const weft_heap *heap)
{
    return heap->count > 0 ? heap->entries[0].deadline : WEFT_INSTANT_NEVER;
}

void weft_heap_clear(weft_heap *heap);

#endif
