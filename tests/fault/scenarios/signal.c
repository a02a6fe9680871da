/* SPDX-License-Identifier: MIT */
#include "fault/scenarios/scenarios.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

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

static int chain_and_interrupt(void)
{
    int r = weft_signal_set_chained(SIGURG, weft_signal_interrupt, NULL);
    if (r >= 0)
        r = weft_signal_siginterrupt(SIGURG, WEFT_SIGINTERRUPT_ON);
    return scenario_first(r, weft_signal_restore(SIGURG));
}

static int pause_in_time(void)
{
    int r = weft_signal_pause(1e-4);
    return r == -ETIMEDOUT ? 0 : scenario_expect(r, false, "nothing has come");
}

/* Not the real one, which ends a scenario that hangs. */
static int set_timers(void)
{
    weft_itimer timer = {7, 7}, untouched = {7, 7};
    int r = weft_signal_setitimer(WEFT_ITIMER_VIRTUAL, 1000, 0, &untouched);
    if (r < 0)
        return scenario_expect(r, untouched.seconds == 7, "an out value");
    r = weft_signal_getitimer(WEFT_ITIMER_VIRTUAL, &timer);
    if (r >= 0)
        r = scenario_expect(r, timer.seconds > 0 && timer.seconds < 1001, "what is left");
    int stopped = weft_signal_setitimer(WEFT_ITIMER_VIRTUAL, 0, 0, NULL);
    if (stopped < 0) {
        scenario_relent();
        stopped =
            weft_signal_setitimer(WEFT_ITIMER_VIRTUAL, 0, 0, NULL) < 0 ? SCENARIO_WRONG : stopped;
    }
    return scenario_first(r, stopped);
}

/* The mask is as before when it has failed, too: the census looks at it. */
static int take_signals(void)
{
    weft_sigset set = {0}, old = {0}, pending;
    weft_signal_info info = {0};
    weft_sigset_add(&set, SIGURG);
    int r = weft_signal_pthread_sigmask(WEFT_SIG_BLOCK, &set, &old);
    if (r < 0) /* in a task that is a thread of the system's all are blocked, and nothing comes */
        return r == -ENOTSUP ? 0 : r;
    r = weft_signal_sigwait(&set, 1e-4);
    if (r == -ETIMEDOUT)
        r = weft_signal_raise(SIGURG);
    if (r >= 0)
        r = weft_signal_sigpending(&pending);
    if (r >= 0)
        r = scenario_expect(r, weft_sigset_has(&pending, SIGURG), "what is pending");
    int taken = weft_signal_sigwaitinfo(&set, &info, 1e-4);
    if (taken >= 0)
        taken = scenario_expect(0, info.signum == SIGURG, "what is told of it");
    if (taken != -ETIMEDOUT) /* nothing has come, because something before has failed */
        r = scenario_first(r, taken);
    else
        r = scenario_expect(r, r < 0, "what has come");
    return scenario_first(r, weft_signal_pthread_sigmask(WEFT_SIG_SETMASK, &old, NULL));
}

static int use_the_wakeup_descriptor(void)
{
    unsigned char byte = 0;
    int ends[2], old = 7;
    if (pipe(ends) < 0)
        return weft_error(-errno, "pipe");
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    int r = weft_signal_set_wakeup_fd(ends[1], &old, NULL);
    if (r < 0)
        r = scenario_expect(r, old == 7, "an out value");
    if (r >= 0)
        r = weft_signal_set(SIGURG, weft_signal_interrupt, NULL);
    if (r >= 0)
        r = weft_signal_raise(SIGURG);
    if (r == WEFT_EINTERRUPTED) /* the byte may be lost, when writing fails; it is never another */
        r = scenario_expect(0, read(ends[0], &byte, 1) < 1 || byte == SIGURG, "the byte");
    r = scenario_first(r, weft_signal_restore(SIGURG));
    int none = weft_signal_set_wakeup_fd(-1, NULL, NULL);
    close(ends[0]);
    close(ends[1]);
    return scenario_first(r, none);
}

static int look_for_a_thread(void)
{
    weft_thread *self = weft_thread_current();
    return self != NULL ? weft_signal_pthread_kill(self, 0) : -ENOMEM;
}

static int chained_and_with_a_descriptor(void)
{
    static int seen;
    int fds[2], old = -2, r = weft_signal_set_chained(SIGURG, note, &seen);
    if (r < 0)
        return r;
    r = weft_signal_siginterrupt(SIGURG, WEFT_SIGINTERRUPT_ON);
    if (r >= 0 && pipe(fds) == 0) {
        fcntl(fds[1], F_SETFL, O_NONBLOCK);
        r = weft_signal_set_wakeup_fd(fds[1], &old, NULL);
        if (r >= 0) {
            r = scenario_expect(weft_signal_raise(SIGURG), old == -1, "the descriptor before");
            if (weft_signal_set_wakeup_fd(-1, NULL, NULL) < 0) {
                scenario_relent();
                weft_signal_set_wakeup_fd(-1, NULL, NULL);
            }
        }
        close(fds[0]);
        close(fds[1]);
        r = r == -EINVAL ? 0 : r; /* the scenario's own fcntl */
    }
    return scenario_first(r, weft_signal_restore(SIGURG));
}

const scenario scenarios_signal[] = {
    SCENARIO(handle_and_restore, 0),
    SCENARIO(ready_made, 0),
    SCENARIO(interrupt_a_sleep, SCENARIO_THREAD_ONLY),
    SCENARIO(chain_and_interrupt, 0),
    SCENARIO(pause_in_time, 0),
    SCENARIO(set_timers, 0),
    SCENARIO(take_signals, 0),
    SCENARIO(use_the_wakeup_descriptor, SCENARIO_THREAD_ONLY),
    SCENARIO(look_for_a_thread, 0),
    SCENARIO(chained_and_with_a_descriptor, 0),
    {NULL, NULL, 0},
};
