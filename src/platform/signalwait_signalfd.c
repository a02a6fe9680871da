/* SPDX-License-Identifier: MIT */
/*
 * signalfd is only polled: reading it would take a signal of another thread's wait as well, so the
 * signal is taken by sigtimedwait. A kernel or an emulator without the call is as a system without
 * it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "platform/signalwait.h"

#include <errno.h>
#include <sys/signalfd.h>

int weft_signalwait_open(const sigset_t *set)
{
    int fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd >= 0)
        return fd;
    return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -errno : -ENOTSUP;
}
