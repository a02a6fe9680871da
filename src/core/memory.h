/* SPDX-License-Identifier: MIT */
/*
 * memory: every allocation of the library passes here.
 *
 * weft_set_allocator (weft/base.h) replaces what stands below, which is how applications account
 * for memory and how tests make the n-th allocation fail.
 */
#ifndef WEFT_CORE_MEMORY_H
#define WEFT_CORE_MEMORY_H

#include <stddef.h>

/* NULL when there is no memory; nothing is recorded: the caller knows what it was for. size 0 gives
 * a unique pointer. */
void *weft_alloc(size_t size);

/* As weft_alloc, zeroed; count * size is checked for overflow. */
void *weft_calloc(size_t count, size_t size);

/* As realloc(3); on failure the old block stays. */
void *weft_realloc(void *memory, size_t size);

/* NULL is allowed. */
void weft_dealloc(void *memory);

/* A copy of `size` bytes with a NUL behind it; NULL when there is no memory. */
void *weft_memdup(const void *data, size_t size);

/* A copy of a string; NULL when there is no memory. */
char *weft_strdup(const char *string);

#endif
