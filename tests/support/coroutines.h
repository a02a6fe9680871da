/* SPDX-License-Identifier: MIT */
/*
 * coroutines: a bare loop for tests that need coroutines but no asyncio.
 *
 *     weft_runner *runner = coroutines_open();
 *     unsigned left = 0;
 *     coroutine_spawn(runner, &left, fn, arg);
 *     coroutines_run(runner, &left);
 *     weft_runner_close(runner);
 *
 * fn may wait; what it finds is recorded and asserted after the run.
 */
#ifndef WEFT_TESTS_COROUTINES_H
#define WEFT_TESTS_COROUTINES_H

#include "core/coroutine.h"
#include "core/runner.h"

typedef struct coroutine_start {
    void (*fn)(void *arg);
    void *arg;
    unsigned *left;
} coroutine_start;

static inline void coroutine_entry_(weft_coroutine *coroutine)
{
    coroutine_start *start = weft_coroutine_extra(coroutine);
    start->fn(start->arg);
    --*start->left;
}

/* NULL: no memory. */
static inline weft_runner *coroutines_open(void)
{
    weft_runner *runner;
    return weft_runner_open(&runner, NULL, NULL) < 0 ? NULL : runner;
}

/* The context, to be cancelled; valid while fn runs. NULL: no memory. On the runner's thread. */
static inline weft_context *coroutine_spawn(weft_runner *runner, unsigned *left,
                                            void (*fn)(void *arg), void *arg)
{
    weft_coroutine *coroutine = weft_coroutine_new(runner, 0);
    if (coroutine == NULL)
        return NULL;
    *(coroutine_start *)weft_coroutine_extra(coroutine) = (coroutine_start){fn, arg, left};
    ++*left;
    if (weft_coroutine_start(coroutine, coroutine_entry_, weft_coroutine_free) < 0)
        return NULL;
    return &coroutine->context;
}

static inline int coroutines_run(weft_runner *runner, const unsigned *left)
{
    int r = 0;
    while (r >= 0 && *left > 0)
        r = weft_runner_turn(runner, WEFT_INSTANT_NEVER);
    return r;
}

#endif
