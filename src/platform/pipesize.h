/* SPDX-License-Identifier: MIT */
/*
 * pipesize: how much a pipe holds.
 *
 * pipesize_fcntl.c: F_SETPIPE_SZ.  pipesize_fixed.c: it is as it is.
 */
#ifndef WEFT_PLATFORM_PIPESIZE_H
#define WEFT_PLATFORM_PIPESIZE_H

#include <stddef.h>

/* Asks for a capacity of `size` bytes; returns what it holds now. Errors: -ENOTSUP (cannot be set
 * here), -EPERM (more than the user may have), -EBUSY, -EBADF. */
int weft_pipesize_set(int fd, size_t size);

#endif
