/* SPDX-License-Identifier: MIT */
/* rlock, condition on one, barrier and once in memory that processes share; the others are in
 * unit/multiprocessing/shared_sync. */
#include "support/places.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

enum { SIDES = 3, ROUNDS = 300 };

typedef struct common {
    weft_rlock rlock;
    weft_condition condition;
    weft_barrier barrier;
    weft_once once;
    weft_event go;
    _Atomic int here, steps, first, calls;
    int count;
    bool ready;
} common;

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

static weft_process *start(weft_fn *fn, common *shared)
{
    weft_process *process;
    assert_int_equal(weft_process_start(&process, fn, WEFT_POINTER(shared), NULL), 0);
    return process;
}

static void finish(weft_process *process, int wanted)
{
    assert_int_equal(weft_result(process, WEFT_NONE, WEFT_FOREVER), wanted);
    weft_release(process);
}

static void kill_it(weft_process *process)
{
    assert_int_equal(weft_process_kill(process), 0);
    assert_int_equal(weft_process_join(process, WEFT_FOREVER), 0);
    weft_release(process);
}

/* fn in processes, in one of their loops, and in a thread here. */
static int in_a_loop(void *arg, weft_fn *fn)
{
    return weft_run(fn, WEFT_POINTER(arg), NULL);
}

static void wait_for_death(void)
{
    for (;;)
        pause();
}

/* ---- rlock -------------------------------------------------------------------------------------
 */

static int count_up(void *arg)
{
    common *shared = arg;
    for (int i = 0; i < ROUNDS; i++) {
        int r = weft_rlock_acquire(&shared->rlock, WEFT_FOREVER);
        if (r == 0)
            r = weft_rlock_acquire(&shared->rlock, WEFT_NOWAIT);
        if (r != 0)
            return r < 0 ? r : -EOWNERDEAD;
        shared->count++;
        if (weft_rlock_release(&shared->rlock) < 0 || weft_rlock_release(&shared->rlock) < 0)
            return -EPERM;
    }
    return 0;
}

static int count_up_in_a_loop(void *arg)
{
    return in_a_loop(arg, count_up);
}

static void an_rlock_excludes_processes(void **state)
{
    (void)state;
    common *shared = new_common();
    weft_process *first = start(count_up, shared), *second = start(count_up_in_a_loop, shared);
    assert_int_equal(in_a_thread(count_up, shared), 0);
    finish(first, 0);
    finish(second, 0);
    assert_int_equal(shared->count, 3 * ROUNDS);
    assert_false(weft_rlock_locked(&shared->rlock));
    weft_shared_free(shared);
}

static int try_as_another(void *arg)
{
    common *shared = arg;
    int r = weft_rlock_release(&shared->rlock);
    if (r == -EPERM)
        r = weft_rlock_acquire(&shared->rlock, WEFT_NOWAIT);
    return r == -ETIMEDOUT ? 0 : -EIO;
}

/* The child has the same contexts at the same addresses. */
static void a_process_does_not_have_what_its_parent_has(void **state)
{
    (void)state;
    common *shared = new_common();
    assert_int_equal(weft_rlock_acquire(&shared->rlock, WEFT_FOREVER), 0);
    finish(start(try_as_another, shared), 0);
    assert_int_equal(weft_rlock_release(&shared->rlock), 0);
    weft_shared_free(shared);
}

static int die_with_rlock(void *arg)
{
    common *shared = arg;
    for (int i = 0; i < 3; i++)
        weft_rlock_acquire(&shared->rlock, WEFT_FOREVER);
    shared->here = 1;
    wait_for_death();
    return 0;
}

