/* SPDX-License-Identifier: MIT */
/*
 * Signals to a child and to its group, and how a death by one is told.
 *
 * No signal goes to a number that may be another's: reaping and killing exclude each other, and
 * after the reap -ESRCH is answered without a system call.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/signal.h>

#include "core/error.h"
#include "subprocess/popen.h"

/* ---- Telling ----------------------------------------------------------------------------------
 */

void weft_returncode_describe(char *text, size_t size, const char *command, int returncode)
{
    const char *name = returncode < 0 ? weft_signal_name(-returncode) : NULL;
    if (name != NULL)
        (void)snprintf(text, size, "command '%.300s' died of %s", command, name);
    else if (returncode < 0)
        (void)snprintf(text, size, "command '%.300s' died of signal %d", command, -returncode);
    else
        (void)snprintf(text, size, "command '%.300s' returned non-zero exit status %d", command,
                       returncode);
}

int weft_waitstatus_to_exitcode(int status, int *returncode)
{
    if (!WIFEXITED(status) && !WIFSIGNALED(status))
        return weft_error(-EINVAL, "wait status %#x tells of no end", (unsigned)status);
    if (returncode != NULL)
        *returncode = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return 0;
}

/* ---- Sending ----------------------------------------------------------------------------------
 */

static int failed(weft_popen *popen, int signum, int r, const char *whom)
{
    const char *name = weft_signal_name(signum);
    if (name != NULL)
        return weft_error(r, "send %s to %s'%.300s': %s", name, whom, popen->command,
                          weft_strerror(r));
    return weft_error(r, "send signal %d to %s'%.300s': %s", signum, whom, popen->command,
                      weft_strerror(r));
}

int weft_popen_send_signal(weft_popen *popen, int signum)
{
    int returncode;
    int r = weft_handle_check(popen, &weft_popen_kind, "send a signal");
    if (r < 0)
        return r;
    r = weft_popen_look(popen, &returncode) != 0 ? -ESRCH
                                                 : weft_childexit_kill(&popen->exit, signum);
    return r < 0 ? failed(popen, signum, r, "") : 0;
}

/* Until it is reaped the number is its own, and so is the group's. */
static int signal_group(weft_popen *popen, int signum)
{
    int r = 0;
    (void)pthread_mutex_lock(&popen->exit.lock);
    if (popen->exit.reaped)
        r = -ESRCH;
    else if (killpg(popen->exit.pid, signum) < 0)
        r = -errno;
    (void)pthread_mutex_unlock(&popen->exit.lock);
    return r;
}

int weft_popen_end(weft_popen *popen, int signum)
{
    /* a leader may have left its group for another one */
    bool within = popen->leader && getpgid(popen->exit.pid) == popen->exit.pid;
    int r = popen->leader ? signal_group(popen, signum) : 0;
    return within ? r : weft_childexit_kill(&popen->exit, signum);
}

int weft_popen_send_signal_group(weft_popen *popen, int signum)
{
    int r = weft_handle_check(popen, &weft_popen_kind, "send a signal");
    if (r < 0)
        return r;
    if (!popen->leader)
        return weft_error(-EINVAL, "send a signal to the group of '%.300s': it leads none",
                          popen->command);
    /* No look for its end, which would reap it: who is left of the group shall be reached too. */
    r = signal_group(popen, signum);
    return r < 0 ? failed(popen, signum, r, "the group of ") : 0;
}

int weft_popen_terminate(weft_popen *popen)
{
    return weft_popen_send_signal(popen, SIGTERM);
}

int weft_popen_kill(weft_popen *popen)
{
    return weft_popen_send_signal(popen, SIGKILL);
}
