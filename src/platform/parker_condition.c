/* SPDX-License-Identifier: MIT */
/*
 * The parker in plain POSIX: the futex's lock made visible.
 *
 * The owner compares the word and goes to sleep under `lock`, which a wake takes between its
 * change of the word and its signal: either the owner sees the change, or it sleeps already and
 * gets the signal.
 *
 * A handler may neither lock nor signal a condition, so an owner that allows signals sleeps in poll
 * on a pipe from then on, and every wake writes the pipe. There the order is: the waker changes the
 * word and writes; the owner looks at the word and polls. A change after the look leaves a byte
 * that ends the poll, and is taken out only after that; so the next look sees the change. A byte
 * that nobody slept for costs one return without cause.
 *
 * `polls` is read and set under the lock. A waker that found it false has changed the word before
 * the owner set it, so the owner, who took the lock later, sees the change when it looks.
 */
#include "platform/parker.h"

#include <errno.h>
#include <poll.h>

int weft_parker_init(weft_parker *parker)
{
    weft_parker_impl *impl = &parker->impl;
    pthread_condattr_t monotonic;
    atomic_init(&parker->word, 0);
    impl->polls = false;
    impl->wakeup = (weft_wakeup){.read_fd = -1, .write_fd = -1};

    int r = pthread_condattr_init(&monotonic);
    if (r != 0)
        return -r;
    r = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    if (r == 0)
        r = pthread_cond_init(&impl->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (r != 0)
        return -r;
    r = pthread_mutex_init(&impl->lock, NULL);
    if (r != 0)
        (void)pthread_cond_destroy(&impl->changed);
    return -r;
}

void weft_parker_destroy(weft_parker *parker)
{
    weft_wakeup_close(&parker->impl.wakeup);
    (void)pthread_cond_destroy(&parker->impl.changed);
    (void)pthread_mutex_destroy(&parker->impl.lock);
}

/* A late waker of the parent's may have held the lock. The pipe is the parent's, too: a byte that
 * is written or taken here would be his. */
void weft_parker_renew(weft_parker *parker)
{
    weft_wakeup_close(&parker->impl.wakeup);
    (void)weft_parker_init(parker); /* has not failed before, with the same attributes */
}

/* Acquire: what the waker wrote before it changed the word is seen by who returns on the change. */
static bool changed(const weft_parker *parker, uint32_t expected)
{
    return atomic_load_explicit(&parker->word, memory_order_acquire) != expected;
}

static int wait_in_poll(weft_parker *parker, uint32_t expected, weft_instant deadline)
{
    struct pollfd wakeup = {.fd = parker->impl.wakeup.read_fd, .events = POLLIN};
    int r = poll(&wakeup, 1, weft_instant_poll_timeout(deadline));
    if (r > 0)
        weft_wakeup_drain(&parker->impl.wakeup);
    if (r != 0 || changed(parker, expected) || weft_instant_now() < deadline)
        return 0; /* EINTR too: the caller looks again */
    return -ETIMEDOUT;
}

static int wait_in_condition(weft_parker *parker, uint32_t expected, weft_instant deadline)
{
    weft_parker_impl *impl = &parker->impl;
    struct timespec until = weft_instant_timespec(deadline);
    int r = 0;
    (void)pthread_mutex_lock(&impl->lock);
    if (!changed(parker, expected)) {
        if (deadline == WEFT_INSTANT_NEVER)
            r = pthread_cond_wait(&impl->changed, &impl->lock);
        else
            r = pthread_cond_timedwait(&impl->changed, &impl->lock, &until);
    }
    (void)pthread_mutex_unlock(&impl->lock);
    return r == ETIMEDOUT && !changed(parker, expected) ? -ETIMEDOUT : 0;
}

int weft_parker_wait(weft_parker *parker, uint32_t expected, weft_instant deadline)
{
    if (changed(parker, expected))
        return 0;
    if (deadline <= WEFT_INSTANT_NOW)
        return -ETIMEDOUT;
    /* Only the owner sets polls, and the owner is who reads it here: no lock. */
    if (parker->impl.polls)
        return wait_in_poll(parker, expected, deadline);
    return wait_in_condition(parker, expected, deadline);
}

void weft_parker_wake(weft_parker *parker)
{
    weft_parker_impl *impl = &parker->impl;
    (void)pthread_mutex_lock(&impl->lock);
    bool polls = impl->polls;
    if (!polls)
        (void)pthread_cond_signal(&impl->changed);
    (void)pthread_mutex_unlock(&impl->lock);
    if (polls)
        weft_wakeup_signal(&impl->wakeup);
}

int weft_parker_allow_signals(weft_parker *parker)
{
    weft_parker_impl *impl = &parker->impl;
    if (impl->polls)
        return 0;
    int r = weft_wakeup_open(&impl->wakeup);
    if (r < 0)
        return r;
    (void)pthread_mutex_lock(&impl->lock);
    impl->polls = true;
    (void)pthread_mutex_unlock(&impl->lock);
    return 0;
}

void weft_parker_wake_from_signal(weft_parker *parker)
{
    weft_wakeup_signal(&parker->impl.wakeup); /* preserves errno */
}
