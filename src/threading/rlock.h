/* SPDX-License-Identifier: MIT */
/*
 * rlock: what a condition needs of its rlock beside the public functions.
 */
#ifndef WEFT_THREADING_RLOCK_H
#define WEFT_THREADING_RLOCK_H

#include <weft/threading.h>

bool weft_rlock_is_own(const weft_rlock *rlock);

/* The caller has it: releases all its levels, and returns how many there were. */
uint32_t weft_rlock_save(weft_rlock *rlock);

/* Takes it back with as many; as weft_lock_acquire_firmly. 0 or 1. */
int weft_rlock_restore(weft_rlock *rlock, uint32_t levels);

#endif
