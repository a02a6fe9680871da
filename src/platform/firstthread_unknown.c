/* SPDX-License-Identifier: MIT */
/*
 * POSIX has no way to tell: the first thread that asks for the role gets it (core/interrupt.c).
 */
#include "platform/firstthread.h"

int weft_first_thread(void)
{
    return -1;
}
