/* SPDX-License-Identifier: MIT */
#include "example.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <weft.h>

int check(int r)
{
    if (r < 0) {
        fprintf(stderr, "ERROR: %s: %s\n", weft_error_name(r), weft_error_message());
        exit(EXIT_FAILURE);
    }
    return r;
}

/* The time of day, "14:05:32,250". */
static void print_time(char *text, size_t size)
{
    struct timespec now;
    struct tm parts;
    char clock[16];

    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &parts);
    strftime(clock, sizeof clock, "%H:%M:%S", &parts);
    snprintf(text, size, "%s,%03ld", clock, now.tv_nsec / 1000000);
}

void log_line(const char *level, const char *format, ...)
{
    char mark[32], text[400], line[512];
    va_list values;

    if (level != NULL)
        snprintf(mark, sizeof mark, "[%s]", level);
    else
        print_time(mark, sizeof mark);
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    int n = snprintf(line, sizeof line, "%s (%-10s) %s\n", mark, weft_current_name(), text);
    if (n >= (int)sizeof line) {
        n = sizeof line;
        line[n - 1] = '\n';
    }
    /* One write, or lines of several threads could mix. A log that is gone is no failure. */
    if (write(STDERR_FILENO, line, (size_t)n) < 0)
        return;
}

void beside(char *path, size_t size, const char *program, const char *name)
{
    const char *slash = strrchr(program, '/');
    snprintf(path, size, "%.*s%s", slash != NULL ? (int)(slash - program + 1) : 0, program, name);
}
