/* SPDX-License-Identifier: MIT */
/*
 * Contexts of threads: taken from a pool at a thread's first use of weft, given back by a
 * thread-specific-data destructor at its end. The pool never returns memory to the system before
 * weft_shutdown, which makes contexts type-stable: a notifier that has won a context's wait word
 * may still touch its parker or wakeup after the thread has gone.
 */
#include "core/context.h"

#include <pthread.h>

#include "core/fork.h"
#include "core/ilock.h"
#include "core/interrupt.h"
#include "core/memory.h"
#include "core/single.h"
#include "core/wait.h"

_Thread_local weft_context *weft_context_current;
void (*weft_context_clear_locals)(weft_context *context);
weft_context_ends_fn *_Atomic weft_context_thread_ends;
uint32_t weft_context_forker;

static struct {
    weft_ilock lock;
    weft_context *free; /* guarded by lock */
} pool;

static _Atomic uint32_t ids; /* those that have been drawn */

static weft_single key_once;
static pthread_key_t key;

static void before_fork(void)
{
    weft_ilock_acquire(&pool.lock);
}

static void after_fork(void)
{
    weft_ilock_release(&pool.lock);
}

static void thread_ends(void *context);

static bool make_key(void)
{
    return pthread_key_create(&key, thread_ends) == 0;
}

/* Whether the end of the calling thread will end the context, too (NULL: none). */
static bool keep(weft_context *context)
{
    return weft_single_run(&key_once, make_key) && pthread_setspecific(key, context) == 0;
}

/* In a child: what the thread that forked takes along into its next context. */
static struct {
    _Atomic bool there; /* not taken yet */
    pthread_t thread;
    void *locals; /* beside weft_context_forker */
} inherited;

static void leave_inheritance(weft_context *context)
{
    inherited.thread = pthread_self();
    inherited.locals = context->locals;
    context->locals = NULL;
    atomic_store_explicit(&inherited.there, true, memory_order_relaxed); /* one thread is here */
}

static bool inherits(void)
{
    /* relaxed: written before there was another thread, cleared by the one that it is for */
    return atomic_load_explicit(&inherited.there, memory_order_relaxed) &&
           pthread_equal(inherited.thread, pthread_self());
}

static void take_inheritance(weft_context *context)
{
    if (!inherits())
        return;
    context->id = weft_context_forker;
    context->locals = inherited.locals;
    atomic_store_explicit(&inherited.there, false, memory_order_relaxed);
}

/* The child's thread takes a new context at its next use: the old one may be a coroutine's, whose
 * runner is not here. The thread's own is nobody's any more: its wakeup is the parent's too, as
 * those of pooled ones are: a drain here would take a wake-up from him. */
static void after_fork_child(void)
{
    if (weft_context_current != NULL) {
        weft_context_forker = weft_context_current->id;
        leave_inheritance(weft_context_current);
        (void)keep(NULL);
    } else if (!inherits()) {
        weft_context_forker = 0;
    }
    for (weft_context *context = pool.free; context != NULL; context = context->next) {
        weft_wakeup_close(&context->wakeup);
        weft_parker_renew(&context->parker);
    }
    weft_ilock_release(&pool.lock);
    weft_context_current = NULL;
}

static weft_fork_hooks fork_hooks = {
    .prepare = before_fork, .parent = after_fork, .child = after_fork_child};

static void thread_ends(void *context)
{
    weft_context *ended = context;
    weft_context_ends_fn *ends = atomic_load(&weft_context_thread_ends);
    weft_context_current = ended; /* the system may have cleared it: destructors need it */
    weft_context_end_locals(ended);
    weft_context_current = NULL;
    if (ended->thread != NULL && ends != NULL)
        ends(ended);
    weft_context_release(ended);
}

uint32_t weft_context_draw_id(weft_context *self)
{
    while (self->id == 0) /* relaxed: only different numbers matter */
        self->id = 1 + atomic_fetch_add_explicit(&ids, 1, memory_order_relaxed);
    return self->id;
}

