/* SPDX-License-Identifier: MIT */
/*
 * Signals as CPython treats them: the C-level handler (note.c) only notes, the user's handler runs
 * later on the main thread (core/interrupt.h says where).
 *
 * `lock` guards the table of handlers, which the C-level handler never looks at. It looks at the
 * slots of note.h, whose order is: what was found is written before `active` is set, `active` is
 * set before the C-level handler is installed, and both ways back likewise.
 */
#include "signal/handler.h"

#include "core/error.h"
#include "core/fork.h"
#include "core/ilock.h"
#include "core/interrupt.h"
#include "core/shutdown.h"
#include "signal/note.h"

typedef struct entry {
    weft_signal_fn *handler; /* NULL: what was found is installed */
    void *arg;
} entry;

static entry entries[WEFT_SIGNALS]; /* guarded by lock */
static weft_ilock lock;

/* ---- running them -----------------------------------------------------------------------------
 */

static void drop(int signum)
{
    weft_signal_info info;
    (void)weft_signal_take(signum, &info);
}

static bool is_ready_made(weft_signal_fn *handler)
{
    return handler == weft_signal_default || handler == weft_signal_ignore;
}

/* What is installed for a signal, where it is a function of the user's to be called. */
static bool find_handler(int signum, entry *found)
{
    weft_ilock_acquire(&lock);
    *found = entries[signum];
    weft_ilock_release(&lock);
    return found->handler != NULL && !is_ready_made(found->handler);
}

/* weft_interrupt.run: until nothing is noted, or a handler has failed; the others are then run by
 * the next wait. */
