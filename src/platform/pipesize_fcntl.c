/* SPDX-License-Identifier: MIT */
/*
 * A wide pipe saves switches between the two processes: 1 MiB against 64 KiB is a factor of several
 * in what can be captured per second. What a user may have in all pipes together is limited
 * (pipe-user-pages-soft), so callers widen only pipes that they have found full.
 */
#define _GNU_SOURCE

#include "platform/pipesize.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>

int weft_pipesize_set(int fd, size_t size)
{
    int r = fcntl(fd, F_SETPIPE_SZ, size > INT_MAX ? INT_MAX : (int)size);
    return r < 0 ? -errno : r;
}
