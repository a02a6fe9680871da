/* SPDX-License-Identifier: MIT */
/* Captures what a command writes. */
#include <stdio.h>
#include <weft.h>

#include "example.h"

int main(void)
{
    const char *const argv[] = {"ls", "-d", "/", "/usr", "/usr/bin", NULL};
    weft_completed completed;

    check(weft_subprocess_run(&completed, argv, &(weft_subprocess_options){.out = WEFT_PIPE}));
    printf("returncode: %d\n", completed.returncode);
    printf("stdout is %zu bytes:\n%s", completed.out.size, (char *)completed.out.data);
    weft_completed_clear(&completed);
    return weft_shutdown(WEFT_FOREVER);
}
