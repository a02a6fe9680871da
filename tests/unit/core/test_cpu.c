/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <weft/base.h>

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
        census_test(it_counts_those_that_this_process_may_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
