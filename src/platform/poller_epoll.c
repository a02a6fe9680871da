/* SPDX-License-Identifier: MIT */
/*
 * Edge-triggered epoll (Gammo, Brecht et al.: "Comparing and Evaluating epoll, select, and poll",
 * 2004).
 *
 * The kernel keeps everything: a registration's token is the 64 bits of its epoll_data, and an edge
 * that was reported is gone, so rearm has nothing to do and this file has no table and no lock.
 * Registering is one epoll_ctl(ADD), also for the number of a closed descriptor, which the kernel
 * has forgotten; only a change of a living registration costs a second call. ADD and MOD both look
 * at the descriptor, so that what is ready now is an edge.
 *
 * Any thread may call epoll_ctl while the owner is in epoll_wait. That the owner who gets a token
 * also sees what was written before it was set is so through the kernel; `published` says it in the
 * language's terms, and to race detectors.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "platform/poller.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/memory.h"

struct weft_poller {
    int fd;
    bool coarse;                /* owner only: the kernel takes no deadlines finer than 1 ms */
    _Atomic uint32_t published; /* counts calls of set: release there, acquire in wait */
};

/* The kernel fills the caller's array before it is widened in place. */
_Static_assert(sizeof(struct epoll_event) <= sizeof(weft_poller_event), "widening goes upwards");

int weft_poller_open(weft_poller **poller)
{
    *poller = NULL;
    weft_poller *self = weft_calloc(1, sizeof *self);
    if (self == NULL)
        return -ENOMEM;
    self->fd = epoll_create1(EPOLL_CLOEXEC);
    if (self->fd < 0) {
        int r = -errno;
        weft_dealloc(self);
        return r;
    }
    *poller = self;
    return 0;
}

void weft_poller_close(weft_poller *poller)
{
    if (poller == NULL)
        return;
    (void)close(poller->fd);
    weft_dealloc(poller);
}

int weft_poller_fd(const weft_poller *poller)
{
    return poller->fd;
}

static int remove_registration(weft_poller *poller, int fd)
{
    struct epoll_event none = {0};
    if (fd < 0)
        return -EBADF;
    if (epoll_ctl(poller->fd, EPOLL_CTL_DEL, fd, &none) == 0)
        return 0;
    /* ENOENT: never registered; EPERM: never could be; EBADF: closed, which removed it. */
    return errno == ENOENT || errno == EPERM || errno == EBADF ? 0 : -errno;
}

int weft_poller_set(weft_poller *poller, int fd, uint32_t interest, uint64_t token)
{
    if (interest == 0)
        return remove_registration(poller, fd);

    struct epoll_event event = {.events = EPOLLET, .data = {.u64 = token}};
    if (interest & WEFT_POLLER_IN)
        event.events |= EPOLLIN | EPOLLRDHUP;
    if (interest & WEFT_POLLER_OUT)
        event.events |= EPOLLOUT;

    /* Release: pairs with the acquire in wait, which follows the event that epoll_ctl makes
     * possible. */
    atomic_fetch_add_explicit(&poller->published, 1, memory_order_release);
    if (epoll_ctl(poller->fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return 0;
    if (errno == EEXIST && epoll_ctl(poller->fd, EPOLL_CTL_MOD, fd, &event) == 0)
        return 0;
    return -errno;
}

bool weft_poller_sees_edges(const weft_poller *poller)
{
    (void)poller;
    return true;
}

void weft_poller_rearm(weft_poller *poller, int fd, uint32_t directions)
{
    (void)poller;
    (void)fd;
    (void)directions;
}

/* epoll_wait, but to the nanosecond where the kernel can (Linux 5.11). */
static int wait_until(weft_poller *poller, struct epoll_event *events, int room,
                      weft_instant deadline)
{
#ifdef SYS_epoll_pwait2
    if (deadline != WEFT_INSTANT_NEVER && deadline > WEFT_INSTANT_NOW && !poller->coarse) {
        weft_instant now = weft_instant_now();
        weft_instant left = deadline > now ? deadline - now : 0;
        /* Two 64-bit words on every machine, unlike struct timespec. */
        const int64_t timeout[2] = {left / 1000000000, left % 1000000000};
        long n = syscall(SYS_epoll_pwait2, poller->fd, events, room, timeout, NULL, (size_t)0);
        if (n >= 0 || (errno != ENOSYS && errno != EPERM)) /* EPERM: an old sandbox's word for it */
            return (int)n;
        poller->coarse = true;
    }
#endif
    return epoll_wait(poller->fd, events, room, weft_instant_poll_timeout(deadline));
}

static uint32_t directions(uint32_t events)
{
    uint32_t ready = 0;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        ready |= WEFT_POLLER_IN;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        ready |= WEFT_POLLER_OUT;
    return ready;
}

int weft_poller_wait(weft_poller *poller, weft_poller_event *events, int room,
                     weft_instant deadline)
{
    enum { MOST = INT_MAX / (int)sizeof(weft_poller_event) };
    char *raw = (char *)events;
    int n =
        wait_until(poller, (struct epoll_event *)(void *)raw, room < MOST ? room : MOST, deadline);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    (void)atomic_load_explicit(&poller->published, memory_order_acquire);

    /* From the last to the first: the i-th wide one begins where the i-th narrow one does, or
     * later. */
    for (int i = n - 1; i >= 0; i--) {
        struct epoll_event event;
        memcpy(&event, raw + (size_t)i * sizeof event, sizeof event);
        events[i] = (weft_poller_event){.token = event.data.u64, .ready = directions(event.events)};
    }
    return n;
}
