/* SPDX-License-Identifier: MIT */
/*
 * A join with a limit gives up when the time is over; the thread does not notice, and lives on.
 * The idea: threading_daemon_join_timeout.py of PyMOTW-3.
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
    weft_thread *daemon, *other;

    check(weft_thread_start(&daemon, sleeper, WEFT_NONE,
                            &(weft_thread_options){.name = "daemon", .daemon = true}));
    check(weft_thread_start(&other, worker, WEFT_NONE, &(weft_thread_options){.name = "worker"}));
    int r = weft_thread_join(daemon, 1 * SECOND);
    log_line("DEBUG", "join of the daemon: %s, it is %s", weft_error_name(r),
             weft_thread_is_alive(daemon) ? "alive" : "gone");
    check(weft_thread_join(other, WEFT_FOREVER));
    log_line("DEBUG", "the worker is %s", weft_thread_is_alive(other) ? "alive" : "gone");
    weft_release(daemon);
    weft_release(other);
    return weft_shutdown(WEFT_FOREVER);
}