static void a_dead_holders_rlock_is_acquired_with_1(void **state)
{
    (void)state;
    common *shared = new_common();
    weft_process *process = start(die_with_rlock, shared);
    await(&shared->here, 1);
    assert_int_equal(weft_rlock_acquire(&shared->rlock, 0.001), -ETIMEDOUT);
    kill_it(process);
    assert_int_equal(weft_rlock_acquire(&shared->rlock, WEFT_FOREVER), 1);
    assert_int_equal(weft_rlock_release(&shared->rlock), 0); /* one level was enough */
    assert_false(weft_rlock_locked(&shared->rlock));
    weft_shared_free(shared);
}

static int make_ready(void *arg)
{
    common *shared = arg;
    int r = weft_condition_acquire(&shared->condition, WEFT_FOREVER);
    if (r == 0) {
        shared->ready = true;
        r = weft_condition_notify(&shared->condition, 1);
    }
    return r == 0 ? weft_condition_release(&shared->condition) : r;
}

static bool is_ready(void *arg)
{
    return ((common *)arg)->ready;
}

static int wait_two_levels_deep(void *arg)
{
    common *shared = arg;
    for (int i = 0; i < 2; i++)
        if (weft_condition_acquire(&shared->condition, WEFT_FOREVER) != 0)
            return -EIO;
    shared->here++;
    int r = weft_condition_wait_for(&shared->condition, is_ready, shared, WEFT_FOREVER);
    for (int i = 0; i < 2; i++)
        if (weft_condition_release(&shared->condition) < 0)
            return -EIO;
    return r;
}

static int wait_in_a_loop(void *arg)
{
    return in_a_loop(arg, wait_two_levels_deep);
}

static void a_wait_drops_all_levels_of_a_shared_rlock(void **state)
{
    (void)state;
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        common *shared = new_common();
        shared->condition.rlock = &shared->rlock;
        weft_process *process = start(in_loop ? wait_in_a_loop : wait_two_levels_deep, shared);
        await(&shared->here, 1);
        assert_int_equal(make_ready(shared), 0);
        finish(process, 0);
        assert_false(weft_condition_locked(&shared->condition));
        weft_shared_free(shared);
    }
}

enum { AT_ONCE_MS = 30, SCOPE_MS = 100, HELD_MS = 150 };

static int notify_and_hold(void *arg)
{
    common *shared = arg;
    int r = weft_condition_acquire(&shared->condition, WEFT_FOREVER);
    if (r == 0)
        r = weft_condition_notify(&shared->condition, 1);
    if (r == 0)
        r = weft_sleep(AT_ONCE_MS / 1e3); /* by now the waiter wants the lock */
    if (r == 0 && shared->ready)
        raise(SIGUSR1);
    if (r == 0)
        r = weft_sleep(HELD_MS / 1e3);
    return r == 0 ? weft_condition_release(&shared->condition) : r;
}

/* What the wait returns, and a sleep after it. */
static void wait_for_a_slow_lock(common *shared, bool in_scope, int results[2])
{
    weft_thread *thread;
    int scope = in_scope ? weft_timeout_begin(SCOPE_MS / 1e3) : -1;
    results[0] = weft_condition_acquire(&shared->condition, WEFT_FOREVER);
    int started = weft_thread_start(&thread, notify_and_hold, WEFT_POINTER(shared), NULL);
    if (started == 0)
        results[0] = weft_condition_wait(&shared->condition, WEFT_FOREVER);
    weft_condition_release(&shared->condition);
    if (in_scope)
        results[0] = weft_timeout_end(scope, results[0]);
    results[1] = weft_sleep(0.001);
    weft_thread_join(thread, WEFT_FOREVER);
    weft_release(thread);
}

static int wait_in_a_scope(void *arg)
{
    int results[2];
    wait_for_a_slow_lock(arg, true, results);
    return results[0] < 0 && results[0] != -ETIMEDOUT ? results[0] : results[1];
}

/* A scope whose time is up while the wait takes its lock back concerns the next wait in it, and
 * none after it. */
static void a_scope_ends_with_its_end(void **state)
{
    (void)state;
    common *shared = new_common();
    shared->condition.rlock = &shared->rlock;
    in_each_place(wait_in_a_scope, shared);
    weft_shared_free(shared);
}

