/* SPDX-License-Identifier: MIT */
/*
 * The two halves of every wait: sleeping until one's word is decided, and deciding another's.
 *
 * The word leaves WAITING, SLEEPING or POLLING exactly once per wait, by a compare-and-swap;
 * whoever succeeds makes the context run. For a coroutine that means pushing it on its runner's
 * queue, once: it cannot run, end or be used again before that, so the winner may look at it
 * freely. A thread looks at its own word again whenever it is woken, so a wake-up that comes after
 * it has gone on is harmless; its context is type-stable.
 */
#include "core/wait.h"

#include <poll.h>

#include "core/ilock.h"
#include "core/interrupt.h"
#include "core/memory.h"
#include "core/runner.h"
#include "core/scope.h"
#include "core/shared.h"

/* Tries to move the word from undecided to `state`. *before: the state that it had. */
static bool decide(weft_context *context, uint32_t state, uint32_t *before)
{
    /* seq_cst load: the canceller has stored its cancel before, and must not miss a published wait.
     * The compare-and-swap releases what the notifier wrote to the waiter's acquire load. */
    uint32_t word = atomic_load(&context->parker.word);
    do {
        *before = word & WEFT_WAIT_STATE;
        if (*before < WEFT_WAIT_WAITING || *before > WEFT_WAIT_POLLING)
            return false;
        if (state == WEFT_WAIT_CANCELLED && (word & WEFT_WAIT_FIRM) != 0)
            return false;
    } while (!atomic_compare_exchange_weak(&context->parker.word, &word,
                                           (word & ~(uint32_t)WEFT_WAIT_STATE) | state));
    return true;
}

int weft_waiter_init(weft_waiter *waiter)
{
    *waiter = (weft_waiter){.context = weft_context_self()};
    if (waiter->context == NULL)
        return -ENOMEM;
    return 0;
}

bool weft_wait_notify(weft_waiter *waiter, weft_wake *wake)
{
    weft_context *context = waiter->context; /* after the decision the waiter may be gone */
    *wake = (weft_wake){0};
    if (waiter->accept != NULL && !waiter->accept(waiter))
        return false;
    if (!decide(context, WEFT_WAIT_NOTIFIED, &wake->state))
        return false;
    wake->context = context;
    return true;
}

void weft_wake_deliver(weft_wake wake)
{
    weft_context *context = wake.context;
    if (context == NULL)
        return;
    if (context->coroutine)
        weft_runner_ready(context->runner, context);
    else if (wake.state == WEFT_WAIT_SLEEPING)
        weft_parker_wake(&context->parker);
    else if (wake.state == WEFT_WAIT_POLLING)
        weft_wakeup_signal(&context->wakeup);
}

void weft_wait_notify_all(weft_ilock *lock, weft_list *waiters)
{
    enum { BATCH = 16 };
    weft_wake wakes[BATCH];
    weft_link *link = weft_list_pop(waiters);
    if (link != NULL && weft_list_empty(waiters)) { /* the usual case: one */
        bool won = weft_wait_notify(WEFT_CONTAINER(link, weft_waiter, link), wakes);
        weft_ilock_release(lock);
        if (won)
            weft_wake_deliver(wakes[0]);
        return;
    }
    if (link != NULL)
        weft_list_prepend(waiters, link);
    for (;;) {
        size_t count = 0;
        while (count < BATCH && (link = weft_list_pop(waiters)) != NULL) {
            weft_waiter *waiter = WEFT_CONTAINER(link, weft_waiter, link);
            if (weft_wait_notify(waiter, &wakes[count]))
                count++;
        }
        bool more = !weft_list_empty(waiters);
        weft_ilock_release(lock);
        for (size_t i = 0; i < count; i++)
            weft_wake_deliver(wakes[i]);
        if (!more)
            return;
        weft_ilock_acquire(lock);
    }
}

static bool decide_and_ready(weft_context *context, uint32_t state)
{
    weft_wake wake = {.context = context};
    if (!decide(context, state, &wake.state))
        return false;
    weft_wake_deliver(wake);
    return true;
}

bool weft_wait_time_out(weft_context *context)
{
    return decide_and_ready(context, WEFT_WAIT_TIMED_OUT);
}

