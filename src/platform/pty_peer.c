/* SPDX-License-Identifier: MIT */
/*
 * A name may mean another terminal, or none, where this process sees another /dev/pts than the
 * master's; the kernel opens the right one from the master. Where it does not know how (before
 * Linux 4.13, emulators), the name must do.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "platform/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "platform/cloexec.h"

int weft_pty_open_slave(int master, char path[WEFT_PTY_PATH])
{
    const int flags = O_RDWR | O_NOCTTY | O_CLOEXEC;

    if (unlockpt(master) < 0)
        return -errno;
    int r = ptsname_r(master, path, WEFT_PTY_PATH);
    if (r != 0)
        path[0] = '\0';
    int fd = ioctl(master, TIOCGPTPEER, flags);
    if (fd < 0 && r == 0)
        return weft_cloexec_open(path, flags);
    return fd < 0 ? -errno : fd;
}

int weft_pty_set_size(int master, unsigned short rows, unsigned short columns)
{
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    return ioctl(master, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

/* It locks nothing. */
void weft_pty_before_fork(void) {}

void weft_pty_after_fork(void) {}
