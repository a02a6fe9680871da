/* SPDX-License-Identifier: MIT */
/*
 * Names of signals: POSIX has the list, and no call that gives the macro's name. What a system has
 * beyond the list is taken where its macro is seen. The texts are those that systems print; they
 * are here because POSIX's strsignal may write over what it gave to another thread.
 *
 * The numbers of real-time signals are known at run time: their names are made at the first use.
 */
#include <signal.h>
#include <stdio.h>

#include <weft/signal.h>

#include "core/error.h"
#include "core/single.h"
#include "signal/handler.h"

typedef struct named {
    int signum;
    const char *name, *text;
} named;

/* Of several names for one number, the first is given; the others are understood. */
static const named names[] = {
    {SIGABRT, "SIGABRT", "Aborted"},
    {SIGALRM, "SIGALRM", "Alarm clock"},
    {SIGBUS, "SIGBUS", "Bus error"},
    {SIGCHLD, "SIGCHLD", "Child exited"},
    {SIGCONT, "SIGCONT", "Continued"},
    {SIGFPE, "SIGFPE", "Floating point exception"},
    {SIGHUP, "SIGHUP", "Hangup"},
    {SIGILL, "SIGILL", "Illegal instruction"},
    {SIGINT, "SIGINT", "Interrupt"},
    {SIGKILL, "SIGKILL", "Killed"},
    {SIGPIPE, "SIGPIPE", "Broken pipe"},
    {SIGQUIT, "SIGQUIT", "Quit"},
    {SIGSEGV, "SIGSEGV", "Segmentation fault"},
    {SIGSTOP, "SIGSTOP", "Stopped (signal)"},
    {SIGTERM, "SIGTERM", "Terminated"},
    {SIGTSTP, "SIGTSTP", "Stopped"},
    {SIGTTIN, "SIGTTIN", "Stopped (tty input)"},
    {SIGTTOU, "SIGTTOU", "Stopped (tty output)"},
    {SIGUSR1, "SIGUSR1", "User defined signal 1"},
    {SIGUSR2, "SIGUSR2", "User defined signal 2"},
    {SIGPROF, "SIGPROF", "Profiling timer expired"},
    {SIGSYS, "SIGSYS", "Bad system call"},
    {SIGTRAP, "SIGTRAP", "Trace/breakpoint trap"},
    {SIGURG, "SIGURG", "Urgent I/O condition"},
    {SIGXCPU, "SIGXCPU", "CPU time limit exceeded"},
    {SIGVTALRM, "SIGVTALRM", "Virtual timer expired"},
    {SIGXFSZ, "SIGXFSZ", "File size limit exceeded"},
#if defined(SIGIO)
    {SIGIO, "SIGIO", "I/O possible"},
#endif
#if defined(SIGPOLL)
    {SIGPOLL, "SIGPOLL", "I/O possible"},
#endif
#if defined(SIGWINCH)
    {SIGWINCH, "SIGWINCH", "Window changed"},
#endif
#if defined(SIGPWR)
    {SIGPWR, "SIGPWR", "Power failure"},
#endif
#if defined(SIGSTKFLT)
    {SIGSTKFLT, "SIGSTKFLT", "Stack fault"},
#endif
#if defined(SIGINFO)
    {SIGINFO, "SIGINFO", "Information request"},
#endif
#if defined(SIGEMT)
    {SIGEMT, "SIGEMT", "Emulator trap"},
#endif
#if defined(SIGCLD)
    {SIGCLD, "SIGCLD", "Child exited"},
#endif
#if defined(SIGIOT)
    {SIGIOT, "SIGIOT", "Aborted"},
#endif
};

typedef struct made_name {
    char name[sizeof "SIGRTMIN+" + 10];
    char text[sizeof "Real-time signal " + 11];
} made_name;

static made_name made[WEFT_SIGNALS];
static weft_single making;

static bool make_names(void)
{
#if defined(SIGRTMIN)
    int first = SIGRTMIN, last = SIGRTMAX;
    for (int signum = first; signum <= last && signum < WEFT_SIGNALS; signum++) {
        made_name *entry = &made[signum];
        if (signum == first || signum == last)
            snprintf(entry->name, sizeof entry->name, "SIGRTM%s", signum == first ? "IN" : "AX");
        else
            snprintf(entry->name, sizeof entry->name, "SIGRTMIN+%d", signum - first);
        snprintf(entry->text, sizeof entry->text, "Real-time signal %d", signum - first);
    }
#endif
    return true;
}

/* NULL: not a real-time signal. */
static const made_name *made_name_of(int signum)
{
    weft_single_run(&making, make_names);
    if (signum <= 0 || signum >= WEFT_SIGNALS || made[signum].name[0] == '\0')
        return NULL;
    return &made[signum];
}

static const named *find(int signum)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].signum == signum)
            return &names[i];
    }
    return NULL;
}

const char *weft_signal_name(int signum)
{
    const named *known = find(signum);
    if (known != NULL)
        return known->name;
    const made_name *entry = made_name_of(signum);
    return entry != NULL ? entry->name : NULL;
}

const char *weft_signal_strsignal(int signum)
{
    const named *known = find(signum);
    if (known != NULL)
        return known->text;
    const made_name *entry = made_name_of(signum);
    return entry != NULL ? entry->text : NULL;
}

int weft_signal_number(const char *name)
{
    if (name == NULL)
        return weft_error(-EINVAL, "number of a signal: the name is NULL");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i].name, name) == 0)
            return names[i].signum;
    }
    for (int signum = 1; signum < WEFT_SIGNALS; signum++) {
        const made_name *entry = made_name_of(signum);
        if (entry != NULL && strcmp(entry->name, name) == 0)
            return signum;
    }
    return weft_error(-EINVAL, "number of a signal: none is called '%s'", name);
}

const char *weft_signal_label(int signum)
{
    const char *name = weft_signal_name(signum);
    return name != NULL ? name : "a signal";
}
