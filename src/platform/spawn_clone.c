/* SPDX-License-Identifier: MIT */
/*
 * Spawn without copying the parent: the child borrows its memory until the exec, so the cost does
 * not grow with the parent (posix_spawn of glibc works so; the chain and the stack cache are ours).
 *
 * Four ways, the first that the system lets us have, found at run time and remembered:
 *   clone3  on a stack of its own, with a pidfd, and the handlers put to default by the kernel,
 * which saves a hundred sigaction calls; clone   the same without the last (older kernels,
 * sandboxes); vfork   on the caller's stack; fork    for hooks, and under TSan, whose run time
 * would take the child's calls for the parent's.
 *
 * In the first three the calling thread is stopped until the child's exec or end. All signals are
 * blocked and cancellation is off, as the child runs with the caller's TLS. The child's stack is
 * never the caller's (a coroutine's may be small): 64 KiB, a few of which are kept, each taken by
 * one atomic exchange.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/cloexec.h"
#include "platform/spawn_child.h"

#if defined(__SANITIZE_THREAD__)
#define SHARING_ALLOWED 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SHARING_ALLOWED 0
#endif
#endif
#ifndef SHARING_ALLOWED
#define SHARING_ALLOWED 1
#endif

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#define CLEAR_SIGHAND UINT64_C(0x100000000) /* Linux 5.5; above what clone(2) takes */

enum {
    STACK_SIZE = 64 * 1024,
    STACK_GUARD = 16 * 1024, /* at least a page, whatever its size, on most systems */
    STACKS_KEPT = 4,
    LOOP_LIMIT = 1 << 20,
};

typedef enum level {
    LEVEL_CLONE3,
    LEVEL_CLONE,
    LEVEL_VFORK,
    LEVEL_FORK,
} level;

/* A hint only, so relaxed: a thread that does not see it yet finds out by itself. */
static _Atomic int level_first = SHARING_ALLOWED ? LEVEL_CLONE3 : LEVEL_FORK;

/* A child has stored to this memory; relaxed, as the other. */
static _Atomic bool sharing_seen;

/* ---- stacks */

/* Taken and put by exchange: acquire and release hand the mapping over, of which nothing is read.
 */
static _Atomic(void *) stacks[STACKS_KEPT];

static void *stack_acquire(void)
{
    for (int i = 0; i < STACKS_KEPT; i++) {
        void *stack = atomic_load_explicit(&stacks[i], memory_order_relaxed);
        if (stack != NULL) {
            stack = atomic_exchange_explicit(&stacks[i], NULL, memory_order_acquire);
            if (stack != NULL)
                return stack;
        }
    }
    void *stack = mmap(NULL, STACK_GUARD + STACK_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED)
        return NULL;
    (void)mprotect(stack, STACK_GUARD, PROT_NONE); /* without it only the guard is missing */
    return stack;
}

static void stack_release(void *stack)
{
    for (int i = 0; i < STACKS_KEPT; i++) {
        void *empty = NULL;
        if (atomic_compare_exchange_strong_explicit(&stacks[i], &empty, stack, memory_order_release,
                                                    memory_order_relaxed))
            return;
    }
    (void)munmap(stack, STACK_GUARD + STACK_SIZE);
}

void weft_spawn_trim(void)
{
    for (int i = 0; i < STACKS_KEPT; i++) {
        void *stack = atomic_exchange_explicit(&stacks[i], NULL, memory_order_acquire);
        if (stack != NULL)
            (void)munmap(stack, STACK_GUARD + STACK_SIZE);
    }
}

/* ---- the four ways: a pid, or a negative errno */

/* What the kernel calls clone_args, in its first size. */
typedef struct clone3_args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
} clone3_args;

#if defined(SYS_clone3) && defined(__x86_64__) && defined(__LP64__)
/* The child returns on an empty stack, so it must not leave this statement. */
WEFT_SPAWN_RAW static long clone3_call(clone3_args *args, const weft_spawn_child *child)
{
    register const weft_spawn_child *argument __asm__("r12") = child;
    register void (*entry)(const weft_spawn_child *) __asm__("r13") = weft_spawn_child_run;
    long result;

    __asm__ volatile("syscall\n\t"
                     "testq %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xorl %%ebp, %%ebp\n\t" /* the end of the chain of frames */
                     "movq %%r12, %%rdi\n\t"
                     "callq *%%r13\n\t"
                     "ud2\n"
                     "1:"
                     : "=a"(result)
                     : "0"((long)SYS_clone3), "D"(args), "S"(sizeof *args), "r"(argument),
                       "r"(entry)
                     : "rcx", "r11", "memory", "cc");
    return result;
}
#elif defined(SYS_clone3) && defined(__aarch64__) && defined(__LP64__)
WEFT_SPAWN_RAW static long clone3_call(clone3_args *args, const weft_spawn_child *child)
{
    register long x0 __asm__("x0") = (long)(uintptr_t)args;
    register long x1 __asm__("x1") = (long)sizeof *args;
    register long x8 __asm__("x8") = SYS_clone3;
    register const weft_spawn_child *argument __asm__("x20") = child;
    register void (*entry)(const weft_spawn_child *) __asm__("x21") = weft_spawn_child_run;

    __asm__ volatile("svc 0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, xzr\n\t"
                     "mov x30, xzr\n\t"
                     "mov x0, x20\n\t"
                     "blr x21\n\t"
                     "brk 1\n"
                     "1:"
                     : "+r"(x0)
                     : "r"(x1), "r"(x8), "r"(argument), "r"(entry)
                     : "memory", "cc");
    return x0;
}
#else
static long clone3_call(clone3_args *args, const weft_spawn_child *child)
{
    (void)args;
    (void)child;
    return -ENOSYS;
}
#endif

