/* SPDX-License-Identifier: MIT */
/*
 * A descriptor of the user's that gets a byte for each signal, for loops of other makes. The byte
 * is written by the C-level handler; that it could not be is told on the main thread.
 */
#include "signal/handler.h"

#include <fcntl.h>

#include "core/error.h"
#include "signal/note.h"

/* Written and read by the main thread alone. */
static struct {
    weft_wakeup_fd_error_fn *on_error; /* NULL: nobody is told */
    void *arg;
} told;

void weft_signal_tell_wakeup_failure(void)
{
    /* relaxed: a failure that is not seen yet is followed by a post */
    if (atomic_load_explicit(&weft_signal_wakeup_code, memory_order_relaxed) == 0)
        return;
    int code = atomic_exchange(&weft_signal_wakeup_code, 0);
    int fd = atomic_load(&weft_signal_wakeup_fd);
    if (code != 0 && fd >= 0 && told.on_error != NULL)
        told.on_error(fd, code, told.arg);
}

static int check_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return weft_error(-errno, "set the wake-up descriptor %d: %s", fd, weft_strerror(-errno));
    if ((flags & O_NONBLOCK) == 0)
        return weft_error(-EINVAL, "set the wake-up descriptor %d: it must be non-blocking", fd);
    return 0;
}

int weft_signal_set_wakeup_fd(int fd, int *old, const weft_wakeup_fd_options *options)
{
    int r = fd == -1 ? 0 : check_nonblocking(fd);
    if (r == 0)
        r = weft_signal_check_main("set the wake-up descriptor");
    if (r < 0)
        return r;
    told.on_error = options != NULL ? options->on_error : NULL;
    told.arg = options != NULL ? options->arg : NULL;
    int before = atomic_exchange(&weft_signal_wakeup_fd, fd);
    /* whoever has the old number still may write to it until then: its owner may close it after */
    (void)weft_signal_wait_for_notes(WEFT_INSTANT_NEVER);
    atomic_store(&weft_signal_wakeup_code, 0);
    if (old != NULL)
        *old = before;
    return 0;
}
