/* SPDX-License-Identifier: MIT */
/*
 * threadname: pthread_setname_np, which takes at most 15 bytes on Linux.
 */
#define _GNU_SOURCE
#include "platform/threadname.h"

#include <pthread.h>
#include <string.h>

void weft_threadname_set(const char *name)
{
    char shown[16];
    size_t length = strlen(name);
    if (length > sizeof(shown) - 1) {
        length = sizeof(shown) - 1;
        while (length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80)
            length--; /* not within a UTF-8 character */
    }
    memcpy(shown, name, length);
    shown[length] = '\0';
    (void)pthread_setname_np(pthread_self(), shown);
}
