/* SPDX-License-Identifier: MIT */
/*
 * threading: threads, and the values that threads, coroutines and processes synchronise with.
 *
 *     #include <stdio.h>
 *     #include <weft.h>
 *
 *     static weft_lock lock;
 *     static int total;
 *
 *     static int add(void *arg)
 *     {
 *         int r = weft_lock_acquire(&lock, WEFT_FOREVER);
 *         if (r < 0)
 *             return r;
 *         total += *(int *)arg;
 *         return weft_lock_release(&lock);
 *     }
 *
 *     int main(void)
 *     {
 *         weft_thread *threads[4];
 *         for (int n = 0; n < 4; n++)
 *             weft_thread_start(&threads[n], add, WEFT_ARG(n), NULL);
 *         for (int n = 0; n < 4; n++)
 *             weft_thread_join(threads[n], WEFT_FOREVER);
 *         weft_release_many(threads, 4);
 *         printf("%d\n", total);
 *         return weft_shutdown(WEFT_FOREVER);
 *     }
 *
 * A thread is a handle: handle.h has what can be done with every handle (weft_wait, weft_result,
 * weft_cancel, weft_handle_name ...).
 *
 * A lock, condition, semaphore, event ... is a value: a plain struct that is valid when zeroed,
 * lies anywhere, allocates nothing and needs no end. Whoever waits for one suspends its coroutine,
 * or blocks its thread when it is in none; threads and coroutines may wait for the same one. In
 * memory from weft_shared_alloc it is shared by processes (a read-write lock refuses to be). Its
 * memory may be freed as soon as nobody uses it any more, also right after the release, set or
 * notify that let the last other user go on (in shared memory not before that one has returned).
 * Copying a value copies no waiter and means nothing. Members whose names end in _ are weft's own.
 * NULL is -EINVAL, as for a handle; what returns no code says false, or nothing.
 *
 * Timeouts are seconds: negative for ever, 0 polls. A wait ends with -ETIMEDOUT when time is up,
 * with -ECANCELED when the waiting thread or task is cancelled or a timeout scope ends (base.h),
 * with a signal handler's own code (signal.h), and a task's for something in shared memory with
 * -EAGAIN where the system has no thread left that it takes; then nothing has been taken.
 */
#ifndef WEFT_THREADING_H
#define WEFT_THREADING_H

#include <weft/base.h>
#include <weft/handle.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Threads ----------------------------------------------------------------------------------
 */

typedef struct weft_thread_options {
    const char *name;  /* copied; NULL: "Thread-1", "Thread-2" ... */
    bool daemon;       /* weft_shutdown cancels it instead of waiting for its end; those that a
                          daemon starts are daemons too */
    size_t stack_size; /* bytes, rounded up to pages; 0: the system's usual */
    void *reserved_[4];
} weft_thread_options;

/*
 * Starts fn(arg) in a new OS thread; arg is copied (WEFT_ARG) or passed as it is (WEFT_POINTER),
 * and what it points at must outlive the function. *thread is to be released; NULL where it is not
 * wanted: the thread runs on by itself. The thread starts with the caller's signal mask. A failure
 * of fn is its result (weft_result).
 * Errors: -EINVAL (fn is NULL, argument bytes at NULL, the stack is smaller than the system
 * allows), -EAGAIN (the system has no more threads), -ENOMEM.
 * Python: Thread(target, args, name, daemon).start()
 */
WEFT_API int weft_thread_start(weft_thread **thread, weft_fn *fn, const void *arg, size_t arg_size,
                               const weft_thread_options *options);

/*
 * Waits until the thread has ended: its function has returned, and its OS thread is gone. May be
 * called by many, and again. Tells nothing about the function's result: weft_result does.
 * Can be cancelled. Errors: -ETIMEDOUT, -ECANCELED, -EDEADLK (the caller itself), -EINVAL, -ENOMEM,
 * WEFT_EFORKED. Python: Thread.join
 */
WEFT_API int weft_thread_join(weft_thread *thread, double timeout);

/*
 * Whether its function has not returned yet. false for NULL. Python: Thread.is_alive
 */
WEFT_API bool weft_thread_is_alive(weft_thread *thread);

/*
 * Whether weft_shutdown cancels it instead of waiting for its end. false for NULL.
 * Python: Thread.daemon
 */
WEFT_API bool weft_thread_daemon(weft_thread *thread);

/*
 * The thread that runs the caller; in a coroutine, the one that runs its loop or pool. A thread
 * that weft did not start gets a handle at the first call ("MainThread" for the main one).
 * Borrowed: until the thread ends. NULL with a message: -ENOMEM. Python: threading.current_thread
 */
