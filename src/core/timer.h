/* SPDX-License-Identifier: MIT */
/*
 * timer: what is in a runner's heap: a function to be called on the runner's thread when its time
 * has come.
 */
#ifndef WEFT_CORE_TIMER_H
#define WEFT_CORE_TIMER_H

#include "core/heap.h"

struct weft_runner;

typedef struct weft_deadline_timer {
    weft_heap_item item; /* first */
    /* Due; it is out of the heap. On the runner's own stack: it must not wait. */
    void (*fire)(struct weft_deadline_timer *timer, struct weft_runner *runner);
} weft_deadline_timer;

#endif
