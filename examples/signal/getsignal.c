/* SPDX-License-Identifier: MIT */
/* What is installed for each signal that there is here. */
#include <signal.h>
#include <stdio.h>
#include <weft.h>

#include "example.h"

static int alarm_received(const weft_signal_info *info, void *arg)
{
    (void)info;
    (void)arg;
    return 0;
}

/* A handler by other means than the library's. */
static void foreign(int signum)
{
    (void)signum;
}

static const char *installed_for(int signum)
{
    weft_signal_fn *handler;
    void *arg;

    switch (check(weft_signal_get(signum, &handler, &arg))) {
    case WEFT_SIGNAL_DEFAULT:
        return "the default";
    case WEFT_SIGNAL_IGNORED:
        return "ignored";
    case WEFT_SIGNAL_HANDLED:
        return handler == alarm_received          ? "alarm_received"
               : handler == weft_signal_interrupt ? "weft_signal_interrupt"
                                                  : "another handler";
    default:
        return "somebody else's handler";
    }
}

int main(void)
{
    weft_sigset all;

    check(weft_signal_set(SIGALRM, alarm_received, NULL));
    check(weft_signal_set(SIGINT, weft_signal_interrupt, NULL));
    check(weft_signal_set(SIGPIPE, weft_signal_ignore, NULL));
    signal(SIGUSR1, foreign);

    weft_sigset_fill(&all);
    for (int signum = 0; (signum = weft_sigset_next(&all, signum)) > 0;)
        printf("%-11s (%2d): %s\n", weft_signal_name(signum), signum, installed_for(signum));
    return weft_shutdown(WEFT_FOREVER) < 0;
}
