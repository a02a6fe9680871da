/* SPDX-License-Identifier: MIT */
/*
 * An rlock is re-entrant: who holds it gets it again, and it is free when it has been released as
 * often. Another thread does not get it meanwhile.
 * The idea: threading_rlock.py of PyMOTW-3.
 */
#include <stdio.h>
#include <weft.h>

#include "example.h"

static int another(void *arg)
{
    return weft_rlock_acquire(arg, WEFT_NOWAIT);
}

int main(void)
{
    weft_rlock rlock = {0};
    weft_thread *thread;

    printf("first try : %s\n", weft_error_name(weft_rlock_acquire(&rlock, WEFT_FOREVER)));
    printf("second try: %s\n", weft_error_name(weft_rlock_acquire(&rlock, WEFT_NOWAIT)));
    check(weft_thread_start(&thread, another, WEFT_POINTER(&rlock), NULL));
    printf("another   : %s\n", weft_error_name(weft_result(thread, WEFT_NONE, WEFT_FOREVER)));
    weft_release(thread);
    check(weft_rlock_release(&rlock));
    check(weft_rlock_release(&rlock));
    return weft_shutdown(WEFT_FOREVER);
}
