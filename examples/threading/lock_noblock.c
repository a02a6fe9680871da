/* SPDX-License-Identifier: MIT */
/*
 * Tries to get a lock without waiting for it, as often as it takes, while another thread has it
 * half of the time.
 * The idea: threading_lock_noblock.py of PyMOTW-3.
 */
#include <weft.h>

#include "example.h"

static int hold_and_drop(void *arg)
{
    weft_lock *lock = arg;
    int r = 0;
    while (r == 0) {
        r = weft_lock_acquire(lock, WEFT_FOREVER);
        if (r < 0)
            break;
        log_line("DEBUG", "holds the lock");
        r = weft_sleep(0.5 * SECOND);
        weft_lock_release(lock);
        log_line("DEBUG", "has dropped the lock");
        if (r == 0)
            r = weft_sleep(0.5 * SECOND);
    }
    return r; /* -ECANCELED: a daemon, it runs until the program ends */
}

static int work(void *arg)
{
    weft_lock *lock = arg;
    int tries = 0, got = 0, r = 0;
    while (got < 3 && r == 0) {
        r = weft_sleep(0.5 * SECOND);
        tries++;
        if (r == 0 && weft_lock_acquire(lock, WEFT_NOWAIT) == 0) {
            got++;
            log_line("DEBUG", "try %d: got it", tries);
            r = weft_lock_release(lock);
        } else {
            log_line("DEBUG", "try %d: somebody has it", tries);
        }
    }
    log_line("DEBUG", "has got it %d times", got);
    return r;
}

int main(void)
{
    static weft_lock lock; /* not in main's frame: the daemon may outlive it */

    check(weft_thread_start(NULL, hold_and_drop, WEFT_POINTER(&lock),
                            &(weft_thread_options){.name = "holder", .daemon = true}));
    check(weft_thread_start(NULL, work, WEFT_POINTER(&lock),
                            &(weft_thread_options){.name = "worker"}));
    return weft_shutdown(WEFT_FOREVER);
}
