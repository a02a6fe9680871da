/* SPDX-License-Identifier: MIT */
/*
 * Waiting for descriptors, and closing them under those who wait.
 *
 * A weft_io counts the calls that use its descriptor. Closing marks it, takes it out of the poller
 * it is registered with and wakes the waiters; whoever leaves last closes the number, so it cannot
 * be given out again while somebody still polls it.
 */
#include "core/iowait.h"

#include <unistd.h>

#include "core/fork.h"
#include "core/runner.h"
#include "platform/cloexec.h"

static _Atomic uint64_t last_id;

static struct {
    weft_ilock lock;
    weft_list open; /* guarded by lock */
} registry;

static void before_fork(void)
{
    weft_ilock_acquire(&registry.lock);
}

static void after_fork(void)
{
    weft_ilock_release(&registry.lock);
}

static weft_fork_hooks fork_hooks = {
    .prepare = before_fork, .parent = after_fork, .child = after_fork};

/* Under the registry's lock. */
static void init(weft_io *io, int fd)
{
    /* relaxed: only different numbers matter */
    uint64_t id = 1 + atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed);
    *io = (weft_io){.fd = fd, .id = id};
    weft_list_append(&registry.open, &io->link);
}

void weft_io_init(weft_io *io, int fd)
{
    weft_fork_register(&fork_hooks);
    weft_ilock_acquire(&registry.lock);
    init(io, fd);
    weft_ilock_release(&registry.lock);
}

/* Made and entered under the lock: a fork that held it up would else come between the two, and take
 * as long as it likes. */
int weft_io_pipe(weft_io *reads, weft_io *writes)
{
    int fds[2];
    weft_fork_register(&fork_hooks);
    weft_cloexec_before_fork(); /* in the order of a fork */
    weft_ilock_acquire(&registry.lock);
    int r = weft_cloexec_pipe(fds);
    if (r == 0) {
        init(reads, fds[0]);
        init(writes, fds[1]);
    }
    weft_ilock_release(&registry.lock);
    weft_cloexec_after_fork();
    return r;
}

static void unregister(weft_io *io)
{
    weft_ilock_acquire(&registry.lock);
    weft_list_remove(&io->link);
    weft_ilock_release(&registry.lock);
}

void weft_io_close_inherited(void)
{
    weft_link *link;
    while ((link = weft_list_pop(&registry.open)) != NULL) {
        weft_io *io = WEFT_CONTAINER(link, weft_io, link);
        close(io->fd);
        io->fd = -1;
        io->closed = true;
    }
}

int weft_io_enter(weft_io *io)
{
    weft_ilock_acquire(&io->lock);
    bool closed = io->closed;
    if (!closed)
        io->users++;
    weft_ilock_release(&io->lock);
    return closed ? weft_error_constant(-EBADF, "it is closed") : 0;
}

static void close_number(weft_io *io)
{
    int fd = io->fd;
    unregister(io);
    io->fd = -1;
    if (fd >= 0)
        close(fd); /* never repeated: on EINTR the number is gone */
}

void weft_io_leave(weft_io *io)
{
    weft_ilock_acquire(&io->lock);
    bool last = --io->users == 0 && io->closed;
    weft_ilock_release(&io->lock);
    if (last)
        close_number(io);
}

static void forget(weft_io *io)
{
    if (io->runner != NULL)
        weft_runner_forget(io->runner, io->fd);
}

void weft_io_close(weft_io *io)
{
    weft_ilock_acquire(&io->lock);
    bool first = !io->closed;
    io->closed = true;
    if (first) {
        io->users++; /* this call's: the lock is left while the waiters are woken */
        forget(io);
    }
    weft_wait_notify_all(&io->lock, &io->waiters);
    if (first)
        weft_io_leave(io);
}

int weft_io_take(weft_io *io)
{
    weft_ilock_acquire(&io->lock);
    int fd = io->closed ? -EBADF : io->users > 0 ? -EBUSY : io->fd;
    if (fd >= 0) {
        forget(io);
        unregister(io);
        io->closed = true;
        io->fd = -1;
    }
    weft_ilock_release(&io->lock);
    return fd;
}

uint64_t weft_io_registration(weft_io *io, const weft_context *self)
{
    if (!self->coroutine)
        return 0;
    if (io->runner == NULL)
        io->runner = self->runner;
    return io->runner == self->runner ? io->id : 0;
}

bool weft_io_enter_wait(weft_io *io, uint32_t interest, const weft_context *self, weft_fd_wait *fd)
{
    weft_ilock_acquire(&io->lock);
    bool closed = io->closed;
    if (!closed) {
        io->users++;
        *fd = (weft_fd_wait){.fd = io->fd, .interest = interest};
        fd->id = weft_io_registration(io, self);
    }
    weft_ilock_release(&io->lock);
    return !closed;
}

int weft_io_wait(weft_io *io, uint32_t interest, weft_instant deadline)
{
    weft_waiter waiter;
    int r = weft_waiter_init(&waiter);
    if (r < 0)
        return r;
    weft_fd_wait fd = {.fd = io->fd, .interest = interest};
    weft_ilock_acquire(&io->lock);
    bool closed = io->closed;
    if (!closed) {
        fd.id = weft_io_registration(io, waiter.context);
        weft_wait_publish(&waiter);
        weft_list_append(&io->waiters, &waiter.link);
    }
    weft_ilock_release(&io->lock);
    if (!closed)
        r = weft_wait_sleep_fds(waiter.context, deadline, &fd, 1);
    weft_ilock_acquire(&io->lock);
    if (weft_link_linked(&waiter.link))
        weft_list_remove(&waiter.link);
    closed = io->closed;
    weft_ilock_release(&io->lock);
    if (r == WEFT_WAIT_AND_CANCEL)
        r = weft_wait_cancelled(waiter.context);
    return r == 0 && closed ? weft_error_constant(-EBADF, "it has been closed meanwhile") : r;
}

int weft_fd_wait_for(int fd, uint32_t interest, weft_instant deadline)
{
    weft_waiter waiter;
    int r = weft_waiter_init(&waiter);
    if (r < 0)
        return r;
    weft_fd_wait wait = {.fd = fd, .interest = interest};
    weft_wait_publish(&waiter);
    r = weft_wait_sleep_fds(waiter.context, deadline, &wait, 1);
    return r == WEFT_WAIT_AND_CANCEL ? weft_wait_cancelled(waiter.context) : r;
}
