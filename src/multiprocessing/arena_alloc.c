/* SPDX-License-Identifier: MIT */
/*
 * The arena's allocator: whole after a kill at any instruction.
 *
 * The heap is a row of runs, each a number of 64 KiB units with a header in its first bytes: FREE,
 * LARGE (one block behind the header) or SLAB (one unit of places of one size class, with a bitmap
 * behind the header). The truth is only this: the end of the heap, each run's `state` word, which
 * holds kind, class and length, and each slab's bitmap. Every change of the truth is *one store*,
 * made when all that it makes visible has been written:
 *
 *   allocate a place, free it          a bit of the bitmap
 *   allocate a run                     its state; the header of what is left of it was written
 *                                      behind it before, where nobody looked as yet
 *   free a run                         its state
 *   merge it with the free one behind  its state, with the sum of both lengths
 *   grow                               the end, behind a header of a free run
 *
 * So a kill leaves an operation done or not begun, and there is nothing to redo or undo. All else
 * (lists of slabs with a free place and of free runs, counts) is derived, changed under the heap's
 * lock, and made anew from the truth by whoever takes the lock from a dead holder. Stores that a
 * killed process has made are never lost, only their order in the program counts, hence the release
 * stores. What a killed process had allocated for itself alone stays allocated.
 *
 * One lock for all: an allocation holds it for some 50 ns.
 */
#include <string.h>

#include <weft/multiprocessing.h>

#include "multiprocessing/arena.h"

enum { NONE, KIND_FREE, KIND_LARGE, KIND_SLAB }; /* 0: the bytes were never a header */

enum {
    UNIT = 64 << 10,
    HEADER = 64,
    GROWTH_LEAST = 4, /* units */
    GROWTH_MOST = 1024,
    CLASSES = 33,
};

static const uint16_t class_sizes[CLASSES] = {
    16,   32,   48,   64,   80,   96,   128,   160,   192,   256,   320,
    384,  448,  512,  640,  768,  1024, 1280,  1536,  1792,  2048,  2560,
    3072, 3584, 4096, 5056, 6464, 8064, 10816, 12992, 16256, 21696, 32576};

_Static_assert((int)CLASSES <= (int)WEFT_SIZE_CLASSES,
               "the heap's state has a list for each class");

typedef struct run {
    uint64_t magic;         /* of its place: what a block holds can hardly look so */
    _Atomic uint64_t state; /* units << 16 | class << 8 | kind */
    /* derived */
    uint64_t next, previous; /* in the list of its class or of free runs */
    uint32_t places, free;   /* of a slab */
    uint32_t hint;           /* the first word of the bitmap that may have a place */
    bool listed;
} run;

_Static_assert(sizeof(run) <= HEADER, "a header has its bytes");

/* ---- runs --------------------------------------------------------------------------------------
 */

static run *run_at(weft_arena *arena, uint64_t offset)
{
    return (run *)((char *)arena + offset);
}

static uint64_t offset_of(weft_arena *arena, const void *address)
{
    return (uint64_t)((const char *)address - (const char *)arena);
}

static uint64_t magic_at(weft_arena *arena, uint64_t offset)
{
    return (arena->secret ^ offset) | 1;
}

static uint64_t state_of(uint64_t units, unsigned class, unsigned kind)
{
    return units << 16 | (uint64_t) class << 8 | kind;
}

static uint64_t state_get(const run *of)
{
    /* relaxed: under the lock, or compared only */
    return atomic_load_explicit(&((run *)(uintptr_t)of)->state, memory_order_relaxed);
}

static unsigned kind_of(const run *of)
{
    return (unsigned)(state_get(of) & 0xff);
}

static unsigned class_of(const run *of)
{
    return (unsigned)(state_get(of) >> 8 & 0xff);
}

static uint64_t units_of(const run *of)
{
    return state_get(of) >> 16;
}

/* The one store: what was written before is in its place when this is. */
static void commit(run *of, uint64_t units, unsigned class, unsigned kind)
{
    atomic_store_explicit(&of->state, state_of(units, class, kind), memory_order_release);
}

