/* SPDX-License-Identifier: MIT */
/*
 * The queue between processes: a ring in the arena with one lock at each end (Michael and Scott's
 * two locks), whole after a kill at any instruction.
 *
 * `tail` counts what was put, `head` what was taken (31 bits, and CLOSED). A put writes its slot,
 * then commits by the one store to tail; a get copies its slot out, then commits by the one store
 * to head. Who is killed before his commit has done nothing; so whoever takes a lock from a dead
 * holder has nothing to repair. What a killed process leaves behind is at most memory that nobody
 * frees: the block of one large item, a ring, or the blocks of a queue that it was dropping.
 *
 * An item that does not fit into a slot lies in a block of its own, filled before the put takes the
 * lock, emptied after the get has left it. A ring that is too small is replaced by one of twice its
 * size, under both locks, by one store of its address and size; the put end's lock comes first.
 *
 * Getters sleep on tail, putters on head, joiners on `done` themselves, so a commit whose wake-up
 * was killed away is still seen, when the sleepers' slice is over. Flags say that somebody sleeps:
 * set, then looked at the counter; committed, then looked at the flag (seq_cst both). Whoever finds
 * a flag set clears it and wakes all, who set it again; so a killed sleeper leaves no trace.
 *
 * The handle itself lies in the arena; it is good in every process of the family.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "multiprocessing/arena.h"
#include "platform/cpu.h"
#include "platform/pause.h"
#include "threading/queue.h"

#define CLOSED UINT32_C(0x80000000)
#define COUNT  UINT32_C(0x7fffffff)

enum {
    SPINS = 200,      /* looks at the counter before sleeping, with a pause between */
    FIRST_RING = 6,   /* log2 */
    LAST_RING = 30,   /* log2 */
    USUAL_ROOM = 120, /* in a slot, where sizes are not given */
    LARGEST_ROOM = 1024,
    OF_RING = 63, /* the bits of `ring` that hold its log2 */
};

enum { OPEN, DRAINING, DROPPED };

typedef struct slot {
    uint32_t size;
    uint32_t in_block;
    union {
        void *block; /* in the arena */
        unsigned char bytes[8];
    } in;
} slot;

typedef struct shared_queue {
    weft_handle handle; /* first */
    uint32_t maxsize;   /* COUNT / 2: no limit */
    uint32_t item_size;
    uint32_t room, stride; /* of a slot */
    _Atomic uint32_t state;
    _Atomic uintptr_t ring; /* address | log2 of its slots; changed under both locks */
    _Alignas(64) _Atomic uint32_t put_lock;
    _Atomic uint32_t tail;
    uint32_t head_seen; /* by the put end */
    _Alignas(64) _Atomic uint32_t get_lock;
    _Atomic uint32_t head;
    uint32_t tail_seen; /* by the get end */
    _Alignas(64) _Atomic uint32_t getters_sleep;
    _Atomic uint32_t putters_sleep;
    _Atomic uint32_t joiners_sleep;
    _Atomic uint32_t done; /* of what was put */
} shared_queue;

static shared_queue *from(weft_queue *queue)
{
    return (shared_queue *)(void *)queue;
}

/* ---- the ring ----------------------------------------------------------------------------------
 */

static uint32_t load(_Atomic uint32_t *word)
{
    /* acquire: what was written before the commit is seen */
    return atomic_load_explicit(word, memory_order_acquire);
}

static uint32_t held(uint32_t tail, uint32_t head)
{
    return (tail - head) & COUNT;
}

static uint32_t slots_of(uintptr_t ring)
{
    return UINT32_C(1) << (ring & OF_RING);
}

static slot *slot_at(const shared_queue *queue, uintptr_t ring, uint32_t count)
{
    size_t index = count & (slots_of(ring) - 1);
    return (slot *)(void *)((char *)(ring & ~(uintptr_t)OF_RING) + index * queue->stride);
}

static uintptr_t ring_of(shared_queue *queue)
{
    /* relaxed: under a lock */
    return atomic_load_explicit(&queue->ring, memory_order_relaxed);
}

static uintptr_t new_ring(const shared_queue *queue, unsigned log2)
{
    void *memory = weft_arena_alloc(((size_t)1 << log2) * queue->stride);
    return memory != NULL ? (uintptr_t)memory | log2 : 0;
}

