/* SPDX-License-Identifier: MIT */
/*
 * The process pool, in the process that opened it.
 *
 * Submit itself puts a job in the ring while there is room, else the manager does as results come
 * in. The manager is one thread per pool. It sleeps in poll, on its wakeup and on the descriptors
 * of its workers' ends; it completes futures, refills the ring, settles what a dead worker had and
 * starts another.
 *
 * The workers are forked when the pool is opened, from the thread that opens it, before the manager
 * exists; a replacement is forked by the manager.
 *
 * `lock` guards the queue, the list of records that are out, the ring's tail and the flags; it is
 * not held while a future is completed or a process forked. Life is as a thread pool's: ending it
 * takes a reference, which the manager gives up as the last thing it does.
 */
#include "multiprocessing/process_executor.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/context.h"
#include "core/fork.h"
#include "core/memory.h"
#include "core/shutdown.h"
#include "platform/cpu.h"

enum {
    PER_WORKER = 64, /* jobs out for each worker */
    MOST_WORKERS = 256,
    STILLBORN = 20, /* workers that die one after the other before they are ready: enough */
    RETRY = 100,    /* milliseconds until a fork that failed is tried again */
};

static struct {
    weft_ilock lock; /* guards what follows */
    weft_list all;
    bool has_last;
    pthread_t last; /* the manager that ended last: the next to end, or the shutdown, joins it */
} pools;

/* ---- workers -----------------------------------------------------------------------------------
 */

static int start_worker(weft_process_pool *pool, size_t index)
{
    weft_pool_worker *of = &pool->workers[index];
    weft_pool_start start = pool->start;
    start.seat = &pool->shared->seats[index];
    start.serial = of->serial = ++pool->serials;
    return weft_process_launch(&of->process, weft_pool_work, &start, sizeof start, NULL, false);
}

/* Errors: what the fork said, where no worker is left. */
static int start_missing(weft_process_pool *pool)
{
    int r = 0;
    size_t alive = 0;
    for (size_t i = 0; i < pool->max_workers; i++) {
        if (pool->workers[i].process == NULL && r == 0)
            r = start_worker(pool, i);
        alive += pool->workers[i].process != NULL;
    }
    return alive == 0 ? r : 0;
}

/* No weft_wait: it may not fail, and whoever opens the pool may have a cancel pending. */
static void kill_worker(weft_process *process)
{
    struct pollfd end = {.fd = process->exit.fd, .events = POLLIN};
    (void)weft_childexit_kill(&process->exit, SIGKILL);
    while (!weft_handle_done(&process->job.handle)) {
        (void)poll(&end, 1, -1);
        weft_process_look(process);
    }
}

/* Ends it with everything in it; the manager's. */
static void break_pool(weft_process_pool *pool, const char *why)
{
    weft_link *link;
    pthread_mutex_lock(&pool->lock);
    if (!pool->broken)
        snprintf(pool->why, sizeof pool->why, "%s", why);
    pool->broken = true;
    weft_future *queue = weft_pool_take_queue(pool);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < pool->max_workers; i++) {
        weft_process *process = pool->workers[i].process;
        if (process == NULL)
            continue;
        kill_worker(process);
        weft_handle_drop(&process->job.handle);
        pool->workers[i].process = NULL;
    }
    weft_pool_take_results(pool);
    while ((link = weft_list_first(&pool->out)) != NULL)
        weft_pool_fail_record(pool, WEFT_CONTAINER(link, weft_pool_record, link), WEFT_EBROKEN_POOL,
                              pool->why);
    weft_pool_fail_queue(queue, WEFT_EBROKEN_POOL, pool->why);
}

/* What the dead worker had; NULL: nothing that is still out. */
static weft_pool_record *record_of(weft_process_pool *pool, size_t index)
{
    weft_pool_record *named = atomic_load(&pool->shared->seats[index].record);
    weft_pool_record *found = NULL;
    pthread_mutex_lock(&pool->lock);
    for (weft_link *link = weft_list_first(&pool->out); link != NULL && found == NULL;
         link = weft_list_next(&pool->out, link)) {
        weft_pool_record *record = WEFT_CONTAINER(link, weft_pool_record, link);
        if (record == named)
            found = record;
    }
    pthread_mutex_unlock(&pool->lock);
    if (found != NULL && atomic_load(&found->state) >> 8 != pool->workers[index].serial)
        found = NULL;
    return found;
}

