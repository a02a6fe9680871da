/* SPDX-License-Identifier: MIT */
/*
 * queue: a ring of slots and four lists of waiters, under one internal lock.
 *
 * Reservation: nobody hands an item to a parked getter. A put that finds one waiting promises it
 * *an* item and wakes it; the item stays in its slot until the getter has resumed and takes what is
 * first then. So a getter that turns out to be cancelled gives the promise back (to the next one),
 * and neither order nor bound is broken. In the same way a get promises free room to a parked
 * putter.
 *
 *     items - items_promised       may be taken by whoever comes
 *     maxsize - items - room_promised   may be filled by whoever comes
 *
 * Invariant, whenever the lock is free: if a getter is parked, no item is free to be taken; if a
 * putter is parked, no room is. `leave` restores it: every operation ends in it. Where nobody is
 * parked it is one store; so a getter that finds many items takes them one after the other without
 * any wake-up.
 *
 * Observers (weft_wait_any and its kin) take nothing; they are told whenever a get would not wait.
 *
 * A thread looks at the queue for a moment before it parks, if there is a processor for the others.
 */
#include "threading/queue.h"

#include <limits.h>
#include <stdio.h>

#include "core/clock.h"
#include "core/error.h"
#include "core/fork.h"
#include "core/ilock.h"
#include "core/memory.h"
#include "platform/cpu.h"
#include "platform/pause.h"
#include "threading/ring.h"

enum { OPEN, DRAINING, DROPPED }; /* closed */
enum { PROMISED, CLOSED };        /* weft_waiter.tag: why it was notified */
enum { SPINS = 60 };

struct weft_queue {
    weft_handle handle; /* first */
    size_t maxsize;     /* SIZE_MAX: no limit */
    size_t item_size;   /* 0: any */
    /* all below: guarded by lock */
    weft_ilock lock;
    uint32_t closed;
    weft_ring ring;
    size_t items_promised, room_promised;
    size_t unfinished;
    weft_list getters, putters, observers, joiners;
};

static _Atomic uint32_t numbers;
static const weft_kind queue_kind;

/* An item on its way in or out. */
typedef struct item {
    void *data; /* the caller's bytes or room */
    size_t size;
    void *block; /* owned: bytes that do not fit a slot */
} item;

static size_t free_items(const weft_queue *queue)
{
    return weft_ring_count(&queue->ring) - queue->items_promised;
}

static bool is_room(const weft_queue *queue)
{
    return weft_ring_count(&queue->ring) + queue->room_promised < queue->maxsize;
}

/* Whether a get would not wait. */
static bool get_ready(const weft_queue *queue)
{
    return free_items(queue) > 0 || queue->closed != OPEN;
}

/* ---- Waking -----------------------------------------------------------------------------------
 */

/* Makes one promise to the first of the list; false: nobody is there. */
static bool promise(weft_list *waiters, size_t *promised, weft_wake *wake)
{
    weft_link *link;
    while ((link = weft_list_pop(waiters)) != NULL) {
        weft_waiter *waiter = WEFT_CONTAINER(link, weft_waiter, link);
        waiter->tag = PROMISED;
        if (weft_wait_notify(waiter, wake)) {
            ++*promised;
            return true;
        }
    }
    return false;
}

/* Enters with the lock, and leaves it: everybody who can go on now is woken. */
static void serve(weft_queue *queue)
{
    enum { BATCH = 8 };
    weft_wake wakes[BATCH];
    size_t n;
    do {
        n = 0;
        while (n < BATCH && free_items(queue) > 0 &&
               promise(&queue->getters, &queue->items_promised, &wakes[n]))
            n++;
        while (n < BATCH && is_room(queue) && queue->closed == OPEN &&
               promise(&queue->putters, &queue->room_promised, &wakes[n]))
            n++;
        bool observed = !weft_list_empty(&queue->observers) && get_ready(queue);
        if (observed)
            weft_wait_notify_all(&queue->lock, &queue->observers); /* leaves the lock */
        else
            weft_ilock_release(&queue->lock);
        for (size_t i = 0; i < n; i++)
            weft_wake_deliver(wakes[i]);
        if (n == BATCH)
            weft_ilock_acquire(&queue->lock);
    } while (n == BATCH);
}

