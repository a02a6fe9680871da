/* SPDX-License-Identifier: MIT */
/*
 * POSIX has no descriptor for a pending signal.
 */
#include "platform/signalwait.h"

#include <errno.h>

int weft_signalwait_open(const sigset_t *set)
{
    (void)set;
    return -ENOTSUP;
}
