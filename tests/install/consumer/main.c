/* SPDX-License-Identifier: MIT */
/* What an application does first: one header, one library. */
#include <stdio.h>
#include <weft.h>

int main(void)
{
    double before = weft_time();
    double after = weft_time();
    printf("%s %s\n", weft_error_name(-ETIMEDOUT), after >= before ? "forward" : "back");
    return after >= before ? 0 : 1;
}
