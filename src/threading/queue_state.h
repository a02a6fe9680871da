/* SPDX-License-Identifier: MIT */
/*
 * queue_state: the queue of one process, and the short ways through it. queue.c has the idea.
 */
#ifndef WEFT_THREADING_QUEUE_STATE_H
#define WEFT_THREADING_QUEUE_STATE_H

#include "core/fork.h"
#include "core/ilock.h"
#include "threading/queue.h"
#include "threading/queue_order.h"

enum { WEFT_QUEUE_OPEN, WEFT_QUEUE_DRAINING, WEFT_QUEUE_DROPPED }; /* closed */
/* weft_waiter.tag: why it was notified; COMING: promised, and counted in weft_line.coming */
enum { WEFT_QUEUE_TOLD, WEFT_QUEUE_PROMISED, WEFT_QUEUE_COMING };

/* Those who wait for an item, or for room. */
typedef struct weft_line {
    weft_list waiters; /* promised nothing yet */
    size_t promised;   /* how many items, or how much room, to those who have been woken */
    size_t coming;     /* how many of these are threads that have not resumed yet */
} weft_line;

struct weft_queue {
    weft_handle handle; /* first */
    size_t maxsize;     /* SIZE_MAX: no limit */
    size_t item_size;   /* 0: any */
    size_t room;        /* of a slot */
    /* what is above is read before the lock is taken, and should not lie in its cache line */
    unsigned char apart[64];
    /* all below: guarded by lock */
    weft_ilock lock;
    uint32_t closed;
    weft_order order;
    size_t unfinished;
    uint32_t parks_at_once; /* how many waits are to give no processor away */
    weft_line getters, putters;
    weft_list observers, joiners;
};

extern const weft_kind weft_queue_kind;

/* An item on its way in or out. */
typedef struct weft_item {
    void *data;   /* the caller's bytes or room */
    size_t size;  /* of the item, or of the room */
    size_t least; /* a get: smaller ones do not fit either, but the empty one */
    void *block;  /* owned: bytes that do not fit a slot */
} weft_item;

/* Whether it is a queue of this process, and not shared by processes. */
static inline bool weft_queue_is_own(const weft_queue *queue)
{
    return queue != NULL && queue->handle.kind == &weft_queue_kind &&
           queue->handle.fork_generation == weft_fork_generation;
}

/* It is not: 0 when it is a shared one. Errors: -EINVAL, WEFT_EFORKED, with a message. */
int weft_queue_check_shared(weft_queue *queue, const char *what);

/* ---- Under the lock ---------------------------------------------------------------------------
 */

static inline size_t weft_queue_count(const weft_queue *queue)
{
    return weft_ring_count(&queue->order.ring);
}

static inline size_t weft_queue_free_items(const weft_queue *queue)
{
    return weft_queue_count(queue) - queue->getters.promised;
}

static inline bool weft_queue_has_room(const weft_queue *queue)
{
    return weft_queue_count(queue) + queue->putters.promised < queue->maxsize;
}

/* Whether a get would not wait. */
static inline bool weft_queue_get_ready(const weft_queue *queue)
{
    return weft_queue_free_items(queue) > 0 || queue->closed != WEFT_QUEUE_OPEN;
}

/* Whether a put would not wait, nor need more slots. */
static inline bool weft_queue_put_ready(const weft_queue *queue)
{
    return queue->closed == WEFT_QUEUE_OPEN && weft_queue_has_room(queue) &&
           !weft_ring_full(&queue->order.ring);
}

/* There is a slot. */
static inline void weft_queue_store(weft_queue *queue, const weft_item *put)
{
    weft_slot *slot = weft_order_add(&queue->order, put->data, put->size);
    if (put->block == NULL)
        weft_copy_item(slot->in.bytes, put->data, put->size);
    else
        slot->in.block = put->block;
    queue->unfinished++;
}

/*
 * Takes the next item out, if it fits. One that is larger than a slot goes out as its block.
 * Errors: -EMSGSIZE, got->size is its size: it stays.
 */
static inline int weft_queue_take(weft_queue *queue, weft_item *got)
{
    const weft_slot *slot = weft_order_next(&queue->order);
    size_t size = slot->size;
    if (size > got->size || (size < got->least && size > 0)) {
        got->size = size;
        return -EMSGSIZE;
    }
    got->size = size;
    if (size <= queue->order.ring.room)
        weft_copy_item(got->data, slot->in.bytes, size);
    else
        got->block = slot->in.block;
    weft_order_remove(&queue->order);
    return 0;
}

/* ---- Leaving the lock -------------------------------------------------------------------------
 */

/* Everybody who can go on now is woken. */
void weft_queue_serve(weft_queue *queue);

/* Whether somebody is there who might have to be woken. */
static inline bool weft_line_waits(const weft_line *line)
{
    return line->coming == 0 && !weft_list_empty(&line->waiters);
}

/* After items came in, or a promise of one came back. */
static inline void weft_queue_leave_with_item(weft_queue *queue)
{
    if (!weft_line_waits(&queue->getters) && weft_list_empty(&queue->observers))
        weft_ilock_release(&queue->lock);
    else
        weft_queue_serve(queue);
}

/* After room came free. */
static inline void weft_queue_leave_with_room(weft_queue *queue)
{
    if (!weft_line_waits(&queue->putters))
        weft_ilock_release(&queue->lock);
    else
        weft_queue_serve(queue);
}

/* Leaves the lock while it is parked in `waiters`, until it is notified. Returns what the sleep
 * did: 0, WEFT_WAIT_AND_CANCEL, or a failure. */
int weft_queue_park(weft_queue *queue, weft_list *waiters, weft_waiter *waiter,
                    weft_instant deadline);

/* Puts and gets that may wait, which leave the lock. Errors: as the public functions', with their
 * messages; but -EMSGSIZE. */
int weft_queue_put_waiting(weft_queue *queue, const weft_item *put, weft_instant deadline);
int weft_queue_get_waiting(weft_queue *queue, weft_item *got, weft_instant deadline);

/* ---- Without the lock -------------------------------------------------------------------------
 */

/* The calls on one item, their arguments checked; put makes the block of a large one. */
int weft_queue_put_item(weft_queue *queue, const void *data, size_t size, double timeout);
int weft_queue_get_item(weft_queue *queue, void *data, size_t room, size_t least, double timeout);

/* Whether the queue takes such an item. Errors: -EMSGSIZE, -EINVAL. */
int weft_queue_check_item(const weft_queue *queue, const void *data, size_t size);

#endif