bool weft_wait_decide_for(weft_context *context)
{
    return decide_and_ready(context, WEFT_WAIT_NOTIFIED);
}

bool weft_wait_decide_own(weft_context *self)
{
    uint32_t before;
    return decide(self, WEFT_WAIT_NOTIFIED, &before);
}

void weft_context_cancel(weft_context *context)
{
    weft_wake wake = {.context = context};
    /* The lock: a canceller that has marked the cancel, but is late with its try at the word, would
     * otherwise hit the wait after the one that found the mark and delivered it: a second delivery.
     */
    weft_ilock_acquire(&context->canceller);
    /* seq_cst: first the cancel, then the look at the word (in decide) */
    atomic_fetch_or(&context->cancel, WEFT_CANCEL_PENDING | WEFT_CANCEL_ASKED);
    bool won = decide(context, WEFT_WAIT_CANCELLED, &wake.state);
    weft_ilock_release(&context->canceller);
    if (won)
        weft_wake_deliver(wake);
    /* seq_cst: the waiter publishes the word, then looks for a cancel */
    const _Atomic uint32_t *word = atomic_load(&context->shared_word);
    if (word != NULL)
        weft_shared.wake(word, UINT32_MAX);
    /* seq_cst: a thread's runner says that it sleeps, then looks for a cancel; it is type-stable */
    weft_runner *runner = atomic_load(&context->runs);
    if (runner != NULL)
        weft_runner_wake(runner);
}

int weft_wait_cancelled(weft_context *self)
{
    weft_ilock_acquire(&self->canceller); /* every canceller so far has had its try */
    /* relaxed: what the canceller did before is no message to this context */
    atomic_fetch_and_explicit(&self->cancel, ~(uint32_t)WEFT_CANCEL_PENDING, memory_order_relaxed);
    weft_ilock_release(&self->canceller);
    self->scopes.fired_last = false;
    return weft_error_cancelled();
}

void weft_wait_defer(int r)
{
    weft_context *self = weft_context_current;
    if (r == -ETIMEDOUT || self == NULL)
        return;
    if (r != -ECANCELED)
        self->handler_code = r;
    else if (self->scopes.fired_last)
        weft_scope_fire_again(self);
    else /* relaxed: it is this context's own */
        atomic_fetch_or_explicit(&self->cancel, WEFT_CANCEL_PENDING, memory_order_relaxed);
}

void weft_wait_forgive(const weft_failure *before)
{
    weft_context *self = weft_context_current;
    if (self == NULL || self->handler_code != 0) /* that one's failure is the last one */
        return;
    self->failure.code = before->code;
    self->failure.text = before->text;
}

bool weft_wait_retract(weft_context *self)
{
    uint32_t before;
    return decide(self, WEFT_WAIT_IDLE, &before);
}

/* A signal handler wants the wait to end with `code`: if it has been decided already, the next wait
 * ends so. */
static int interrupted(weft_context *self, int code)
{
    if (weft_wait_retract(self))
        return code;
    self->handler_code = code;
    return 0;
}

/* Runs what is pending for the main thread, on top of its wait. *late: its time is up after that;
 * more may be pending, and for ever. */
static int look_at_interrupts(weft_context *self, weft_instant limit, bool *late)
{
    *late = false;
    if (!self->main || self->handling)
        return 0;
    int code = self->handler_code;
    self->handler_code = 0;
    if (code == 0 && atomic_load(&weft_interrupt_pending) != 0) {
        if (self->steps_back)
            return weft_wait_retract(self) ? WEFT_WAIT_HANDLERS : 0;
        code = weft_interrupt_run(self);
        *late = limit != WEFT_INSTANT_NEVER && limit <= weft_instant_now();
    }
    return code != 0 ? interrupted(self, code) : 0;
}

