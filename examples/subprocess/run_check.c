/* SPDX-License-Identifier: MIT */
/* Asks for a status other than 0 to be an error. */
#include <stdio.h>
#include <weft.h>

int main(void)
{
    const char *const argv[] = {"false", NULL};
    weft_completed completed;
    int r = weft_subprocess_run(&completed, argv, &(weft_subprocess_options){.check = true});
    if (r < 0)
        printf("ERROR: %s: %s\n", weft_error_name(r), weft_error_message());
    weft_completed_clear(&completed);
    return weft_shutdown(WEFT_FOREVER);
}
