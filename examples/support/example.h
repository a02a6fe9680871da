/* SPDX-License-Identifier: MIT */
/* What the examples share: how long a second is, the end after a failure, a line of a log. */
#ifndef EXAMPLES_EXAMPLE_H
#define EXAMPLES_EXAMPLE_H

/* A second of the examples' sleeps: a short one, for they are tests too. */
#define SECOND 0.1

/* Returns r; where it is negative, prints the message of the failure and ends the program. */
int check(int r);

/*
 * Writes "[LEVEL] (thread    ) text" to stderr, the whole line at once; for level NULL the time of
 * day stands in its place: "14:05:32,250 (thread    ) text".
 */
void log_line(const char *level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
