/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "multiprocessing/arena.h"
#include "support/support.h"
#include <weft/asyncio.h>
#include <weft/multiprocessing.h>
#include <weft/threading.h>

typedef struct common {
    weft_lock lock;
    weft_condition condition;
    weft_event ready, go;
    weft_semaphore semaphore;
    int count, inside, most, steps;
    _Atomic int here;
    _Atomic uint32_t robust;
} common;

enum { SIDES = 4, ROUNDS = 2000 };

static common *new_common(void)
{
    common *shared = weft_shared_alloc(sizeof *shared);
    assert_non_null(shared);
    return shared;
}

static void await(_Atomic int *word, int value)
{
    while (atomic_load(word) < value)
        weft_sleep(0.0005);
}

static int count_up(void *arg)
{
    common *shared = arg;
    for (int i = 0; i < ROUNDS; i++) {
        int r = weft_lock_acquire(&shared->lock, WEFT_FOREVER);
        if (r != 0)
            return r;
        shared->count++;
        r = weft_lock_release(&shared->lock);
        if (r < 0)
            return r;
    }
    return 0;
}

static void run_in_processes(weft_fn *fn, common *shared)
{
    weft_process *processes[SIDES];
    for (int i = 0; i < SIDES; i++)
        assert_int_equal(weft_process_start(&processes[i], fn, WEFT_POINTER(shared), NULL), 0);
    for (int i = 0; i < SIDES; i++)
        assert_int_equal(weft_result(processes[i], WEFT_NONE, WEFT_FOREVER), 0);
    weft_release_many(processes, SIDES);
}

static void a_lock_excludes_processes(void **state)
{
    (void)state;
    common *shared = new_common();
    run_in_processes(count_up, shared);
    assert_int_equal(shared->count, SIDES * ROUNDS);
    assert_false(weft_lock_locked(&shared->lock));
    weft_shared_free(shared);
}

static int count_up_in_tasks(void *arg)
{
    weft_task *tasks[3];
    for (int i = 0; i < 3; i++) {
        int r = weft_task_start(&tasks[i], count_up, WEFT_POINTER(arg), NULL);
        if (r < 0)
            return r;
    }
    int r = weft_gather(tasks, 3, WEFT_FOREVER);
    weft_release_many(tasks, 3);
    return r;
}

static int run_loop(void *arg)
{
    return weft_run(count_up_in_tasks, WEFT_POINTER(arg), NULL);
}

/* Coroutines of loops in several processes, and threads, on one lock. */
static void a_lock_excludes_coroutines_of_processes(void **state)
{
    (void)state;
    common *shared = new_common();
    weft_thread *thread = NULL;
    bool beside = !emulated(); /* there a child forked beside a thread cannot start its helper */
    if (beside)
        assert_int_equal(weft_thread_start(&thread, count_up, WEFT_POINTER(shared), NULL), 0);
    run_in_processes(run_loop, shared);
    if (!beside)
        assert_int_equal(weft_thread_start(&thread, count_up, WEFT_POINTER(shared), NULL), 0);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(thread);
    assert_int_equal(shared->count, SIDES * 3 * ROUNDS + ROUNDS);
    weft_shared_free(shared);
}

static int die_with_lock(void *arg)
{
    common *shared = arg;
    weft_lock_acquire(&shared->lock, WEFT_FOREVER);
    shared->here = 1;
    for (;;)
        pause();
    return 0;
}

static int acquire_and_release(void *arg)
{
    common *shared = arg;
    int r = weft_lock_acquire(&shared->lock, WEFT_FOREVER);
    if (r >= 0)
        weft_lock_release(&shared->lock);
    return r;
}

static void a_dead_holders_lock_is_acquired_with_1(void **state)
{
    (void)state;
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        common *shared = new_common();
        weft_process *process;
        weft_thread *thread = NULL;
        assert_int_equal(weft_process_start(&process, die_with_lock, WEFT_POINTER(shared), NULL),
                         0);
        await(&shared->here, 1);
        assert_int_equal(weft_lock_acquire(&shared->lock, WEFT_NOWAIT), -ETIMEDOUT);
        assert_int_equal(weft_lock_acquire(&shared->lock, 0.06), -ETIMEDOUT);
        if (in_loop == 0) /* it waits, maybe, when the holder is killed */
            assert_int_equal(
                weft_thread_start(&thread, acquire_and_release, WEFT_POINTER(shared), NULL), 0);
        assert_int_equal(weft_process_kill(process), 0);
        int r = in_loop != 0 ? weft_run(acquire_and_release, WEFT_POINTER(shared), NULL)
                             : weft_result(thread, WEFT_NONE, WEFT_FOREVER);
        assert_int_equal(r, 1);
        assert_int_equal(weft_lock_acquire(&shared->lock, WEFT_NOWAIT), 0);
        assert_int_equal(weft_lock_release(&shared->lock), 0);
        weft_wait(process, WEFT_FOREVER);
        weft_release(process);
        weft_release(thread);
        weft_shared_free(shared);
    }
}