/* Moves an undecided word to how the thread sleeps. False: decided, or changed: look again. */
static bool settle(weft_context *self, uint32_t *word, uint32_t state)
{
    uint32_t settled = (*word & ~(uint32_t)WEFT_WAIT_STATE) | state;
    if (*word == settled)
        return true;
    /* release: whoever finds POLLING uses the wakeup, which may have been opened for this wait;
     * relaxed on failure: the caller reads the word again */
    if (!atomic_compare_exchange_strong_explicit(&self->parker.word, word, settled,
                                                 memory_order_release, memory_order_relaxed))
        return false;
    *word = settled;
    return true;
}

static bool decided(uint32_t word)
{
    return (word & WEFT_WAIT_STATE) > WEFT_WAIT_POLLING;
}

static int thread_sleep(weft_context *self, weft_instant limit)
{
    uint32_t before;
    for (;;) {
        /* the word is read before the look at what is pending: a handler that comes in between
         * changes it */
        uint32_t word = atomic_load_explicit(&self->parker.word, memory_order_acquire);
        if (decided(word))
            return 0;
        bool late;
        int r = look_at_interrupts(self, limit, &late);
        if (r != 0)
            return r;
        if (!late && !settle(self, &word, WEFT_WAIT_SLEEPING))
            continue;
        if (late || weft_parker_wait(&self->parker, word, limit) == -ETIMEDOUT)
            decide(self, WEFT_WAIT_TIMED_OUT, &before);
    }
}

/* One poll; 0: look again. */
static int poll_once(weft_context *self, weft_instant limit, weft_fd_wait *fds, size_t count,
                     struct pollfd *polled)
{
    uint32_t before;
    int n = poll(polled, (nfds_t)(count + 1), weft_instant_poll_timeout(limit));
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    if (n == 0) {
        if (limit <= weft_instant_now())
            decide(self, WEFT_WAIT_TIMED_OUT, &before);
        return 0;
    }
    if (polled[count].revents != 0) {
        weft_wakeup_drain(&self->wakeup);
        n--;
    }
    for (size_t i = 0; i < count; i++) {
        short got = polled[i].revents;
        bool broken = (got & (POLLERR | POLLHUP | POLLNVAL)) != 0;
        fds[i].ready = ((got & POLLIN) != 0 || broken ? (uint32_t)WEFT_READABLE : 0) |
                       ((got & POLLOUT) != 0 || broken ? (uint32_t)WEFT_WRITABLE : 0);
        fds[i].ready &= fds[i].interest;
    }
    if (n > 0)
        decide(self, WEFT_WAIT_NOTIFIED, &before);
    return 0;
}

static int poll_until_decided(weft_context *self, weft_instant limit, weft_fd_wait *fds,
                              size_t count, struct pollfd *polled)
{
    for (;;) {
        uint32_t word = atomic_load_explicit(&self->parker.word, memory_order_acquire);
        if (decided(word))
            return 0;
        bool late;
        int r = look_at_interrupts(self, limit, &late);
        if (r == 0 && (late || settle(self, &word, WEFT_WAIT_POLLING)))
            r = poll_once(self, late ? WEFT_INSTANT_NOW : limit, fds, count, polled);
        if (r != 0)
            return r;
    }
}

static int thread_poll(weft_context *self, weft_instant limit, weft_fd_wait *fds, size_t count)
{
    enum { FEW = 8 };
    struct pollfd few[FEW + 1], *polled = few;
    int r = self->wakeup.read_fd >= 0 ? 0 : weft_wakeup_open(&self->wakeup);
    if (r < 0)
        return r;
    if (count > FEW && (polled = weft_alloc((count + 1) * sizeof *polled)) == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        fds[i].ready = 0;
        polled[i] = (struct pollfd){.fd = fds[i].fd};
        polled[i].events = (short)(((fds[i].interest & WEFT_READABLE) != 0 ? POLLIN : 0) |
                                   ((fds[i].interest & WEFT_WRITABLE) != 0 ? POLLOUT : 0));
    }
    polled[count] = (struct pollfd){.fd = self->wakeup.read_fd, .events = POLLIN};
    r = poll_until_decided(self, limit, fds, count, polled);
    if (polled != few)
        weft_dealloc(polled);
    return r;
}

