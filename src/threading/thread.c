/* SPDX-License-Identifier: MIT */
/*
 * thread: a job whose context is an OS thread of its own.
 *
 * References: the starter's (if it wants the handle) and the thread's own, which is dropped after
 * the job has been completed, as the last thing the thread does with weft. So whoever finds the job
 * done, and its callbacks run, has only the thread's exit left to wait for, and pthread_join does
 * not block for long: also a coroutine may call it. The first joiner does; the others wait for it.
 * A handle that nobody joined is joined by its finalizer; where that runs in the thread itself it
 * cannot, so the record is left in `leaving` for the next one that comes there, or for
 * weft_shutdown.
 *
 * `weft_threads` lists every record from its start to its end, under one lock; a record that is
 * listed may be at its end already (no references): whoever goes through the list takes a reference
 * only where there is one.
 *
 * Threads that weft did not start: thread_current.c.
 */
#include "threading/thread.h"

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/memory.h"
#include "core/runner.h"
#include "core/shutdown.h"
#include "platform/firstthread.h"
#include "platform/threadname.h"

weft_thread_list weft_threads;
static _Atomic(weft_thread *) leaving;
static _Atomic uint32_t unjoined; /* OS threads, from before their creation until they are gone */
static _Atomic uint32_t numbers;

static weft_thread *thread_of(weft_handle *handle)
{
    return (weft_thread *)(void *)handle;
}

/* ---- The list ---------------------------------------------------------------------------------
 */

static void fork_prepare(void)
{
    weft_ilock_acquire(&weft_threads.lock);
}

static void fork_parent(void)
{
    weft_ilock_release(&weft_threads.lock);
}

static void fork_child(void)
{
    /* no other thread is here; their records belong to the parent */
    weft_threads.all = (weft_list){0};
    weft_threads.main = NULL;
    weft_threads.main_adopted = false;
    atomic_store(&weft_threads.main_known, false);
    atomic_store_explicit(&leaving, NULL, memory_order_relaxed);
    atomic_store_explicit(&unjoined, 0, memory_order_relaxed);
    weft_ilock_release(&weft_threads.lock);
}

static int shutdown_threads(weft_instant deadline);
static int shutdown_daemons(weft_instant deadline);
static int shutdown_rest(weft_instant deadline);

static weft_fork_hooks fork_hooks = {
    .prepare = fork_prepare, .parent = fork_parent, .child = fork_child};
static weft_shutdown_step steps[] = {
    {.stage = WEFT_STAGE_THREADS, .run = shutdown_threads},
    {.stage = WEFT_STAGE_DAEMONS, .run = shutdown_daemons},
    {.stage = WEFT_STAGE_HELPERS, .run = shutdown_rest},
};

/* Lock held. */
static void insert(weft_thread *thread, bool at_front)
{
    thread->ident = ++weft_threads.idents;
    if (at_front)
        weft_list_prepend(&weft_threads.all, &thread->link);
    else
        weft_list_append(&weft_threads.all, &thread->link);
}

static void register_steps(void)
{
    atomic_store(&weft_context_thread_ends, weft_thread_end_foreign);
    weft_fork_register(&fork_hooks);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        weft_shutdown_register(&steps[i]);
}

void weft_thread_list_add(weft_thread *thread)
{
    register_steps();
    weft_ilock_acquire(&weft_threads.lock);
    insert(thread, false);
    weft_ilock_release(&weft_threads.lock);
}

weft_thread *weft_thread_list_add_main(weft_thread *thread, bool adopted)
{
    register_steps();
    weft_ilock_acquire(&weft_threads.lock);
    weft_thread *other = weft_threads.main;
    if (other == NULL) {
        insert(thread, true); /* it is the oldest */
        weft_threads.main = thread;
    }
    if (adopted || other == NULL)
        weft_threads.main_adopted = adopted;
    weft_ilock_release(&weft_threads.lock);
    if (other == NULL)
        return thread;
    weft_handle_drop(&thread->job.handle);
    return other;
}

static void list_remove(weft_thread *thread)
{
    weft_ilock_acquire(&weft_threads.lock);
    if (weft_link_linked(&thread->link))
        weft_list_remove(&thread->link);
    weft_ilock_release(&weft_threads.lock);
}

