/* SPDX-License-Identifier: MIT */
/*
 * nosigpipe: a write to a pipe that nobody reads any more is -EPIPE, and no signal.
 *
 * Sockets have MSG_NOSIGNAL; pipes have nothing of the kind, and the host's disposition and mask
 * are not the library's to change. So SIGPIPE is blocked in the calling thread around the write,
 * and the one that the write has raised (it is directed to this very thread) is taken off again.
 * One that was pending before stays.
 */
#ifndef WEFT_PLATFORM_NOSIGPIPE_H
#define WEFT_PLATFORM_NOSIGPIPE_H

#include <stddef.h>
#include <sys/types.h>

/* write(2) without SIGPIPE and -EINTR: the bytes written, or a negative errno. */
ssize_t weft_nosigpipe_write(int fd, const void *data, size_t size);

#endif
