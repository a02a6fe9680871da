/* SPDX-License-Identifier: MIT */
/*
 * The thread pool: each worker is a runner, and a job is a coroutine on it, so a job that waits
 * parks itself and not its worker.
 *
 * Jobs come from three places, in this order: the worker's own deque, newest first (what a job
 * submits: in any other order a recursion of jobs would have its whole frontier alive at once); the
 * injection queue, oldest first (what comes from outside); the other workers' deques, oldest first.
 * A job stays on its worker once it has begun.
 *
 * A worker that finds nothing puts itself on the idle list under the pool's lock, looks at the
 * deques once more, and sleeps. Whoever adds a job wakes at most one idle worker, and none while
 * another is on its way; a worker that takes a job and leaves others wakes the next.
 *
 * Life: the workers use the pool without references. Ending it (a shutdown, or the last release)
 * takes one reference, which the last worker gives up after it has completed the handle; the last
 * release brings the handle back to life for that. Lock order: pool->lock, then a worker's deque
 * lock.
 */
#include <weft/threading.h>

#include <pthread.h>
#include <stdio.h>

#include "core/fork.h"
#include "core/memory.h"
#include "core/runner.h"
#include "core/shutdown.h"
#include "futures/executor.h"
#include "platform/cpu.h"

enum { FIRST_DEQUE = 64, BATCH = 32, JOBS_PER_COROUTINE = 64, PYTHON_EXTRA = 4, PYTHON_MOST = 32 };

typedef struct thread_pool thread_pool;

typedef struct worker {
    thread_pool *pool;
    weft_thread *thread;      /* owned; NULL until started; guarded by pool->lock */
    weft_runner *runner;      /* its own; written before it can be found idle */
    struct worker *next_idle; /* guarded by pool->lock */
    bool idle;                /* on the idle list; guarded by pool->lock */
    bool stop;                /* its own */
    weft_ilock lock;          /* guards the deque */
    weft_future **deque;      /* a ring; owned */
    size_t room, head, count;
} worker;

struct thread_pool {
    weft_executor executor; /* first */
    size_t max_workers, stack_size;
    char *name; /* of its threads; owned; NULL: the handle's */
    weft_fn *initializer;
    void *arg; /* owned where arg_size > 0 */
    size_t arg_size;
    weft_ilock lock;           /* guards what follows */
    weft_future *first, *last; /* the injection queue */
    size_t queued;             /* its length */
    worker *idle;
    _Atomic size_t idle_count; /* changed under lock, looked at without */
    bool waking;               /* a worker has been woken and has not looked yet */
    size_t started, alive;
    _Atomic bool ending;    /* changed under lock, looked at without */
    _Atomic bool broken;    /* likewise; the initializer has failed */
    worker *workers;        /* max_workers of them, the first `started` in use; owned */
    _Atomic size_t visible; /* as started, for thieves */
    weft_link link;         /* in the list of all pools; guarded by its lock */
};

static struct {
    weft_ilock lock;
    weft_list all;
} pools;

static void before_fork(void)
{
    weft_ilock_acquire(&pools.lock);
}

static void after_fork(void)
{
    weft_ilock_release(&pools.lock);
}

/* The parent's pools have no workers here: nobody is to wait for them. */
static void after_fork_child(void)
{
    pools.all = (weft_list){0};
    weft_ilock_release(&pools.lock);
}

static weft_fork_hooks fork_hooks = {before_fork, after_fork, after_fork_child, NULL};
static pthread_once_t registered = PTHREAD_ONCE_INIT;

static void register_fork(void)
{
    weft_fork_register(&fork_hooks);
}

static const weft_runner_hooks worker_hooks;
static const char broken_text[] = "the initializer of the pool has failed";

static worker *own_worker(const thread_pool *pool)
{
    weft_runner *runner = weft_runner_self();
    if (runner == NULL || runner->hooks != &worker_hooks)
        return NULL;
    worker *self = runner->owner;
    return self->pool == pool ? self : NULL;
}

