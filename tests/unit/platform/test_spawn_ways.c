/* SPDX-License-Identifier: MIT */
/*
 * The ways to make a child, each with all others forbidden by a seccomp filter, as sandboxes and
 * old kernels do; and the closing of descriptors without close_range.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#if defined(WEFT_TEST_SPAWN_CLONE) && defined(__has_include)
#if __has_include(<linux/seccomp.h>) && __has_include(<linux/filter.h>)
#define WITH_FILTER 1
#endif
#endif

#ifdef WITH_FILTER

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "platform/cloexec.h"
#include "platform/spawn.h"
#include "support/support.h"

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

enum {
    BY_CLONE3 = 1,
    BY_CLONE = 2,
    BY_VFORK = 4,
    BY_FORK = 8,
    CLOSE_RANGE = 16,
    LISTING = 32,
    ALL = 63,
    AFTER_ANOTHER = 64,    /* one has been made in the best way before */
    FEW_DESCRIPTORS = 128, /* the child has a limit */
    SKIPPED = 77,
};

typedef struct program {
    struct sock_filter code[64];
    unsigned short length;
} program;

static void add(program *p, unsigned short code, uint32_t k, uint8_t yes, uint8_t no)
{
    p->code[p->length++] = (struct sock_filter){.code = code, .k = k, .jt = yes, .jf = no};
}

