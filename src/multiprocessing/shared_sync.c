/* SPDX-License-Identifier: MIT */
/*
 * Waiting for words in shared memory, and locks that survive their holder.
 *
 * There are no lists of waiters in shared memory, since a killed waiter would stay in them: whoever
 * changes a word wakes whoever sleeps on it, and each looks again. A thread sleeps on the word
 * itself, as with a futex, in slices of at most SLICE, and looks in between whether the process
 * that should wake it lives, and for signals and cancels (a cancel wakes the word's sleepers, so
 * that it is seen at once as a rule, at the end of the slice at worst). A slice is a time, not a
 * sleep: signals that end each sleep early do not put the look off.
 *
 * A coroutine cannot sleep so, nor can a thread that waits for several things at once: they are
 * listed in their own process, and one helper thread of it sleeps in their place, on the doorbell
 * of the arena, and looks at all their words when it rings. Whoever wakes a word rings it if
 * anybody listens. Dekker's argument: the listener counts itself, then looks at its word; the waker
 * changes the word, then looks at the count (seq_cst both): one of them sees the other. The count
 * may be too high after a kill, which costs some rings for nothing, never too low.
 *
 * The helper starts at first need, with all signals blocked, and is joined by weft_shutdown.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "core/context.h"
#include "core/fork.h"
#include "core/ilock.h"
#include "core/interrupt.h"
#include "core/scope.h"
#include "core/shutdown.h"
#include "core/wait.h"
#include "multiprocessing/arena.h"
#include "platform/pause.h"
#include "platform/sharedpark.h"

#define MILLISECOND INT64_C(1000000)
#define SLICE       (50 * MILLISECOND)
#define FIRST_SLICE (2 * MILLISECOND)
#define EVERYBODY   UINT32_MAX

enum { SPINS = 100, BATCH = 16 };

/* ---- robust locks ------------------------------------------------------------------------------
 */

static bool take(_Atomic uint32_t *lock, uint32_t seen, uint32_t mine)
{
    /* acquire: what the last holder wrote is seen */
    return atomic_compare_exchange_strong_explicit(lock, &seen, mine, memory_order_acquire,
                                                   memory_order_relaxed);
}

static int acquire_slow(_Atomic uint32_t *lock, uint32_t mine)
{
    for (int i = 0; i < SPINS; i++) {
        weft_pause();
        if (atomic_load_explicit(lock, memory_order_relaxed) == 0 && take(lock, 0, mine))
            return 0;
    }
    weft_instant slice = FIRST_SLICE, look = weft_instant_now() + slice;
    for (;;) {
        uint32_t seen = atomic_load_explicit(lock, memory_order_relaxed);
        if (seen == 0) {
            /* who has slept cannot know whether others do */
            if (take(lock, 0, mine | WEFT_ROBUST_WAITERS))
                return 0;
            continue;
        }
        uint32_t marked = seen | WEFT_ROBUST_WAITERS;
        if (seen != marked && !atomic_compare_exchange_strong(lock, &seen, marked))
            continue;
        weft_sharedpark_wait(lock, marked, look);
        if (weft_instant_now() < look)
            continue;
        if (!weft_arena_alive(marked & ~WEFT_ROBUST_WAITERS) &&
            take(lock, marked, mine | WEFT_ROBUST_WAITERS))
            return 1;
        slice = slice * 2 < SLICE ? slice * 2 : SLICE;
        look = weft_instant_now() + slice;
    }
}

int weft_robust_acquire(_Atomic uint32_t *lock)
{
    /* relaxed: the own id only changes before a process has a second thread */
    uint32_t mine = atomic_load_explicit(&weft_process_id, memory_order_relaxed);
    return take(lock, 0, mine) ? 0 : acquire_slow(lock, mine);
}

void weft_robust_release(_Atomic uint32_t *lock)
{
    /* release: pairs with the next holder's acquire */
    uint32_t word = atomic_exchange_explicit(lock, 0, memory_order_release);
    if ((word & WEFT_ROBUST_WAITERS) != 0)
        weft_sharedpark_wake(lock, 1);
}

