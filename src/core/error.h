/* SPDX-License-Identifier: MIT */
/*
 * error: the last failure of each context.
 *
 * weft_error (weft/base.h) formats a message; hot paths that fail as a matter of course (time up,
 * cancelled) record a constant text, which costs two stores.
 */
#ifndef WEFT_CORE_ERROR_H
#define WEFT_CORE_ERROR_H

#include <weft/base.h>

/* Kept in each context. */
typedef struct weft_failure {
    int code;
    const char *text; /* constant, or `buffer` */
    char *buffer;     /* owned; allocated at the first formatted message */
} weft_failure;

enum { WEFT_MESSAGE_SIZE = 512 };

/* Records a constant text; returns code. */
int weft_error_constant(int code, const char *text);

/* The usual two. */
int weft_error_timed_out(void);
int weft_error_cancelled(void);

/* "what 'name': text of the code"; returns code. name may be NULL. */
int weft_error_on(int code, const char *what, const char *name);

/* The message that belongs to `code` if it is the running context's last failure, else NULL. */
const char *weft_error_message_of(int code);

/* Keeps the code of a failure in a thread for which no context can be made, until there is one. */
void weft_error_without_context(int code);

/* A new context's: what has been kept for the thread. */
void weft_failure_init(weft_failure *failure);
void weft_failure_clear(weft_failure *failure);

#endif
