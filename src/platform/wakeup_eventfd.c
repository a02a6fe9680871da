/* SPDX-License-Identifier: MIT */
/*
 * One counter in the kernel: a signal adds one, a drain sets it back to zero. Each write is an edge
 * of its own for an edge-triggered poller. The counter is full only after 2^64 - 2 signals without
 * a drain, and then the descriptor is readable, which is all that is wanted.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "platform/wakeup.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int weft_wakeup_open(weft_wakeup *wakeup)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    *wakeup = (weft_wakeup){.read_fd = fd, .write_fd = fd};
    return fd < 0 ? -errno : 0;
}

void weft_wakeup_close(weft_wakeup *wakeup)
{
    if (wakeup->read_fd >= 0)
        (void)close(wakeup->read_fd);
    *wakeup = (weft_wakeup){.read_fd = -1, .write_fd = -1};
}

void weft_wakeup_signal(const weft_wakeup *wakeup)
{
    const uint64_t one = 1;
    int saved = errno;
    while (write(wakeup->write_fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
    errno = saved;
}

bool weft_wakeup_makes_edges(void)
{
    return true;
}

void weft_wakeup_drain(const weft_wakeup *wakeup)
{
    uint64_t count;
    while (read(wakeup->read_fd, &count, sizeof count) < 0 && errno == EINTR)
        continue;
}
