/* SPDX-License-Identifier: MIT */
/* Captures both streams as one; a status other than 0 would be an error. */
#include <stdio.h>
#include <weft.h>

#include "example.h"
#include "repr.h"

int main(void)
{
    const weft_subprocess_options options = {.out = WEFT_PIPE, .err = WEFT_STDOUT, .check = true};
    weft_completed completed;

    check(weft_subprocess_shell(&completed, "echo to stdout; echo to stderr >&2", &options));
    printf("output is %zu bytes\n", completed.out.size);
    repr("output", completed.out);
    weft_completed_clear(&completed);
    return weft_shutdown(WEFT_FOREVER);
}