/* What the decided word says; it is idle afterwards. */
static int outcome(weft_context *self, weft_instant deadline)
{
    /* acquire: what the notifier wrote */
    uint32_t word = atomic_load_explicit(&self->parker.word, memory_order_acquire);
    atomic_store_explicit(&self->parker.word, WEFT_WAIT_IDLE, memory_order_relaxed);
    switch (word & WEFT_WAIT_STATE) {
    case WEFT_WAIT_TIMED_OUT:
        if (self->scopes.nearest < deadline)
            return weft_scope_fire(self);
        return weft_error_timed_out();
    case WEFT_WAIT_CANCELLED:
        return weft_wait_cancelled(self);
    default:
        return weft_cancel_pending(self) ? WEFT_WAIT_AND_CANCEL : 0;
    }
}

int weft_wait_sleep_fds(weft_context *self, weft_instant deadline, weft_fd_wait *fds, size_t count)
{
    weft_instant limit = weft_instant_min(deadline, self->scopes.nearest);
    uint32_t before;
    int r = 0;
    /* seq_cst: after the publication of the wait; see weft_context_cancel */
    bool cancelled = (atomic_load(&self->cancel) & WEFT_CANCEL_PENDING) != 0 &&
                     decide(self, WEFT_WAIT_CANCELLED, &before);
    if (!cancelled) {
        int saved = errno;
        if (self->coroutine)
            r = weft_runner_park(self, limit, fds, count);
        else if (count > 0)
            r = thread_poll(self, limit, fds, count);
        else
            r = thread_sleep(self, limit);
        errno = saved;
    }
    /* a failure before the decision: it counts, unless somebody has notified meanwhile */
    if (r != 0 && weft_wait_retract(self))
        return weft_error(r, "wait: %s", weft_strerror(r));
    if (r != 0 && (atomic_load(&self->parker.word) & WEFT_WAIT_STATE) == WEFT_WAIT_IDLE)
        return r;
    if (r != 0 && self->coroutine)
        weft_runner_leave(self); /* takes the notification */
    return outcome(self, deadline);
}

int weft_wait_sleep(weft_context *self, weft_instant deadline)
{
    bool plain = self->coroutine && deadline == WEFT_INSTANT_NEVER &&
                 self->scopes.nearest == WEFT_INSTANT_NEVER;
    /* seq_cst, as above */
    if (!plain || (atomic_load(&self->cancel) & WEFT_CANCEL_PENDING) != 0)
        return weft_wait_sleep_fds(self, deadline, NULL, 0);
    weft_runner_leave(self);
    return outcome(self, deadline);
}

int weft_wait_sleep_stepping_back(weft_context *self, weft_instant deadline)
{
    self->steps_back = true;
    int r = weft_wait_sleep(self, deadline);
    self->steps_back = false;
    return r;
}

/* In poll in every column: there a handler can end it. The descriptor is none, and never ready. */
int weft_wait_pause(weft_context *self, weft_instant deadline)
{
    weft_fd_wait nothing = {.fd = -1};
    weft_waiter waiter = {.context = self};
    weft_wait_publish(&waiter);
    self->pausing = 1;
    int r = weft_wait_sleep_fds(self, deadline, &nothing, 1);
    self->pausing = 0;
    return r == WEFT_WAIT_AND_CANCEL ? weft_wait_cancelled(self) : r;
}

void weft_wait_end_pause(void)
{
    weft_context *self = weft_context_current;
    uint32_t before;
    /* opened before the wait came to POLLING; preserves errno */
    if (self != NULL && self->pausing && decide(self, WEFT_WAIT_NOTIFIED, &before) &&
        before == WEFT_WAIT_POLLING)
        weft_wakeup_signal(&self->wakeup);
}

void weft_wait_sleep_firmly(weft_context *self)
{
    int saved = errno;
    if (self->coroutine) {
        weft_runner_leave(self);
    } else {
        uint32_t word;
        while (!decided(word = atomic_load_explicit(&self->parker.word, memory_order_acquire))) {
            if (settle(self, &word, WEFT_WAIT_SLEEPING))
                weft_parker_wait(&self->parker, word, WEFT_INSTANT_NEVER);
        }
    }
    errno = saved;
    atomic_store_explicit(&self->parker.word, WEFT_WAIT_IDLE, memory_order_relaxed);
}
