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
    n /= 64; /* it is that much slower: two system calls each */
    size_t half = n / 2;
    bench_set_operations(n);
    pth_init();
    bench_begin();
    pth_t a = pth_spawn(PTH_ATTR_DEFAULT, yields, &half);
    pth_t b = pth_spawn(PTH_ATTR_DEFAULT, yields, &half);
    pth_join(a, NULL);
    pth_join(b, NULL);
    bench_end();
}

static void *nothing(void *arg)
{
    return arg;
}

void pth_start(size_t n)
{
    n /= 16;
    bench_set_operations(n);
    pth_init();
    bench_begin();
    for (size_t i = 0; i < n; i++)
        pth_join(pth_spawn(PTH_ATTR_DEFAULT, nothing, NULL), NULL);
    bench_end();
}
