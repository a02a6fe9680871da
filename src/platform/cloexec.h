/* SPDX-License-Identifier: MIT */
/*
 * cloexec: descriptors that no program of somebody else's spawn inherits.
 *
 * Every descriptor the library makes is close-on-exec from birth: between its making and its
 * marking no spawn of this library can take place. All modules make their descriptors here; those
 * that open(2) makes use O_CLOEXEC, which POSIX has.
 *
 * cloexec_atomic.c: pipe2, accept4, SOCK_CLOEXEC, O_CLOEXEC: born so.  cloexec_locked.c: one
 * process-wide lock around making and marking, which weft_spawn and weft_spawn_fork hold over their
 * fork. (A fork of the host's own, with an exec behind it, is not covered there: POSIX has no means
 * for that.)
 *
 * Functions return a negative errno on failure and leave the out values untouched. None returns
 * -EINTR.
 */
#ifndef WEFT_PLATFORM_CLOEXEC_H
#define WEFT_PLATFORM_CLOEXEC_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

/* fds[0] reads, fds[1] writes; both block. Errors: -EMFILE, -ENFILE. */
int weft_cloexec_pipe(int fds[2]);

/* The new, blocking descriptor. Errors: those of socket(2). */
int weft_cloexec_socket(int domain, int type, int protocol);

/* Two blocking, connected sockets. Errors: those of socketpair(2). */
int weft_cloexec_socketpair(int domain, int type, int protocol, int fds[2]);

/* Accepts a connection: the new descriptor, which is non-blocking. `fd` must be non-blocking (a
 * wait inside would hold up every spawn in the locked implementation). address may be NULL, then
 * size is not looked at. Errors: -EAGAIN, -EMFILE, -ENFILE, -ECONNABORTED, and those of accept(2).
 */
int weft_cloexec_accept(int fd, struct sockaddr *address, socklen_t *size);

/* recvmsg(2), whose received descriptors are close-on-exec. `fd` must be non-blocking. Returns the
 * bytes received. Errors: -EAGAIN and those of recvmsg(2). */
ssize_t weft_cloexec_recvmsg(int fd, struct msghdr *message, int flags);

/* The master of a new terminal, which does not become this process's own. Errors: those of
 * posix_openpt(3). */
int weft_cloexec_openpt(void);

/* As open(2), close-on-exec, and not to be interrupted; creates nothing. Errors: those of open(2).
 */
int weft_cloexec_open(const char *path, int flags);

/* A copy of fd with the lowest free number >= lowest. Errors: -EBADF, -EMFILE, -EINVAL. */
int weft_cloexec_dup(int fd, int lowest);

/* Moves a descriptor away from 0, 1 and 2, which belong to programs; *fd is at least 3 then. On
 * failure it is as it was. Errors: -EMFILE. */
int weft_cloexec_move_up(int *fd);

/* Sets or clears O_NONBLOCK. Errors: -EBADF. */
int weft_cloexec_set_nonblocking(int fd, bool nonblocking);

/* Around every fork of the library's own, and in its pthread_atfork handlers, so that a child never
 * finds the lock held: before in the parent, after in parent and child. They nest, and the
 * functions above may be called in between. */
void weft_cloexec_before_fork(void);
void weft_cloexec_after_fork(void);

#endif
