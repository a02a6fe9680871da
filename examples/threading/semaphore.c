/* SPDX-License-Identifier: MIT */
/*
 * A semaphore lets two of four threads in at once; a list under a lock tells who is inside.
 * The idea: threading_semaphore.py of PyMOTW-3.
 */
#include <stdio.h>
#include <weft.h>

#include "example.h"

enum { VISITORS = 4, PLACES = 2 };

typedef struct club {
    weft_semaphore places;
    weft_lock lock;
    bool inside[VISITORS]; /* under the lock */
} club;

typedef struct visitor {
    club *club;
    int number;
} visitor;

/* Notes that the visitor is inside, or not, and tells who is. */
static int note(const visitor *v, bool inside)
{
    char names[64] = "";
    size_t end = 0;
    int r = weft_lock_acquire(&v->club->lock, WEFT_FOREVER);
    if (r < 0)
        return r;
    v->club->inside[v->number] = inside;
    for (int i = 0; i < VISITORS; i++)
        if (v->club->inside[i])
            end += (size_t)snprintf(names + end, sizeof names - end, end > 0 ? ", %d" : "%d", i);
    log_line(NULL, "inside: [%s]", names);
    return weft_lock_release(&v->club->lock);
}

static int visit(void *arg)
{
    const visitor *v = arg;
    log_line(NULL, "waits for a place");
    int r = weft_semaphore_acquire(&v->club->places, WEFT_FOREVER);
    if (r < 0)
        return r;
    if ((r = note(v, true)) == 0 && (r = weft_sleep(1 * SECOND)) == 0)
        r = note(v, false);
    weft_semaphore_release(&v->club->places, 1);
    return r;
}

int main(void)
{
    static club two_at_once = {.places = {.value = PLACES}};

    for (int i = 0; i < VISITORS; i++) {
        char name[] = {(char)('0' + i), '\0'};
        check(weft_thread_start(NULL, visit, WEFT_ARG((visitor){&two_at_once, i}),
                                &(weft_thread_options){.name = name}));
    }
    return weft_shutdown(WEFT_FOREVER);
}
