/* SPDX-License-Identifier: MIT */
/*
 * Sends a signal to a child, and exits without waiting for it. (The child is signal_child.c; a byte
 * in a pipe tells that it is ready.)
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <weft.h>

#include "example.h"

int main(int argc, char **argv)
{
    char child[1024], number[16], byte;
    int ready[2];
    weft_popen *popen;

    (void)argc;
    beside(child, sizeof child, argv[0], "signal_child");
    setvbuf(stdout, NULL, _IOLBF, 0); /* it has the same stdout */
    if (pipe(ready) < 0)
        return 1;
    snprintf(number, sizeof number, "%d", ready[1]);
    const char *const command[] = {child, number, NULL};
    printf("parent: starts the child\n");
    check(weft_popen_start(&popen, command,
                           &(weft_popen_options){.pass_fds = &ready[1], .pass_fds_count = 1}));
    if (read(ready[0], &byte, 1) != 1)
        return 1;
    printf("parent: sends SIGUSR1\n");
    check(weft_popen_send_signal(popen, SIGUSR1));
    weft_release(popen); /* it runs on */
    return 0;
}
