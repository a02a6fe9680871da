/* SPDX-License-Identifier: MIT */
/* Fails on purpose, in the way that its argument names: the runner must see each of them. */
#include "support/support.h"

#include <string.h>

#include "core/memory.h"

static void *kept;

static void assertion(void **state)
{
    (void)state;
    assert_int_equal(1, 2);
}

static void recorded(void **state)
{
    struct recorder recorder = {0};
    (void)state;
    RECORD_INT(&recorder, 1, 2);
    recorder_assert(&recorder);
}

static void leak(void **state)
{
    (void)state;
    kept = weft_alloc(10);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {census_test(assertion), census_test(recorded),
                                       census_test(leak)};
    if (argc != 2)
        return 0; /* which the runner takes for success, and so for a failure of this test */
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        if (strcmp(argv[1], tests[i].name) == 0) {
            const struct CMUnitTest one[] = {tests[i]};
            return cmocka_run_group_tests_name(argv[1], one, NULL, NULL);
        }
    return 0;
}
