/* SPDX-License-Identifier: MIT */
#include "fault/scenarios/scenarios.h"

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
    int turns, code;
} shared_values;

static int locked_once(shared_values *values)
{
    int r = weft_lock_acquire(&values->lock, WEFT_FOREVER);
    if (r < 0)
        return r;
    values->turns++;
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

const scenario scenarios_threading[] = {
    SCENARIO(start_with_options, 0),    SCENARIO(start_a_daemon, 0), SCENARIO(current_and_all, 0),
    SCENARIO(values_of_two_threads, 0), SCENARIO(polls, 0),          {NULL, NULL, 0},
};