static int die_with_both(void *arg)
{
    common *shared = arg;
    weft_robust_acquire(&shared->robust);
    return die_with_lock(shared);
}

typedef struct pestering {
    pid_t waits, holds;
} pestering;

static void pause_for(long milliseconds, long microseconds)
{
    struct timespec time = {.tv_nsec = milliseconds * 1000000 + microseconds * 1000};
    nanosleep(&time, NULL);
}

/* When the waiter looks no more often than it ever will. */
static int pester(void *arg)
{
    const pestering *pids = arg;
    pause_for(200, 0);
    for (int i = 0; i < 10000; i++) {
        kill(pids->waits, SIGUSR1);
        if (i == 5)
            kill(pids->holds, SIGKILL);
        pause_for(0, 200);
    }
    return 0;
}

static void ignore_signal(int signum)
{
    (void)signum;
}

/* Each ends a sleep long before it is time to look after the holder. */
static void signals_do_not_hide_the_holders_death(void **state)
{
    (void)state;
    struct sigaction before, ignored = {.sa_handler = ignore_signal};
    sigaction(SIGUSR1, &ignored, &before);
    for (int robust = 0; robust < 2; robust++) {
        common *shared = new_common();
        weft_process *holding, *pestering_it;
        assert_int_equal(weft_process_start(&holding, die_with_both, WEFT_POINTER(shared), NULL),
                         0);
        await(&shared->here, 1);
        pestering pids = {.waits = getpid(), .holds = (pid_t)weft_process_pid(holding)};
        assert_int_equal(weft_process_start(&pestering_it, pester, WEFT_ARG(pids), NULL), 0);
        int r = robust != 0 ? weft_robust_acquire(&shared->robust)
                            : weft_lock_acquire(&shared->lock, WEFT_FOREVER);
        bool before_the_last = weft_process_is_alive(pestering_it);
        weft_process_kill(pestering_it);
        assert_int_equal(weft_wait(pestering_it, WEFT_FOREVER), 0);
        assert_int_equal(weft_wait(holding, WEFT_FOREVER), 0);
        assert_int_equal(r, 1);
        assert_true(before_the_last);
        weft_release(pestering_it);
        weft_release(holding);
        weft_shared_free(shared);
    }
    sigaction(SIGUSR1, &before, NULL);
}

static int wait_for_go(void *arg)
{
    common *shared = arg;
    atomic_fetch_add(&shared->here, 1);
    return weft_event_wait(&shared->go, WEFT_FOREVER);
}

static int wait_for_go_in_loop(void *arg)
{
    return weft_run(wait_for_go, WEFT_POINTER(arg), NULL);
}