/* ---- deques -----------------------------------------------------------------------------------
 */

/* Room for `more` in a deque whose lock is held. */
static int reserve_deque(worker *self, size_t more)
{
    size_t room = self->room > 0 ? self->room : FIRST_DEQUE;
    while (room < self->count + more)
        room *= 2;
    if (room == self->room)
        return 0;
    weft_future **deque = weft_alloc(room * sizeof(weft_future *));
    if (deque == NULL)
        return weft_error(-ENOMEM, "submit: no memory");
    for (size_t i = 0; i < self->count; i++)
        deque[i] = self->deque[(self->head + i) & (self->room - 1)];
    weft_dealloc(self->deque);
    self->deque = deque;
    self->room = room;
    self->head = 0;
    return 0;
}

static void append_own(worker *self, weft_future *future)
{
    self->deque[(self->head + self->count++) & (self->room - 1)] = future;
}

static int push_own(worker *self, weft_future *future)
{
    weft_ilock_acquire(&self->lock);
    int r = reserve_deque(self, 1);
    if (r == 0)
        append_own(self, future);
    weft_ilock_release(&self->lock);
    return r;
}

static weft_future *pop_newest(worker *self)
{
    weft_future *future = NULL;
    weft_ilock_acquire(&self->lock);
    if (self->count > 0)
        future = self->deque[(self->head + --self->count) & (self->room - 1)];
    weft_ilock_release(&self->lock);
    return future;
}

static weft_future *pop_oldest(worker *victim, bool *more)
{
    weft_future *future = NULL;
    weft_ilock_acquire(&victim->lock);
    if (victim->count > 0) {
        future = victim->deque[victim->head];
        victim->head = (victim->head + 1) & (victim->room - 1);
        victim->count--;
    }
    *more = victim->count > 0;
    weft_ilock_release(&victim->lock);
    return future;
}

/* ---- taking and waking ------------------------------------------------------------------------
 */

static void leave_idle(thread_pool *pool, worker *left)
{
    worker **place = &pool->idle;
    while (*place != left)
        place = &(*place)->next_idle;
    *place = left->next_idle;
    left->idle = false;
    /* relaxed: under the lock; a submitter that still sees the old count looks at the list in vain
     */
    atomic_fetch_sub_explicit(&pool->idle_count, 1, memory_order_relaxed);
}

/* An idle worker to be woken after the lock is left; NULL: none, or one is on its way. Lock held.
 */
static worker *take_idle(thread_pool *pool)
{
    worker *woken = pool->waking ? NULL : pool->idle;
    if (woken != NULL) {
        leave_idle(pool, woken);
        pool->waking = true;
    }
    return woken;
}

static void wake(worker *woken)
{
    if (woken != NULL)
        weft_runner_wake(woken->runner);
}

static bool deques_empty(thread_pool *pool);
static worker *add_worker(thread_pool *pool);
static int start_added(thread_pool *pool, worker *added, weft_future *future);

/* Somebody for what waits to be run: an idle worker, or a new one; both NULL: one is on its way, or
 * no more are allowed. Lock held. */
static void find_help(thread_pool *pool, worker **woken, worker **added)
{
    *woken = take_idle(pool);
    *added = *woken == NULL ? add_worker(pool) : NULL;
}

static weft_future *pop_injected(thread_pool *pool)
{
    weft_future *future = pool->first;
    if (future != NULL) {
        pool->first = future->next;
        pool->queued--;
    }
    return future;
}

static void call_help(thread_pool *pool)
{
    worker *woken, *added;
    weft_ilock_acquire(&pool->lock);
    find_help(pool, &woken, &added);
    weft_ilock_release(&pool->lock);
    wake(woken);
    start_added(pool, added, NULL); /* a failure leaves the work to those who are there */
}

