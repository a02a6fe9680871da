/* SPDX-License-Identifier: MIT */
/*
 * queue: what the queue of one process and the one that processes share have in common.
 *
 * weft_queue_open with .shared, and every call on such a queue, go to a table that multiprocessing
 * fills in; what is declared here in its place answers -ENOTSUP.
 */
#ifndef WEFT_THREADING_QUEUE_H
#define WEFT_THREADING_QUEUE_H

#include <weft/queue.h>

#include "core/handle.h"
#include "platform/clock.h"

/* What a queue tells of itself, at one moment. */
typedef struct weft_queue_facts {
    size_t count, unfinished;
    size_t maxsize; /* 0: no limit */
    bool closed;
} weft_queue_facts;

/* The handle has been checked, but not its arguments. As the public functions, each with its
 * message. */
typedef struct weft_shared_queue_methods {
    const weft_kind *kind; /* of the handles that open makes; NULL: there are none */
    int (*open)(weft_queue **queue, const weft_queue_options *options);
    int (*put)(weft_queue *queue, const void *item, size_t size, weft_instant deadline);
    int (*get)(weft_queue *queue, void *item, size_t room, weft_instant deadline);
    int (*get_bytes)(weft_queue *queue, weft_bytes *item, weft_instant deadline);
    int (*get_many)(weft_queue *queue, void *items, size_t item_size, size_t room,
                    weft_instant deadline);
    void (*facts)(weft_queue *queue, weft_queue_facts *facts);
    int (*task_done)(weft_queue *queue);
    int (*join)(weft_queue *queue, weft_instant deadline);
    int (*shutdown)(weft_queue *queue, weft_shutdown_mode mode);
} weft_shared_queue_methods;

extern const weft_shared_queue_methods weft_shared_queue;

#endif