/* ---- the helper thread, and who listens --------------------------------------------------------
 */

/* A wait of a coroutine; what is listed is its waiter, with the word in `address` and what it was
 * in `tag`. Observers of weft_wait_many are listed as bare waiters. */
typedef struct listener {
    weft_waiter waiter; /* first */
    uint32_t owner;
    bool dead; /* the owner is; set before the notification */
} listener;

static struct {
    weft_ilock lock;
    weft_list waiters; /* all guarded by lock */
    bool running;
    bool stop;
    bool idle;      /* sleeps without limit: a new listener must ring */
    bool listening; /* counted in arena->listeners */
    pthread_t thread;
} helper;

static pthread_mutex_t start_lock = PTHREAD_MUTEX_INITIALIZER; /* to start and join the helper */

static void ring(weft_arena *arena)
{
    atomic_fetch_add(&arena->doorbell, 1);
    weft_sharedpark_wake(&arena->doorbell, EVERYBODY);
}

static weft_process_slot *own_slot(weft_arena *arena)
{
    return &arena->slots[atomic_load_explicit(&weft_process_id, memory_order_relaxed) &
                         (WEFT_SLOTS - 1)];
}

/* Lock held. Counted first and marked then, unmarked first and discounted then: a kill in between
 * leaves the count too high. */
static void set_listening(weft_arena *arena, bool on)
{
    if (helper.listening == on)
        return;
    helper.listening = on;
    if (on)
        atomic_fetch_add(&arena->listeners, 1);
    atomic_store(&own_slot(arena)->listens, on);
    if (!on)
        atomic_fetch_sub(&arena->listeners, 1);
}

static bool changed(const weft_waiter *waiter)
{
    const _Atomic uint32_t *word = waiter->address;
    return atomic_load(word) != waiter->tag;
}

static bool owner_dead(weft_waiter *waiter)
{
    if (waiter->observer)
        return false;
    listener *of = (listener *)waiter;
    of->dead = of->owner != 0 && !weft_arena_alive(of->owner);
    return of->dead;
}

/* Lock held. Unlinks and notifies up to BATCH waiters whose wait is over. */
static size_t collect(bool look_at_owners, weft_wake *wakes)
{
    size_t count = 0;
    weft_link *link = weft_list_first(&helper.waiters);
    while (link != NULL && count < BATCH) {
        weft_waiter *waiter = WEFT_CONTAINER(link, weft_waiter, link);
        link = weft_list_next(&helper.waiters, link);
        if (!changed(waiter) && !(look_at_owners && owner_dead(waiter)))
            continue;
        weft_list_remove(&waiter->link);
        if (weft_wait_notify(waiter, &wakes[count]))
            count++;
    }
    return count;
}

static void look_at_all(bool look_at_owners)
{
    weft_wake wakes[BATCH];
    size_t count;
    do {
        weft_ilock_acquire(&helper.lock);
        count = collect(look_at_owners, wakes);
        weft_ilock_release(&helper.lock);
        for (size_t i = 0; i < count; i++)
            weft_wake_deliver(wakes[i]);
    } while (count == BATCH);
}

/* Whether to go on; *limit: how long to sleep. It stays at hand for a slice when the last listener
 * has left, as the next one is likely to come soon. */
static bool settle(weft_arena *arena, weft_instant *lonely_since, weft_instant *limit)
{
    weft_instant now = weft_instant_now();
    weft_ilock_acquire(&helper.lock);
    if (!weft_list_empty(&helper.waiters))
        *lonely_since = now;
    helper.idle = now - *lonely_since > SLICE;
    if (helper.idle)
        set_listening(arena, false);
    *limit = helper.idle ? WEFT_INSTANT_NEVER : now + SLICE;
    bool stop = helper.stop;
    weft_ilock_release(&helper.lock);
    return !stop;
}

