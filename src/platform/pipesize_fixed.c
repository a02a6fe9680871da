/* SPDX-License-Identifier: MIT */
/*
 * POSIX has no word about the size of a pipe.
 */
#include "platform/pipesize.h"

#include <errno.h>

int weft_pipesize_set(int fd, size_t size)
{
    (void)fd;
    (void)size;
    return -ENOTSUP;
}
