/* SPDX-License-Identifier: MIT */
/*
 * Signals as CPython treats them: the C-level handler only notes, the user's handler runs later on
 * the main thread (core/interrupt.h says where).
 *
 * Each signal has a note with a state: FREE, FILLING, FULL. The C-level handler, on any thread, may
 * move FREE to FILLING, writes who sent it, and makes it FULL; finding it taken, it leaves it: that
 * signal is merged with one whose handler has not begun, as the kernel merges what is blocked. Only
 * the main thread takes a note, FULL to FREE, before it calls the handler; so a signal that comes
 * during the handler is noted anew, and none is lost. Every C-level handler posts, after its note.
 *
 * `lock` guards the table of handlers, which the C-level handler never looks at, save `found`: that
 * is written before the C-level handler is installed, and not again while it is.
 */
#include "signal/handler.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/error.h"
#include "core/fork.h"
#include "core/ilock.h"
#include "core/interrupt.h"
#include "core/shutdown.h"

enum { FREE, FILLING, FULL };

typedef struct note {
    _Atomic uint32_t state;
    int code, pid; /* written while FILLING, read while FULL */
    unsigned int uid;
} note;

typedef struct entry {
    weft_signal_fn *handler; /* NULL: what was found is installed */
    void *arg;
    struct sigaction found; /* before the first weft_signal_set */
} entry;

static note notes[WEFT_SIGNALS];
static entry entries[WEFT_SIGNALS]; /* guarded by lock */
static weft_ilock lock;
static _Atomic uint32_t inside; /* C-level handlers that run now */

/* ---- in the signal ----------------------------------------------------------------------------
 */

/* The machine itself sent it: the instruction would be repeated for ever, were it noted only. */
static bool is_fault(int signum, const siginfo_t *info)
{
    bool may_be = signum == SIGSEGV || signum == SIGBUS || signum == SIGILL || signum == SIGFPE;
    return may_be && info->si_code > 0;
}

/* Whether the words for the sender mean one. */
static bool has_sender(const siginfo_t *info)
{
#if defined(SI_TKILL)
    if (info->si_code == SI_TKILL) /* pthread_kill, raise */
        return true;
#endif
    return info->si_code == SI_USER || info->si_code == SI_QUEUE ||
           (info->si_signo == SIGCHLD && info->si_code > 0);
}

static void fill(note *slot, const siginfo_t *info)
{
    bool sent = has_sender(info);
    slot->code = info->si_code;
    slot->pid = sent ? (int)info->si_pid : 0;
    slot->uid = sent ? (unsigned int)info->si_uid : 0;
}

static void handle(int signum, siginfo_t *info, void *context)
{
    (void)context;
    if (is_fault(signum, info)) {
        (void)sigaction(signum, &entries[signum].found, NULL);
        return;
    }
    /* seq_cst: shutdown restores the disposition, then waits for this to be 0 */
    atomic_fetch_add(&inside, 1);
    uint32_t free = FREE;
    if (atomic_compare_exchange_strong(&notes[signum].state, &free, FILLING)) {
        fill(&notes[signum], info);
        atomic_store(&notes[signum].state, FULL);
    }
    weft_interrupt_post(); /* preserves errno */
    atomic_fetch_sub(&inside, 1);
}

/* ---- on the main thread -----------------------------------------------------------------------
 */

static bool take(int signum, weft_signal_info *info)
{
    note *slot = &notes[signum];
    if (atomic_load(&slot->state) != FULL)
        return false;
    *info = (weft_signal_info){
        .signum = signum, .code = slot->code, .pid = slot->pid, .uid = slot->uid};
    /* seq_cst exchange: of two coroutines, or of this and a fork, one gets it */
    return atomic_exchange(&slot->state, FREE) == FULL;
}

static void drop(int signum)
{
    uint32_t full = FULL;
    atomic_compare_exchange_strong(&notes[signum].state, &full, FREE);
}

static bool is_ready_made(weft_signal_fn *handler)
{
    return handler == weft_signal_default || handler == weft_signal_ignore;
}

