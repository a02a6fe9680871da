/* SPDX-License-Identifier: MIT */
/*
 * Descriptors born close-on-exec by the kernel: there is no moment at which a fork of anybody,
 * the host included, could take them along unmarked, so there is no lock and forks need nothing.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "platform/cloexec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int weft_cloexec_pipe(int fds[2])
{
    int made[2];

    if (pipe2(made, O_CLOEXEC) < 0)
        return -errno;
    fds[0] = made[0];
    fds[1] = made[1];
    return 0;
}

int weft_cloexec_socket(int domain, int type, int protocol)
{
    int fd = socket(domain, type | SOCK_CLOEXEC, protocol);
    return fd < 0 ? -errno : fd;
}

int weft_cloexec_socketpair(int domain, int type, int protocol, int fds[2])
{
    int made[2];

    if (socketpair(domain, type | SOCK_CLOEXEC, protocol, made) < 0)
        return -errno;
    fds[0] = made[0];
    fds[1] = made[1];
    return 0;
}

int weft_cloexec_accept(int fd, struct sockaddr *address, socklen_t *size)
{
    for (;;) {
        int made =
            accept4(fd, address, address != NULL ? size : NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (made >= 0)
            return made;
        if (errno != EINTR)
            return -errno;
    }
}

ssize_t weft_cloexec_recvmsg(int fd, struct msghdr *message, int flags)
{
    for (;;) {
        ssize_t n = recvmsg(fd, message, flags | MSG_CMSG_CLOEXEC);
        if (n >= 0)
            return n;
        if (errno != EINTR)
            return -errno;
    }
}

int weft_cloexec_openpt(void)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

void weft_cloexec_before_fork(void) {}

void weft_cloexec_after_fork(void) {}
