/* SPDX-License-Identifier: MIT */
/*
 * A 4-ary heap: half the depth of a binary one, and the four children of an entry lie in two cache
 * lines. The array holds (deadline, sequence, item); an item knows its place, so that removal needs
 * no search.
 */
#include "core/heap.h"

#include <weft/base.h>

#include "core/memory.h"

enum { ARITY = 4, FIRST_ROOM = 64 };

static bool before(const weft_heap_entry *a, const weft_heap_entry *b)
{
    if (a->deadline != b->deadline)
        return a->deadline < b->deadline;
    return a->sequence < b->sequence;
}

static void place(weft_heap *heap, size_t index, weft_heap_entry entry)
{
    heap->entries[index] = entry;
    entry.item->index = index + 1;
}

static void sift_up(weft_heap *heap, size_t index, weft_heap_entry entry)
{
    while (index > 0) {
        size_t parent = (index - 1) / ARITY;
        if (!before(&entry, &heap->entries[parent]))
            break;
        place(heap, index, heap->entries[parent]);
        index = parent;
    }
    place(heap, index, entry);
}

static void sift_down(weft_heap *heap, size_t index, weft_heap_entry entry)
{
    for (;;) {
        size_t first = index * ARITY + 1;
        if (first >= heap->count)
            break;
        size_t last = first + ARITY < heap->count ? first + ARITY : heap->count;
        size_t least = first;
        for (size_t child = first + 1; child < last; child++) {
            if (before(&heap->entries[child], &heap->entries[least]))
                least = child;
        }
        if (!before(&heap->entries[least], &entry))
            break;
        place(heap, index, heap->entries[least]);
        index = least;
    }
    place(heap, index, entry);
}

int weft_heap_reserve(weft_heap *heap, size_t count)
{
    if (count <= heap->room)
        return 0;
    size_t room = heap->room > 0 ? heap->room : FIRST_ROOM;
    while (room < count) {
        if (room > SIZE_MAX / 2 / sizeof *heap->entries)
            return -ENOMEM;
        room *= 2;
    }
    weft_heap_entry *entries = weft_realloc(heap->entries, room * sizeof *entries);
    if (entries == NULL)
        return -ENOMEM;
    heap->entries = entries;
    heap->room = room;
    return 0;
}

int weft_heap_insert(weft_heap *heap, weft_heap_item *item, weft_instant deadline)
{
    int r = weft_heap_reserve(heap, heap->count + 1);
    if (r < 0)
        return r;
    weft_heap_entry entry = {.deadline = deadline, .sequence = heap->sequence++, .item = item};
    sift_up(heap, heap->count++, entry);
    return 0;
}

void weft_heap_remove(weft_heap *heap, weft_heap_item *item)
{
    if (item->index == 0)
        return;
    size_t index = item->index - 1;
    item->index = 0;
    weft_heap_entry last = heap->entries[--heap->count];
    if (last.item == item)
        return;
    /* the last entry fills the hole; it may belong above it or below */
    if (index > 0 && before(&last, &heap->entries[(index - 1) / ARITY]))
        sift_up(heap, index, last);
    else
        sift_down(heap, index, last);
}

weft_heap_item *weft_heap_pop_due(weft_heap *heap, weft_instant now)
{
    if (heap->count == 0 || heap->entries[0].deadline > now)
        return NULL;
    weft_heap_item *item = heap->entries[0].item;
    weft_heap_remove(heap, item);
    return item;
}

void weft_heap_clear(weft_heap *heap)
{
    weft_dealloc(heap->entries);
    *heap = (weft_heap){0};
}
