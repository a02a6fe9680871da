/* SPDX-License-Identifier: MIT */
/*
 * Making a descriptor and marking it are two calls here, so one lock is held over both, and over
 * every fork of the library. Nothing under the lock waits: accept and recvmsg are only called on
 * non-blocking descriptors.
 *
 * A plain mutex, not a reader-writer lock: the calls are short, and a normal mutex may be unlocked
 * in the child of a fork by the thread that held it, which glibc's reader-writer lock cannot (it
 * compares thread ids, and the child's is another). `depth` lets the fork of weft_spawn, which
 * holds the lock, run through atfork handlers that ask for it again.
 */
#include "platform/cloexec.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local int depth;

void weft_cloexec_before_fork(void)
{
    if (depth++ == 0)
        pthread_mutex_lock(&lock);
}

void weft_cloexec_after_fork(void)
{
    if (--depth == 0)
        pthread_mutex_unlock(&lock);
}

static int mark(int fd)
{
    return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
}

static int mark_pair(int made[2], int fds[2])
{
    int r = mark(made[0]);

    if (r == 0)
        r = mark(made[1]);
    if (r < 0) {
        close(made[0]);
        close(made[1]);
        return r;
    }
    fds[0] = made[0];
    fds[1] = made[1];
    return 0;
}

int weft_cloexec_pipe(int fds[2])
{
    int made[2];

    weft_cloexec_before_fork();
    int r = pipe(made) < 0 ? -errno : mark_pair(made, fds);
    weft_cloexec_after_fork();
    return r;
}

int weft_cloexec_socketpair(int domain, int type, int protocol, int fds[2])
{
    int made[2];

    weft_cloexec_before_fork();
    int r = socketpair(domain, type, protocol, made) < 0 ? -errno : mark_pair(made, fds);
    weft_cloexec_after_fork();
    return r;
}

/* `fd` has just been made, under the lock; the lock is left. */
static int finish_one(int fd)
{
    int r = fd < 0 ? -errno : mark(fd);
    weft_cloexec_after_fork();

    if (fd >= 0 && r < 0)
        close(fd);
    return r < 0 ? r : fd;
}

int weft_cloexec_socket(int domain, int type, int protocol)
{
    weft_cloexec_before_fork();
    return finish_one(socket(domain, type, protocol));
}

int weft_cloexec_openpt(void)
{
    weft_cloexec_before_fork();
    return finish_one(posix_openpt(O_RDWR | O_NOCTTY));
}

int weft_cloexec_accept(int fd, struct sockaddr *address, socklen_t *size)
{
    int made;
    int r;

    do {
        weft_cloexec_before_fork();
        made = accept(fd, address, address != NULL ? size : NULL);
        r = made < 0 ? -errno : mark(made);
        weft_cloexec_after_fork();
    } while (r == -EINTR && made < 0);

    if (made < 0)
        return r;
    if (r == 0)
        r = weft_cloexec_set_nonblocking(made, true);
    if (r < 0) {
        close(made);
        return r;
    }
    return made;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion" /* musl's macro */
static struct cmsghdr *next_control(struct msghdr *message, struct cmsghdr *control)
{
    return CMSG_NXTHDR(message, control);
}
#pragma GCC diagnostic pop

/* Marks what arrived; a descriptor that cannot be marked is one that cannot be used either. */
static void mark_received(struct msghdr *message)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(message);

    for (; c != NULL; c = next_control(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t bytes = c->cmsg_len - (size_t)(CMSG_DATA(c) - (unsigned char *)c);
        for (size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
            int received;
            memcpy(&received, CMSG_DATA(c) + at, sizeof received);
            (void)mark(received);
        }
    }
}

ssize_t weft_cloexec_recvmsg(int fd, struct msghdr *message, int flags)
{
    ssize_t n;

    do {
        weft_cloexec_before_fork();
        n = recvmsg(fd, message, flags);
        if (n < 0)
            n = -errno;
        else
            mark_received(message);
        weft_cloexec_after_fork();
    } while (n == -EINTR);
    return n;
}