static void put_back(weft_process_pool *pool, weft_pool_record *record)
{
    pthread_mutex_lock(&pool->lock);
    weft_pool_put(pool, record);
    pthread_mutex_unlock(&pool->lock);
}

static void lose(weft_process_pool *pool, size_t index, weft_pool_record *record)
{
    weft_process *process = pool->workers[index].process;
    char end[64], message[256];
    weft_process_end_text(process->exitcode, end, sizeof end);
    snprintf(message, sizeof message, "worker '%.100s' %s while it ran the job",
             weft_handle_name_of(&process->job.handle), end);
    weft_pool_fail_record(pool, record, WEFT_EWORKER_LOST, message);
}

/* Everything it pushed has been taken. */
static void settle_record(weft_process_pool *pool, size_t index)
{
    weft_pool_lock_ring(pool->shared); /* completes its claim, if it died in it */
    weft_robust_release(&pool->shared->take_lock);
    weft_pool_record *record = record_of(pool, index);
    if (record == NULL)
        return;
    switch (atomic_load(&record->state) & 0xff) {
    case WEFT_JOB_TAKEN:
        put_back(pool, record);
        break;
    case WEFT_JOB_RUNNING:
        lose(pool, index, record);
        break;
    default:
        weft_pool_settle(pool, record);
    }
}

static void bury(weft_process_pool *pool, size_t index)
{
    weft_pool_worker *of = &pool->workers[index];
    weft_pool_seat *seat = &pool->shared->seats[index];
    int refused = atomic_load(&seat->refused);
    char why[192] = "";
    weft_pool_take_results(pool);
    settle_record(pool, index);
    if (atomic_load(&seat->sleeping) != 0)
        atomic_fetch_sub(&pool->shared->sleepers, 1);
    pool->stillborn = atomic_load(&seat->ready) != 0 ? 0 : pool->stillborn + 1;
    if (refused < 0) {
        seat->why[sizeof seat->why - 1] = '\0';
        snprintf(why, sizeof why, "the pool's initializer has failed: %s", seat->why);
    } else if (atomic_load(&pool->shared->closing) == 0 &&
               (pool->break_on_loss || pool->stillborn >= STILLBORN)) {
        char end[64];
        weft_process_end_text(of->process->exitcode, end, sizeof end);
        snprintf(why, sizeof why, "worker '%.80s' %s",
                 weft_handle_name_of(&of->process->job.handle), end);
    }
    weft_handle_drop(&of->process->job.handle);
    of->process = NULL;
    memset(seat, 0, sizeof *seat);
    weft_pool_wake(pool->shared, UINT32_MAX); /* a wake-up may have died with it */
    if (why[0] != '\0')
        break_pool(pool, why);
}

/* ---- the manager -------------------------------------------------------------------------------
 */

/* How many workers live; buries those that do not. */
static size_t look_at_workers(weft_process_pool *pool)
{
    size_t alive = 0;
    for (size_t i = 0; i < pool->max_workers; i++) {
        weft_process *process = pool->workers[i].process;
        if (process == NULL)
            continue;
        weft_process_look(process);
        if (weft_handle_done(&process->job.handle))
            bury(pool, i);
    }
    for (size_t i = 0; i < pool->max_workers; i++)
        alive += pool->workers[i].process != NULL;
    return alive;
}

static void sleep_until_something(weft_process_pool *pool, int milliseconds)
{
    struct pollfd fds[MOST_WORKERS + 1];
    nfds_t count = 0;
    atomic_store(&pool->shared->manager_sleeps, 1);
    /* seq_cst: after it said that it sleeps */
    if (atomic_load(&pool->shared->results) != NULL)
        milliseconds = 0;
    fds[count++] = (struct pollfd){.fd = pool->start.wakeup.read_fd, .events = POLLIN};
    for (size_t i = 0; i < pool->max_workers; i++)
        if (pool->workers[i].process != NULL)
            fds[count++] =
                (struct pollfd){.fd = pool->workers[i].process->exit.fd, .events = POLLIN};
    if (poll(fds, count, milliseconds) > 0 && fds[0].revents != 0)
        weft_wakeup_drain(&pool->start.wakeup);
    atomic_store(&pool->shared->manager_sleeps, 0);
}