WEFT_API weft_thread *weft_thread_current(void);

/*
 * The main thread: the process's first, in a forked child the one that forked. Where the system
 * does not tell, it is the one that first asked for itself, or first called weft_signal_set or
 * weft_run. Borrowed: until it ends, or weft_shutdown. NULL with a message: -ENOMEM.
 * Python: threading.main_thread
 */
WEFT_API weft_thread *weft_thread_main(void);

/*
 * Fills in up to `room` threads that are alive (retained: weft_release_many), the main one first,
 * then the oldest, and returns how many there are, which may be more. Threads that weft did not
 * start are among them once they have a handle (weft_thread_current); the caller's and the main
 * one always are. `threads` may be NULL with room 0, to count. Errors: -EINVAL, -ENOMEM.
 * Python: threading.enumerate
 */
WEFT_API int weft_thread_enumerate(weft_thread **threads, size_t room);

/*
 * How many threads are alive, counted as by weft_thread_enumerate. Errors: -ENOMEM.
 * Python: threading.active_count
 */
WEFT_API int weft_thread_active_count(void);

/*
 * A number that no other thread of this process has or had; not 0, also when the thread has ended.
 * 0 for NULL. Python: Thread.ident, threading.get_ident
 */
WEFT_API uint64_t weft_thread_ident(weft_thread *thread);

/*
 * The number by which the system knows the thread; another thread may get it when this one has
 * ended. 0 for NULL, and where the system has no such number.
 * Python: Thread.native_id, threading.get_native_id
 */
WEFT_API int64_t weft_thread_native_id(weft_thread *thread);

/* What is told of a thread whose function has failed: the thread and the message are borrowed: for
 * the call. */
typedef void weft_thread_excepthook_fn(weft_thread *thread, int code, const char *message,
                                       void *arg);

/*
 * Sets what is called for each thread of weft's whose function fails, with another code than
 * -ECANCELED; in that thread, before it counts as ended, no lock held. For all threads, also those
 * that run; NULL: nothing, which is how it begins. One call of the hook before may still run.
 * Python: threading.excepthook
 */
WEFT_API void weft_thread_set_excepthook(weft_thread_excepthook_fn *hook, void *arg);

/* ---- Timer ------------------------------------------------------------------------------------
 */

/* A thread that waits before it calls its function: whatever takes a thread takes a timer. */
typedef weft_thread weft_timer;

/*
 * Starts a thread that calls fn(arg) `seconds` from now. All else as in weft_thread_start;
 * weft_shutdown waits for it, or cancels it where it is a daemon.
 * Errors: -EINVAL (also for seconds that are negative or not a number), -EAGAIN, -ENOMEM.
 * Python: threading.Timer(interval, function, args).start()
 */
WEFT_API int weft_timer_start(weft_timer **timer, double seconds, weft_fn *fn, const void *arg,
                              size_t arg_size, const weft_thread_options *options);

/*
 * Keeps a timer whose time has not come from calling its function; its result is then -ECANCELED.
 * Returns 1, or 0: its time has come, or it was cancelled before; that changes nothing.
 * (weft_cancel would also end a wait of the running function.) Errors: -EINVAL (also for a thread
 * that is no timer), WEFT_EFORKED. Python: Timer.cancel
 */
WEFT_API int weft_timer_cancel(weft_timer *timer);

/* ---- Locals -----------------------------------------------------------------------------------
 */

/* Ends a copy, before its memory is freed. */
typedef void weft_local_destroy_fn(void *copy);

/*
 * Data of which each thread, task and job of a pool has a copy of its own: {.size = sizeof(int)}.
 * (_Thread_local is the thread's alone, whichever task runs in it.) A forked child has the copies
 * of the thread, task or job that forked; what is started gets none: give it arguments. Not in
 * shared memory.
 */
typedef struct weft_local {
    size_t size;                    /* bytes of a copy, > 0; aligned for any type */
    weft_fn *init;                  /* NULL: a copy begins zeroed; else called with it, zeroed */
    weft_local_destroy_fn *destroy; /* NULL: nothing is to be done */
    uint32_t id_, reserved_;
    uint64_t more_[2];
} weft_local;

/*
 * The caller's copy, made at its first use. Borrowed: until the thread, task or job ends, which
 * destroys it, the newest copy first, before a join or weft_result of it returns; the main thread's
 * until weft_shutdown. NULL with a message: -ENOMEM, -EINVAL (no size, in shared memory), init's
 * failure. Python: threading.local
 */
