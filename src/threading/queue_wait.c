/* SPDX-License-Identifier: MIT */
/*
 * Waiting for an item or for room, and promising them: the slow ways through the queue. The rule of
 * reservation stands in queue.c.
 *
 * A thread does not park at once. If there is a processor for the others it looks at the queue for
 * a moment; then it gives its own away: where threads outnumber processors, the one that fills or
 * empties the queue is likely to be waiting for it, and will work through all of it before this one
 * is back. Both spare a system call on either side, and twice the switches. If it was away for long
 * it was strangers who had the processor, and the queue's next waits park after the look: who
 * sleeps is woken ahead of those who only compute, who gives way comes behind them.
 */
#include <sched.h>

#include "core/error.h"
#include "core/memory.h"
#include "platform/cpu.h"
#include "platform/pause.h"
#include "threading/queue_state.h"

enum {
    SPINS = 20,        /* looks at the count before parking, with a pause between: some 500 ns */
    YIELDS = 2,        /* after them */
    LONG = 100 * 1000, /* ns: more than the queue's own threads need for what it holds */
    PARKS = 100,       /* waits that do not give way after one that took long */
};

/* ---- Waking -----------------------------------------------------------------------------------
 */

/* Makes one promise to the first of the line; false: nobody is there, or has to be woken now. The
 * main thread may be in a signal handler, on top of its wait, that waits for one of the others: so
 * nobody relies on its coming. */
static bool promise(weft_line *line, weft_wake *wake)
{
    weft_link *link;
    while (line->coming == 0 && (link = weft_list_pop(&line->waiters)) != NULL) {
        weft_waiter *waiter = WEFT_CONTAINER(link, weft_waiter, link);
        bool comes = !waiter->context->coroutine && !waiter->context->main;
        waiter->tag = comes ? WEFT_QUEUE_COMING : WEFT_QUEUE_PROMISED;
        if (weft_wait_notify(waiter, wake)) {
            line->promised++;
            line->coming += comes;
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
        while (n < BATCH && weft_queue_free_items(queue) > 0 && promise(&queue->getters, &wakes[n]))
            n++;
        while (n < BATCH && weft_queue_has_room(queue) && queue->closed == WEFT_QUEUE_OPEN &&
               promise(&queue->putters, &wakes[n]))
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

/* Looks for a moment whether the count changes. Without the lock: only whether to look again. */
static void spin(const weft_ring *ring, size_t seen)
{
    for (int i = 0; i < SPINS && weft_cpu_count() > 1; i++) {
        weft_pause();
        size_t tail = __atomic_load_n(&ring->tail, __ATOMIC_RELAXED);
        size_t head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
        if (tail - head != seen)
            return;
    }
}

/*
 * Leaves the lock, lets the others run for a moment, and enters with it again. false: no (more) of
 * that. First it spins; then it gives its processor away.
 */
static bool give_way(weft_queue *queue, const weft_context *self, int *times)
{
    size_t seen = weft_queue_count(queue);
    bool strangers = false;
    if (self->coroutine || *times > YIELDS)
        return false;
    if (*times > 0 && queue->parks_at_once > 0) {
        queue->parks_at_once--;
        return false;
    }
    weft_ilock_release(&queue->lock);
    if (*times == 0) {
        spin(&queue->order.ring, seen);
    } else {
        weft_instant before = weft_instant_now();
        sched_yield();
        strangers = weft_instant_now() - before > LONG;
    }
    ++*times;
    weft_ilock_acquire(&queue->lock);
    if (strangers)
        queue->parks_at_once = PARKS;
    return true;
}

int weft_queue_park(weft_queue *queue, weft_list *waiters, weft_waiter *waiter,
                    weft_instant deadline)
{
    waiter->tag = WEFT_QUEUE_TOLD;
    weft_wait_publish(waiter);
    weft_list_append(waiters, &waiter->link);
    weft_ilock_release(&queue->lock);
    int r = weft_wait_sleep(waiter->context, deadline);
    weft_ilock_acquire(&queue->lock);
    if (r < 0 && weft_link_linked(&waiter->link))
        weft_list_remove(&waiter->link);
    return r;
}

/* As weft_queue_park, for a promise, which is redeemed on return: what was promised is free, and
 * nobody else has the lock. */
static int wait_in_line(weft_queue *queue, weft_line *line, weft_waiter *waiter,
                        weft_instant deadline)
{
    int r = weft_queue_park(queue, &line->waiters, waiter, deadline);
    if (r >= 0 && waiter->tag != WEFT_QUEUE_TOLD) {
        line->coming -= waiter->tag == WEFT_QUEUE_COMING;
        if (line->promised > 0) /* none are left when the queue has been dropped */
            line->promised--;
    }
    return r;
}

/* The lock has been left. What a put or get that has waited returns; the messages of codes that are
 * not named here have been recorded by the wait. */
static int after_waiting(int r, const weft_waiter *waiter)
{
    switch (r) {
    case WEFT_WAIT_AND_CANCEL:
        return weft_wait_cancelled(waiter->context);
    case WEFT_ESHUTDOWN:
        return weft_error_constant(r, "the queue has been shut down");
    case -ETIMEDOUT:
        return weft_error_timed_out();
    case -ENOMEM:
        return weft_error_constant(r, "queue: no memory");
    default:
        return r;
    }
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
    weft_waiter waiter;
    int times = 0;
    int r = weft_waiter_init(&waiter);
    while (r == 0 && !weft_queue_put_ready(queue)) {
        if (queue->closed != WEFT_QUEUE_OPEN) {
            r = WEFT_ESHUTDOWN;
        } else if (weft_queue_has_room(queue)) {
            r = grow(queue);
        } else if (deadline == WEFT_INSTANT_NOW) {
            r = -ETIMEDOUT;
        } else if (!give_way(queue, waiter.context, &times)) {
            r = wait_in_line(queue, &queue->putters, &waiter, deadline);
        }
    }
    if (r == -ETIMEDOUT && weft_queue_put_ready(queue))
        r = 0; /* somebody was to be woken for it, and this is somebody */
    if (r == 0)
        weft_queue_store(queue, put);
    weft_queue_serve(queue);
    return after_waiting(r, &waiter);
}

int weft_queue_get_waiting(weft_queue *queue, weft_item *got, weft_instant deadline)
{
    weft_waiter waiter;
    int times = 0;
    int r = weft_waiter_init(&waiter);
    while (r == 0 && weft_queue_free_items(queue) == 0) {
        if (queue->closed != WEFT_QUEUE_OPEN) {
            r = WEFT_ESHUTDOWN;
        } else if (deadline == WEFT_INSTANT_NOW) {
            r = -ETIMEDOUT;
        } else if (!give_way(queue, waiter.context, &times)) {
            r = wait_in_line(queue, &queue->getters, &waiter, deadline);
        }
    }
    if (r == -ETIMEDOUT && weft_queue_free_items(queue) > 0)
        r = 0; /* as above */
    if (r == 0)
        r = weft_queue_take(queue, got);
    weft_queue_serve(queue);
    return after_waiting(r, &waiter);
}
