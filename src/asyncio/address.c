/* SPDX-License-Identifier: MIT */
/*
 * Numeric addresses of both families, and "localhost", which is the loopback address by definition
 * (RFC 6761); and "unix:" with a path.
 */
#include "asyncio/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

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

const char *weft_socket_path(const char *host)
{
    static const char prefix[] = "unix:";
    size_t size = sizeof prefix - 1;
    return host != NULL && strncmp(host, prefix, size) == 0 ? host + size : NULL;
}

static int set_path(weft_socket_address *address, const char *path, int port, const char *what)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t size = strlen(path) + 1;
    if (port != 0)
        return weft_error(-EINVAL, "%s: 'unix:%s' has no port %d", what, path, port);
    if (size == 1)
        return weft_error(-EINVAL, "%s: 'unix:' without a path", what);
    if (size > sizeof un.sun_path)
        return weft_error(-ENAMETOOLONG, "%s: the path of a socket has at most %zu bytes: '%s'",
                          what, sizeof un.sun_path - 1, path);
    memcpy(un.sun_path, path, size);
    memcpy(&address->storage, &un, sizeof un);
    address->size = sizeof un;
    return 0;
}

int weft_socket_fail(int code, const char *what, const char *host, int port)
{
    if (weft_socket_path(host) != NULL)
        return weft_error(code, "%s '%s': %s", what, host, weft_strerror(code));
    return weft_error(code, "%s '%s' port %d: %s", what, host != NULL ? host : "*", port,
                      weft_strerror(code));
}

int weft_socket_address_set(weft_socket_address *address, const char *host, int port,
                            const char *what)
{
    struct in_addr v4 = {.s_addr = htonl(INADDR_ANY)};
    struct in6_addr v6;
    *address = (weft_socket_address){0};
    const char *path = weft_socket_path(host);
    if (path != NULL)
        return set_path(address, path, port, what);
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
