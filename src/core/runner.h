/* SPDX-License-Identifier: MIT */
/*
 * runner: the thread that resumes coroutines: an event loop, or a worker of a thread pool.
 *
 * Owned by one thread; only the inbox and the sleep word are touched by others. A context that has
 * been notified by its own runner's thread goes to the ready queue; one notified from elsewhere is
 * pushed on the inbox (a lock-free stack, taken whole), and the runner is woken if it sleeps, once
 * per sleep. Runners are type-stable, as contexts are.
 */
#ifndef WEFT_CORE_RUNNER_H
#define WEFT_CORE_RUNNER_H

#include "core/context.h"
#include "core/coroutine.h"
#include "core/heap.h"
#include "core/ilock.h"
#include "core/wait.h"
#include "platform/poller.h"

typedef struct weft_runner weft_runner;

enum {
    WEFT_RUNNER_AWAKE = 0,
    WEFT_RUNNER_SLEEPING, /* in its parker */
    WEFT_RUNNER_POLLING,  /* in its poller */
};

/* What a kind of runner adds. All are called on the runner's thread, on its own stack. */
typedef struct weft_runner_hooks {
    /* No coroutine is ready (or its turn has come after many that were): gives work, as ready
     * coroutines. */
    void (*supply)(weft_runner *runner);
    /* About to sleep / awake again: a pool counts its idle workers. idle returns false when there
     * is work after all. */
    bool (*idle)(weft_runner *runner);
    void (*busy)(weft_runner *runner);
    /* The runner has said that it sleeps: whether something of the owner's has come after all. */
    bool (*pending)(weft_runner *runner);
    /* The thread has been cancelled, or the time of a scope around the runner is up. NULL: that is
     * nobody's business here. */
    void (*cancelled)(weft_runner *runner);
} weft_runner_hooks;

struct weft_runner {
    weft_context *thread;  /* the context of the thread's own stack */
    weft_context *current; /* the coroutine that runs; NULL: the thread's own stack does */
    weft_context *ready, *ready_last; /* first in, first out */
    uint32_t budget;                  /* switches left before the poller is looked at */
    weft_coroutine *ended; /* has left its stack for good, to be dealt with by whoever runs next */
    weft_coroutine *cache; /* stacks of the usual size, warm */
    uint32_t cached;
    size_t live; /* coroutines that have been started here and have not ended */
    weft_heap timers;
    weft_poller *poller;         /* NULL until a coroutine waits for a descriptor */
    weft_ilock poller_lock;      /* held to close it, and by others to remove a descriptor */
    struct weft_fd_record **fds; /* by number; owned */
    size_t fds_room;
    weft_wakeup wakeup; /* open while poller is */
    const weft_runner_hooks *hooks;
    void *owner;      /* the loop or worker */
    char padding[64]; /* what others write lies in a line of its own */
    _Atomic(weft_context *) inbox;
    weft_parker parker; /* its word is WEFT_RUNNER_...; where it sleeps while it has no poller */
    weft_runner *next_free; /* in the pool */
};

/* Takes a runner for the calling thread, which must run none. Errors, with a message: -ENOMEM,
 * -EMFILE, WEFT_EINVALID_STATE. */
int weft_runner_open(weft_runner **opened, const weft_runner_hooks *hooks, void *owner);

/* No coroutine may be live. The thread is an ordinary one again. */
void weft_runner_close(weft_runner *runner);

/*
 * One turn, on the thread's own stack: inbox, timers and descriptors, then what was ready. Sleeps
 * until `deadline` when nothing is. Errors: -ENOMEM and others of the poller.
 */
int weft_runner_turn(weft_runner *runner, weft_instant deadline);

/* Makes a coroutine's context run; from any thread. Each context is in at most one queue: only the
 * winner of its wait word, or whoever starts it, may call this. */
void weft_runner_ready(weft_runner *runner, weft_context *context);

/* Ends the runner's sleep, now or next; from any thread. */
void weft_runner_wake(weft_runner *runner);

/* The running coroutine lets the others run: it is queued behind those that are ready. */
void weft_runner_yield(weft_context *self);

/* The running coroutine leaves until its wait word has been decided; for wait.c. Errors, before it
 * has left: -ENOMEM, and those of the poller. */
int weft_runner_park(weft_context *self, weft_instant deadline, weft_fd_wait *fds, size_t count);

/* The same without deadline and descriptors. */
void weft_runner_leave(weft_context *self);

/* For coroutine.c: the coroutine has been taken up; it is at its end, and what is returned goes on.
 */
void weft_runner_arrived(weft_context *self);
weft_switch *weft_runner_exit(weft_coroutine *coroutine);

/* The two ends of waiting for a descriptor; for runner.c and runner_io.c. arm returns 1 when it is
 * ready already (fd->ready says for what). disarm(unused): what was reported is kept for the next
 * wait. */
int weft_runner_arm(weft_runner *runner, weft_fd_wait *fd);
void weft_runner_disarm(weft_runner *runner, weft_fd_wait *fd, bool unused);

/* Waits in the poller (opened if need be) and makes those ready whose descriptors are. */
int weft_runner_poll(weft_runner *runner, weft_instant deadline);
int weft_runner_open_poller(weft_runner *runner);
void weft_runner_close_poller(weft_runner *runner);

/* A descriptor that is about to be closed leaves the poller; from any thread. */
void weft_runner_forget(weft_runner *runner, int fd);

/* weft_shutdown: gives the pool back. */
void weft_runner_trim(void);

#endif
