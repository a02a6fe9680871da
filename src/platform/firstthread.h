/* SPDX-License-Identifier: MIT */
/*
 * firstthread: whether the calling thread is the one that main was called in.
 *
 * firstthread_gettid.c: its thread id is the process's.  firstthread_unknown.c: the system does not
 * tell.
 */
#ifndef WEFT_PLATFORM_FIRSTTHREAD_H
#define WEFT_PLATFORM_FIRSTTHREAD_H

/* 1: it is, 0: it is not, -1: cannot be known. */
int weft_first_thread(void);

#endif