WEFT_API void *weft_local_get(weft_local *local);

/*
 * The caller's copy, borrowed as above; NULL: it has none yet. Python: hasattr(local, ...)
 */
WEFT_API void *weft_local_find(weft_local *local);

/*
 * Destroys the caller's copy, if there is one: the next weft_local_get makes a new one.
 * Python: del local.attribute
 */
WEFT_API void weft_local_clear(weft_local *local);

/* ---- Lock -------------------------------------------------------------------------------------
 */

/*
 * Held by one at a time; not recursive. It has no owner: whoever likes may release it, also another
 * thread, coroutine or process than the one that acquired it.
 */
typedef struct weft_lock {
    uint32_t state_, spinning_;
    uint64_t reserved_;
} weft_lock;

/*
 * Acquires the lock. Returns 0, or 1: it is the caller's, but the process that held it last has
 * died, so what it guards may be half done (in shared memory only). Fair enough that nobody
 * starves: whoever has lost the race for over about a millisecond gets it handed over. Can be
 * cancelled. Errors: -ETIMEDOUT, -ECANCELED, -EINVAL (timeout is not a number), -ENOMEM. Python:
 * Lock.acquire
 */
WEFT_API int weft_lock_acquire(weft_lock *lock, double timeout);

/*
 * Releases the lock, and lets one go on who waits for it. Errors: -EPERM (nobody holds it).
 * Python: Lock.release
 */
WEFT_API int weft_lock_release(weft_lock *lock);

/*
 * Whether somebody holds it, at this moment. Python: Lock.locked
 */
WEFT_API bool weft_lock_locked(const weft_lock *lock);

/* ---- RLock ------------------------------------------------------------------------------------
 */

/*
 * A lock with an owner, the thread or coroutine that acquired it, which may acquire it again; it is
 * free when it has been released as often.
 */
typedef struct weft_rlock {
    weft_lock lock_;
    uint64_t owner_;
    uint32_t count_, reserved_;
} weft_rlock;

/*
 * Acquires the lock; at once where the caller has it already. Else, and what is returned, as
 * weft_lock_acquire. Can be cancelled.
 * Errors: -ETIMEDOUT, -ECANCELED, -EINVAL (timeout is not a number), -ENOMEM, -EOVERFLOW (acquired
 * 2^32 - 1 times). Python: RLock.acquire
 */
WEFT_API int weft_rlock_acquire(weft_rlock *rlock, double timeout);

/*
 * Takes one acquire back; the last one lets the next go on who waits. Errors: -EPERM (the caller
 * does not have it). Python: RLock.release
 */
WEFT_API int weft_rlock_release(weft_rlock *rlock);

/*
 * Whether somebody, the caller included, has it, at this moment. Python: RLock.locked
 */
WEFT_API bool weft_rlock_locked(const weft_rlock *rlock);

/* ---- Condition --------------------------------------------------------------------------------
 */

/*
 * Waiting for something that a lock guards. {.lock = &lock} or {.rlock = &rlock}: that lock, which
 * may serve several conditions and must outlive them; {0}: one of its own, which is not recursive.
 */
typedef struct weft_condition {
    weft_lock *lock;   /* NULL: another */
    weft_rlock *rlock; /* NULL: `lock`, or its own */
    weft_lock own_;
    uint32_t waiting_, sequence_, permits_, sleeping_;
    unsigned char padding_[32 - 2 * sizeof(void *)];
} weft_condition;

/*
 * Acquires the condition's lock: as weft_lock_acquire or weft_rlock_acquire. Can be cancelled.
 * Errors: -ETIMEDOUT, -ECANCELED, -EINVAL, -ENOMEM, -EOVERFLOW. Python: Condition.acquire
 */
WEFT_API int weft_condition_acquire(weft_condition *condition, double timeout);

/*
 * Releases the condition's lock. Errors: -EPERM (nobody holds it; an rlock: the caller does not).
 * Python: Condition.release
 */
WEFT_API int weft_condition_release(weft_condition *condition);

/*
 * Whether somebody holds the condition's lock, at this moment. Python: Condition.locked
 */
WEFT_API bool weft_condition_locked(const weft_condition *condition);

