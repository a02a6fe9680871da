/* SPDX-License-Identifier: MIT */
/*
 * The calls of the system that the library makes, and how each of them fails: the one table of
 * which calls.c makes its wrappers, and CMake the linker's --wrap options (the second word of each
 * line). tests/source/faults.sh says when the library makes one that is not here.
 *
 *     CALL(how, name, type, parameters, arguments, errors...)
 *     HAND(name, errors...)               the wrapper is written out in calls.c
 *     NUMBERED(name, number, errors...)   made by syscall(number, ...)
 *
 * how:
 *     MAKES   gives something new, or changes what stays: fails once, and from then on
 *     ASKS    fails once: a wait, a question
 *     GETS    a transfer into memory, PUTS out of it: as ASKS, and may be short
 *     ENDS    is carried out, and then says that it failed: it cannot be done again
 *     NUMBER  as MAKES, but returns the error's number instead of -1 and errno
 *
 * The errors are those of the specification that may come here. SHORT moves one byte only, where a
 * caller cannot rely on more.
 *
 * What no wrapper can stand before is not here: vfork, whose caller's frame must be the library's,
 * and the raw clone3 of platform/spawn_clone.c. unit/platform/spawn_ways makes those fail.
 */

/* ---- POSIX ------------------------------------------------------------------------------------
 */
CALL(GETS, read, ssize_t, (int fd, void *data, size_t size), (fd, data, size), EINTR, EIO, SHORT)
CALL(PUTS, write, ssize_t, (int fd, const void *data, size_t size), (fd, data, size), EINTR, EIO,
     SHORT)
CALL(GETS, pread, ssize_t, (int fd, void *data, size_t size, off_t at), (fd, data, size, at), EINTR,
     EIO, SHORT)
CALL(PUTS, pwrite, ssize_t, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at),
     EINTR, EIO, ENOSPC, SHORT)
CALL(GETS, recv, ssize_t, (int fd, void *data, size_t size, int flags), (fd, data, size, flags),
     EINTR, ECONNRESET, ENOMEM, SHORT)
CALL(PUTS, send, ssize_t, (int fd, const void *data, size_t size, int flags),
     (fd, data, size, flags), EINTR, ECONNRESET, ENOBUFS, ENOMEM, SHORT)
CALL(ASKS, recvmsg, ssize_t, (int fd, struct msghdr *message, int flags), (fd, message, flags),
     EINTR, ECONNRESET, ENOMEM)
CALL(ASKS, sendmsg, ssize_t, (int fd, const struct msghdr *message, int flags),
     (fd, message, flags), EINTR, ECONNRESET, ENOBUFS)
CALL(ENDS, close, int, (int fd), (fd), EINTR, EIO)
CALL(MAKES, dup2, int, (int fd, int target), (fd, target), EINTR, EMFILE)
CALL(ASKS, lseek, off_t, (int fd, off_t at, int whence), (fd, at, whence), ESPIPE)
CALL(MAKES, pipe, int, (int fds[2]), (fds), EMFILE, ENFILE)
CALL(MAKES, unlink, int, (const char *path), (path), EACCES)
CALL(ASKS, fstat, int, (int fd, struct stat *about), (fd, about), EIO)
CALL(ASKS, lstat, int, (const char *path, struct stat *about), (path, about), EACCES)
CALL(MAKES, fchmod, int, (int fd, mode_t mode), (fd, mode), EPERM)
CALL(MAKES, ftruncate, int, (int fd, off_t size), (fd, size), EINTR, EFBIG, EIO)
CALL(NUMBER, posix_fallocate, int, (int fd, off_t at, off_t size), (fd, at, size), EINTR, ENOSPC)
CALL(MAKES, chdir, int, (const char *path), (path), EACCES, ENOENT, ENOMEM)
CALL(MAKES, shm_open, int, (const char *name, int flags, mode_t mode), (name, flags, mode), EMFILE,
     ENFILE, EACCES)
