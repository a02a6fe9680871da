/* SPDX-License-Identifier: MIT */
/*
 * The contended path of the internal lock. A waiter looks ever more rarely: each look takes the
 * line from whoever works under the lock, and two that take turns at every operation pay for the
 * line's way each time, where one that does many in a row has it at hand. The sections are a few
 * instructions long, so a holder that does not leave within some looks has been preempted: give the
 * processor away, and after many tries sleep, so that a waiter of higher real-time priority cannot
 * keep the holder from running.
 */
#include "core/ilock.h"

#include <sched.h>
#include <time.h>

#include "platform/pause.h"

enum { LOOKS = 10, LONGEST = 64, YIELDS = 256 };

void weft_ilock_acquire_slow(weft_ilock *lock)
{
    unsigned pauses = 1;
    for (unsigned tries = 0;; tries++) {
        /* relaxed look first: a failing compare-and-swap would take the line from the holder */
        if (atomic_load_explicit(&lock->held, memory_order_relaxed) == 0 && weft_ilock_try(lock))
            return;
        if (tries < LOOKS) {
            for (unsigned i = 0; i < pauses; i++)
                weft_pause();
            pauses = pauses < LONGEST ? 2 * pauses : pauses;
        } else if (tries < LOOKS + YIELDS) {
            sched_yield();
        } else {
            nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
        }
    }
}
