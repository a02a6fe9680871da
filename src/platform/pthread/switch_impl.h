/* SPDX-License-Identifier: MIT */
/*
 * switch_impl, pthread: a parked place is a thread that sleeps on a condition.
 */
#ifndef WEFT_PLATFORM_PTHREAD_SWITCH_IMPL_H
#define WEFT_PLATFORM_PTHREAD_SWITCH_IMPL_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

/* Whether each stack is a thread of the system, with a mask of its own. */
enum { WEFT_SWITCH_IS_THREAD = 1 };

typedef struct weft_switch_impl {
    bool ready;           /* lock and condition are initialised */
    bool has_thread;      /* a pthread of its own stands behind it */
    pthread_mutex_t lock; /* guards the four below */
    pthread_cond_t changed;
    bool turn; /* somebody has switched here */
    bool quit; /* the pthread is to end */
    struct weft_switch *(*entry)(void *arg);
    void *arg;
    pthread_t thread;
    sigset_t mask; /* of the thread whose stacks they are; in that one nearly all is blocked */
} weft_switch_impl;

void weft_switch_impl_to(weft_switch_impl *from, weft_switch_impl *to);

#endif
