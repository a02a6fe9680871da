/* SPDX-License-Identifier: MIT */
/*
 * queue: items from threads and coroutines of any loops to others, mixed; first in, first out, or
 * last in, first out, or by priority.
 *
 *     weft_queue *queue;
 *     weft_queue_open(&queue, &(weft_queue_options){.maxsize = 100, .item_size = sizeof(int)});
 *     weft_queue_put(queue, WEFT_ARG(n), WEFT_FOREVER);
 *     ...
 *     while ((r = weft_queue_get(queue, WEFT_OUT(n), WEFT_FOREVER)) > 0)
 *         use(n);
 *
 * Items are bytes, copied in and copied out. The empty item (WEFT_NONE) is one too: its get returns
 * 0, which makes it an end mark for a reader's loop as above; weft_queue_shutdown ends all readers.
 *
 * In a queue by priority an item begins with its priority, an int; the smallest goes first, and of
 * equal ones the one that was put first. The empty item goes last. So items are what Python's
 * users write as (priority, item):
 *
 *     struct job { int priority; const char *what; } job = {2, "sweep"};
 *     weft_queue_open(&queue, &(weft_queue_options){.order = WEFT_QUEUE_PRIORITY});
 *     weft_queue_put(queue, WEFT_ARG(job), WEFT_FOREVER);
 *
 * A queue is a handle: weft_wait, weft_wait_any ... on it wait until a get would not wait (they
 * take nothing: another may be faster). The last release drops what is in it; whoever still waits
 * must have a reference of his own, or be known to have returned.
 *
 * A put into a queue without .maxsize never waits, and signal handlers (weft_signal_set) never run
 * inside of a put or get but where it waits: so a handler may put into, and get from, the very
 * queue that it interrupts. That is Python's SimpleQueue, and all that it promises.
 */
#ifndef WEFT_QUEUE_H
#define WEFT_QUEUE_H

#include <weft/base.h>
#include <weft/handle.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which item goes next. */
typedef enum weft_queue_order {
    WEFT_QUEUE_FIFO,     /* the one that was put first */
    WEFT_QUEUE_LIFO,     /* the one that was put last */
    WEFT_QUEUE_PRIORITY, /* the one with the smallest int at its beginning; of these the first */
} weft_queue_order;

typedef struct weft_queue_options {
    weft_queue_order order;
    size_t maxsize;   /* the most items; 0: no limit */
    size_t item_size; /* of every item (but the empty one); 0: items of any size */
    bool shared;      /* between this process and those that it starts later; WEFT_QUEUE_FIFO */
    const char *name; /* copied; NULL: "Queue-1", "Queue-2" ... */
    void *reserved_[4];
} weft_queue_options;

/*
 * Makes a queue, to be released. Errors: -EINVAL (no such order; a size beyond what memory can
 * hold, or below that of a priority), -ENOMEM, -ENOTSUP (.shared in another order than
 * WEFT_QUEUE_FIFO, or where shared memory cannot be had).
 * Python: queue.Queue(maxsize), LifoQueue, PriorityQueue, SimpleQueue, multiprocessing.Queue,
 * asyncio.Queue
 */
WEFT_API int weft_queue_open(weft_queue **queue, const weft_queue_options *options);

/*
 * Puts an item (copied; WEFT_NONE: the empty item), and waits for room while there are maxsize.
 * Timeout 0 does not wait. Can be cancelled: then the item is not in the queue.
 * Errors: -ETIMEDOUT, -ECANCELED, WEFT_ESHUTDOWN, -EMSGSIZE (its size is not the queue's
 * .item_size, or it is too short to begin with a priority), -EINVAL, -ENOMEM, WEFT_EFORKED.
 * Python: Queue.put, Queue.put_nowait
 */
WEFT_API int weft_queue_put(weft_queue *queue, const void *item, size_t size, double timeout);

/*
 * Takes the next item out into `item`, which has room for `room` bytes (WEFT_OUT(x)), and waits
 * while there is none. Returns the item's size, 0 for the empty item. Timeout 0 does not wait. Can
 * be cancelled: then nothing has been taken. Errors: -ETIMEDOUT, -ECANCELED, WEFT_ESHUTDOWN (and
 * nothing is left), -EMSGSIZE (it is larger: it stays, and the message tells its size), -EINVAL,
 * -ENOMEM, WEFT_EFORKED. Python: Queue.get, Queue.get_nowait
 */
