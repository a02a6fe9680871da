/* SPDX-License-Identifier: MIT */
#include "bar.h"

#include <stdio.h>

void bar_draw(bar *self, size_t done, size_t all, double seconds, const char *text)
{
    static const char marks[] = "##############################";
    int width = all > 0 && done <= all ? (int)(30 * done / all) : 0;

    bar_erase(self);
    fprintf(stderr, "[%-30.*s] %zu of %zu%s", width, marks, done, all, text);
    if (seconds >= 0 && done > 0 && done <= all) {
        long left = (long)(seconds / (double)done * (double)(all - done));
        fprintf(stderr, ", %ld:%02ld left", left / 60, left % 60);
    }
    self->drawn = true;
}

void bar_erase(bar *self)
{
    if (self->drawn)
        fputs("\r\033[K", stderr);
    self->drawn = false;
}
