/* SPDX-License-Identifier: MIT */
/*
 * A futex that is not private: the kernel names the word by its page, so it is one word wherever
 * processes map it. Deadlines are absolute, on the monotonic clock, which FUTEX_WAIT_BITSET takes.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "platform/sharedpark.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

/* With 64-bit seconds also where libc's time_t has 32. */
#ifdef SYS_futex_time64
#define FUTEX_CALL SYS_futex_time64
typedef struct futex_time {
    int64_t seconds, nanoseconds;
} futex_time;
#else
#define FUTEX_CALL SYS_futex
typedef struct futex_time {
    long seconds, nanoseconds;
} futex_time;
#endif

int weft_sharedpark_wait(const _Atomic uint32_t *word, uint32_t expected, weft_instant deadline)
{
    /* Acquire: who sees the change goes on to read what was written before it. */
    if (atomic_load_explicit(word, memory_order_acquire) != expected)
        return 0;
    if (deadline != WEFT_INSTANT_NEVER && deadline <= weft_instant_now())
        return -ETIMEDOUT;

    futex_time until = {0};
    if (deadline != WEFT_INSTANT_NEVER) {
        until.seconds = deadline / 1000000000;
        until.nanoseconds = deadline % 1000000000;
    }
    long r = syscall(FUTEX_CALL, word, FUTEX_WAIT_BITSET, expected,
                     deadline == WEFT_INSTANT_NEVER ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
    if (r < 0 && errno == ETIMEDOUT)
        return -ETIMEDOUT;
    return 0; /* woken, EAGAIN: changed, EINTR: no cause */
}

void weft_sharedpark_wake(const _Atomic uint32_t *word, uint32_t count)
{
    (void)syscall(FUTEX_CALL, word, FUTEX_WAKE, count > INT_MAX ? INT_MAX : (int)count, NULL, NULL,
                  0);
}