static _Atomic uint64_t *bitmap_of(run *of)
{
    return (_Atomic uint64_t *)((char *)of + HEADER);
}

/* Where the places of a slab begin: behind as many bits as there could be places. */
static uint32_t places_begin(unsigned class)
{
    uint32_t most = (UNIT - HEADER) / class_sizes[class];
    uint32_t bytes = (most + 63) / 64 * 8;
    return HEADER + (bytes + 63) / 64 * 64;
}

static uint32_t places_of(unsigned class)
{
    return (UNIT - places_begin(class)) / class_sizes[class];
}

/* ---- what is derived: lists --------------------------------------------------------------------
 */

static uint64_t *list_of(weft_arena *arena, const run *of)
{
    return kind_of(of) == KIND_SLAB ? &arena->heap.partial[class_of(of)] : &arena->heap.free;
}

static void list(weft_arena *arena, run *of)
{
    uint64_t *head = list_of(arena, of);
    uint64_t offset = offset_of(arena, of);
    of->previous = 0;
    of->next = *head;
    if (*head != 0)
        run_at(arena, *head)->previous = offset;
    *head = offset;
    of->listed = true;
}

static void unlist(weft_arena *arena, run *of)
{
    if (of->previous != 0)
        run_at(arena, of->previous)->next = of->next;
    else
        *list_of(arena, of) = of->next;
    if (of->next != 0)
        run_at(arena, of->next)->previous = of->previous;
    of->listed = false;
}

/* Lists the run if it has something to give. */
static void derive(weft_arena *arena, run *of)
{
    of->listed = false;
    if (kind_of(of) == KIND_SLAB) {
        _Atomic uint64_t *bits = bitmap_of(of);
        of->places = places_of(class_of(of));
        of->free = of->places;
        of->hint = 0;
        for (uint32_t i = 0; i < (of->places + 63) / 64; i++)
            of->free -= (uint32_t)__builtin_popcountll(
                atomic_load_explicit(&bits[i], memory_order_relaxed));
        if (of->free > 0)
            list(arena, of);
    } else if (kind_of(of) == KIND_FREE) {
        list(arena, of);
    }
}

/* Makes the lists anew. A header that has been written over ends it: what lies behind is out of
 * use, which is better than to follow it. */
static void rebuild(weft_arena *arena)
{
    weft_heap_state *heap = &arena->heap;
    uint64_t end = atomic_load_explicit(&heap->end, memory_order_relaxed);
    memset(heap->partial, 0, sizeof heap->partial);
    heap->free = 0;
    for (uint64_t at = heap->begin; at < end;) {
        run *of = run_at(arena, at);
        if (of->magic != magic_at(arena, at) || units_of(of) == 0)
            return;
        derive(arena, of);
        at += units_of(of) * UNIT;
    }
}

static void heap_lock(weft_arena *arena)
{
    if (weft_robust_acquire(&arena->heap.lock) == 1)
        rebuild(arena);
}

static void heap_unlock(weft_arena *arena)
{
    weft_robust_release(&arena->heap.lock);
}

/* ---- free runs ---------------------------------------------------------------------------------
 */

static void write_free(weft_arena *arena, uint64_t at, uint64_t units)
{
    run *of = run_at(arena, at);
    of->magic = magic_at(arena, at);
    commit(of, units, 0, KIND_FREE);
}

void weft_arena_heap_init(weft_arena *arena, uint64_t begin, uint64_t real)
{
    arena->heap.begin = begin;
    write_free(arena, begin, (real - begin) / UNIT);
    list(arena, run_at(arena, begin));
    atomic_store_explicit(&arena->heap.end, real, memory_order_release);
}

