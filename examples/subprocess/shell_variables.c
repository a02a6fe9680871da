/* SPDX-License-Identifier: MIT */
/* Lets a shell replace a variable. No shell has a hand in anything but weft_..._shell. */
#include <stdio.h>
#include <weft.h>

#include "example.h"

int main(void)
{
    const char *const env[] = {"HOME=/home/weaver", NULL};
    const weft_subprocess_options options = {.popen.env = env};
    weft_completed completed;

    check(weft_subprocess_shell(&completed, "echo $HOME", &options));
    printf("returncode: %d\n", completed.returncode);
    weft_completed_clear(&completed);
    return weft_shutdown(WEFT_FOREVER);
}
