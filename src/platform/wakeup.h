/* SPDX-License-Identifier: MIT */
/*
 * wakeup: a descriptor that makes poll return, from any thread and from signal handlers.
 *
 * wakeup_eventfd.c: one eventfd.  wakeup_pipe.c: a non-blocking pipe.
 * Many signals before one drain may be seen as one.
 */
#ifndef WEFT_PLATFORM_WAKEUP_H
#define WEFT_PLATFORM_WAKEUP_H

#include <stdbool.h>

typedef struct weft_wakeup {
    int read_fd;  /* poll this for input */
    int write_fd; /* the same number where one descriptor serves both */
} weft_wakeup;

/* Close-on-exec, non-blocking. Errors: -EMFILE, -ENFILE, -ENOMEM; both fields are then -1. */
int weft_wakeup_open(weft_wakeup *wakeup);

/* Sets both fields to -1; closing twice is harmless. */
void weft_wakeup_close(weft_wakeup *wakeup);

/* Makes read_fd readable. Async-signal-safe; preserves errno. */
void weft_wakeup_signal(const weft_wakeup *wakeup);

/* Whether each signal is an edge, for ever, though none is drained. */
bool weft_wakeup_makes_edges(void);

/* Makes read_fd unreadable again. */
void weft_wakeup_drain(const weft_wakeup *wakeup);

#endif