/* Whether all is done and no more comes. */
static bool is_over(weft_process_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool over = pool->ending && pool->first == NULL && pool->out_count == 0;
    pthread_mutex_unlock(&pool->lock);
    return over;
}

static void close_ring(weft_process_pool *pool)
{
    if (atomic_exchange(&pool->shared->closing, 1) == 0)
        weft_pool_wake(pool->shared, UINT32_MAX);
}

/* Joins the manager that ended last, whom nobody else joins; `ending`: its place is the caller's
 * then, and its pool leaves the list at the same moment, so that the shutdown misses neither. */
static void join_last_manager(weft_process_pool *ending)
{
    weft_ilock_acquire(&pools.lock);
    bool has_last = pools.has_last;
    pthread_t last = pools.last;
    pools.has_last = ending != NULL;
    if (ending != NULL) {
        pools.last = pthread_self();
        weft_list_remove(&ending->link);
    }
    weft_ilock_release(&pools.lock);
    if (has_last)
        pthread_join(last, NULL);
}

static void complete_end(weft_process_pool *pool)
{
    join_last_manager(pool);
    weft_handle_complete(&pool->executor.handle);
    weft_handle_drop(&pool->executor.handle);
}

static void *manage(void *arg)
{
    weft_process_pool *pool = arg;
    for (;;) {
        int r = 0, timeout = -1;
        size_t alive = look_at_workers(pool);
        weft_pool_take_results(pool);
        weft_pool_refill(pool);
        bool over = is_over(pool);
        if (over)
            close_ring(pool);
        if (over && alive == 0)
            break;
        if (!over && !pool->broken && alive < pool->max_workers) {
            r = start_missing(pool);
            timeout = RETRY;
        }
        if (r < 0)
            break_pool(pool, "no worker can be started");
        else
            sleep_until_something(pool, over ? RETRY : timeout);
    }
    complete_end(pool);
    return NULL;
}

static void wake_manager(weft_process_pool *pool)
{
    weft_wakeup_signal(&pool->start.wakeup);
}

/* ---- the executor's table ----------------------------------------------------------------------
 */

static int refuse(weft_process_pool *pool)
{
    if (pool->broken)
        return weft_error(WEFT_EBROKEN_POOL, "submit: %s", pool->why);
    return weft_error(WEFT_ESHUTDOWN, "submit: the pool has been shut down");
}

static int submit(weft_executor *executor, weft_future *future)
{
    weft_process_pool *pool = (weft_process_pool *)executor;
    bool sent = false;
    int r = 0;
    if (future->job.arg != NULL && future->job.arg_size == 0 && !weft_is_shared(future->job.arg))
        return weft_error(-EINVAL, "submit: the pointer does not lead into shared memory "
                                   "(weft_shared_alloc), so the worker would have a copy at best");
    pthread_mutex_lock(&pool->lock);
    if (pool->ending || pool->broken) {
        r = refuse(pool);
    } else if (pool->first == NULL && pool->out_count < pool->window) {
        future->withdraw = weft_pool_withdraw;
        (void)weft_future_begin(future);
        r = weft_pool_send_out(pool, future);
        sent = r == 0;
    } else {
        future->withdraw = weft_pool_withdraw;
        future->next = NULL;
        if (pool->first == NULL)
            pool->first = future;
        else
            pool->last->next = future;
        pool->last = future;
    }
    pthread_mutex_unlock(&pool->lock);
    if (sent)
        weft_pool_wake(pool->shared, 1);
    return r;
}

