/* SPDX-License-Identifier: MIT */
/*
 * The signal's side: the C-level handler, which may run on any thread, at any instruction.
 *
 * Each signal has a note, FREE or TAKEN, and a bit in `noted`. The handler may move the note from
 * FREE to TAKEN, writes who sent the signal, and sets the bit; finding it TAKEN, it leaves it: that
 * signal is merged with one whose handler has not begun, as the kernel merges what is blocked.
 * Whoever clears the bit owns the note, reads it and frees it, before the user's handler is called;
 * so a signal that comes during the handler is noted anew, and none is lost. Every C-level handler
 * posts, after its note.
 *
 * The host's function, where it is chained, is called last, with what the system gave: by then
 * nothing of weft's is held or counted, so it may well not return. Its mask and flags are in force
 * because they were given to the system with the C-level handler (handler.c).
 *
 * `inside` counts the handlers between their look at what is installed and their last use of
 * anything that the end of weft takes away, or that a new weft_signal_set writes. Both sides are
 * seq_cst: who takes away first says so, then waits for 0.
 */
#include "signal/note.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "core/interrupt.h"
#include "core/wait.h"
#include "platform/nosigpipe.h"

enum { FREE, TAKEN, WORD = 64, WORDS = WEFT_SIGNALS / WORD + 1 };

typedef struct note {
    _Atomic uint32_t state;
    weft_signal_info info; /* written and read by who has TAKEN it */
} note;

weft_signal_slot weft_signal_slots[WEFT_SIGNALS];
_Atomic int weft_signal_wakeup_fd = -1, weft_signal_wakeup_code;

static note notes[WEFT_SIGNALS];
static _Atomic uint64_t noted[WORDS];
static _Atomic uint32_t inside;

/* ---- in the signal ----------------------------------------------------------------------------
 */

/* The machine itself sent it: the instruction would be repeated for ever, were it noted only. */
static bool is_fault(int signum, const siginfo_t *info)
{
    bool may_be = signum == SIGSEGV || signum == SIGBUS || signum == SIGILL || signum == SIGFPE;
    return may_be && info->si_code > 0;
}

static bool is_child(const siginfo_t *info)
{
    return info->si_signo == SIGCHLD && info->si_code > 0;
}

/* Whether the words for the sender mean one. */
static bool has_sender(const siginfo_t *info)
{
#if defined(SI_TKILL)
    if (info->si_code == SI_TKILL) /* pthread_kill, raise */
        return true;
#endif
    return info->si_code == SI_USER || info->si_code == SI_QUEUE || info->si_code == SI_MESGQ ||
           is_child(info);
}

static long band_of(const siginfo_t *info)
{
#if defined(SIGPOLL)
    if (info->si_signo == SIGPOLL && info->si_code > 0)
        return info->si_band;
#endif
    (void)info;
    return 0;
}

void weft_signal_info_from_system(weft_signal_info *info, const siginfo_t *system)
{
    bool sent = has_sender(system);
    *info = (weft_signal_info){
        .signum = system->si_signo,
        .code = system->si_code,
        .pid = sent ? (int)system->si_pid : 0,
        .uid = sent ? (unsigned int)system->si_uid : 0,
        .status = is_child(system) ? system->si_status : 0,
        .error = system->si_errno,
        .band = band_of(system),
    };
}

static void write_wakeup(int signum)
{
    int fd = atomic_load(&weft_signal_wakeup_fd);
    unsigned char byte = (unsigned char)signum;
    if (fd < 0)
        return;
    ssize_t n = weft_nosigpipe_write(fd, &byte, 1);
    if (n < 0)
        atomic_store(&weft_signal_wakeup_code, (int)n);
}

static void take_note(int signum, const siginfo_t *info)
{
    note *slot = &notes[signum];
    uint32_t free = FREE;
    /* acquire: whoever freed it has read it */
    if (!atomic_compare_exchange_strong_explicit(&slot->state, &free, TAKEN, memory_order_acquire,
                                                 memory_order_relaxed))
        return;
    weft_signal_info_from_system(&slot->info, info);
    slot->info.signum = signum;
    atomic_fetch_or(&noted[signum / WORD], UINT64_C(1) << (unsigned int)(signum % WORD));
}

/* What is to be called of the host's. Copied while this is counted: afterwards another function may
 * be found. */
static bool find_chained(weft_signal_slot *slot, struct sigaction *found)
{
    /* relaxed: written before this handler was installed, or by its own thread */
    if (!atomic_load_explicit(&slot->chained, memory_order_relaxed))
        return false;
    *found = slot->found;
    bool once = ((unsigned int)found->sa_flags & (unsigned int)SA_RESETHAND) != 0;
    return !once || !atomic_exchange(&slot->spent, true);
}

static void call_found(const struct sigaction *found, int signum, siginfo_t *info, void *context)
{
    if ((found->sa_flags & SA_SIGINFO) != 0)
        found->sa_sigaction(signum, info, context);
    else
        found->sa_handler(signum);
}

static void note_and_post(int signum, const siginfo_t *info)
{
    take_note(signum, info);
    write_wakeup(signum);
    weft_interrupt_post();
    weft_wait_end_pause();
}

void weft_signal_note(int signum, siginfo_t *info, void *context)
{
    weft_signal_slot *slot = &weft_signal_slots[signum];
    struct sigaction found;
    bool chained = false;
    int saved = errno, cancel_state;
    /* a write is where a thread that the host has cancelled would end, amid whatever it does */
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    atomic_fetch_add(&inside, 1);
    if (is_fault(signum, info)) {
        (void)sigaction(signum, &slot->found, NULL);
    } else {
        if (atomic_load(&slot->active)) /* else somebody's handler calls on what it once found */
            note_and_post(signum, info);
        chained = find_chained(slot, &found);
    }
    atomic_fetch_sub(&inside, 1);
    (void)pthread_setcancelstate(cancel_state, NULL);
    errno = saved;
    if (chained)
        call_found(&found, signum, info, context);
}

/* ---- on the main thread -----------------------------------------------------------------------
 */

int weft_signal_next_noted(int signum)
{
    unsigned int next = (unsigned int)signum + 1;
    for (unsigned int word = next / WORD; word < WORDS; word++, next = word * WORD) {
        uint64_t bits = atomic_load(&noted[word]) >> (next % WORD);
        if (bits != 0)
            return (int)next + __builtin_ctzll(bits);
    }
    return 0;
}

bool weft_signal_take(int signum, weft_signal_info *info)
{
    uint64_t bit = UINT64_C(1) << (unsigned int)(signum % WORD);
    /* of two coroutines, or of this and a restore, one gets it */
    if ((atomic_fetch_and(&noted[signum / WORD], ~bit) & bit) == 0)
        return false;
    *info = notes[signum].info;
    /* release: it has been read */
    atomic_store_explicit(&notes[signum].state, FREE, memory_order_release);
    return true;
}

int weft_signal_wait_for_notes(weft_instant deadline)
{
    while (atomic_load(&inside) > 0) {
        if (deadline <= weft_instant_now())
            return -ETIMEDOUT;
        sched_yield();
    }
    return 0;
}

void weft_signal_forget_notes(void)
{
    for (int word = 0; word < WORDS; word++)
        atomic_store(&noted[word], 0);
    for (int signum = 1; signum < WEFT_SIGNALS; signum++)
        atomic_store(&notes[signum].state, FREE); /* also what another thread was filling */
    atomic_store(&inside, 0);
    /* the descriptor's reader is the parent */
    atomic_store(&weft_signal_wakeup_fd, -1);
    atomic_store(&weft_signal_wakeup_code, 0);
}
