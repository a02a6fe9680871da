/* SPDX-License-Identifier: MIT */
/* parker_impl of parker_futex.c: the word is all there is. CMake puts platform/futex on the include
 * path where that is chosen. */
#ifndef WEFT_PLATFORM_PARKER_IMPL_H
#define WEFT_PLATFORM_PARKER_IMPL_H

typedef struct weft_parker_impl {
    unsigned char unused; /* C has no empty structs */
} weft_parker_impl;

#endif
