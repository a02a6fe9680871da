/* SPDX-License-Identifier: MIT */
/*
 * Two timers: one calls its function, after main has come to its end, which waits for it; the other
 * is cancelled before its time, and calls nothing.
 * The idea: threading_timer.py of PyMOTW-3.
 */
#include <weft.h>

#include "example.h"

static int ring(void *arg)
{
    (void)arg;
    log_line("DEBUG", "rings");
    return 0;
}

int main(void)
{
    weft_timer *early, *late;

    log_line("DEBUG", "starts two timers");
    check(weft_timer_start(&early, 3 * SECOND, ring, WEFT_NONE,
                           &(weft_thread_options){.name = "early"}));
    check(weft_timer_start(&late, 600 * SECOND, ring, WEFT_NONE, NULL));
    check(weft_handle_set_name(late, "late")); /* a timer is a thread */

    check(weft_sleep(1 * SECOND));
    log_line("DEBUG", "cancels %s", weft_handle_name(late));
    check(weft_timer_cancel(late));
    log_line("DEBUG", "%s says %s", weft_handle_name(late),
             weft_error_name(weft_result(late, WEFT_NONE, WEFT_FOREVER)));
    weft_release(early);
    weft_release(late);
    log_line("DEBUG", "is done");
    return weft_shutdown(WEFT_FOREVER);
}