/*
 * Releases the lock, an rlock as often as it was acquired, waits to be notified, and acquires it
 * again as often; always returns with the lock held, also on failure (except -EPERM, and -EINVAL
 * and -ENOMEM, where it was never released).
 * Does not return without a notification (but in shared memory, where a process has died in such a
 * wait, one may let two go on); a notification that comes together with a cancel goes to the next
 * who waits. Returns 0, or 1 as weft_lock_acquire. Timeout 0 lets the others in and polls.
 * Can be cancelled. Errors: -ETIMEDOUT, -ECANCELED, -EPERM (the lock is not held), -EINVAL,
 * -ENOMEM. Python: Condition.wait
 */
WEFT_API int weft_condition_wait(weft_condition *condition, double timeout);

/* What a condition is waited for; called with the lock held. */
typedef bool weft_predicate_fn(void *arg);

/*
 * Waits until predicate(arg) is true: it is called with the lock held, before the first wait and
 * after each notification, and once more when time is up. The timeout is for all of it. Returns and
 * fails as weft_condition_wait. Can be cancelled.
 * Errors: -ETIMEDOUT, -ECANCELED, -EPERM (the lock is not held), -EINVAL, -ENOMEM.
 * Python: Condition.wait_for
 */
WEFT_API int weft_condition_wait_for(weft_condition *condition, weft_predicate_fn *predicate,
                                     void *arg, double timeout);

/*
 * Notifies up to `count` of those who wait now, the oldest first; they go on when they get the
 * lock. Nothing is kept for those who wait later. The caller holds the lock, and keeps it. Errors:
 * -EPERM (nobody holds the lock). Python: Condition.notify
 */
WEFT_API int weft_condition_notify(weft_condition *condition, size_t count);

/*
 * Notifies all who wait now. The caller holds the lock, and keeps it.
 * Errors: -EPERM (nobody holds the lock). Python: Condition.notify_all
 */
WEFT_API int weft_condition_notify_all(weft_condition *condition);

/* ---- Semaphore --------------------------------------------------------------------------------
 */

/*
 * A count of permits. {.value = 2}: two to begin with; {.value = 2, .bound = 2}: and never more
 * (Python's BoundedSemaphore).
 */
typedef struct weft_semaphore {
    uint32_t value; /* permits to begin with, below 2^31; weft's own once it is in use */
    uint32_t bound; /* the most there may be; 0: no bound */
    uint64_t reserved_[3];
} weft_semaphore;

/*
 * Takes one permit; those who wait are served in the order of their coming. Can be cancelled.
 * Errors: -ETIMEDOUT, -ECANCELED, -EINVAL (timeout is not a number), -ENOMEM.
 * Python: Semaphore.acquire
 */
WEFT_API int weft_semaphore_acquire(weft_semaphore *semaphore, double timeout);

/*
 * Gives back `count` permits, and lets as many go on who wait. On failure nothing has changed.
 * Errors: -EINVAL (count is 0, or there would be more than the bound), -EOVERFLOW (more than
 * 2^31 - 1 permits). Python: Semaphore.release
 */
WEFT_API int weft_semaphore_release(weft_semaphore *semaphore, size_t count);

/*
 * How many permits there are, at this moment. Python: Semaphore._value
 */
WEFT_API size_t weft_semaphore_value(const weft_semaphore *semaphore);

/* ---- Event ------------------------------------------------------------------------------------
 */

/*
 * A flag to wait for. weft_source_from_event (handle.h) makes it join a weft_wait_any.
 */
typedef struct weft_event {
    uint32_t state_, reserved_;
    uint64_t more_;
} weft_event;

/*
 * Sets the flag; all who wait go on, also when it is cleared right after. Python: Event.set
 */
WEFT_API void weft_event_set(weft_event *event);

/*
 * Clears the flag. Python: Event.clear
 */
WEFT_API void weft_event_clear(weft_event *event);

/*
 * Whether the flag is set, at this moment. Python: Event.is_set
 */
WEFT_API bool weft_event_is_set(const weft_event *event);

/*
 * Waits until the flag is set. Can be cancelled.
 * Errors: -ETIMEDOUT, -ECANCELED, -EINVAL (timeout is not a number), -ENOMEM. Python: Event.wait
 */
WEFT_API int weft_event_wait(weft_event *event, double timeout);

/* ---- Barrier ----------------------------------------------------------------------------------
 */

/*
 * A place where `parties` meet: all wait there until the last one has come. {.parties = 3}. Can be
 * passed again and again.
 */
typedef struct weft_barrier {
    uint32_t parties; /* > 0 */
    uint32_t generation_;
    weft_fn *action; /* NULL: none; run by the last one before the others go on */
    void *arg;       /* what action gets */
    weft_lock guard_;
    uint32_t arrived_, next_, cycle_, acting_, state_, reserved_;
    uint64_t broken_, free_[2];
    unsigned char padding_[24 - 2 * sizeof(void *)];
} weft_barrier;

