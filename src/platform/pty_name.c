/* SPDX-License-Identifier: MIT */
/*
 * ptsname's answer lies in one place for all threads, so it is copied under a lock. (Another
 * caller, the host, may still write there at the same moment; POSIX has nothing better.)
 */
#include "platform/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "platform/cloexec.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int copy_name(int master, char *path)
{
    int r = 0;

    (void)pthread_mutex_lock(&lock);
    const char *name = ptsname(master);
    if (name == NULL)
        r = errno != 0 ? -errno : -ENOTTY;
    else if (strlen(name) >= WEFT_PTY_PATH)
        r = -ENAMETOOLONG;
    else
        strcpy(path, name);
    (void)pthread_mutex_unlock(&lock);
    return r;
}

int weft_pty_open_slave(int master, char path[WEFT_PTY_PATH])
{
    if (grantpt(master) < 0 || unlockpt(master) < 0)
        return -errno;
    int r = copy_name(master, path);
    if (r < 0)
        return r;
    return weft_cloexec_open(path, O_RDWR | O_NOCTTY);
}

int weft_pty_set_size(int master, unsigned short rows, unsigned short columns)
{
    (void)master;
    (void)rows;
    (void)columns;
    return -ENOTSUP;
}

void weft_pty_before_fork(void)
{
    (void)pthread_mutex_lock(&lock);
}

void weft_pty_after_fork(void)
{
    (void)pthread_mutex_unlock(&lock);
}
