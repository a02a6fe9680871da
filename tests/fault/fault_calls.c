/* SPDX-License-Identifier: MIT */
/*
 * Each call of the system that the scenarios make is made to fail, with each of its errors: the
 * first, the second ... until there is none left to fail, once and, where that is possible at all,
 * from then on; in this process and in those that it forks. Whatever comes of it is a code with a
 * message, or as if nothing had failed; nothing is left behind, and the next run succeeds.
 *
 *     fault_calls [module [part of a scenario's name]]
 */
#include "fault/calls/calls.h"
#include "fault/run.h"

#include <stdio.h>

enum { ROOM = 200 };

void scenario_relent(void)
{
    calls_disarm();
}

static void describe(void *self, char *text, size_t size)
{
    const calls_plan *plan = self;
    snprintf(text, size, "%s call %u of %s: %s%s",
             plan->side == CALLS_HERE ? "the parent's" : "the child's", plan->n,
             calls_kind_of(plan->call)->name, calls_error_name(plan->error),
             plan->onwards ? ", and all after it" : "");
}

static void arm(void *self)
{
    assert_int_equal(calls_arm(self), 0);
}

static bool disarm(void *self)
{
    (void)self;
    calls_disarm();
    return calls_failed();
}

static const fault_injector injector = {describe, arm, disarm};

/* The first ones each; then, where a child closes each number there is, one in eight. */
static void fail_each(const fault_case *one, calls_plan plan)
{
    enum { EACH = 64 };
    for (plan.n = 1; fault_run(one, &injector, &plan);
         plan.n += 1 + (plan.n > EACH ? plan.n / 8 : 0))
        continue;
}

static void fail_with_each_error(const fault_case *one, int call, enum calls_side side)
{
    const calls_kind *kind = calls_kind_of(call);
    for (const int *error = kind->errors; *error != 0; error++) {
        calls_plan plan = {.call = call, .side = side, .error = *error};
        fail_each(one, plan);
        plan.onwards = true;
        if (kind->onwards && *error != EINTR)
            fail_each(one, plan);
    }
}

static void fail_all(void **state)
{
    const fault_case *one = *state;
    calls_plan none = {.n = 0};
    unsigned made[2][ROOM];

    assert_true(calls_count() <= ROOM);
    for (int i = 0; i < 2; i++) /* the first has the calls of the first use besides */
        fault_run(one, &injector, &none);
    for (int call = 0; call < calls_count(); call++) {
        made[CALLS_HERE][call] = calls_made(call, CALLS_HERE);
        made[CALLS_CHILD][call] = calls_made(call, CALLS_CHILD);
    }
    for (int call = 0; call < calls_count(); call++) {
        if (made[CALLS_HERE][call] > 0)
            fail_with_each_error(one, call, CALLS_HERE);
        if (made[CALLS_CHILD][call] > 0 && (one->scenario->flags & SCENARIO_NO_CHILD) == 0)
            fail_with_each_error(one, call, CALLS_CHILD);
    }
    assert_int_equal(fault_complaints(), 0);
}

int main(int argc, char **argv)
{
    return fault_main(argc, argv, fail_all);
}
