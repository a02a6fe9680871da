/* SPDX-License-Identifier: MIT */
/*
 * A barrier that waits for one thread more than there are would never open. Main breaks it, and all
 * who wait are told so.
 * The idea: threading_barrier_abort.py of PyMOTW-3.
 */
#include <stdio.h>
#include <weft.h>

#include "example.h"

enum { WORKERS = 3 };

static int work(void *arg)
{
    weft_barrier *barrier = arg;
    const char *name = weft_current_name();
    printf("%s waits\n", name);
    int r = weft_barrier_wait(barrier, WEFT_FOREVER);
    if (r == WEFT_EBROKEN_BARRIER)
        printf("%s gives up: %s\n", name, weft_strerror(r));
    else
        printf("%s goes on as number %d\n", name, r);
    return 0;
}

int main(void)
{
    static weft_barrier barrier = {.parties = WORKERS + 1};

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < WORKERS; i++) {
        char name[] = {'w', (char)('0' + i), '\0'};
        check(weft_thread_start(NULL, work, WEFT_POINTER(&barrier),
                                &(weft_thread_options){.name = name}));
    }
    check(weft_sleep(1 * SECOND));
    puts("main breaks the barrier");
    weft_barrier_abort(&barrier);
    return weft_shutdown(WEFT_FOREVER);
}