static int run(void)
{
    weft_signal_info info;
    entry found;
    weft_signal_tell_wakeup_failure();
    for (int signum = 0; (signum = weft_signal_next_noted(signum)) > 0;) {
        if (!weft_signal_take(signum, &info) || !find_handler(signum, &found))
            continue;
        /* those below are no business of this walk; those above would be, but for a handler that
         * waits: a loop goes on with them meanwhile */
        if (weft_signal_next_noted(signum) > 0)
            atomic_store(&weft_interrupt_pending, 1);
        weft_error_constant(0, NULL);
        int code = found.handler(&info, found.arg);
        /* on top of a wait, the code ends it */
        if (code >= 0 || weft_runner_self() != NULL)
            weft_signal_end_pauses();
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

/* ---- the system's table -----------------------------------------------------------------------
 */

static bool is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == weft_signal_note;
}

static bool has_handler(const struct sigaction *action, void (*handler)(int))
{
    return (action->sa_flags & SA_SIGINFO) == 0 && action->sa_handler == handler;
}

static bool is_foreign(const struct sigaction *action)
{
    return !is_ours(action) && !has_handler(action, SIG_DFL) && !has_handler(action, SIG_IGN);
}

/* What the system is to do for a handler; a chained function finds its mask and flags in force. */
static struct sigaction action_for(int signum, weft_signal_fn *handler, bool chained)
{
    const struct sigaction *found = &weft_signal_slots[signum].found;
    struct sigaction action = {.sa_flags = SA_RESTART};
    (void)sigemptyset(&action.sa_mask);
    if (handler == weft_signal_default) {
        action.sa_handler = SIG_DFL;
    } else if (handler == weft_signal_ignore) {
        action.sa_handler = SIG_IGN;
    } else {
        action.sa_sigaction = weft_signal_note;
        /* on the host's alternate stack, if it has given this thread one */
        action.sa_flags |= SA_SIGINFO | SA_ONSTACK;
    }
    if (chained) {
        action.sa_mask = found->sa_mask;
        action.sa_flags = SA_SIGINFO | (found->sa_flags & (int)~(unsigned int)SA_RESETHAND);
    }
    return action;
}

/* Lock held. */
static int install(int signum, weft_signal_fn *handler, bool chained)
{
    weft_signal_slot *slot = &weft_signal_slots[signum];
    struct sigaction before;
    if (sigaction(signum, NULL, &before) < 0)
        return -errno;
    bool active = atomic_load(&slot->active);
    /* While weft's C-level handler is out, what was found first stays: whoever has installed
     * something else since may call on weft's. */
    bool none = entries[signum].handler == NULL && !is_ours(&before);
    if (!active && (none || is_foreign(&before))) {
        (void)weft_signal_wait_for_notes(WEFT_INSTANT_NEVER);
        slot->found = before;
        atomic_store(&slot->spent, false);
    }
    chained = chained && !is_ready_made(handler) && !has_handler(&slot->found, SIG_DFL) &&
              !has_handler(&slot->found, SIG_IGN);
    struct sigaction action = action_for(signum, handler, chained);
    bool was_chained = atomic_exchange(&slot->chained, chained);
    atomic_store(&slot->active, !is_ready_made(handler));
    if (sigaction(signum, &action, NULL) == 0)
        return 0;
    int r = -errno;
    atomic_store(&slot->active, active);
    atomic_store(&slot->chained, was_chained);
    return r;
}

/* Puts back what was found, unless somebody has replaced what weft had put there. Lock held. */
static int uninstall(int signum)
{
    weft_signal_slot *slot = &weft_signal_slots[signum];
    weft_signal_fn *handler = entries[signum].handler;
    struct sigaction now;
    if (handler == NULL)
        return 0;
    if (sigaction(signum, NULL, &now) < 0)
        return -errno;
    bool as_set = handler == weft_signal_default  ? has_handler(&now, SIG_DFL)
                  : handler == weft_signal_ignore ? has_handler(&now, SIG_IGN)
                                                  : is_ours(&now);
    int r = 0;
    if (as_set && atomic_load(&slot->spent)) {
        struct sigaction action = {.sa_handler = SIG_DFL};
        (void)sigemptyset(&action.sa_mask);
        r = sigaction(signum, &action, NULL);
    } else if (as_set) {
        r = sigaction(signum, &slot->found, NULL);
    }
    if (r < 0)
        return -errno; /* all is as before */
    entries[signum] = (entry){0};
    atomic_store(&slot->active, false);
    return 0;
}

/* ---- the end of weft, and forks ---------------------------------------------------------------
 */

static void before_fork(void)
{
    weft_ilock_acquire(&lock);
}

static void after_fork(void)
{
    weft_ilock_release(&lock);
}

static void after_fork_child(void)
{
    weft_signal_forget_notes();
    weft_ilock_release(&lock);
}

static int restore_all(weft_instant deadline)
{
    int r = 0;
    weft_ilock_acquire(&lock);
    for (int signum = 1; signum < WEFT_SIGNALS; signum++) {
        int of_one = uninstall(signum);
        r = r < 0 ? r : of_one;
    }
    weft_ilock_release(&lock);
    if (r < 0)
        return weft_error(r, "shut down: restore a signal's handler: %s", weft_strerror(r));
    atomic_store(&weft_signal_wakeup_fd, -1);
    /* a thread of the host's may still be in the C-level handler, on its way to memory that goes */
    if (weft_signal_wait_for_notes(deadline) < 0)
        return weft_error(-ETIMEDOUT, "shut down: a signal is being delivered");
    for (int signum = 1; signum < WEFT_SIGNALS; signum++)
        drop(signum);
    atomic_store(&weft_signal_wakeup_code, 0);
    return 0;
}

static weft_fork_hooks fork_hooks = {
    .prepare = before_fork, .parent = after_fork, .child = after_fork_child};
static weft_shutdown_step shutdown_step = {.stage = WEFT_STAGE_SIGNALS, .run = restore_all};

/* No flag says that this has been done: another thread's fork may come in the middle. */
static void register_hooks(void)
{
    weft_interrupt.run = run;
    weft_fork_register(&fork_hooks);
    weft_shutdown_register(&shutdown_step);
}

/* ---- installing -------------------------------------------------------------------------------
 */

int weft_signal_check_number(int signum, const char *what)
{
    return signum > 0 && signum < WEFT_SIGNALS
               ? 0
               : weft_error(-EINVAL, "%s: there is no signal %d", what, signum);
}

int weft_signal_check_main(const char *what)
{
    int r = weft_interrupt_become_main();
    if (r == -EPERM)
        return weft_error(r, "%s: only the main thread may", what);
    if (r < 0)
        return weft_error(r, "%s: %s", what, weft_strerror(r));
    register_hooks();
    return 0;
}

static int set(int signum, weft_signal_fn *handler, void *arg, bool chained)
{
    int r = weft_signal_check_number(signum, "set a signal's handler");
    if (r == 0 && handler == NULL)
        r = weft_error(-EINVAL, "set the handler of %s: it is NULL", weft_signal_label(signum));
    if (r == 0)
        r = weft_signal_check_main("set a signal's handler");
    if (r < 0)
        return r;
    weft_ilock_acquire(&lock);
    r = install(signum, handler, chained);
    if (r == 0)
        entries[signum] = (entry){handler, arg};
    weft_ilock_release(&lock);
    if (r < 0)
        return weft_error(r, "set the handler of %s (%d): %s", weft_signal_label(signum), signum,
                          r == -EINVAL ? "it cannot be handled" : weft_strerror(r));
    if (is_ready_made(handler))
        drop(signum);
    return 0;
}

int weft_signal_set(int signum, weft_signal_fn *handler, void *arg)
{
    return set(signum, handler, arg, false);
}

int weft_signal_set_chained(int signum, weft_signal_fn *handler, void *arg)
{
    return set(signum, handler, arg, true);
}

int weft_signal_get(int signum, weft_signal_fn **handler, void **arg)
{
    struct sigaction action;
    int r = weft_signal_check_number(signum, "get a signal's handler");
    if (r < 0)
        return r;
    if (sigaction(signum, NULL, &action) < 0)
        return weft_error(-errno, "get the handler of %s (%d): %s", weft_signal_label(signum),
                          signum, weft_strerror(-errno));
    entry found = {0};
    if (is_ours(&action)) {
        (void)find_handler(signum, &found);
        r = WEFT_SIGNAL_HANDLED;
    } else if (has_handler(&action, SIG_DFL)) {
        found.handler = weft_signal_default;
        r = WEFT_SIGNAL_DEFAULT;
    } else if (has_handler(&action, SIG_IGN)) {
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
    int r = weft_signal_check_number(signum, "restore a signal's handler");
    if (r == 0)
        r = weft_signal_check_main("restore a signal's handler");
    if (r < 0)
        return r;
    weft_ilock_acquire(&lock);
    r = uninstall(signum);
    weft_ilock_release(&lock);
    drop(signum);
    return r < 0 ? weft_error(r, "restore %s: %s", weft_signal_label(signum), weft_strerror(r)) : 0;
}

int weft_signal_siginterrupt(int signum, weft_siginterrupt mode)
{
    struct sigaction action;
    int r = weft_signal_check_number(signum, "let a signal interrupt");
    if (r < 0)
        return r;
    weft_ilock_acquire(&lock);
    r = sigaction(signum, NULL, &action) < 0 ? -errno : 0;
    if (r == 0 && is_ours(&action)) {
        action.sa_flags &= ~SA_RESTART;
        action.sa_flags |= mode == WEFT_SIGINTERRUPT_OFF ? SA_RESTART : 0;
        r = sigaction(signum, &action, NULL) < 0 ? -errno : 0;
    } else if (r == 0 && is_foreign(&action)) {
        r = -EPERM;
    }
    weft_ilock_release(&lock);
    if (r < 0)
        return weft_error(r, "let %s interrupt: %s", weft_signal_label(signum),
                          r == -EPERM ? "somebody else's handler is installed" : weft_strerror(r));
    return 0;
}

/* ---- ready-made handlers ----------------------------------------------------------------------
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
