/* SPDX-License-Identifier: MIT */
/*
 * The oldest form (D. J. Bernstein's self-pipe): a byte in a non-blocking pipe. Neither end ever
 * blocks: a full pipe is readable already, so its signal may be dropped; a drain takes out whatever
 * has gathered. A signal that comes in the middle of a drain is taken with it, or makes the pipe
 * readable again.
 */
#include "platform/wakeup.h"

#include <errno.h>
#include <unistd.h>

#include "platform/cloexec.h"

int weft_wakeup_open(weft_wakeup *wakeup)
{
    int fds[2];
    *wakeup = (weft_wakeup){.read_fd = -1, .write_fd = -1};
    int r = weft_cloexec_pipe(fds);
    if (r < 0)
        return r;
    *wakeup = (weft_wakeup){.read_fd = fds[0], .write_fd = fds[1]};
    r = weft_cloexec_set_nonblocking(fds[0], true);
    if (r == 0)
        r = weft_cloexec_set_nonblocking(fds[1], true);
    if (r < 0)
        weft_wakeup_close(wakeup);
    return r;
}

void weft_wakeup_close(weft_wakeup *wakeup)
{
    if (wakeup->read_fd >= 0)
        (void)close(wakeup->read_fd);
    if (wakeup->write_fd >= 0)
        (void)close(wakeup->write_fd);
    *wakeup = (weft_wakeup){.read_fd = -1, .write_fd = -1};
}

void weft_wakeup_signal(const weft_wakeup *wakeup)
{
    int saved = errno;
    while (write(wakeup->write_fd, "", 1) < 0 && errno == EINTR)
        continue;
    errno = saved;
}

bool weft_wakeup_makes_edges(void)
{
    return false; /* a full pipe takes no more bytes */
}

void weft_wakeup_drain(const weft_wakeup *wakeup)
{
    char bytes[512];
    ssize_t n;
    do
        n = read(wakeup->read_fd, bytes, sizeof bytes);
    while (n == (ssize_t)sizeof bytes || (n < 0 && errno == EINTR));
}
