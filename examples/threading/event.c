/* SPDX-License-Identifier: MIT */
/*
 * Two threads wait for one event: one for ever, the other a little at a time, with work in between.
 * The result of the wait tells time up from the event.
 * The idea: threading_event.py of PyMOTW-3.
 */
#include <weft.h>

#include "example.h"

static int wait_for_ever(void *arg)
{
    weft_event *event = arg;
    log_line("DEBUG", "waits for the event");
    int r = weft_event_wait(event, WEFT_FOREVER);
    log_line("DEBUG", "the wait says %s", weft_error_name(r));
    return r;
}

static int wait_a_little(void *arg)
{
    weft_event *event = arg;
    int r;

    log_line("DEBUG", "looks for the event now and then");
    while ((r = weft_event_wait(event, 1 * SECOND)) == -ETIMEDOUT)
        log_line("DEBUG", "the wait says %s, so there is time for other work", weft_error_name(r));
    log_line("DEBUG", "the wait says %s", weft_error_name(r));
    return r;
}

int main(void)
{
    static weft_event event;

    check(weft_thread_start(NULL, wait_for_ever, WEFT_POINTER(&event),
                            &(weft_thread_options){.name = "block"}));
    check(weft_thread_start(NULL, wait_a_little, WEFT_POINTER(&event),
                            &(weft_thread_options){.name = "nonblock"}));
    log_line("DEBUG", "lets them wait, the event is %s",
             weft_event_is_set(&event) ? "set" : "not set");
    check(weft_sleep(3 * SECOND));
    log_line("DEBUG", "sets the event");
    weft_event_set(&event);
    return weft_shutdown(WEFT_FOREVER);
}
