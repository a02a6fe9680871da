/* SPDX-License-Identifier: MIT */
/*
 * The contended path of the internal lock. Its sections are a few instructions long, so a holder
 * that does not leave within some spins has been preempted: give the processor away, and after many
 * tries sleep, so that a waiter of higher real-time priority cannot keep the holder from running.
 */
#include "core/ilock.h"

#include <sched.h>
#include <time.h>

#include "platform/pause.h"

enum { SPINS = 64, YIELDS = 256 };

void weft_ilock_acquire_slow(weft_ilock *lock)
{
    for (unsigned tries = 0;; tries++) {
        /* relaxed look first: a failing compare-and-swap would take the line from the holder */
        if (atomic_load_explicit(&lock->held, memory_order_relaxed) == 0 && weft_ilock_try(lock))
            return;
        if (tries < SPINS) {
            weft_pause();
        } else if (tries < SPINS + YIELDS) {
            sched_yield();
        } else {
            nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
        }
    }
}
