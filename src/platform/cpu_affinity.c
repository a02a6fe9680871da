/* SPDX-License-Identifier: MIT */
/*
 * cpu: counted from the set of processors that the calling thread is allowed to run on; where a
 * sandbox does not tell, those that are online.
 */
#define _GNU_SOURCE
#include "platform/cpu.h"

#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

static _Atomic int count; /* 0: not looked up; every thread finds the same */

int weft_cpu_count(void)
{
    int n = atomic_load_explicit(&count, memory_order_relaxed);
    if (n != 0)
        return n;
    cpu_set_t sets[16]; /* one is for 1024 processors, and for more EINVAL */
    if (sched_getaffinity(0, sizeof(sets), sets) == 0)
        n = CPU_COUNT_S(sizeof(sets), sets);
    else
        n = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (n < 1)
        n = 1;
    atomic_store_explicit(&count, n, memory_order_relaxed);
    return n;
}
