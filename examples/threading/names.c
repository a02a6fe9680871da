/* SPDX-License-Identifier: MIT */
/*
 * A thread has a name: the one it was given, or one that is made for it. Whoever runs in it can ask
 * for it.
 * The idea: threading_names.py of PyMOTW-3.
 */
#include <stdio.h>
#include <weft.h>

#include "example.h"

static int work(void *arg)
{
    const char *name = weft_handle_name(weft_thread_current());
    printf("%s begins\n", name);
    int r = weft_sleep(*(int *)arg * SECOND);
    if (r == 0)
        printf("%s ends\n", name);
    return r;
}

static void start(int seconds, const char *name)
{
    check(weft_thread_start(NULL, work, WEFT_ARG(seconds), &(weft_thread_options){.name = name}));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    start(3, "service");
    start(2, "worker");
    start(2, NULL); /* Thread-1 */
    return weft_shutdown(WEFT_FOREVER);
}
