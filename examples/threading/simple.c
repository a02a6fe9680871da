/* SPDX-License-Identifier: MIT */
/*
 * Starts five threads, and leaves them to the end of the program, which waits for all.
 * The idea: threading_simple.py of PyMOTW-3.
 */
#include <stdio.h>
#include <weft.h>

#include "example.h"

static int work(void *arg)
{
    (void)arg;
    puts("at work"); /* one call, so the lines stay whole */
    return 0;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* line by line, into a pipe too */
    for (int i = 0; i < 5; i++)
        check(weft_thread_start(NULL, work, WEFT_NONE, NULL));
    return weft_shutdown(WEFT_FOREVER);
}
