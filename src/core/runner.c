/* SPDX-License-Identifier: MIT */
/*
 * Scheduling: a ready queue of the runner's own thread, an inbox for everybody else.
 *
 * A coroutine that parks switches straight to the next ready one; only when there is none, or after
 * BUDGET switches, does it go back to the thread's own stack, which looks at inbox, timers,
 * descriptors and signals and sleeps when nothing is ready. A context is in the ready queue or an
 * inbox at most once: only the winner of its wait word, or whoever starts it, pushes it.
 *
 * Sleep and wake: a poster pushes on the inbox, then looks at the sleep word; the runner stores
 * that it sleeps, then looks at the inbox (both seq_cst: one of them sees the other). Only the
 * poster that found the inbox empty looks, and only one exchange finds the word asleep, so there is
 * one wake-up per sleep. The model is tests/model/inbox.pml.
 *
 * A coroutine that ends cannot give its stack back while it stands on it: whoever runs next on this
 * runner does that
 * (`ended`), before anything else.
 */
#include "core/runner.h"

#include "core/clock.h"
#include "core/fork.h"
#include "core/interrupt.h"
#include "core/memory.h"
#include "core/scope.h"
#include "core/timer.h"

/* A poll costs a system call, some hundred switches' worth: so many may go by before the next. */
enum { BUDGET = 512 };

static const weft_runner_hooks no_hooks; /* of an owner that adds nothing */

static struct {
    weft_ilock lock;
    weft_runner *free; /* guarded by lock; runners are type-stable */
} pool;

/* ---- the queues -------------------------------------------------------------------------------
 */

static void append_ready(weft_runner *runner, weft_context *context)
{
    context->next = NULL;
    if (runner->ready == NULL)
        runner->ready = context;
    else
        runner->ready_last->next = context;
    runner->ready_last = context;
}

static weft_context *pop_ready(weft_runner *runner)
{
    weft_context *context = runner->ready;
    if (context != NULL)
        runner->ready = context->next;
    return context;
}

void weft_runner_wake(weft_runner *runner)
{
    /* seq_cst load: after the push on the inbox, or whatever else the runner is to find awake */
    if (atomic_load(&runner->parker.word) == WEFT_RUNNER_AWAKE)
        return;
    uint32_t state = atomic_exchange(&runner->parker.word, WEFT_RUNNER_AWAKE);
    if (state == WEFT_RUNNER_SLEEPING)
        weft_parker_wake(&runner->parker);
    else if (state == WEFT_RUNNER_POLLING)
        weft_wakeup_signal(&runner->wakeup);
}

void weft_runner_ready(weft_runner *runner, weft_context *context)
{
    if (weft_runner_self() == runner) {
        append_ready(runner, context);
        return;
    }
    weft_context *head = atomic_load_explicit(&runner->inbox, memory_order_relaxed);
    do
        context->next = head;
    while (!atomic_compare_exchange_weak(&runner->inbox, &head, context));
    if (head == NULL)
        weft_runner_wake(runner);
}

/* The inbox is a stack: turned round, it is in the order of arrival. */
static void take_inbox(weft_runner *runner)
{
    if (atomic_load_explicit(&runner->inbox, memory_order_relaxed) == NULL)
        return;
    /* acquire: what the posters wrote, the links among it */
    weft_context *newest = atomic_exchange_explicit(&runner->inbox, NULL, memory_order_acquire);
    weft_context *oldest = NULL;
    while (newest != NULL) {
        weft_context *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        weft_context *next = oldest->next;
        append_ready(runner, oldest);
        oldest = next;
    }
}

/* ---- switching --------------------------------------------------------------------------------
 */

static void reap(weft_runner *runner)
{
    weft_coroutine *ended = runner->ended;
    if (ended != NULL) {
        runner->ended = NULL;
        ended->ended(ended);
    }
}

void weft_runner_arrived(weft_context *self)
{
    weft_context_current = self;
    reap(self->runner);
}

/* Who runs when the running coroutine leaves: the next ready one, or the thread's own stack. */
static weft_context *successor(weft_runner *runner)
{
    weft_context *next = NULL;
    if (runner->budget > 0) {
        next = pop_ready(runner);
        runner->budget--;
    }
    runner->current = next;
    return next != NULL ? next : runner->thread;
}

static void leave(weft_context *self)
{
    weft_context *next = successor(self->runner);
    if (next == self)
        return;
    weft_switch_to(&self->place, &next->place);
    weft_runner_arrived(self);
}

weft_switch *weft_runner_exit(weft_coroutine *coroutine)
{
    weft_runner *runner = coroutine->context.runner;
    runner->live--;
    runner->ended = coroutine;
    return &successor(runner)->place;
}

void weft_runner_yield(weft_context *self)
{
    int saved = errno;
    append_ready(self->runner, self);
    leave(self);
    errno = saved;
}

