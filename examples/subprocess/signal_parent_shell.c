/* SPDX-License-Identifier: MIT */
/*
 * A signal to a shell is for the shell alone: it dies of it, and the program that it runs never
 * hears of it.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <weft.h>

#include "example.h"

/* Two commands: a shell may replace itself by the last. */
static const char script[] = "echo 'shell: runs the program'\n"
                             "\"$0\" \"$1\"\n"
                             "echo 'shell: is over'\n";

int main(int argc, char **argv)
{
    char child[1024], number[16], byte;
    int ready[2], returncode;
    weft_popen *popen;

    (void)argc;
    beside(child, sizeof child, argv[0], "signal_child");
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (pipe(ready) < 0)
        return 1;
    snprintf(number, sizeof number, "%d", ready[1]);
    const char *const command[] = {"sh", "-c", script, child, number, NULL};
    check(weft_popen_start(&popen, command,
                           &(weft_popen_options){.pass_fds = &ready[1], .pass_fds_count = 1}));
    if (read(ready[0], &byte, 1) != 1) /* the child is ready */
        return 1;
    printf("parent: sends SIGUSR1 to process %d, the shell\n", (int)weft_popen_pid(popen));
    check(weft_popen_send_signal(popen, SIGUSR1));
    check(weft_popen_wait(popen, &returncode, WEFT_FOREVER));
    printf("parent: it has died of %s\n", weft_signal_name(-returncode));
    weft_release(popen);
    return 0;
}
