/* SPDX-License-Identifier: MIT */
/*
 * The counters lie in memory that a fork shares. A child is told by its number: getpid is a call of
 * the system, so it also tells the child of a vfork, which has its parent's memory.
 *
 * Everything a wrapper does is async-signal-safe, as it may run between a fork and an exec.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "fault/calls/calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#if defined(WEFT_HAVE_EPOLL)
#include <sys/epoll.h>
#endif
#if defined(WEFT_HAVE_EVENTFD)
#include <sys/eventfd.h>
#endif
#if defined(WEFT_HAVE_SIGNALFD)
#include <sys/signalfd.h>
#endif
#if defined(WEFT_HAVE_MEMFD)
#include <sys/random.h>
#endif
#if defined(WEFT_HAVE_FUTEX)
#include <linux/futex.h>
#endif
#if defined(WEFT_HAVE_FUTEX) || defined(WEFT_HAVE_PIDFD) || defined(WEFT_HAVE_CLONE)
#include <sys/syscall.h>
#define HAVE_SYSCALL 1
#endif

#define SHORT CALLS_SHORT

enum {
#define CALL(how, name, ...)        CALL_##name,
#define HAND(name, ...)             CALL_##name,
#define NUMBERED(name, number, ...) NUMBERED_##name,
#include "table.h"
#undef CALL
#undef HAND
#undef NUMBERED
    CALLS
};

/* ---- the table ---------------------------------------------------------------------------------
 */

#define CALL(how, name, type, parameters, arguments, ...)                                          \
    static const int errors_of_##name[] = {__VA_ARGS__, 0};
#define HAND(name, ...)             static const int errors_of_##name[] = {__VA_ARGS__, 0};
#define NUMBERED(name, number, ...) static const int errors_of_numbered_##name[] = {__VA_ARGS__, 0};
#include "table.h"
#undef CALL
#undef HAND
#undef NUMBERED

enum { MAKES, ASKS, GETS, PUTS, ENDS, NUMBER };

static const calls_kind kinds[CALLS] = {
#define CALL(how, name, ...)        {#name, errors_of_##name, (how) == MAKES || (how) == NUMBER},
#define HAND(name, ...)             {#name, errors_of_##name, true},
#define NUMBERED(name, number, ...) {"syscall " #name, errors_of_numbered_##name, false},
#include "table.h"
#undef CALL
#undef HAND
#undef NUMBERED
};

/* ---- what fails --------------------------------------------------------------------------------
 */

typedef struct calls_state {
    atomic_bool armed, failed;
    calls_plan plan;
    pid_t parent;
    atomic_uint made[2][CALLS];
} calls_state;

static calls_state *state;

/* In a mapping of a file without a name: POSIX has no other memory that a fork shares. */
static int make_state(void)
{
    char path[] = "/tmp/weft-calls-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0)
        return -errno;
    unlink(path);
    int r = ftruncate(fd, (off_t)sizeof *state) < 0 ? -errno : 0;
    if (r == 0) {
        void *at = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (at == MAP_FAILED)
            r = -errno;
        else
            state = at;
    }
    close(fd);
    return r;
}

int calls_arm(const calls_plan *plan)
{
    int r = state == NULL ? make_state() : 0;
    if (r < 0)
        return r;
    state->plan = *plan;
    state->parent = getpid();
    for (int i = 0; i < CALLS; i++) {
        atomic_store(&state->made[CALLS_HERE][i], 0);
        atomic_store(&state->made[CALLS_CHILD][i], 0);
    }
    atomic_store(&state->failed, false);
    atomic_store(&state->armed, true);
    return 0;
}

void calls_disarm(void)
{
    if (state != NULL)
        atomic_store(&state->armed, false);
}

bool calls_failed(void)
{
    return atomic_load(&state->failed);
}

unsigned calls_made(int call, enum calls_side side)
{
    return atomic_load(&state->made[side][call]);
}

int calls_count(void)
{
    return CALLS;
}

const calls_kind *calls_kind_of(int call)
{
    return &kinds[call];
}

const char *calls_error_name(int error)
{
    static const struct {
        int error;
        const char *name;
    } names[] = {
        {SHORT, "one byte"},
        {EACCES, "EACCES"},
        {EADDRINUSE, "EADDRINUSE"},
        {EAGAIN, "EAGAIN"},
        {ECONNABORTED, "ECONNABORTED"},
        {ECONNREFUSED, "ECONNREFUSED"},
        {ECONNRESET, "ECONNRESET"},
        {EINTR, "EINTR"},
        {EINVAL, "EINVAL"},
        {EIO, "EIO"},
        {EMFILE, "EMFILE"},
        {ENETUNREACH, "ENETUNREACH"},
        {ENFILE, "ENFILE"},
        {ENOBUFS, "ENOBUFS"},
        {ENOENT, "ENOENT"},
        {ENOMEM, "ENOMEM"},
        {ENOSPC, "ENOSPC"},
        {ENOSYS, "ENOSYS"},
        {EPERM, "EPERM"},
        {ESRCH, "ESRCH"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i].error == error)
            return names[i].name;
    }
    return "another error";
}

/* Counts a call; how it is to fail, 0: it is not. */
static int next(int call)
{
    if (state == NULL || !atomic_load(&state->armed))
        return 0;
    enum calls_side side = getpid() == state->parent ? CALLS_HERE : CALLS_CHILD;
    unsigned n = atomic_fetch_add(&state->made[side][call], 1) + 1;
    const calls_plan *plan = &state->plan;
    if (plan->call != call || plan->side != side)
        return 0;
    if (plan->onwards ? n < plan->n : n != plan->n)
        return 0;
    atomic_store(&state->failed, true);
    return plan->error;
}

