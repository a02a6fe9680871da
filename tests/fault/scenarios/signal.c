/* SPDX-License-Identifier: MIT */
#include "fault/scenarios/scenarios.h"

#include <signal.h>

/* Signals whose default action is none: one may come late, when nobody handles it any more. */

static int note(const weft_signal_info *info, void *arg)
{
    *(int *)arg = info->signum;
    return 0;
}

static int handle_and_restore(void)
{
    static int seen;
    weft_signal_fn *handler = NULL;
    seen = 0;
    int r = weft_signal_set(SIGURG, note, &seen);
    if (r < 0) {
        if (weft_signal_get(SIGURG, &handler, NULL) == WEFT_SIGNAL_HANDLED)
            return weft_error(SCENARIO_WRONG, "a failed set has set");
        return r;
    }
    r = weft_signal_get(SIGURG, &handler, NULL);
    if (r >= 0)
        r = scenario_expect(r, r == WEFT_SIGNAL_HANDLED && handler == note, "the handler");
    if (r >= 0)
        r = weft_signal_raise(SIGURG);
    /* in a task that is a thread of the system's, it comes to another, at its leisure */
    for (int i = 0; r >= 0 && seen == 0 && i < 10000; i++) {
        if (i == 100)
            scenario_relent(); /* it waits for memory, too */
        r = scenario_first(weft_signal_check(), weft_sleep(1e-4));
    }
    if (r >= 0)
        r = scenario_expect(r, seen == SIGURG, "the signal");
    int restored = weft_signal_restore(SIGURG);
    return scenario_first(r, restored);
}

static int ready_made(void)
{
    int r = weft_signal_set(SIGCONT, weft_signal_ignore, NULL);
    if (r >= 0)
        r = weft_signal_raise(SIGCONT);
    if (r >= 0)
        r = weft_signal_set(SIGCONT, weft_signal_default, NULL);
    return scenario_first(r, weft_signal_restore(SIGCONT));
}

static int interrupt_a_sleep(void)
{
    int r = weft_signal_set(SIGURG, weft_signal_interrupt, NULL);
    if (r < 0)
        return r;
    r = weft_signal_raise(SIGURG);
    if (r == WEFT_EINTERRUPTED)
        r = 0;
    else if (r == 0)
        r = weft_error(SCENARIO_WRONG, "a raised signal does not interrupt");
    return scenario_first(r, weft_signal_restore(SIGURG));
}

const scenario scenarios_signal[] = {
    SCENARIO(handle_and_restore, 0),
    SCENARIO(ready_made, 0),
    SCENARIO(interrupt_a_sleep, SCENARIO_THREAD_ONLY),
    {NULL, NULL, 0},
};