CALL(ENDS, shm_unlink, int, (const char *name), (name), EACCES)

HAND(open, EINTR, EMFILE, ENFILE, EACCES)
HAND(opendir, EMFILE, ENFILE, EACCES)
HAND(fcntl, EMFILE, EINVAL)
HAND(connect, EINTR, ECONNREFUSED, ENETUNREACH)

CALL(ASKS, poll, int, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout),
     EINTR, ENOMEM)
CALL(ASKS, nanosleep, int, (const struct timespec *time, struct timespec *left), (time, left),
     EINTR)

CALL(MAKES, socket, int, (int domain, int type, int protocol), (domain, type, protocol), EMFILE,
     ENFILE, ENOBUFS, EACCES)
CALL(MAKES, socketpair, int, (int domain, int type, int protocol, int fds[2]),
     (domain, type, protocol, fds), EMFILE, ENFILE, ENOBUFS)
CALL(MAKES, bind, int, (int fd, const struct sockaddr *address, socklen_t size),
     (fd, address, size), EADDRINUSE, EACCES)
CALL(MAKES, listen, int, (int fd, int backlog), (fd, backlog), EADDRINUSE)
CALL(ASKS, accept, int, (int fd, struct sockaddr *address, socklen_t *size), (fd, address, size),
     EINTR, ECONNABORTED, EMFILE, ENFILE, ENOBUFS)
CALL(ENDS, shutdown, int, (int fd, int how), (fd, how), ENOTCONN)
CALL(ASKS, getsockname, int, (int fd, struct sockaddr *address, socklen_t *size),
     (fd, address, size), ENOBUFS)
CALL(ASKS, getpeername, int, (int fd, struct sockaddr *address, socklen_t *size),
     (fd, address, size), ENOBUFS, ENOTCONN)
CALL(ASKS, getsockopt, int, (int fd, int level, int name, void *value, socklen_t *size),
     (fd, level, name, value, size), ENOBUFS)
CALL(MAKES, setsockopt, int, (int fd, int level, int name, const void *value, socklen_t size),
     (fd, level, name, value, size), ENOBUFS, ENOPROTOOPT)

CALL(MAKES, mmap, void *, (void *at, size_t size, int protection, int flags, int fd, off_t offset),
     (at, size, protection, flags, fd, offset), ENOMEM, EAGAIN)
CALL(MAKES, mprotect, int, (void *at, size_t size, int protection), (at, size, protection), ENOMEM)

CALL(MAKES, fork, pid_t, (void), (), EAGAIN, ENOMEM)
CALL(MAKES, execve, int, (const char *path, char *const argv[], char *const envp[]),
     (path, argv, envp), ENOMEM, EACCES, ENOENT, E2BIG)
CALL(ASKS, waitpid, pid_t, (pid_t pid, int *status, int options), (pid, status, options), EINTR)
CALL(ASKS, waitid, int, (idtype_t type, id_t id, siginfo_t *info, int options),
     (type, id, info, options), EINTR)
CALL(ASKS, kill, int, (pid_t pid, int signum), (pid, signum), EPERM)
CALL(ASKS, killpg, int, (pid_t group, int signum), (group, signum), EPERM)
CALL(MAKES, setsid, pid_t, (void), (), EPERM)
CALL(MAKES, setpgid, int, (pid_t pid, pid_t group), (pid, group), EPERM, EACCES)
CALL(MAKES, setregid, int, (gid_t real, gid_t effective), (real, effective), EPERM)
CALL(MAKES, setreuid, int, (uid_t real, uid_t effective), (real, effective), EPERM, EAGAIN)
CALL(MAKES, setrlimit, int, (int resource, const struct rlimit *limit), (resource, limit), EPERM)
CALL(NUMBER, getpwnam_r, int,
     (const char *name, struct passwd *entry, char *buffer, size_t size, struct passwd **result),
     (name, entry, buffer, size, result), EMFILE, ENOMEM)
