/* SPDX-License-Identifier: MIT */
/*
 * shared: how a value learns that its memory is shared by processes, and waits then.
 *
 * A primitive is process-shared because of where it lives: slow paths compare its address with the
 * arena. Everything behind that is multiprocessing's, which fills the table in when the arena comes
 * to be; before, nothing is shared.
 */
#ifndef WEFT_CORE_SHARED_H
#define WEFT_CORE_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/clock.h"

typedef struct weft_shared_hooks {
    /*
     * Waits (thread or coroutine) while *word == expected, in slices so that the death of `owner`
     * (an id as below; 0: none) is noticed. 0: look again. Errors: -ETIMEDOUT, -ECANCELED,
     * -EOWNERDEAD: the process of that id is dead.
     */
    int (*wait)(const _Atomic uint32_t *word, uint32_t expected, uint32_t owner,
                weft_instant deadline);
    /* The same without limit, scopes, cancel and signal handlers, which are left for the next wait:
     * to take back a lock. In a context that has waited before. 0: look again. Errors:
     * -EOWNERDEAD; others: it could not wait. */
    int (*wait_firmly)(const _Atomic uint32_t *word, uint32_t expected, uint32_t owner);
    void (*wake)(const _Atomic uint32_t *word, uint32_t count);
    bool (*alive)(uint32_t owner);
    void *(*alloc)(size_t size); /* in the arena; NULL with a message */
    int (*free)(void *memory);
} weft_shared_hooks;

extern weft_shared_hooks weft_shared;

/* The arena: [base, base + size); 0, 0 before there is one. */
extern uintptr_t weft_shared_base;
extern uintptr_t weft_shared_size;

/* Sets them. Base before size, and read the other way round: a reader in between sees no arena. */
static inline void weft_shared_place(uintptr_t base, uintptr_t size)
{
    if (size == 0)
        __atomic_store_n(&weft_shared_size, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&weft_shared_base, base, __ATOMIC_RELAXED);
    __atomic_store_n(&weft_shared_size, size, __ATOMIC_RELEASE);
}

/* This process's id, which a lock's word holds: bits 0 to 29 (bit 30 and 31 are the word's own). 1
 * before there is an arena; slot and generation after. Changed in a forked child before it runs
 * anything. */
extern _Atomic uint32_t weft_process_id;

static inline bool weft_is_shared(const volatile void *address)
{
    uintptr_t size = __atomic_load_n(&weft_shared_size, __ATOMIC_ACQUIRE);
    return (uintptr_t)address - __atomic_load_n(&weft_shared_base, __ATOMIC_RELAXED) < size;
}

#endif