/* The put end's lock is held. Errors: -ENOMEM. */
static int grow(shared_queue *queue)
{
    uintptr_t old = ring_of(queue);
    unsigned log2 = (unsigned)(old & OF_RING) + 1;
    uintptr_t grown = log2 <= LAST_RING ? new_ring(queue, log2) : 0;
    if (grown == 0)
        return weft_error(-ENOMEM, "put: no shared memory for %lu items", 1UL << log2);
    weft_robust_acquire(&queue->get_lock);
    uint32_t head = load(&queue->head), tail = load(&queue->tail);
    for (uint32_t i = 0; i < held(tail, head); i++)
        memcpy(slot_at(queue, grown, head + i), slot_at(queue, old, head + i), queue->stride);
    /* release: with what is in it */
    atomic_store_explicit(&queue->ring, grown, memory_order_release);
    weft_robust_release(&queue->get_lock);
    weft_arena_free((void *)(old & ~(uintptr_t)OF_RING));
    return 0;
}

/* ---- sleeping and waking -----------------------------------------------------------------------
 */

/* After a commit. */
static void wake_if_asleep(_Atomic uint32_t *sleep, const _Atomic uint32_t *word)
{
    /* seq_cst: between the commit and the look */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(sleep, memory_order_relaxed) != 0 && atomic_exchange(sleep, 0) != 0)
        weft_shared.wake(word, UINT32_MAX);
}

/* Until the word is not what it was. Errors: -ETIMEDOUT, -ECANCELED and others of the wait. */
static int wait_for_change(_Atomic uint32_t *sleep, const _Atomic uint32_t *word, uint32_t seen,
                           weft_instant deadline)
{
    if (deadline == WEFT_INSTANT_NOW)
        return weft_error_timed_out();
    for (int i = 0; i < SPINS && weft_cpu_count() > 1; i++) {
        if (atomic_load_explicit(word, memory_order_relaxed) != seen)
            return 0;
        weft_pause();
    }
    /* seq_cst: before the wait looks at the word */
    atomic_store(sleep, 1);
    return weft_shared.wait(word, seen, 0, deadline);
}

static int shut_down_error(void)
{
    return weft_error_constant(WEFT_ESHUTDOWN, "the queue has been shut down");
}

/* ---- put ---------------------------------------------------------------------------------------
 */

/* Locked. 1: there is room for one more; 0: full. Errors: -ENOMEM. */
static int make_room(shared_queue *queue, uint32_t tail)
{
    uint32_t slots = slots_of(ring_of(queue));
    uint32_t most = queue->maxsize < slots ? queue->maxsize : slots;
    if (held(tail, queue->head_seen) < most)
        return 1;
    queue->head_seen = load(&queue->head);
    if (held(tail, queue->head_seen) >= queue->maxsize)
        return 0;
    int r = held(tail, queue->head_seen) < slots ? 0 : grow(queue);
    return r < 0 ? r : 1;
}

static void store(shared_queue *queue, uint32_t tail, const void *item, size_t size, void *block)
{
    slot *at = slot_at(queue, ring_of(queue), tail);
    at->size = (uint32_t)size;
    at->in_block = block != NULL;
    if (block != NULL)
        at->in.block = block;
    else if (size > 0)
        memcpy(at->in.bytes, item, size);
    /* release: the commit */
    atomic_store_explicit(&queue->tail, (tail + 1) & COUNT, memory_order_release);
}

static int put_item(shared_queue *queue, const void *item, size_t size, void *block,
                    weft_instant deadline)
{
    for (;;) {
        weft_robust_acquire(&queue->put_lock);
        uint32_t tail = load(&queue->tail);
        int r = (tail & CLOSED) != 0 ? WEFT_ESHUTDOWN : make_room(queue, tail);
        if (r == 1)
            store(queue, tail, item, size, block);
        uint32_t seen = queue->head_seen;
        weft_robust_release(&queue->put_lock);
        if (r == 1) {
            wake_if_asleep(&queue->getters_sleep, &queue->tail);
            return 0;
        }
        if (r == 0)
            r = wait_for_change(&queue->putters_sleep, &queue->head, seen, deadline);
        if (r != 0)
            return r == WEFT_ESHUTDOWN ? shut_down_error() : r;
    }
}

