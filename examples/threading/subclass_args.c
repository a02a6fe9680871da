/* SPDX-License-Identifier: MIT */
/*
 * A kind of thread with fields of its own: they are the argument, of which each thread has its
 * copy. The idea: threading_subclass_args.py of PyMOTW-3.
 */
#include <weft.h>

#include "example.h"

/* Fields that are not named at the start are zero: their defaults. */
typedef struct worker {
    int number;
    const char *color; /* a literal, or what else outlives the thread */
    int times;
} worker;

static int run(void *arg)
{
    const worker *w = arg;
    log_line("DEBUG", "runs with {number: %d, color: '%s', times: %d}", w->number, w->color,
             w->times);
    return 0;
}

static int start(const worker *w)
{
    return weft_thread_start(NULL, run, WEFT_ARG(*w), NULL);
}

int main(void)
{
    for (int i = 0; i < 5; i++)
        check(start(&(worker){.number = i, .color = i % 2 == 0 ? "blue" : "green"}));
    return weft_shutdown(WEFT_FOREVER);
}
