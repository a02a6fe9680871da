/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include <stdlib.h>

#if defined(__SANITIZE_THREAD__)
enum { UNDER_TSAN = 1 };
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
enum { UNDER_TSAN = 1 };
#else
enum { UNDER_TSAN = 0 };
#endif
#else
enum { UNDER_TSAN = 0 };
#endif

bool emulated(void)
{
    return getenv("WEFT_TEST_EMULATED") != NULL;
}

bool descriptors_can_be_limited(void)
{
    return getenv("WEFT_TEST_VALGRIND") == NULL;
}

bool forked_can_start_threads(void)
{
    return !UNDER_TSAN && !emulated();
}