bool weft_thread_try_hold(weft_thread *thread)
{
    _Atomic uint32_t *refs = &thread->job.handle.refs;
    uint32_t n = atomic_load_explicit(refs, memory_order_relaxed);
    while (n != 0)
        if (atomic_compare_exchange_weak_explicit(refs, &n, n + 1, memory_order_relaxed,
                                                  memory_order_relaxed))
            return true;
    return false;
}

/* The first listed thread that `wanted` wants, retained; NULL: none. */
static weft_thread *list_find(bool (*wanted)(const weft_thread *thread, const void *arg),
                              const void *arg)
{
    weft_thread *found = NULL;
    weft_ilock_acquire(&weft_threads.lock);
    for (weft_link *link = weft_list_first(&weft_threads.all); link != NULL && found == NULL;
         link = weft_list_next(&weft_threads.all, link)) {
        weft_thread *thread = WEFT_CONTAINER(link, weft_thread, link);
        if (wanted(thread, arg) && weft_thread_try_hold(thread))
            found = thread;
    }
    weft_ilock_release(&weft_threads.lock);
    return found;
}

/* ---- The end of a thread ----------------------------------------------------------------------
 */

static void free_thread(weft_thread *thread)
{
    weft_job_clear(&thread->job);
    weft_dealloc(thread);
}

/* The job is done, its callbacks too: the first one waits for the OS thread's exit. False: another
 * one does. */
static bool join_pthread(weft_thread *thread)
{
    weft_ilock_acquire(&thread->job.handle.lock);
    bool mine = atomic_load(&thread->exit) == WEFT_THREAD_STARTED;
    if (mine)
        atomic_store(&thread->exit, WEFT_THREAD_JOINING);
    weft_ilock_release(&thread->job.handle.lock);
    if (mine) {
        (void)pthread_join(thread->pthread, NULL);
        atomic_store(&thread->exit, WEFT_THREAD_GONE);
        atomic_fetch_sub(&unjoined, 1);
        weft_event_set(&thread->gone);
    }
    return mine;
}

static int wait_ended(weft_thread *thread, weft_instant deadline)
{
    int r = weft_handle_wait(&thread->job.handle, deadline);
    if (r == 0 && thread->calls_back)
        r = weft_event_wait(&thread->called_back, weft_deadline_left(deadline));
    if (r == 0 && !thread->foreign && !join_pthread(thread))
        r = weft_event_wait(&thread->gone, weft_deadline_left(deadline));
    return r;
}

static void finalize(weft_handle *handle)
{
    weft_thread *thread = thread_of(handle);
    if (handle->fork_generation != weft_fork_generation) {
        free_thread(thread);
        return;
    }
    list_remove(thread);
    if (!thread->foreign && atomic_load(&thread->exit) == WEFT_THREAD_STARTED &&
        pthread_equal(thread->pthread, pthread_self()))
        thread = atomic_exchange(&leaving, thread);
    if (thread == NULL)
        return;
    if (!thread->foreign)
        (void)join_pthread(thread);
    free_thread(thread);
}

static weft_job *job_of(weft_handle *handle)
{
    return &thread_of(handle)->job;
}

/* A pthread's id may be used until it is joined, or, of a thread of somebody else's, until it ends:
 * the lock holds up both. */
static int send_signal(weft_handle *handle, int signum)
{
    weft_thread *thread = thread_of(handle);
    while (atomic_load(&thread->exit) == WEFT_THREAD_CREATED)
        (void)sched_yield();
    weft_ilock_acquire(&handle->lock);
    bool there = thread->foreign ? thread->job.context != NULL
                                 : atomic_load(&thread->exit) == WEFT_THREAD_STARTED;
    int r = there && !weft_handle_done(handle) ? -pthread_kill(thread->pthread, signum) : -ESRCH;
    weft_ilock_release(&handle->lock);
    return r;
}

/* As in Python: what the system shows follows where the thread renames itself. */
static void renamed(weft_handle *handle, const char *name)
{
    weft_context *self = weft_thread_context();
    if (self != NULL && self->thread == thread_of(handle))
        weft_threadname_set(name);
}

