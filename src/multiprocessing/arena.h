/* SPDX-License-Identifier: MIT */
/*
 * arena: the memory that a family of processes has at one address.
 *
 * Reserved at the first use of anything shared, inherited by every fork after that. It holds a
 * header, a table of the family's processes and a heap. Whatever is in it may be left half done by
 * a process that is killed, so everything here is written so that each change becomes valid by one
 * store, and every lock names the process that holds it.
 *
 * A process is known by its id: the number of its slot in the table and the slot's generation, 30
 * bits. It lives as long as it holds a record lock on the slot's byte of a file that exists for
 * this purpose: the system drops the lock at the process's end, however it ends, before its parent
 * has reaped it, and whatever happens to its pid.
 */
#ifndef WEFT_MULTIPROCESSING_ARENA_H
#define WEFT_MULTIPROCESSING_ARENA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/multiprocessing.h>

#include "core/shared.h"
#include "core/wait.h"

enum {
    WEFT_SLOT_BITS = 12,
    WEFT_SLOTS = 1 << WEFT_SLOT_BITS,
    WEFT_GENERATION_BITS = 30 - WEFT_SLOT_BITS,
    WEFT_NOBODY = 1 << WEFT_SLOT_BITS, /* the id of a process that found no slot: never seen dead */
    WEFT_SIZE_CLASSES = 40,
};

#define WEFT_ROBUST_WAITERS (UINT32_C(1) << 30) /* in a robust lock's word */

/* A process of the family. */
typedef struct weft_process_slot {
    _Atomic uint32_t word;    /* generation << 2 | state */
    _Atomic int32_t pid;      /* for messages */
    _Atomic uint32_t listens; /* counted in weft_arena.listeners */
    uint32_t reserved;
} weft_process_slot;

/* Offsets are from the arena's start; 0 is none. */
typedef struct weft_heap_state {
    _Alignas(64) _Atomic uint32_t lock; /* robust */
    _Atomic uint64_t end; /* of the last run; beyond it nothing is valid: growth commits here */
    uint64_t begin;       /* the first run */
    /* Derived from the runs, rebuilt when a holder of the lock died: */
    uint64_t partial[WEFT_SIZE_CLASSES]; /* slabs with a free place, by class */
    uint64_t free;                       /* runs that are free */
} weft_heap_state;

typedef struct weft_arena {
    uint64_t magic;
    uint64_t size; /* of addresses */
    uint64_t secret;
    _Atomic uint32_t next_slot; /* where the search for a free one begins */
    /* Changed whenever a shared word is woken while somebody listens: what the helper threads of
     * all processes sleep on. */
    _Alignas(64) _Atomic uint32_t doorbell;
    _Atomic uint32_t listeners;
    weft_heap_state heap;
    _Alignas(64) weft_process_slot slots[WEFT_SLOTS]; /* 0 is not used */
} weft_arena;

/* Makes the arena, once. Errors: -ENOMEM, -EMFILE, -ENOSPC, WEFT_ESHARED_ADDRESS, with a message.
 */
int weft_arena_ensure(void);

/* NULL before there is one. */
static inline weft_arena *weft_arena_get(void)
{
    return (weft_arena *)weft_shared_base;
}

/* Makes the bytes [0, size) real. Under the heap's lock. Errors: -ENOSPC, -ENOMEM, -EFBIG. */
int weft_arena_grow(uint64_t size);

/*
 * Reserves an id for the process that the calling thread forks next; 0: no arena, no need. It is
 * the child's from its first instruction. Errors: -EAGAIN: as many processes as there are slots.
 */
int weft_arena_claim(uint32_t *id);

/* The child of that id is dead, or was never born (then the calling thread's claim ends). */
void weft_arena_disclaim(uint32_t id);

bool weft_arena_alive(uint32_t id);

/* ---- memory (arena_alloc.c) */

/* Not zeroed; 16-aligned, 64-aligned where the size is a multiple of 64. NULL: no memory, with a
 * message. */
void *weft_arena_alloc(size_t size);

/* NULL is allowed. Errors: -EINVAL: not the start of a block that is allocated. */
int weft_arena_free(void *memory);

/* How large the block may be used. */
size_t weft_arena_room(const void *memory);

/* Walks the heap and compares it with what is derived from it. Errors: -EINVAL, with a message that
 * says what is wrong. *used: bytes of blocks that are allocated. */
int weft_arena_check(uint64_t *used);

/* Called by weft_arena_ensure on the fresh arena; the first bytes are real up to `real`. */
void weft_arena_heap_init(weft_arena *arena, uint64_t begin, uint64_t real);

/* ---- locks and waits (shared_sync.c) */

/*
 * A lock in the arena that survives its holder; for short sections that do not wait. 0, or 1: its
 * last holder died in the section, put things right.
 */
int weft_robust_acquire(_Atomic uint32_t *lock);
void weft_robust_release(_Atomic uint32_t *lock);

/* The hooks of core/shared.h. */
int weft_shared_sync_wait(const _Atomic uint32_t *word, uint32_t expected, uint32_t owner,
                          weft_instant deadline);
int weft_shared_sync_wait_firmly(const _Atomic uint32_t *word, uint32_t expected, uint32_t owner);
void weft_shared_sync_wake(const _Atomic uint32_t *word, uint32_t count);

/*
 * For waits that a thread cannot sleep out on the word: links the waiter, which has been
 * published, or 1: the word is not `expected` any more. It is notified when the word has changed;
 * afterwards, or to give up, delist. Uses the waiter's address and tag. Errors: -EAGAIN: no helper
 * thread.
 */
int weft_shared_sync_enlist(weft_waiter *waiter, const _Atomic uint32_t *word, uint32_t expected);
void weft_shared_sync_delist(weft_waiter *waiter);

/* Registers what shared_sync needs around forks and at the shutdown. */
void weft_shared_sync_install(void);

#endif
