/* SPDX-License-Identifier: MIT */
/*
 * lines: the lines of a descriptor that is shared with others, such as stdin.
 *
 * Such a descriptor must stay blocking, so it is not for a weft_stream; waiting for it is weft's
 * nevertheless: signal handlers run meanwhile, and something else can end the wait.
 */
#ifndef EXAMPLES_LINES_H
#define EXAMPLES_LINES_H

#include <stddef.h>
#include <weft.h>

/* Begin with {.fd = 0}; room grows with the longest line. */
typedef struct lines {
    int fd;
    weft_source *source;
    char *data; /* [start, end) has been read and not been told */
    size_t start, end, room;
    int ended;
} lines;

/* *line becomes the next line, without its newline, valid until the next call. Returns 1; 0 at the
 * end, or as soon as `stop` (a handle, or NULL) is ready; or a negative code. */
int lines_next(lines *all, void *stop, char **line);

void lines_clear(lines *all);

#endif