void weft_runner_leave(weft_context *self)
{
    int saved = errno;
    leave(self);
    errno = saved;
}

typedef struct park_timer {
    weft_deadline_timer timer; /* first */
    weft_context *context;
} park_timer;

static void fire_park(weft_deadline_timer *timer, weft_runner *runner)
{
    (void)runner;
    weft_wait_time_out(((park_timer *)timer)->context);
}

static int arm_all(weft_runner *runner, weft_fd_wait *fds, size_t count, bool *ready)
{
    *ready = false;
    for (size_t i = 0; i < count; i++) {
        int r = weft_runner_arm(runner, &fds[i]);
        if (r < 0) {
            while (i-- > 0)
                weft_runner_disarm(runner, &fds[i], true);
            return r;
        }
        if (r > 0)
            *ready = true;
    }
    return 0;
}

int weft_runner_park(weft_context *self, weft_instant deadline, weft_fd_wait *fds, size_t count)
{
    weft_runner *runner = self->runner;
    park_timer timer = {.timer = {.fire = fire_park}, .context = self};
    bool ready;
    for (size_t i = 0; i < count; i++) {
        fds[i].context = self;
        fds[i].ready = 0;
    }
    int r = arm_all(runner, fds, count, &ready);
    if (r == 0 && deadline != WEFT_INSTANT_NEVER)
        r = weft_heap_insert(&runner->timers, &timer.timer.item, deadline);
    /* ready already: no need to leave, unless somebody has decided the word, and so queued this
     * context */
    if (r == 0 && !(ready && weft_wait_decide_own(self)))
        leave(self);
    weft_heap_remove(&runner->timers, &timer.timer.item);
    bool unused = r < 0 || weft_wait_state(self) != WEFT_WAIT_NOTIFIED || weft_cancel_pending(self);
    for (size_t i = 0; i < count; i++)
        weft_runner_disarm(runner, &fds[i], unused);
    return r;
}

/* ---- the thread's own stack -------------------------------------------------------------------
 */

static void fire_due(weft_runner *runner)
{
    if (runner->timers.count == 0)
        return;
    weft_instant now = weft_instant_now();
    weft_heap_item *item;
    while ((item = weft_heap_pop_due(&runner->timers, now)) != NULL) {
        weft_deadline_timer *timer = (weft_deadline_timer *)item;
        timer->fire(timer, runner);
    }
}

/* Whether something came between the last look and the word that says "asleep". All looks are
 * seq_cst, after that word was stored: whoever comes later sees it, and wakes. A signal handler
 * sets what is pending before it looks. */
static bool something_came(weft_runner *runner)
{
    const weft_runner_hooks *hooks = runner->hooks;
    return atomic_load(&runner->inbox) != NULL ||
           (runner->thread->main && atomic_load(&weft_interrupt_pending) != 0) ||
           (hooks->pending != NULL && hooks->pending(runner)) ||
           (hooks->cancelled != NULL &&
            (atomic_load(&runner->thread->cancel) & WEFT_CANCEL_PENDING) != 0);
}

/* What would end a wait of the thread's, as its runner is one: a cancel, or a scope around it. */
static void look_at_cancels(weft_runner *runner)
{
    weft_context *thread = runner->thread;
    if (runner->hooks->cancelled == NULL)
        return;
    if (weft_cancel_pending(thread))
        weft_wait_cancelled(thread);
    else if (thread->scopes.nearest != WEFT_INSTANT_NEVER &&
             thread->scopes.nearest <= weft_instant_now())
        weft_scope_fire(thread);
    else
        return;
    runner->hooks->cancelled(runner);
}

static int block(weft_runner *runner, weft_instant deadline)
{
    uint32_t how = runner->poller != NULL ? WEFT_RUNNER_POLLING : WEFT_RUNNER_SLEEPING;
    int r = 0;
    atomic_store(&runner->parker.word, how);
    if (!something_came(runner)) {
        if (how == WEFT_RUNNER_POLLING)
            r = weft_runner_poll(runner, deadline);
        else
            weft_parker_wait(&runner->parker, how, deadline);
    }
    /* relaxed: a poster that still sees the old value only wakes in vain */
    atomic_store_explicit(&runner->parker.word, WEFT_RUNNER_AWAKE, memory_order_relaxed);
    return r;
}

/* The main thread's runner: handlers of signals that have come are made ready to run. */
static void run_handlers(weft_runner *runner)
{
    if (runner->thread->main && atomic_load(&weft_interrupt_pending) != 0)
        weft_interrupt_run_in_loop(runner);
}

/* Nothing is ready: sleeps until something may be. */
static int rest(weft_runner *runner, weft_instant deadline)
{
    const weft_runner_hooks *hooks = runner->hooks;
    deadline = weft_instant_min(deadline, weft_heap_next(&runner->timers));
    if (hooks->idle != NULL && !hooks->idle(runner))
        return 0;
    int r = block(runner, deadline);
    if (hooks->busy != NULL)
        hooks->busy(runner);
    take_inbox(runner);
    fire_due(runner);
    run_handlers(runner); /* in this turn: what ended the sleep may have been a signal */
    return r;
}