/* After an item came in, or a promise of one came back. */
static inline void leave_with_item(weft_queue *queue)
{
    if (weft_list_empty(&queue->getters) && weft_list_empty(&queue->observers))
        weft_ilock_release(&queue->lock);
    else
        serve(queue);
}

/* After room came free. */
static inline void leave_with_room(weft_queue *queue)
{
    if (weft_list_empty(&queue->putters))
        weft_ilock_release(&queue->lock);
    else
        serve(queue);
}

/* ---- Waiting ----------------------------------------------------------------------------------
 */

/* Leaves the lock, looks for a moment whether the count changes, and enters with the lock again. */
static void spin(weft_queue *queue)
{
    size_t seen = weft_ring_count(&queue->ring);
    weft_ilock_release(&queue->lock);
    for (int i = 0; i < SPINS; i++) {
        weft_pause();
        /* not under the lock: only whether to look again */
        size_t tail = __atomic_load_n(&queue->ring.tail, __ATOMIC_RELAXED);
        size_t head = __atomic_load_n(&queue->ring.head, __ATOMIC_RELAXED);
        if (tail - head != seen)
            break;
    }
    weft_ilock_acquire(&queue->lock);
}

static bool may_spin(const weft_context *self)
{
    return !self->coroutine && weft_cpu_count() > 1;
}

/*
 * Enters with the lock, and leaves it. Parks in `waiters` until the promise that *promised counts
 * is made. 0: it is. Errors: -ETIMEDOUT, -ECANCELED and others of a wait, WEFT_ESHUTDOWN: closed.
 */
static int park(weft_queue *queue, weft_list *waiters, size_t *promised, weft_waiter *waiter,
                weft_instant deadline)
{
    waiter->tag = PROMISED;
    weft_wait_publish(waiter);
    weft_list_append(waiters, &waiter->link);
    weft_ilock_release(&queue->lock);
    int r = weft_wait_sleep(waiter->context, deadline);
    if (r < 0) {
        weft_ilock_acquire(&queue->lock);
        if (weft_link_linked(&waiter->link))
            weft_list_remove(&waiter->link);
        weft_ilock_release(&queue->lock);
        return r;
    }
    if (r == WEFT_WAIT_AND_CANCEL) {
        weft_ilock_acquire(&queue->lock);
        if (waiter->tag == PROMISED && promised != NULL && queue->closed != DROPPED)
            --*promised;
        serve(queue);
        return weft_wait_cancelled(waiter->context);
    }
    return waiter->tag == CLOSED ? WEFT_ESHUTDOWN : 0;
}

static int shut_down_error(void)
{
    return weft_error_constant(WEFT_ESHUTDOWN, "the queue has been shut down");
}

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

/* Enters and leaves with the lock, but leaves it meanwhile. Errors: -ENOMEM. */
static int grow(weft_queue *queue)
{
    size_t mask = queue->ring.mask;
    weft_ring as_it_is = queue->ring;
    weft_ilock_release(&queue->lock);
    void *block = weft_ring_block(&as_it_is), *old = block;
    weft_ilock_acquire(&queue->lock);
    bool still = weft_ring_full(&queue->ring) && queue->ring.mask == mask;
    if (still && block != NULL)
        old = weft_ring_grow(&queue->ring, block);
    weft_ilock_release(&queue->lock);
    weft_dealloc(old);
    weft_ilock_acquire(&queue->lock);
    return still && block == NULL ? -ENOMEM : 0;
}

