/* SPDX-License-Identifier: MIT */
/*
 * Handlers run on the main thread, whichever thread a signal comes from: here in its join, while a
 * thread that pauses is not woken. So the program waits for that one for ever, and an alarm, which
 * nothing handles, ends it.
 *
 * The system hands a signal that is for the process to any thread that does not block it. The two
 * threads block it, as they begin with the mask of who starts them.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <weft.h>

#include "example.h"

static weft_event pausing, handled;

static int receive(const weft_signal_info *info, void *arg)
{
    (void)arg;
    printf("%s: received %s\n", weft_current_name(), weft_signal_name(info->signum));
    weft_event_set(&handled);
    return 0;
}

static int wait_for_signal(void *arg)
{
    (void)arg;
    printf("%s: waiting\n", weft_current_name());
    weft_event_set(&pausing);
    int r = weft_signal_pause(WEFT_FOREVER);
    printf("%s: done waiting\n", weft_current_name()); /* never comes */
    return r;
}

static int send_signal(void *arg)
{
    (void)arg;
    int r = weft_event_wait(&pausing, WEFT_FOREVER);
    if (r < 0)
        return r;
    printf("%s: sending\n", weft_current_name());
    kill(getpid(), SIGUSR1);
    return weft_event_wait(&handled, WEFT_FOREVER);
}

int main(void)
{
    weft_thread *receiver, *sender;
    weft_sigset mine = {0};

    setvbuf(stdout, NULL, _IOLBF, 0); /* what is in a buffer when the alarm comes is lost */
    check(weft_signal_set(SIGUSR1, receive, NULL));
    check(weft_sigset_add(&mine, SIGUSR1));
    check(weft_signal_pthread_sigmask(WEFT_SIG_BLOCK, &mine, NULL));
    check(weft_thread_start(&receiver, wait_for_signal, WEFT_NONE,
                            &(weft_thread_options){.name = "receiver"}));
    check(weft_thread_start(&sender, send_signal, WEFT_NONE,
                            &(weft_thread_options){.name = "sender"}));
    check(weft_signal_pthread_sigmask(WEFT_SIG_UNBLOCK, &mine, NULL));
    check(weft_thread_join(sender, WEFT_FOREVER));

    printf("%s: waiting for the receiver\n", weft_current_name());
    weft_signal_alarm(1);
    return weft_thread_join(receiver, WEFT_FOREVER);
}
