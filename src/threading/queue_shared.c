/* SPDX-License-Identifier: MIT */
/*
 * The table of the shared queue for as long as there is none.
 */
#include "core/error.h"
#include "threading/queue.h"

static int no_queue(weft_queue **queue, const weft_queue_options *options)
{
    (void)queue, (void)options;
    return weft_error(-ENOTSUP, "open a queue: queues between processes are not there yet");
}

const weft_shared_queue_methods weft_shared_queue = {.open = no_queue};
