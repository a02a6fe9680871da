/* SPDX-License-Identifier: MIT */
/*
 * Handlers of signals that belong to a loop: calls like others, between the steps of its tasks,
 * each with an argument of its own. The program signals itself.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <weft.h>

#include "example.h"

static weft_event handled;

static int receive(void *arg)
{
    int signum = *(int *)arg;
    printf("handler: %s\n", weft_signal_name(signum));
    weft_event_set(&handled);
    return 0;
}

static int send_signals(void *arg)
{
    static const int signals[] = {SIGHUP, SIGHUP, SIGUSR1, SIGINT};
    (void)arg;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        printf("task: sends %s\n", weft_signal_name(signals[i]));
        weft_event_clear(&handled);
        kill(getpid(), signals[i]);
        /* the handler runs when this task waits, not in the midst of it */
        printf("task: goes on\n");
        check(weft_event_wait(&handled, WEFT_FOREVER));
    }
    return 0;
}

static int all(void *arg)
{
    static const int signals[] = {SIGHUP, SIGUSR1, SIGINT};
    weft_loop *loop = weft_loop_current();
    weft_task *task;
    (void)arg;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        check(weft_loop_add_signal_handler(loop, signals[i], receive, WEFT_ARG(signals[i])));
    check(weft_task_start(&task, send_signals, WEFT_NONE, NULL));
    int r = weft_result(task, WEFT_NONE, WEFT_FOREVER);
    weft_release(task);
    return r; /* the loop's end removes the handlers */
}

int main(void)
{
    check(weft_run(all, WEFT_NONE, NULL));
    return weft_shutdown(WEFT_FOREVER) < 0;
}
