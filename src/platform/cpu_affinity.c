/* SPDX-License-Identifier: MIT */
/*
 * cpu: counted from the set of processors that the calling thread is allowed to run on.
 */
#define _GNU_SOURCE
#include "platform/cpu.h"

#include <sched.h>
#include <stdatomic.h>

static _Atomic int count; /* 0: not looked up; every thread finds the same */

int weft_cpu_count(void)
{
    int n = atomic_load_explicit(&count, memory_order_relaxed);
    if (n != 0)
        return n;
    cpu_set_t set;
    /* More than 1024 processors do not fit the set and are EINVAL: then there are many. */
    n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1024;
    if (n < 1)
        n = 1;
    atomic_store_explicit(&count, n, memory_order_relaxed);
    return n;
}