/*
 * Takes the oldest of the injection queue and, so that its lock is not taken for each, a fair share
 * of the others along into the own deque, which is empty: in reverse, since that is popped from its
 * end. Thieves find them there.
 */
static weft_future *take_injected(worker *self)
{
    thread_pool *pool = self->pool;
    worker *woken = NULL, *added = NULL;
    weft_future *batch[BATCH];
    weft_ilock_acquire(&pool->lock);
    weft_future *future = pop_injected(pool);
    size_t share = pool->queued / pool->started, count = 0;
    weft_ilock_acquire(&self->lock);
    if (future != NULL && share > 0 && self->count == 0 && reserve_deque(self, BATCH) == 0) {
        while (count < share && count < BATCH)
            batch[count++] = pop_injected(pool);
        while (count > 0)
            append_own(self, batch[--count]);
    }
    bool more = pool->first != NULL || self->count > 0;
    weft_ilock_release(&self->lock);
    pool->waking = false;
    /* who came while this one was on its way was not called: what others have left is looked for */
    if (!more && future != NULL && (pool->idle != NULL || pool->started < pool->max_workers))
        more = !deques_empty(pool);
    if (more)
        find_help(pool, &woken, &added);
    weft_ilock_release(&pool->lock);
    wake(woken);
    start_added(pool, added, NULL);
    return future;
}

/* Whether there are jobs in deques, and somebody who could come for them. */
static bool left_behind(thread_pool *pool)
{
    if (atomic_load(&pool->idle_count) == 0 &&
        atomic_load_explicit(&pool->visible, memory_order_relaxed) == pool->max_workers)
        return false;
    weft_ilock_acquire(&pool->lock);
    bool left = !deques_empty(pool);
    weft_ilock_release(&pool->lock);
    return left;
}

/* A thief that leaves others to be stolen calls the next one. */
static weft_future *steal(worker *self)
{
    thread_pool *pool = self->pool;
    weft_future *future = NULL;
    bool more = false;
    /* acquire: a worker is filled in before it becomes visible */
    size_t visible = atomic_load_explicit(&pool->visible, memory_order_acquire);
    for (size_t i = 0; future == NULL && i < visible; i++) {
        worker *victim = &pool->workers[i];
        future = victim != self ? pop_oldest(victim, &more) : NULL;
    }
    if (future != NULL && (more || left_behind(pool)))
        call_help(pool);
    return future;
}

/* The next job that has not been cancelled, claimed; NULL: none. */
static weft_future *take_job(worker *self)
{
    for (;;) {
        weft_future *future = pop_newest(self);
        if (future == NULL)
            future = take_injected(self);
        if (future == NULL)
            future = steal(self);
        if (future == NULL || weft_future_begin(future))
            return future;
        weft_handle_drop(&future->job.handle);
    }
}

/* ---- a worker's runner ------------------------------------------------------------------------
 */

static void jobs_entry(weft_coroutine *coroutine)
{
    weft_runner *runner = coroutine->context.runner;
    weft_future *future = *(weft_future **)weft_coroutine_extra(coroutine);
    /* a job that has been woken goes before a new one; inbox and timers are looked at now and then
     */
    for (int left = JOBS_PER_COROUTINE; future != NULL;) {
        weft_future_run(future);
        future = --left > 0 && runner->ready == NULL ? take_job(runner->owner) : NULL;
    }
}

static bool supply(weft_runner *runner)
{
    worker *self = runner->owner;
    weft_future *future = take_job(self);
    if (future == NULL)
        return false;
    weft_coroutine *coroutine = weft_coroutine_new(runner, self->pool->stack_size);
    int r = coroutine != NULL ? 0 : -ENOMEM;
    if (r == 0) {
        *(weft_future **)weft_coroutine_extra(coroutine) = future;
        r = weft_coroutine_start(coroutine, jobs_entry, weft_coroutine_free);
        if (r < 0)
            weft_coroutine_free(coroutine);
    }
    if (r < 0)
        weft_future_fail(future, r, "no stack for the job");
    return r == 0;
}

