/* SPDX-License-Identifier: MIT */
/*
 * The calling thread's mask, and what is pending behind it.
 */
#include "signal/handler.h"

#include <pthread.h>

#include "core/error.h"
#include "core/interrupt.h"
#include "platform/switch.h"

static int system_how(weft_sigmask how)
{
    switch (how) {
    case WEFT_SIG_BLOCK:
        return SIG_BLOCK;
    case WEFT_SIG_UNBLOCK:
        return SIG_UNBLOCK;
    case WEFT_SIG_SETMASK:
        return SIG_SETMASK;
    default:
        return weft_error(-EINVAL, "change the signal mask: there is no way %d", (int)how);
    }
}

int weft_signal_pthread_sigmask(weft_sigmask how, const weft_sigset *set, weft_sigset *old)
{
    sigset_t wanted, before;
    weft_context *self = weft_context_current;
    int way = system_how(how);
    if (way < 0)
        return way;
    if (set != NULL) {
        if (WEFT_SWITCH_IS_THREAD && self != NULL && self->coroutine)
            return weft_error(-ENOTSUP, "change the signal mask: in a coroutine that is a thread "
                                        "of the system's all signals are blocked");
        weft_sigset_to_system(set, &wanted);
    }
    int r = -pthread_sigmask(way, set != NULL ? &wanted : NULL, &before);
    if (r < 0)
        return weft_error(r, "change the signal mask: %s", weft_strerror(r));
    if (old != NULL)
        weft_sigset_from_system(old, &before);
    return weft_interrupt_check(); /* of what this has let come */
}

int weft_signal_sigpending(weft_sigset *set)
{
    sigset_t pending;
    if (set == NULL)
        return weft_error(-EINVAL, "pending signals: the set is NULL");
    if (sigpending(&pending) < 0)
        return weft_error(-errno, "pending signals: %s", weft_strerror(-errno));
    weft_sigset_from_system(set, &pending);
    return 0;
}
