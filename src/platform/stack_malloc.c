/* SPDX-License-Identifier: MIT */
/*
 * stack, malloc: the control block alone.
 *
 * Where each coroutine is a pthread, its frames, and the guard below them, are that pthread's. What
 * is left is the control block, in memory that is type-stable: a released block goes to a free list
 * and is freed only by weft_stack_trim. One mutex guards the list.
 */
#include "platform/stack.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>

#include "core/memory.h"

enum {
    ALIGNMENT = 64,
    ORDER_FIRST = 14, /* log2 of WEFT_STACK_SMALLEST */
    ORDER_LAST = 30,
};

/* Before the control block, in the same allocation. */
typedef struct block {
    struct block *next; /* in the pool */
    void *memory;       /* as weft_calloc gave it */
} block;

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static block *pool;

static block *make_block(void)
{
    char *memory = weft_calloc(1, sizeof(block) + ALIGNMENT + WEFT_STACK_CONTROL);
    if (memory == NULL)
        return NULL;
    size_t past = ((uintptr_t)memory + sizeof(block)) % ALIGNMENT;
    char *control = memory + sizeof(block) + (past > 0 ? ALIGNMENT - past : 0);
    block *b = (block *)(void *)control - 1;
    b->memory = memory;
    return b;
}

static size_t order_of(size_t size)
{
    size_t order = ORDER_FIRST;
    while (order <= ORDER_LAST && (size_t)1 << order < size)
        order++;
    return order;
}

int weft_stack_acquire(weft_stack *stack, size_t size, bool unguarded)
{
    (void)unguarded;
    size_t order = order_of(size);
    if (order > ORDER_LAST)
        return -EINVAL;

    pthread_mutex_lock(&pool_lock);
    block *b = pool;
    if (b != NULL)
        pool = b->next;
    pthread_mutex_unlock(&pool_lock);

    if (b == NULL)
        b = make_block();
    if (b == NULL)
        return -ENOMEM;
    size = (size_t)1 << order;
    *stack = (weft_stack){.size = size, .slot = size, .control = b + 1, .guarded = true};
    return 0;
}

void weft_stack_release(const weft_stack *stack)
{
    block *b = (block *)stack->control - 1;
    pthread_mutex_lock(&pool_lock);
    b->next = pool;
    pool = b;
    pthread_mutex_unlock(&pool_lock);
}

void weft_stack_trim(void)
{
    pthread_mutex_lock(&pool_lock);
    while (pool != NULL) {
        block *b = pool;
        pool = b->next;
        weft_dealloc(b->memory);
    }
    pthread_mutex_unlock(&pool_lock);
}

void weft_stack_before_fork(void)
{
    pthread_mutex_lock(&pool_lock);
}

void weft_stack_after_fork(void)
{
    pthread_mutex_unlock(&pool_lock);
}
