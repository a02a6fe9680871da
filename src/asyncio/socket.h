/* SPDX-License-Identifier: MIT */
/*
 * socket: what connecting and serving share.
 */
#ifndef WEFT_ASYNCIO_SOCKET_H
#define WEFT_ASYNCIO_SOCKET_H

/* A stream socket, close-on-exec and non-blocking. Errors: those of socket(2). */
int weft_socket_open(int family);

void weft_socket_no_delay(int fd);

#endif
