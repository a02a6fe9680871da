/* SPDX-License-Identifier: MIT */
/*
 * Linux gives the first thread of a process the process's own id.
 */
#define _GNU_SOURCE
#include "platform/firstthread.h"

#include <sys/syscall.h>
#include <unistd.h>

int weft_first_thread(void)
{
    return syscall(SYS_gettid) == (long)getpid();
}

int64_t weft_native_thread_id(void)
{
    return syscall(SYS_gettid);
}

int64_t weft_native_main_id(void)
{
    return getpid();
}
