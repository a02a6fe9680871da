/* SPDX-License-Identifier: MIT */
/*
 * address: host and port, or the path of a UNIX socket, as a socket address. Nothing is looked up.
 */
#ifndef WEFT_ASYNCIO_ADDRESS_H
#define WEFT_ASYNCIO_ADDRESS_H

#include <sys/socket.h>

typedef struct weft_socket_address {
    struct sockaddr_storage storage;
    socklen_t size;
} weft_socket_address;

/* host NULL: any address. `what` begins the message. Errors: -EINVAL, -ENOTSUP, -ENAMETOOLONG. */
int weft_socket_address_set(weft_socket_address *address, const char *host, int port,
                            const char *what);

/* The port of an address; -EINVAL where it has none. */
int weft_socket_address_port(const weft_socket_address *address);

/* The path of a host "unix:/path"; NULL: it is none. */
const char *weft_socket_path(const char *host);

/* Records that `what` ("connect to") failed on this address; returns the code. */
int weft_socket_fail(int code, const char *what, const char *host, int port);

#endif
