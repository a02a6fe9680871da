/* SPDX-License-Identifier: MIT */
/*
 * fork: what a copy of the process must know.
 *
 * The generation changes in each child; handles carry the one they were made in, and answer
 * WEFT_EFORKED in another. The prepare handler takes every lock of a global (buckets, pools) in a
 * fixed order, so that the child finds them free and whole; handles' own locks are simply dead with
 * their handles. Registered with pthread_atfork once, before the first such lock is taken.
 */
#ifndef WEFT_CORE_FORK_H
#define WEFT_CORE_FORK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

extern uint32_t weft_fork_generation; /* changed only in a child's single thread */

/* What a module needs around a fork: static, registered at its first use, never removed. Prepared
 * in reverse order. */
typedef struct weft_fork_hooks {
    void (*prepare)(void);
    void (*parent)(void);
    void (*child)(void);
    struct weft_fork_hooks *next; /* this and the rest are fork.c's own */
    _Atomic bool listed;
} weft_fork_hooks;

void weft_fork_register_slow(weft_fork_hooks *hooks);

/* Idempotent. To be called before the lock is taken that the hooks take, and not under it: a fork
 * takes the list of hooks first. Nothing of weft may have been used before: this installs the
 * handlers, too. */
static inline void weft_fork_register(weft_fork_hooks *hooks)
{
    /* acquire: whoever sees it listed may be forked */
    if (!atomic_load_explicit(&hooks->listed, memory_order_acquire))
        weft_fork_register_slow(hooks);
}

/* Installs the pthread_atfork handlers; idempotent. false: no memory. */
bool weft_fork_install(void);

#endif