static void an_event_releases_all(void **state)
{
    (void)state;
    common *shared = new_common();
    weft_process *processes[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(weft_process_start(&processes[i],
                                            i % 2 == 0 ? wait_for_go : wait_for_go_in_loop,
                                            WEFT_POINTER(shared), NULL),
                         0);
    await(&shared->here, 4);
    assert_int_equal(weft_wait_any(processes, 4, 0.02), -ETIMEDOUT);
    weft_event_set(&shared->go);
    for (int i = 0; i < 4; i++)
        assert_int_equal(weft_result(processes[i], WEFT_NONE, WEFT_FOREVER), 0);
    weft_release_many(processes, 4);
    weft_shared_free(shared);
}

static int enter_two_at_a_time(void *arg)
{
    common *shared = arg;
    for (int i = 0; i < 200; i++) {
        int r = weft_semaphore_acquire(&shared->semaphore, WEFT_FOREVER);
        if (r != 0)
            return r;
        int inside = __atomic_add_fetch(&shared->inside, 1, __ATOMIC_SEQ_CST);
        if (inside > 2)
            __atomic_store_n(&shared->most, inside, __ATOMIC_SEQ_CST);
        __atomic_sub_fetch(&shared->inside, 1, __ATOMIC_SEQ_CST);
        r = weft_semaphore_release(&shared->semaphore, 1);
        if (r < 0)
            return r;
    }
    return 0;
}

static void a_semaphore_counts_processes(void **state)
{
    (void)state;
    common *shared = new_common();
    shared->semaphore.value = 2;
    shared->semaphore.bound = 2;
    run_in_processes(enter_two_at_a_time, shared);
    assert_int_equal(shared->most, 0);
    assert_int_equal(weft_semaphore_value(&shared->semaphore), 2);
    weft_shared_free(shared);
}

static int wait_for_steps(void *arg)
{
    common *shared = arg;
    int r = weft_condition_acquire(&shared->condition, WEFT_FOREVER);
    if (r < 0)
        return r;
    for (int i = 1; i <= 50; i++) {
        shared->count++;
        weft_condition_notify_all(&shared->condition);
        while (r >= 0 && shared->steps < i)
            r = weft_condition_wait(&shared->condition, WEFT_FOREVER);
    }
    weft_condition_release(&shared->condition);
    return r;
}

static int wait_for_steps_in_loop(void *arg)
{
    return weft_run(wait_for_steps, WEFT_POINTER(arg), NULL);
}

/* Fifty rounds in step: each waits until all have come. */
static void a_condition_keeps_processes_in_step(void **state)
{
    (void)state;
    common *shared = new_common();
    weft_process *processes[SIDES];
    for (int i = 0; i < SIDES; i++)
        assert_int_equal(weft_process_start(&processes[i],
                                            i % 2 == 0 ? wait_for_steps : wait_for_steps_in_loop,
                                            WEFT_POINTER(shared), NULL),
                         0);
    assert_int_equal(weft_condition_acquire(&shared->condition, WEFT_FOREVER), 0);
    for (int i = 1; i <= 50; i++) {
        while (shared->count < SIDES * i)
            assert_int_equal(weft_condition_wait(&shared->condition, WEFT_FOREVER), 0);
        shared->steps = i;
        weft_condition_notify_all(&shared->condition);
    }
    assert_int_equal(weft_condition_release(&shared->condition), 0);
    for (int i = 0; i < SIDES; i++)
        assert_int_equal(weft_result(processes[i], WEFT_NONE, WEFT_FOREVER), 0);
    weft_release_many(processes, SIDES);
    weft_shared_free(shared);
}

static void waits_end_by_deadline_and_cancel(void **state)
{
    (void)state;
    common *shared = new_common();
    weft_thread *thread;
    assert_int_equal(weft_event_wait(&shared->go, 0.01), -ETIMEDOUT);
    assert_int_equal(weft_event_wait(&shared->go, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_thread_start(&thread, wait_for_go, WEFT_POINTER(shared), NULL), 0);
    await(&shared->here, 1);
    assert_int_equal(weft_cancel(thread), 1);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), -ECANCELED);
    weft_release(thread);
    weft_shared_free(shared);
}

static int cancel_a_task(void *arg)
{
    common *shared = arg;
    weft_task *task;
    int r = weft_task_start(&task, wait_for_go, WEFT_POINTER(shared), NULL);
    if (r < 0)
        return r;
    while (atomic_load(&shared->here) == 0)
        weft_sleep(0);
    r = weft_wait(task, 0.01);
    if (r != -ETIMEDOUT)
        return r;
    weft_cancel(task);
    r = weft_result(task, WEFT_NONE, WEFT_FOREVER);
    weft_release(task);
    int again = weft_event_wait(&shared->go, 0.01);
    return r == -ECANCELED && again == -ETIMEDOUT ? 0 : -1;
}

static void a_coroutines_wait_can_be_cancelled(void **state)
{
    (void)state;
    common *shared = new_common();
    assert_int_equal(weft_run(cancel_a_task, WEFT_POINTER(shared), NULL), 0);
    weft_shared_free(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(a_lock_excludes_processes),
        weft_test(a_lock_excludes_coroutines_of_processes),
        weft_test(a_dead_holders_lock_is_acquired_with_1),
        weft_test(signals_do_not_hide_the_holders_death),
        weft_test(an_event_releases_all),
        weft_test(a_semaphore_counts_processes),
        weft_test(a_condition_keeps_processes_in_step),
        weft_test(waits_end_by_deadline_and_cancel),
        weft_test(a_coroutines_wait_can_be_cancelled),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed + (weft_shutdown(WEFT_FOREVER) < 0);
}