/* Takes in the free runs that follow. */
static void merge(weft_arena *arena, run *of)
{
    uint64_t end = atomic_load_explicit(&arena->heap.end, memory_order_relaxed);
    for (;;) {
        uint64_t behind = offset_of(arena, of) + units_of(of) * UNIT;
        if (behind >= end || kind_of(run_at(arena, behind)) != KIND_FREE)
            return;
        run *next = run_at(arena, behind);
        unlist(arena, next);
        commit(of, units_of(of) + units_of(next), 0, KIND_FREE);
    }
}

/* Errors: -ENOSPC and others of the system. */
static int grow(weft_arena *arena, uint64_t units)
{
    uint64_t end = atomic_load_explicit(&arena->heap.end, memory_order_relaxed);
    uint64_t more = end / UNIT / 8;
    more = more < GROWTH_LEAST ? GROWTH_LEAST : more > GROWTH_MOST ? GROWTH_MOST : more;
    if (more < units)
        more = units;
    if (more > (arena->size - end) / UNIT)
        more = units;
    if (more > (arena->size - end) / UNIT)
        return -ENOSPC;
    int r = weft_arena_grow(end + more * UNIT);
    if (r < 0 && more > units) {
        more = units;
        r = weft_arena_grow(end + more * UNIT);
    }
    if (r < 0)
        return r;
    write_free(arena, end, more);
    /* release: a heap that reaches so far has a header there */
    atomic_store_explicit(&arena->heap.end, end + more * UNIT, memory_order_release);
    list(arena, run_at(arena, end));
    return 0;
}

/* The first free run that is large enough, off its list; NULL: none. */
static run *find(weft_arena *arena, uint64_t units)
{
    for (uint64_t at = arena->heap.free; at != 0; at = run_at(arena, at)->next) {
        run *of = run_at(arena, at);
        if (units_of(of) < units)
            merge(arena, of);
        if (units_of(of) >= units) {
            unlist(arena, of);
            return of;
        }
    }
    return NULL;
}

/* A free run that is to have just that length, listed nowhere; still FREE, and as long as it was:
 * its commit lets the rest behind it come to be, which is to be listed after. Errors: as grow. */
static int carve(weft_arena *arena, uint64_t units, run **carved, run **rest)
{
    run *of = find(arena, units);
    *rest = NULL;
    if (of == NULL) {
        int r = grow(arena, units);
        if (r < 0)
            return r;
        of = find(arena, units);
        if (of == NULL)
            return -ENOSPC;
    }
    if (units_of(of) > units) {
        uint64_t behind = offset_of(arena, of) + units * UNIT;
        write_free(arena, behind, units_of(of) - units);
        *rest = run_at(arena, behind);
    }
    *carved = of;
    return 0;
}

/* ---- blocks ------------------------------------------------------------------------------------
 */

static int take_large(weft_arena *arena, size_t size, void **block)
{
    run *of, *rest;
    uint64_t units = ((uint64_t)size + HEADER + UNIT - 1) / UNIT;
    int r = carve(arena, units, &of, &rest);
    if (r < 0)
        return r;
    commit(of, units, 0, KIND_LARGE);
    if (rest != NULL)
        list(arena, rest);
    *block = (char *)of + HEADER;
    return 0;
}

static int make_slab(weft_arena *arena, unsigned class)
{
    run *of, *rest;
    int r = carve(arena, 1, &of, &rest);
    if (r < 0)
        return r;
    memset((char *)of + HEADER, 0, places_begin(class) - HEADER);
    commit(of, 1, class, KIND_SLAB);
    derive(arena, of);
    if (rest != NULL)
        list(arena, rest);
    return 0;
}

static int take_small(weft_arena *arena, unsigned class, void **block)
{
    if (arena->heap.partial[class] == 0) {
        int r = make_slab(arena, class);
        if (r < 0)
            return r;
    }
    run *of = run_at(arena, arena->heap.partial[class]);
    _Atomic uint64_t *bits = bitmap_of(of);
    uint32_t words = (of->places + 63) / 64;
    for (uint32_t i = of->hint; i < words; i++) {
        uint64_t word = atomic_load_explicit(&bits[i], memory_order_relaxed);
        uint32_t bit = ~word == 0 ? 64 : (uint32_t)__builtin_ctzll(~word);
        uint32_t place = i * 64 + bit;
        if (bit == 64 || place >= of->places)
            continue;
        of->hint = i;
        atomic_store_explicit(&bits[i], word | UINT64_C(1) << bit, memory_order_release);
        if (--of->free == 0)
            unlist(arena, of);
        *block = (char *)of + places_begin(class) + (size_t)place * class_sizes[class];
        return 0;
    }
    return -EINVAL; /* the count says there is one: somebody wrote over the header */
}

