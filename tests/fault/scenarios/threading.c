/* SPDX-License-Identifier: MIT */
#include "fault/scenarios/scenarios.h"

#include <pthread.h>

static int answer(void *arg)
{
    (void)arg;
    char large[5000] = "large";
    return weft_return(WEFT_ARG(large));
}

static int start_with_options(void)
{
    char large[2000] = "", copy[5000];
    weft_thread *thread = SCENARIO_JUNK;
    int r = weft_thread_start(
        &thread, answer, WEFT_ARG(large),
        &(weft_thread_options){.name = "a name that is longer than the system likes it",
                               .stack_size = 300000});
    if ((r = scenario_started(r, thread)) < 0)
        return r;
    r = weft_result(thread, WEFT_OUT(copy), WEFT_FOREVER);
    if (r >= 0)
        r = scenario_expect(r, strcmp(copy, "large") == 0, "the thread's result");
    int joined = weft_thread_join(thread, WEFT_FOREVER);
    if (joined >= 0)
        joined = scenario_expect(joined, !weft_thread_is_alive(thread), "is_alive");
    weft_release(thread);
    return scenario_first(r, joined);
}

/* A daemon that nobody holds. */
static int start_a_daemon(void)
{
    return weft_thread_start(NULL, answer, WEFT_NONE, &(weft_thread_options){.daemon = true});
}

static int current_and_all(void)
{
    weft_thread *threads[4];
    weft_thread *current = weft_thread_current();
    if (current == NULL)
        return scenario_expect(-ENOMEM, weft_error_message() != NULL, "NULL without a message");
    int r = scenario_expect(0, !weft_thread_daemon(current), "main is a daemon");
    if (r >= 0 && (r = weft_thread_enumerate(threads, 4)) > 0)
        weft_release_many(threads, (size_t)(r < 4 ? r : 4));
    return scenario_expect(r, r > 0, "no thread runs");
}

/* One side of what two contexts do with one value of each kind. */
typedef struct shared_values {
    weft_lock lock;
    weft_condition condition;
    weft_semaphore semaphore;
    weft_event event, gone;
    int locked; /* guarded by lock */
    int turns;  /* guarded by the condition's */
    int code;
} shared_values;

static int locked_once(shared_values *values)
{
    int r = weft_lock_acquire(&values->lock, WEFT_FOREVER);
    if (r < 0)
        return r;
    values->locked++;
    return weft_lock_release(&values->lock);
}

/* It ends, and tells so, whatever fails. */
static int other_side(void *arg)
{
    shared_values *values = arg;
    int r = locked_once(values);
    r = scenario_first(r, weft_semaphore_release(&values->semaphore, 1));
    if (r >= 0 && (r = weft_condition_acquire(&values->condition, WEFT_FOREVER)) >= 0) {
        values->turns += 100;
        r = weft_condition_notify_all(&values->condition);
        r = scenario_first(r, weft_condition_release(&values->condition));
    }
    r = scenario_first(r, weft_event_wait(&values->event, WEFT_FOREVER));
    values->code = r;
    weft_event_set(&values->gone);
    return r;
}

static bool hundred(void *arg)
{
    shared_values *values = arg;
    return values->turns >= 100 || weft_event_is_set(&values->gone);
}

static int this_side(shared_values *values)
{
    int r = locked_once(values);
    if (r >= 0)
        r = weft_condition_acquire(&values->condition, WEFT_FOREVER);
    if (r >= 0) {
        /* a poll, so that it never depends on the other's success */
        r = weft_condition_wait_for(&values->condition, hundred, values, 0.001);
        r = r == -ETIMEDOUT ? 0 : r;
        r = scenario_first(r, weft_condition_release(&values->condition));
    }
    if (r >= 0 && (r = weft_semaphore_acquire(&values->semaphore, 0.001)) == -ETIMEDOUT)
        r = 0;
    weft_event_set(&values->event);
    return r;
}

static int values_of_two_threads(void)
{
    shared_values values = {.turns = 0};
    weft_thread *thread;
    int r = weft_thread_start(&thread, other_side, WEFT_POINTER(&values), NULL);
    if (r < 0)
        return r;
    r = this_side(&values);
    int joined = weft_thread_join(thread, WEFT_FOREVER);
    joined = scenario_first(joined, scenario_await(thread));
    if (r >= 0)
        r = weft_result(thread, WEFT_NONE, WEFT_FOREVER);
    weft_release(thread);
    return scenario_first(r, joined);
}

