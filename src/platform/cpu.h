/* SPDX-License-Identifier: MIT */
/*
 * cpu: how many processors this process may use.
 *
 * cpu_affinity.c: those it is allowed (a container's or taskset's share).  cpu_sysconf.c: those
 * that are online.
 */
#ifndef WEFT_PLATFORM_CPU_H
#define WEFT_PLATFORM_CPU_H

/* weft_cpu_count, which is public. */
#include <weft/base.h>

#endif
