/* SPDX-License-Identifier: MIT */
/* Collects all that a child writes. An argument arrives as it is: no shell takes its quotes. */
#include <stdio.h>
#include <weft.h>

#include "repr.h"

int main(void)
{
    const char *const argv[] = {"echo", "\"quotes stay\"", NULL};
    weft_popen *popen;
    weft_completed completed;

    weft_popen_start(&popen, argv, &(weft_popen_options){.out = WEFT_PIPE});
    int r = weft_popen_communicate(popen, WEFT_NONE, &completed, WEFT_FOREVER);
    if (r < 0)
        printf("ERROR: %s\n", weft_error_message());
    else
        repr("stdout", completed.out);
    weft_completed_clear(&completed);
    weft_release(popen);
    return weft_shutdown(WEFT_FOREVER);
}