static inline void store(weft_queue *queue, const item *put)
{
    weft_slot *slot = weft_ring_slot(&queue->ring, queue->ring.tail);
    slot->size = put->size;
    if (put->block == NULL)
        weft_copy_item(slot->in.bytes, put->data, put->size);
    else
        slot->in.block = put->block;
    __atomic_store_n(&queue->ring.tail, queue->ring.tail + 1, __ATOMIC_RELAXED);
    queue->unfinished++;
}

/* Enters with the lock, and leaves it. There was no room. */
static int put_waiting(weft_queue *queue, const item *put, weft_instant deadline)
{
    weft_waiter waiter;
    bool promised = false, looked = false;
    int r = weft_waiter_init(&waiter);
    while (r == 0) {
        if (queue->closed != OPEN) {
            if (promised)
                queue->room_promised--;
            r = WEFT_ESHUTDOWN;
        } else if (!promised && !is_room(queue)) {
            if (!looked && may_spin(waiter.context)) {
                looked = true;
                spin(queue);
                continue;
            }
            r = park(queue, &queue->putters, &queue->room_promised, &waiter, deadline);
            if (r < 0)
                return r == WEFT_ESHUTDOWN ? shut_down_error() : r;
            promised = true;
            weft_ilock_acquire(&queue->lock);
        } else if (weft_ring_full(&queue->ring)) {
            r = grow(queue);
            if (r < 0 && promised)
                queue->room_promised--;
        } else {
            if (promised)
                queue->room_promised--;
            store(queue, put);
            leave_with_item(queue);
            return 0;
        }
    }
    serve(queue);
    return r == WEFT_ESHUTDOWN ? shut_down_error() : weft_error(r, "put: no memory");
}

/* Not a queue of this process: a shared one, or no queue. */
static int check_shared(weft_queue *queue, const char *what)
{
    const weft_handle *handle = queue == NULL ? NULL : &queue->handle;
    bool shared =
        handle != NULL && weft_shared_queue.kind != NULL && handle->kind == weft_shared_queue.kind;
    return weft_handle_check(handle, shared ? weft_shared_queue.kind : &queue_kind, what);
}

static inline bool is_own(const weft_queue *queue)
{
    return queue != NULL && queue->handle.kind == &queue_kind &&
           queue->handle.fork_generation == weft_fork_generation;
}

__attribute__((noinline)) static int put_block(weft_queue *queue, item *put, double timeout);

/* Enters with the lock, and leaves it. */
__attribute__((noinline)) static int put_slowly(weft_queue *queue, const item *put, double timeout)
{
    weft_instant deadline;
    int r = enter_slowly(queue, timeout, &deadline);
    if (r < 0)
        return r;
    if (deadline == WEFT_INSTANT_NOW && queue->closed == OPEN && !is_room(queue)) {
        weft_ilock_release(&queue->lock);
        return weft_error_timed_out();
    }
    return put_waiting(queue, put, deadline);
}

static int put_shared(weft_queue *queue, const void *data, size_t size, double timeout)
{
    weft_instant deadline;
    int r = check_shared(queue, "put");
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    return r < 0 ? r : weft_shared_queue.put(queue, data, size, deadline);
}

int weft_queue_put(weft_queue *queue, const void *data, size_t size, double timeout)
{
    if (!is_own(queue))
        return put_shared(queue, data, size, timeout);
    item put = {.data = (void *)(uintptr_t)data, .size = size};
    if (size != queue->item_size && size != 0 && queue->item_size != 0)
        return weft_error(-EMSGSIZE, "put: an item of %zu bytes into a queue of items of %zu", size,
                          queue->item_size);
    if (size > queue->ring.room)
        return put_block(queue, &put, timeout);
    weft_ilock_acquire(&queue->lock);
    if (queue->closed == OPEN && is_room(queue) && !weft_ring_full(&queue->ring) &&
        timeout == timeout) {
        store(queue, &put);
        leave_with_item(queue);
        return 0;
    }
    return put_slowly(queue, &put, timeout);
}