static int have_enough(const weft_signal_info *info, void *arg)
{
    (void)info;
    (void)arg;
    return -20001;
}

static void a_handlers_code_is_not_lost_where_a_wait_takes_its_lock_back(void **state)
{
    (void)state;
    common *shared = new_common();
    int results[2];
    shared->ready = true;
    assert_int_equal(weft_signal_set(SIGUSR1, have_enough, NULL), 0);
    wait_for_a_slow_lock(shared, false, results);
    assert_int_equal(results[0] + results[1], -20001); /* of the wait or, as a rule, the next */
    assert_int_equal(weft_signal_restore(SIGUSR1), 0);
    weft_shared_free(shared);
}

/* ---- barrier -----------------------------------------------------------------------------------
 */

static int walk(void *arg)
{
    common *shared = arg;
    int parties = (int)shared->barrier.parties;
    for (int i = 0; i < ROUNDS; i++) {
        atomic_fetch_add(&shared->steps, 1);
        int r = weft_barrier_wait(&shared->barrier, WEFT_FOREVER);
        if (r < 0)
            return r;
        if (r == 0)
            atomic_fetch_add(&shared->first, 1);
        if (atomic_load(&shared->steps) < (i + 1) * parties)
            return -EIO;
    }
    return 0;
}

static int two_walk(void *arg)
{
    weft_task *tasks[2];
    for (int i = 0; i < 2; i++) {
        int r = weft_task_start(&tasks[i], walk, WEFT_POINTER(arg), NULL);
        if (r < 0)
            return r;
    }
    int r = weft_gather(tasks, 2, WEFT_FOREVER);
    weft_release_many(tasks, 2);
    return r;
}

static int two_walk_in_a_loop(void *arg)
{
    return in_a_loop(arg, two_walk);
}

static int call(void *arg)
{
    common *shared = arg;
    atomic_fetch_add(&shared->calls, 1);
    return 0;
}

static void processes_go_in_step(void **state)
{
    (void)state;
    for (int acts = 0; acts < 2; acts++) {
        common *shared = new_common();
        shared->barrier = (weft_barrier){.parties = 5, .arg = shared};
        shared->barrier.action = acts ? call : NULL;
        weft_process *all[3] = {start(walk, shared), start(walk, shared),
                                start(two_walk_in_a_loop, shared)};
        assert_int_equal(walk(shared), 0);
        for (int i = 0; i < 3; i++)
            finish(all[i], 0);
        assert_int_equal(shared->first, ROUNDS);
        assert_int_equal(shared->calls, acts ? ROUNDS : 0);
        assert_int_equal(weft_barrier_n_waiting(&shared->barrier), 0);
        weft_shared_free(shared);
    }
}

static int come(void *arg)
{
    common *shared = arg;
    return weft_barrier_wait(&shared->barrier, WEFT_FOREVER);
}

static int come_in_a_loop(void *arg)
{
    return in_a_loop(arg, come);
}

static void await_waiting(const weft_barrier *barrier, size_t count)
{
    while (weft_barrier_n_waiting(barrier) != count)
        weft_sleep(0.0005);
}

static void what_breaks_it_breaks_it_in_all_processes(void **state)
{
    (void)state;
    enum { ABORT, RESET, TIMEOUT, WAYS };
    for (int way = 0; way < WAYS; way++) {
        common *shared = new_common();
        shared->barrier.parties = 4;
        weft_process *first = start(come, shared), *second = start(come_in_a_loop, shared);
        await_waiting(&shared->barrier, 2);
        if (way == TIMEOUT)
            assert_int_equal(weft_barrier_wait(&shared->barrier, 0.001), -ETIMEDOUT);
        else
            assert_int_equal(way == ABORT ? weft_barrier_abort(&shared->barrier)
                                          : weft_barrier_reset(&shared->barrier),
                             0);
        finish(first, WEFT_EBROKEN_BARRIER);
        finish(second, WEFT_EBROKEN_BARRIER);
        assert_int_equal(weft_barrier_broken(&shared->barrier), way != RESET);
        if (way != RESET)
            assert_int_equal(weft_barrier_wait(&shared->barrier, WEFT_FOREVER),
                             WEFT_EBROKEN_BARRIER);
        assert_int_equal(weft_barrier_reset(&shared->barrier), 0);
        shared->barrier.parties = 1;
        assert_int_equal(weft_barrier_wait(&shared->barrier, WEFT_FOREVER), 0);
        weft_shared_free(shared);
    }
}

