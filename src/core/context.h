/* SPDX-License-Identifier: MIT */
/*
 * context: whoever runs now, an OS thread or a coroutine.
 *
 * Each has one atomic wait word (parker.word), through which every wait in the library goes; wait.h
 * has the protocol. Contexts are type-stable: their memory stays a context's until weft_shutdown,
 * so that a wake-up that comes late touches live memory and is seen as spurious.
 */
#ifndef WEFT_CORE_CONTEXT_H
#define WEFT_CORE_CONTEXT_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "core/ilock.h"
#include "platform/parker.h"
#include "platform/switch.h"
#include "platform/wakeup.h"

struct weft_runner;
struct weft_job;
struct weft_thread;

/* A scope of weft_timeout_begin. */
typedef struct weft_scope {
    weft_instant deadline;
    uint32_t fired; /* it has ended a wait, as part of that firing of the context's; 0: not yet */
    bool asked;     /* a cancel had been asked for before it was opened */
} weft_scope;

enum { WEFT_SCOPES_INLINE = 2 };

typedef struct weft_scopes {
    weft_instant nearest; /* of those that have not fired; WEFT_INSTANT_NEVER: none */
    uint32_t firings;
    bool fired_last;      /* the last wait that ended with -ECANCELED was ended by a scope */
    uint32_t count, room; /* room > WEFT_SCOPES_INLINE: `many` is used */
    weft_scope few[WEFT_SCOPES_INLINE];
    weft_scope *many; /* owned */
} weft_scopes;

enum {
    WEFT_CANCEL_PENDING = 1, /* to be delivered by the present or next wait, once */
    WEFT_CANCEL_ASKED = 2,   /* stays: weft_cancelled() */
};

typedef struct weft_context {
    weft_parker parker;         /* its word is the wait word */
    _Atomic uint32_t cancel;    /* WEFT_CANCEL_… */
    weft_ilock canceller;       /* held from marking `cancel` to trying the wait word */
    bool coroutine;             /* never changes */
    bool main;                  /* the thread that runs signal handlers */
    uint32_t id;                /* tells it from all others; 0: not drawn yet */
    struct weft_runner *runner; /* a coroutine's; a thread's while it runs one, else NULL */
    struct weft_context *next;  /* in a runner's ready queue or inbox; in the pool */
    struct weft_job *job;       /* the weft_fn that runs */
    struct weft_handle *who;    /* the thread, task or process that runs here; may be NULL */
    struct weft_thread *thread; /* threads: their weft_thread (may be NULL until asked for) */
    /* threads: the word in shared memory on which it sleeps now: a cancel wakes its sleepers */
    _Atomic(const _Atomic uint32_t *) shared_word;
    _Atomic(struct weft_runner *) runs; /* threads: as runner, for those who cancel the thread */
    void *locals;                       /* of weft_local, owned by threading/local */
    weft_failure failure;
    weft_scopes scopes;
    weft_switch place;  /* where it can be taken up */
    weft_wakeup wakeup; /* threads: opened when it first sleeps in poll; else -1 */
    int handler_code;   /* main: a handler's code that came when its wait was over: ends the next */
    bool handling;      /* main: signal handlers run on top of this context */
    bool steps_back;    /* main: not on top of its present wait, which ends for them */
    /* another thread: a signal that comes to it ends its wait; read in the handler */
    volatile sig_atomic_t pausing;
} weft_context;

/* The running context; NULL until the thread has used weft. Read through weft_context_self. */
extern _Thread_local weft_context *weft_context_current __attribute__((tls_model("initial-exec")));

/* Makes the calling thread a context. NULL: no memory (message recorded nowhere). */
weft_context *weft_context_adopt(void);

/* The running context. NULL only where a thread that weft did not start finds no memory: -ENOMEM.
 */
static inline weft_context *weft_context_self(void)
{
    weft_context *self = weft_context_current;
    return self != NULL ? self : weft_context_adopt();
}

/* The runner of the running context; NULL for a thread that runs none. */
static inline struct weft_runner *weft_runner_self(void)
{
    weft_context *self = weft_context_current;
    return self != NULL ? self->runner : NULL;
}

/* The number that tells this use of a context from all others of the process, for what a context
 * owns; never 0. A thread that forks keeps its own in the child. Of the running context. */
uint32_t weft_context_draw_id(weft_context *self);

static inline uint32_t weft_context_id(weft_context *self)
{
    return self->id != 0 ? self->id : weft_context_draw_id(self);
}

/* In a child: the number of what forked it, and goes on there; 0: it had none. */
extern uint32_t weft_context_forker;

/* For a new use of the context's memory: everything but what is type-stable (parker, place,
 * wakeup). */
void weft_context_reset(weft_context *context);

/* Ends a use: frees messages, scopes, locals. */
void weft_context_clear(weft_context *context);

/* Set by threading/local: destroys what weft_local keeps in a context, of which there is some. */
extern void (*weft_context_clear_locals)(weft_context *context);

/* What runs in the context has ended: in it, as long as it can run. */
static inline void weft_context_end_locals(weft_context *context)
{
    if (context->locals != NULL)
        weft_context_clear_locals(context);
}

/* Set by threading/thread: the thread of the context ends, and with it what `thread` refers to. */
typedef void weft_context_ends_fn(weft_context *context);
extern weft_context_ends_fn *_Atomic weft_context_thread_ends;

/* A context beside the running one, for code that runs on top of a wait (signal handlers): from the
 * pool. */
weft_context *weft_context_acquire(void);
void weft_context_release(weft_context *context);

/* The calling thread, which has none, runs in one that was acquired for it, so that it cannot lack
 * it. False: the thread must call weft_context_end before its end. */
bool weft_context_begin(weft_context *context);
void weft_context_end(weft_context *context);

/* weft_shutdown: gives the pool back. */
void weft_context_trim(void);

#endif