WEFT_API int weft_queue_get(weft_queue *queue, void *item, size_t room, double timeout);

/*
 * As weft_queue_get, for items of any size: *item is owned: weft_free(item->data), with a NUL
 * behind it; the empty item has data NULL. Returns the size. Can be cancelled. Errors: -ETIMEDOUT,
 * -ECANCELED, WEFT_ESHUTDOWN (and nothing is left), -EINVAL, -ENOMEM (it stays), WEFT_EFORKED.
 * Python: Queue.get
 */
WEFT_API int weft_queue_get_bytes(weft_queue *queue, weft_bytes *item, double timeout);

/*
 * Puts `count` items of `item_size` bytes that lie one behind the other (copied), as one put each,
 * but with the lock taken once for all that there is room for; and waits for room until all are in.
 * Returns how many are: fewer than `count` (at most INT_MAX at once) when the time was up, or
 * something else ended the wait, after the first; a cancel then ends the next wait. Can be
 * cancelled. Errors: as weft_queue_put, and then none is in. Python: none
 */
WEFT_API int weft_queue_put_many(weft_queue *queue, const void *items, size_t item_size,
                                 size_t count, double timeout);

/*
 * Takes the next items of `item_size` bytes out into `items`, which has room for `room` of them:
 * those that are there, at once, and waits only while there is none. Returns how many; 0 when the
 * next was the empty item, which it takes only as the first. Can be cancelled: then nothing has
 * been taken. Errors: as weft_queue_get; -EMSGSIZE: the next item has another size (it stays; one
 * behind others is left for the next call). Python: none
 */
WEFT_API int weft_queue_get_many(weft_queue *queue, void *items, size_t item_size, size_t room,
                                 double timeout);

/*
 * How many items there are, at this moment. Errors: -EINVAL, WEFT_EFORKED. Python: Queue.qsize
 */
WEFT_API int weft_queue_qsize(weft_queue *queue);

/*
 * Whether there are none, at this moment; true for NULL. Whether a get would not wait is
 * weft_done(queue). Python: Queue.empty
 */
WEFT_API bool weft_queue_empty(weft_queue *queue);

/*
 * Whether there are .maxsize, at this moment; never without that limit; false for NULL.
 * Python: Queue.full
 */
WEFT_API bool weft_queue_full(weft_queue *queue);

/*
 * The most items that it holds, as its options gave it; 0: no limit. Errors: -EINVAL, WEFT_EFORKED.
 * Python: Queue.maxsize
 */
WEFT_API int weft_queue_maxsize(weft_queue *queue);

/*
 * How many of the items that were put are not done yet (weft_queue_task_done), at this moment.
 * Errors: -EINVAL, WEFT_EFORKED. Python: Queue.unfinished_tasks
 */
WEFT_API int weft_queue_unfinished(weft_queue *queue);

/*
 * Whether it has been shut down; false for NULL. Python: Queue.is_shutdown
 */
WEFT_API bool weft_queue_is_shutdown(weft_queue *queue);

/*
 * Tells that the work for one item that was taken out is done, for weft_queue_join.
 * Errors: -EINVAL (more often than items were put), WEFT_EFORKED. Python: Queue.task_done
 */
WEFT_API int weft_queue_task_done(weft_queue *queue);

/*
 * Waits until weft_queue_task_done has been called for every item that was put. Can be cancelled.
 * Errors: -ETIMEDOUT, -ECANCELED, -EINVAL, -ENOMEM, WEFT_EFORKED. Python: Queue.join
 */
WEFT_API int weft_queue_join(weft_queue *queue, double timeout);

/*
 * Ends the queue: every put fails from now on with WEFT_ESHUTDOWN, those that wait too.
 * WEFT_SHUTDOWN_DRAIN: gets go on until nothing is left, then fail likewise.
 * WEFT_SHUTDOWN_IMMEDIATE: what is in it is dropped (and counts as done for weft_queue_join), and
 * gets fail at once. Errors: -EINVAL, WEFT_EFORKED. Python: Queue.shutdown
 */
WEFT_API int weft_queue_shutdown(weft_queue *queue, weft_shutdown_mode mode);

#ifdef __cplusplus
}
#endif

#endif
