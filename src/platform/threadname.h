/* SPDX-License-Identifier: MIT */
/*
 * threadname: the name that debuggers and the system's tools show for a thread.
 *
 * threadname_setname.c: pthread_setname_np.  threadname_none.c: does nothing.
 */
#ifndef WEFT_PLATFORM_THREADNAME_H
#define WEFT_PLATFORM_THREADNAME_H

/* Names the calling thread, cut to what the system keeps. Failures are ignored: it is for show. */
void weft_threadname_set(const char *name);

#endif
