/* SPDX-License-Identifier: MIT */
/*
 * A local with a default: a function fills the copy of each thread when it is used first, and
 * another one ends it when the thread ends.
 * The idea: threading_local_defaults.py of PyMOTW-3.
 */
#include <stdlib.h>
#include <weft.h>

#include "example.h"

static int init(void *copy)
{
    log_line("DEBUG", "gets a copy");
    *(int *)copy = 1000;
    return 0;
}

static void destroy(void *copy)
{
    log_line("DEBUG", "gives up its copy of %d", *(int *)copy);
}

static weft_local value = {.size = sizeof(int), .init = init, .destroy = destroy};

static int work(void *arg)
{
    int *own = weft_local_get(&value);
    if (own == NULL)
        return -ENOMEM;
    log_line("DEBUG", "has the value %d", *own);
    *own = *(int *)arg;
    log_line("DEBUG", "has the value %d", *own);
    return 0;
}

int main(void)
{
    check(work(&(int){0}));
    for (int i = 0; i < 2; i++)
        check(weft_thread_start(NULL, work, WEFT_ARG((int){1 + rand() % 100}), NULL));
    return weft_shutdown(WEFT_FOREVER);
}
