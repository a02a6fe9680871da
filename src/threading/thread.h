/* SPDX-License-Identifier: MIT */
/*
 * thread: the record of a thread, and the list of all.
 */
#ifndef WEFT_THREADING_THREAD_H
#define WEFT_THREADING_THREAD_H

#include <weft/threading.h>

#include <pthread.h>

#include "core/fork.h"
#include "core/job.h"

/* Of the OS thread. */
enum {
    WEFT_THREAD_CREATED, /* its ids are not known yet */
    WEFT_THREAD_STARTED,
    WEFT_THREAD_JOINING,
    WEFT_THREAD_GONE,
};

struct weft_thread {
    weft_job job;          /* first */
    pthread_t pthread;     /* written by the thread before it does anything else */
    int64_t native_id;     /* likewise */
    weft_context *context; /* made by who starts it */
    uint64_t ident;        /* written when it is listed */
    bool daemon;
    bool foreign; /* not started by weft: nothing to join */
    /* WEFT_THREAD_...; from STARTED to JOINING under the handle's lock, under which it is signalled
     */
    _Atomic uint32_t exit;
    bool calls_back;            /* there were callbacks when it was done; written before that */
    weft_event called_back;     /* then: they have returned */
    weft_event gone;            /* its OS thread is: for those who join beside the first one */
    weft_link link;             /* in weft_threads.all */
    weft_fn *timed;             /* a timer's: what runs when it is `due`; else NULL */
    weft_instant due;           /* of a timer */
    _Atomic uint32_t countdown; /* of a timer: timer.c */
    _Alignas(16) unsigned char inside[];
};

typedef struct weft_thread_list {
    weft_ilock lock; /* guards all that follows but main_known */
    weft_list all;   /* the oldest first; main, if it is known, before all */
    weft_thread *main;
    bool main_adopted; /* `main` belongs to the main thread's context; else to this list */
    uint64_t idents;
    /* Where the system does not tell who is main, the first that asked has been. Without the lock,
     * which must not be taken before a fork takes it. */
    _Atomic bool main_known;
} weft_thread_list;

extern weft_thread_list weft_threads;
extern const weft_kind weft_thread_kind;

/* A record with one reference, not listed. NULL with the failure in *r. */
weft_thread *weft_thread_new(weft_fn *fn, const void *arg, size_t arg_size, int *r);

/* Starts what weft_thread_new has made, and takes its reference in any case; *out as in
 * weft_thread_start. */
int weft_thread_launch(weft_thread *thread, weft_thread **out, const weft_thread_options *options);

void weft_thread_list_add(weft_thread *thread);

/* As the main thread's record, whose reference goes to that thread's context (adopted) or to the
 * list. Where there is one already, this one is dropped. Returns the one there is. */
weft_thread *weft_thread_list_add_main(weft_thread *thread, bool adopted);

/* A reference, unless the record is at its end. The list's lock is held. */
bool weft_thread_try_hold(weft_thread *thread);

/* The context of the OS thread that runs the caller. NULL: no memory. */
weft_context *weft_thread_context(void);

/* A thread that weft did not start ends, or weft does. */
void weft_thread_end_foreign(weft_context *context);

/* weft ends: the record that was made for a main thread that never asked for it. */
void weft_thread_forget_main(void);

/* Its function has failed: tells the hook. In the thread itself, before it is done. */
void weft_thread_report(weft_thread *thread);

#endif
