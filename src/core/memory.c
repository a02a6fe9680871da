/* SPDX-License-Identifier: MIT */
/*
 * One indirection over malloc. The table is replaced before the first use of the library, or after
 * its end, so reading it needs no order.
 */
#include "core/memory.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <weft/base.h>

static void *standard_realloc(void *memory, size_t size, void *arg)
{
    (void)arg;
    return realloc(memory, size);
}

static void standard_free(void *memory, void *arg)
{
    (void)arg;
    free(memory);
}

static weft_allocator current = {.realloc = standard_realloc, .free = standard_free};

int weft_set_allocator(const weft_allocator *allocator)
{
    if (allocator == NULL) {
        current = (weft_allocator){.realloc = standard_realloc, .free = standard_free};
        return 0;
    }
    if (allocator->realloc == NULL || allocator->free == NULL)
        return weft_error(-EINVAL, "set allocator: realloc and free must both be given");
    current = *allocator;
    return 0;
}

void *weft_alloc(size_t size)
{
    return current.realloc(NULL, size > 0 ? size : 1, current.arg);
}

void *weft_calloc(size_t count, size_t size)
{
    if (size > 0 && count > SIZE_MAX / size)
        return NULL;
    void *memory = weft_alloc(count * size);
    if (memory != NULL)
        memset(memory, 0, count * size);
    return memory;
}

void *weft_realloc(void *memory, size_t size)
{
    return current.realloc(memory, size > 0 ? size : 1, current.arg);
}

void weft_dealloc(void *memory)
{
    if (memory != NULL)
        current.free(memory, current.arg);
}

void *weft_memdup(const void *data, size_t size)
{
    if (size == SIZE_MAX)
        return NULL;
    char *copy = weft_alloc(size + 1);
    if (copy == NULL)
        return NULL;
    if (size > 0)
        memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

char *weft_strdup(const char *string)
{
    return weft_memdup(string, strlen(string));
}

void weft_free(void *memory)
{
    weft_dealloc(memory);
}
