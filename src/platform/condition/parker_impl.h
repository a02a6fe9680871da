/* SPDX-License-Identifier: MIT */
/* parker_impl of parker_condition.c. CMake puts platform/condition on the include path where that
 * is chosen. */
#ifndef WEFT_PLATFORM_PARKER_IMPL_H
#define WEFT_PLATFORM_PARKER_IMPL_H

#include <pthread.h>
#include <stdbool.h>

#include "platform/wakeup.h"

typedef struct weft_parker_impl {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* the owner waits on it, while polls is false */
    bool polls;             /* the owner sleeps in poll on wakeup; set once, under lock */
    weft_wakeup wakeup;     /* never changes once polls is true, so handlers read it unlocked */
} weft_parker_impl;

#endif
