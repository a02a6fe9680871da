/* SPDX-License-Identifier: MIT */
/*
 * A daemon thread that is joined comes to its end, as any other: its last line appears.
 * The idea: threading_daemon_join.py of PyMOTW-3.
 */
#include <weft.h>

#include "example.h"

static int sleeper(void *arg)
{
    (void)arg;
    log_line("DEBUG", "begins");
    int r = weft_sleep(2 * SECOND);
    if (r == 0)
        log_line("DEBUG", "ends");
    return r;
}

static int worker(void *arg)
{
    (void)arg;
    log_line("DEBUG", "begins");
    log_line("DEBUG", "ends");
    return 0;
}

int main(void)
{
    weft_thread *daemon, *other;

    check(weft_thread_start(&daemon, sleeper, WEFT_NONE,
                            &(weft_thread_options){.name = "daemon", .daemon = true}));
    check(weft_thread_start(&other, worker, WEFT_NONE, &(weft_thread_options){.name = "worker"}));
    check(weft_thread_join(daemon, WEFT_FOREVER));
    check(weft_thread_join(other, WEFT_FOREVER));
    log_line("DEBUG", "has joined both");
    weft_release(daemon);
    weft_release(other);
    return weft_shutdown(WEFT_FOREVER);
}
