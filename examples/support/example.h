/* SPDX-License-Identifier: MIT */
/* What the examples share: how long a second is, the end after a failure, a line of a log, where
 * helpers are. */
#ifndef EXAMPLES_EXAMPLE_H
#define EXAMPLES_EXAMPLE_H

#include <stddef.h>

/* A second of the examples' sleeps: a short one, for they are tests too. */
#define SECOND 0.1

/* Returns r; where it is negative, prints the message of the failure and ends the program. */
int check(int r);

/*
 * Writes "[LEVEL] (thread    ) text" to stderr, the whole line at once; for level NULL the time of
 * day stands in its place: "14:05:32,250 (thread    ) text".
 */
void log_line(const char *level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The path of the program `name` that lies where `program`, our argv[0], does; for one that was
 * found through PATH the name alone, to be found there too. */
void beside(char *path, size_t size, const char *program, const char *name);

#endif
