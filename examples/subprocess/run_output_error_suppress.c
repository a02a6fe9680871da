/* SPDX-License-Identifier: MIT */
/* Sends what a failing command writes nowhere: its status is known, its output is absent. */
#include <stdio.h>
#include <weft.h>

#include "repr.h"

int main(void)
{
    weft_completed completed;
    int r =
        weft_subprocess_shell(&completed, "echo to stdout; echo to stderr >&2; exit 1",
                              &(weft_subprocess_options){.out = WEFT_DEVNULL, .err = WEFT_DEVNULL});
    if (r < 0) {
        printf("ERROR: %s\n", weft_error_message());
    } else {
        printf("returncode: %d\n", completed.returncode);
        repr("stdout", completed.out);
        repr("stderr", completed.err);
    }
    weft_completed_clear(&completed);
    return weft_shutdown(WEFT_FOREVER);
}