static int polls(void)
{
    weft_lock lock = {0};
    weft_condition condition = {.lock = &lock};
    weft_semaphore semaphore = {.value = 0};
    weft_event event = {0};
    int r = weft_event_wait(&event, 1e-5);
    if (r == -ETIMEDOUT)
        r = weft_semaphore_acquire(&semaphore, 1e-5);
    if (r == -ETIMEDOUT && (r = weft_lock_acquire(&lock, WEFT_FOREVER)) >= 0) {
        r = weft_lock_acquire(&lock, 1e-5);
        if (r == -ETIMEDOUT)
            r = weft_condition_wait(&condition, 1e-5);
        if (r == -ETIMEDOUT && weft_condition_notify(&condition, 1) < 0)
            r = SCENARIO_WRONG;
        if (!weft_lock_locked(&lock) || weft_lock_release(&lock) < 0)
            r = weft_error(SCENARIO_WRONG, "the lock is not held after a wait");
    }
    weft_event_set(&event);
    weft_event_clear(&event);
    return r == -ETIMEDOUT && weft_semaphore_value(&semaphore) == 0 ? 0 : r;
}

static int four(void *arg)
{
    (void)arg;
    return 4;
}

static int timers(void)
{
    char large[2000] = "";
    weft_timer *timer = SCENARIO_JUNK;
    int r = weft_timer_start(&timer, 1e-5, four, WEFT_ARG(large),
                             &(weft_thread_options){.name = "a timer"});
    if ((r = scenario_started(r, timer)) < 0)
        return r;
    r = scenario_await(timer);
    if (r >= 0 && (r = weft_result(timer, WEFT_NONE, WEFT_FOREVER)) >= 0)
        r = scenario_expect(r, r == 4, "the timer's result");
    weft_release(timer);
    int next = weft_timer_start(&timer, 1000, four, WEFT_NONE, NULL);
    if (next < 0)
        return scenario_first(r, next);
    next = weft_timer_cancel(timer);
    r = scenario_first(r, next);
    r = scenario_first(r, scenario_await(timer));
    if (r >= 0 && (r = weft_result(timer, WEFT_NONE, WEFT_FOREVER)) == -ECANCELED)
        r = 0;
    weft_release(timer);
    return r;
}

static int is_one(void *copy)
{
    *(int *)copy = 1;
    return 0;
}

static int locals(void)
{
    enum { MANY = 20 };
    weft_local many[MANY];
    int r = 0;
    for (int i = 0; i < MANY; i++) {
        many[i] = (weft_local){.size = sizeof(int), .init = is_one};
        const int *copy = weft_local_get(&many[i]);
        if (copy == NULL)
            r = -ENOMEM; /* the others are there all the same */
        else if (*copy != 1 || weft_local_find(&many[i]) != copy)
            return weft_error(SCENARIO_WRONG, "wrong: a local");
    }
    for (int i = 0; i < MANY; i++)
        weft_local_clear(&many[i]);
    return r;
}

static int who_runs(void)
{
    weft_thread *main = weft_thread_main();
    weft_thread *current = main != NULL ? weft_thread_current() : NULL;
    if (current == NULL)
        return -ENOMEM;
    int r = scenario_expect(0, weft_thread_ident(main) != 0 && weft_thread_ident(current) != 0,
                            "no ident");
    (void)weft_thread_native_id(current);
    if (r >= 0)
        r = weft_handle_set_name(current, "another name");
    if (r >= 0)
        r = weft_thread_active_count();
    return scenario_expect(r, r > 0, "no thread is active");
}

static int rlock_and_condition(void)
{
    weft_rlock rlock = {0};
    weft_condition condition = {.rlock = &rlock};
    int r = weft_rlock_acquire(&rlock, WEFT_FOREVER);
    if (r < 0)
        return r;
    r = weft_condition_acquire(&condition, WEFT_NOWAIT);
    if (r >= 0 && (r = weft_condition_wait(&condition, 1e-5)) == -ETIMEDOUT)
        r = 0;
    if (r >= 0)
        r = weft_rlock_release(&rlock);
    if (!weft_condition_locked(&condition) || weft_condition_release(&condition) < 0)
        r = weft_error(SCENARIO_WRONG, "the rlock is not held after a wait");
    return scenario_expect(r, !weft_rlock_locked(&rlock), "the rlock is still held");
}

