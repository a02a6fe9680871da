/* SPDX-License-Identifier: MIT */
/* Feeds a child through its stdin and lets it print to our stdout. */
#include <stdio.h>
#include <string.h>
#include <weft.h>

int main(void)
{
    const char *const argv[] = {"cat", "-", NULL};
    const char *text = "from the parent to the child\n";
    weft_popen *popen;

    printf("before:\n");
    fflush(stdout); /* the child writes to the same place */
    weft_popen_start(&popen, argv, &(weft_popen_options){.in = WEFT_PIPE});
    int r = weft_popen_communicate(popen, text, strlen(text), NULL, WEFT_FOREVER);
    if (r < 0)
        printf("ERROR: %s\n", weft_error_message());
    weft_release(popen);
    return weft_shutdown(WEFT_FOREVER);
}
