/* SPDX-License-Identifier: MIT */
/*
 * SIGINT is ignored; the handler of SIGUSR1 ends the pause, by a failure of its own, and with it
 * the program. Send it INT, as often as you like, then USR1.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <weft.h>

#include "example.h"

enum { E_LEAVING = WEFT_EUSER - 1 };

static int leave(const weft_signal_info *info, void *arg)
{
    (void)arg;
    return weft_error(E_LEAVING, "%s says it is time to leave", weft_signal_name(info->signum));
}

int main(void)
{
    int r;

    setvbuf(stdout, NULL, _IOLBF, 0);
    check(weft_signal_set(SIGINT, weft_signal_ignore, NULL));
    check(weft_signal_set(SIGUSR1, leave, NULL));
    printf("my pid is %d\n", (int)getpid());

    do
        r = weft_signal_pause(WEFT_FOREVER);
    while (r == 0);
    printf("%s\n", weft_error_message());
    check(weft_shutdown(WEFT_FOREVER));
    return r == E_LEAVING ? 1 : 2;
}
