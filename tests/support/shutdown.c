/* SPDX-License-Identifier: MIT */
/* In a file of its own, so that the tests of platform/ do not pull in the whole library. */
#include "support/support.h"

#include <weft/base.h>

int weft_setup(void **state)
{
    return census_setup(state);
}

int weft_teardown(void **state)
{
    int r = weft_shutdown(WEFT_FOREVER);
    if (r < 0) {
        print_error("weft_shutdown: %s: %s\n", weft_error_name(r), weft_error_message());
        return -1;
    }
    return census_teardown(state);
}
