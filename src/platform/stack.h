/* SPDX-License-Identifier: MIT */
/*
 * stack: memory for coroutines, guarded and pooled.
 *
 * A stack comes with a control block: WEFT_STACK_CONTROL bytes where the coroutine's own record
 * lives. In the mmap implementation it is the top of the stack itself, so that a parked coroutine
 * costs one page. Control blocks are type-stable: never unmapped before weft_stack_trim, so that a
 * late wake-up of a coroutine that has ended touches live memory. A control block that comes from
 * the pool keeps the bytes that its last user left in it; one that has never been used is zeroed.
 *
 * stack_mmap.c: slabs of 64 MiB cut into slots, MADV_GUARD_INSTALL tried at run time, else
 * mprotect.  stack_malloc.c: the control block alone; frames lie on the stacks of pthreads.
 */
#ifndef WEFT_PLATFORM_STACK_H
#define WEFT_PLATFORM_STACK_H

#include <stdbool.h>
#include <stddef.h>

enum {
    WEFT_STACK_CONTROL = 1024,   /* bytes, 64-aligned */
    WEFT_STACK_SMALLEST = 16384, /* sizes are rounded up to a power of two from here */
};

typedef struct weft_stack {
    void *low;   /* lowest usable address; NULL where the switch brings its own frames */
    size_t size; /* usable bytes from low to the control block; the size class where low is NULL */
    void *control; /* the control block */
    size_t slot;   /* the size class in bytes */
    bool guarded;
} weft_stack;

/* `size` is address space for frames, guard and control block together; the least is
 * WEFT_STACK_SMALLEST, or four pages where that is more. Errors: -ENOMEM; -EAGAIN: no guard
 * could be set any more (raise vm.max_map_count) and `unguarded` does not allow to do without;
 * -EINVAL: size above 1 GiB. */
int weft_stack_acquire(weft_stack *stack, size_t size, bool unguarded);

/* To the pool. The contents of the control block stay; other pages may be given to the system. */
void weft_stack_release(const weft_stack *stack);

/* Unmaps every pooled slab in which no stack is in use. At shutdown only. */
void weft_stack_trim(void);

/* Around a fork, in the forking thread: the pool is locked before it, and free after it in both. */
void weft_stack_before_fork(void);
void weft_stack_after_fork(void);

#endif