CALL(NUMBER, getgrnam_r, int,
     (const char *name, struct group *entry, char *buffer, size_t size, struct group **result),
     (name, entry, buffer, size, result), EMFILE, ENOMEM)
CALL(MAKES, posix_openpt, int, (int flags), (flags), EMFILE, ENFILE, ENOSPC)
CALL(MAKES, grantpt, int, (int fd), (fd), EACCES)
CALL(MAKES, unlockpt, int, (int fd), (fd), EINVAL)
CALL(MAKES, sigaction, int, (int signum, const struct sigaction *action, struct sigaction *before),
     (signum, action, before), EINVAL)
CALL(ASKS, tcgetattr, int, (int fd, struct termios *modes), (fd, modes), ENOTTY)
CALL(ASKS, sigpending, int, (sigset_t * set), (set), EFAULT)
CALL(ASKS, raise, int, (int signum), (signum), EAGAIN)
CALL(ASKS, sigtimedwait, int, (const sigset_t *set, siginfo_t *info, const struct timespec *time),
     (set, info, time), EINTR, EINVAL)
CALL(MAKES, setitimer, int, (int which, const struct itimerval *value, struct itimerval *before),
     (which, value, before), EINVAL)
CALL(ASKS, getitimer, int, (int which, struct itimerval *value), (which, value), EINVAL)
CALL(NUMBER, pthread_kill, int, (pthread_t thread, int signum), (thread, signum), EAGAIN)
CALL(ASKS, getrlimit, int, (int resource, struct rlimit *limit), (resource, limit), EINVAL)
CALL(ASKS, sysconf, long, (int name), (name), EINVAL)

CALL(NUMBER, pthread_create, int,
     (pthread_t * thread, const pthread_attr_t *attributes, void *(*fn)(void *), void *arg),
     (thread, attributes, fn, arg), EAGAIN, EPERM)
CALL(NUMBER, pthread_attr_init, int, (pthread_attr_t * attributes), (attributes), ENOMEM)
CALL(NUMBER, pthread_attr_setstacksize, int, (pthread_attr_t * attributes, size_t size),
     (attributes, size), EINVAL)
CALL(NUMBER, pthread_attr_setguardsize, int, (pthread_attr_t * attributes, size_t size),
     (attributes, size), EINVAL)
CALL(NUMBER, pthread_mutex_init, int,
     (pthread_mutex_t * mutex, const pthread_mutexattr_t *attributes), (mutex, attributes), ENOMEM,
     EAGAIN)
CALL(NUMBER, pthread_condattr_init, int, (pthread_condattr_t * attributes), (attributes), ENOMEM)
CALL(NUMBER, pthread_condattr_setclock, int, (pthread_condattr_t * attributes, clockid_t clock),
     (attributes, clock), EINVAL)
CALL(NUMBER, pthread_cond_init, int,
     (pthread_cond_t * condition, const pthread_condattr_t *attributes), (condition, attributes),
     ENOMEM, EAGAIN)
CALL(NUMBER, pthread_key_create, int, (pthread_key_t * key, void (*destroy)(void *)),
     (key, destroy), EAGAIN, ENOMEM)
CALL(NUMBER, pthread_setspecific, int, (pthread_key_t key, const void *value), (key, value), ENOMEM)
CALL(NUMBER, pthread_atfork, int, (void (*before)(void), void (*parent)(void), void (*child)(void)),
     (before, parent, child), ENOMEM)

/* ---- beyond POSIX, each where the seam that uses it has been found -----------------------------
 */
#if defined(WEFT_HAVE_EPOLL)
CALL(MAKES, epoll_create1, int, (int flags), (flags), EMFILE, ENFILE, ENOMEM)
CALL(MAKES, epoll_ctl, int, (int set, int operation, int fd, struct epoll_event *event),
     (set, operation, fd, event), ENOMEM, ENOSPC)
CALL(ASKS, epoll_wait, int, (int set, struct epoll_event *events, int room, int timeout),
     (set, events, room, timeout), EINTR)