/* Whether a number above is noted; the walk takes those anyway, unless this handler waits. */
static bool more_above(int signum)
{
    while (++signum < WEFT_SIGNALS) {
        if (atomic_load(&notes[signum].state) == FULL)
            return true;
    }
    return false;
}

/* weft_interrupt.run: until nothing is noted, or a handler has failed; the others are then run by
 * the next wait. */
static int run(void)
{
    for (int signum = 1; signum < WEFT_SIGNALS; signum++) {
        weft_signal_info info;
        if (!take(signum, &info))
            continue;
        weft_ilock_acquire(&lock);
        entry found = entries[signum];
        weft_ilock_release(&lock);
        if (found.handler == NULL || is_ready_made(found.handler))
            continue;
        if (more_above(signum))
            atomic_store(&weft_interrupt_pending, 1); /* a loop goes on with them meanwhile */
        weft_error_constant(0, NULL);
        int code = found.handler(&info, found.arg);
        if (code < 0) {
            if (weft_error_message_of(code) == NULL)
                weft_error(code, "handler of %s: %s", weft_signal_label(signum),
                           weft_strerror(code));
            atomic_store(&weft_interrupt_pending, 1); /* whatever else has come */
            return code;
        }
    }
    return 0;
}

/* ---- installing -------------------------------------------------------------------------------
 */

const char *weft_signal_label(int signum)
{
    const char *name = weft_signal_name(signum);
    return name != NULL ? name : "a signal";
}

static bool is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == handle;
}

static int check_number(int signum, const char *what)
{
    return signum > 0 && signum < WEFT_SIGNALS
               ? 0
               : weft_error(-EINVAL, "%s: there is no signal %d", what, signum);
}

static int check_main(const char *what)
{
    int r = weft_interrupt_become_main();
    if (r == -EPERM)
        return weft_error(r, "%s: only the main thread may", what);
    return r < 0 ? weft_error(r, "%s: %s", what, weft_strerror(r)) : 0;
}

static void before_fork(void)
{
    weft_ilock_acquire(&lock);
}

static void after_fork(void)
{
    weft_ilock_release(&lock);
}

/* What came for the parent is not the child's. */
static void after_fork_child(void)
{
    for (int signum = 1; signum < WEFT_SIGNALS; signum++)
        atomic_store(&notes[signum].state, FREE); /* also what another thread was filling */
    atomic_store(&inside, 0);
    weft_ilock_release(&lock);
}

static int restore_all(weft_instant deadline)
{
    weft_ilock_acquire(&lock);
    for (int signum = 1; signum < WEFT_SIGNALS; signum++) {
        if (entries[signum].handler != NULL)
            (void)sigaction(signum, &entries[signum].found, NULL);
        entries[signum].handler = NULL;
    }
    weft_ilock_release(&lock);
    /* a thread of the host's may still be in the C-level handler, on its way to memory that goes */
    while (atomic_load(&inside) > 0) {
        if (deadline <= weft_instant_now())
            return weft_error(-ETIMEDOUT, "shut down: a signal is being delivered");
        sched_yield();
    }
    for (int signum = 1; signum < WEFT_SIGNALS; signum++)
        drop(signum);
    return 0;
}

static weft_fork_hooks fork_hooks = {before_fork, after_fork, after_fork_child, NULL};
static weft_shutdown_step shutdown_step = {.stage = WEFT_STAGE_SIGNALS, .run = restore_all};

/* Main thread only, so once is a flag. */
static void register_hooks(void)
{
    static bool registered;
    if (registered)
        return;
    registered = true;
    weft_interrupt.run = run;
    weft_fork_register(&fork_hooks);
    weft_shutdown_register(&shutdown_step);
}

static int install(int signum, weft_signal_fn *handler)
{
    struct sigaction action = {.sa_flags = SA_RESTART}, before;
    (void)sigemptyset(&action.sa_mask);
    if (handler == weft_signal_default) {
        action.sa_handler = SIG_DFL;
    } else if (handler == weft_signal_ignore) {
        action.sa_handler = SIG_IGN;
    } else {
        /* on the host's alternate stack, if it has given this thread one */
        action.sa_flags |= SA_SIGINFO | SA_ONSTACK;
        action.sa_sigaction = handle;
    }
    if (entries[signum].handler == NULL) {
        if (sigaction(signum, NULL, &before) < 0)
            return -errno;
        entries[signum].found = before;
    }
    return sigaction(signum, &action, NULL) < 0 ? -errno : 0;
}

