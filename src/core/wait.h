/* SPDX-License-Identifier: MIT */
/*
 * wait: the one protocol under every wait of the library.
 *
 * To wait, a context (1) publishes WAITING in its wait word and links a waiter in the queue of what
 * it waits for, both under the queue's lock and after it has seen, under that lock, that there is
 * nothing to take; (2) looks at its sticky cancel word (publish, then look: seq_cst on both sides);
 * (3) sleeps until the word has left WAITING. Exactly one of notifier, timer, canceller wins the
 * compare-and-swap away from WAITING; the winner makes the context run again, once.
 *
 *     weft_waiter waiter;
 *     int r = weft_waiter_init(&waiter);
 *     lock; if (there is something) { take it; unlock; return 0; }
 *     weft_wait_publish(&waiter); weft_list_append(&waiters, &waiter.link); unlock;
 *     r = weft_wait_sleep(waiter.context, deadline);
 *     if (r < 0) { lock; if linked: weft_list_remove; unlock; return r; }     timed out, cancelled,
 * interrupted if (r == WEFT_WAIT_AND_CANCEL) give back what was given, then return
 * weft_wait_cancelled(); or go on
 *
 * A notifier unlinks the waiter under the lock and calls weft_wait_notify; when that is false the
 * waiter has been timed out or cancelled, and the notifier takes the next one. After a true result
 * the waiter's memory is gone: only the weft_wake may be used. The model is tests/model/waiter.pml.
 */
#ifndef WEFT_CORE_WAIT_H
#define WEFT_CORE_WAIT_H

#include <weft/handle.h>

#include "core/clock.h"
#include "core/context.h"
#include "core/list.h"

/* States of the wait word, in its low bits; the others count interrupts of the main thread. */
enum {
    WEFT_WAIT_IDLE = 0,
    WEFT_WAIT_WAITING,  /* a coroutine, or a thread that does not sleep yet */
    WEFT_WAIT_SLEEPING, /* a thread in its parker */
    WEFT_WAIT_POLLING,  /* a thread in poll, on its wakeup and descriptors */
    WEFT_WAIT_NOTIFIED,
    WEFT_WAIT_TIMED_OUT,
    WEFT_WAIT_CANCELLED,
    WEFT_WAIT_STATE = 7,
    WEFT_WAIT_FIRM = 8,       /* cannot be cancelled */
    WEFT_WAIT_INTERRUPT = 16, /* added by signal handlers */
};

enum {
    WEFT_WAIT_AND_CANCEL = 1, /* weft_wait_sleep: notified, and a cancel is pending too */
    WEFT_WAIT_HANDLERS = 2,   /* weft_wait_sleep_stepping_back: signal handlers are to run */
};

typedef struct weft_waiter {
    weft_link link;        /* in the queue; guarded by the queue's lock */
    weft_context *context; /* who waits */
    const void *address;   /* in a bucket: of the value waited for */
    bool observer; /* waits for readiness, takes nothing: a notification is not used up by it */
    bool firm;     /* cannot be cancelled (weft_wait_sleep_firmly); set before it is published */
    uint32_t tag;  /* the primitive's own */
    /* If set, asked (under the queue's lock) before the context is notified; false: not yet, and
     * the waiter is unlinked. */
    bool (*accept)(struct weft_waiter *waiter);
    void *arg; /* of accept */
} weft_waiter;

/* What is left to do for a context that has been notified. */
typedef struct weft_wake {
    weft_context *context; /* NULL: nothing */
    uint32_t state;        /* its state before */
} weft_wake;

/* A descriptor to wait for beside the wait word. */
typedef struct weft_fd_wait {
    int fd;
    uint32_t interest; /* WEFT_READABLE | WEFT_WRITABLE */
    uint32_t ready;    /* set by the wait */
    uint64_t id;       /* of the weft_io that owns fd, 0: none does (looked at anew each time) */
    /* private to the runner */
    weft_link link;
    weft_context *context; /* who waits */
} weft_fd_wait;

/* For the running context. Errors: -ENOMEM. */
int weft_waiter_init(weft_waiter *waiter);