static int put(weft_queue *handle, const void *item, size_t size, weft_instant deadline)
{
    shared_queue *queue = from(handle);
    void *block = NULL;
    if (size > INT_MAX)
        return weft_error(-EMSGSIZE, "put: an item of %zu bytes", size);
    if (item == NULL && size > 0)
        return weft_error(-EINVAL, "put: %zu bytes at NULL", size);
    if (size != queue->item_size && size != 0 && queue->item_size != 0)
        return weft_error(-EMSGSIZE, "put: an item of %zu bytes into a queue of items of %u", size,
                          queue->item_size);
    if (size > queue->room) {
        block = weft_arena_alloc(size);
        if (block == NULL)
            return -ENOMEM;
        memcpy(block, item, size);
    }
    int r = put_item(queue, item, size, block, deadline);
    if (r < 0)
        weft_arena_free(block);
    return r;
}

/* ---- get ---------------------------------------------------------------------------------------
 */

/* Locked. The first item; NULL: none. */
static slot *first_item(shared_queue *queue, uint32_t head)
{
    if (held(queue->tail_seen, head) == 0)
        queue->tail_seen = load(&queue->tail) & COUNT;
    return held(queue->tail_seen, head) == 0 ? NULL : slot_at(queue, ring_of(queue), head);
}

/* What a get fills: given room, or (`bytes`) memory made for the item. */
typedef struct target {
    void *data;
    size_t room;
    size_t least;   /* smaller ones do not fit either ... */
    bool empty_too; /* ... but the empty one, if this is set */
    weft_bytes *bytes;
    size_t size; /* of the item */
    void *block; /* to be emptied when the lock has been left */
} target;

/* Locked. Copies the item out, or takes over its block. Errors: -EMSGSIZE, -ENOMEM: it stays. */
static int copy_out(const slot *from_slot, target *to)
{
    to->size = from_slot->size;
    bool small = to->size < to->least && (to->size > 0 || !to->empty_too);
    if (to->bytes == NULL && (to->size > to->room || small))
        return -EMSGSIZE;
    if (to->bytes != NULL && to->size > 0 && (to->data = weft_alloc(to->size + 1)) == NULL)
        return -ENOMEM;
    if (from_slot->in_block != 0)
        to->block = from_slot->in.block;
    else if (to->size > 0)
        memcpy(to->data, from_slot->in.bytes, to->size);
    return 0;
}

/* 0: taken; 1: there is none, *seen is the tail to wait on. Errors: -EMSGSIZE, -ENOMEM. */
static int try_take(shared_queue *queue, target *to, uint32_t *seen)
{
    weft_robust_acquire(&queue->get_lock);
    uint32_t head = load(&queue->head);
    const slot *item = first_item(queue, head);
    int r = item != NULL ? copy_out(item, to) : 1;
    if (r == 0) /* release: the commit; the slot is the put end's from here on */
        atomic_store_explicit(&queue->head, ((head + 1) & COUNT) | (head & CLOSED),
                              memory_order_release);
    *seen = head & COUNT;
    weft_robust_release(&queue->get_lock);
    return r;
}

/* What follows when the lock has been left. Returns the size. */
static int finish_take(shared_queue *queue, const target *to)
{
    if (to->block != NULL) {
        memcpy(to->data, to->block, to->size);
        weft_arena_free(to->block);
    }
    wake_if_asleep(&queue->putters_sleep, &queue->head);
    return (int)to->size;
}

static int take_item(shared_queue *queue, target *to, weft_instant deadline)
{
    uint32_t seen;
    int r;
    while ((r = try_take(queue, to, &seen)) == 1) {
        uint32_t tail = load(&queue->tail);
        if (tail == (seen | CLOSED))
            return shut_down_error();
        if (tail == seen)
            r = wait_for_change(&queue->getters_sleep, &queue->tail, seen, deadline);
        else
            r = 0;
        if (r != 0)
            return r;
    }
    if (r == -EMSGSIZE)
        return weft_error(r, "get: the item has %zu bytes, there is room for %zu", to->size,
                          to->room);
    if (r < 0)
        return weft_error(r, "get: no memory for %zu bytes", to->size);
    return finish_take(queue, to);
}

