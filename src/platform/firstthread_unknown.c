/* SPDX-License-Identifier: MIT */
/*
 * POSIX has no way to tell: the first thread that asks for the role gets it (core/interrupt.c).
 */
#include "platform/firstthread.h"

int weft_first_thread(void)
{
    return -1;
}

int64_t weft_native_thread_id(void)
{
    return 0;
}

int64_t weft_native_main_id(void)
{
    return 0;
}