const weft_kind weft_thread_kind = {
    .name = "thread",
    .prefix = "Thread",
    .numbers = &numbers,
    .runs = true,
    .finalize = finalize,
    .job = job_of,
    .cancel = weft_job_cancel,
    .send_signal = send_signal,
    .renamed = renamed,
};

/* ---- The start --------------------------------------------------------------------------------
 */

/* Completes the job, and runs its callbacks. */
static void complete(weft_thread *thread)
{
    weft_handle *handle = &thread->job.handle;
    weft_ilock_acquire(&handle->lock);
    bool calls_back = handle->callbacks != NULL;
    thread->calls_back = calls_back;
    weft_handle_complete_locked(handle);
    if (calls_back)
        weft_event_set(&thread->called_back);
}

static void *entry(void *arg)
{
    weft_thread *thread = arg;
    thread->pthread = pthread_self();
    thread->native_id = weft_native_thread_id();
    /* release: the ids are known */
    atomic_store_explicit(&thread->exit, WEFT_THREAD_STARTED, memory_order_release);
    weft_context *self = thread->context;
    bool kept = weft_context_begin(self);
    self->thread = thread;
    weft_threadname_set(weft_handle_name_of(&thread->job.handle));
    weft_job_call(&thread->job);
    if (thread->job.code < 0)
        weft_thread_report(thread);
    complete(thread);
    self->thread = NULL;
    weft_handle_drop(&thread->job.handle);
    if (!kept)
        weft_context_end(self);
    return NULL;
}

static int set_stack_size(pthread_attr_t *attributes, size_t size)
{
    long page = sysconf(_SC_PAGESIZE);
    size_t unit = page > 0 ? (size_t)page : 4096;
    long least = sysconf(_SC_THREAD_STACK_MIN); /* < 0: the system does not tell */
    /* Before rounding up: what is refused must not rest on the size of a page. */
    if (size > SIZE_MAX - unit || (least > 0 && size < (size_t)least))
        return -EINVAL;
    return -pthread_attr_setstacksize(attributes, (size + unit - 1) / unit * unit);
}

static int create_pthread(weft_thread *thread, size_t stack_size)
{
    pthread_attr_t attributes;
    pthread_t pthread; /* the thread notes its own id: this one may come too late */
    if (stack_size == 0)
        return -pthread_create(&pthread, NULL, entry, thread);
    int r = -pthread_attr_init(&attributes);
    if (r < 0)
        return r;
    r = set_stack_size(&attributes, stack_size);
    if (r == 0)
        r = -pthread_create(&pthread, &attributes, entry, thread);
    (void)pthread_attr_destroy(&attributes);
    return r;
}

/* With all that the thread needs to call its function: what has begun does not lack memory. */
static int create(weft_thread *thread, size_t stack_size)
{
    thread->context = weft_context_acquire();
    if (thread->context == NULL)
        return -ENOMEM;
    int r = create_pthread(thread, stack_size);
    if (r < 0)
        weft_context_release(thread->context);
    return r;
}

weft_thread *weft_thread_new(weft_fn *fn, const void *arg, size_t arg_size, int *r)
{
    size_t size = arg_size <= SIZE_MAX - sizeof(weft_thread) ? sizeof(weft_thread) + arg_size : 0;
    weft_thread *thread = size > 0 ? weft_alloc(size) : NULL;
    if (thread == NULL) {
        *r = weft_error(-ENOMEM, "thread: no memory");
        return NULL;
    }
    *r =
        weft_job_init(&thread->job, &weft_thread_kind, fn, arg, arg_size, thread->inside, arg_size);
    if (*r < 0) {
        weft_dealloc(thread);
        return NULL;
    }
    thread->daemon = thread->foreign = false;
    thread->native_id = 0;
    thread->ident = 0;
    thread->timed = NULL;
    thread->calls_back = false;
    thread->called_back = thread->gone = (weft_event){0};
    thread->link = (weft_link){0};
    atomic_init(&thread->exit, WEFT_THREAD_CREATED);
    return thread;
}

static bool daemon_starts(void)
{
    weft_context *self = weft_context_current;
    if (self != NULL && self->runner != NULL)
        self = self->runner->thread;
    return self != NULL && self->thread != NULL && self->thread->daemon;
}