static int put_block(weft_queue *queue, item *put, double timeout)
{
    if (put->size > INT_MAX)
        return weft_error(-EMSGSIZE, "put: an item of %zu bytes", put->size);
    put->block = weft_memdup(put->data, put->size);
    if (put->block == NULL)
        return weft_error(-ENOMEM, "put: no memory for %zu bytes", put->size);
    weft_ilock_acquire(&queue->lock);
    int r = put_slowly(queue, put, timeout);
    if (r < 0)
        weft_dealloc(put->block);
    return r;
}

/* ---- Get --------------------------------------------------------------------------------------
 */

/* Takes the first item out, if it fits. An item larger than a slot goes out as its block. */
static inline int take(weft_queue *queue, item *got)
{
    const weft_slot *slot = weft_ring_slot(&queue->ring, queue->ring.head);
    size_t room = got->size;
    if (slot->size > room) {
        got->size = slot->size;
        return -EMSGSIZE;
    }
    got->size = slot->size;
    if (slot->size <= queue->ring.room)
        weft_copy_item(got->data, slot->in.bytes, slot->size);
    else
        got->block = slot->in.block;
    __atomic_store_n(&queue->ring.head, queue->ring.head + 1, __ATOMIC_RELAXED);
    return 0;
}

/* Enters with the lock, and leaves it. There was no item. */
static int get_waiting(weft_queue *queue, item *got, weft_instant deadline)
{
    weft_waiter waiter;
    bool promised = false, looked = false;
    int r = weft_waiter_init(&waiter);
    while (r == 0) {
        if (queue->closed == DROPPED ||
            (queue->closed != OPEN && !promised && free_items(queue) == 0)) {
            r = WEFT_ESHUTDOWN;
        } else if (!promised && free_items(queue) == 0) {
            if (!looked && may_spin(waiter.context)) {
                looked = true;
                spin(queue);
                continue;
            }
            r = park(queue, &queue->getters, &queue->items_promised, &waiter, deadline);
            if (r < 0)
                return r == WEFT_ESHUTDOWN ? shut_down_error() : r;
            promised = true;
            weft_ilock_acquire(&queue->lock);
        } else {
            if (promised)
                queue->items_promised--;
            r = take(queue, got);
            if (r == 0)
                leave_with_room(queue);
            else
                leave_with_item(queue);
            return r;
        }
    }
    weft_ilock_release(&queue->lock);
    return r == WEFT_ESHUTDOWN ? shut_down_error() : r;
}

/* Enters with the lock, and leaves it. */
__attribute__((noinline)) static int get_slowly(weft_queue *queue, item *got, double timeout)
{
    weft_instant deadline;
    int r = enter_slowly(queue, timeout, &deadline);
    if (r < 0)
        return r;
    if (deadline == WEFT_INSTANT_NOW && !get_ready(queue)) {
        weft_ilock_release(&queue->lock);
        return weft_error_timed_out();
    }
    return get_waiting(queue, got, deadline);
}

static inline int get_item(weft_queue *queue, item *got, double timeout)
{
    weft_ilock_acquire(&queue->lock);
    if (free_items(queue) > 0 && timeout == timeout) {
        int r = take(queue, got);
        if (r == 0)
            leave_with_room(queue);
        else
            weft_ilock_release(&queue->lock);
        return r;
    }
    return get_slowly(queue, got, timeout);
}

static int get_shared(weft_queue *queue, void *data, size_t room, double timeout)
{
    weft_instant deadline;
    int r = check_shared(queue, "get");
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    return r < 0 ? r : weft_shared_queue.get(queue, data, room, deadline);
}

int weft_queue_get(weft_queue *queue, void *data, size_t room, double timeout)
{
    if (!is_own(queue))
        return get_shared(queue, data, room, timeout);
    item got = {.data = data, .size = room};
    int r = get_item(queue, &got, timeout);
    if (r == -EMSGSIZE)
        return weft_error(r, "get: the item has %zu bytes, there is room for %zu", got.size, room);
    if (r < 0)
        return r;
    if (got.block != NULL) {
        memcpy(data, got.block, got.size);
        weft_dealloc(got.block);
    }
    return (int)got.size;
}

