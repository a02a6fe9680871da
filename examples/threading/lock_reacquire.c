/* SPDX-License-Identifier: MIT */
/*
 * A lock is not re-entrant: who holds it does not get it a second time. A wait without limit would
 * never end here, so the second try does not wait.
 * The idea: threading_lock_reacquire.py of PyMOTW-3.
 */
#include <stdio.h>
#include <weft.h>

#include "example.h"

int main(void)
{
    weft_lock lock = {0};

    printf("first try : %s\n", weft_error_name(weft_lock_acquire(&lock, WEFT_FOREVER)));
    printf("second try: %s\n", weft_error_name(weft_lock_acquire(&lock, WEFT_NOWAIT)));
    check(weft_lock_release(&lock));
    return weft_shutdown(WEFT_FOREVER);
}
