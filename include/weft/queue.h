/* SPDX-License-Identifier: MIT */
/*
 * queue: first in, first out, between threads and coroutines of any loops, mixed.
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
 * A queue is a handle: weft_wait, weft_wait_any ... on it wait until a get would not wait (they
 * take nothing: another may be faster). The last release drops what is in it; whoever still waits
 * must have a reference of his own, or be known to have returned.
 */
#ifndef WEFT_QUEUE_H
#define WEFT_QUEUE_H

#include <weft/base.h>
#include <weft/handle.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_queue_options {
    size_t maxsize;   /* the most items; 0: no limit */
    size_t item_size; /* of every item (but the empty one); 0: items of any size */
    bool shared;      /* between this process and those that it starts later */
    const char *name; /* copied; NULL: "Queue-1", "Queue-2" ... */
    void *reserved_[4];
} weft_queue_options;

/*
 * Makes a queue, to be released. Errors: -EINVAL (a size beyond what memory can hold), -ENOMEM,
 * -ENOTSUP (.shared where shared memory cannot be had).
 * Python: queue.Queue(maxsize), multiprocessing.Queue, asyncio.Queue
 */
WEFT_API int weft_queue_open(weft_queue **queue, const weft_queue_options *options);

/*
 * Puts an item (copied; WEFT_NONE: the empty item) behind the others, and waits for room while
 * there are maxsize. Timeout 0 does not wait. Can be cancelled: then the item is not in the queue.
 * Errors: -ETIMEDOUT, -ECANCELED, WEFT_ESHUTDOWN, -EMSGSIZE (its size is not the queue's
 * .item_size), -EINVAL, -ENOMEM, WEFT_EFORKED. Python: Queue.put, Queue.put_nowait
 */
WEFT_API int weft_queue_put(weft_queue *queue, const void *item, size_t size, double timeout);

/*
 * Takes the first item out into `item`, which has room for `room` bytes (WEFT_OUT(x)), and waits
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
 * How many items there are, at this moment. Errors: -EINVAL, WEFT_EFORKED. Python: Queue.qsize
 */
WEFT_API int weft_queue_qsize(weft_queue *queue);

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
