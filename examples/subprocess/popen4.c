/* SPDX-License-Identifier: MIT */
/* Collects stdout and stderr as one: what goes to the other is absent, not empty. */
#include <stdio.h>
#include <string.h>
#include <weft.h>

#include "repr.h"

int main(void)
{
    const char *text = "through stdin to stdout\n";
    weft_popen *popen;
    weft_completed completed;

    weft_popen_shell(&popen, "cat -; echo to stderr >&2",
                     &(weft_popen_options){.in = WEFT_PIPE, .out = WEFT_PIPE, .err = WEFT_STDOUT});
    int r = weft_popen_communicate(popen, text, strlen(text), &completed, WEFT_FOREVER);
    if (r < 0) {
        printf("ERROR: %s\n", weft_error_message());
    } else {
        repr("combined", completed.out);
        repr("stderr", completed.err);
    }
    weft_completed_clear(&completed);
    weft_release(popen);
    return weft_shutdown(WEFT_FOREVER);
}