static void resume(weft_runner *runner)
{
    weft_context *thread = runner->thread;
    runner->budget = BUDGET;
    weft_context *next = successor(runner);
    if (next == thread)
        return;
    weft_switch_to(&thread->place, &next->place);
    weft_context_current = thread;
    runner->current = NULL;
    reap(runner);
}

int weft_runner_turn(weft_runner *runner, weft_instant deadline)
{
    const weft_runner_hooks *hooks = runner->hooks;
    int r = 0;
    take_inbox(runner);
    fire_due(runner);
    run_handlers(runner);
    look_at_cancels(runner);
    if (runner->ready != NULL && runner->poller != NULL)
        r = weft_runner_poll(runner, WEFT_INSTANT_NOW);
    if (hooks->supply != NULL)
        hooks->supply(runner);
    if (runner->ready == NULL && hooks->cancelled != NULL)
        deadline = weft_instant_min(deadline, runner->thread->scopes.nearest);
    if (runner->ready == NULL)
        r = rest(runner, deadline);
    resume(runner);
    return r;
}

/* ---- life -------------------------------------------------------------------------------------
 */

static void before_fork(void)
{
    weft_ilock_acquire(&pool.lock);
}

static void after_fork(void)
{
    weft_ilock_release(&pool.lock);
}

/* The wakeups of pooled runners are the parent's too: a drain here would take a wake-up from him.
 */
static void after_fork_child(void)
{
    for (weft_runner *runner = pool.free; runner != NULL; runner = runner->next_free) {
        weft_wakeup_close(&runner->wakeup);
        weft_parker_renew(&runner->parker);
    }
    weft_ilock_release(&pool.lock);
}

static weft_fork_hooks fork_hooks = {
    .prepare = before_fork, .parent = after_fork, .child = after_fork_child};

static weft_runner *acquire_runner(void)
{
    weft_fork_register(&fork_hooks);
    weft_ilock_acquire(&pool.lock);
    weft_runner *runner = pool.free;
    if (runner != NULL)
        pool.free = runner->next_free;
    weft_ilock_release(&pool.lock);
    if (runner != NULL)
        return runner;
    runner = weft_calloc(1, sizeof *runner);
    if (runner != NULL && weft_parker_init(&runner->parker) < 0) {
        weft_dealloc(runner);
        return NULL;
    }
    if (runner != NULL)
        runner->wakeup = (weft_wakeup){-1, -1};
    return runner;
}

int weft_runner_open(weft_runner **opened, const weft_runner_hooks *hooks, void *owner)
{
    weft_context *self = weft_context_self();
    if (self != NULL && self->runner != NULL)
        return weft_error(WEFT_EINVALID_STATE, "this thread runs a loop already");
    weft_runner *runner = self != NULL ? acquire_runner() : NULL;
    if (runner == NULL)
        return weft_error(-ENOMEM, "open a loop: no memory");
    runner->thread = self;
    runner->hooks = hooks != NULL ? hooks : &no_hooks;
    runner->owner = owner;
    weft_switch_init_thread(&self->place);
    self->runner = runner;
    atomic_store(&self->runs, runner); /* seq_cst: before the look for a cancel */
    /* the main thread's runner is woken by signal handlers: always through its wakeup */
    int r = self->main ? weft_runner_open_poller(runner) : 0;
    if (r < 0) {
        weft_runner_close(runner);
        return weft_error(r, "open a loop: %s", weft_strerror(r));
    }
    if (self->main)
        atomic_store(&weft_interrupt_runner, runner);
    *opened = runner;
    return 0;
}

void weft_runner_close(weft_runner *runner)
{
    weft_context *thread = runner->thread;
    reap(runner);
    if (thread->main)
        atomic_store(&weft_interrupt_runner, NULL);
    weft_runner_close_poller(runner);
    weft_coroutine_drain_cache(runner);
    weft_heap_clear(&runner->timers);
    weft_switch_destroy_thread(&thread->place);
    thread->runner = NULL;
    atomic_store(&thread->runs, NULL);
    runner->hooks = &no_hooks;
    runner->owner = NULL;
    weft_ilock_acquire(&pool.lock);
    runner->next_free = pool.free;
    pool.free = runner;
    weft_ilock_release(&pool.lock);
}

void weft_runner_trim(void)
{
    weft_ilock_acquire(&pool.lock);
    weft_runner *runner = pool.free;
    pool.free = NULL;
    weft_ilock_release(&pool.lock);
    while (runner != NULL) {
        weft_runner *next = runner->next_free;
        weft_wakeup_close(&runner->wakeup);
        weft_parker_destroy(&runner->parker);
        weft_dealloc(runner);
        runner = next;
    }
}
