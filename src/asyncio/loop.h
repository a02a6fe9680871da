/* SPDX-License-Identifier: MIT */
/*
 * loop: a runner with its tasks and calls.
 */
#ifndef WEFT_ASYNCIO_LOOP_H
#define WEFT_ASYNCIO_LOOP_H

#include <weft/asyncio.h>

#include "core/job.h"
#include "core/runner.h"

struct weft_loop {
    weft_handle handle;          /* first */
    weft_runner *_Atomic runner; /* NULL when it is closed; set by the loop's thread */
    size_t stack_size;
    weft_task *first;           /* of weft_run */
    weft_list tasks;            /* that have begun and not ended; the loop's thread alone */
    weft_list dispatches;       /* coroutines that run calls (call.c); the loop's thread alone */
    weft_list waiting;          /* those of them that wait in their last call; likewise */
    struct weft_dispatch *open; /* the last of them that has not begun; likewise */
    weft_list signals;          /* handlers (loop_signal.c); the loop's thread alone */
    bool ending;                /* tasks that begin now are cancelled; the loop's thread alone */
    /* A signal handler's code that has cancelled the first task, with its message (owned; NULL: no
     * memory); the loop's thread alone. */
    int interrupt;
    char *interrupt_message;
    weft_ilock lock;                 /* guards what follows */
    bool closed;                     /* nothing can be started any more */
    size_t arriving;                 /* tasks started by other threads, not begun */
    weft_call *posted, *posted_last; /* calls from other threads */
    _Atomic bool has_posted;         /* changed under the lock, looked at without */
};

extern const weft_kind weft_loop_kind;

/* The loop ends: what its signal handlers replaced is put back. */
void weft_loop_drop_signals(weft_loop *loop);

/* The loop of the running context; NULL: none runs here. */
weft_loop *weft_loop_running(void);

/*
 * Brackets a start from any thread: enter refuses a loop that is at its end (WEFT_ESHUTDOWN) and,
 * for another thread's loop, counts the arrival, which the started coroutine ends by
 * weft_loop_arrived. `foreign` is handed from the one to the other.
 */
int weft_loop_enter(weft_loop *loop, const char *what, bool *foreign);
void weft_loop_arrived(weft_loop *loop, bool foreign);

/* Instead of weft_loop_arrived, by whoever entered: the start has failed, nothing arrives. */
void weft_loop_not_arrived(weft_loop *loop, bool foreign);

#endif
