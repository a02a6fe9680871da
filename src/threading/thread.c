/* SPDX-License-Identifier: MIT */
/*
 * thread: a job whose context is an OS thread of its own.
 *
 * References: the starter's (if it wants the handle) and the thread's own, which is dropped after
 * the job has been completed, as the last thing the thread does with weft. So whoever finds the job
 * done has only the thread's exit left to wait for, and pthread_join does not block for long: also
 * a coroutine may call it. The first joiner does; the others wait for it. A handle that nobody
 * joined is joined by its finalizer; where that runs in the thread itself it cannot, so the record
 * is left in `leaving` for the next one that comes there, or for weft_shutdown.
 *
 * `threads` lists every record from its start to its end, under one lock; a record that is listed
 * may be at its end already (no references): whoever goes through the list takes a reference only
 * where there is one.
 *
 * Threads that weft did not start get a record when somebody asks who they are; their context owns
 * it.
 */
#include <weft/threading.h>

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fork.h"
#include "core/interrupt.h"
#include "core/job.h"
#include "core/memory.h"
#include "core/runner.h"
#include "core/shutdown.h"
#include "platform/firstthread.h"
#include "platform/threadname.h"

enum { CREATED, STARTED, JOINING, GONE }; /* of the OS thread; CREATED: its id is not known yet */

struct weft_thread {
    weft_job job;      /* first */
    pthread_t pthread; /* written by the thread before it does anything else */
    bool daemon;
    bool foreign; /* not started by weft: nothing to join */
    /* CREATED ...; from STARTED to JOINING under the handle's lock, under which it is signalled */
    _Atomic uint32_t exit;
    weft_link link; /* in `threads` */
    _Alignas(16) unsigned char inside[];
};

static weft_ilock threads_lock; /* guards `threads` and `registered` */
static weft_list threads;       /* the oldest first */
static bool registered;         /* shutdown steps and fork hooks are */
static _Atomic(weft_thread *) leaving;
static _Atomic uint32_t unjoined; /* OS threads, from before their creation until they are gone */
static _Atomic uint32_t numbers;
static _Atomic bool main_known; /* where the system does not tell, the first that asks is main */

static const weft_kind thread_kind;

static weft_thread *thread_of(weft_handle *handle)
{
    return (weft_thread *)(void *)handle;
}

/* ---- The list ---------------------------------------------------------------------------------
 */

static void fork_prepare(void)
{
    weft_ilock_acquire(&threads_lock);
}

static void fork_parent(void)
{
    weft_ilock_release(&threads_lock);
}

static void fork_child(void)
{
    threads = (weft_list){0}; /* no other thread is here; their records belong to the parent */
    atomic_store_explicit(&leaving, NULL, memory_order_relaxed);
    atomic_store_explicit(&unjoined, 0, memory_order_relaxed);
    atomic_store_explicit(&main_known, false, memory_order_relaxed);
    weft_ilock_release(&threads_lock);
}

static int shutdown_threads(weft_instant deadline);
static int shutdown_daemons(weft_instant deadline);
static int shutdown_rest(weft_instant deadline);
static void end_foreign(weft_context *context);

static weft_fork_hooks fork_hooks = {fork_prepare, fork_parent, fork_child, NULL};
static weft_shutdown_step steps[] = {
    {.stage = WEFT_STAGE_THREADS, .run = shutdown_threads},
    {.stage = WEFT_STAGE_DAEMONS, .run = shutdown_daemons},
    {.stage = WEFT_STAGE_HELPERS, .run = shutdown_rest},
};

static void list_add(weft_thread *thread)
{
    weft_ilock_acquire(&threads_lock);
    bool first = !registered;
    registered = true;
    if (first)
        atomic_store(&weft_context_thread_ends, end_foreign);
    weft_list_append(&threads, &thread->link);
    weft_ilock_release(&threads_lock);
    if (!first)
        return;
    weft_fork_register(&fork_hooks);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        weft_shutdown_register(&steps[i]);
}

