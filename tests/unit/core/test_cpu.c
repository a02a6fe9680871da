/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "support/support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <weft/base.h>

#if !defined(WEFT_PLATFORM_POSIX)
#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>

static bool forbidden;

/* Before the C library's. */
int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
    memset(set, 0, size);
    if (!forbidden)
        return syscall(SYS_sched_getaffinity, pid, size, set) < 0 ? -1 : 0;
    errno = EPERM;
    return -1;
}

static int count_in_sandbox(struct recorder *recorder, void *arg)
{
    (void)arg;
    forbidden = true;
    RECORD_INT(recorder, weft_cpu_count(), sysconf(_SC_NPROCESSORS_ONLN));
    return 0;
}

static void where_the_system_does_not_tell_it_counts_those_online(void **state)
{
    struct recorder recorder = {0};
    struct child child;
    (void)state;
    assert_int_equal(child_start(&child, count_in_sandbox, NULL), 0);
    assert_int_equal(child_join(&child, &recorder), 0);
    recorder_assert(&recorder);
}
#endif

/* As the system lists them: "0-3,8"; 0: it does not. */
static int allowed(void)
{
    char line[4096];
    int count = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        int first, last, used;
        const char *at = line;
        if (sscanf(at, "Cpus_allowed_list: %n%d%n", &used, &first, &used) < 1)
            continue;
        for (at = strchr(line, ':') + 1; sscanf(at, "%d%n", &first, &used) == 1; at++) {
            at += used;
            last = first;
            if (sscanf(at, "-%d%n", &last, &used) == 1)
                at += used;
            count += last - first + 1;
        }
    }
    if (file != NULL)
        fclose(file);
    return count;
}

static void it_counts_those_that_this_process_may_use(void **state)
{
    (void)state;
    int count = weft_cpu_count();
    assert_true(count >= 1);
    assert_int_equal(weft_cpu_count(), count);
#if !defined(WEFT_PLATFORM_POSIX)
    if (allowed() > 0)
        assert_int_equal(count, allowed());
#else
    (void)allowed;
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#if !defined(WEFT_PLATFORM_POSIX) /* first, since what has been counted stays */
        census_test(where_the_system_does_not_tell_it_counts_those_online),
#endif
        census_test(it_counts_those_that_this_process_may_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