/* If what is loaded equals `value`, the call fails. */
static void refuse(program *p, uint32_t value, int error)
{
    add(p, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    add(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error, 0, 0);
}

/* Which clone is meant shows in its flags: ours asks for a pidfd, libc's vfork (where that is a
 * clone) shares memory, its fork does neither. */
static bool forbid_all_but(int allowed)
{
    program p = {.length = 0};

    add(&p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    if ((allowed & BY_CLONE3) == 0)
        refuse(&p, SYS_clone3, ENOSYS);
    if ((allowed & CLOSE_RANGE) == 0)
        refuse(&p, SYS_close_range, ENOSYS);
    if ((allowed & LISTING) == 0)
        refuse(&p, SYS_getdents64, EACCES);
#ifdef SYS_vfork
    if ((allowed & BY_VFORK) == 0)
        refuse(&p, SYS_vfork, EPERM);
#endif
#ifdef SYS_fork
    if ((allowed & BY_FORK) == 0)
        refuse(&p, SYS_fork, EPERM);
#endif
    add(&p, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 1, 0);
    add(&p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    add(&p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args), 0, 0);
    add(&p, BPF_ALU | BPF_AND | BPF_K, CLONE_VM | CLONE_PIDFD, 0, 0);
    if ((allowed & BY_CLONE) == 0)
        refuse(&p, CLONE_VM | CLONE_PIDFD, EPERM);
    if ((allowed & BY_VFORK) == 0)
        refuse(&p, CLONE_VM, EPERM);
    if ((allowed & BY_FORK) == 0)
        refuse(&p, 0, EPERM);
    add(&p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);

    struct sock_fprog filter = {.len = p.length, .filter = p.code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
}

/* Of a child: fewer than are open here. */
static const weft_spawn_limit few = {RLIMIT_NOFILE, {.rlim_cur = 5, .rlim_max = 5}};
static bool few_descriptors;

static bool says(const char *path, const char *what, int error, const char *expected)
{
    const char *const paths[] = {path, NULL};
    char *argv[] = {(char *)"target", (char *)what, NULL};
    char *envp[] = {NULL};
    char text[512];
    size_t size = 0;
    ssize_t n;
    int fds[2];
    int status = -1;
    weft_spawn_result result;

    if (weft_cloexec_pipe(fds) < 0)
        return false;
    weft_spawn_plan plan = {.paths = paths, .argv = argv, .envp = envp, .fds = {-1, fds[1], -1}};
    plan.limits = &few;
    plan.limits_count = few_descriptors ? 1 : 0;
    int r = weft_spawn(&plan, &result);
    close(fds[1]);
    while ((n = read(fds[0], text + size, sizeof text - 1 - size)) > 0)
        size += (size_t)n;
    text[size] = '\0';
    close(fds[0]);
    if (r < 0)
        return -r == error && result.stage == WEFT_SPAWN_EXEC;
    if (waitpid(result.pid, &status, 0) != result.pid || status != 0 || result.pidfd < 0)
        return false;
    close(result.pidfd);
    return error == 0 && strcmp(text, expected) == 0;
}

static void on_signal(int signum)
{
    (void)signum;
}

/* In a copy of this process: the filter is for good. */
static int in_sandbox(int allowed)
{
    struct sigaction action = {.sa_handler = on_signal};
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        few_descriptors = (allowed & FEW_DESCRIPTORS) != 0;
        int leak = open("/dev/null", O_RDONLY);
        for (int i = 0; i < 200; i++)
            (void)fcntl(leak, F_DUPFD, 100 + i);
        sigaction(SIGUSR1, &action, NULL);
        if ((allowed & (CLOSE_RANGE | LISTING)) == 0) {
            struct rlimit limit = {.rlim_cur = 512, .rlim_max = 512};
            (void)setrlimit(RLIMIT_NOFILE, &limit);
        }
        if ((allowed & AFTER_ANOTHER) != 0 && !says(WEFT_TEST_SPAWN_TARGET, "fds", 0, "0 1 2 "))
            _exit(4);
        if (!forbid_all_but(allowed))
            _exit(SKIPPED);
        for (int i = 0; i < 3; i++) {
            if (!says(WEFT_TEST_SPAWN_TARGET, "fds", 0, "0 1 2 "))
                _exit(1);
            if (!says(WEFT_TEST_SPAWN_TARGET, "signals", 0, ""))
                _exit(2);
            if (!says("/nosuch", "fds", ENOENT, ""))
                _exit(3);
        }
        _exit(0);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void expect(int allowed)
{
    int r = in_sandbox(allowed);

    if (r == SKIPPED)
        skip();
    assert_int_equal(r, 0);
}

static bool sharing_allowed(void)
{
#if defined(__SANITIZE_THREAD__)
    return false;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
    return false;
#endif
#endif
    return true;
}

static void clone3_alone_will_do(void **state)
{
    (void)state;
#if !defined(__x86_64__) && !defined(__aarch64__)
    skip();
#endif
    if (!sharing_allowed())
        skip();
    expect(BY_CLONE3 | CLOSE_RANGE);
}

static void clone_alone_will_do(void **state)
{
    (void)state;
    if (!sharing_allowed())
        skip();
    expect(BY_CLONE | CLOSE_RANGE);
}

static void vfork_alone_will_do(void **state)
{
    (void)state;
    if (!sharing_allowed())
        skip();
    expect(BY_VFORK | CLOSE_RANGE);
}

static void fork_alone_will_do(void **state)
{
    (void)state;
    expect(BY_FORK | CLOSE_RANGE);
}

/* Memory was shared, so there is no pipe for the report; then it cannot be any more. */
static void fork_will_do_after_a_better_way(void **state)
{
    (void)state;
    expect(BY_FORK | CLOSE_RANGE | AFTER_ANOTHER);
}

static void descriptors_are_closed_by_the_listing(void **state)
{
    (void)state;
    expect(ALL & ~CLOSE_RANGE);
}

static void those_above_the_limit_of_the_child_are_closed_too(void **state)
{
    (void)state;
    if (!descriptors_can_be_limited())
        skip();
    expect((ALL & ~CLOSE_RANGE) | FEW_DESCRIPTORS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        census_test(clone3_alone_will_do),
        census_test(clone_alone_will_do),
        census_test(vfork_alone_will_do),
        census_test(fork_alone_will_do),
        census_test(fork_will_do_after_a_better_way),
        census_test(descriptors_are_closed_by_the_listing),
        census_test(those_above_the_limit_of_the_child_are_closed_too),
    };
    for (int fd = 3; fd < 4096; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void there_is_one_way(void **state)
{
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(there_is_one_way)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
