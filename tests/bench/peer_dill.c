/* SPDX-License-Identifier: MIT */
/* libdill. */
#define DILL_DISABLE_RAW_NAMES
#include <libdill.h>

#include "bench.h"
#include "peers.h"

static dill_coroutine void yields(size_t n)
{
    for (size_t i = 0; i < n; i++)
        dill_yield();
}

void dill_yield_two(size_t n)
{
    int bundle = dill_bundle();
    BENCH_CHECK(dill_bundle_go(bundle, yields(n / 2)));
    BENCH_CHECK(dill_bundle_go(bundle, yields(n / 2)));
    dill_bundle_wait(bundle, -1);
    dill_hclose(bundle);
}

static dill_coroutine void nothing(void) {}

void dill_start(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int one = dill_go(nothing());
        BENCH_CHECK(one);
        dill_hclose(one);
    }
}

static dill_coroutine void echo(int there, int back)
{
    size_t item;
    while (dill_chrecv(there, &item, sizeof item, -1) == 0)
        dill_chsend(back, &item, sizeof item, -1);
}

void dill_round_trip(size_t n)
{
    int there[2], back[2];
    BENCH_CHECK(dill_chmake(there));
    BENCH_CHECK(dill_chmake(back));
    int one = dill_go(echo(there[0], back[1]));
    bench_begin();
    for (size_t i = 0; i < n; i++) {
        size_t item = i;
        BENCH_CHECK(dill_chsend(there[1], &item, sizeof item, -1));
        BENCH_CHECK(dill_chrecv(back[0], &item, sizeof item, -1));
    }
    bench_end();
    dill_hclose(one);
}
