/* SPDX-License-Identifier: MIT */
/* Talks to a child: a line and its answer at a time; then all lines, and all answers at the end. */
#include <stdio.h>
#include <weft.h>

#include "example.h"

enum { LINES = 5 };

static weft_popen *start(const char *repeater)
{
    const char *const argv[] = {repeater, NULL};
    weft_popen *popen;
    check(weft_popen_start(&popen, argv, &(weft_popen_options){.in = WEFT_PIPE, .out = WEFT_PIPE}));
    return popen;
}

static void write_line(weft_popen *popen, int number)
{
    char line[16];
    int n = snprintf(line, sizeof line, "%d\n", number);
    check(weft_stream_write(weft_popen_stdin(popen), line, (size_t)n, WEFT_FOREVER));
}

/* The end of its input ends the child; what was read before does not come again. */
static void finish(weft_popen *popen)
{
    weft_completed completed;
    check(weft_popen_communicate(popen, WEFT_NONE, &completed, WEFT_FOREVER));
    fputs(completed.out.data, stdout);
    weft_completed_clear(&completed);
    weft_release(popen);
}

static void line_by_line(const char *repeater)
{
    const char *line;

    printf("One line at a time:\n");
    weft_popen *popen = start(repeater);
    for (int i = 0; i < LINES; i++) {
        write_line(popen, i);
        check(weft_stream_readline(weft_popen_stdout(popen), &line, WEFT_FOREVER));
        fputs(line, stdout);
    }
    finish(popen);
}

static void all_at_once(const char *repeater)
{
    printf("\nAll output at once:\n");
    weft_popen *popen = start(repeater);
    for (int i = 0; i < LINES; i++)
        write_line(popen, i);
    finish(popen);
}

int main(int argc, char **argv)
{
    char repeater[1024];

    (void)argc;
    beside(repeater, sizeof repeater, argv[0], "repeater");
    setvbuf(stdout, NULL, _IOLBF, 0); /* the child's stderr goes to the same place */
    line_by_line(repeater);
    all_at_once(repeater);
    return weft_shutdown(WEFT_FOREVER);
}
