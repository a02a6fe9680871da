/* SPDX-License-Identifier: MIT */
#include "support/coroutines.h"
#include "support/places.h"

enum { PARTIES = 4 };

typedef struct party {
    weft_barrier *barrier;
    double timeout;
    int r, next; /* of the wait, and of a sleep after it */
} party;

static void come(void *arg)
{
    party *p = arg;
    p->r = weft_barrier_wait(p->barrier, p->timeout);
    p->next = weft_sleep(0);
}

/* A loop in the test's thread, with parties that have come. */
typedef struct meeting {
    weft_runner *runner;
    unsigned left;
    weft_context *contexts[PARTIES];
    party parties[PARTIES];
} meeting;

static void settle(meeting *m)
{
    for (int i = 0; i < 6; i++)
        weft_runner_turn(m->runner, WEFT_INSTANT_NOW);
}

static void send_one(meeting *m, weft_barrier *barrier, int i, double timeout)
{
    m->parties[i] = (party){barrier, timeout, -EIO, -EIO};
    m->contexts[i] = coroutine_spawn(m->runner, &m->left, come, &m->parties[i]);
    settle(m);
}

static void meeting_open(meeting *m, weft_barrier *barrier, int count)
{
    *m = (meeting){.runner = coroutines_open()};
    for (int i = 0; i < count; i++)
        send_one(m, barrier, i, WEFT_FOREVER);
}

static void meeting_close(meeting *m)
{
    assert_int_equal(coroutines_run(m->runner, &m->left), 0);
    weft_runner_close(m->runner);
}

static void without_parties_it_is_refused(void **state)
{
    (void)state;
    weft_barrier barrier = {0};
    assert_int_equal(weft_barrier_wait(&barrier, WEFT_FOREVER), -EINVAL);
    barrier.parties = 2;
    assert_int_equal(weft_barrier_wait(&barrier, 0.0 / (double)barrier.arrived_), -EINVAL);
    assert_int_equal(weft_barrier_n_waiting(&barrier), 0);
}

static int count_rounds(void *arg)
{
    return ++*(int *)arg;
}

static void one_party_runs_the_action_each_time(void **state)
{
    (void)state;
    int rounds = 0;
    weft_barrier barrier = {.parties = 1, .action = count_rounds, .arg = &rounds};
    for (int i = 0; i < 3; i++)
        assert_int_equal(weft_barrier_wait(&barrier, WEFT_NOWAIT), 0);
    assert_int_equal(rounds, 3);
}

static void the_last_lets_all_go_and_each_has_its_index(void **state)
{
    (void)state;
    int rounds = 0;
    weft_barrier barrier = {.parties = PARTIES, .action = count_rounds, .arg = &rounds};
    meeting m;
    meeting_open(&m, &barrier, PARTIES - 1);
    assert_int_equal(m.left, PARTIES - 1);
    assert_int_equal(weft_barrier_n_waiting(&barrier), PARTIES - 1);
    assert_int_equal(rounds, 0);
    assert_int_equal(weft_barrier_wait(&barrier, WEFT_FOREVER), PARTIES - 1);
    assert_int_equal(rounds, 1);
    assert_int_equal(weft_barrier_n_waiting(&barrier), 0);
    meeting_close(&m);
    for (int i = 0; i < PARTIES - 1; i++)
        assert_int_equal(m.parties[i].r, i);
}

static int fail_to_act(void *arg)
{
    (void)arg;
    return weft_error(-EDOM, "the action fails");
}

static void a_failing_action_breaks_it(void **state)
{
    (void)state;
    weft_barrier barrier = {.parties = 3, .action = fail_to_act};
    meeting m;
    meeting_open(&m, &barrier, 2);
    assert_int_equal(weft_barrier_wait(&barrier, WEFT_FOREVER), -EDOM);
    assert_string_equal(weft_error_message(), "the action fails");
    assert_true(weft_barrier_broken(&barrier));
    meeting_close(&m);
    assert_int_equal(m.parties[0].r, WEFT_EBROKEN_BARRIER);
    assert_int_equal(m.parties[1].r, WEFT_EBROKEN_BARRIER);
    assert_int_equal(weft_barrier_wait(&barrier, WEFT_FOREVER), WEFT_EBROKEN_BARRIER);
    assert_string_equal(weft_error_message(), "the barrier is broken");
    assert_int_equal(weft_barrier_reset(&barrier), 0);
    assert_false(weft_barrier_broken(&barrier));
}

