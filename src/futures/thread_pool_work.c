/* SPDX-License-Identifier: MIT */
/*
 * Who runs what: the jobs of a pool and its workers' sleep.
 *
 * Jobs come from three places, in this order: the worker's own deque, newest first (what a job
 * submits: in any other order a recursion of jobs would have its whole frontier alive at once); the
 * injection queue, oldest first (what comes from outside); the other workers' deques, oldest first.
 * A job stays on its worker once it has begun.
 *
 * A worker that finds nothing puts itself on the idle list under the pool's lock, looks at the
 * deques once more, and sleeps. Whoever adds a job wakes at most one idle worker, and none while
 * another is on its way; a worker that takes a job and leaves others wakes the next.
 */
#include "futures/thread_pool.h"

enum { BATCH = 32, JOBS_PER_COROUTINE = 64 };

weft_worker *weft_worker_own(const weft_thread_pool *pool)
{
    weft_runner *runner = weft_runner_self();
    if (runner == NULL || runner->hooks != &weft_worker_hooks)
        return NULL;
    weft_worker *self = runner->owner;
    return self->pool == pool ? self : NULL;
}

/* ---- the injection queue ----------------------------------------------------------------------
 */

static weft_future *pop_injected(weft_thread_pool *pool)
{
    weft_future *future = pool->first;
    if (future != NULL) {
        pool->first = future->next;
        pool->queued--;
    }
    return future;
}

weft_future *weft_thread_pool_take_queue(weft_thread_pool *pool)
{
    weft_future *queue = pool->first;
    pool->first = NULL;
    pool->queued = 0;
    return queue;
}

static bool unqueue(weft_thread_pool *pool, const weft_future *future)
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

/* ---- taking and waking ------------------------------------------------------------------------
 */

static void leave_idle(weft_thread_pool *pool, weft_worker *left)
{
    weft_worker **place = &pool->idle;
    while (*place != left)
        place = &(*place)->next_idle;
    *place = left->next_idle;
    atomic_store(&left->idle, false); /* seq_cst: before the look at its runner's sleep */
    /* relaxed: under the lock; a submitter that still sees the old count looks at the list in vain
     */
    atomic_fetch_sub_explicit(&pool->idle_count, 1, memory_order_relaxed);
}

/* An idle worker to be woken after the lock is left; NULL: none, or one is on its way. Lock held.
 */
static weft_worker *take_idle(weft_thread_pool *pool)
{
    weft_worker *woken = pool->waking ? NULL : pool->idle;
    if (woken != NULL) {
        leave_idle(pool, woken);
        pool->waking = true;
    }
    return woken;
}

static void wake(weft_worker *woken)
{
    if (woken != NULL)
        weft_runner_wake(woken->runner);
}

/* Lock held. */
static bool deques_empty(weft_thread_pool *pool)
{
    for (size_t i = 0; i < pool->started; i++) {
        if (!weft_job_deque_empty(&pool->workers[i].deque))
            return false;
    }
    return true;
}

/* The slot of one more worker, which is on its way from now on; NULL: no more are needed or
 * allowed. Lock held. */
static weft_worker *add_worker(weft_thread_pool *pool)
{
    if (pool->idle != NULL || pool->waking || pool->started == pool->max_workers)
        return NULL;
    weft_worker *added = &pool->workers[pool->started++];
    added->pool = pool;
    pool->alive++;
    pool->waking = true;
    /* release: pairs with the thieves' acquire */
    atomic_store_explicit(&pool->visible, pool->started, memory_order_release);
    return added;
}

/* The worker could not be started: the others do the work; where there are none the future is taken
 * back. */
static int without_worker(weft_thread_pool *pool, weft_worker *added, weft_future *future, int code)
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
    weft_future *rest = nobody ? weft_thread_pool_take_queue(pool) : NULL;
    bool ends = nobody && pool->ending;
    weft_ilock_release(&pool->lock);
    weft_thread_pool_fail_all(rest, code, "no thread for the job");
    if (ends)
        weft_thread_pool_complete_end(pool);
    return taken_back ? code : 0;
}

/* future: the one it was for, to be taken back; NULL: none. */
static int start_added(weft_thread_pool *pool, weft_worker *added, weft_future *future)
{
    int r = added != NULL ? weft_worker_start(added) : 0;
    return r < 0 ? without_worker(pool, added, future, r) : r;
}

/* Somebody for what waits to be run: an idle worker, or a new one; both NULL: one is on its way, or
 * no more are allowed. Lock held. */
