/* SPDX-License-Identifier: MIT */
/*
 * Memory of a parked coroutine, 10^5 and 10^6 of them: resident pages and page tables, from
 * /proc/self/status. The limit is a page touched in a slot of 64 KiB each.
 */
#define _DEFAULT_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"
#include "peers.h"

#include <weft/asyncio.h>

static double resident_kib(void)
{
    char line[256];
    double sum = 0, kib;
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (sscanf(line, "VmRSS: %lf", &kib) == 1 || sscanf(line, "VmPTE: %lf", &kib) == 1)
            sum += kib;
    if (status == NULL)
        bench_fail("/proc/self/status");
    fclose(status);
    return sum;
}

static void limit(size_t n)
{
    const size_t slot = 65536;
    double before = resident_kib();
    char *all = mmap(NULL, n * slot, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED)
        bench_fail("mmap");
    madvise(all, n * slot, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < n; i++)
        all[i * slot + slot - 8] = 1;
    bench_set_result((resident_kib() - before) / (double)n, 0);
}

static size_t parked;

static int park(void *arg)
{
    (void)arg;
    parked++;
    return weft_sleep(WEFT_FOREVER);
}

static int memory_main(void *arg)
{
    size_t n = *(size_t *)arg;
    double before = resident_kib();
    for (size_t i = 0; i < n; i++)
        BENCH_CHECK(weft_task_start(NULL, park, WEFT_NONE, NULL));
    while (parked < n)
        BENCH_CHECK(weft_sleep(0));
    bench_set_result((resident_kib() - before) / (double)n, 0);
    bench_leave();
}

static void weft_memory(size_t n)
{
    BENCH_CHECK(weft_run(memory_main, WEFT_ARG(n), NULL));
}

BENCH_GO_CASE(go_memory, "memory")

static const bench_case cases[] = {
    {"weft", weft_memory},
    {"limit: a touched page", limit},
    BENCH_GO("Go", go_memory){0},
};

/* The limit with a guard, as measured where guards cost no mapping, is 2 % above that without. */
static const bench_subject subjects[] = {
    {"memory per parked coroutine, 10^5",
     "KiB",
     NULL,
     100000,
     cases,
     {{"limit: a touched page", 1.14, false}, {NULL, 4.7, false}}},
    {"memory per parked coroutine, 10^6",
     "KiB",
     NULL,
     1000000,
     cases,
     {{"limit: a touched page", 1.14, false}, {NULL, 4.7, false}}},
};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, subjects, sizeof subjects / sizeof *subjects);
}
