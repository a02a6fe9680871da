/* SPDX-License-Identifier: MIT */
/* Sends bytes to a child that copies them back, and collects them, in one call. */
#include <stdio.h>
#include <string.h>
#include <weft.h>

#include "repr.h"

int main(void)
{
    const char *const argv[] = {"cat", "-", NULL};
    const char *text = "through the child and back";
    weft_popen *popen;
    weft_completed completed;

    weft_popen_start(&popen, argv, &(weft_popen_options){.in = WEFT_PIPE, .out = WEFT_PIPE});
    int r = weft_popen_communicate(popen, text, strlen(text), &completed, WEFT_FOREVER);
    if (r < 0)
        printf("ERROR: %s\n", weft_error_message());
    else
        repr("pass through", completed.out);
    weft_completed_clear(&completed);
    weft_release(popen);
    return weft_shutdown(WEFT_FOREVER);
}