/* Lock held. */
static bool deques_empty(thread_pool *pool)
{
    for (size_t i = 0; i < pool->started; i++) {
        worker *each = &pool->workers[i];
        weft_ilock_acquire(&each->lock);
        size_t count = each->count;
        weft_ilock_release(&each->lock);
        if (count > 0)
            return false;
    }
    return true;
}

static bool go_idle(weft_runner *runner)
{
    worker *self = runner->owner;
    thread_pool *pool = self->pool;
    weft_ilock_acquire(&pool->lock);
    pool->waking = false;
    /* seq_cst, before the look at the deques: whoever pushes after that look sees this count */
    atomic_fetch_add(&pool->idle_count, 1);
    bool empty = pool->first == NULL && deques_empty(pool);
    bool sleeps = empty && !(pool->ending && runner->live == 0);
    self->stop = empty && !sleeps;
    if (sleeps) {
        self->idle = true;
        self->next_idle = pool->idle;
        pool->idle = self;
    } else {
        atomic_fetch_sub_explicit(&pool->idle_count, 1, memory_order_relaxed);
    }
    weft_ilock_release(&pool->lock);
    return sleeps;
}

static void go_busy(weft_runner *runner)
{
    worker *self = runner->owner;
    weft_ilock_acquire(&self->pool->lock);
    if (self->idle)
        leave_idle(self->pool, self);
    weft_ilock_release(&self->pool->lock);
}

static const weft_runner_hooks worker_hooks = {.supply = supply, .idle = go_idle, .busy = go_busy};

/* ---- the end of a worker, and of the pool ------------------------------------------------------
 */

static void fail_all(weft_future *future, int code, const char *message)
{
    while (future != NULL) {
        weft_future *next = future->next;
        if (weft_future_begin(future))
            weft_future_fail(future, code, message);
        else
            weft_handle_drop(&future->job.handle);
        future = next;
    }
}

/* The queue, to be failed by the caller. Lock held. */
static weft_future *take_queue(thread_pool *pool)
{
    weft_future *queue = pool->first;
    pool->first = NULL;
    pool->queued = 0;
    return queue;
}

static void complete_end(thread_pool *pool)
{
    weft_ilock_acquire(&pools.lock);
    weft_list_remove(&pool->link);
    weft_ilock_release(&pools.lock);
    weft_handle_complete(&pool->executor.handle);
    weft_handle_drop(&pool->executor.handle);
}

static void break_pool(thread_pool *pool)
{
    weft_ilock_acquire(&pool->lock);
    pool->broken = true;
    weft_future *queue = take_queue(pool);
    weft_ilock_release(&pool->lock);
    fail_all(queue, WEFT_EBROKEN_POOL, broken_text);
}

static int worker_main(void *arg)
{
    worker *self = arg;
    thread_pool *pool = self->pool;
    int r = weft_runner_open(&self->runner, &worker_hooks, self);
    if (r == 0 && pool->initializer != NULL)
        r = pool->initializer(pool->arg);
    if (r < 0)
        break_pool(pool);
    while (r >= 0 && !self->stop)
        weft_runner_turn(self->runner, WEFT_INSTANT_NEVER);
    if (self->runner != NULL)
        weft_runner_close(self->runner);
    weft_ilock_acquire(&pool->lock);
    bool ends = --pool->alive == 0 && pool->ending;
    weft_ilock_release(&pool->lock);
    if (ends)
        complete_end(pool);
    return 0;
}

