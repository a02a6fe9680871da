/* SPDX-License-Identifier: MIT */
/*
 * An alarm that a thread sets is handled by the main thread, in its join; the thread's own sleep
 * lasts its whole time.
 */
#include <signal.h>
#include <stdio.h>
#include <weft.h>

#include "example.h"

static weft_event rung;

static int ring(const weft_signal_info *info, void *arg)
{
    (void)arg;
    printf("%s: %s\n", weft_current_name(), weft_signal_name(info->signum));
    weft_event_set(&rung);
    return 0;
}

static int set_alarm(void *arg)
{
    double begun = weft_time();
    (void)arg;
    printf("%s: sets the alarm\n", weft_current_name());
    weft_signal_alarm(1);
    printf("%s: sleeps\n", weft_current_name());
    int r = weft_sleep(1.5);
    printf("%s: has slept its whole time: %s\n", weft_current_name(),
           weft_time() - begun >= 1.5 ? "yes" : "no");
    return r < 0 ? r : weft_event_wait(&rung, WEFT_FOREVER);
}

int main(void)
{
    weft_thread *thread;

    check(weft_signal_set(SIGALRM, ring, NULL));
    check(weft_thread_start(&thread, set_alarm, WEFT_NONE,
                            &(weft_thread_options){.name = "alarm_thread"}));
    printf("%s: waits for the thread\n", weft_current_name());
    check(weft_thread_join(thread, WEFT_FOREVER));
    printf("%s: exits\n", weft_current_name());
    weft_release(thread);
    return weft_shutdown(WEFT_FOREVER) < 0;
}
