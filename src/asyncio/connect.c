/* SPDX-License-Identifier: MIT */
/*
 * A connection is begun without waiting, awaited as any descriptor, and its outcome read from
 * SO_ERROR. An interrupted connect(2) goes on by itself, so EINTR is the same as EINPROGRESS.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <weft/net.h>

#include "asyncio/address.h"
#include "asyncio/socket.h"
#include "core/clock.h"
#include "core/iowait.h"
#include "io/stream.h"
#include "platform/cloexec.h"

#define BACKLOG_FULL 0.002 /* seconds */

int weft_socket_open(int family)
{
    int fd = weft_cloexec_socket(family, SOCK_STREAM, 0);
    int r = fd < 0 ? fd : weft_cloexec_set_nonblocking(fd, true);
    if (fd >= 0 && r < 0)
        close(fd);
    return r < 0 ? r : fd;
}

void weft_socket_no_delay(int fd)
{
    int on = 1;
    /* only latency is at stake */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static int pending_error(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    return -error;
}

static bool connected(int fd)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    return getpeername(fd, (struct sockaddr *)&peer, &size) == 0;
}

/* A UNIX socket whose server has its backlog full says EAGAIN, and no descriptor tells when there
 * is room: it is tried again after a while. */
static int try_again(weft_instant deadline)
{
    if (deadline <= weft_instant_now())
        return -ETIMEDOUT;
    return weft_sleep(BACKLOG_FULL);
}

static int connect_fd(int fd, const weft_socket_address *address, weft_instant deadline)
{
    int r = 0;
    while (r == 0 && connect(fd, (const struct sockaddr *)&address->storage, address->size) < 0) {
        if (errno == EINPROGRESS || errno == EINTR || errno == EALREADY) {
            /* readiness is a hint: looked at again until there is a peer or an error */
            do
                r = weft_fd_wait_for(fd, WEFT_WRITABLE, deadline);
            while (r == 0 && (r = pending_error(fd)) == 0 && !connected(fd));
            return r;
        }
        r = errno == EAGAIN && address->storage.ss_family == AF_UNIX ? try_again(deadline) : -errno;
    }
    return r;
}

int weft_stream_connect(weft_stream **stream, const char *host, int port,
                        const weft_connect_options *options)
{
    weft_socket_address address;
    weft_instant deadline;
    if (stream == NULL)
        return weft_error(-EINVAL, "connect: nowhere to put the stream");
    *stream = NULL;
    if (host == NULL)
        return weft_error(-EINVAL, "connect: no host");
    int r = weft_socket_address_set(&address, host, port, "connect");
    if (r == 0)
        r = weft_deadline_option(options != NULL ? options->timeout : 0, &deadline);
    if (r < 0)
        return r;
    int fd = weft_socket_open(address.storage.ss_family);
    if (fd < 0)
        return weft_socket_fail(fd, "connect to", host, port);
    r = connect_fd(fd, &address, deadline);
    if (r < 0) {
        r = weft_socket_fail(r, "connect to", host, port);
    } else {
        weft_socket_no_delay(fd);
        r = weft_stream_from_fd(stream, fd, true, NULL);
    }
    if (r < 0)
        close(fd);
    return r;
}