static void an_abort_lasts_until_the_reset(void **state)
{
    (void)state;
    weft_barrier barrier = {.parties = 3};
    meeting m;
    meeting_open(&m, &barrier, 2);
    assert_int_equal(weft_barrier_abort(&barrier), 0);
    settle(&m);
    assert_int_equal(m.left, 0);
    assert_int_equal(weft_barrier_n_waiting(&barrier), 0);
    assert_int_equal(m.parties[1].r, WEFT_EBROKEN_BARRIER);
    send_one(&m, &barrier, 0, WEFT_FOREVER);
    assert_int_equal(m.left, 0);
    assert_int_equal(m.parties[0].r, WEFT_EBROKEN_BARRIER);
    assert_int_equal(weft_barrier_reset(&barrier), 0);
    for (int i = 0; i < 2; i++)
        send_one(&m, &barrier, i, WEFT_FOREVER);
    assert_int_equal(weft_barrier_wait(&barrier, WEFT_FOREVER), 2);
    meeting_close(&m);
    assert_int_equal(m.parties[0].r, 0);
}

static void a_reset_fails_those_who_wait_alone(void **state)
{
    (void)state;
    weft_barrier barrier = {.parties = 3};
    meeting m;
    meeting_open(&m, &barrier, 2);
    assert_int_equal(weft_barrier_reset(&barrier), 0);
    assert_false(weft_barrier_broken(&barrier));
    settle(&m);
    assert_int_equal(m.parties[0].r, WEFT_EBROKEN_BARRIER);
    for (int i = 0; i < 2; i++)
        send_one(&m, &barrier, i, WEFT_FOREVER);
    assert_int_equal(weft_barrier_n_waiting(&barrier), 2);
    assert_int_equal(weft_barrier_wait(&barrier, WEFT_FOREVER), 2);
    meeting_close(&m);
    assert_int_equal(m.parties[1].r, 1);
}

static void when_time_is_up_for_one_it_is_broken_for_all(void **state)
{
    (void)state;
    weft_barrier barrier = {.parties = 3};
    meeting m;
    meeting_open(&m, &barrier, 1);
    assert_int_equal(weft_barrier_wait(&barrier, 0.001), -ETIMEDOUT);
    assert_true(weft_barrier_broken(&barrier));
    settle(&m);
    assert_int_equal(m.parties[0].r, WEFT_EBROKEN_BARRIER);
    weft_barrier_reset(&barrier);
    assert_int_equal(weft_barrier_wait(&barrier, WEFT_NOWAIT), -ETIMEDOUT);
    assert_true(weft_barrier_broken(&barrier));
    meeting_close(&m);
}

static void a_cancelled_one_has_not_come(void **state)
{
    (void)state;
    weft_barrier barrier = {.parties = 4};
    meeting m;
    meeting_open(&m, &barrier, 3);
    weft_context_cancel(m.contexts[1]);
    settle(&m);
    assert_int_equal(m.parties[1].r, -ECANCELED);
    assert_int_equal(m.parties[1].next, 0); /* delivered once */
    assert_false(weft_barrier_broken(&barrier));
    assert_int_equal(weft_barrier_n_waiting(&barrier), 2);
    send_one(&m, &barrier, 1, WEFT_FOREVER);
    assert_int_equal(weft_barrier_wait(&barrier, WEFT_FOREVER), 3);
    meeting_close(&m);
    assert_int_equal(m.parties[0].r + m.parties[1].r + m.parties[2].r, 0 + 1 + 2);
    assert_int_not_equal(m.parties[1].r, m.parties[2].r);
}

