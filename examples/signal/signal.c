/* SPDX-License-Identifier: MIT */
/*
 * Handlers that say which signal has come. They run inside the sleep, which then goes on with the
 * time that is left; SIGINT ends it instead. Send it USR1, USR2 and INT.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <weft.h>

#include "example.h"

static int receive(const weft_signal_info *info, void *arg)
{
    (void)arg;
    printf("received %s: %s\n", weft_signal_name(info->signum),
           weft_signal_strsignal(info->signum));
    return 0; /* a negative code would end the sleep, as SIGINT's does */
}

int main(void)
{
    int r;

    setvbuf(stdout, NULL, _IOLBF, 0); /* somebody watches, to know when to send the next */
    check(weft_signal_set(SIGUSR1, receive, NULL));
    check(weft_signal_set(SIGUSR2, receive, NULL));
    check(weft_signal_set(SIGINT, weft_signal_interrupt, NULL));
    printf("my pid is %d\n", (int)getpid());

    do
        r = weft_sleep(600 * SECOND);
    while (r == 0);
    printf("the sleep has ended: %s\n", weft_error_message());

    /* The end that a shell expects of a program that was interrupted. */
    check(weft_shutdown(WEFT_FOREVER));
    check(weft_signal_set(SIGINT, weft_signal_default, NULL));
    return weft_signal_raise(SIGINT) < 0;
}
