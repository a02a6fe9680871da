/* SPDX-License-Identifier: MIT */
/*
 * The usual recipe (as in libpq and Apache's APR): block, write, consume. Whether one was pending
 * before matters only where SIGPIPE was blocked already: else it would have been delivered. The
 * signal of a write is generated for the writing thread, before write returns, so sigwait finds it
 * at once and never another thread's.
 */
#include "platform/nosigpipe.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

static bool pending(void)
{
    sigset_t set;
    return sigpending(&set) == 0 && sigismember(&set, SIGPIPE) == 1;
}

ssize_t weft_nosigpipe_write(int fd, const void *data, size_t size)
{
    sigset_t block, old;
    ssize_t n;

    (void)sigemptyset(&block);
    (void)sigaddset(&block, SIGPIPE);
    int r = pthread_sigmask(SIG_BLOCK, &block, &old);
    if (r != 0)
        return -r;
    bool before = sigismember(&old, SIGPIPE) == 1 && pending();

    do
        n = write(fd, data, size);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        n = -errno;
        /* ignored signals are not pending: so look first */
        if (n == -EPIPE && !before && pending()) {
            int signum;
            (void)sigwait(&block, &signum);
        }
    }
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return n;
}