static pid_t by_clone3(weft_spawn_child *child, int *pidfd)
{
    unsigned char *stack = stack_acquire();
    if (stack == NULL)
        return -ENOMEM;

    clone3_args args = {
        .flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLEAR_SIGHAND,
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
        .stack = (uint64_t)(uintptr_t)(stack + STACK_GUARD),
        .stack_size = STACK_SIZE,
    };
    child->handlers_reset = true;
    long pid = clone3_call(&args, child);
    child->handlers_reset = false;
    stack_release(stack);
    return (pid_t)pid;
}

WEFT_SPAWN_RAW static int clone_entry(void *arg)
{
    weft_spawn_child_run(arg);
}

static pid_t by_clone(weft_spawn_child *child, int *pidfd)
{
    unsigned char *stack = stack_acquire();
    if (stack == NULL)
        return -ENOMEM;

    int pid = clone(clone_entry, stack + STACK_GUARD + STACK_SIZE,
                    CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, child, pidfd);
    int r = pid < 0 ? -errno : pid;
    stack_release(stack);
    return r;
}

/* In a frame of its own, in which nothing changes after the vfork. */
WEFT_SPAWN_RAW __attribute__((noinline)) static pid_t by_vfork(weft_spawn_child *child)
{
    pid_t pid = vfork();
    if (pid == 0)
        weft_spawn_child_run(child);
    return pid < 0 ? -errno : pid;
}

static pid_t by_fork(weft_spawn_child *child)
{
    pid_t pid = fork();
    if (pid == 0)
        weft_spawn_child_run(child);
    return pid < 0 ? -errno : pid;
}

bool weft_spawn_shares(const weft_spawn_plan *plan)
{
    return plan->hook == NULL && atomic_load_explicit(&sharing_seen, memory_order_relaxed);
}

/* 0: it would need a pipe. */
static pid_t make_child(weft_spawn_child *child, int *pidfd)
{
    int at = atomic_load_explicit(&level_first, memory_order_relaxed);

    if (child->plan->hook != NULL)
        return by_fork(child);
    for (;; at++) {
        if (at == LEVEL_FORK && child->report_fd < 0) {
            atomic_store_explicit(&sharing_seen, false, memory_order_relaxed);
            return 0;
        }
        pid_t pid = at == LEVEL_CLONE3  ? by_clone3(child, pidfd)
                    : at == LEVEL_CLONE ? by_clone(child, pidfd)
                    : at == LEVEL_VFORK ? by_vfork(child)
                                        : by_fork(child);
        bool refused = pid == -ENOSYS || pid == -EPERM || pid == -EINVAL;
        if (!refused || at == LEVEL_FORK) {
            if (pid > 0)
                atomic_store_explicit(&level_first, at, memory_order_relaxed);
            return pid;
        }
        *pidfd = -1;
    }
}

static int pidfd_of(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0); /* close-on-exec; -1 is as good as none */
}

int weft_spawn_begin(weft_spawn_child *child, weft_spawn_result *result)
{
    int cancel_state;
    int pidfd = -1;

    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    weft_cloexec_before_fork();
    pid_t pid = make_child(child, &pidfd);
    weft_cloexec_after_fork();
    (void)pthread_setcancelstate(cancel_state, NULL);
    if (pid < 0)
        return pid;
    if (pid == 0)
        return WEFT_SPAWN_NEEDS_PIPE;

    if (child->shared->alive != 0 && !atomic_load_explicit(&sharing_seen, memory_order_relaxed))
        atomic_store_explicit(&sharing_seen, true, memory_order_relaxed);
    result->pid = pid;
    result->pidfd = pidfd >= 0 ? pidfd : pidfd_of(pid);
    return 0;
}

/* ---- in the child */

