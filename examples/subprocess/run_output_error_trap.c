/* SPDX-License-Identifier: MIT */
/* Captures both streams of a command that fails, without taking its status for an error. */
#include <stdio.h>
#include <weft.h>

#include "repr.h"

int main(void)
{
    weft_completed completed;
    int r = weft_subprocess_shell(&completed, "echo to stdout; echo to stderr >&2; exit 1",
                                  &(weft_subprocess_options){.capture_output = true});
    if (r < 0) {
        printf("ERROR: %s\n", weft_error_message());
    } else {
        printf("returncode: %d\n", completed.returncode);
        printf("stdout is %zu bytes: %s", completed.out.size, (char *)completed.out.data);
        repr("stderr", completed.err);
    }
    weft_completed_clear(&completed);
    return weft_shutdown(WEFT_FOREVER);
}