static void list_remove(weft_thread *thread)
{
    weft_ilock_acquire(&threads_lock);
    if (weft_link_linked(&thread->link))
        weft_list_remove(&thread->link);
    weft_ilock_release(&threads_lock);
}

/* A reference, unless the record is at its end. Lock held. */
static bool try_hold(weft_thread *thread)
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
    weft_ilock_acquire(&threads_lock);
    for (weft_link *link = weft_list_first(&threads); link != NULL && found == NULL;
         link = weft_list_next(&threads, link)) {
        weft_thread *thread = WEFT_CONTAINER(link, weft_thread, link);
        if (wanted(thread, arg) && try_hold(thread))
            found = thread;
    }
    weft_ilock_release(&threads_lock);
    return found;
}

/* ---- The end of a thread ----------------------------------------------------------------------
 */

static void free_thread(weft_thread *thread)
{
    weft_job_clear(&thread->job);
    weft_dealloc(thread);
}

/* The job is done: waits for the OS thread's exit. */
static void wait_gone(weft_thread *thread)
{
    if (thread->foreign)
        return;
    weft_ilock_acquire(&thread->job.handle.lock);
    bool mine = atomic_load(&thread->exit) == STARTED;
    if (mine)
        atomic_store(&thread->exit, JOINING);
    weft_ilock_release(&thread->job.handle.lock);
    if (mine) {
        (void)pthread_join(thread->pthread, NULL);
        atomic_store(&thread->exit, GONE);
        atomic_fetch_sub(&unjoined, 1);
    }
    while (atomic_load(&thread->exit) != GONE)
        (void)sched_yield();
}

static void finalize(weft_handle *handle)
{
    weft_thread *thread = thread_of(handle);
    if (handle->fork_generation != weft_fork_generation) {
        free_thread(thread);
        return;
    }
    list_remove(thread);
    if (!thread->foreign && atomic_load(&thread->exit) == STARTED &&
        pthread_equal(thread->pthread, pthread_self()))
        thread = atomic_exchange(&leaving, thread);
    if (thread == NULL)
        return;
    wait_gone(thread);
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
    while (atomic_load(&thread->exit) == CREATED)
        (void)sched_yield();
    weft_ilock_acquire(&handle->lock);
    bool there =
        thread->foreign ? thread->job.context != NULL : atomic_load(&thread->exit) == STARTED;
    int r = there && !weft_handle_done(handle) ? -pthread_kill(thread->pthread, signum) : -ESRCH;
    weft_ilock_release(&handle->lock);
    return r;
}

static const weft_kind thread_kind = {
    .name = "thread",
    .prefix = "Thread",
    .numbers = &numbers,
    .runs = true,
    .finalize = finalize,
    .job = job_of,
    .cancel = weft_job_cancel,
    .send_signal = send_signal,
};

/* ---- The start --------------------------------------------------------------------------------
 */

static void *entry(void *arg)
{
    weft_thread *thread = arg;
    thread->pthread = pthread_self();
    atomic_store_explicit(&thread->exit, STARTED, memory_order_release); /* the id is known */
    weft_context *self = weft_context_self(); /* NULL: no memory, which becomes the outcome */
    if (self != NULL)
        self->thread = thread;
    weft_threadname_set(weft_handle_name_of(&thread->job.handle));
    weft_job_run(&thread->job);
    if (self != NULL)
        self->thread = NULL;
    weft_handle_drop(&thread->job.handle);
    return NULL;
}

static int set_stack_size(pthread_attr_t *attributes, size_t size)
{
    long page = sysconf(_SC_PAGESIZE);
    size_t unit = page > 0 ? (size_t)page : 4096;
    /* Before rounding up: what is refused must not rest on the size of a page. */
    if (size > SIZE_MAX - unit || size < (size_t)sysconf(_SC_THREAD_STACK_MIN))
        return -EINVAL;
    return -pthread_attr_setstacksize(attributes, (size + unit - 1) / unit * unit);
}

