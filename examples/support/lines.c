/* SPDX-License-Identifier: MIT */
#include "lines.h"

#include <stdlib.h>
#include <unistd.h>

enum { BLOCK = 65536 };

/* Room for a block and a NUL. */
static int make_room(lines *all)
{
    if (all->start > 0)
        memmove(all->data, all->data + all->start, all->end - all->start);
    all->end -= all->start;
    all->start = 0;
    if (all->room - all->end > BLOCK)
        return 0;
    size_t room = 2 * all->room + 2 * BLOCK;
    char *grown = realloc(all->data, room);
    if (grown == NULL)
        return weft_error(-ENOMEM, "no memory for a line of %zu bytes", all->end);
    all->data = grown;
    all->room = room;
    return 0;
}

/* Waits, then reads what is there. 1; 0: `stop`. */
static int read_more(lines *all, void *stop)
{
    int r = all->source != NULL ? 0 : weft_source_from_fd(&all->source, all->fd, WEFT_READABLE);
    if (r == 0)
        r = make_room(all);
    if (r < 0)
        return r;
    void *handles[] = {stop, all->source};
    if ((r = weft_wait_any(handles, 2, WEFT_FOREVER)) != 1)
        return r;
    ssize_t n = read(all->fd, all->data + all->end, BLOCK);
    if (n < 0 && errno != EINTR && errno != EAGAIN)
        return weft_error(-errno, "read the items: %s", weft_strerror(-errno));
    all->ended = n == 0;
    all->end += n > 0 ? (size_t)n : 0;
    return 1;
}

int lines_next(lines *all, void *stop, char **line)
{
    for (size_t seen = 0;;) {
        size_t size = all->end - all->start;
        char *begin = all->data != NULL ? all->data + all->start : NULL;
        char *newline = size > seen ? memchr(begin + seen, '\n', size - seen) : NULL;
        if (newline != NULL || (all->ended && size > 0)) {
            *line = begin;
            *(newline != NULL ? newline : begin + size) = '\0';
            all->start += newline != NULL ? (size_t)(newline - begin) + 1 : size;
            return 1;
        }
        seen = size;
        int r = all->ended ? 0 : read_more(all, stop);
        if (r <= 0)
            return r;
    }
}

void lines_clear(lines *all)
{
    weft_release(all->source);
    free(all->data);
    *all = (lines){0};
}