#endif
#if defined(WEFT_HAVE_EVENTFD)
CALL(MAKES, eventfd, int, (unsigned value, int flags), (value, flags), EMFILE, ENFILE, ENOMEM)
#endif
#if defined(WEFT_HAVE_SIGNALFD)
CALL(MAKES, signalfd, int, (int fd, const sigset_t *set, int flags), (fd, set, flags), EMFILE,
     ENFILE, ENOMEM, ENOSYS)
#endif
#if defined(WEFT_HAVE_ATOMIC)
CALL(MAKES, pipe2, int, (int fds[2], int flags), (fds, flags), EMFILE, ENFILE)
CALL(MAKES, dup3, int, (int fd, int target, int flags), (fd, target, flags), EMFILE, EINTR)
CALL(ASKS, accept4, int, (int fd, struct sockaddr *address, socklen_t *size, int flags),
     (fd, address, size, flags), EINTR, ECONNABORTED, EMFILE, ENFILE, ENOBUFS)
#endif
#if defined(WEFT_HAVE_MEMFD)
CALL(MAKES, memfd_create, int, (const char *name, unsigned flags), (name, flags), EMFILE, ENFILE,
     ENOMEM, ENOSYS)
CALL(MAKES, fallocate, int, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size), EINTR,
     ENOSPC, EOPNOTSUPP)
CALL(MAKES, getrandom, ssize_t, (void *data, size_t size, unsigned flags), (data, size, flags),
     EINTR, ENOSYS)
#endif
#if defined(WEFT_HAVE_MMAP)
CALL(MAKES, madvise, int, (void *at, size_t size, int advice), (at, size, advice), EINVAL, ENOMEM)
CALL(MAKES, mincore, int, (void *at, size_t size, unsigned char *pages), (at, size, pages), EAGAIN)
#endif
#if defined(WEFT_HAVE_AFFINITY)
CALL(MAKES, sched_getaffinity, int, (pid_t pid, size_t size, cpu_set_t *set), (pid, size, set),
     EINVAL, ENOSYS)
#endif
#if defined(WEFT_HAVE_SETNAME)
CALL(NUMBER, pthread_setname_np, int, (pthread_t thread, const char *name), (thread, name), ERANGE)
#endif
#if defined(WEFT_HAVE_PEER)
CALL(NUMBER, ptsname_r, int, (int fd, char *name, size_t size), (fd, name, size), ENOTTY)
HAND(ioctl, EIO)
#endif
#if defined(WEFT_HAVE_CLONE)
HAND(prctl, EINVAL)
HAND(clone, EAGAIN, ENOMEM, ENOSYS, EPERM)
#endif

/* Wakes are left out: they cannot fail. */
#if defined(WEFT_HAVE_FUTEX)
NUMBERED(futex, SYS_futex, EINTR, EAGAIN)
#endif
#if defined(WEFT_HAVE_PIDFD)
NUMBERED(pidfd_open, SYS_pidfd_open, EMFILE, ENFILE, ENOMEM, ENOSYS, EPERM)
NUMBERED(pidfd_send_signal, SYS_pidfd_send_signal, EPERM, ENOSYS)
NUMBERED(ioctl, SYS_ioctl, ENOTTY, ESRCH)
#endif
#if defined(WEFT_HAVE_EPOLL) && defined(SYS_epoll_pwait2)
NUMBERED(epoll_pwait2, SYS_epoll_pwait2, EINTR, ENOSYS, EPERM)
#endif
#if defined(WEFT_HAVE_CLONE)
#if defined(SYS_close_range)
NUMBERED(close_range, SYS_close_range, ENOSYS, EPERM, EMFILE, ENOMEM)
#endif
NUMBERED(getdents64, SYS_getdents64, EINVAL)
NUMBERED(setgroups, SYS_setgroups, EPERM, ENOMEM)
NUMBERED(setregid, SYS_setregid, EPERM)
NUMBERED(setreuid, SYS_setreuid, EPERM, EAGAIN)
#endif