static void a_cancelled_one_has_not_come(void **state)
{
    (void)state;
    common *shared = new_common();
    shared->barrier.parties = 3;
    weft_thread *threads[3];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(weft_thread_start(&threads[i], i == 0 ? come : come_in_a_loop,
                                           WEFT_POINTER(shared), NULL),
                         0);
        await_waiting(&shared->barrier, (size_t)i + 1);
    }
    assert_int_equal(weft_cancel(threads[0]), 1);
    assert_int_equal(weft_result(threads[0], WEFT_NONE, WEFT_FOREVER), -ECANCELED);
    assert_int_equal(weft_barrier_n_waiting(&shared->barrier), 1);
    assert_false(weft_barrier_broken(&shared->barrier));
    assert_int_equal(weft_thread_start(&threads[2], come, WEFT_POINTER(shared), NULL), 0);
    await_waiting(&shared->barrier, 2);
    assert_int_equal(weft_barrier_wait(&shared->barrier, WEFT_FOREVER), 2);
    assert_int_equal(weft_result(threads[1], WEFT_NONE, WEFT_FOREVER), 1);
    assert_int_equal(weft_result(threads[2], WEFT_NONE, WEFT_FOREVER),
                     0); /* the one that was free */
    weft_release_many(threads, 3);
    weft_shared_free(shared);
}

static int act(void *arg)
{
    common *shared = arg;
    atomic_fetch_add(&shared->here, 1);
    return weft_event_wait(&shared->go, WEFT_FOREVER);
}

static int cancel_and_look(void *arg)
{
    common *shared = arg;
    int r = weft_barrier_wait(&shared->barrier, WEFT_FOREVER);
    return r < 0 ? r : weft_sleep(0) == -ECANCELED ? 10 + r : -EIO;
}

static void who_waits_stays_until_the_action_is_over(void **state)
{
    (void)state;
    common *shared = new_common();
    weft_thread *thread;
    shared->barrier = (weft_barrier){.parties = 2, .action = act, .arg = shared};
    assert_int_equal(weft_thread_start(&thread, cancel_and_look, WEFT_POINTER(shared), NULL), 0);
    await_waiting(&shared->barrier, 1);
    weft_process *actor = start(come, shared);
    await(&shared->here, 1);
    assert_int_equal(weft_barrier_n_waiting(&shared->barrier), 0);
    assert_int_equal(weft_cancel(thread), 1); /* too late: it comes to its next wait */
    assert_int_equal(weft_thread_join(thread, 0.01), -ETIMEDOUT);
    weft_event_set(&shared->go);
    finish(actor, 1);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 10);
    weft_release(thread);
    /* the next round: whose time is up before it begins breaks it alone */
    weft_event_clear(&shared->go);
    weft_process *first = start(come, shared);
    await_waiting(&shared->barrier, 1);
    actor = start(come, shared);
    await(&shared->here, 2);
    assert_int_equal(weft_barrier_wait(&shared->barrier, 0.001), -ETIMEDOUT);
    weft_event_set(&shared->go);
    finish(actor, 1);
    finish(first, 0);
    assert_true(weft_barrier_broken(&shared->barrier));
    weft_shared_free(shared);
}

static int come_later(void *arg)
{
    common *shared = arg;
    await(&shared->here, 1);
    atomic_fetch_add(&shared->here, 1);
    return come(arg);
}

