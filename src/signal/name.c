/* SPDX-License-Identifier: MIT */
/*
 * Names of signals: POSIX has the list, and no call that gives the macro's name. What a system has
 * beyond the list is taken where its macro is seen.
 */
#include <signal.h>

#include <weft/signal.h>

typedef struct named {
    int signum;
    const char *name;
} named;

static const named names[] = {
    {SIGABRT, "SIGABRT"},     {SIGALRM, "SIGALRM"},     {SIGBUS, "SIGBUS"},   {SIGCHLD, "SIGCHLD"},
    {SIGCONT, "SIGCONT"},     {SIGFPE, "SIGFPE"},       {SIGHUP, "SIGHUP"},   {SIGILL, "SIGILL"},
    {SIGINT, "SIGINT"},       {SIGKILL, "SIGKILL"},     {SIGPIPE, "SIGPIPE"}, {SIGQUIT, "SIGQUIT"},
    {SIGSEGV, "SIGSEGV"},     {SIGSTOP, "SIGSTOP"},     {SIGTERM, "SIGTERM"}, {SIGTSTP, "SIGTSTP"},
    {SIGTTIN, "SIGTTIN"},     {SIGTTOU, "SIGTTOU"},     {SIGUSR1, "SIGUSR1"}, {SIGUSR2, "SIGUSR2"},
    {SIGPROF, "SIGPROF"},     {SIGSYS, "SIGSYS"},       {SIGTRAP, "SIGTRAP"}, {SIGURG, "SIGURG"},
    {SIGXCPU, "SIGXCPU"},     {SIGVTALRM, "SIGVTALRM"}, {SIGXFSZ, "SIGXFSZ"},
#if defined(SIGPOLL)
    {SIGPOLL, "SIGPOLL"},
#endif
#if defined(SIGWINCH)
    {SIGWINCH, "SIGWINCH"},
#endif
#if defined(SIGPWR)
    {SIGPWR, "SIGPWR"},
#endif
#if defined(SIGSTKFLT)
    {SIGSTKFLT, "SIGSTKFLT"},
#endif
#if defined(SIGINFO)
    {SIGINFO, "SIGINFO"},
#endif
};

const char *weft_signal_name(int signum)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].signum == signum)
            return names[i].name;
    }
#if defined(SIGRTMIN)
    if (signum == SIGRTMIN)
        return "SIGRTMIN";
    if (signum == SIGRTMAX)
        return "SIGRTMAX";
#endif
    return NULL;
}
