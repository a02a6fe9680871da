/* SPDX-License-Identifier: MIT */
/* GNU Pth. */
#include <pth.h>

#include "bench.h"
#include "peers.h"

static void *yields(void *arg)
{
    size_t n = *(size_t *)arg;
    for (size_t i = 0; i < n; i++)
        pth_yield(NULL);
    return NULL;
}

void pth_yield_two(size_t n)
{
    size_t half = n / 2;
    pth_init();
    pth_t a = pth_spawn(PTH_ATTR_DEFAULT, yields, &half);
    pth_t b = pth_spawn(PTH_ATTR_DEFAULT, yields, &half);
    pth_join(a, NULL);
    pth_join(b, NULL);
}

static void *nothing(void *arg)
{
    return arg;
}

void pth_start(size_t n)
{
    pth_init();
    for (size_t i = 0; i < n; i++)
        pth_join(pth_spawn(PTH_ATTR_DEFAULT, nothing, NULL), NULL);
}
