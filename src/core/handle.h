/* SPDX-License-Identifier: MIT */
/*
 * handle: the header with which every object begins that has a life of its own.
 *
 * References: each start takes one for the caller (if he wants the handle) and one for whoever
 * completes it, so that completion may touch the handle after its waiters have gone on. The last
 * release calls kind->finalize.
 */
#ifndef WEFT_CORE_HANDLE_H
#define WEFT_CORE_HANDLE_H

#include <weft/handle.h>

#include "core/fork.h"
#include "core/ilock.h"
#include "core/wait.h"

struct weft_job;
typedef struct weft_handle weft_handle;

typedef struct weft_kind {
    const char *name;          /* "thread": in messages and descriptions */
    const char *prefix;        /* "Thread": of names that are made */
    _Atomic uint32_t *numbers; /* the counter of its prefix; NULL: of this kind alone is made by
                                  WEFT_KIND_COUNTER */
    bool runs;    /* it is what runs: its name is weft_current_name while its job does */
    bool counted; /* nobody takes a reference who has none (no list of them is gone through) */
    void (*finalize)(weft_handle *handle); /* the last reference is gone: end the activity, free */
    struct weft_job *(*job)(weft_handle *handle); /* its outcome; NULL: it has no result */
    int (*cancel)(weft_handle *handle);           /* 1 asked, 0 done; NULL: -ENOTSUP */
    /* pthread_kill: 0, or a code without a message; -ESRCH: it has ended. NULL: it is no thread. */
    int (*send_signal)(weft_handle *handle, int signum);
    /* weft_handle_set_name has given it another name; no lock held. May be NULL. */
    void (*renamed)(weft_handle *handle, const char *name);
    /* Readiness, for kinds where it is more than `done`. All or none of: */
    bool (*ready)(weft_handle *handle);
    /* Links the waiter if not ready (then 0), else 1, under the kind's own lock. */
    int (*enlist)(weft_handle *handle, weft_waiter *waiter);
    void (*delist)(weft_handle *handle, weft_waiter *waiter);
    /* Readiness that a descriptor tells: fills fd, interest, id (returns 1), or 0 where there is
     * none (any more). After the descriptor became ready, or to look, `poke` is called: it may
     * complete the handle. May be NULL. */
    int (*descriptor)(weft_handle *handle, weft_fd_wait *fd);
    /* Once after each wait with what `descriptor` gave: until then its number is held, so that it
     * stands for nothing else. NULL: the number stays as long as the handle does. */
    void (*descriptor_done)(weft_handle *handle);
    void (*poke)(weft_handle *handle);
    /* Appends the state to a description; NULL: "done"/"pending" and the result. As snprintf. */
    int (*describe)(weft_handle *handle, char *buffer, size_t size);
} weft_kind;

typedef struct weft_callback weft_callback;
typedef struct weft_name weft_name;

enum { WEFT_HANDLE_MAGIC = 0x77656674 };

struct weft_handle {
    uint32_t magic;
    _Atomic uint32_t refs;
    const weft_kind *kind;
    weft_ilock lock;       /* guards waiters, callbacks, and the job's context */
    _Atomic uint32_t done; /* set once, under lock */
    uint32_t fork_generation;
    uint32_t number; /* of a name that is made */
    weft_list waiters;
    weft_callback *callbacks; /* owned; in order */
    /* Owned; the newest first, old ones stay for those who borrowed them. Added by one store, since
     * that of a handle in shared memory may be by a process that is killed. */
    weft_name *_Atomic names;
    void *_Atomic data; /* the user's */
};

/* One reference; the number for its made name is drawn (weft_handle_rename gives it back). */
void weft_handle_init(weft_handle *handle, const weft_kind *kind);

/* What must be freed of the header; part of every finalizer, before the memory goes. */
void weft_handle_clear(weft_handle *handle);

/*
 * The check at every public entry: a live handle of this kind (NULL: any) of this process.
 * Errors: -EINVAL, WEFT_EFORKED, with a message that begins with `what`.
 */
int weft_handle_check_slowly(const void *handle, const weft_kind *kind, const char *what);

static inline int weft_handle_check(const void *handle, const weft_kind *kind, const char *what)
{
    const weft_handle *checked = handle;
    if (checked != NULL && checked->magic == WEFT_HANDLE_MAGIC &&
        (kind == NULL || checked->kind == kind) && checked->fork_generation == weft_fork_generation)
        return 0;
    return weft_handle_check_slowly(handle, kind, what);
}

/* The same for a handle that is to be waited for. Errors: also -EDEADLK, it is the running
 * function's own. */
int weft_handle_check_other(const void *handle, const weft_kind *kind, const char *what);

static inline weft_handle *weft_handle_hold(weft_handle *handle)
{
    /* relaxed: whoever adds a reference has one */
    atomic_fetch_add_explicit(&handle->refs, 1, memory_order_relaxed);
    return handle;
}

/* The same while nobody else knows the handle yet. */
static inline void weft_handle_hold_new(weft_handle *handle)
{
    /* relaxed, and no exchange: whoever hands the handle on publishes it */
    uint32_t refs = atomic_load_explicit(&handle->refs, memory_order_relaxed);
    atomic_store_explicit(&handle->refs, refs + 1, memory_order_relaxed);
}

static inline void weft_handle_drop(weft_handle *handle)
{
    /* acquire: the last one sees all uses over. Who finds itself the only one stays so, and needs
     * no exchange. release: this use is over before the count falls. */
    if (handle->kind->counted && atomic_load_explicit(&handle->refs, memory_order_acquire) == 1)
        atomic_store_explicit(&handle->refs, 0, memory_order_relaxed);
    else if (atomic_fetch_sub_explicit(&handle->refs, 1, memory_order_acq_rel) != 1)
        return;
    handle->kind->finalize(handle);
}

static inline bool weft_handle_done(const weft_handle *handle)
{
    /* acquire: the outcome was written before */
    return atomic_load_explicit(&((weft_handle *)(uintptr_t)handle)->done, memory_order_acquire) !=
           0;
}

/* Sets done, wakes the waiters, runs the callbacks. The outcome has been written. Once: false when
 * it was done. */
bool weft_handle_complete(weft_handle *handle);

/* The same with the handle's lock held, which it leaves. */
bool weft_handle_complete_locked(weft_handle *handle);

/* Wakes those who wait for a kind whose readiness is more than `done`. */
void weft_handle_notify(weft_handle *handle);

/* Names (copied; NULL: the made one). Errors: -ENOMEM. */
int weft_handle_rename(weft_handle *handle, const char *name);
const char *weft_handle_name_of(weft_handle *handle);

/* weft_wait for internal callers: the handle is held and has been checked. */
int weft_handle_wait(weft_handle *handle, weft_instant deadline);

#endif