/* Lock held. What no worker has taken is not to be run any more. */
static void cancel_ring(weft_process_pool *pool)
{
    for (weft_link *link = weft_list_first(&pool->out); link != NULL;
         link = weft_list_next(&pool->out, link)) {
        uint64_t queued = WEFT_JOB_QUEUED;
        (void)atomic_compare_exchange_strong(&WEFT_CONTAINER(link, weft_pool_record, link)->state,
                                             &queued, WEFT_JOB_CANCELLED);
    }
}

static void end_pool(weft_process_pool *pool, weft_shutdown_mode mode)
{
    weft_future *dropped = NULL;
    pthread_mutex_lock(&pool->lock);
    if (!pool->ending)
        weft_handle_hold(&pool->executor.handle);
    pool->ending = true;
    if (mode == WEFT_SHUTDOWN_IMMEDIATE) {
        dropped = weft_pool_take_queue(pool);
        cancel_ring(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    weft_pool_fail_queue(dropped, -ECANCELED, "cancelled: the pool has been shut down");
    wake_manager(pool);
}

static int shutdown(weft_executor *executor, weft_shutdown_mode mode, weft_instant deadline)
{
    weft_process_pool *pool = (weft_process_pool *)executor;
    /* the manager is gone then, and another thread may have its number */
    if (weft_handle_done(&executor->handle))
        return 0;
    if (deadline != WEFT_INSTANT_NOW && pthread_equal(pthread_self(), pool->manager))
        return weft_error(-EDEADLK, "shut down: called by what completes the pool's jobs");
    end_pool(pool, mode);
    if (deadline == WEFT_INSTANT_NOW)
        return 0;
    return weft_handle_wait(&executor->handle, deadline);
}

static size_t width(weft_executor *executor)
{
    return ((weft_process_pool *)executor)->window;
}

static const weft_executor_methods methods = {
    .submit = submit, .shutdown = shutdown, .width = width};

/* ---- life --------------------------------------------------------------------------------------
 */

static void free_pool(weft_process_pool *pool)
{
    weft_wakeup_close(&pool->start.wakeup);
    if (pool->arg_size > 0)
        weft_dealloc(pool->arg);
    weft_arena_free(pool->shared);
    weft_dealloc(pool->workers);
    pthread_mutex_destroy(&pool->lock);
    weft_handle_clear(&pool->executor.handle);
    weft_dealloc(pool);
}

static void finalize(weft_handle *handle)
{
    weft_process_pool *pool = (weft_process_pool *)handle;
    if (weft_handle_done(handle) || !pool->managed) {
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
                                    .prefix = "ProcessPool",
                                    .numbers = &numbers,
                                    .finalize = finalize};

static int shut_down_all(weft_instant deadline)
{
    for (;;) {
        weft_ilock_acquire(&pools.lock);
        weft_link *link = weft_list_first(&pools.all);
        weft_process_pool *pool =
            link != NULL ? WEFT_CONTAINER(link, weft_process_pool, link) : NULL;
        if (pool != NULL)
            weft_handle_hold(&pool->executor.handle);
        weft_ilock_release(&pools.lock);
        if (pool == NULL)
            break;
        int r = shutdown(&pool->executor, WEFT_SHUTDOWN_DRAIN, deadline);
        if (r == -ETIMEDOUT)
            r = weft_error(r, "shut down: pool '%s' still runs",
                           weft_handle_name_of(&pool->executor.handle));
        weft_handle_drop(&pool->executor.handle);
        if (r < 0)
            return r;
    }
    join_last_manager(NULL);
    return 0;
}

static weft_shutdown_step shutdown_step = {.stage = WEFT_STAGE_EXECUTORS, .run = shut_down_all};

static void before_fork(void)
{
    weft_ilock_acquire(&pools.lock);
    weft_ilock_acquire(&weft_pool_places);
}

static void after_fork(void)
{
    weft_ilock_release(&weft_pool_places);
    weft_ilock_release(&pools.lock);
}

/* The parent's pools have no manager here. */
static void after_fork_child(void)
{
    pools.all = (weft_list){0};
    pools.has_last = false;
    after_fork();
}

static weft_fork_hooks fork_hooks = {
    .prepare = before_fork, .parent = after_fork, .child = after_fork_child};

static int set_up(weft_process_pool *pool, const weft_process_pool_options *options)
{
    pool->max_workers = options->max_workers > 0 ? options->max_workers : (size_t)weft_cpu_count();
    pool->window = pool->max_workers * PER_WORKER;
    if (pool->window > WEFT_POOL_RING / 2) /* the rest is for jobs that come back from the dead */
        pool->window = WEFT_POOL_RING / 2;
    pool->break_on_loss = options->break_on_loss;
    pool->arg = (void *)(uintptr_t)options->arg;
    pool->workers = weft_calloc(pool->max_workers, sizeof *pool->workers);
    if (pool->workers == NULL)
        return -ENOMEM;
    if (options->arg_size > 0) {
        pool->arg = weft_memdup(options->arg, options->arg_size);
        if (pool->arg == NULL)
            return -ENOMEM;
        pool->arg_size = options->arg_size;
    }
    size_t size = sizeof *pool->shared + pool->max_workers * sizeof pool->shared->seats[0];
    pool->shared = weft_shared_alloc((size + 63) / 64 * 64);
    if (pool->shared == NULL)
        return -ENOMEM;
    int r = weft_wakeup_open(&pool->start.wakeup);
    if (r == 0 && options->name != NULL)
        r = weft_handle_rename(&pool->executor.handle, options->name);
    pool->start.shared = pool->shared;
    pool->start.parent = (int)getpid();
    pool->start.initializer = options->initializer;
    pool->start.arg = pool->arg;
    pool->start.ignore_interrupt = options->ignore_interrupt;
    pthread_sigmask(SIG_SETMASK, NULL, &pool->start.mask);
    return r;
}

static int start_manager(weft_process_pool *pool)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = -pthread_create(&pool->manager, NULL, manage, pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pool->managed = r == 0;
    return r;
}

static int start_all(weft_process_pool *pool)
{
    int r = 0;
    for (size_t i = 0; i < pool->max_workers && r == 0; i++)
        r = start_worker(pool, i);
    if (r == 0) {
        weft_ilock_acquire(&pools.lock);
        weft_list_append(&pools.all, &pool->link);
        weft_ilock_release(&pools.lock);
        r = start_manager(pool);
        if (r < 0) {
            weft_ilock_acquire(&pools.lock);
            weft_list_remove(&pool->link);
            weft_ilock_release(&pools.lock);
        }
    }
    if (r < 0)
        break_pool(pool, "it could not be started");
    return r;
}

int weft_process_pool_open(weft_executor **pool, const weft_process_pool_options *options)
{
    static const weft_process_pool_options defaults;
    if (pool == NULL)
        return weft_error(-EINVAL, "open a process pool: nowhere to put it");
    *pool = NULL;
    if (options == NULL)
        options = &defaults;
    if (options->max_workers > MOST_WORKERS)
        return weft_error(-EINVAL, "open a process pool: %zu workers; at most %d can be",
                          options->max_workers, MOST_WORKERS);
    if (options->arg == NULL && options->arg_size > 0)
        return weft_error(-EINVAL, "open a process pool: %zu argument bytes at NULL",
                          options->arg_size);
    if (weft_process_self != NULL && weft_process_self->daemon)
        return weft_error(WEFT_EINVALID_STATE, "open a process pool: '%s' is a daemon",
                          weft_handle_name_of(&weft_process_self->job.handle));
    if (weft_context_self() == NULL)
        return -ENOMEM;
    weft_fork_register(&fork_hooks);
    weft_shutdown_register(&shutdown_step);
    weft_process_pool *made = weft_calloc(1, sizeof *made);
    if (made == NULL)
        return weft_error(-ENOMEM, "open a process pool: no memory");
    weft_handle_init(&made->executor.handle, &pool_kind);
    made->executor.methods = &methods;
    made->start.wakeup = (weft_wakeup){-1, -1};
    pthread_mutex_init(&made->lock, NULL);
    int r = set_up(made, options);
    if (r == 0)
        r = start_all(made);
    if (r < 0) {
        weft_error(r, "open a process pool: %s", weft_strerror(r));
        free_pool(made);
        return r;
    }
    *pool = &made->executor;
    return 0;
}