static int create(weft_thread *thread, size_t stack_size)
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

/* NULL with the failure in *r. */
static weft_thread *new_thread(weft_fn *fn, const void *arg, size_t arg_size, int *r)
{
    size_t size = arg_size <= SIZE_MAX - sizeof(weft_thread) ? sizeof(weft_thread) + arg_size : 0;
    weft_thread *thread = size > 0 ? weft_alloc(size) : NULL;
    if (thread == NULL) {
        *r = weft_error(-ENOMEM, "thread: no memory");
        return NULL;
    }
    *r = weft_job_init(&thread->job, &thread_kind, fn, arg, arg_size, thread->inside, arg_size);
    if (*r < 0) {
        weft_dealloc(thread);
        return NULL;
    }
    thread->daemon = thread->foreign = false;
    thread->link = (weft_link){0};
    atomic_init(&thread->exit, CREATED);
    return thread;
}

static bool daemon_starts(void)
{
    weft_context *self = weft_context_current;
    if (self != NULL && self->runner != NULL)
        self = self->runner->thread;
    return self != NULL && self->thread != NULL && self->thread->daemon;
}

int weft_thread_start(weft_thread **out, weft_fn *fn, const void *arg, size_t arg_size,
                      const weft_thread_options *options)
{
    static const weft_thread_options defaults;
    int r;
    if (out != NULL)
        *out = NULL;
    if (options == NULL)
        options = &defaults;
    if (fn == NULL)
        return weft_error(-EINVAL, "start of a thread: no function");
    weft_thread *thread = new_thread(fn, arg, arg_size, &r);
    if (thread == NULL)
        return r;
    weft_handle *handle = &thread->job.handle;
    thread->daemon = options->daemon || daemon_starts();
    r = options->name != NULL ? weft_handle_rename(handle, options->name) : 0;
    if (r == 0) {
        weft_handle_hold(handle);
        list_add(thread);
        atomic_fetch_add(&unjoined, 1);
        r = create(thread, options->stack_size);
        if (r < 0) {
            atomic_fetch_sub(&unjoined, 1);
            weft_error_on(r, "start thread", weft_handle_name_of(handle));
            weft_handle_drop(handle);
        }
    }
    if (r < 0)
        atomic_store(&thread->exit, GONE);
    if (r < 0 || out == NULL)
        weft_handle_drop(handle);
    else
        *out = thread;
    return r;
}

/* ---- Attributes -------------------------------------------------------------------------------
 */

/* The OS thread that runs the caller. */
static weft_context *thread_context(void)
{
    weft_context *self = weft_context_self();
    return self != NULL && self->runner != NULL ? self->runner->thread : self;
}

int weft_thread_join(weft_thread *thread, double timeout)
{
    weft_instant deadline;
    int r = weft_handle_check(thread, &thread_kind, "join");
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    if (r < 0)
        return r;
    weft_context *self = thread_context();
    if (self != NULL && self->thread == thread)
        return weft_error(-EDEADLK, "join '%s': it is the caller",
                          weft_handle_name_of(&thread->job.handle));
    r = weft_handle_wait(&thread->job.handle, deadline);
    if (r == 0)
        wait_gone(thread);
    return r;
}

bool weft_thread_is_alive(weft_thread *thread)
{
    return weft_handle_check(thread, &thread_kind, "is_alive") == 0 &&
           !weft_handle_done(&thread->job.handle);
}

bool weft_thread_daemon(weft_thread *thread)
{
    return weft_handle_check(thread, &thread_kind, "daemon") == 0 && thread->daemon;
}

static int no_function(void *arg)
{
    (void)arg;
    return 0;
}

static bool is_main(void)
{
    int first = weft_first_thread();
    if (weft_interrupt_is_main())
        first = 1;
    if (first == 0)
        return false;
    bool known = atomic_exchange(&main_known, true);
    return first > 0 || !known;
}