/* Whether a caller cannot rely on more than one byte: not for a counter's eight, nor for what a
 * pipe takes as a whole. */
static bool may_be_short(int fd, size_t size, bool writes)
{
    struct stat about;
    if (size < 2 || fstat(fd, &about) < 0)
        return false;
    if (S_ISFIFO(about.st_mode))
        return !writes || size > PIPE_BUF;
    return S_ISSOCK(about.st_mode) || S_ISREG(about.st_mode);
}

/* The few bytes that wake another thread go to a pipe or a counter, which nothing but a signal
 * keeps from taking them. */
static bool may_fail(size_t size, int error)
{
    return size > 8 || error == EINTR;
}

/* ---- the wrappers ------------------------------------------------------------------------------
 */

#define FAILED(type, error) (errno = (error), (type)-1)

#define WRAP_MAKES(name, type, arguments, error)                                                   \
    return (error) == 0 ? __real_##name arguments : FAILED(type, error)
#define WRAP_ASKS(name, type, arguments, error) WRAP_MAKES(name, type, arguments, error)
#define WRAP_NUMBER(name, type, arguments, error)                                                  \
    return (error) == 0 ? __real_##name arguments : (error)
#define WRAP_ENDS(name, type, arguments, error)                                                    \
    type result = __real_##name arguments;                                                         \
    return result < 0 || (error) == 0 ? result : FAILED(type, error)

/* `fd` and `size` are parameters of all transfers. */
#define WRAP_MOVES(name, type, arguments, error, puts)                                             \
    if ((error) > 0 && may_fail(size, error))                                                      \
        return FAILED(type, error);                                                                \
    if ((error) == SHORT && may_be_short(fd, size, puts))                                          \
        size = 1;                                                                                  \
    return __real_##name arguments
#define WRAP_GETS(name, type, arguments, error) WRAP_MOVES(name, type, arguments, error, false)
#define WRAP_PUTS(name, type, arguments, error) WRAP_MOVES(name, type, arguments, error, true)

#define CALL(how, name, type, parameters, arguments, ...)                                          \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        int error = next(CALL_##name);                                                             \
        WRAP_##how(name, type, arguments, error);                                                  \
    }
#define HAND(name, ...)
#define NUMBERED(name, number, ...)
#include "table.h"
#undef CALL
#undef HAND
#undef NUMBERED

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    int error = next(CALL_open);
    mode_t mode = 0;
    if ((flags & O_CREAT) != 0) {
        va_list arguments;
        va_start(arguments, flags);
        mode = (mode_t)va_arg(arguments, unsigned);
        va_end(arguments);
    }
    return error == 0 ? __real_open(path, flags, mode) : FAILED(int, error);
}

DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_opendir(const char *path)
{
    int error = next(CALL_opendir);
    if (error == 0)
        return __real_opendir(path);
    errno = error;
    return NULL;
}

/* Only what makes a descriptor runs out of them; only what changes one is refused. */
int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
    bool asks = command == F_GETFD || command == F_GETFL;
    bool makes = command == F_DUPFD || command == F_DUPFD_CLOEXEC;
    va_list arguments;
    va_start(arguments, command);
    void *argument = asks ? NULL : va_arg(arguments, void *);
    va_end(arguments);
    int error = asks ? 0 : next(CALL_fcntl);
    if (error == 0 || (error == EMFILE) != makes)
        return __real_fcntl(fd, command, argument);
    return FAILED(int, error);
}

/* Interrupted, it goes on by itself. */
int __real_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    int error = next(CALL_connect);
    if (error != 0 && error != EINTR)
        return FAILED(int, error);
    int result = __real_connect(fd, address, size);
    bool begun = result == 0 || errno == EINPROGRESS;
    return error == EINTR && begun ? FAILED(int, error) : result;
}

#if defined(WEFT_HAVE_PEER)
int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
    int error = next(CALL_ioctl);
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return error == 0 ? __real_ioctl(fd, request, argument) : FAILED(int, error);
}
#endif

#if defined(WEFT_HAVE_CLONE)
int __real_prctl(int option, ...);
int __wrap_prctl(int option, ...);
int __wrap_prctl(int option, ...)
{
    int error = next(CALL_prctl);
    va_list arguments;
    va_start(arguments, option);
    unsigned long argument = va_arg(arguments, unsigned long);
    va_end(arguments);
    return error == 0 ? __real_prctl(option, argument, 0UL, 0UL, 0UL) : FAILED(int, error);
}

int __real_clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
int __wrap_clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
int __wrap_clone(int (*fn)(void *), void *stack, int flags, void *arg, ...)
{
    int error = next(CALL_clone);
    va_list arguments;
    va_start(arguments, arg);
    void *pidfd = va_arg(arguments, void *);
    va_end(arguments);
    return error == 0 ? __real_clone(fn, stack, flags, arg, pidfd) : FAILED(int, error);
}
#endif

#if defined(HAVE_SYSCALL)
static int numbered(long number, long second)
{
#define CALL(how, name, ...)
#define HAND(name, ...)
#define NUMBERED(name, number_of, ...)                                                             \
    if (number == (number_of))                                                                     \
        return NUMBERED_##name;
#if defined(WEFT_HAVE_FUTEX)
    if (number == SYS_futex && (second & FUTEX_CMD_MASK) == FUTEX_WAKE)
        return -1;
#endif
#include "table.h"
#undef CALL
#undef HAND
#undef NUMBERED
    return -1;
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    long a[6];
    va_list arguments;
    va_start(arguments, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(arguments, long);
    va_end(arguments);
    int call = numbered(number, a[1]);
    int error = call < 0 ? 0 : next(call);
    return error == 0 ? __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5])
                      : FAILED(long, error);
}
#endif
