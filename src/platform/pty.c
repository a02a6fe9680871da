/* SPDX-License-Identifier: MIT */
/* Both ends of a terminal or none, whatever opens the slave. */
#include "platform/pty.h"

#include <unistd.h>

#include "platform/cloexec.h"

int weft_pty_open(int *master, int *slave, char path[WEFT_PTY_PATH])
{
    int fd = weft_cloexec_openpt();
    if (fd < 0)
        return fd;

    int other = weft_pty_open_slave(fd, path);
    if (other < 0) {
        (void)close(fd);
        return other;
    }
    *master = fd;
    *slave = other;
    return 0;
}
