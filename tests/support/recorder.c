/* SPDX-License-Identifier: MIT */
/* A failing assert_* jumps to cmocka's frame: across stacks, or out of a child into a second copy
 * of the runner. So what happens elsewhere is only written down. */
#include "support/support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t recording = PTHREAD_MUTEX_INITIALIZER;

bool recorder_check(struct recorder *recorder, bool passed, const char *what, const char *file,
                    int line)
{
    pthread_mutex_lock(&recording);
    recorder->checks++;
    if (!passed && recorder->failures++ == 0)
        snprintf(recorder->first, sizeof recorder->first, "%s:%d: %s", file, line, what);
    pthread_mutex_unlock(&recording);
    return passed;
}

bool recorder_check_int(struct recorder *recorder, long long value, long long wanted,
                        const char *what, const char *file, int line)
{
    char text[256];
    snprintf(text, sizeof text, "%s is %lld, not %lld", what, value, wanted);
    return recorder_check(recorder, value == wanted, text, file, line);
}

void recorder_assert(struct recorder *recorder)
{
    pthread_mutex_lock(&recording);
    struct recorder copy = *recorder;
    pthread_mutex_unlock(&recording);
    if (copy.failures > 0)
        fail_msg("%d of %d recorded checks failed, first %s", copy.failures, copy.checks,
                 copy.first);
    if (copy.checks == 0)
        fail_msg("nothing was recorded");
}

int child_start(struct child *child, int (*fn)(struct recorder *recorder, void *arg), void *arg)
{
    int ends[2];
    if (pipe(ends) < 0)
        return -errno;
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        int r = -errno;
        close(ends[0]);
        close(ends[1]);
        return r;
    }
    if (pid == 0) {
        struct recorder recorder = {0};
        close(ends[0]);
        int r = fn(&recorder, arg);
        /* Less than PIPE_BUF: one write, whole. */
        if (write(ends[1], &recorder, sizeof recorder) != (ssize_t)sizeof recorder)
            r = 255;
        _exit(r);
    }
    close(ends[1]);
    *child = (struct child){.pid = pid, .fd = ends[0]};
    return 0;
}

int child_join(struct child *child, struct recorder *recorder)
{
    struct recorder theirs = {0};
    size_t have = 0;
    for (ssize_t n; have < sizeof theirs; have += (size_t)n) {
        n = read(child->fd, (char *)&theirs + have, sizeof theirs - have);
        if (n < 0 && errno == EINTR)
            n = 0;
        else if (n <= 0)
            break;
    }
    close(child->fd);
    int status;
    while (waitpid(child->pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno - 1000;
    if (recorder != NULL && have == sizeof theirs) {
        pthread_mutex_lock(&recording);
        if (recorder->failures == 0 && theirs.failures > 0)
            memcpy(recorder->first, theirs.first, sizeof recorder->first);
        recorder->failures += theirs.failures;
        recorder->checks += theirs.checks;
        pthread_mutex_unlock(&recording);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