static void *help(void *arg)
{
    weft_arena *arena = arg;
    weft_instant lonely_since = weft_instant_now(), limit;
    weft_instant next_look = 0;
    for (;;) {
        uint32_t bell = atomic_load(&arena->doorbell);
        weft_instant now = weft_instant_now();
        look_at_all(now >= next_look);
        if (now >= next_look)
            next_look = now + SLICE / 2;
        if (!settle(arena, &lonely_since, &limit))
            return NULL;
        weft_sharedpark_wait(&arena->doorbell, bell, limit);
    }
}

/* Errors: -EAGAIN: no thread. */
static int start_helper(weft_arena *arena)
{
    sigset_t all, before;
    int r = 0;
    pthread_mutex_lock(&start_lock);
    if (!helper.running) {
        helper.stop = helper.idle = false;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = -pthread_create(&helper.thread, NULL, help, arena);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        helper.running = r == 0;
    }
    pthread_mutex_unlock(&start_lock);
    return r < 0 ? weft_error(r, "wait for shared memory: no helper thread: %s", weft_strerror(r))
                 : 0;
}

static int stop_helper(weft_instant deadline)
{
    (void)deadline; /* it waits for nothing but its bell */
    pthread_mutex_lock(&start_lock);
    if (helper.running) {
        weft_ilock_acquire(&helper.lock);
        helper.stop = true;
        set_listening(weft_arena_get(), false);
        weft_ilock_release(&helper.lock);
        ring(weft_arena_get());
        pthread_join(helper.thread, NULL);
        helper.running = false;
    }
    pthread_mutex_unlock(&start_lock);
    return 0;
}

static weft_shutdown_step shutdown_step = {.stage = WEFT_STAGE_HELPERS, .run = stop_helper};

static void before_fork(void)
{
    pthread_mutex_lock(&start_lock);
    weft_ilock_acquire(&helper.lock);
}

static void after_fork(void)
{
    weft_ilock_release(&helper.lock);
    pthread_mutex_unlock(&start_lock);
}

/* Neither the helper nor who listened is here. */
static void after_fork_child(void)
{
    helper.waiters = (weft_list){0};
    helper.running = helper.stop = helper.idle = helper.listening = false;
    after_fork();
}

static weft_fork_hooks fork_hooks = {
    .prepare = before_fork, .parent = after_fork, .child = after_fork_child};

void weft_shared_sync_install(void)
{
    weft_fork_register(&fork_hooks);
    weft_shutdown_register(&shutdown_step);
}

/* ---- waits -------------------------------------------------------------------------------------
 */

int weft_shared_sync_enlist(weft_waiter *waiter, const _Atomic uint32_t *word, uint32_t expected)
{
    weft_arena *arena = weft_arena_get();
    int r = start_helper(arena);
    if (r < 0)
        return r;
    waiter->address = (const void *)word;
    waiter->tag = expected;
    weft_ilock_acquire(&helper.lock);
    set_listening(arena, true);
    /* seq_cst: after the count */
    if (changed(waiter)) {
        weft_ilock_release(&helper.lock);
        return 1;
    }
    weft_list_append(&helper.waiters, &waiter->link);
    bool asleep = helper.idle;
    helper.idle = false;
    weft_ilock_release(&helper.lock);
    if (asleep)
        ring(arena);
    return 0;
}

void weft_shared_sync_delist(weft_waiter *waiter)
{
    weft_ilock_acquire(&helper.lock);
    if (weft_link_linked(&waiter->link))
        weft_list_remove(&waiter->link);
    weft_ilock_release(&helper.lock);
}

static int coroutine_wait(const _Atomic uint32_t *word, uint32_t expected, uint32_t owner,
                          weft_instant deadline, bool firmly)
{
    listener me = {.owner = owner};
    int r = weft_waiter_init(&me.waiter);
    if (r < 0)
        return r;
    me.waiter.firm = firmly;
    if (owner_dead(&me.waiter))
        return -EOWNERDEAD;
    weft_wait_publish(&me.waiter);
    r = weft_shared_sync_enlist(&me.waiter, word, expected);
    if (r != 0 && weft_wait_retract(me.waiter.context))
        return r < 0 ? r : 0;
    r = 0;
    if (firmly)
        weft_wait_sleep_firmly(me.waiter.context);
    else
        r = weft_wait_sleep(me.waiter.context, deadline);
    if (r < 0) {
        weft_shared_sync_delist(&me.waiter);
        return r;
    }
    if (r == WEFT_WAIT_AND_CANCEL)
        return weft_wait_cancelled(me.waiter.context);
    return me.dead ? -EOWNERDEAD : 0;
}

