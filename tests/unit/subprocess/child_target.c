/* SPDX-License-Identifier: MIT */
/*
 * The program that the tests of subprocess start. What it does is its first argument's name:
 *
 *     exit N            leaves with N
 *     die N             raises signal N
 *     say OUT ERR       writes the texts to stdout and stderr
 *     cat               copies stdin to stdout
 *     flood N           writes N bytes, 'a' to 'z' over and over, to stdout
 *     floods N          the same to stdout and stderr in turns
 *     gulp N            reads N bytes of stdin, and ends
 *     env NAME          writes the value of NAME, or "(none)"
 *     cwd               writes the working directory
 *     fds               writes the numbers of all open descriptors
 *     ids               writes whether it leads its group, its session
 *     owners            writes its user, its group, and its other groups
 *     blocked           writes the numbers of the signals that are blocked
 *     limit N           writes the soft and the hard limit of resource N
 *     tty               writes which of 0, 1, 2 are terminals, and whether it controls one
 *     obey              reads lines: "o text" writes text to stdout, "e text" to stderr
 *     hoard N           touches N bytes, and spends 20 ms of processor time
 *     churn N           copies stdin to stdout, N bytes, in pieces of odd sizes
 *     mask              writes the umask, in octal
 *     ready FD          writes "ready" to stdout, closes FD, then sleeps for ever
 *     hold FD           as ready, but a grandchild keeps stdout too, until FD2 = FD + 1 ends
 *     orphan FD         says "left", leaves a grandchild with stdout that ends when FD does
 *     ignore FD         ignores SIGTERM, then as ready
 *     desert FD         leaves its process group for its parent's, then as ready
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int put_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno != EINTR)
            return 1;
        if (n > 0) {
            data += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

static int put(int fd, const char *text)
{
    return put_all(fd, text, strlen(text));
}

static int cat(void)
{
    static char buffer[65536];
    for (;;) {
        ssize_t n = read(0, buffer, sizeof buffer);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return 1;
        if (n > 0 && put_all(1, buffer, (size_t)n) != 0)
            return 1;
    }
}

static int flood(size_t size, int streams)
{
    static char buffer[26 * 1001]; /* an odd size */
    for (size_t i = 0; i < sizeof buffer; i++)
        buffer[i] = (char)('a' + i % 26);
    for (size_t done = 0; done < size;) {
        size_t n = size - done < sizeof buffer ? size - done : sizeof buffer;
        for (int fd = 1; fd <= streams; fd++) {
            if (put_all(fd, buffer, n) != 0)
                return 1;
        }
        done += n;
    }
    return 0;
}

static int gulp(size_t size)
{
    char byte;
    while (size > 0) {
        ssize_t n = read(0, &byte, 1);
        if (n == 0 || (n < 0 && errno != EINTR))
            return 1;
        size -= n > 0;
    }
    return 0;
}

static int list_fds(void)
{
    char text[32];
    for (int fd = 0; fd < 1024; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            continue;
        (void)snprintf(text, sizeof text, "%d ", fd);
        if (put(1, text) != 0)
            return 1;
    }
    return 0;
}

static _Noreturn void sleep_for_ever(void)
{
    for (;;)
        pause();
}

static void wait_for_end(int fd)
{
    char byte;
    while (read(fd, &byte, 1) != 0)
        continue;
}

static int ready(int fd)
{
    int r = put(1, "ready");
    close(fd);
    if (r != 0)
        return r;
    sleep_for_ever();
}

/* A grandchild that has stdout and ends with `fd`. */
static int leave_grandchild(int fd)
{
    pid_t pid = fork();
    if (pid == 0) {
        wait_for_end(fd);
        _exit(0);
    }
    close(fd);
    return pid < 0;
}

static int say_where(void)
{
    char text[4096];
    return getcwd(text, sizeof text) == NULL ? 1 : put(1, text);
}

static int say_ids(void)
{
    put(1, getpgrp() == getpid() ? "group " : "- ");
    return put(1, getsid(0) == getpid() ? "session" : "-");
}

static int say_mask(void)
{
    char text[32];
    mode_t mask = umask(0);
    (void)snprintf(text, sizeof text, "%03o", (unsigned)mask);
    return put(1, text);
}

static int say_owners(void)
{
    gid_t groups[64];
    char text[1024];
    int count = getgroups(64, groups);
    int n = snprintf(text, sizeof text, "%ld %ld:", (long)geteuid(), (long)getegid());
    for (int i = 0; i < count; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, " %ld", (long)groups[i]);
    return put(1, text);
}