#ifdef SYS_setgroups32
#define SET_GROUPS SYS_setgroups32
#define SET_GIDS   SYS_setregid32
#define SET_UIDS   SYS_setreuid32
#else
#define SET_GROUPS SYS_setgroups
#define SET_GIDS   SYS_setregid
#define SET_UIDS   SYS_setreuid
#endif

WEFT_SPAWN_RAW int weft_spawn_child_identity(const weft_spawn_plan *plan)
{
    if (plan->set_groups && syscall(SET_GROUPS, plan->groups_count, plan->groups) < 0)
        return errno;
    if (plan->set_gid) {
        if (syscall(SET_GIDS, plan->gid, plan->gid) < 0)
            return errno;
        if (getgid() != plan->gid || getegid() != plan->gid)
            return EPERM;
    }
    if (plan->set_uid) {
        if (syscall(SET_UIDS, plan->uid, plan->uid) < 0)
            return errno;
        if (getuid() != plan->uid || geteuid() != plan->uid)
            return EPERM;
    }
    return 0;
}

WEFT_SPAWN_RAW int weft_spawn_child_terminal(int fd, const char *path)
{
    (void)path;
    return ioctl(fd, TIOCSCTTY, 0) < 0 ? errno : 0;
}

/* The signal is sent when the thread that made the child ends, or not at all if that was before. */
WEFT_SPAWN_RAW int weft_spawn_child_death_signal(int signum, pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, (unsigned long)signum, 0, 0, 0) < 0)
        return errno;
    if (getppid() != parent)
        (void)kill(getpid(), SIGKILL);
    return 0;
}

/* The kernel's record of a directory entry, which libc shows only through opendir, which allocates.
 */
typedef struct directory_entry {
    uint64_t inode;
    int64_t offset;
    uint16_t length;
    unsigned char type;
    char name[];
} directory_entry;

WEFT_SPAWN_RAW static int number_of(const char *name)
{
    int number = 0;

    for (; *name != '\0'; name++) {
        if (*name < '0' || *name > '9' || number > (INT_MAX - 9) / 10)
            return -1;
        number = number * 10 + (*name - '0');
    }
    return number;
}

/* One reading of the listing from its start. How many were closed. */
WEFT_SPAWN_RAW static int close_listed(int directory, int from, int to)
{
    _Alignas(directory_entry) char buffer[2048];
    int closed = 0;
    long n;

    (void)lseek(directory, 0, SEEK_SET);
    while ((n = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0) {
        for (long at = 0; at < n;) {
            const directory_entry *entry = (const directory_entry *)(const void *)(buffer + at);
            int fd = number_of(entry->name);
            at += entry->length;
            if (fd < from || fd > to || fd == directory)
                continue;
            closed += close(fd) == 0; /* one that cannot be is listed for ever */
        }
    }
    return closed;
}

/* Without close_range (Linux 5.9): by the listing, until it shows nothing more; without /proc by
 * trying. */
WEFT_SPAWN_RAW static int close_without_range(int from, int to)
{
    int directory = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0) {
        while (close_listed(directory, from, to) > 0)
            ;
        (void)close(directory);
        return 0;
    }

    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return errno;
    if (to == INT_MAX && limit.rlim_cur > LOOP_LIMIT)
        return ENOTSUP;
    int last = to == INT_MAX ? (int)limit.rlim_cur - 1 : to;
    for (int fd = from; fd <= last; fd++)
        (void)close(fd);
    return 0;
}

WEFT_SPAWN_RAW int weft_spawn_child_close(const weft_spawn_child *child, int from, int to)
{
    (void)child;
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)from, to < 0 ? UINT_MAX : (unsigned)to, 0) == 0)
        return 0;
#endif
    return close_without_range(from, to < 0 ? INT_MAX : to);
}

/* ---- fork */

/* The child waits until its pidfd exists: it could end, and where the host reaps everything its
 * number could be another's by then. */
pid_t weft_spawn_fork(int *pidfd)
{
    int gate[2];
    char byte = 0;
    ssize_t n;

    if (pidfd == NULL) {
        pid_t pid = fork();
        return pid < 0 ? -errno : pid;
    }
    *pidfd = -1;
    int r = weft_cloexec_pipe(gate);
    if (r < 0)
        return r;

    pid_t pid = fork();
    if (pid == 0) {
        (void)close(gate[1]);
        do
            n = read(gate[0], &byte, 1); /* the end of the pipe: the parent is dead */
        while (n < 0 && errno == EINTR);
        (void)close(gate[0]);
        return 0;
    }
    r = pid < 0 ? -errno : pid;
    if (pid > 0) {
        *pidfd = pidfd_of(pid);
        /* Not by closing alone: another thread's fork may hold a copy of the write end. The read
         * end is still open here, so there is no SIGPIPE when the child was killed. */
        do
            n = write(gate[1], &byte, 1);
        while (n < 0 && errno == EINTR);
    }
    (void)close(gate[0]);
    (void)close(gate[1]);
    return r;
}