/* The running context waits from now on. Under the queue's lock, before linking. */
static inline void weft_wait_publish(weft_waiter *waiter)
{
    /* seq_cst: before the look at the cancel word in weft_wait_sleep; weft_context_cancel has the
     * other half. Signal handlers that add to the word meanwhile may be overwritten: they are seen
     * by weft_interrupt_pending, which is looked at after this. */
    atomic_store(&waiter->context->parker.word,
                 WEFT_WAIT_WAITING | (waiter->firm ? (uint32_t)WEFT_WAIT_FIRM : 0));
}

/*
 * Sleeps until notified, the deadline or the nearest timeout scope, a cancel, or a signal handler
 * that ends the wait. 0 or WEFT_WAIT_AND_CANCEL: notified (and unlinked by the notifier). Errors:
 * -ETIMEDOUT, -ECANCELED (a cancel, delivered by this, or a scope), a handler's code: the waiter
 * may still be linked. The message is recorded.
 */
int weft_wait_sleep(weft_context *self, weft_instant deadline);

/* As weft_wait_sleep, but signal handlers do not run on top of it: WEFT_WAIT_HANDLERS, and the
 * waiter may still be linked. For lines in which nobody may stand while a handler does, as those
 * behind would go on only after him; weft_interrupt_run runs them. */
int weft_wait_sleep_stepping_back(weft_context *self, weft_instant deadline);

/* As weft_wait_sleep, and until one of the descriptors is ready (then 0, with its `ready` set).
 * Errors: also -ENOMEM, -EBADF. */
int weft_wait_sleep_fds(weft_context *self, weft_instant deadline, weft_fd_wait *fds, size_t count);

/* As weft_wait_sleep without limit, scopes and cancel: to take back a lock that must be held on
 * return. */
void weft_wait_sleep_firmly(weft_context *self);

/* Takes back a weft_wait_publish that was not slept on; false: somebody has notified already (sleep
 * once more, it returns at once). */
bool weft_wait_retract(weft_context *self);

/* Delivers the pending cancel: clears it, records the message, returns -ECANCELED. */
int weft_wait_cancelled(weft_context *self);

/* The running context's wait has ended by its time, and that is no failure: what failed before
 * stands again. */
void weft_wait_forgive(const weft_failure *before);

/* For calls that had done a part of their work when a wait of theirs failed with r, and tell the
 * part: what ended the wait (a cancel, a scope, a handler) ends the next one too. */
void weft_wait_defer(int r);

/* Under the queue's lock, after unlinking. True: this caller won; *wake is to be delivered after
 * the lock is left. */
bool weft_wait_notify(weft_waiter *waiter, weft_wake *wake);

/* Makes the context run: no lock held. */
void weft_wake_deliver(weft_wake wake);

/* Notifies every waiter of the list. The lock is held at the call, is left and taken again between
 * batches, and is not held on return. */
struct weft_ilock;
void weft_wait_notify_all(struct weft_ilock *lock, weft_list *waiters);

/* For the runner: the wait of a coroutine of its own is over, by time or by a descriptor: decides
 * it and makes it ready; false: it was decided. */
bool weft_wait_time_out(weft_context *context);
bool weft_wait_decide_for(weft_context *context);
/* The running context's own wait is over before it slept. */
bool weft_wait_decide_own(weft_context *self);

/* A thread's wait until a signal comes to that very thread; not for coroutines. Errors: as
 * weft_wait_sleep_fds. */
int weft_wait_pause(weft_context *self, weft_instant deadline);
/* In a signal handler: the interrupted thread's pause, if it is in one, is over. */
void weft_wait_end_pause(void);

static inline uint32_t weft_wait_state(const weft_context *self)
{
    return atomic_load_explicit(&self->parker.word, memory_order_relaxed) & WEFT_WAIT_STATE;
}

/*
 * Cancels whatever the context waits for, now or next. The caller makes sure that the context still
 * runs the job that is meant (by the lock of the job's handle).
 */
void weft_context_cancel(weft_context *context);

/* A pending cancel of the running context. */
static inline bool weft_cancel_pending(const weft_context *self)
{
    return (atomic_load_explicit(&self->cancel, memory_order_relaxed) & WEFT_CANCEL_PENDING) != 0;
}

#endif
