/* SPDX-License-Identifier: MIT */
/* Sends bytes to a child, and collects its stdout and its stderr, all three at once. */
#include <stdio.h>
#include <weft.h>

#include "example.h"
#include "repr.h"

int main(void)
{
    const weft_popen_options pipes = {.in = WEFT_PIPE, .out = WEFT_PIPE, .err = WEFT_PIPE};
    const char *text = "through stdin to stdout";
    weft_popen *popen;
    weft_completed completed;

    check(weft_popen_shell(&popen, "cat -; echo to stderr >&2", &pipes));
    check(weft_popen_communicate(popen, text, strlen(text), &completed, WEFT_FOREVER));
    repr("stdout", completed.out);
    repr("stderr", completed.err);
    weft_completed_clear(&completed);
    weft_release(popen);
    return weft_shutdown(WEFT_FOREVER);
}
