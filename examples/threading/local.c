/* SPDX-License-Identifier: MIT */
/*
 * A local is one variable of which each thread has its own copy, or none yet: what one sets, no
 * other one sees.
 * The idea: threading_local.py of PyMOTW-3.
 */
#include <stdlib.h>
#include <weft.h>

#include "example.h"

static weft_local value = {.size = sizeof(int)};

static void show(void)
{
    const int *own = weft_local_find(&value);
    if (own == NULL)
        log_line("DEBUG", "has no value yet");
    else
        log_line("DEBUG", "has the value %d", *own);
}

static int set(int number)
{
    int *own = weft_local_get(&value); /* made now, unless there is one */
    if (own == NULL)
        return -ENOMEM;
    *own = number;
    return 0;
}

static int work(void *arg)
{
    show();
    int r = set(*(int *)arg);
    if (r == 0)
        show();
    return r;
}

int main(void)
{
    show();
    check(set(1000));
    show();
    for (int i = 0; i < 2; i++)
        check(weft_thread_start(NULL, work, WEFT_ARG((int){1 + rand() % 100}), NULL));
    return weft_shutdown(WEFT_FOREVER);
}
