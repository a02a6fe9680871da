/* SPDX-License-Identifier: MIT */
/*
 * calls: the n-th call of one of the system's functions fails.
 *
 * A program that is linked with calls.c and the --wrap options made of table.h has each of the
 * library's calls pass through here. Nothing happens until one is armed. What the program itself
 * and the processes that it forks call is counted apart; a child counts into the same memory, also
 * where it has the parent's (vfork), as where it has a copy (fork).
 */
#ifndef WEFT_TESTS_FAULT_CALLS_H
#define WEFT_TESTS_FAULT_CALLS_H

#include <stdbool.h>
#include <stddef.h>

enum calls_side { CALLS_HERE, CALLS_CHILD };

/* One byte instead of all, in a list of errors. */
#define CALLS_SHORT (-1)

typedef struct calls_kind {
    const char *name;
    const int *errors; /* 0 at the end */
    bool onwards;      /* may fail for good, too */
} calls_kind;

/* Which of the calls fails, and how. */
typedef struct calls_plan {
    int call; /* an index; -1: none, they are counted alone */
    enum calls_side side;
    unsigned n; /* 1: the first */
    int error;
    bool onwards; /* and all after it */
} calls_plan;

/* How many kinds there are, and the i-th. */
int calls_count(void);
const calls_kind *calls_kind_of(int call);

/* From here on, until disarmed. Returns 0, or minus an errno. */
int calls_arm(const calls_plan *plan);
void calls_disarm(void);

/* Since calls_arm: whether something was made to fail, and how often a call was made. */
bool calls_failed(void);
unsigned calls_made(int call, enum calls_side side);

/* "read", "EIO"; never NULL. */
const char *calls_error_name(int error);

#endif
