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
 * hold; nor one that it may wait for, but a weft_lock and a weft_rlock. In a loop each runs in a
 * coroutine, so that one that waits holds up nobody. In a child that a handler forks and returns
 * in, the interrupted wait ends with WEFT_EFORKED.
 *
 * A signal that was handled before weft came may go on being handled so: weft_signal_set_chained.
 * One that is blocked in every thread can be taken without a handler, by a thread or a task that
 * waits for it: weft_signal_sigwait.
 *
 * Nothing is taken that was not asked for, SIGCHLD above all: commands are waited for without it,
 * and a handler that a program sets for it is called as any other. weft_shutdown puts back what was
 * found, and leaves alone what others have installed since.
 */
#ifndef WEFT_SIGNAL_H
#define WEFT_SIGNAL_H

#include <weft/handle.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a handler, or who waits for a signal, is told. Python: signal.struct_siginfo */
typedef struct weft_signal_info {
    int signum;
    int code;         /* si_code: SI_USER, SI_QUEUE, SI_TIMER ... */
    int pid;          /* of the sender, where a process sent it, or the child's; else 0 */
    unsigned int uid; /* the sender's real user id, likewise */
    int status;       /* SIGCHLD: the exit status, or the number of the signal, as code says */
    int error;        /* si_errno: rarely set */
    long band;        /* SIGPOLL: what the descriptor is ready for */
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

/* One more than the largest number that a signal has on any system. Python: signal.NSIG */
#define WEFT_SIGNALS 129

/* A set of signals: zeroed, it is empty. NULL is -EINVAL; what returns no code finds it empty. */
typedef struct weft_sigset {
    uint64_t words_[2];
} weft_sigset;

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
 * As weft_signal_set, and the function that was installed before the first call for this signal, if
 * there was one, is called as well: when the signal comes, on the thread that it comes to, with the
 * siginfo_t and the context of the system (SA_SIGINFO), its own mask, SA_NODEFER, SA_RESTART,
 * SA_ONSTACK, SA_NOCLDSTOP and SA_NOCLDWAIT in force; once only if it was installed with
 * SA_RESETHAND. It may leave by siglongjmp, but not out of a call of weft. The handler runs later,
 * as ever. The function must not call on one of weft's that it has found itself. Returns 0. Main
 * thread only.
 * Errors: as weft_signal_set. Python: signal.signal (a handler that calls the previous one)
 */
WEFT_API int weft_signal_set_chained(int signum, weft_signal_fn *handler, void *arg);

/*
 * Says what is installed for a signal: a weft_signal_state. *handler and *arg (each may be NULL)
 * become what was given to weft_signal_set; weft_signal_default or weft_signal_ignore where nothing
 * is handled; NULL for somebody else's handler. Errors: -EINVAL (no such signal).
 * Python: signal.getsignal
 */
WEFT_API int weft_signal_get(int signum, weft_signal_fn **handler, void **arg);

/*
 * Puts back what was installed before the first weft_signal_set for this signal; does nothing where
 * there was none, or where somebody has installed another handler since. What has come and has not
 * been handled yet is dropped. Returns 0. Main thread only.
 * Errors: -EPERM, -EINVAL (no such signal), -EMFILE, -ENFILE, -ENOMEM.
 * Python: signal.signal(signum, previous)
 */
WEFT_API int weft_signal_restore(int signum);

typedef enum weft_siginterrupt {
    WEFT_SIGINTERRUPT_OFF, /* system calls are restarted, which weft_signal_set begins with */
    WEFT_SIGINTERRUPT_ON,  /* they end with EINTR */
} weft_siginterrupt;

/*
 * Says what a signal that weft handles does to system calls of the host's that it interrupts; until
 * the next weft_signal_set for it. The library's own waits go on either way. Where nothing is
 * handled it does nothing. Returns 0. Errors: -EINVAL (no such signal), -EPERM (the handler is
 * somebody else's). Python: signal.siginterrupt
 */
WEFT_API int weft_signal_siginterrupt(int signum, weft_siginterrupt mode);

/* ---- Running them -----------------------------------------------------------------------------
 */

/*
 * Runs the handlers of what has come, in the calling context; for code that computes and does not
 * wait. On other threads than the main one it does nothing. Returns 0, or the code of a handler,
 * which is then the caller's to deal with: in a task it does not end the loop.
 * Errors: the handlers' own, WEFT_EINTERRUPTED, -ENOMEM (they run later). Python:
 * PyErr_CheckSignals
 */
WEFT_API int weft_signal_check(void);

/*
 * Sends a signal to the calling thread. On the main thread its handler has run before this returns,
 * unless the thread blocks the signal (tasks do so where coroutines are threads of the system).
 * Returns 0, or the code of a handler, as weft_signal_check.
 * Errors: -EINVAL (no such signal), the handlers' own, -ENOMEM (they run later).
 * Python: signal.raise_signal
 */
WEFT_API int weft_signal_raise(int signum);

/*
 * Sends a signal to a thread: of weft's, the main one, or any that has asked who it is
 * (weft_thread_current). The C-level handler runs there, the handler of weft_signal_set on the main
 * thread as ever; sent to the calling main thread, it has run before this returns. 0 as the signal
 * only looks whether the thread is there. Returns 0, or the code of a handler, as
 * weft_signal_check. Errors: -EINVAL, -ESRCH (the thread has ended), -EAGAIN (of real-time signals,
 * too many are pending), WEFT_EFORKED, the handlers' own. Python: signal.pthread_kill
 */
WEFT_API int weft_signal_pthread_kill(weft_thread *thread, int signum);

/*
 * Waits until a handler of weft_signal_set has run, in the main thread or a task of its loop; what
 * came before the call and has not been handled yet counts. In another thread: until a signal that
 * weft handles has come to that very thread; in a task of another thread's loop nothing but the
 * timeout and a cancel end it. Returns 0, or the code of a handler that failed. Can be cancelled.
 * Errors: -ETIMEDOUT, -ECANCELED, -EINVAL (timeout is not a number), -ENOMEM, -EMFILE, the
 * handlers' own. Python: signal.pause
 */
WEFT_API int weft_signal_pause(double timeout);

/* ---- Timers -----------------------------------------------------------------------------------
 */

/*
 * Has SIGALRM sent to the process in so many seconds; 0: not at all. There is one alarm per
 * process, which is the same as WEFT_ITIMER_REAL. Returns the seconds that were left of the alarm
 * before, rounded up; 0: there was none. Python: signal.alarm
 */
WEFT_API int weft_signal_alarm(unsigned int seconds);

typedef enum weft_itimer_kind {
    WEFT_ITIMER_REAL,    /* the time of day goes on: SIGALRM */
    WEFT_ITIMER_VIRTUAL, /* while the process computes: SIGVTALRM */
    WEFT_ITIMER_PROF,    /* or the system does on its behalf: SIGPROF */
} weft_itimer_kind;

/* A timer of the process: in so many seconds, then every so many; 0: not. */
typedef struct weft_itimer {
    double seconds, interval;
} weft_itimer;

/*
 * Sets one of the process's timers: to go off in `seconds`, then every `interval` seconds; 0 stops
 * it, or has it go off once. Both are rounded up to microseconds. *old (may be NULL) becomes what
 * was left of it. Returns 0. Errors: -EINVAL (no such timer; negative, more than 2e9, or not a
 * number). Python: signal.setitimer, signal.ItimerError
 */
WEFT_API int weft_signal_setitimer(weft_itimer_kind which, double seconds, double interval,
                                   weft_itimer *old);

/*
 * Says what is left of one of the process's timers. Returns 0. Errors: -EINVAL (no such timer,
 * timer is NULL). Python: signal.getitimer
 */
WEFT_API int weft_signal_getitimer(weft_itimer_kind which, weft_itimer *timer);

/* ---- Sets, masks and signals that are waited for ----------------------------------------------
 */

/*
 * Puts a signal in the set. Returns 0. Errors: -EINVAL (no such signal here).
 * Python: set.add
 */
WEFT_API int weft_sigset_add(weft_sigset *set, int signum);

/*
 * Takes a signal out of the set, whether it was in it or not. Returns 0. Errors: -EINVAL (no such
 * signal here). Python: set.discard
 */
WEFT_API int weft_sigset_remove(weft_sigset *set, int signum);

/* Whether the signal is in the set. Python: signum in set */
WEFT_API bool weft_sigset_has(const weft_sigset *set, int signum);

/* Takes every signal out. Python: set.clear */
WEFT_API void weft_sigset_empty(weft_sigset *set);

/*
 * Puts in every signal that a program can use here: those that the C library keeps for itself are
 * left out. Python: signal.valid_signals
 */
WEFT_API void weft_sigset_fill(weft_sigset *set);

/*
 * The lowest number in the set that is above `signum`; 0: there is none. Begin with 0:
 * `for (int s = 0; (s = weft_sigset_next(&set, s)) > 0;)`. Python: iter(set)
 */
WEFT_API int weft_sigset_next(const weft_sigset *set, int signum);

/* What is done to the mask. Python: signal.Sigmasks */
typedef enum weft_sigmask {
    WEFT_SIG_BLOCK,   /* the signals of the set are blocked too */
    WEFT_SIG_UNBLOCK, /* they are not any more */
    WEFT_SIG_SETMASK, /* they are, and no others */
} weft_sigmask;

/*
 * Changes which signals are blocked in the calling thread; in a task or a pool's job, in the thread
 * that carries it, and so for all that this carries. `set` may be NULL: nothing is changed; *old
 * (may be NULL) becomes what was blocked before. A thread begins with the mask of who starts it. On
 * the main thread the handlers of what this has let come have run before it returns. Returns 0, or
 * the code of a handler, as weft_signal_check. Errors: -EINVAL (no such way), -ENOTSUP (in a task,
 * where coroutines are threads of the system), the handlers' own. Python: signal.pthread_sigmask
 */
WEFT_API int weft_signal_pthread_sigmask(weft_sigmask how, const weft_sigset *set,
                                         weft_sigset *old);

/*
 * *set becomes the signals that are blocked and have come, for the calling thread or the process.
 * Returns 0. Errors: -EINVAL (set is NULL). Python: signal.sigpending
 */
WEFT_API int weft_signal_sigpending(weft_sigset *set);

/*
 * Waits for a signal of the set and takes it: no handler is called, and of several that wait one
 * gets it. Block the signals first, before threads are started, or another thread may get them
 * instead; in the calling thread they are blocked for the time of the wait anyway. A task waits
 * without stopping its loop; there they must be blocked. Handlers of other signals run meanwhile
 * and the wait goes on. Returns the signal's number. Can be cancelled.
 * Errors: -ETIMEDOUT, -ECANCELED, -EINVAL (set is NULL, timeout is not a number; in a task: a
 * signal is not blocked), -ENOMEM, -EMFILE, -ENFILE, the handlers' own. Python: signal.sigwait
 */
WEFT_API int weft_signal_sigwait(const weft_sigset *set, double timeout);

/*
 * The same, and *info (may be NULL) becomes what is known of the signal. Can be cancelled.
 * Errors: as weft_signal_sigwait. Python: signal.sigwaitinfo, signal.sigtimedwait
 */
WEFT_API int weft_signal_sigwaitinfo(const weft_sigset *set, weft_signal_info *info,
                                     double timeout);

/* ---- A descriptor for other loops -------------------------------------------------------------
 */

/* Told on the main thread, as handlers are, that a signal's byte could not be written to fd:
 * -EAGAIN, its pipe is full; -EPIPE, nobody reads it. */
typedef void weft_wakeup_fd_error_fn(int fd, int code, void *arg);

typedef struct weft_wakeup_fd_options {
    weft_wakeup_fd_error_fn *on_error; /* NULL: nobody is told */
    void *arg;                         /* handed to it as it is */
    void *reserved_[4];
} weft_wakeup_fd_options;

/*
 * From now on the number of each signal that comes and that weft handles is written to fd, as one
 * byte, before its handler runs; whoever reads it calls weft_signal_check. fd must be non-blocking,
 * and is borrowed: until another is set; then it is not written to any more, and may be closed. -1:
 * none. *old (may be NULL) becomes the descriptor before, or -1. A child of a fork has none.
 * Returns 0. Main thread only. Errors: -EPERM (another thread is the main one), -EBADF, -EINVAL (fd
 * is blocking), -EMFILE, -ENFILE, -ENOMEM. Python: signal.set_wakeup_fd
 */
WEFT_API int weft_signal_set_wakeup_fd(int fd, int *old, const weft_wakeup_fd_options *options);

/* ---- Names ------------------------------------------------------------------------------------
 */

/*
 * The name of a signal, "SIGINT", "SIGRTMIN+3"; NULL where it has none. Of several names for one
 * number it is the usual one: SIGABRT, SIGCHLD, SIGIO. Borrowed: for ever.
 * Python: signal.Signals(signum).name
 */
WEFT_API const char *weft_signal_name(int signum);

/*
 * The number that a name stands for here, also one that weft_signal_name does not give: "SIGCLD",
 * "SIGIOT", "SIGPOLL". Errors: -EINVAL (no such signal here, NULL). Python: signal.Signals[name]
 */
WEFT_API int weft_signal_number(const char *name);

/*
 * What a signal means, "Interrupt", in English; NULL where that is not known. From any thread.
 * Borrowed: for ever. Python: signal.strsignal
 */
WEFT_API const char *weft_signal_strsignal(int signum);

#ifdef __cplusplus
}
#endif

#endif
