/* SPDX-License-Identifier: MIT */
/*
 * iowait: waits for a descriptor, in a thread by poll, in a coroutine by its runner's poller.
 *
 * A weft_io is a descriptor that belongs to weft (a stream's, a server's, a child's): it is
 * registered once with the first runner that waits for it, its edges are kept, and closing it wakes
 * whoever waits before the number can be used again. A bare fd is the host's: it is looked at anew
 * for each wait, and not kept.
 */
#ifndef WEFT_CORE_IOWAIT_H
#define WEFT_CORE_IOWAIT_H

#include <weft/handle.h>

#include "core/ilock.h"
#include "core/wait.h"

struct weft_runner;

typedef struct weft_io {
    int fd;
    uint64_t id;     /* of this use of the number */
    weft_ilock lock; /* guards what follows */
    bool closed;
    uint32_t users;             /* calls that use fd now: the last one closes it */
    weft_list waiters;          /* who waits for it: woken by the close */
    struct weft_runner *runner; /* registered there; NULL: nowhere */
    weft_link link;             /* among all that are open */
} weft_io;

/* fd is moved in; it is non-blocking and close-on-exec. */
void weft_io_init(weft_io *io, int fd);

/* A pipe, close-on-exec, both of whose ends block: both are open here before a fork can see them.
 * Errors: -EMFILE, -ENFILE. */
int weft_io_pipe(weft_io *reads, weft_io *writes);

/* Brackets a call that uses io->fd, so that a close by another context waits for its end. Errors:
 * -EBADF: closed. */
int weft_io_enter(weft_io *io);
void weft_io_leave(weft_io *io);

/* Inside enter/leave. Waits until reading (WEFT_READABLE) or writing (WEFT_WRITABLE) may not block;
 * a hint: try, and wait again on EAGAIN. 0. Errors: -ETIMEDOUT, -ECANCELED, -EBADF: closed
 * meanwhile, -ENOMEM. */
int weft_io_wait(weft_io *io, uint32_t interest, weft_instant deadline);

/* The id for a weft_fd_wait of the running context: io->id where its runner keeps the registration,
 * else 0. io->lock is held. */
uint64_t weft_io_registration(weft_io *io, const weft_context *self);

/* For a wait for several: as weft_io_enter, and fills *fd for the running context. False: closed.
 * The wait is followed by weft_io_leave. A close marks and keeps the number until then, and wakes
 * only those in `waiters`: whoever waits otherwise is to be notified after it. */
bool weft_io_enter_wait(weft_io *io, uint32_t interest, const weft_context *self, weft_fd_wait *fd);

/* Wakes all who wait (they return -EBADF); the descriptor is closed when the last has left. Once;
 * later calls do nothing. */
void weft_io_close(weft_io *io);

/* Takes the descriptor out instead of closing it: it is the caller's. -EBADF: closed. -EBUSY: in
 * use. */
int weft_io_take(weft_io *io);

/* In the child of a fork that weft made: closes its copies of the parent's descriptors, or a
 * connection that the parent closes would stay open for its peer. */
void weft_io_close_inherited(void);

/* As weft_io_wait for a descriptor of somebody else's. */
int weft_fd_wait_for(int fd, uint32_t interest, weft_instant deadline);

#endif
