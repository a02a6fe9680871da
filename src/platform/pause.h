/* SPDX-License-Identifier: MIT */
/*
 * pause: tells the processor that this is a spin loop.
 */
#ifndef WEFT_PLATFORM_PAUSE_H
#define WEFT_PLATFORM_PAUSE_H

static inline void weft_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