static void a_process_that_dies_in_the_action_breaks_it(void **state)
{
    (void)state;
    common *shared = new_common();
    shared->barrier = (weft_barrier){.parties = 3, .action = act, .arg = shared};
    weft_process *first = start(come, shared), *second = start(come_in_a_loop, shared);
    await_waiting(&shared->barrier, 2);
    weft_process *later = start(come_later, shared); /* waits for the action to end */
    weft_process *actor = start(come, shared);
    await(&shared->here, 2);
    kill_it(actor);
    finish(first, WEFT_EBROKEN_BARRIER);
    finish(second, WEFT_EBROKEN_BARRIER);
    finish(later, WEFT_EBROKEN_BARRIER);
    assert_true(weft_barrier_broken(&shared->barrier));
    assert_int_equal(weft_barrier_reset(&shared->barrier), 0);
    shared->barrier.parties = 1;
    shared->barrier.action = NULL;
    assert_int_equal(weft_barrier_wait(&shared->barrier, WEFT_FOREVER), 0);
    weft_shared_free(shared);
}

static int die_in_the_guard(void *arg)
{
    common *shared = arg;
    weft_lock_acquire(&shared->barrier.guard_, WEFT_FOREVER);
    shared->here = 1;
    wait_for_death();
    return 0;
}

static void a_process_that_dies_inside_breaks_it(void **state)
{
    (void)state;
    common *shared = new_common();
    shared->barrier.parties = 2;
    weft_process *first = start(come, shared);
    await_waiting(&shared->barrier, 1);
    weft_process *process = start(die_in_the_guard, shared);
    await(&shared->here, 1);
    kill_it(process);
    assert_int_equal(weft_barrier_wait(&shared->barrier, WEFT_FOREVER), WEFT_EBROKEN_BARRIER);
    finish(first, WEFT_EBROKEN_BARRIER);
    weft_shared_free(shared);
}

/* ---- once --------------------------------------------------------------------------------------
 */

static int call_once(void *arg)
{
    common *shared = arg;
    atomic_fetch_add(&shared->here, 1);
    return weft_once_run(&shared->once, call, shared, WEFT_FOREVER);
}

static int die_in_call(void *arg)
{
    common *shared = arg;
    shared->here = 1;
    wait_for_death();
    return 0;
}

static int die_in_once(void *arg)
{
    common *shared = arg;
    return weft_once_run(&shared->once, die_in_call, shared, WEFT_FOREVER);
}

static void once_is_once_for_all_processes(void **state)
{
    (void)state;
    common *shared = new_common();
    weft_process *dies = start(die_in_once, shared);
    await(&shared->here, 1);
    weft_process *all[SIDES];
    for (int i = 0; i < SIDES; i++)
        all[i] = start(call_once, shared);
    await(&shared->here, 1 + SIDES);
    kill_it(dies); /* and the next one does it */
    for (int i = 0; i < SIDES; i++)
        finish(all[i], 0);
    assert_int_equal(shared->calls, 1);
    assert_true(weft_once_done(&shared->once));
    weft_shared_free(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(an_rlock_excludes_processes),
        weft_test(a_process_does_not_have_what_its_parent_has),
        weft_test(a_dead_holders_rlock_is_acquired_with_1),
        weft_test(a_wait_drops_all_levels_of_a_shared_rlock),
        weft_test(a_scope_ends_with_its_end),
        weft_test(a_handlers_code_is_not_lost_where_a_wait_takes_its_lock_back),
        weft_test(processes_go_in_step),
        weft_test(what_breaks_it_breaks_it_in_all_processes),
        weft_test(a_cancelled_one_has_not_come),
        weft_test(who_waits_stays_until_the_action_is_over),
        weft_test(a_process_that_dies_in_the_action_breaks_it),
        weft_test(a_process_that_dies_inside_breaks_it),
        weft_test(once_is_once_for_all_processes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
