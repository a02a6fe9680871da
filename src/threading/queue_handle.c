/* SPDX-License-Identifier: MIT */
/*
 * The queue as a handle: opened, asked, joined, shut down, freed.
 */
#include <limits.h>
#include <stdio.h>

#include "core/clock.h"
#include "core/error.h"
#include "core/memory.h"
#include "threading/queue_state.h"

static _Atomic uint32_t numbers;

int weft_queue_check_shared(weft_queue *queue, const char *what)
{
    const weft_handle *handle = queue == NULL ? NULL : &queue->handle;
    bool shared =
        handle != NULL && weft_shared_queue.kind != NULL && handle->kind == weft_shared_queue.kind;
    return weft_handle_check(handle, shared ? weft_shared_queue.kind : &weft_queue_kind, what);
}

/* ---- What it tells ----------------------------------------------------------------------------
 */

/* A snapshot of all that can be asked, of a queue of any kind. Errors: as the check's. */
static int ask(weft_queue *queue, const char *what, weft_queue_facts *facts)
{
    if (!weft_queue_is_own(queue)) {
        int r = weft_queue_check_shared(queue, what);
        if (r == 0)
            weft_shared_queue.facts(queue, facts);
        return r;
    }
    weft_ilock_acquire(&queue->lock);
    *facts = (weft_queue_facts){
        .count = weft_queue_count(queue),
        .unfinished = queue->unfinished,
        .maxsize = queue->maxsize == SIZE_MAX ? 0 : queue->maxsize,
        .closed = queue->closed != WEFT_QUEUE_OPEN,
    };
    weft_ilock_release(&queue->lock);
    return 0;
}

static int number(size_t count)
{
    return count < INT_MAX ? (int)count : INT_MAX;
}

int weft_queue_qsize(weft_queue *queue)
{
    weft_queue_facts facts;
    int r = ask(queue, "qsize", &facts);
    return r < 0 ? r : number(facts.count);
}

int weft_queue_unfinished(weft_queue *queue)
{
    weft_queue_facts facts;
    int r = ask(queue, "unfinished", &facts);
    return r < 0 ? r : number(facts.unfinished);
}

int weft_queue_maxsize(weft_queue *queue)
{
    weft_queue_facts facts;
    int r = ask(queue, "maxsize", &facts);
    return r < 0 ? r : number(facts.maxsize);
}

bool weft_queue_empty(weft_queue *queue)
{
    weft_queue_facts facts;
    return ask(queue, "empty", &facts) < 0 || facts.count == 0;
}

bool weft_queue_full(weft_queue *queue)
{
    weft_queue_facts facts;
    return ask(queue, "full", &facts) == 0 && facts.maxsize > 0 && facts.count >= facts.maxsize;
}

bool weft_queue_is_shutdown(weft_queue *queue)
{
    weft_queue_facts facts;
    return ask(queue, "is_shutdown", &facts) == 0 && facts.closed;
}

/* ---- Tasks ------------------------------------------------------------------------------------
 */

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
    if (!weft_queue_is_own(queue)) {
        int r = weft_queue_check_shared(queue, "task_done");
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
        r = weft_queue_park(queue, &queue->joiners, &waiter, deadline);
    weft_ilock_release(&queue->lock);
    return r == WEFT_WAIT_AND_CANCEL ? weft_wait_cancelled(waiter.context) : r;
}

int weft_queue_join(weft_queue *queue, double timeout)
{
    weft_instant deadline;
    bool own = weft_queue_is_own(queue);
    int r = own ? 0 : weft_queue_check_shared(queue, "join");
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    if (r < 0)
        return r;
    return own ? join_waiting(queue, deadline) : weft_shared_queue.join(queue, deadline);
}

/* ---- The end ----------------------------------------------------------------------------------
 */

