/* SPDX-License-Identifier: MIT */
/*
 * Where Python derives a class from Thread and overrides run, C has a structure and a function that
 * runs it. This one has nothing of its own yet: subclass_args.c goes on from here.
 * The idea: threading_subclass.py of PyMOTW-3.
 */
#include <weft.h>

#include "example.h"

typedef struct worker {
    weft_thread *thread;
} worker;

static int run(void *arg)
{
    (void)arg;
    log_line("DEBUG", "runs");
    return 0;
}

static int start(worker *w)
{
    return weft_thread_start(&w->thread, run, WEFT_NONE, NULL);
}

int main(void)
{
    worker workers[5];

    for (int i = 0; i < 5; i++)
        check(start(&workers[i]));
    for (int i = 0; i < 5; i++) {
        check(weft_thread_join(workers[i].thread, WEFT_FOREVER));
        weft_release(workers[i].thread);
    }
    return weft_shutdown(WEFT_FOREVER);
}