static int get_bytes_shared(weft_queue *queue, weft_bytes *bytes, double timeout)
{
    weft_instant deadline;
    int r = check_shared(queue, "get");
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    return r < 0 ? r : weft_shared_queue.get_bytes(queue, bytes, deadline);
}

int weft_queue_get_bytes(weft_queue *queue, weft_bytes *bytes, double timeout)
{
    if (!is_own(queue))
        return get_bytes_shared(queue, bytes, timeout);
    /* made before the item is taken: a failure must leave it where it is */
    item got = {.data = weft_alloc(queue->ring.room + 1), .size = INT_MAX};
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

/* ---- The rest ---------------------------------------------------------------------------------
 */

int weft_queue_qsize(weft_queue *queue)
{
    if (!is_own(queue)) {
        int r = check_shared(queue, "qsize");
        return r < 0 ? r : weft_shared_queue.qsize(queue);
    }
    weft_ilock_acquire(&queue->lock);
    size_t count = weft_ring_count(&queue->ring);
    weft_ilock_release(&queue->lock);
    return count < INT_MAX ? (int)count : INT_MAX;
}

/* Enters with the lock, and leaves it. `count` items are done. */
static void finish(weft_queue *queue, size_t count)
{
    queue->unfinished -= count;
    if (queue->unfinished == 0 && !weft_list_empty(&queue->joiners))
        weft_wait_notify_all(&queue->lock, &queue->joiners);
    else
        weft_ilock_release(&queue->lock);
}

int weft_queue_task_done(weft_queue *queue)
{
    if (!is_own(queue)) {
        int r = check_shared(queue, "task_done");
        return r < 0 ? r : weft_shared_queue.task_done(queue);
    }
    weft_ilock_acquire(&queue->lock);
    if (queue->unfinished == 0) {
        weft_ilock_release(&queue->lock);
        return weft_error(-EINVAL, "task_done: called more often than items were put");
    }
    finish(queue, 1);
    return 0;
}

static int join_waiting(weft_queue *queue, weft_instant deadline)
{
    weft_waiter waiter;
    int r = weft_waiter_init(&waiter);
    if (r < 0)
        return r;
    weft_ilock_acquire(&queue->lock);
    if (queue->unfinished > 0)
        return park(queue, &queue->joiners, NULL, &waiter, deadline);
    weft_ilock_release(&queue->lock);
    return 0;
}

int weft_queue_join(weft_queue *queue, double timeout)
{
    weft_instant deadline;
    bool own = is_own(queue);
    int r = own ? 0 : check_shared(queue, "join");
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    if (r < 0)
        return r;
    return own ? join_waiting(queue, deadline) : weft_shared_queue.join(queue, deadline);
}

/* Enters with the lock, and leaves it. Those who wait are told that the queue is closed. */
static void close_waiters(weft_queue *queue, weft_list *waiters)
{
    for (weft_link *link = weft_list_first(waiters); link != NULL;
         link = weft_list_next(waiters, link))
        WEFT_CONTAINER(link, weft_waiter, link)->tag = CLOSED;
    weft_wait_notify_all(&queue->lock, waiters);
}

int weft_queue_shutdown(weft_queue *queue, weft_shutdown_mode mode)
{
    if (!is_own(queue)) {
        int r = check_shared(queue, "shutdown");
        return r < 0 ? r : weft_shared_queue.shutdown(queue, mode);
    }
    if (mode != WEFT_SHUTDOWN_DRAIN && mode != WEFT_SHUTDOWN_IMMEDIATE)
        return weft_error(-EINVAL, "shut down a queue: no mode %d", (int)mode);
    weft_ring dropped = {0};
    size_t count = 0;
    weft_ilock_acquire(&queue->lock);
    if (mode == WEFT_SHUTDOWN_IMMEDIATE && queue->closed != DROPPED) {
        queue->closed = DROPPED;
        dropped = queue->ring;
        count = weft_ring_count(&dropped);
        queue->ring.slots = NULL;
        queue->ring.mask = 0;
        __atomic_store_n(&queue->ring.head, queue->ring.tail, __ATOMIC_RELAXED); /* as in take */
        queue->items_promised = 0; /* those who have a promise find the queue dropped */
    } else if (queue->closed == OPEN) {
        queue->closed = DRAINING;
    }
    finish(queue, count < queue->unfinished ? count : queue->unfinished);
    weft_ring_clear(&dropped);
    weft_list *lists[] = {&queue->putters, &queue->getters, &queue->observers};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        weft_ilock_acquire(&queue->lock);
        close_waiters(queue, lists[i]);
    }
    return 0;
}

