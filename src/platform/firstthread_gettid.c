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