/* After the first, only items of that size that are there already. */
static int get_many(weft_queue *handle, void *items, size_t item_size, size_t room,
                    weft_instant deadline)
{
    shared_queue *queue = from(handle);
    target to = {.data = items, .room = item_size, .least = item_size, .empty_too = true};
    uint32_t seen;
    int done = 1, r = take_item(queue, &to, deadline);
    if (r <= 0)
        return r;
    for (; (size_t)done < room; done++) {
        to = (target){.data = (char *)items + (size_t)done * item_size};
        to.room = to.least = item_size;
        if (try_take(queue, &to, &seen) != 0)
            break;
        finish_take(queue, &to);
    }
    return done;
}

static int get(weft_queue *handle, void *item, size_t room, weft_instant deadline)
{
    target to = {.data = item, .room = room};
    if (item == NULL && room > 0)
        return weft_error(-EINVAL, "get: %zu bytes of room at NULL", room);
    return take_item(from(handle), &to, deadline);
}

static int get_bytes(weft_queue *handle, weft_bytes *item, weft_instant deadline)
{
    target to = {.bytes = item};
    if (item == NULL)
        return weft_error(-EINVAL, "get: nowhere to put it");
    int r = take_item(from(handle), &to, deadline);
    if (r < 0)
        return r;
    if (to.data != NULL)
        ((char *)to.data)[to.size] = '\0';
    *item = (weft_bytes){to.data, to.size};
    return r;
}

/* ---- the rest ----------------------------------------------------------------------------------
 */

static int qsize(weft_queue *handle)
{
    shared_queue *queue = from(handle);
    uint32_t head = load(&queue->head);
    return (int)held(load(&queue->tail), head);
}

static void facts(weft_queue *handle, weft_queue_facts *told)
{
    shared_queue *queue = from(handle);
    uint32_t done = load(&queue->done);
    told->count = (size_t)qsize(handle);
    told->unfinished = held(load(&queue->tail), done);
    told->maxsize = queue->maxsize < COUNT / 2 ? queue->maxsize : 0;
    told->closed = load(&queue->state) != OPEN;
}

static int task_done(weft_queue *handle)
{
    shared_queue *queue = from(handle);
    uint32_t done = load(&queue->done);
    do {
        if (held(load(&queue->tail), done) == 0)
            return weft_error(-EINVAL, "task_done: called more often than items were put");
    } while (!atomic_compare_exchange_weak(&queue->done, &done, (done + 1) & COUNT));
    wake_if_asleep(&queue->joiners_sleep, &queue->done);
    return 0;
}

static int join(weft_queue *handle, weft_instant deadline)
{
    shared_queue *queue = from(handle);
    for (;;) {
        uint32_t done = load(&queue->done);
        if (held(load(&queue->tail), done) == 0)
            return 0;
        int r = wait_for_change(&queue->joiners_sleep, &queue->done, done, deadline);
        if (r != 0)
            return r;
    }
}

/* Both locks are held. Who is killed after the commit leaves the blocks, not items without one. */
static void drop_items(shared_queue *queue)
{
    uint32_t head = load(&queue->head), tail = load(&queue->tail), count = held(tail, head);
    queue->tail_seen = tail & COUNT;
    atomic_store(&queue->head, (tail & COUNT) | (head & CLOSED)); /* the commit */
    for (uint32_t i = 0; i < count; i++) {
        slot *item = slot_at(queue, ring_of(queue), head + i);
        if (item->in_block != 0)
            weft_arena_free(item->in.block);
    }
    uint32_t done = load(&queue->done);
    uint32_t unfinished;
    do
        unfinished = held(tail, done);
    while (!atomic_compare_exchange_weak(
        &queue->done, &done, (done + (count < unfinished ? count : unfinished)) & COUNT));
}

static int shutdown(weft_queue *handle, weft_shutdown_mode mode)
{
    shared_queue *queue = from(handle);
    if (mode != WEFT_SHUTDOWN_DRAIN && mode != WEFT_SHUTDOWN_IMMEDIATE)
        return weft_error(-EINVAL, "shut down a queue: no mode %d", (int)mode);
    weft_robust_acquire(&queue->put_lock);
    weft_robust_acquire(&queue->get_lock);
    atomic_fetch_or(&queue->tail, CLOSED);
    atomic_fetch_or(&queue->head, CLOSED);
    if (mode == WEFT_SHUTDOWN_IMMEDIATE) {
        atomic_store(&queue->state, DROPPED);
        drop_items(queue);
    } else if (load(&queue->state) == OPEN) {
        atomic_store(&queue->state, DRAINING);
    }
    weft_robust_release(&queue->get_lock);
    weft_robust_release(&queue->put_lock);
    weft_shared.wake(&queue->tail, UINT32_MAX);
    weft_shared.wake(&queue->head, UINT32_MAX);
    weft_shared.wake(&queue->done, UINT32_MAX);
    return 0;
}

