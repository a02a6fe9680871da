/* SPDX-License-Identifier: MIT */
/*
 * Sending signals to oneself and to threads, and running the handlers of what has come.
 */
#include "signal/handler.h"

#include <unistd.h>

#include "core/error.h"
#include "core/handle.h"
#include "core/interrupt.h"

int weft_signal_check(void)
{
    return weft_interrupt_check();
}

static bool is_blocked(int signum)
{
    sigset_t mask;
    return pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0 && sigismember(&mask, signum) > 0;
}

int weft_signal_raise(int signum)
{
    int r = weft_signal_check_number(signum, "raise a signal");
    if (r < 0)
        return r;
    weft_context *self = weft_context_current;
    /* a coroutine that is a thread of the system's blocks all: there the process gets it */
    if (self != NULL && self->coroutine && is_blocked(signum))
        r = kill(getpid(), signum) < 0 ? -errno : 0;
    else
        r = raise(signum) != 0 ? -errno : 0;
    if (r < 0)
        return weft_error(r, "raise %s (%d): %s", weft_signal_label(signum), signum,
                          weft_strerror(r));
    return weft_interrupt_check();
}

int weft_signal_pthread_kill(weft_thread *thread, int signum)
{
    weft_handle *handle = (weft_handle *)(void *)thread;
    int r = weft_handle_check(thread, NULL, "send a signal to a thread");
    if (r == 0 && signum != 0)
        r = weft_signal_check_number(signum, "send a signal to a thread");
    if (r == 0 && handle->kind->send_signal == NULL)
        r = weft_error(-EINVAL, "send a signal to a thread: '%s' is a %s",
                       weft_handle_name_of(handle), handle->kind->name);
    if (r < 0)
        return r;
    r = handle->kind->send_signal(handle, signum);
    if (r < 0)
        return weft_error(
            r, "send %s to thread '%s': %s", signum != 0 ? weft_signal_label(signum) : "signal 0",
            weft_handle_name_of(handle), r == -ESRCH ? "it has ended" : weft_strerror(r));
    return weft_interrupt_check();
}