int weft_signal_set(int signum, weft_signal_fn *handler, void *arg)
{
    int r = check_number(signum, "set a signal's handler");
    if (r == 0 && handler == NULL)
        r = weft_error(-EINVAL, "set the handler of %s: it is NULL", weft_signal_label(signum));
    if (r == 0)
        r = check_main("set a signal's handler");
    if (r < 0)
        return r;
    register_hooks();
    weft_ilock_acquire(&lock);
    r = install(signum, handler);
    if (r == 0) {
        entries[signum].handler = handler;
        entries[signum].arg = arg;
    }
    weft_ilock_release(&lock);
    if (r < 0)
        return weft_error(r, "set the handler of %s (%d): %s", weft_signal_label(signum), signum,
                          r == -EINVAL ? "it cannot be handled" : weft_strerror(r));
    if (is_ready_made(handler))
        drop(signum);
    return 0;
}

int weft_signal_get(int signum, weft_signal_fn **handler, void **arg)
{
    struct sigaction action;
    int r = check_number(signum, "get a signal's handler");
    if (r < 0)
        return r;
    if (sigaction(signum, NULL, &action) < 0)
        return weft_error(-errno, "get the handler of signal %d: %s", signum,
                          weft_strerror(-errno));
    entry found = {0};
    if (is_ours(&action)) {
        weft_ilock_acquire(&lock);
        found = entries[signum];
        weft_ilock_release(&lock);
        r = WEFT_SIGNAL_HANDLED;
    } else if ((action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL) {
        found.handler = weft_signal_default;
        r = WEFT_SIGNAL_DEFAULT;
    } else if ((action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_IGN) {
        found.handler = weft_signal_ignore;
        r = WEFT_SIGNAL_IGNORED;
    } else {
        r = WEFT_SIGNAL_FOREIGN;
    }
    if (handler != NULL)
        *handler = found.handler;
    if (arg != NULL)
        *arg = found.arg;
    return r;
}

int weft_signal_restore(int signum)
{
    int r = check_number(signum, "restore a signal's handler");
    if (r == 0)
        r = check_main("restore a signal's handler");
    if (r < 0)
        return r;
    weft_ilock_acquire(&lock);
    if (entries[signum].handler != NULL)
        r = sigaction(signum, &entries[signum].found, NULL) < 0 ? -errno : 0;
    entries[signum].handler = NULL;
    weft_ilock_release(&lock);
    drop(signum);
    return r < 0 ? weft_error(r, "restore %s: %s", weft_signal_label(signum), weft_strerror(r)) : 0;
}

/* ---- ready-made handlers, and running them ----------------------------------------------------
 */

int weft_signal_default(const weft_signal_info *info, void *arg)
{
    (void)info;
    (void)arg;
    return 0;
}

int weft_signal_ignore(const weft_signal_info *info, void *arg)
{
    (void)info;
    (void)arg;
    return 1; /* another body than default's: a linker that folds the same must not fold the two */
}

int weft_signal_interrupt(const weft_signal_info *info, void *arg)
{
    (void)arg;
    return weft_error(WEFT_EINTERRUPTED, "interrupted by %s",
                      weft_signal_label(info != NULL ? info->signum : SIGINT));
}

int weft_signal_check(void)
{
    return weft_interrupt_check();
}

int weft_signal_raise(int signum)
{
    int r = check_number(signum, "raise a signal");
    if (r < 0)
        return r;
    sigset_t mask;
    /* a coroutine that is a thread of the system's blocks all: there the process gets it */
    bool blocked = pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0 && sigismember(&mask, signum) > 0;
    weft_context *self = weft_context_current;
    if (blocked && self != NULL && self->coroutine)
        r = kill(getpid(), signum) < 0 ? -errno : 0;
    else
        r = raise(signum) != 0 ? -errno : 0;
    if (r < 0)
        return weft_error(r, "raise signal %d: %s", signum, weft_strerror(r));
    return weft_interrupt_check();
}