/*
 * Waits until all have come, and returns the index of this one, from 0 to parties - 1: each is
 * given once in a round. The last one runs the action first; a failure of it breaks the barrier and
 * is what the last one returns. Whoever comes while the action runs waits for the next round. When
 * time is up for one, -ETIMEDOUT for him and the barrier is broken for the others; a cancelled
 * waiter leaves as if it had not come, or returns its index if all had come, and the cancel ends
 * its next wait. In shared memory, a process that dies while it waits counts as one that has come,
 * and one that dies in the action breaks the barrier. Can be cancelled.
 * Errors: WEFT_EBROKEN_BARRIER, -ETIMEDOUT, -ECANCELED, -EINVAL (no parties, timeout is not a
 * number), -ENOMEM, the action's own. Python: Barrier.wait
 */
WEFT_API int weft_barrier_wait(weft_barrier *barrier, double timeout);

/*
 * Breaks the barrier until it is reset: who waits and who comes gets WEFT_EBROKEN_BARRIER. Returns
 * 0. Errors: -ENOMEM (in shared memory). Python: Barrier.abort
 */
WEFT_API int weft_barrier_abort(weft_barrier *barrier);

/*
 * Whole and empty again: who waits now gets WEFT_EBROKEN_BARRIER. Returns 0.
 * Errors: -ENOMEM (in shared memory). Python: Barrier.reset
 */
WEFT_API int weft_barrier_reset(weft_barrier *barrier);

/*
 * How many wait for the others to come, at this moment. Python: Barrier.n_waiting
 */
WEFT_API size_t weft_barrier_n_waiting(const weft_barrier *barrier);

/*
 * Whether it is broken, at this moment. Python: Barrier.broken
 */
WEFT_API bool weft_barrier_broken(const weft_barrier *barrier);

/* ---- Read-write lock --------------------------------------------------------------------------
 */

/*
 * Held by many to read, or by one to write. Who waits is let in in the order of coming, so neither
 * readers nor writers starve; therefore whoever holds it to read must not acquire it again: a
 * writer may wait in between. It has no owner. Not in shared memory.
 */
typedef struct weft_rwlock {
    uint32_t state_, reserved_;
    uint64_t more_[3];
} weft_rwlock;

/*
 * Acquires the lock to read, together with others. Can be cancelled.
 * Errors: -ETIMEDOUT, -ECANCELED, -EINVAL (timeout is not a number), -ENOTSUP (in shared memory),
 * -ENOMEM. Python: none
 */
WEFT_API int weft_rwlock_acquire_read(weft_rwlock *rwlock, double timeout);

/*
 * Releases what weft_rwlock_acquire_read took. Errors: -EPERM (nobody holds it to read).
 * Python: none
 */
WEFT_API int weft_rwlock_release_read(weft_rwlock *rwlock);

/*
 * Acquires the lock to write, alone. Can be cancelled.
 * Errors: -ETIMEDOUT, -ECANCELED, -EINVAL (timeout is not a number), -ENOTSUP (in shared memory),
 * -ENOMEM. Python: none
 */
WEFT_API int weft_rwlock_acquire_write(weft_rwlock *rwlock, double timeout);

/*
 * Releases what weft_rwlock_acquire_write took. Errors: -EPERM (nobody holds it to write).
 * Python: none
 */
WEFT_API int weft_rwlock_release_write(weft_rwlock *rwlock);

/* ---- Once -------------------------------------------------------------------------------------
 */

/*
 * Something that is to be done once, by whoever needs it first.
 */
typedef struct weft_once {
    uint32_t done_, generation_;
    weft_rlock lock_;
    uint64_t reserved_;
} weft_once;

/*
 * Calls fn(arg), unless a call of this function has succeeded already; returns when one has: the
 * others wait meanwhile. Returns 0, or the failure of the caller's own fn, after which the next one
 * tries. Can be cancelled.
 * Errors: fn's own; -ETIMEDOUT, -ECANCELED (the wait for another one's fn), -EDEADLK (called in
 * fn), -EINVAL, -ENOMEM. Python: none
 */
WEFT_API int weft_once_run(weft_once *once, weft_fn *fn, void *arg, double timeout);

/*
 * Whether it is done. Python: none
 */
WEFT_API bool weft_once_done(const weft_once *once);

#ifdef __cplusplus
}
#endif

#endif
