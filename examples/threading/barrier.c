/* SPDX-License-Identifier: MIT */
/*
 * Three threads meet at a barrier: all go on when the last one has come, and each learns a number
 * that no other one has.
 * The idea: threading_barrier.py of PyMOTW-3.
 */
#include <stdio.h>
#include <weft.h>

#include "example.h"

enum { WORKERS = 3 };

static int work(void *arg)
{
    weft_barrier *barrier = arg;
    const char *name = weft_current_name();
    printf("%s comes\n", name);
    printf("%s finds %zu waiting\n", name, weft_barrier_n_waiting(barrier));
    int r = weft_barrier_wait(barrier, WEFT_FOREVER);
    if (r >= 0)
        printf("%s goes on as number %d\n", name, r);
    return r;
}

int main(void)
{
    static weft_barrier barrier = {.parties = WORKERS};

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < WORKERS; i++) {
        char name[] = {'w', (char)('0' + i), '\0'};
        check(weft_thread_start(NULL, work, WEFT_POINTER(&barrier),
                                &(weft_thread_options){.name = name}));
        check(weft_sleep(1 * SECOND));
    }
    return weft_shutdown(WEFT_FOREVER);
}