/* CLASSES: too large for any. */
static unsigned class_for(size_t size)
{
    unsigned low = 0, high = CLASSES;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (class_sizes[middle] < size)
            low = middle + 1;
        else
            high = middle;
    }
    /* whoever asks for whole cache lines gets them aligned */
    while (size % 64 == 0 && low < CLASSES && class_sizes[low] % 64 != 0)
        low++;
    return low;
}

void *weft_arena_alloc(size_t size)
{
    void *block = NULL;
    int r = weft_arena_ensure();
    if (r < 0)
        return NULL;
    weft_arena *arena = weft_arena_get();
    unsigned class = class_for(size > 0 ? size : 1);
    if (size > arena->size) {
        r = -ENOMEM;
    } else {
        heap_lock(arena);
        r = class < CLASSES ? take_small(arena, class, &block) : take_large(arena, size, &block);
        heap_unlock(arena);
    }
    if (r < 0)
        weft_error(r, "shared memory: %zu bytes: %s", size, weft_strerror(r));
    return block;
}

/* The run of a block, and its place in a slab; NULL: it is not the start of a block in use. */
static run *run_of(weft_arena *arena, const void *block, uint32_t *place)
{
    uint64_t offset = offset_of(arena, block);
    uint64_t at = offset / UNIT * UNIT;
    *place = 0;
    if (at < arena->heap.begin ||
        at >= atomic_load_explicit(&arena->heap.end, memory_order_relaxed))
        return NULL;
    run *of = run_at(arena, at);
    if (of->magic != magic_at(arena, at))
        return NULL;
    if (kind_of(of) == KIND_LARGE)
        return offset - at == HEADER ? of : NULL;
    if (kind_of(of) != KIND_SLAB || offset - at < places_begin(class_of(of)))
        return NULL;
    uint32_t into = (uint32_t)(offset - at) - places_begin(class_of(of));
    uint32_t size = class_sizes[class_of(of)];
    *place = into / size;
    uint64_t word = atomic_load_explicit(&bitmap_of(of)[*place / 64], memory_order_relaxed);
    bool used =
        into % size == 0 && *place < places_of(class_of(of)) && (word >> *place % 64 & 1) != 0;
    return used ? of : NULL;
}

static void give_back_run(weft_arena *arena, run *of)
{
    commit(of, units_of(of), 0, KIND_FREE);
    list(arena, of);
    merge(arena, of);
}

static void give_back_place(weft_arena *arena, run *of, uint32_t place)
{
    _Atomic uint64_t *word = &bitmap_of(of)[place / 64];
    atomic_store_explicit(
        word, atomic_load_explicit(word, memory_order_relaxed) & ~(UINT64_C(1) << place % 64),
        memory_order_release);
    if (place / 64 < of->hint)
        of->hint = place / 64;
    if (of->free++ == 0)
        list(arena, of);
    /* the last slab of a class stays, so that one block back and forth is cheap */
    if (of->free == of->places && (of->next != 0 || of->previous != 0)) {
        unlist(arena, of);
        give_back_run(arena, of);
    }
}

int weft_arena_free(void *memory)
{
    uint32_t place;
    if (memory == NULL)
        return 0;
    if (!weft_is_shared(memory))
        return weft_error(-EINVAL, "free shared memory: %p does not lie in it", memory);
    weft_arena *arena = weft_arena_get();
    heap_lock(arena);
    run *of = run_of(arena, memory, &place);
    if (of != NULL && kind_of(of) == KIND_LARGE)
        give_back_run(arena, of);
    else if (of != NULL)
        give_back_place(arena, of, place);
    heap_unlock(arena);
    if (of == NULL)
        return weft_error(-EINVAL, "free shared memory: %p is not a block in use", memory);
    return 0;
}

