/* SPDX-License-Identifier: MIT */
/*
 * Gives each thread a number. The bytes of the argument are copied at the start, so a thread sees
 * its own number, whatever the loop has done with its variable since.
 * The idea: threading_simpleargs.py of PyMOTW-3.
 */
#include <stdio.h>
#include <weft.h>

#include "example.h"

static int work(void *arg)
{
    printf("at work on number %d\n", *(int *)arg);
    return 0;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < 5; i++)
        check(weft_thread_start(NULL, work, WEFT_ARG(i), NULL));
    return weft_shutdown(WEFT_FOREVER);
}
