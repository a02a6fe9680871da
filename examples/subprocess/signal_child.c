/* SPDX-License-Identifier: MIT */
/*
 * Waits for USR1, and says whether it came; its sleep is not cut short by the handler. The number
 * of a descriptor may be given as an argument: a byte goes there when the handler is installed.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <weft.h>

#include "example.h"

static int receive(const weft_signal_info *info, void *arg)
{
    *(int *)arg = info->signum;
    printf("child: received %s\n", weft_signal_name(info->signum));
    return 0;
}

int main(int argc, char **argv)
{
    int received = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("child: installs its handler\n");
    check(weft_signal_set(SIGUSR1, receive, &received));
    printf("child: sleeps\n");
    if (argc > 1 && write(atoi(argv[1]), "", 1) < 0)
        return 1;
    check(weft_sleep(20 * SECOND)); /* time enough for a parent on a machine with much to do */
    if (received == 0)
        printf("child: never received a signal\n");
    return weft_shutdown(WEFT_FOREVER) < 0;
}