size_t weft_arena_room(const void *memory)
{
    uint32_t place;
    run *of = run_of(weft_arena_get(), memory, &place);
    if (of == NULL)
        return 0;
    return kind_of(of) == KIND_LARGE ? (size_t)units_of(of) * UNIT - HEADER
                                     : class_sizes[class_of(of)];
}

/* ---- the check ---------------------------------------------------------------------------------
 */

static int check_run(weft_arena *arena, uint64_t at, uint64_t end, uint64_t *used)
{
    run *of = run_at(arena, at);
    if (of->magic != magic_at(arena, at))
        return weft_error(-EINVAL, "shared heap: no header at %llx", (unsigned long long)at);
    if (units_of(of) == 0 || units_of(of) > (end - at) / UNIT)
        return weft_error(-EINVAL, "shared heap: run at %llx is too long", (unsigned long long)at);
    bool listed = kind_of(of) == KIND_FREE;
    if (kind_of(of) == KIND_SLAB) {
        uint32_t taken = 0;
        for (uint32_t i = 0; i < places_of(class_of(of)); i++)
            taken += (uint32_t)(atomic_load(&bitmap_of(of)[i / 64]) >> i % 64 & 1);
        *used += (uint64_t)taken * class_sizes[class_of(of)];
        listed = taken < of->places;
        if (of->places != places_of(class_of(of)) || of->free != of->places - taken)
            return weft_error(-EINVAL, "shared heap: slab at %llx counts %u free, has %u",
                              (unsigned long long)at, of->free, of->places - taken);
    } else if (kind_of(of) == KIND_LARGE) {
        *used += units_of(of) * UNIT - HEADER;
    }
    if (kind_of(of) != KIND_LARGE && of->listed != listed)
        return weft_error(-EINVAL, "shared heap: run at %llx is%s listed", (unsigned long long)at,
                          listed ? " not" : "");
    return listed ? 1 : 0;
}

/* How many are in the list; -EINVAL: a link does not go back. */
static int check_list(weft_arena *arena, uint64_t head)
{
    int count = 0;
    uint64_t previous = 0;
    for (uint64_t at = head; at != 0; at = run_at(arena, at)->next, count++) {
        if (run_at(arena, at)->previous != previous || !run_at(arena, at)->listed)
            return weft_error(-EINVAL, "shared heap: list broken at %llx", (unsigned long long)at);
        previous = at;
    }
    return count;
}

int weft_arena_check(uint64_t *used)
{
    weft_arena *arena = weft_arena_get();
    uint64_t bytes = 0;
    int expected = 0, r = 0;
    heap_lock(arena);
    uint64_t end = atomic_load_explicit(&arena->heap.end, memory_order_relaxed);
    for (uint64_t at = arena->heap.begin; at < end && r >= 0;
         at += units_of(run_at(arena, at)) * UNIT)
        if ((r = check_run(arena, at, end, &bytes)) > 0)
            expected++;
    if (r >= 0)
        r = check_list(arena, arena->heap.free);
    for (unsigned i = 0; i < CLASSES && r >= 0; i++) {
        expected -= r;
        r = check_list(arena, arena->heap.partial[i]);
    }
    heap_unlock(arena);
    if (r < 0)
        return r;
    *used = bytes;
    if (expected - r != 0)
        return weft_error(-EINVAL, "shared heap: %d runs in no list", expected - r);
    return 0;
}

/* ---- public ------------------------------------------------------------------------------------
 */

void *weft_shared_alloc(size_t size)
{
    void *memory = weft_arena_alloc(size);
    if (memory != NULL)
        memset(memory, 0, size);
    return memory;
}

int weft_shared_free(void *memory)
{
    return weft_arena_free(memory);
}