/* ---- the handle --------------------------------------------------------------------------------
 */

static void finalize(weft_handle *handle)
{
    shared_queue *queue = (shared_queue *)(void *)handle;
    if (atomic_load(&queue->ring) != 0) {
        drop_items(queue);
        weft_arena_free((void *)(ring_of(queue) & ~(uintptr_t)OF_RING));
    }
    weft_handle_clear(handle);
    weft_arena_free(queue);
}

/* A get would not wait; *seen: the tail to wait on. */
static bool get_ready(shared_queue *queue, uint32_t *seen)
{
    *seen = load(&queue->tail);
    return *seen != (load(&queue->head) & COUNT);
}

static bool kind_ready(weft_handle *handle)
{
    uint32_t seen;
    return get_ready((shared_queue *)(void *)handle, &seen);
}

static int kind_enlist(weft_handle *handle, weft_waiter *waiter)
{
    shared_queue *queue = (shared_queue *)(void *)handle;
    uint32_t seen;
    if (get_ready(queue, &seen))
        return 1;
    /* seq_cst: before the enlisting looks at the tail */
    atomic_store(&queue->getters_sleep, 1);
    return weft_shared_sync_enlist(waiter, &queue->tail, seen);
}

static void kind_delist(weft_handle *handle, weft_waiter *waiter)
{
    (void)handle;
    weft_shared_sync_delist(waiter);
}

static int kind_describe(weft_handle *handle, char *buffer, size_t size)
{
    static const char *const states[] = {"open", "draining", "shut down"};
    shared_queue *queue = (shared_queue *)(void *)handle;
    return snprintf(buffer, size, "shared, %s, %d items", states[load(&queue->state)],
                    qsize((weft_queue *)(void *)handle));
}

static _Atomic uint32_t numbers;

static const weft_kind shared_kind = {
    .name = "queue",
    .prefix = "SharedQueue",
    .numbers = &numbers,
    .finalize = finalize,
    .ready = kind_ready,
    .enlist = kind_enlist,
    .delist = kind_delist,
    .describe = kind_describe,
};

static void set_sizes(shared_queue *queue, const weft_queue_options *options)
{
    size_t room = options->item_size > 0 ? options->item_size : USUAL_ROOM;
    if (room > LARGEST_ROOM)
        room = sizeof(void *);
    queue->stride = (uint32_t)(offsetof(slot, in) + room + 15) / 16 * 16;
    queue->room = queue->stride - (uint32_t)offsetof(slot, in);
    queue->maxsize = COUNT / 2;
    if (options->maxsize > 0 && options->maxsize < queue->maxsize)
        queue->maxsize = (uint32_t)options->maxsize;
    queue->item_size = (uint32_t)options->item_size;
}

static int open_queue(weft_queue **out, const weft_queue_options *options)
{
    if (options->item_size > INT_MAX)
        return weft_error(-EINVAL, "open a queue: items of %zu bytes", options->item_size);
    shared_queue *queue = weft_shared_alloc((sizeof *queue + 63) / 64 * 64);
    if (queue == NULL)
        return -ENOMEM;
    weft_handle_init(&queue->handle, &shared_kind);
    set_sizes(queue, options);
    uintptr_t ring = new_ring(queue, FIRST_RING);
    atomic_store(&queue->ring, ring);
    int r = ring == 0 ? -ENOMEM : 0;
    if (r == 0 && options->name != NULL)
        r = weft_handle_rename(&queue->handle, options->name);
    if (r < 0) {
        finalize(&queue->handle);
        return r;
    }
    *out = (weft_queue *)(void *)queue;
    return 0;
}

const weft_shared_queue_methods weft_shared_queue = {
    .kind = &shared_kind,
    .open = open_queue,
    .put = put,
    .get = get,
    .get_bytes = get_bytes,
    .get_many = get_many,
    .facts = facts,
    .task_done = task_done,
    .join = join,
    .shutdown = shutdown,
};
