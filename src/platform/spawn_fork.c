/* SPDX-License-Identifier: MIT */
/*
 * Spawn by fork, in POSIX alone.
 *
 * The lock of cloexec is held over the fork, so that no descriptor of this library is open and not
 * yet marked in the child.
 *
 * Closing what is not listed: POSIX has neither a call that closes a range nor a way to list
 * descriptors that is safe in the child. Up to a limit of LOOP_LIMIT the child tries every number.
 * Above, the parent lists /dev/fd just before the fork and takes the highest number plus a margin,
 * for what other threads open until the fork; where /dev/fd cannot be read and the limit is beyond
 * sense, the spawn is refused.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "platform/cloexec.h"
#include "platform/spawn_child.h"

enum {
    LOOP_LIMIT = 4096,          /* closing so many closed descriptors costs less than listing */
    LOOP_LIMIT_BLIND = 1 << 20, /* without a list: a second at most */
    MARGIN = 1024,
};

/* The highest open descriptor, or -1 where the system does not tell. */
static int highest_descriptor(void)
{
    int highest = -1;
    DIR *directory = opendir("/dev/fd");
    struct dirent *entry;

    if (directory == NULL)
        return -1;
    while ((entry = readdir(directory)) != NULL) {
        char *end;
        long fd = strtol(entry->d_name, &end, 10);
        if (*end == '\0' && end != entry->d_name && fd > highest && fd < 0x7fffffff - MARGIN)
            highest = (int)fd;
    }
    (void)closedir(directory);
    return highest;
}

/* A system whose /dev/fd is a plain directory of device nodes lists 0, 1, 2 and nothing else: then
 * our own directory descriptor or report pipe is missing from the list. */
static int close_bound(int report_fd)
{
    long limit = sysconf(_SC_OPEN_MAX);
    int highest;

    if (limit >= 0 && limit <= LOOP_LIMIT) {
        highest = highest_descriptor(); /* the limit may have been lowered under open descriptors */
        return highest >= limit ? highest + 1 : (int)limit;
    }
    highest = highest_descriptor();
    if (highest >= report_fd)
        return highest + 1 + MARGIN;
    if (limit >= 0 && limit <= LOOP_LIMIT_BLIND)
        return (int)limit;
    return -ENOTSUP;
}

bool weft_spawn_shares(const weft_spawn_plan *plan)
{
    (void)plan;
    return false;
}

int weft_spawn_begin(weft_spawn_child *child, weft_spawn_result *result)
{
    if (child->plan->set_groups || child->plan->death_signal != 0) {
        result->stage = child->plan->set_groups ? WEFT_SPAWN_IDENTITY : WEFT_SPAWN_DEATH_SIGNAL;
        return -ENOTSUP;
    }

    weft_cloexec_before_fork();
    if (!child->plan->keep_fds) {
        child->close_bound = close_bound(child->report_fd);
        if (child->close_bound < 0) {
            weft_cloexec_after_fork();
            result->stage = WEFT_SPAWN_SETUP;
            return child->close_bound;
        }
    }
    pid_t pid = fork();
    if (pid == 0)
        weft_spawn_child_run(child);
    int r = pid < 0 ? -errno : 0;
    weft_cloexec_after_fork();

    result->pid = pid;
    return r;
}

/* Real, effective and saved ids: POSIX sets the saved one with the real one. */
int weft_spawn_child_identity(const weft_spawn_plan *plan)
{
    if (plan->set_gid) {
        if (setregid(plan->gid, plan->gid) < 0)
            return errno;
        if (getgid() != plan->gid || getegid() != plan->gid)
            return EPERM;
    }
    if (plan->set_uid) {
        if (setreuid(plan->uid, plan->uid) < 0)
            return errno;
        if (getuid() != plan->uid || geteuid() != plan->uid)
            return EPERM;
    }
    return 0;
}

/* A leader without a terminal gets the one that it opens; POSIX leaves that to the system, which
 * all do. */
int weft_spawn_child_terminal(int fd, const char *path)
{
    (void)fd;
    int opened;
    do
        opened = open(path, O_RDWR);
    while (opened < 0 && errno == EINTR);
    if (opened < 0)
        return errno;
    (void)close(opened);
    return 0;
}

int weft_spawn_child_death_signal(int signum, pid_t parent)
{
    (void)signum;
    (void)parent;
    return ENOTSUP; /* refused before the fork */
}

int weft_spawn_child_close(const weft_spawn_child *child, int from, int to)
{
    if (to < 0)
        to = child->close_bound - 1;
    for (int fd = from; fd <= to; fd++)
        (void)close(fd);
    return 0;
}

pid_t weft_spawn_fork(int *pidfd)
{
    if (pidfd != NULL)
        *pidfd = -1;
    weft_cloexec_before_fork();
    pid_t pid = fork();
    int error = errno;
    weft_cloexec_after_fork();
    return pid < 0 ? -error : pid;
}

void weft_spawn_trim(void) {}
