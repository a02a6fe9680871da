/* SPDX-License-Identifier: MIT */
/*
 * The thread pool: each worker is a runner, and a job is a coroutine on it, so a job that waits
 * parks itself and not its worker. Which job runs where is thread_pool_work.c's; here is the life
 * of workers and pools.
 *
 * The workers use the pool without references. Ending it (a shutdown, or the last release) takes
 * one reference, which the last worker gives up after it has completed the handle; the last release
 * brings the handle back to life for that. Lock order: pool->lock, then a deque's.
 */
#include "futures/thread_pool.h"

#include <stdio.h>

#include "core/fork.h"
#include "core/memory.h"
#include "core/shutdown.h"
#include "platform/cpu.h"

enum { PYTHON_EXTRA = 4, PYTHON_MOST = 32 };

const char weft_thread_pool_broken_text[] = "the initializer of the pool has failed";

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

static weft_fork_hooks fork_hooks = {
    .prepare = before_fork, .parent = after_fork, .child = after_fork_child};

/* ---- the end of a worker, and of the pool ------------------------------------------------------
 */

void weft_thread_pool_fail_all(weft_future *future, int code, const char *message)
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

void weft_thread_pool_complete_end(weft_thread_pool *pool)
{
    weft_ilock_acquire(&pools.lock);
    weft_list_remove(&pool->link);
    weft_ilock_release(&pools.lock);
    weft_handle_complete(&pool->executor.handle);
    weft_handle_drop(&pool->executor.handle);
}

static void break_pool(weft_thread_pool *pool)
{
    weft_ilock_acquire(&pool->lock);
    pool->broken = true;
    weft_future *queue = weft_thread_pool_take_queue(pool);
    weft_ilock_release(&pool->lock);
    weft_thread_pool_fail_all(queue, WEFT_EBROKEN_POOL, weft_thread_pool_broken_text);
}

static int worker_main(void *arg)
{
    weft_worker *self = arg;
    weft_thread_pool *pool = self->pool;
    int r = weft_runner_open(&self->runner, &weft_worker_hooks, self);
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
        weft_thread_pool_complete_end(pool);
    return 0;
}

int weft_worker_start(weft_worker *self)
{
    weft_thread_pool *pool = self->pool;
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
static bool begin_end(weft_thread_pool *pool, weft_shutdown_mode mode, weft_future **dropped)
{
    weft_ilock_acquire(&pool->lock);
    bool first = !pool->ending;
    pool->ending = true;
    if (first)
        weft_handle_hold(&pool->executor.handle);
    *dropped =
        mode == WEFT_SHUTDOWN_IMMEDIATE || pool->broken ? weft_thread_pool_take_queue(pool) : NULL;
    bool alone = first && pool->alive == 0;
    weft_ilock_release(&pool->lock);
    return alone;
}

static void drop_deques(weft_thread_pool *pool)
{
    for (size_t i = 0; i < atomic_load_explicit(&pool->visible, memory_order_acquire); i++) {
        weft_future *future;
        bool more;
        while ((future = weft_job_deque_pop_oldest(&pool->workers[i].deque, &more)) != NULL) {
            future->next = NULL;
            weft_thread_pool_fail_all(future, -ECANCELED, "cancelled: the pool has been shut down");
        }
    }
}

static void end_pool(weft_thread_pool *pool, weft_shutdown_mode mode)
{
    weft_future *dropped;
    bool alone = begin_end(pool, mode, &dropped);
    weft_thread_pool_fail_all(dropped, -ECANCELED, "cancelled: the pool has been shut down");
    if (mode == WEFT_SHUTDOWN_IMMEDIATE)
        drop_deques(pool);
    if (alone)
        weft_thread_pool_complete_end(pool);
    else
        weft_thread_pool_wake_all(pool);
}

/* Not the caller, which is the last of them when a callback of the pool's end comes here. */
static int join_workers(weft_thread_pool *pool, weft_instant deadline)
{
    const weft_context *self = weft_context_current;
    for (size_t i = 0; i < pool->max_workers; i++) {
        weft_ilock_acquire(&pool->lock);
        weft_thread *thread = i < pool->started ? pool->workers[i].thread : NULL;
        weft_ilock_release(&pool->lock);
        if (thread == NULL || (self != NULL && self->thread == thread))
            continue;
        int r = weft_handle_wait((weft_handle *)thread, deadline);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- the executor's table ---------------------------------------------------------------------
 */

static int submit(weft_executor *executor, weft_future *future)
{
    weft_thread_pool *pool = (weft_thread_pool *)executor;
    weft_worker *self = weft_worker_own(pool);
    if (self == NULL)
        return weft_thread_pool_inject(pool, future);
    return pool->ending || pool->broken ? weft_thread_pool_refuse(pool)
                                        : weft_worker_submit(self, future);
}

static int shutdown(weft_executor *executor, weft_shutdown_mode mode, weft_instant deadline)
{
    weft_thread_pool *pool = (weft_thread_pool *)executor;
    if (deadline != WEFT_INSTANT_NOW && weft_worker_own(pool) != NULL)
        return weft_error(-EDEADLK, "shut down: called by a job of the pool itself");
    end_pool(pool, mode);
    if (deadline == WEFT_INSTANT_NOW)
        return 0;
    int r = weft_handle_wait(&executor->handle, deadline);
    return r < 0 ? r : join_workers(pool, deadline);
}

static size_t width(weft_executor *executor)
{
    return ((weft_thread_pool *)executor)->max_workers;
}

static const weft_executor_methods methods = {
    .submit = submit, .shutdown = shutdown, .width = width};

/* ---- life -------------------------------------------------------------------------------------
 */

static void free_pool(weft_thread_pool *pool)
{
    for (size_t i = 0; pool->workers != NULL && i < pool->max_workers; i++) {
        weft_dealloc(pool->workers[i].deque.ring);
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
    weft_thread_pool *pool = (weft_thread_pool *)handle;
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
        weft_thread_pool *pool = link != NULL ? WEFT_CONTAINER(link, weft_thread_pool, link) : NULL;
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

static int copy_options(weft_thread_pool *pool, const weft_thread_pool_options *options)
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
    if (options != NULL && options->arg == NULL && options->arg_size > 0)
        return weft_error(-EINVAL, "open a thread pool: %zu argument bytes at NULL",
                          options->arg_size);
    weft_thread_pool *made = weft_calloc(1, sizeof *made);
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
    weft_fork_register(&fork_hooks);
    weft_ilock_acquire(&pools.lock);
    weft_list_append(&pools.all, &made->link);
    weft_ilock_release(&pools.lock);
    *pool = &made->executor;
    return 0;
}