static void find_help(weft_thread_pool *pool, weft_worker **woken, weft_worker **added)
{
    *woken = take_idle(pool);
    *added = *woken == NULL ? add_worker(pool) : NULL;
}

static void call_help(weft_thread_pool *pool)
{
    weft_worker *woken, *added;
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
static weft_future *take_injected(weft_worker *self)
{
    weft_thread_pool *pool = self->pool;
    weft_worker *woken = NULL, *added = NULL;
    weft_future *batch[BATCH];
    weft_ilock_acquire(&pool->lock);
    weft_future *future = pop_injected(pool);
    size_t share = pool->queued / pool->started, count = 0;
    if (future != NULL && share > 0 && weft_job_deque_empty(&self->deque) &&
        weft_job_deque_reserve(&self->deque, BATCH) == 0) {
        while (count < share && count < BATCH)
            batch[count++] = pop_injected(pool);
        weft_job_deque_fill(&self->deque, batch, count);
    }
    bool more = pool->first != NULL || count > 0;
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
static bool left_behind(weft_thread_pool *pool)
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
static weft_future *steal(weft_worker *self)
{
    weft_thread_pool *pool = self->pool;
    weft_future *future = NULL;
    bool more = false;
    /* acquire: a worker is filled in before it becomes visible */
    size_t visible = atomic_load_explicit(&pool->visible, memory_order_acquire);
    for (size_t i = 0; future == NULL && i < visible; i++) {
        weft_worker *victim = &pool->workers[i];
        future = victim != self ? weft_job_deque_pop_oldest(&victim->deque, &more) : NULL;
    }
    if (future != NULL && (more || left_behind(pool)))
        call_help(pool);
    return future;
}

/* The next job that has not been cancelled, claimed; NULL: none. */
static weft_future *take_job(weft_worker *self)
{
    for (;;) {
        weft_future *future = weft_job_deque_pop_newest(&self->deque);
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

static void supply(weft_runner *runner)
{
    weft_worker *self = runner->owner;
    weft_future *future = take_job(self);
    if (future == NULL)
        return;
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
}

static bool go_idle(weft_runner *runner)
{
    weft_worker *self = runner->owner;
    weft_thread_pool *pool = self->pool;
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
    weft_worker *self = runner->owner;
    weft_ilock_acquire(&self->pool->lock);
    if (self->idle)
        leave_idle(self->pool, self);
    weft_ilock_release(&self->pool->lock);
}

/* Called between going idle and saying that it sleeps: whoever did found it awake. seq_cst: after
 * the runner has said so. */
static bool is_called(weft_runner *runner)
{
    const weft_worker *self = runner->owner;
    return !atomic_load(&self->idle);
}

const weft_runner_hooks weft_worker_hooks = {
    .supply = supply, .idle = go_idle, .busy = go_busy, .pending = is_called};

/* ---- for thread_pool.c ------------------------------------------------------------------------
 */

int weft_thread_pool_refuse(const weft_thread_pool *pool)
{
    if (pool->broken)
        return weft_error(WEFT_EBROKEN_POOL, "submit: %s", weft_thread_pool_broken_text);
    return weft_error(WEFT_ESHUTDOWN, "submit: the pool has been shut down");
}

int weft_worker_submit(weft_worker *self, weft_future *future)
{
    weft_thread_pool *pool = self->pool;
    int r = weft_job_deque_push(&self->deque, future);
    /* seq_cst: after the push; see go_idle. relaxed: who sees an old count asks in vain */
    if (r == 0 &&
        (atomic_load(&pool->idle_count) > 0 ||
         atomic_load_explicit(&pool->visible, memory_order_relaxed) < pool->max_workers)) {
        call_help(pool);
    }
    return r;
}

/* Queues the future; says who is to see to it: an idle worker, or a new one. */
static int enqueue(weft_thread_pool *pool, weft_future *future, weft_worker **woken,
                   weft_worker **added)
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
    return refused ? weft_thread_pool_refuse(pool) : 0;
}

int weft_thread_pool_inject(weft_thread_pool *pool, weft_future *future)
{
    weft_worker *woken, *added;
    int r = enqueue(pool, future, &woken, &added);
    wake(woken);
    return r < 0 ? r : start_added(pool, added, future);
}

void weft_thread_pool_wake_all(weft_thread_pool *pool)
{
    weft_worker *woken;
    do {
        weft_ilock_acquire(&pool->lock);
        pool->waking = false;
        woken = take_idle(pool);
        weft_ilock_release(&pool->lock);
        wake(woken);
    } while (woken != NULL);
}
