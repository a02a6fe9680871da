/* SPDX-License-Identifier: MIT */
/*
 * Waiting for an item or for room, and promising them: the slow ways through the queue. The rule of
 * reservation stands in queue.c.
 *
 * A thread looks at the queue for a moment before it parks, if there is a processor for the others.
 */
#include "core/error.h"
#include "core/memory.h"
#include "platform/cpu.h"
#include "platform/pause.h"
#include "threading/queue_state.h"

enum { SPINS = 60 };

/* ---- Waking -----------------------------------------------------------------------------------
 */

/* Makes one promise to the first of the list; false: nobody is there. */
static bool promise(weft_list *waiters, size_t *promised, weft_wake *wake)
{
    weft_link *link;
    while ((link = weft_list_pop(waiters)) != NULL) {
        weft_waiter *waiter = WEFT_CONTAINER(link, weft_waiter, link);
        waiter->tag = WEFT_QUEUE_PROMISED;
        if (weft_wait_notify(waiter, wake)) {
            ++*promised;
            return true;
        }
    }
    return false;
}

void weft_queue_serve(weft_queue *queue)
{
    enum { BATCH = 8 };
    weft_wake wakes[BATCH];
    size_t n;
    do {
        n = 0;
        while (n < BATCH && weft_queue_free_items(queue) > 0 &&
               promise(&queue->getters, &queue->items_promised, &wakes[n]))
            n++;
        while (n < BATCH && weft_queue_has_room(queue) && queue->closed == WEFT_QUEUE_OPEN &&
               promise(&queue->putters, &queue->room_promised, &wakes[n]))
            n++;
        bool observed = !weft_list_empty(&queue->observers) && weft_queue_get_ready(queue);
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

/* ---- Waiting ----------------------------------------------------------------------------------
 */

/* Leaves the lock, looks for a moment whether the count changes, and enters with the lock again. */
static void spin(weft_queue *queue)
{
    const weft_ring *ring = &queue->order.ring;
    size_t seen = weft_ring_count(ring);
    weft_ilock_release(&queue->lock);
    for (int i = 0; i < SPINS; i++) {
        weft_pause();
        /* not under the lock: only whether to look again */
        size_t tail = __atomic_load_n(&ring->tail, __ATOMIC_RELAXED);
        size_t head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
        if (tail - head != seen)
            break;
    }
    weft_ilock_acquire(&queue->lock);
}

static bool may_spin(const weft_context *self)
{
    return !self->coroutine && weft_cpu_count() > 1;
}

int weft_queue_park(weft_queue *queue, weft_list *waiters, size_t *promised, weft_waiter *waiter,
                    weft_instant deadline)
{
    waiter->tag = WEFT_QUEUE_PROMISED;
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
        if (waiter->tag == WEFT_QUEUE_PROMISED && promised != NULL &&
            queue->closed != WEFT_QUEUE_DROPPED)
            --*promised;
        weft_queue_serve(queue);
        return weft_wait_cancelled(waiter->context);
    }
    return waiter->tag == WEFT_QUEUE_CLOSED ? WEFT_ESHUTDOWN : 0;
}

int weft_queue_shut_down_error(void)
{
    return weft_error_constant(WEFT_ESHUTDOWN, "the queue has been shut down");
}

/* Enters and leaves with the lock, but leaves it meanwhile. Errors: -ENOMEM. */
static int grow(weft_queue *queue)
{
    weft_order as_it_is = queue->order;
    weft_ilock_release(&queue->lock);
    void *block = weft_order_block(&as_it_is), *old = block;
    weft_ilock_acquire(&queue->lock);
    const weft_ring *ring = &queue->order.ring;
    bool still = weft_ring_full(ring) && ring->mask == as_it_is.ring.mask;
    if (still && block != NULL)
        old = weft_order_grow(&queue->order, block);
    weft_ilock_release(&queue->lock);
    weft_dealloc(old);
    weft_ilock_acquire(&queue->lock);
    return still && block == NULL ? -ENOMEM : 0;
}

int weft_queue_put_waiting(weft_queue *queue, const weft_item *put, weft_instant deadline)
{
    if (deadline == WEFT_INSTANT_NOW && queue->closed == WEFT_QUEUE_OPEN &&
        !weft_queue_has_room(queue)) {
        weft_ilock_release(&queue->lock);
        return weft_error_timed_out();
    }
    weft_waiter waiter;
    bool promised = false, looked = false;
    int r = weft_waiter_init(&waiter);
    while (r == 0) {
        if (queue->closed != WEFT_QUEUE_OPEN) {
            if (promised)
                queue->room_promised--;
            r = WEFT_ESHUTDOWN;
        } else if (!promised && !weft_queue_has_room(queue)) {
            if (!looked && may_spin(waiter.context)) {
                looked = true;
                spin(queue);
                continue;
            }
            r = weft_queue_park(queue, &queue->putters, &queue->room_promised, &waiter, deadline);
            if (r < 0)
                return r == WEFT_ESHUTDOWN ? weft_queue_shut_down_error() : r;
            promised = true;
            weft_ilock_acquire(&queue->lock);
        } else if (weft_ring_full(&queue->order.ring)) {
            r = grow(queue);
            if (r < 0 && promised)
                queue->room_promised--;
        } else {
            if (promised)
                queue->room_promised--;
            weft_queue_store(queue, put);
            weft_queue_leave_with_item(queue);
            return 0;
        }
    }
    weft_queue_serve(queue);
    return r == WEFT_ESHUTDOWN ? weft_queue_shut_down_error()
                               : weft_error(r, "put: no memory for one more item");
}

int weft_queue_get_waiting(weft_queue *queue, weft_item *got, weft_instant deadline)
{
    if (deadline == WEFT_INSTANT_NOW && !weft_queue_get_ready(queue)) {
        weft_ilock_release(&queue->lock);
        return weft_error_timed_out();
    }
    weft_waiter waiter;
    bool promised = false, looked = false;
    int r = weft_waiter_init(&waiter);
    while (r == 0) {
        bool nothing = !promised && weft_queue_free_items(queue) == 0;
        if (queue->closed == WEFT_QUEUE_DROPPED || (queue->closed != WEFT_QUEUE_OPEN && nothing)) {
            r = WEFT_ESHUTDOWN;
        } else if (nothing) {
            if (!looked && may_spin(waiter.context)) {
                looked = true;
                spin(queue);
                continue;
            }
            r = weft_queue_park(queue, &queue->getters, &queue->items_promised, &waiter, deadline);
            if (r < 0)
                return r == WEFT_ESHUTDOWN ? weft_queue_shut_down_error() : r;
            promised = true;
            weft_ilock_acquire(&queue->lock);
        } else {
            if (promised)
                queue->items_promised--;
            r = weft_queue_take(queue, got);
            if (r == 0)
                weft_queue_leave_with_room(queue);
            else
                weft_queue_leave_with_item(queue);
            return r;
        }
    }
    weft_ilock_release(&queue->lock);
    return r == WEFT_ESHUTDOWN ? weft_queue_shut_down_error() : r;
}
