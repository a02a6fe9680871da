/* SPDX-License-Identifier: MIT */
/*
 * sharedpark: threads of several processes sleep on a 32-bit word in shared memory.
 *
 * As with a futex: change the word, then wake. A wait may end without cause. Callers wait in
 * bounded slices and look in between whether the process that should wake them still lives.
 *
 * sharedpark_futex.c: a (shared) futex on the word.  sharedpark_polling.c: looks at the word after
 * 50 µs, then twice as long each time, up to 5 ms; a wake is nothing. Never a process-shared
 * condition: glibc's hangs for good when a process is killed inside it.
 */
#ifndef WEFT_PLATFORM_SHAREDPARK_H
#define WEFT_PLATFORM_SHAREDPARK_H

#include <stdatomic.h>
#include <stdint.h>

#include "platform/clock.h"

/* Sleeps while *word == expected. 0: woken, changed or no cause. Errors: -ETIMEDOUT. */
int weft_sharedpark_wait(const _Atomic uint32_t *word, uint32_t expected, weft_instant deadline);

/* Wakes up to `count` sleepers, in any process. */
void weft_sharedpark_wake(const _Atomic uint32_t *word, uint32_t count);

#endif
