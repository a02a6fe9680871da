/* SPDX-License-Identifier: MIT */
/*
 * Keeps no handles of its threads: asks for those that are alive, and joins them all but its own.
 * They are daemons, so without the joins the end of the program would cancel their naps.
 * The idea: threading_enumerate.py of PyMOTW-3.
 */
#include <stdlib.h>
#include <weft.h>

#include "example.h"

enum { NAPS = 3, ROOM = 10 };

static weft_event listed; /* main has its list: nobody may end before */

static int nap(void *arg)
{
    int seconds = *(int *)arg;
    log_line("DEBUG", "naps %d s", seconds);
    int r = weft_event_wait(&listed, WEFT_FOREVER);
    if (r == 0)
        r = weft_sleep(seconds * SECOND);
    if (r == 0)
        log_line("DEBUG", "wakes");
    return r;
}

int main(void)
{
    weft_thread *threads[ROOM];

    for (int i = 0; i < NAPS; i++)
        check(weft_thread_start(NULL, nap, WEFT_ARG((int){1 + rand() % 5}),
                                &(weft_thread_options){.daemon = true}));

    int count = check(weft_thread_enumerate(threads, ROOM)); /* there may be more than room */
    weft_event_set(&listed);
    for (int i = 0; i < count && i < ROOM; i++) {
        if (threads[i] == weft_thread_main())
            continue; /* it is this one, and nobody can join itself */
        log_line("DEBUG", "joins %s", weft_handle_name(threads[i]));
        check(weft_thread_join(threads[i], WEFT_FOREVER));
    }
    weft_release_many(threads, (size_t)(count < ROOM ? count : ROOM));
    return weft_shutdown(WEFT_FOREVER);
}
