/* SPDX-License-Identifier: MIT */
/* Runs a command whose output goes where ours goes. */
#include <stdio.h>
#include <weft.h>

#include "example.h"

int main(void)
{
    const char *const argv[] = {"ls", "-d", "/", "/usr", "/usr/bin", NULL};
    weft_completed completed;

    printf("before:\n");
    fflush(stdout); /* the command writes to the same place */
    check(weft_subprocess_run(&completed, argv, NULL));
    printf("returncode: %d\n", completed.returncode);
    weft_completed_clear(&completed);
    return weft_shutdown(WEFT_FOREVER);
}
