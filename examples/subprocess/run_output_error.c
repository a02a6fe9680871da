/* SPDX-License-Identifier: MIT */
/* Each stream goes its own way: stderr where ours goes, stdout to us, also when it is an error. */
#include <stdio.h>
#include <weft.h>

#include "repr.h"

int main(void)
{
    weft_completed completed;
    int r = weft_subprocess_shell(&completed, "echo to stdout; echo to stderr >&2; exit 1",
                                  &(weft_subprocess_options){.out = WEFT_PIPE, .check = true});
    if (r < 0)
        printf("ERROR: %s\n", weft_error_message());
    repr("stdout", completed.out);
    repr("stderr", completed.err);
    weft_completed_clear(&completed);
    return weft_shutdown(WEFT_FOREVER);
}
