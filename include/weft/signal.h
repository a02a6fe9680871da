/* SPDX-License-Identifier: MIT */
/*
 * signal: handlers that run as ordinary code, on the main thread.
 *
 *     #include <signal.h>
 *     #include <stdio.h>
 *     #include <weft.h>
 *
 *     static int hello(const weft_signal_info *info, void *arg)
 *     {
 *         (void)arg;
 *         printf("%s came from process %d\n", weft_signal_name(info->signum), info->pid);
 *         return 0; // the interrupted wait goes on with the time that is left
 *     }
 *
 *     int main(void)
 *     {
 *         weft_signal_set(SIGUSR1, hello, NULL);
 *         weft_signal_set(SIGINT, weft_signal_interrupt, NULL);
 *         int r = weft_sleep(60);
 *         if (r == WEFT_EINTERRUPTED)
 *             fprintf(stderr, "%s\n", weft_error_message());
 *         return r < 0;
 *     }
 *
 * When a signal comes, on whatever thread, it is only noted. Its handler runs on the main thread:
 * inside the wait that this thread is in or comes to next (any wait of the library, also to join a
 * thread, read a stream or wait for a command), at weft_signal_check, or as a coroutine while the
 * thread runs a loop. So a handler may print, allocate, take locks and wait. While the main thread
 * computes, or sits in a system call of its own, no handler runs. The main thread is the process's
 * first where the system tells, else the one that first called weft_signal_set or weft_run; in a
 * process made by fork it is the thread that forked, and the handlers are inherited.
 *
 * What a handler returns decides how the interrupted wait goes on: 0 or more, with the time that is
 * left (no call ever fails with -EINTR); a negative code ends it with that code and its message, as
 * an exception in Python would. In a loop such a code cancels the first task, and weft_run returns
 * the code when that task ends with -ECANCELED; each further one cancels again what still waits.
 * An application that wants its second SIGINT to kill calls
 * weft_signal_set(SIGINT, weft_signal_default, NULL) in the handler of the first.
 *
 * Several of one signal that come before its handler runs are one, the first. On top of a wait
 * handlers run one after the other, in the order of their numbers; one that waits holds up the
 * next, and must not wait for what its own thread is to do, or take a lock that this thread may
 * hold or wait for. In a loop each runs in a coroutine, so that one that waits holds up nobody.
 *
 * Nothing is taken that was not asked for. weft_shutdown puts back what was found.
 */
#ifndef WEFT_SIGNAL_H
#define WEFT_SIGNAL_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a handler is told. */
typedef struct weft_signal_info {
    int signum;
    int code;         /* si_code: SI_USER, SI_QUEUE, SI_TIMER ... */
    int pid;          /* of the sender, where a process sent it; else 0 */
    unsigned int uid; /* the sender's real user id, likewise */
    void *reserved_[4];
} weft_signal_info;

/* A handler; info is borrowed: for the call. A negative code ends the interrupted wait. */
typedef int weft_signal_fn(const weft_signal_info *info, void *arg);

/* What is installed for a signal. */
typedef enum weft_signal_state {
    WEFT_SIGNAL_DEFAULT, /* the system's default action */
    WEFT_SIGNAL_IGNORED,
    WEFT_SIGNAL_HANDLED, /* a handler of weft_signal_set */
    WEFT_SIGNAL_FOREIGN, /* a handler of somebody else's, by sigaction or signal */
} weft_signal_state;

/* One more than the largest number any signal has here. */
#define WEFT_SIGNALS 129

/* ---- Handlers --------------------------------------------------------------------------------
 */

/*
 * Installs a handler, which stays until it is replaced; `arg` is handed to it as it is. What was
 * installed before the first call for this signal is kept for weft_signal_restore. What has come
 * and has not been handled yet goes to the new handler; weft_signal_default and weft_signal_ignore
 * drop it. System calls of the host are restarted (SA_RESTART). Returns 0. Main thread only.
 * Errors: -EPERM (another thread is the main one), -EINVAL (no such signal, or none that can be
 * handled; handler is NULL), -EMFILE, -ENFILE, -ENOMEM. Python: signal.signal
 */
WEFT_API int weft_signal_set(int signum, weft_signal_fn *handler, void *arg);

/*
 * For weft_signal_set: the system's default action, which for most signals ends the process.
 * Python: signal.SIG_DFL
 */
WEFT_API int weft_signal_default(const weft_signal_info *info, void *arg);

/*
 * For weft_signal_set: the signal is ignored, also by programs that are started (unless their
 * options say otherwise). Python: signal.SIG_IGN
 */
WEFT_API int weft_signal_ignore(const weft_signal_info *info, void *arg);

/*
 * For weft_signal_set: ends the wait with WEFT_EINTERRUPTED and a message that names the signal;
 * may also be called by a handler, as its last step. Python: signal.default_int_handler
 */
WEFT_API int weft_signal_interrupt(const weft_signal_info *info, void *arg);

/*
 * Says what is installed for a signal: a weft_signal_state. *handler and *arg (each may be NULL)
 * become what was given to weft_signal_set; weft_signal_default or weft_signal_ignore where nothing
 * is handled; NULL for somebody else's handler. Errors: -EINVAL (no such signal).
 * Python: signal.getsignal
 */
WEFT_API int weft_signal_get(int signum, weft_signal_fn **handler, void **arg);

/*
 * Puts back what was installed before the first weft_signal_set for this signal; does nothing where
 * there was none. What has come and has not been handled yet is dropped. Returns 0. Main thread
 * only. Errors: -EPERM, -EINVAL (no such signal). Python: signal.signal(signum, previous)
 */
WEFT_API int weft_signal_restore(int signum);

/* ---- Running them -----------------------------------------------------------------------------
 */

/*
 * Runs the handlers of what has come, in the calling context; for code that computes and does not
 * wait. On other threads than the main one it does nothing. Returns 0, or the code of a handler,
 * which is then the caller's to deal with: in a task it does not end the loop.
 * Errors: the handlers' own, WEFT_EINTERRUPTED. Python: PyErr_CheckSignals
 */
WEFT_API int weft_signal_check(void);

/*
 * Sends a signal to the calling thread. On the main thread its handler has run before this returns,
 * unless the thread blocks the signal (tasks do so where coroutines are threads of the system).
 * Returns 0, or the code of a handler, as weft_signal_check.
 * Errors: -EINVAL (no such signal), the handlers' own. Python: signal.raise_signal
 */
WEFT_API int weft_signal_raise(int signum);

/*
 * The name of a signal, "SIGINT"; NULL where it has none. Borrowed: for ever.
 * Python: signal.Signals(signum).name
 */
WEFT_API const char *weft_signal_name(int signum);

#ifdef __cplusplus
}
#endif

#endif
