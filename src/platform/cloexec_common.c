/* SPDX-License-Identifier: MIT */
/* What POSIX gives both implementations of cloexec: O_CLOEXEC and F_DUPFD_CLOEXEC need no lock. */
#include "platform/cloexec.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int weft_cloexec_open(const char *path, int flags)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

int weft_cloexec_dup(int fd, int lowest)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, lowest);
    return copy < 0 ? -errno : copy;
}

int weft_cloexec_move_up(int *fd)
{
    if (*fd > 2)
        return 0;
    int copy = weft_cloexec_dup(*fd, 3);
    if (copy < 0)
        return copy;
    (void)close(*fd);
    *fd = copy;
    return 0;
}

int weft_cloexec_set_nonblocking(int fd, bool nonblocking)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return -errno;
    int wanted = nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    if (wanted != flags && fcntl(fd, F_SETFL, wanted) < 0)
        return -errno;
    return 0;
}
