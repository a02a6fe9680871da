/* SPDX-License-Identifier: MIT */
/*
 * Looks at the word from time to time. A sleeper holds nothing and is known to nobody, so a process
 * may be killed anywhere in here and no other is harmed; a process-shared condition of glibc would
 * hang the survivors. The price is up to 5 ms of delay after a long wait.
 */
#include "platform/sharedpark.h"

#include <errno.h>
#include <time.h>

#define SHORTEST 50000 /* nanoseconds */
#define LONGEST  5000000

int weft_sharedpark_wait(const _Atomic uint32_t *word, uint32_t expected, weft_instant deadline)
{
    weft_instant pause = SHORTEST;

    /* Acquire: who sees the change goes on to read what was written before it. */
    while (atomic_load_explicit(word, memory_order_acquire) == expected) {
        weft_instant length = pause;
        if (deadline != WEFT_INSTANT_NEVER) {
            weft_instant now = weft_instant_now();
            if (now >= deadline)
                return -ETIMEDOUT;
            if (deadline - now < length)
                length = deadline - now;
        }
        struct timespec sleep = {.tv_nsec = (long)length};
        if (nanosleep(&sleep, NULL) < 0)
            return 0; /* EINTR: no cause */
        pause = pause * 2 > LONGEST ? LONGEST : pause * 2;
    }
    return 0;
}

void weft_sharedpark_wake(const _Atomic uint32_t *word, uint32_t count)
{
    (void)word;
    (void)count;
}