void weft_context_reset(weft_context *context)
{
    context->main = false;
    context->id = 0;
    context->handling = false;
    context->handler_code = 0;
    context->pausing = 0;
    context->runner = NULL;
    context->next = NULL;
    context->job = NULL;
    context->who = NULL;
    context->thread = NULL;
    atomic_store_explicit(&context->shared_word, NULL, memory_order_relaxed);
    atomic_store_explicit(&context->runs, NULL, memory_order_relaxed);
    context->locals = NULL;
    context->failure = (weft_failure){0};
    context->scopes.nearest = WEFT_INSTANT_NEVER;
    context->scopes.count = 0;
    context->scopes.room = WEFT_SCOPES_INLINE;
    context->scopes.many = NULL;
    /* relaxed: nobody knows this use of the context yet */
    atomic_store_explicit(&context->cancel, 0, memory_order_relaxed);
    context->canceller = (weft_ilock){0};
}

void weft_context_clear(weft_context *context)
{
    weft_context_end_locals(context);
    if (context->failure.buffer != NULL)
        weft_failure_clear(&context->failure);
    if (context->scopes.many != NULL) {
        weft_dealloc(context->scopes.many);
        context->scopes.many = NULL;
    }
}

static weft_context *make_context(void)
{
    weft_context *context = weft_calloc(1, sizeof *context);
    if (context == NULL)
        return NULL;
    if (weft_parker_init(&context->parker) < 0) {
        weft_dealloc(context);
        return NULL;
    }
    context->wakeup = (weft_wakeup){-1, -1};
    return context;
}

weft_context *weft_context_acquire(void)
{
    if (!weft_fork_install())
        return NULL;
    weft_fork_register(&fork_hooks);
    weft_ilock_acquire(&pool.lock);
    weft_context *context = pool.free;
    if (context != NULL)
        pool.free = context->next;
    weft_ilock_release(&pool.lock);
    if (context == NULL)
        context = make_context();
    if (context != NULL)
        weft_context_reset(context);
    return context;
}

void weft_context_release(weft_context *context)
{
    weft_context_clear(context);
    weft_ilock_acquire(&pool.lock);
    context->next = pool.free;
    pool.free = context;
    weft_ilock_release(&pool.lock);
}

bool weft_context_begin(weft_context *context)
{
    weft_context_current = context;
    return keep(context);
}

void weft_context_end(weft_context *context)
{
    thread_ends(context);
}

weft_context *weft_context_adopt(void)
{
    int saved = errno;
    weft_context *context = weft_context_acquire();
    if (context != NULL && !keep(context)) {
        weft_context_release(context);
        context = NULL;
    }
    weft_context_current = context;
    if (context != NULL) {
        weft_failure_init(&context->failure);
        take_inheritance(context);
    } else {
        weft_error_without_context(-ENOMEM);
    }
    /* relaxed: set by this thread's own fork, if it concerns this thread */
    if (atomic_load_explicit(&weft_interrupt_inherited, memory_order_relaxed))
        weft_interrupt_inherit();
    errno = saved;
    return context;
}

void weft_context_trim(void)
{
    /* the caller's own thread goes on; it takes a context again when it next needs one */
    weft_context *own = weft_context_current;
    if (own != NULL && !own->coroutine) {
        weft_context_end_locals(own); /* while it is still the running one */
        weft_context_current = NULL;
        (void)keep(NULL);
        weft_context_release(own);
    }
    weft_ilock_acquire(&pool.lock); /* threads of the host's may end now */
    weft_context *context = pool.free;
    pool.free = NULL;
    weft_ilock_release(&pool.lock);
    while (context != NULL) {
        weft_context *next = context->next;
        weft_wakeup_close(&context->wakeup);
        weft_parker_destroy(&context->parker);
        weft_dealloc(context);
        context = next;
    }
}
