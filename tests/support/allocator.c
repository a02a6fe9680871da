/* SPDX-License-Identifier: MIT */
/*
 * Each block carries its size in front of it. One request number is handed out per call, so that
 * with several threads still exactly one request is the n-th.
 */
#include "support/support.h"

#include <errno.h>

#include <stdatomic.h>
#include <stdlib.h>

#include <weft/base.h>

union header {
    size_t size;
    max_align_t align;
};

static atomic_size_t blocks, bytes, requests, fail_at;
static atomic_int fail_mode;
static atomic_bool has_failed;

static bool must_fail(void)
{
    size_t number = atomic_fetch_add(&requests, 1) + 1;
    size_t at = atomic_load(&fail_at);
    bool fail = at > 0 && (atomic_load(&fail_mode) == ALLOCATOR_ONCE ? number == at : number >= at);
    if (fail)
        atomic_store(&has_failed, true);
    return fail;
}

static void *counting_realloc(void *memory, size_t size, void *arg)
{
    union header *old = memory != NULL ? (union header *)memory - 1 : NULL;
    size_t old_size = old != NULL ? old->size : 0;
    (void)arg;
    if (must_fail() || size > SIZE_MAX - sizeof(union header))
        return NULL;
    union header *block = realloc(old, size + sizeof *block);
    if (block == NULL)
        return NULL;
    block->size = size;
    if (old == NULL)
        atomic_fetch_add(&blocks, 1);
    atomic_fetch_add(&bytes, size - old_size); /* wraps where it shrinks: so does the sum */
    return block + 1;
}

static void counting_free(void *memory, void *arg)
{
    union header *block = (union header *)memory - 1;
    (void)arg;
    atomic_fetch_sub(&blocks, 1);
    atomic_fetch_sub(&bytes, block->size);
    free(block);
}

void allocator_install(void)
{
    static const weft_allocator counting = {.realloc = counting_realloc, .free = counting_free};
    allocator_fail(0, ALLOCATOR_ONCE);
    weft_set_allocator(&counting);
}

void allocator_remove(void)
{
    weft_set_allocator(NULL);
}

size_t allocator_blocks(void)
{
    return atomic_load(&blocks);
}

size_t allocator_bytes(void)
{
    return atomic_load(&bytes);
}

size_t allocator_requests(void)
{
    return atomic_load(&requests);
}

void allocator_fail(size_t n, enum allocator_mode mode)
{
    atomic_store(&fail_at, 0);
    atomic_store(&requests, 0);
    atomic_store(&has_failed, false);
    atomic_store(&fail_mode, (int)mode);
    atomic_store(&fail_at, n);
}

void allocator_relent(void)
{
    atomic_store(&fail_at, 0);
}

bool allocator_failed(void)
{
    return atomic_load(&has_failed);
}

size_t allocator_fault_loop(int (*scenario)(void *arg), void *arg)
{
    size_t injected = 0;
    for (int mode = ALLOCATOR_ONCE; mode <= ALLOCATOR_ONWARDS; mode++) {
        for (size_t n = 1;; n++) {
            size_t before = allocator_blocks();
            allocator_fail(n, (enum allocator_mode)mode);
            int r = scenario(arg);
            bool failed = allocator_failed();
            allocator_fail(0, ALLOCATOR_ONCE);
            if (!failed) {
                assert_true(r >= 0); /* nothing was injected any more */
                break;
            }
            assert_true(r >= 0 || r == -ENOMEM);
            /* What a first use keeps for ever may come once; a leak comes each time. */
            if (allocator_blocks() > before && n > 1 && r < 0) {
                before = allocator_blocks();
                allocator_fail(n, (enum allocator_mode)mode);
                scenario(arg);
                allocator_fail(0, ALLOCATOR_ONCE);
                assert_int_equal(allocator_blocks(), before);
            }
            injected++;
        }
    }
    return injected;
}
