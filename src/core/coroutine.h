/* SPDX-License-Identifier: MIT */
/*
 * coroutine: a context with a stack of its own, resumed by one runner.
 *
 * Its record lies in the control block of its stack (platform/stack.h), with room behind it for
 * whoever starts it (a task's handle), so that a parked task costs one page. The stack can be used
 * again when the coroutine has ended *and* that owner lets go.
 */
#ifndef WEFT_CORE_COROUTINE_H
#define WEFT_CORE_COROUTINE_H

#include "core/context.h"
#include "platform/stack.h"

struct weft_runner;

typedef struct weft_coroutine {
    weft_context context; /* first */
    weft_stack stack;
    void (*entry)(struct weft_coroutine *coroutine); /* on its own stack; returning ends it */
    void (*ended)(struct weft_coroutine
                      *coroutine); /* on another stack: it has left its own for good; frees it */
    struct weft_coroutine *next_cached;
} weft_coroutine;

enum {
    WEFT_TASK_STACK = 256 * 1024, /* of address space, unless asked for otherwise */
    WEFT_JOB_STACK = 1024 * 1024,
};

/* `runner` may be another thread's. size 0: WEFT_TASK_STACK. NULL with a message: no memory. */
weft_coroutine *weft_coroutine_new(struct weft_runner *runner, size_t size);

/* The room behind the record, 16-aligned, of weft_coroutine_room() bytes. */
void *weft_coroutine_extra(weft_coroutine *coroutine);
size_t weft_coroutine_room(void);

/* Makes it ready on its runner; from any thread. Errors: -EAGAIN, -ENOMEM (pthread column: no
 * thread). */
int weft_coroutine_start(weft_coroutine *coroutine, void (*entry)(weft_coroutine *),
                         void (*ended)(weft_coroutine *));

/* Not started, or ended and left. To the running runner's cache, or the pool. Any thread. */
void weft_coroutine_free(weft_coroutine *coroutine);

/* For runner.c: the cached stacks go to the pool. */
void weft_coroutine_drain_cache(struct weft_runner *runner);

#endif
