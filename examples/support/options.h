/* SPDX-License-Identifier: MIT */
/* options: those of a command line, from a table. */
#ifndef EXAMPLES_OPTIONS_H
#define EXAMPLES_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* Where its value goes: to the one that is not NULL; all but a flag take the next argument. */
typedef struct option {
    const char *name; /* "-j", "--jobs"; NULL ends the table */
    bool *flag;
    long *count; /* a whole number, not negative */
    double *seconds;
    const char **text;
} option;

/* Takes the options at the beginning of argv. Returns the index of the first argument that is none;
 * 0: one is not known, or has no value, or a wrong one. */
int options_take(const option *options, int argc, char **argv);

/* Ends argv before the first `mark`, such as ":::". Returns what follows it; NULL: there is none.
 */
char **options_split(char **argv, const char *mark);

#endif