static void a_cancel_when_all_have_come_ends_the_next_wait(void **state)
{
    (void)state;
    weft_barrier barrier = {.parties = 3};
    meeting m;
    meeting_open(&m, &barrier, 2);
    assert_int_equal(weft_barrier_wait(&barrier, WEFT_FOREVER), 2);
    weft_context_cancel(m.contexts[0]);
    meeting_close(&m);
    assert_int_equal(m.parties[0].r, 0);
    assert_int_equal(m.parties[0].next, -ECANCELED);
    assert_int_equal(m.parties[1].r, 1);
    assert_int_equal(m.parties[1].next, 0);
}

/* An action that goes on when the test lets it. */
typedef struct stage {
    weft_event go;
    weft_barrier barrier;
    int r;
} stage;

static int act(void *arg)
{
    stage *s = arg;
    int r = weft_event_wait(&s->go, WEFT_FOREVER);
    return r < 0 ? r : s->r;
}

/* Two wait, the third has come and acts. */
static void stage_open(stage *s, meeting *m)
{
    *s = (stage){.barrier = {.parties = 3, .action = act, .arg = s}};
    meeting_open(m, &s->barrier, 3);
}

static void who_comes_in_the_action_waits_for_the_next_round(void **state)
{
    (void)state;
    stage s;
    meeting m;
    stage_open(&s, &m);
    assert_int_equal(m.left, 3);
    assert_int_equal(weft_barrier_n_waiting(&s.barrier), 0);
    send_one(&m, &s.barrier, 3, WEFT_FOREVER);
    assert_int_equal(m.left, 4);
    weft_event_set(&s.go);
    settle(&m);
    assert_int_equal(m.left, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(m.parties[i].r, i);
    assert_int_equal(weft_barrier_n_waiting(&s.barrier), 1);
    for (int i = 0; i < 2; i++)
        send_one(&m, &s.barrier, i, WEFT_FOREVER);
    meeting_close(&m);
    assert_int_equal(m.parties[3].r, 0);
    assert_int_equal(m.parties[1].r, 2);
}

static void a_cancel_in_the_action_waits_for_its_end(void **state)
{
    (void)state;
    for (int fails = 0; fails < 2; fails++) {
        stage s;
        meeting m;
        stage_open(&s, &m);
        weft_context_cancel(m.contexts[0]);
        settle(&m);
        assert_int_equal(m.left, 3);
        s.r = fails ? -EDOM : 0;
        weft_event_set(&s.go);
        meeting_close(&m);
        assert_int_equal(m.parties[0].r, fails ? -ECANCELED : 0);
        assert_int_equal(m.parties[0].next, fails ? 0 : -ECANCELED);
        assert_int_equal(m.parties[1].r, fails ? WEFT_EBROKEN_BARRIER : 1);
        assert_int_equal(m.parties[2].r, fails ? -EDOM : 2);
    }
}

/* Long enough for all to come before it is over, also on a busy machine. */
#define A_WHILE 0.5

static void come_in_a_scope(void *arg)
{
    party *p = arg;
    int scope = weft_timeout_begin(A_WHILE);
    p->r = weft_barrier_wait(p->barrier, p->timeout);
    p->next = weft_timeout_end(scope, weft_sleep(WEFT_FOREVER));
}

static void wait_a_while(void *arg)
{
    *(int *)arg = weft_sleep(A_WHILE + 0.01);
}

static void time_that_is_up_in_the_action_is_too_late(void **state)
{
    (void)state;
    stage s = {.barrier = {.parties = 3, .action = act, .arg = &s}};
    meeting m;
    meeting_open(&m, &s.barrier, 0);
    int woken = 1;
    m.parties[0] = (party){&s.barrier, WEFT_FOREVER, -EIO, -EIO};
    coroutine_spawn(m.runner, &m.left, come_in_a_scope, &m.parties[0]);
    send_one(&m, &s.barrier, 1, A_WHILE);
    send_one(&m, &s.barrier, 2, WEFT_FOREVER);
    coroutine_spawn(m.runner, &m.left, wait_a_while, &woken);
    while (woken != 0)
        weft_runner_turn(m.runner, WEFT_INSTANT_NEVER);
    assert_int_equal(m.left, 3);
    weft_event_set(&s.go);
    meeting_close(&m);
    for (int i = 0; i < 3; i++)
        assert_int_equal(m.parties[i].r, i);
    assert_int_equal(m.parties[0].next, -ETIMEDOUT); /* the scope's time ends the next wait */
    assert_int_equal(m.parties[1].next, 0);
    assert_false(weft_barrier_broken(&s.barrier));
}

static void time_that_is_up_before_the_next_round_breaks_that_one(void **state)
{
    (void)state;
    stage s;
    meeting m;
    stage_open(&s, &m);
    assert_int_equal(weft_barrier_wait(&s.barrier, 0.001), -ETIMEDOUT);
    send_one(&m, &s.barrier, 3, WEFT_FOREVER);
    weft_event_set(&s.go);
    meeting_close(&m);
    for (int i = 0; i < 3; i++)
        assert_int_equal(m.parties[i].r, i);
    assert_int_equal(m.parties[3].r, WEFT_EBROKEN_BARRIER);
    assert_true(weft_barrier_broken(&s.barrier));
}

static void one_that_is_cancelled_before_the_next_round_is_not_missed(void **state)
{
    (void)state;
    stage s;
    meeting m;
    stage_open(&s, &m);
    send_one(&m, &s.barrier, 3, WEFT_FOREVER);
    weft_context_cancel(m.contexts[3]);
    settle(&m);
    assert_int_equal(m.parties[3].r, -ECANCELED);
    weft_event_set(&s.go);
    meeting_close(&m);
    assert_int_equal(m.parties[2].r, 2);
    assert_int_equal(weft_barrier_n_waiting(&s.barrier), 0);
    assert_false(weft_barrier_broken(&s.barrier));
}

static void an_abort_or_reset_in_the_action_ends_the_round(void **state)
{
    (void)state;
    for (int aborts = 0; aborts < 2; aborts++) {
        stage s;
        meeting m;
        stage_open(&s, &m);
        assert_int_equal(aborts ? weft_barrier_abort(&s.barrier) : weft_barrier_reset(&s.barrier),
                         0);
        settle(&m);
        assert_int_equal(m.left, 1); /* who acts */
        assert_int_equal(m.parties[1].r, WEFT_EBROKEN_BARRIER);
        weft_event_set(&s.go);
        meeting_close(&m);
        assert_int_equal(m.parties[2].r, WEFT_EBROKEN_BARRIER);
        assert_int_equal(weft_barrier_broken(&s.barrier), aborts);
    }
}

static int child_meets(struct recorder *recorder, void *arg)
{
    stage *s = arg;
    party p = {&s->barrier, WEFT_FOREVER, -EIO, -EIO};
    RECORD(recorder, weft_barrier_n_waiting(&s->barrier) == 0);
    weft_runner *runner = coroutines_open();
    unsigned left = 0;
    s->barrier.parties = 2;
    s->barrier.action = NULL;
    coroutine_spawn(runner, &left, come, &p);
    for (int i = 0; i < 4; i++)
        weft_runner_turn(runner, WEFT_INSTANT_NOW);
    RECORD_INT(recorder, left, 1);
    RECORD_INT(recorder, weft_barrier_wait(&s->barrier, WEFT_FOREVER), 1);
    RECORD_INT(recorder, coroutines_run(runner, &left), 0);
    RECORD_INT(recorder, p.r, 0);
    return 0;
}

static int come_as_thread(void *arg)
{
    return weft_barrier_wait(arg, WEFT_FOREVER);
}

/* Whoever waited, or acted, in the parent is not in the child. */
static void a_forked_child_begins_a_round_of_its_own(void **state)
{
    (void)state;
    for (int acts = 0; acts < 2; acts++) {
        struct recorder recorder = {0};
        struct child child;
        stage s = {.barrier = {.parties = acts ? 2 : 3, .action = act, .arg = &s}};
        weft_thread *threads[2];
        for (int i = 0; i < 2; i++)
            assert_int_equal(
                weft_thread_start(&threads[i], come_as_thread, WEFT_POINTER(&s.barrier), NULL), 0);
        while (acts ? __atomic_load_n(&s.barrier.acting_, __ATOMIC_RELAXED) == 0
                    : weft_barrier_n_waiting(&s.barrier) < 2)
            weft_sleep(0);
        assert_int_equal(child_start(&child, child_meets, &s), 0);
        assert_int_equal(child_join(&child, &recorder), 0);
        weft_event_set(&s.go);
        if (!acts)
            assert_int_equal(weft_barrier_wait(&s.barrier, WEFT_FOREVER), 2);
        for (int i = 0; i < 2; i++)
            assert_true(weft_result(threads[i], WEFT_NONE, WEFT_FOREVER) >= 0);
        weft_release_many(threads, 2);
        recorder_assert(&recorder);
    }
}

/* Threads and tasks of a loop; each round all have counted before any counts the next. */
enum { ROUNDS = 500, MEMBERS = 6 };

typedef struct march {
    weft_barrier barrier;
    _Atomic int steps;
    _Atomic int first; /* those who had index 0 */
} march;

static int walk(void *arg)
{
    march *m = arg;
    for (int i = 0; i < ROUNDS; i++) {
        atomic_fetch_add(&m->steps, 1);
        int r = weft_barrier_wait(&m->barrier, WEFT_FOREVER);
        if (r < 0)
            return r;
        if (r == 0)
            atomic_fetch_add(&m->first, 1);
        if (atomic_load(&m->steps) < (i + 1) * MEMBERS)
            return -EIO;
    }
    return 0;
}

static int walk_in_three_tasks(void *arg)
{
    weft_task *tasks[3];
    for (int i = 0; i < 3; i++) {
        int r = weft_task_start(&tasks[i], walk, WEFT_POINTER(arg), NULL);
        if (r < 0)
            return r;
    }
    int r = weft_gather(tasks, 3, WEFT_FOREVER);
    weft_release_many(tasks, 3);
    return r;
}

static int walk_in_a_loop(void *arg)
{
    return in_a_task(walk_in_three_tasks, arg);
}

static void threads_and_tasks_go_in_step(void **state)
{
    (void)state;
    march m = {.barrier = {.parties = MEMBERS}};
    weft_thread *threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(
            weft_thread_start(&threads[i], i == 0 ? walk_in_a_loop : walk, WEFT_POINTER(&m), NULL),
            0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(weft_result(threads[i], WEFT_NONE, WEFT_FOREVER), 0);
    weft_release_many(threads, 4);
    assert_int_equal(m.first, ROUNDS);
}

static int shut_down(void **state)
{
    (void)state;
    return weft_shutdown(WEFT_FOREVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(without_parties_it_is_refused),
        weft_test(one_party_runs_the_action_each_time),
        weft_test(the_last_lets_all_go_and_each_has_its_index),
        weft_test(a_failing_action_breaks_it),
        weft_test(an_abort_lasts_until_the_reset),
        weft_test(a_reset_fails_those_who_wait_alone),
        weft_test(when_time_is_up_for_one_it_is_broken_for_all),
        weft_test(a_cancelled_one_has_not_come),
        weft_test(a_cancel_when_all_have_come_ends_the_next_wait),
        weft_test(who_comes_in_the_action_waits_for_the_next_round),
        weft_test(a_cancel_in_the_action_waits_for_its_end),
        weft_test(time_that_is_up_in_the_action_is_too_late),
        weft_test(time_that_is_up_before_the_next_round_breaks_that_one),
        weft_test(one_that_is_cancelled_before_the_next_round_is_not_missed),
        weft_test(an_abort_or_reset_in_the_action_ends_the_round),
        weft_test(a_forked_child_begins_a_round_of_its_own),
        weft_test(threads_and_tasks_go_in_step),
    };
    return cmocka_run_group_tests(tests, NULL, shut_down);
}