static int say_blocked(void)
{
    char text[16];
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    for (int s = 1; s < 32; s++) {
        (void)snprintf(text, sizeof text, "%d ", s);
        if (sigismember(&mask, s) == 1 && put(1, text) != 0)
            return 1;
    }
    return 0;
}

static int say_limit(int resource)
{
    char text[64];
    struct rlimit limit;
    if (getrlimit(resource, &limit) < 0)
        return 1;
    (void)snprintf(text, sizeof text, "%lld %lld", (long long)limit.rlim_cur,
                   (long long)limit.rlim_max);
    return put(1, text);
}

static int say_terminals(void)
{
    char text[16] = "";
    for (int fd = 0; fd < 3; fd++)
        (void)strcat(text, isatty(fd) ? "t" : "-");
    int own = open("/dev/tty", O_RDWR);
    (void)strcat(text, own >= 0 ? " own\n" : "\n");
    return put(isatty(1) ? 1 : 2, text);
}

static int obey(void)
{
    char line[256];
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (put(line[0] == 'o' ? 1 : 2, line + 2) != 0)
            return 1;
    }
    return 0;
}

static int hoard(size_t size)
{
    char *memory = malloc(size);
    if (memory == NULL)
        return 1;
    for (size_t i = 0; i < size; i += 1024)
        ((volatile char *)memory)[i] = 1;
    while (clock() < CLOCKS_PER_SEC / 50)
        continue;
    return 0;
}

static int churn(size_t size)
{
    static char buffer[70001];
    unsigned random = 1;
    while (size > 0) {
        random = random * 1103515245u + 12345u;
        size_t want = 1 + (random >> 8) % sizeof buffer;
        ssize_t n = read(0, buffer, want);
        if (n <= 0)
            return n < 0;
        size_t first = (size_t)n / 3;
        if (put_all(1, buffer, first) != 0 || put_all(1, buffer + first, (size_t)n - first) != 0)
            return 1;
        size -= (size_t)n < size ? (size_t)n : size;
    }
    return 0;
}

static int say_env(const char *name)
{
    const char *value = getenv(name);
    return put(1, value != NULL ? value : "(none)");
}

static int say(int argc, char **argv)
{
    return put(1, argc > 2 ? argv[2] : "0") || (argc > 3 && put(2, argv[3]));
}

/* What needs no number. */
static int do_plain(const char *what, int argc, char **argv)
{
    if (strcmp(what, "say") == 0)
        return say(argc, argv);
    if (strcmp(what, "cat") == 0)
        return cat();
    if (strcmp(what, "env") == 0)
        return say_env(argc > 2 ? argv[2] : "0");
    if (strcmp(what, "cwd") == 0)
        return say_where();
    if (strcmp(what, "fds") == 0)
        return list_fds();
    if (strcmp(what, "ids") == 0)
        return say_ids();
    if (strcmp(what, "owners") == 0)
        return say_owners();
    if (strcmp(what, "blocked") == 0)
        return say_blocked();
    if (strcmp(what, "tty") == 0)
        return say_terminals();
    if (strcmp(what, "obey") == 0)
        return obey();
    if (strcmp(what, "mask") == 0)
        return say_mask();
    return 125;
}

static int do_numbered(const char *what, long n)
{
    if (strcmp(what, "exit") == 0)
        return (int)n;
    if (strcmp(what, "die") == 0)
        return raise((int)n);
    if (strcmp(what, "flood") == 0)
        return flood((size_t)n, 1);
    if (strcmp(what, "floods") == 0)
        return flood((size_t)n, 2);
    if (strcmp(what, "gulp") == 0)
        return gulp((size_t)n);
    if (strcmp(what, "hoard") == 0)
        return hoard((size_t)n);
    if (strcmp(what, "churn") == 0)
        return churn((size_t)n);
    if (strcmp(what, "limit") == 0)
        return say_limit((int)n);
    if (strcmp(what, "ready") == 0)
        return ready((int)n);
    if (strcmp(what, "hold") == 0)
        return leave_grandchild((int)n + 1) || ready((int)n);
    if (strcmp(what, "orphan") == 0)
        return leave_grandchild((int)n) || put(1, "left");
    if (strcmp(what, "ignore") == 0)
        return signal(SIGTERM, SIG_IGN) == SIG_ERR || ready((int)n);
    if (strcmp(what, "desert") == 0)
        return setpgid(0, getpgid(getppid())) < 0 || ready((int)n);
    return 125;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int r = do_plain(what, argc, argv);
    return r != 125 ? r : do_numbered(what, strtol(argc > 2 ? argv[2] : "0", NULL, 10));
}
