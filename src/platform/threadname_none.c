/* SPDX-License-Identifier: MIT */
/*
 * threadname: POSIX has no call for it.
 */
#include "platform/threadname.h"

void weft_threadname_set(const char *name)
{
    (void)name;
}