/* It will not run; others may have it by now, as it was listed: its outcome is why. */
static void fail(weft_thread *thread, int r)
{
    weft_job_set_outcome(&thread->job, r, weft_error_message(), NULL, 0);
    atomic_store(&thread->exit, WEFT_THREAD_GONE);
    weft_event_set(&thread->gone);
    complete(thread);
}

int weft_thread_launch(weft_thread *thread, weft_thread **out, const weft_thread_options *options)
{
    static const weft_thread_options defaults;
    if (options == NULL)
        options = &defaults;
    weft_handle *handle = &thread->job.handle;
    thread->daemon = options->daemon || daemon_starts();
    int r = options->name != NULL ? weft_handle_rename(handle, options->name) : 0;
    if (r == 0) {
        weft_handle_hold(handle);
        weft_thread_list_add(thread);
        atomic_fetch_add(&unjoined, 1);
        r = create(thread, options->stack_size);
        if (r < 0) {
            atomic_fetch_sub(&unjoined, 1);
            weft_error_on(r, "start thread", weft_handle_name_of(handle));
            weft_handle_drop(handle);
        }
    }
    if (r < 0)
        fail(thread, r);
    if (r < 0 || out == NULL)
        weft_handle_drop(handle);
    else
        *out = thread;
    return r;
}

int weft_thread_start(weft_thread **out, weft_fn *fn, const void *arg, size_t arg_size,
                      const weft_thread_options *options)
{
    int r;
    if (out != NULL)
        *out = NULL;
    if (fn == NULL)
        return weft_error(-EINVAL, "start of a thread: no function");
    weft_thread *thread = weft_thread_new(fn, arg, arg_size, &r);
    return thread != NULL ? weft_thread_launch(thread, out, options) : r;
}

int weft_thread_join(weft_thread *thread, double timeout)
{
    weft_instant deadline;
    int r = weft_handle_check(thread, &weft_thread_kind, "join");
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    if (r < 0)
        return r;
    weft_context *self = weft_thread_context();
    if (self != NULL && self->thread == thread)
        return weft_error(-EDEADLK, "join '%s': it is the caller",
                          weft_handle_name_of(&thread->job.handle));
    return wait_ended(thread, deadline);
}

/* ---- The end of weft --------------------------------------------------------------------------
 */

static bool is_user_thread(const weft_thread *thread, const void *arg)
{
    (void)arg;
    return !thread->foreign && !thread->daemon && atomic_load(&thread->exit) != WEFT_THREAD_GONE;
}

static bool is_daemon(const weft_thread *thread, const void *arg)
{
    (void)arg;
    return !thread->foreign && thread->daemon && atomic_load(&thread->exit) != WEFT_THREAD_GONE;
}

/* Joins all that are wanted, also those that are started meanwhile. */
static int join_all(bool (*wanted)(const weft_thread *, const void *), bool cancel,
                    weft_instant deadline)
{
    weft_thread *thread;
    int r = 0;
    while (r == 0 && (thread = list_find(wanted, NULL)) != NULL) {
        weft_handle *handle = &thread->job.handle;
        if (cancel)
            (void)weft_job_cancel(handle);
        r = wait_ended(thread, deadline);
        if (r == -ETIMEDOUT)
            weft_error(r, "shutdown: thread '%s' still runs", weft_handle_name_of(handle));
        weft_handle_drop(handle);
    }
    return r;
}

static int shutdown_threads(weft_instant deadline)
{
    return join_all(is_user_thread, false, deadline);
}

static int shutdown_daemons(weft_instant deadline)
{
    return join_all(is_daemon, true, deadline);
}

/*
 * The threads whose functions have returned but that nobody has joined, and the records of the
 * caller and of the main thread. A thread that drops its own last reference is neither listed nor
 * in `leaving` for a moment, so it is the count that tells when all are gone.
 */
static int shutdown_rest(weft_instant deadline)
{
    (void)deadline; /* they are at their last instructions */
    while (atomic_load(&unjoined) != 0) {
        weft_thread *last = atomic_exchange(&leaving, NULL);
        if (last != NULL) {
            (void)join_pthread(last);
            free_thread(last);
        } else {
            (void)sched_yield();
        }
    }
    weft_context *self = weft_context_current;
    if (self != NULL)
        weft_thread_end_foreign(self);
    weft_thread_forget_main();
    return 0;
}
