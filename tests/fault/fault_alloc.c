/* SPDX-License-Identifier: MIT */
/*
 * Each allocation of the scenarios is made to fail, once and from then on: a code with a message,
 * or as if nothing had failed; no block is left, and the next run succeeds.
 *
 *     fault_alloc [module [part of a scenario's name]]
 */
#include "fault/run.h"

#include <stdio.h>

typedef struct alloc_plan {
    size_t n; /* 0: none fails */
    enum allocator_mode mode;
} alloc_plan;

void scenario_relent(void)
{
    allocator_relent();
}

static void describe(void *self, char *text, size_t size)
{
    const alloc_plan *plan = self;
    snprintf(text, size, "allocation %zu fails%s", plan->n,
             plan->mode == ALLOCATOR_ONWARDS ? ", and all after it" : "");
}

static void arm(void *self)
{
    const alloc_plan *plan = self;
    allocator_fail(plan->n, plan->mode);
}

static bool disarm(void *self)
{
    (void)self;
    allocator_relent();
    return allocator_failed();
}

static const fault_injector injector = {describe, arm, disarm};

static void fail_all(void **state)
{
    alloc_plan plan = {.n = 0};
    fault_run(*state, &injector, &plan);
    for (plan.n = 1; fault_run(*state, &injector, &plan); plan.n++)
        continue;
    plan.mode = ALLOCATOR_ONWARDS;
    for (plan.n = 1; fault_run(*state, &injector, &plan); plan.n++)
        continue;
    assert_int_equal(fault_complaints(), 0);
}

int main(int argc, char **argv)
{
    return fault_main(argc, argv, fail_all);
}
