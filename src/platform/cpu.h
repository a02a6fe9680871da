/* SPDX-License-Identifier: MIT */
/*
 * cpu: how many processors this process may use.
 *
 * cpu_affinity.c: those it is allowed (a container's or taskset's share).  cpu_sysconf.c: those
 * that are online.
 */
#ifndef WEFT_PLATFORM_CPU_H
#define WEFT_PLATFORM_CPU_H

/* At least 1. Looked up once. */
int weft_cpu_count(void);

#endif
