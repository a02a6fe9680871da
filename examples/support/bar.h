/* SPDX-License-Identifier: MIT */
/* bar: a line on stderr that tells how far something is. */
#ifndef EXAMPLES_BAR_H
#define EXAMPLES_BAR_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed, it is not drawn. */
typedef struct bar {
    bool drawn;
} bar;

/* "[####      ] 4 of 10<text>, 0:12 left"; `seconds`: since the beginning; negative: no estimate.
 */
void bar_draw(bar *self, size_t done, size_t all, double seconds, const char *text);

/* Before something else is written to the terminal. */
void bar_erase(bar *self);

#endif
