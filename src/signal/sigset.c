/* SPDX-License-Identifier: MIT */
/*
 * Sets of signals: a bit per number, of a size that the system's sigset_t need not have. Only
 * signals that the C library lets a program use are ever in one.
 */
#include "signal/handler.h"

#include "core/error.h"

enum { WORD = 64 };

_Static_assert(sizeof(weft_sigset) == 16, "a value's size is for ever");
_Static_assert(sizeof(weft_sigset) * 8 >= WEFT_SIGNALS - 1, "a bit for each signal");

static uint64_t bit_of(int signum)
{
    return UINT64_C(1) << (unsigned int)((signum - 1) % WORD);
}

static uint64_t *word_of(weft_sigset *set, int signum)
{
    return &set->words_[(signum - 1) / WORD];
}

static bool is_missing(const weft_sigset *set, const char *what)
{
    if (set == NULL)
        weft_error(-EINVAL, "%s: the set is NULL", what);
    return set == NULL;
}

/* The C library refuses those that it keeps for itself. */
static bool is_valid(int signum)
{
    sigset_t probe;
    return signum > 0 && signum < WEFT_SIGNALS && sigemptyset(&probe) == 0 &&
           sigaddset(&probe, signum) == 0;
}

int weft_sigset_add(weft_sigset *set, int signum)
{
    if (is_missing(set, "add to a set of signals"))
        return -EINVAL;
    if (!is_valid(signum))
        return weft_error(-EINVAL, "add to a set of signals: there is no signal %d", signum);
    *word_of(set, signum) |= bit_of(signum);
    return 0;
}

int weft_sigset_remove(weft_sigset *set, int signum)
{
    if (is_missing(set, "remove from a set of signals"))
        return -EINVAL;
    if (!is_valid(signum))
        return weft_error(-EINVAL, "remove from a set of signals: there is no signal %d", signum);
    *word_of(set, signum) &= ~bit_of(signum);
    return 0;
}

bool weft_sigset_has(const weft_sigset *set, int signum)
{
    return !is_missing(set, "has") && signum > 0 && signum < WEFT_SIGNALS &&
           (set->words_[(signum - 1) / WORD] & bit_of(signum)) != 0;
}

void weft_sigset_empty(weft_sigset *set)
{
    if (is_missing(set, "empty a set of signals"))
        return;
    *set = (weft_sigset){0};
}

void weft_sigset_fill(weft_sigset *set)
{
    if (is_missing(set, "fill a set of signals"))
        return;
    weft_sigset_empty(set);
    for (int signum = 1; signum < WEFT_SIGNALS; signum++) {
        if (is_valid(signum))
            *word_of(set, signum) |= bit_of(signum);
    }
}

int weft_sigset_next(const weft_sigset *set, int signum)
{
    if (is_missing(set, "next of a set of signals"))
        return 0;
    for (int next = signum < 0 ? 0 : signum; next < WEFT_SIGNALS - 1;) {
        if (weft_sigset_has(set, ++next))
            return next;
    }
    return 0;
}

void weft_sigset_to_system(const weft_sigset *set, sigset_t *system)
{
    (void)sigemptyset(system);
    for (int signum = 0; (signum = weft_sigset_next(set, signum)) > 0;)
        (void)sigaddset(system, signum);
}

void weft_sigset_from_system(weft_sigset *set, const sigset_t *system)
{
    weft_sigset_empty(set);
    for (int signum = 1; signum < WEFT_SIGNALS; signum++) {
        if (is_valid(signum) && sigismember(system, signum) == 1)
            *word_of(set, signum) |= bit_of(signum);
    }
}
