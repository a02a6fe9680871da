/* SPDX-License-Identifier: MIT */
/*
 * lock: what a condition needs of its lock beside the public functions.
 */
#ifndef WEFT_THREADING_LOCK_H
#define WEFT_THREADING_LOCK_H

#include <weft/threading.h>

/* As weft_lock_acquire without limit, scopes and cancel: it cannot fail. 0 or 1. For a context that
 * has waited before. */
int weft_lock_acquire_firmly(weft_lock *lock);

#endif
