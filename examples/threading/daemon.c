/* SPDX-License-Identifier: MIT */
/*
 * The end of the program waits for a thread, but not for a daemon thread: that one is cancelled
 * where it waits, and what it would have written last never appears.
 * The idea: threading_daemon.py of PyMOTW-3.
 */
#include <weft.h>

#include "example.h"

static weft_event asleep; /* the daemon has come to its sleep */

static int sleeper(void *arg)
{
    (void)arg;
    log_line("DEBUG", "begins");
    weft_event_set(&asleep);
    int r = weft_sleep(600 * SECOND);
    if (r == 0)
        log_line("DEBUG", "ends");
    return r; /* -ECANCELED, from the shutdown */
}

static int worker(void *arg)
{
    (void)arg;
    log_line("DEBUG", "begins");
    int r = weft_event_wait(&asleep, WEFT_FOREVER);
    if (r == 0)
        log_line("DEBUG", "ends");
    return r;
}

int main(void)
{
    check(weft_thread_start(NULL, sleeper, WEFT_NONE,
                            &(weft_thread_options){.name = "daemon", .daemon = true}));
    check(weft_thread_start(NULL, worker, WEFT_NONE, &(weft_thread_options){.name = "worker"}));
    return weft_shutdown(WEFT_FOREVER);
}