static int rwlock_and_once(void)
{
    weft_rwlock rwlock = {0};
    weft_once once = {0};
    int r = weft_rwlock_acquire_write(&rwlock, WEFT_FOREVER);
    if (r < 0)
        return r;
    if ((r = weft_rwlock_acquire_read(&rwlock, 1e-5)) == -ETIMEDOUT)
        r = 0;
    r = scenario_first(r, weft_rwlock_release_write(&rwlock));
    if (r >= 0 && (r = weft_rwlock_acquire_read(&rwlock, WEFT_FOREVER)) >= 0)
        r = weft_rwlock_release_read(&rwlock);
    if (r >= 0)
        r = weft_once_run(&once, four, NULL, WEFT_FOREVER);
    return scenario_expect(r, weft_once_done(&once), "it is not done");
}

static int meet(void *arg)
{
    return weft_barrier_wait(arg, WEFT_FOREVER);
}

/* Whoever cannot wait breaks it, so that the other does not wait for ever. */
static int barrier_of_two(void)
{
    weft_barrier barrier = {.parties = 2, .action = four};
    weft_thread *thread;
    int r = weft_barrier_wait(&barrier, 1e-5);
    if (r != -ETIMEDOUT)
        return scenario_expect(r, false, "a wait alone");
    if ((r = weft_barrier_reset(&barrier)) < 0)
        return r;
    if ((r = weft_thread_start(&thread, meet, WEFT_POINTER(&barrier), NULL)) < 0)
        return r;
    weft_barrier_wait(&barrier, 0.05); /* the other one's first step may fail */
    weft_barrier_abort(&barrier);
    r = scenario_await(thread);
    if (r >= 0 && (r = weft_result(thread, WEFT_NONE, WEFT_FOREVER)) == WEFT_EBROKEN_BARRIER)
        r = 0;
    weft_release(thread);
    return scenario_expect(r, weft_barrier_broken(&barrier), "an abort");
}

/* In a thread of the host's, whose first use of weft it is. */
typedef struct host {
    int (*run)(void);
    int r;
} host;

static void *run_in_host(void *arg)
{
    host *h = arg;
    h->r = h->run();
    return NULL;
}

static int in_the_host(int (*run)(void))
{
    pthread_t pthread;
    host h = {run, SCENARIO_WRONG};
    int r = -pthread_create(&pthread, NULL, run_in_host, &h);
    if (r == 0)
        r = -pthread_join(pthread, NULL);
    if (r == 0)
        r = h.r;
    return r < 0 ? weft_error(r, "in a thread of the host's") : r;
}

static int locals_in_the_host(void)
{
    return in_the_host(locals);
}

static int who_runs_in_the_host(void)
{
    return in_the_host(who_runs);
}

static int values_in_the_host(void)
{
    int r = in_the_host(rlock_and_condition);
    return scenario_first(r, in_the_host(rwlock_and_once));
}

static void note_failure(weft_thread *thread, int code, const char *message, void *arg)
{
    (void)message;
    *(int *)arg = thread != NULL ? code : SCENARIO_WRONG;
}

static int fail(void *arg)
{
    (void)arg;
    return weft_error(-EDOM, "it was to fail");
}

static int told_of_a_failure(void)
{
    static int told;
    weft_thread *thread;
    told = 0;
    weft_thread_set_excepthook(note_failure, &told);
    int r = weft_thread_start(&thread, fail, WEFT_NONE, NULL);
    if (r >= 0) {
        r = weft_thread_join(thread, WEFT_FOREVER);
        r = scenario_first(r, scenario_await(thread));
        r = scenario_expect(r, told == -EDOM, "the hook's code");
        r = scenario_expect(r, weft_thread_ident(thread) != 0, "the thread's number");
        weft_release(thread);
    }
    weft_thread_set_excepthook(NULL, NULL);
    return r;
}

const scenario scenarios_threading[] = {
    SCENARIO(start_with_options, 0),
    SCENARIO(start_a_daemon, 0),
    SCENARIO(current_and_all, 0),
    SCENARIO(values_of_two_threads, 0),
    SCENARIO(polls, 0),
    SCENARIO(timers, 0),
    SCENARIO(locals, 0),
    SCENARIO(who_runs, 0),
    SCENARIO(rlock_and_condition, 0),
    SCENARIO(rwlock_and_once, 0),
    SCENARIO(barrier_of_two, 0),
    SCENARIO(locals_in_the_host, SCENARIO_THREAD_ONLY),
    SCENARIO(who_runs_in_the_host, SCENARIO_THREAD_ONLY),
    SCENARIO(values_in_the_host, SCENARIO_THREAD_ONLY),
    SCENARIO(told_of_a_failure, 0),
    {NULL, NULL, 0},
};
