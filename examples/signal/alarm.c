/* SPDX-License-Identifier: MIT */
/* An alarm in the middle of a sleep: its handler runs, and the sleep still lasts its whole time. */
#include <signal.h>
#include <stdio.h>
#include <weft.h>

#include "example.h"

static double begun;

static int ring(const weft_signal_info *info, void *arg)
{
    (void)info;
    (void)arg;
    printf("alarm:  after %.1f s\n", weft_time() - begun);
    return 0;
}

int main(void)
{
    begun = weft_time();
    check(weft_signal_set(SIGALRM, ring, NULL));
    check(weft_signal_alarm(1)); /* in whole seconds; weft_signal_setitimer has parts of them */
    printf("before: after %.1f s\n", weft_time() - begun);
    check(weft_sleep(1.5));
    printf("after:  after %.1f s, the whole sleep: %s\n", weft_time() - begun,
           weft_time() - begun >= 1.5 ? "yes" : "no");
    return weft_shutdown(WEFT_FOREVER) < 0;
}
