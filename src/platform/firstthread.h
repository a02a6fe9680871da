/* SPDX-License-Identifier: MIT */
/*
 * firstthread: whether the calling thread is the one that main was called in, and by which number
 * the system knows it.
 *
 * firstthread_gettid.c: its thread id is the process's.  firstthread_unknown.c: the system does not
 * tell.
 */
#ifndef WEFT_PLATFORM_FIRSTTHREAD_H
#define WEFT_PLATFORM_FIRSTTHREAD_H

#include <stdint.h>

/* 1: it is, 0: it is not, -1: cannot be known. */
int weft_first_thread(void);

/* The number of the calling thread in the system, and of the first one of the process; 0: the
 * system has none. */
int64_t weft_native_thread_id(void);
int64_t weft_native_main_id(void);

#endif
