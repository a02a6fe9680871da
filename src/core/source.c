/* SPDX-License-Identifier: MIT */
/*
 * A source over a descriptor, so that it can be waited for beside handles.
 */
#include <fcntl.h>
#include <poll.h>

#include "core/handle.h"
#include "core/memory.h"

struct weft_source {
    weft_handle handle; /* first */
    int fd;
    uint32_t interest;
};

static void finalize(weft_handle *handle)
{
    weft_handle_clear(handle);
    weft_dealloc(handle);
}

static bool ready(weft_handle *handle)
{
    weft_source *source = (weft_source *)handle;
    struct pollfd polled = {.fd = source->fd};
    polled.events = (short)(((source->interest & WEFT_READABLE) != 0 ? POLLIN : 0) |
                            ((source->interest & WEFT_WRITABLE) != 0 ? POLLOUT : 0));
    return poll(&polled, 1, 0) > 0;
}

/* Nothing but the descriptor makes it ready, so nobody looks for waiters. */
static int enlist(weft_handle *handle, weft_waiter *waiter)
{
    (void)waiter;
    return ready(handle) ? 1 : 0;
}

static void delist(weft_handle *handle, weft_waiter *waiter)
{
    (void)handle;
    (void)waiter;
}

static int descriptor(weft_handle *handle, weft_fd_wait *fd)
{
    weft_source *source = (weft_source *)handle;
    *fd = (weft_fd_wait){.fd = source->fd, .interest = source->interest};
    return 1;
}

static _Atomic uint32_t numbers;
static const weft_kind fd_kind = {.name = "source",
                                  .prefix = "Source",
                                  .numbers = &numbers,
                                  .finalize = finalize,
                                  .ready = ready,
                                  .enlist = enlist,
                                  .delist = delist,
                                  .descriptor = descriptor};

int weft_source_from_fd(weft_source **source, int fd, int interest)
{
    if (source == NULL)
        return weft_error(-EINVAL, "source of descriptor %d: nowhere to put it", fd);
    *source = NULL;
    if (fcntl(fd, F_GETFD) < 0)
        return weft_error(-errno, "source of descriptor %d: %s", fd, weft_strerror(-errno));
    if (interest == 0 || (interest & ~(WEFT_READABLE | WEFT_WRITABLE)) != 0)
        return weft_error(-EINVAL, "source of descriptor %d: no interest %d", fd, interest);
    weft_source *made = weft_calloc(1, sizeof *made);
    if (made == NULL)
        return weft_error(-ENOMEM, "source of descriptor %d: no memory", fd);
    weft_handle_init(&made->handle, &fd_kind);
    made->fd = fd;
    made->interest = (uint32_t)interest;
    *source = made;
    return 0;
}