static int start_worker(worker *self)
{
    thread_pool *pool = self->pool;
    char name[128];
    snprintf(name, sizeof name, "%s_%zu",
             pool->name != NULL ? pool->name : weft_handle_name_of(&pool->executor.handle),
             (size_t)(self - pool->workers));
    weft_thread *thread;
    int r = weft_thread_start(&thread, worker_main, WEFT_POINTER(self),
                              &(weft_thread_options){.name = name, .daemon = true});
    if (r < 0)
        return r;
    weft_ilock_acquire(&pool->lock);
    self->thread = thread;
    weft_ilock_release(&pool->lock);
    return 0;
}

/* Begins the end; true: nobody is alive, and the caller completes it. The reference of the ending
 * is taken. */
static bool begin_end(thread_pool *pool, weft_shutdown_mode mode, weft_future **dropped)
{
    weft_ilock_acquire(&pool->lock);
    bool first = !pool->ending;
    pool->ending = true;
    if (first)
        weft_handle_hold(&pool->executor.handle);
    *dropped = mode == WEFT_SHUTDOWN_IMMEDIATE || pool->broken ? take_queue(pool) : NULL;
    bool alone = first && pool->alive == 0;
    weft_ilock_release(&pool->lock);
    return alone;
}

/* Every worker that sleeps looks again, and sees the end. */
static void wake_all(thread_pool *pool)
{
    worker *woken;
    do {
        weft_ilock_acquire(&pool->lock);
        pool->waking = false;
        woken = take_idle(pool);
        weft_ilock_release(&pool->lock);
        wake(woken);
    } while (woken != NULL);
}

static void drop_deques(thread_pool *pool)
{
    for (size_t i = 0; i < atomic_load_explicit(&pool->visible, memory_order_acquire); i++) {
        weft_future *future;
        bool more;
        while ((future = pop_oldest(&pool->workers[i], &more)) != NULL) {
            future->next = NULL;
            fail_all(future, -ECANCELED, "cancelled: the pool has been shut down");
        }
    }
}

static void end_pool(thread_pool *pool, weft_shutdown_mode mode)
{
    weft_future *dropped;
    bool alone = begin_end(pool, mode, &dropped);
    fail_all(dropped, -ECANCELED, "cancelled: the pool has been shut down");
    if (mode == WEFT_SHUTDOWN_IMMEDIATE)
        drop_deques(pool);
    if (alone)
        complete_end(pool);
    else
        wake_all(pool);
}

