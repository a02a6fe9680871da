/* SPDX-License-Identifier: MIT */
/*
 * cpu: the number of processors that are online, as sysconf tells it. Not all systems have that
 * name, which is no part of POSIX: without it there is one.
 */
#include "platform/cpu.h"

#include <stdatomic.h>
#include <unistd.h>

static _Atomic int count; /* 0: not looked up */

int weft_cpu_count(void)
{
    int n = atomic_load_explicit(&count, memory_order_relaxed);
    if (n != 0)
        return n;
    n = 1;
#if defined(_SC_NPROCESSORS_ONLN)
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    if (online > 0 && online < 1 << 20)
        n = (int)online;
#endif
    atomic_store_explicit(&count, n, memory_order_relaxed);
    return n;
}