int weft_queue_shutdown(weft_queue *queue, weft_shutdown_mode mode)
{
    if (!weft_queue_is_own(queue)) {
        int r = weft_queue_check_shared(queue, "shutdown");
        return r < 0 ? r : weft_shared_queue.shutdown(queue, mode);
    }
    if (mode != WEFT_SHUTDOWN_DRAIN && mode != WEFT_SHUTDOWN_IMMEDIATE)
        return weft_error(-EINVAL, "shut down a queue: no mode %d", (int)mode);
    weft_order dropped = {.kind = WEFT_QUEUE_FIFO};
    size_t count = 0;
    weft_ilock_acquire(&queue->lock);
    if (mode == WEFT_SHUTDOWN_IMMEDIATE && queue->closed != WEFT_QUEUE_DROPPED) {
        queue->closed = WEFT_QUEUE_DROPPED;
        count = weft_order_drop(&queue->order, &dropped);
        queue->getters.promised = 0; /* those who have a promise find the queue dropped */
    } else if (queue->closed == WEFT_QUEUE_OPEN) {
        queue->closed = WEFT_QUEUE_DRAINING;
    }
    finish(queue, count < queue->unfinished ? count : queue->unfinished);
    weft_order_clear(&dropped);
    weft_list *lists[] = {&queue->putters.waiters, &queue->getters.waiters, &queue->observers};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        weft_ilock_acquire(&queue->lock);
        weft_wait_notify_all(&queue->lock, lists[i]);
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
    weft_order_clear(&queue->order);
    weft_handle_clear(handle);
    weft_dealloc(queue);
}

static bool kind_ready(weft_handle *handle)
{
    weft_queue *queue = queue_of(handle);
    weft_ilock_acquire(&queue->lock);
    bool ready = weft_queue_get_ready(queue);
    weft_ilock_release(&queue->lock);
    return ready;
}

static int kind_enlist(weft_handle *handle, weft_waiter *waiter)
{
    weft_queue *queue = queue_of(handle);
    weft_ilock_acquire(&queue->lock);
    bool ready = weft_queue_get_ready(queue);
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
    size_t count = weft_queue_count(queue);
    uint32_t closed = queue->closed;
    weft_ilock_release(&queue->lock);
    return snprintf(buffer, size, "%s, %zu items", states[closed], count);
}

const weft_kind weft_queue_kind = {
    .name = "queue",
    .prefix = "Queue",
    .numbers = &numbers,
    .finalize = finalize,
    .ready = kind_ready,
    .enlist = kind_enlist,
    .delist = kind_delist,
    .describe = kind_describe,
};

static int check_options(const weft_queue_options *options)
{
    if (options->order != WEFT_QUEUE_FIFO && options->order != WEFT_QUEUE_LIFO &&
        options->order != WEFT_QUEUE_PRIORITY)
        return weft_error(-EINVAL, "open a queue: no order %d", (int)options->order);
    if (options->item_size > INT_MAX)
        return weft_error(-EINVAL, "open a queue: items of %zu bytes", options->item_size);
    if (options->order == WEFT_QUEUE_PRIORITY && options->item_size > 0 &&
        options->item_size < sizeof(int))
        return weft_error(-EINVAL, "open a queue: items of %zu bytes do not begin with a priority",
                          options->item_size);
    if (options->shared && options->order != WEFT_QUEUE_FIFO)
        return weft_error(-ENOTSUP,
                          "open a queue: between processes it is first in, first out alone");
    return 0;
}

int weft_queue_open(weft_queue **out, const weft_queue_options *options)
{
    static const weft_queue_options defaults;
    if (out == NULL)
        return weft_error(-EINVAL, "open a queue: nowhere to put it");
    *out = NULL;
    if (options == NULL)
        options = &defaults;
    int r = check_options(options);
    if (r < 0)
        return r;
    if (options->shared)
        return weft_shared_queue.open(out, options);
    weft_queue *queue = weft_calloc(1, sizeof(*queue));
    if (queue == NULL)
        return weft_error(-ENOMEM, "open a queue: no memory");
    weft_handle_init(&queue->handle, &weft_queue_kind);
    queue->maxsize = options->maxsize > 0 ? options->maxsize : SIZE_MAX;
    queue->item_size = options->item_size;
    r = weft_order_init(&queue->order, options->order, options->item_size);
    queue->room = queue->order.ring.room;
    if (r == 0 && options->name != NULL)
        r = weft_handle_rename(&queue->handle, options->name);
    if (r < 0) {
        weft_handle_drop(&queue->handle);
        return r;
    }
    *out = queue;
    return 0;
}
