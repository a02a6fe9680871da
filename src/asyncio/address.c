/* SPDX-License-Identifier: MIT */
/*
 * Numeric addresses of both families, and "localhost", which is the loopback address by definition
 * (RFC 6761).
 */
#include "asyncio/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <weft/base.h>

static void set_v4(weft_socket_address *address, struct in_addr host, int port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    v4.sin_addr = host;
    memcpy(&address->storage, &v4, sizeof v4);
    address->size = sizeof v4;
}

static void set_v6(weft_socket_address *address, struct in6_addr host, int port)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    v6.sin6_addr = host;
    memcpy(&address->storage, &v6, sizeof v6);
    address->size = sizeof v6;
}

int weft_socket_address_set(weft_socket_address *address, const char *host, int port,
                            const char *what)
{
    struct in_addr v4 = {.s_addr = htonl(INADDR_ANY)};
    struct in6_addr v6;
    *address = (weft_socket_address){0};
    if (port < 0 || port > UINT16_MAX)
        return weft_error(-EINVAL, "%s: no port %d", what, port);
    if (host != NULL && strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (host == NULL || inet_pton(AF_INET, host, &v4) == 1)
        set_v4(address, v4, port);
    else if (inet_pton(AF_INET6, host, &v6) == 1)
        set_v6(address, v6, port);
    else
        return weft_error(-ENOTSUP, "%s: '%s' is not an address, and names are not looked up", what,
                          host);
    return 0;
}

int weft_socket_address_port(const weft_socket_address *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (address->storage.ss_family == AF_INET) {
        memcpy(&v4, &address->storage, sizeof v4);
        return ntohs(v4.sin_port);
    }
    if (address->storage.ss_family == AF_INET6) {
        memcpy(&v6, &address->storage, sizeof v6);
        return ntohs(v6.sin6_port);
    }
    return -EINVAL;
}
