/* SPDX-License-Identifier: MIT */
/*
 * Counts by asking the system: fcntl for each descriptor, /proc/self/task and /dev/shm where there
 * are such, waitid without taking anything, sigaction for each signal.
 */
#include "support/support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long entries(const char *path, const char *with)
{
    DIR *directory = opendir(path);
    if (directory == NULL)
        return -1;
    long count = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.' && (with == NULL || strstr(entry->d_name, with) != NULL);
    closedir(directory);
    return count;
}

static void count_children(struct census *census)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    census->children = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
    census->zombie = census->children ? info.si_pid : 0;
}

void census_take(struct census *census)
{
    memset(census, 0, sizeof *census);
    /* Directories first: reading one opens a descriptor. */
    census->threads = entries("/proc/self/task", NULL);
    long names = entries("/dev/shm", "weft");
    census->names = names > 0 ? (size_t)names : 0;
    for (int fd = 0; fd < CENSUS_FDS; fd++)
        census->fds[fd] = fcntl(fd, F_GETFD) >= 0;
    count_children(census);
    for (int signum = 1; signum < CENSUS_SIGNALS; signum++)
        if (sigaction(signum, NULL, &census->actions[signum]) < 0)
            memset(&census->actions[signum], 0, sizeof census->actions[signum]);
    pthread_sigmask(SIG_SETMASK, NULL, &census->mask);
    census->blocks = allocator_blocks();
    census->bytes = allocator_bytes();
}

struct report {
    char *text;
    size_t size, used;
    int count;
};

static void complain(struct report *report, const char *format, ...)
{
    va_list arguments;
    report->count++;
    if (report->used >= report->size)
        return;
    va_start(arguments, format);
    int n = vsnprintf(report->text + report->used, report->size - report->used, format, arguments);
    va_end(arguments);
    if (n > 0)
        report->used += (size_t)n;
}

static void compare_fds(struct report *report, const struct census *before,
                        const struct census *after)
{
    for (int fd = 0; fd < CENSUS_FDS; fd++) {
        if (before->fds[fd] == after->fds[fd])
            continue;
        char link[64], target[256] = "";
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        if (readlink(link, target, sizeof target - 1) < 0)
            target[0] = '\0';
        complain(report, "descriptor %d was %s (%s); ", fd, after->fds[fd] ? "left open" : "closed",
                 target);
    }
}

static void compare_signals(struct report *report, const struct census *before,
                            const struct census *after)
{
    const int flags = SA_RESTART | SA_SIGINFO | SA_NOCLDWAIT | SA_NOCLDSTOP | SA_NODEFER;
    for (int signum = 1; signum < CENSUS_SIGNALS; signum++) {
        const struct sigaction *a = &before->actions[signum], *b = &after->actions[signum];
        if (a->sa_handler != b->sa_handler || ((a->sa_flags ^ b->sa_flags) & flags) != 0)
            complain(report, "the handler of signal %d was changed; ", signum);
        if (sigismember(&before->mask, signum) != sigismember(&after->mask, signum))
            complain(report, "signal %d was %s; ", signum,
                     sigismember(&after->mask, signum) == 1 ? "left blocked" : "unblocked");
    }
}

static int compare(const struct census *before, const struct census *after, char *text, size_t size)
{
    struct report report = {.text = text, .size = size};
    if (size > 0)
        text[0] = '\0';
    compare_fds(&report, before, after);
    compare_signals(&report, before, after);
    if (after->threads > before->threads) /* fewer: one was on its way out before the test */
        complain(&report, "%ld threads, there were %ld; ", after->threads, before->threads);
    if (!before->children && after->children)
        complain(&report, after->zombie != 0 ? "child %ld was not waited for; " : "a child runs; ",
                 (long)after->zombie);
    if (after->names > before->names)
        complain(&report, "%zu names in /dev/shm, there were %zu; ", after->names, before->names);
    if (before->blocks != after->blocks || before->bytes != after->bytes)
        complain(&report, "%zu blocks (%zu bytes) of the heap, there were %zu (%zu); ",
                 after->blocks, after->bytes, before->blocks, before->bytes);
    return report.count;
}

int census_compare(const struct census *before, char *text, size_t size)
{
    int differences = 0;
    for (int i = 0; i < 500; i++) {
        struct census after;
        census_take(&after);
        differences = compare(before, &after, text, size);
        /* A thread that was joined may still stand in /proc, another test may hold a name. Nothing
         * else changes by waiting. */
        bool passing = after.threads > before->threads || after.names > before->names;
        if (differences == 0 || !passing)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
    return differences;
}

static void *nothing(void *arg)
{
    return arg;
}

/* The thread sanitizer starts a thread of its own with the first one of the program. */
static void start_first_thread(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, nothing, NULL) == 0)
        pthread_join(thread, NULL);
}

static pthread_once_t first_thread = PTHREAD_ONCE_INIT;
static struct census before_test;

int census_setup(void **state)
{
    (void)state;
    pthread_once(&first_thread, start_first_thread);
    allocator_install();
    census_take(&before_test);
    return 0;
}

int census_teardown(void **state)
{
    char text[2048];
    (void)state;
    int differences = census_compare(&before_test, text, sizeof text);
    allocator_remove();
    if (differences > 0) {
        print_error("the test left something behind: %s\n", text);
        return -1;
    }
    return 0;
}