/* ---- The handle -------------------------------------------------------------------------------
 */

static weft_queue *queue_of(weft_handle *handle)
{
    return (weft_queue *)(void *)handle;
}

static void finalize(weft_handle *handle)
{
    weft_queue *queue = queue_of(handle);
    weft_ring_clear(&queue->ring);
    weft_handle_clear(handle);
    weft_dealloc(queue);
}

static bool kind_ready(weft_handle *handle)
{
    weft_queue *queue = queue_of(handle);
    weft_ilock_acquire(&queue->lock);
    bool ready = get_ready(queue);
    weft_ilock_release(&queue->lock);
    return ready;
}

static int kind_enlist(weft_handle *handle, weft_waiter *waiter)
{
    weft_queue *queue = queue_of(handle);
    weft_ilock_acquire(&queue->lock);
    bool ready = get_ready(queue);
    if (!ready)
        weft_list_append(&queue->observers, &waiter->link);
    weft_ilock_release(&queue->lock);
    return ready ? 1 : 0;
}

static void kind_delist(weft_handle *handle, weft_waiter *waiter)
{
    weft_queue *queue = queue_of(handle);
    weft_ilock_acquire(&queue->lock);
    if (weft_link_linked(&waiter->link))
        weft_list_remove(&waiter->link);
    weft_ilock_release(&queue->lock);
}

static int kind_describe(weft_handle *handle, char *buffer, size_t size)
{
    static const char *const states[] = {"open", "draining", "shut down"};
    weft_queue *queue = queue_of(handle);
    weft_ilock_acquire(&queue->lock);
    size_t count = weft_ring_count(&queue->ring);
    uint32_t closed = queue->closed;
    weft_ilock_release(&queue->lock);
    return snprintf(buffer, size, "%s, %zu items", states[closed], count);
}

static const weft_kind queue_kind = {
    .name = "queue",
    .prefix = "Queue",
    .numbers = &numbers,
    .finalize = finalize,
    .ready = kind_ready,
    .enlist = kind_enlist,
    .delist = kind_delist,
    .describe = kind_describe,
};

int weft_queue_open(weft_queue **out, const weft_queue_options *options)
{
    static const weft_queue_options defaults;
    if (out == NULL)
        return weft_error(-EINVAL, "open a queue: nowhere to put it");
    *out = NULL;
    if (options == NULL)
        options = &defaults;
    if (options->shared)
        return weft_shared_queue.open(out, options);
    if (options->item_size > INT_MAX)
        return weft_error(-EINVAL, "open a queue: items of %zu bytes", options->item_size);
    weft_queue *queue = weft_calloc(1, sizeof(*queue));
    if (queue == NULL)
        return weft_error(-ENOMEM, "open a queue: no memory");
    weft_handle_init(&queue->handle, &queue_kind);
    queue->maxsize = options->maxsize > 0 ? options->maxsize : SIZE_MAX;
    queue->item_size = options->item_size;
    int r = weft_ring_init(&queue->ring, options->item_size);
    if (r == 0 && options->name != NULL)
        r = weft_handle_rename(&queue->handle, options->name);
    if (r < 0) {
        weft_handle_drop(&queue->handle);
        return r;
    }
    *out = queue;
    return 0;
}
