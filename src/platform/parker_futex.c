/* SPDX-License-Identifier: MIT */
/*
 * The parker as a futex (Franke, Russell, Kirkwood: "Fuss, Futexes and Furwocks", 2002).
 *
 * The kernel compares the word and queues the sleeper under one lock, which a wake takes too: a
 * change before the comparison makes the wait return at once, a change after it is followed by a
 * wake that finds the sleeper. Waking is one system call that touches nothing but the word's
 * address, so it serves signal handlers as it is.
 *
 * FUTEX_WAIT_BITSET takes the deadline as it is, absolute on the monotonic clock, so that an
 * interrupted wait needs no arithmetic. The numbers are the kernel's ABI, written out because not
 * every C library comes with the kernel's headers.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "platform/parker.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PRIVATE_WAIT_BITSET (9 | 128)
#define PRIVATE_WAKE        (1 | 128)
#define MATCH_ANY           0xffffffffU

/* The old call's time is two machine words. They hold the clock, which counts from the start of the
 * machine, for 68 years. Where the old call never was, the new one's is 64 bits wide. */
#if defined(SYS_futex)
#define FUTEX SYS_futex
typedef long kernel_word;
#define KERNEL_WORD_MAX LONG_MAX
#else
#define FUTEX           SYS_futex_time64
typedef int64_t kernel_word;
#define KERNEL_WORD_MAX INT64_MAX
#endif

typedef struct kernel_time {
    kernel_word seconds;
    kernel_word nanoseconds;
} kernel_time;

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_THREAD_SANITIZER true
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define UNDER_THREAD_SANITIZER true
#endif
#ifndef UNDER_THREAD_SANITIZER
#define UNDER_THREAD_SANITIZER false
#endif

_Static_assert(offsetof(weft_parker, word) == 0, "the futex is the first word");
_Static_assert(sizeof(_Atomic uint32_t) == 4, "a futex is 32 bits");

int weft_parker_init(weft_parker *parker)
{
    *parker = (weft_parker){0};
    return 0;
}

void weft_parker_destroy(weft_parker *parker)
{
    (void)parker;
}

void weft_parker_renew(weft_parker *parker)
{
    (void)weft_parker_init(parker);
}

/* ThreadSanitizer runs handlers only inside calls that it knows, and this system call is none: one
 * that it holds back would sleep as long as the wait. So waits are cut there; looking at the clock
 * is a call that it knows. */
static weft_instant cut(weft_instant deadline)
{
    if (!UNDER_THREAD_SANITIZER)
        return deadline;
    weft_instant soon = weft_instant_now() + 10 * INT64_C(1000000);
    return deadline < soon ? deadline : soon;
}

/* NULL for never. */
static const kernel_time *kernel_deadline(weft_instant deadline, kernel_time *storage)
{
    if (deadline == WEFT_INSTANT_NEVER)
        return NULL;
    int64_t seconds = deadline / 1000000000;
    storage->seconds = seconds < KERNEL_WORD_MAX ? (kernel_word)seconds : KERNEL_WORD_MAX;
    storage->nanoseconds = (kernel_word)(deadline % 1000000000);
    return storage;
}

int weft_parker_wait(weft_parker *parker, uint32_t expected, weft_instant deadline)
{
    /* Acquire: what the waker wrote before it changed the word is seen by who returns on the
     * change. */
    if (atomic_load_explicit(&parker->word, memory_order_acquire) != expected)
        return 0;
    if (deadline <= WEFT_INSTANT_NOW)
        return -ETIMEDOUT;

    kernel_time storage;
    weft_instant end = cut(deadline);
    const kernel_time *until = kernel_deadline(end, &storage);
    long r = syscall(FUTEX, &parker->word, PRIVATE_WAIT_BITSET, expected, until, NULL, MATCH_ANY);
    /* EAGAIN: changed already; EINTR: the caller looks again. */
    if (r == 0 || errno != ETIMEDOUT || end != deadline)
        return 0;
    return atomic_load_explicit(&parker->word, memory_order_acquire) == expected ? -ETIMEDOUT : 0;
}

void weft_parker_wake(weft_parker *parker)
{
    weft_parker_wake_from_signal(parker);
}

int weft_parker_allow_signals(weft_parker *parker)
{
    (void)parker;
    return 0;
}

void weft_parker_wake_from_signal(weft_parker *parker)
{
    int saved = errno; /* the call fails only for an address that is gone: a late wake */
    (void)syscall(FUTEX, &parker->word, PRIVATE_WAKE, 1);
    errno = saved;
}
