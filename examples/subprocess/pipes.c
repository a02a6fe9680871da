/* SPDX-License-Identifier: MIT */
/*
 * A pipeline of three: of the lines on stdin that have a link, the link's name.
 *
 * .in_stream moves the stdout of one child to be the stdin of the next; nobody else keeps an end of
 * it, so that the last line of the one is the end for the other.
 */
#include <stdio.h>
#include <weft.h>

#include "example.h"

int main(void)
{
    const char *const cat[] = {"cat", NULL};
    const char *const grep[] = {"grep", "\\[.*\\]", NULL};
    const char *const cut[] = {"cut", "-d[", "-f2", NULL};
    weft_popen *first, *second, *last;
    const char *line;

    check(weft_popen_start(&first, cat, &(weft_popen_options){.out = WEFT_PIPE}));
    check(weft_popen_start(
        &second, grep,
        &(weft_popen_options){.in_stream = weft_popen_stdout(first), .out = WEFT_PIPE}));
    check(weft_popen_start(
        &last, cut,
        &(weft_popen_options){.in_stream = weft_popen_stdout(second), .out = WEFT_PIPE}));
    while (check(weft_stream_readline(weft_popen_stdout(last), &line, WEFT_FOREVER)) > 0)
        printf("%.*s\n", (int)strcspn(line, "]"), line);
    weft_release(first);
    weft_release(second);
    weft_release(last);
    return weft_shutdown(WEFT_FOREVER);
}