static int join_workers(thread_pool *pool, weft_instant deadline)
{
    for (size_t i = 0; i < pool->max_workers; i++) {
        weft_ilock_acquire(&pool->lock);
        weft_thread *thread = i < pool->started ? pool->workers[i].thread : NULL;
        weft_ilock_release(&pool->lock);
        int r = thread != NULL ? weft_handle_wait((weft_handle *)thread, deadline) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- the executor's table ---------------------------------------------------------------------
 */

static int refuse(const thread_pool *pool)
{
    if (pool->broken)
        return weft_error(WEFT_EBROKEN_POOL, "submit: %s", broken_text);
    return weft_error(WEFT_ESHUTDOWN, "submit: the pool has been shut down");
}

static int submit_own(worker *self, weft_future *future)
{
    thread_pool *pool = self->pool;
    int r = push_own(self, future);
    /* seq_cst: after the push; see go_idle. relaxed: who sees an old count asks in vain */
    if (r == 0 &&
        (atomic_load(&pool->idle_count) > 0 ||
         atomic_load_explicit(&pool->visible, memory_order_relaxed) < pool->max_workers)) {
        call_help(pool);
    }
    return r;
}

/* The slot of one more worker, which is on its way from now on; NULL: no more are needed or
 * allowed. Lock held. */
static worker *add_worker(thread_pool *pool)
{
    if (pool->idle != NULL || pool->waking || pool->started == pool->max_workers)
        return NULL;
    worker *added = &pool->workers[pool->started++];
    added->pool = pool;
    pool->alive++;
    pool->waking = true;
    /* release: pairs with the thieves' acquire */
    atomic_store_explicit(&pool->visible, pool->started, memory_order_release);
    return added;
}

/* Queues the future; says who is to see to it: an idle worker, or a new one. */
static int enqueue(thread_pool *pool, weft_future *future, worker **woken, worker **added)
{
    *woken = *added = NULL;
    weft_ilock_acquire(&pool->lock);
    bool refused = pool->ending || pool->broken;
    if (!refused) {
        future->next = NULL;
        if (pool->first == NULL)
            pool->first = future;
        else
            pool->last->next = future;
        pool->last = future;
        pool->queued++;
        find_help(pool, woken, added);
    }
    weft_ilock_release(&pool->lock);
    return refused ? refuse(pool) : 0;
}

static bool unqueue(thread_pool *pool, const weft_future *future)
{
    weft_future *previous = NULL;
    for (weft_future **place = &pool->first; *place != NULL; place = &(*place)->next) {
        if (*place == future) {
            *place = future->next;
            if (pool->last == future)
                pool->last = previous;
            pool->queued--;
            return true;
        }
        previous = *place;
    }
    return false;
}

/* The worker could not be started: the others do the work; where there are none the future is taken
 * back. */
static int without_worker(thread_pool *pool, worker *added, weft_future *future, int code)
{
    weft_ilock_acquire(&pool->lock);
    pool->waking = false;
    if (added == &pool->workers[pool->started - 1]) {
        pool->started--;
        atomic_store_explicit(&pool->visible, pool->started, memory_order_release);
    }
    bool nobody = --pool->alive == 0;
    bool taken_back = nobody && unqueue(pool, future);
    /* what others have queued meanwhile for this worker, and an end that waited for it */
    weft_future *rest = nobody ? take_queue(pool) : NULL;
    bool ends = nobody && pool->ending;
    weft_ilock_release(&pool->lock);
    fail_all(rest, code, "no thread for the job");
    if (ends)
        complete_end(pool);
    return taken_back ? code : 0;
}

/* future: the one it was for, to be taken back; NULL: none. */
static int start_added(thread_pool *pool, worker *added, weft_future *future)
{
    int r = added != NULL ? start_worker(added) : 0;
    return r < 0 ? without_worker(pool, added, future, r) : r;
}

static int submit(weft_executor *executor, weft_future *future)
{
    thread_pool *pool = (thread_pool *)executor;
    worker *self = own_worker(pool);
    if (self != NULL)
        return pool->ending || pool->broken ? refuse(pool) : submit_own(self, future);
    worker *woken, *added;
    int r = enqueue(pool, future, &woken, &added);
    wake(woken);
    return r < 0 ? r : start_added(pool, added, future);
}

static int shutdown(weft_executor *executor, weft_shutdown_mode mode, weft_instant deadline)
{
    thread_pool *pool = (thread_pool *)executor;
    if (deadline != WEFT_INSTANT_NOW && own_worker(pool) != NULL)
        return weft_error(-EDEADLK, "shut down: called by a job of the pool itself");
    end_pool(pool, mode);
    if (deadline == WEFT_INSTANT_NOW)
        return 0;
    int r = weft_handle_wait(&executor->handle, deadline);
    return r < 0 ? r : join_workers(pool, deadline);
}

static size_t width(weft_executor *executor)
{
    return ((thread_pool *)executor)->max_workers;
}

static const weft_executor_methods methods = {
    .submit = submit, .shutdown = shutdown, .width = width};

/* ---- life -------------------------------------------------------------------------------------
 */

static void free_pool(thread_pool *pool)
{
    for (size_t i = 0; pool->workers != NULL && i < pool->max_workers; i++) {
        weft_dealloc(pool->workers[i].deque);
        if (pool->workers[i].thread != NULL)
            weft_handle_drop((weft_handle *)pool->workers[i].thread);
    }
    weft_dealloc(pool->workers);
    weft_dealloc(pool->name);
    if (pool->arg_size > 0)
        weft_dealloc(pool->arg);
    weft_handle_clear(&pool->executor.handle);
    weft_dealloc(pool);
}

static void finalize(weft_handle *handle)
{
    thread_pool *pool = (thread_pool *)handle;
    if (weft_handle_done(handle)) {
        free_pool(pool);
        return;
    }
    /* the last release without a shutdown: the handle lives until its workers have ended */
    weft_handle_hold(handle);
    end_pool(pool, WEFT_SHUTDOWN_DRAIN);
    weft_handle_drop(handle);
}

static _Atomic uint32_t numbers;
static const weft_kind pool_kind = {.name = weft_executor_kind_name,
                                    .prefix = "ThreadPoolExecutor",
                                    .numbers = &numbers,
                                    .finalize = finalize};

/* A pool that is still open when the application ends runs out first, as in Python. */
static int shut_down_all(weft_instant deadline)
{
    for (;;) {
        weft_ilock_acquire(&pools.lock);
        weft_link *link = weft_list_first(&pools.all);
        thread_pool *pool = link != NULL ? WEFT_CONTAINER(link, thread_pool, link) : NULL;
        if (pool != NULL)
            weft_handle_hold(&pool->executor.handle);
        weft_ilock_release(&pools.lock);
        if (pool == NULL)
            return 0;
        end_pool(pool, WEFT_SHUTDOWN_DRAIN);
        int r = weft_handle_wait(&pool->executor.handle, deadline);
        if (r == -ETIMEDOUT)
            r = weft_error(r, "shut down: pool '%s' still runs",
                           weft_handle_name_of(&pool->executor.handle));
        weft_handle_drop(&pool->executor.handle);
        if (r < 0)
            return r;
    }
}

static weft_shutdown_step shutdown_step = {.stage = WEFT_STAGE_EXECUTORS, .run = shut_down_all};

static int copy_options(thread_pool *pool, const weft_thread_pool_options *options)
{
    size_t python = (size_t)weft_cpu_count() + PYTHON_EXTRA;
    pool->max_workers = options->max_workers > 0 ? options->max_workers
                        : python < PYTHON_MOST   ? python
                                                 : PYTHON_MOST;
    pool->stack_size = options->stack_size > 0 ? options->stack_size : WEFT_JOB_STACK;
    pool->initializer = options->initializer;
    pool->arg = (void *)(uintptr_t)options->arg;
    pool->workers = weft_calloc(pool->max_workers, sizeof *pool->workers);
    bool copied = pool->workers != NULL;
    if (copied && options->name != NULL)
        copied = (pool->name = weft_strdup(options->name)) != NULL;
    if (copied && options->arg_size > 0) {
        pool->arg = weft_memdup(options->arg, options->arg_size);
        copied = pool->arg != NULL;
        pool->arg_size = copied ? options->arg_size : 0;
    }
    return copied ? 0 : weft_error(-ENOMEM, "open a thread pool: no memory");
}

int weft_thread_pool_open(weft_executor **pool, const weft_thread_pool_options *options)
{
    static const weft_thread_pool_options defaults;
    if (pool == NULL)
        return weft_error(-EINVAL, "open a thread pool: nowhere to put it");
    *pool = NULL;
    thread_pool *made = weft_calloc(1, sizeof *made);
    if (made == NULL)
        return weft_error(-ENOMEM, "open a thread pool: no memory");
    weft_handle_init(&made->executor.handle, &pool_kind);
    made->executor.methods = &methods;
    int r = copy_options(made, options != NULL ? options : &defaults);
    if (r < 0) {
        free_pool(made);
        return r;
    }
    weft_shutdown_register(&shutdown_step);
    pthread_once(&registered, register_fork);
    weft_ilock_acquire(&pools.lock);
    weft_list_append(&pools.all, &made->link);
    weft_ilock_release(&pools.lock);
    *pool = &made->executor;
    return 0;
}