/* What the main thread's handlers want; 0: go on. */
static int run_handlers(weft_context *self)
{
    if (!self->main || self->handling)
        return 0;
    int code = self->handler_code;
    self->handler_code = 0;
    if (code == 0 && atomic_load(&weft_interrupt_pending) != 0)
        code = weft_interrupt_run(self);
    return code;
}

/* True: sleep on, until *limit. False: *r ends the wait. */
static bool look_around(weft_context *self, weft_instant deadline, weft_instant *limit, int *r)
{
    /* seq_cst: after the word was published in the context */
    if ((atomic_load(&self->cancel) & WEFT_CANCEL_PENDING) != 0) {
        *r = weft_wait_cancelled(self);
        return false;
    }
    *r = run_handlers(self);
    if (*r != 0)
        return false;
    *limit = weft_instant_min(deadline, self->scopes.nearest);
    if (*limit > weft_instant_now())
        return true;
    *r = self->scopes.nearest < deadline ? weft_scope_fire(self) : weft_error_timed_out();
    return false;
}

static int thread_wait(weft_context *self, const _Atomic uint32_t *word, uint32_t expected,
                       uint32_t owner, weft_instant deadline, bool firmly)
{
    weft_instant limit = WEFT_INSTANT_NEVER, slice = owner != 0 ? FIRST_SLICE : SLICE;
    weft_instant look = weft_instant_now() + slice;
    int r = 0;
    atomic_store(&self->shared_word, word);
    /* acquire: who sees the change goes on to read what was written before it */
    while (atomic_load_explicit(word, memory_order_acquire) == expected) {
        if (!firmly && !look_around(self, deadline, &limit, &r))
            break;
        weft_sharedpark_wait(word, expected, weft_instant_min(limit, look));
        if (weft_instant_now() < look)
            continue;
        if (owner != 0 && !weft_arena_alive(owner)) {
            r = -EOWNERDEAD;
            break;
        }
        slice = slice * 4 < SLICE ? slice * 4 : SLICE;
        look = weft_instant_now() + slice;
    }
    /* relaxed: a canceller that still sees it wakes for nothing */
    atomic_store_explicit(&self->shared_word, NULL, memory_order_relaxed);
    return r;
}

static int wait_for_change(const _Atomic uint32_t *word, uint32_t expected, uint32_t owner,
                           weft_instant deadline, bool firmly)
{
    weft_context *self = weft_context_self();
    if (self == NULL)
        return -ENOMEM;
    for (int i = 0; i < SPINS && deadline != WEFT_INSTANT_NOW; i++) {
        if (atomic_load_explicit(word, memory_order_acquire) != expected)
            return 0;
        weft_pause();
    }
    int saved = errno;
    int r = self->coroutine && deadline != WEFT_INSTANT_NOW
                ? coroutine_wait(word, expected, owner, deadline, firmly)
                : thread_wait(self, word, expected, owner, deadline, firmly);
    errno = saved;
    return r;
}

int weft_shared_sync_wait(const _Atomic uint32_t *word, uint32_t expected, uint32_t owner,
                          weft_instant deadline)
{
    return wait_for_change(word, expected, owner, deadline, false);
}

int weft_shared_sync_wait_firmly(const _Atomic uint32_t *word, uint32_t expected, uint32_t owner)
{
    return wait_for_change(word, expected, owner, WEFT_INSTANT_NEVER, true);
}

void weft_shared_sync_wake(const _Atomic uint32_t *word, uint32_t count)
{
    weft_arena *arena = weft_arena_get();
    weft_sharedpark_wake(word, count);
    /* seq_cst: after the change of the word */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load(&arena->listeners) != 0)
        ring(arena);
}