/* A record for a thread that weft did not start. */
static weft_thread *new_foreign(weft_context *context)
{
    int r;
    weft_thread *thread = new_thread(no_function, WEFT_NONE, &r);
    if (thread == NULL)
        return NULL;
    thread->foreign = true;
    thread->pthread = pthread_self();
    atomic_store(&thread->exit, STARTED);
    /* A thread of somebody else's is not waited for at the end. */
    thread->daemon = !is_main();
    if (!thread->daemon && weft_handle_rename(&thread->job.handle, "MainThread") < 0) {
        weft_handle_drop(&thread->job.handle);
        return NULL;
    }
    weft_ilock_acquire(&thread->job.handle.lock);
    thread->job.context = context; /* so that it can be cancelled */
    weft_ilock_release(&thread->job.handle.lock);
    list_add(thread);
    return thread;
}

/* The thread that it is for ends, or weft does. */
static void end_foreign(weft_context *context)
{
    weft_thread *thread = context->thread;
    context->thread = NULL;
    if (thread == NULL || !thread->foreign)
        return;
    weft_handle *handle = &thread->job.handle;
    if (handle->fork_generation == weft_fork_generation) {
        if (!thread->daemon)
            atomic_store(&main_known, false);
        weft_ilock_acquire(&handle->lock);
        thread->job.context = NULL;
        weft_ilock_release(&handle->lock);
        weft_job_complete(&thread->job);
    }
    weft_handle_drop(handle);
}

weft_thread *weft_thread_current(void)
{
    weft_context *self = thread_context();
    if (self == NULL) {
        weft_error(-ENOMEM, "current thread: no memory");
        return NULL;
    }
    weft_thread *thread = self->thread;
    if (thread == NULL || thread->job.handle.fork_generation != weft_fork_generation) {
        weft_thread *made = new_foreign(self);
        if (made == NULL)
            return NULL;
        if (thread != NULL && thread->foreign)
            weft_handle_drop(&thread->job.handle);
        self->thread = thread = made;
    }
    return thread;
}

int weft_thread_enumerate(weft_thread **out, size_t room)
{
    if (out == NULL && room > 0)
        return weft_error(-EINVAL, "enumerate threads: NULL");
    if (weft_thread_current() == NULL)
        return -ENOMEM;
    size_t count = 0;
    weft_ilock_acquire(&threads_lock);
    for (weft_link *link = weft_list_first(&threads); link != NULL;
         link = weft_list_next(&threads, link)) {
        weft_thread *thread = WEFT_CONTAINER(link, weft_thread, link);
        if (weft_handle_done(&thread->job.handle) || (count < room && !try_hold(thread)))
            continue;
        if (count < room)
            out[count] = thread;
        count++;
    }
    weft_ilock_release(&threads_lock);
    return count < INT_MAX ? (int)count : INT_MAX;
}

/* ---- The end of weft --------------------------------------------------------------------------
 */

static bool is_user_thread(const weft_thread *thread, const void *arg)
{
    (void)arg;
    return !thread->foreign && !thread->daemon && atomic_load(&thread->exit) != GONE;
}

static bool is_daemon(const weft_thread *thread, const void *arg)
{
    (void)arg;
    return !thread->foreign && thread->daemon && atomic_load(&thread->exit) != GONE;
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
        r = weft_handle_wait(handle, deadline);
        if (r == 0)
            wait_gone(thread);
        else if (r == -ETIMEDOUT)
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
 * The threads whose functions have returned but that nobody has joined, and the caller's own
 * record. A thread that drops its own last reference is neither listed nor in `leaving` for a
 * moment, so it is the count that tells when all are gone.
 */
static int shutdown_rest(weft_instant deadline)
{
    (void)deadline; /* they are at their last instructions */
    while (atomic_load(&unjoined) != 0) {
        weft_thread *last = atomic_exchange(&leaving, NULL);
        if (last != NULL) {
            wait_gone(last);
            free_thread(last);
        } else {
            (void)sched_yield();
        }
    }
    weft_context *self = weft_context_current;
    if (self != NULL)
        end_foreign(self);
    return 0;
}
