/* SPDX-License-Identifier: MIT */
/*
 * poller: one thread waits for many descriptors.
 *
 * Reports are edges: after a direction of a descriptor has been reported, it is reported again only
 * after weft_poller_rearm, or weft_poller_set, for that direction; an implementation may report
 * more often (a report is a hint: try, and wait again on EAGAIN). weft_poller_set looks at the
 * descriptor anew: what is ready now is reported by the next wait. A broken descriptor is reported
 * in both directions, whatever the interest.
 *
 * A registration is removed before its descriptor is closed: a closed one may still be reported,
 * under its old token. A report that is under way while another thread changes or removes a
 * registration may carry the old token, too; so tokens name what is not freed at once.
 *
 * poller_epoll.c: edge-triggered epoll, one epoll_ctl in the life of a registration, rearm costs
 * nothing.  poller_poll.c: an array for poll(2); reported directions are masked until rearmed.
 */
#ifndef WEFT_PLATFORM_POLLER_H
#define WEFT_PLATFORM_POLLER_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/clock.h"

enum {
    WEFT_POLLER_IN = 1,  /* readable, or at its end, or broken: reading will not block */
    WEFT_POLLER_OUT = 2, /* writable, or broken: writing will not block */
};

typedef struct weft_poller weft_poller;

typedef struct weft_poller_event {
    uint64_t token; /* as given to weft_poller_set */
    uint32_t ready; /* WEFT_POLLER_IN | WEFT_POLLER_OUT */
} weft_poller_event;

/* Errors: -ENOMEM, -EMFILE, -ENFILE. */
int weft_poller_open(weft_poller **poller);

/* NULL is allowed. Registered descriptors stay open. */
void weft_poller_close(weft_poller *poller);

/* A descriptor that is readable when weft_poller_wait would not wait, to embed this poller in
 * another loop. Errors: -ENOTSUP (poll has none). */
int weft_poller_fd(const weft_poller *poller);

/* Registers fd for `interest`, or changes interest and token of a registration; 0 removes it (which
 * is no error where there is none, or where fd is closed already). Any thread, also while the owner
 * waits. Errors: -EBADF, -ENOMEM, -ENOSPC, -EPERM (a regular file: it never waits). */
int weft_poller_set(weft_poller *poller, int fd, uint32_t interest, uint64_t token);

/* The directions given may be reported again. Owner's thread only. */
void weft_poller_rearm(weft_poller *poller, int fd, uint32_t directions);

/* Whether what makes a descriptor ready once more is reported, though it has been ready all the
 * while and nothing was rearmed. */
bool weft_poller_sees_edges(const weft_poller *poller);

/* Fills up to `room` (> 0) events and returns how many; 0 at the deadline, on EINTR, and rarely for
 * no cause: callers look at the clock. WEFT_INSTANT_NOW does not wait. Owner's thread only. Errors:
 * -EINVAL, -ENOMEM. */
int weft_poller_wait(weft_poller *poller, weft_poller_event *events, int room,
                     weft_instant deadline);

#endif
