/* SPDX-License-Identifier: MIT */
/*
 * Cancels that race with starts, waits and ends, of threads, tasks, calls, jobs of a pool, futures
 * and children. A cancel is delivered once or refused as already done; whatever was cancelled, it
 * completes once, its callback is called once, and what never began never begins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <string.h>

#include "stress/stress.h"
#include "support/support.h"

enum { BATCH = 48, BATCHES = 40 * STRESS_FACTOR, CHILDREN = 150 * STRESS_FACTOR, VALUE = 5 };

/* One function that is waiting while others cancel it, or let it go on. */
typedef struct race {
    weft_event event;
    weft_queue *queue;
    weft_semaphore semaphore;
    struct batch *batch;
    int wait;     /* which */
    bool lingers; /* until the cancellers are through: what was asked must arrive */
    _Atomic int begun, ended, delivered, asked, refused, completed, wrong;
} race;

typedef struct batch {
    race races[BATCH];
    void *handles[BATCH];
    weft_fn *start; /* of all of them */
    weft_executor *pool;
    weft_event started, over;
    _Atomic int cancellers; /* that still go on */
    uint64_t seed;
} batch;

static int wait_once(race *r)
{
    char byte;
    switch (r->wait) {
    case 0:
        return weft_event_wait(&r->event, WEFT_FOREVER);
    case 1:
        return weft_semaphore_acquire(&r->semaphore, WEFT_FOREVER);
    case 2:
        return weft_queue_get(r->queue, WEFT_OUT(byte), WEFT_FOREVER);
    case 3:
        return weft_wait(r->queue, WEFT_FOREVER);
    default:
        return weft_sleep(1e-6 * r->wait * 20);
    }
}

static void let_go_on(race *r)
{
    char byte = 1;
    weft_event_set(&r->event);
    if (weft_semaphore_release(&r->semaphore, 1) < 0 ||
        weft_queue_put(r->queue, WEFT_ARG(byte), WEFT_NOWAIT) < 0)
        atomic_fetch_add(&r->wrong, 1);
}

static bool delivered(race *r, int got)
{
    if (got == -ECANCELED)
        atomic_fetch_add(&r->delivered, 1);
    else if (got < 0)
        atomic_fetch_add(&r->wrong, 1);
    return got == -ECANCELED;
}

static int subject(void *arg)
{
    race *r = arg;
    atomic_fetch_add(&r->begun, 1);
    bool cancelled = delivered(r, wait_once(r));
    if (r->lingers) {
        while (atomic_load(&r->batch->cancellers) > 0)
            sched_yield();
        for (int i = 0; i < 4; i++)
            cancelled |= delivered(r, weft_sleep(0));
        if (weft_cancelled() != (atomic_load(&r->asked) > 0))
            atomic_fetch_add(&r->wrong, 1);
    }
    if (cancelled && !weft_cancelled())
        atomic_fetch_add(&r->wrong, 1);
    atomic_fetch_add(&r->ended, 1);
    return cancelled ? -ECANCELED : VALUE;
}

static void count(void *handle, void *arg)
{
    race *r = arg;
    atomic_fetch_add(&r->completed, 1);
    if (!weft_done(handle))
        atomic_fetch_add(&r->wrong, 1);
}

/* ---- how they start */

static int start_threads(void *arg)
{
    batch *b = *(batch **)arg;
    for (int i = 0; i < BATCH; i++) {
        weft_thread *thread;
        int r = weft_thread_start(&thread, subject, WEFT_POINTER(&b->races[i]), NULL);
        if (r < 0)
            return r;
        b->handles[i] = thread;
    }
    weft_event_set(&b->started);
    return weft_event_wait(&b->over, WEFT_FOREVER);
}

static int in_loop(batch *b, bool calls)
{
    for (int i = 0; i < BATCH; i++) {
        weft_task *task = NULL;
        weft_call *call = NULL;
        race *arg = &b->races[i];
        int r = !calls ? weft_task_start(&task, subject, WEFT_POINTER(arg), NULL)
                : i % 2 == 0
                    ? weft_loop_call_soon(weft_loop_current(), &call, subject, WEFT_POINTER(arg))
                    : weft_loop_call_later(weft_loop_current(), &call, i * 10e-6, subject,
                                           WEFT_POINTER(arg));
        if (r < 0)
            return r;
        b->handles[i] = calls ? (void *)call : (void *)task;
    }
    weft_event_set(&b->started);
    return weft_event_wait(&b->over, WEFT_FOREVER);
}

static int tasks_of(void *arg)
{
    return in_loop(*(batch **)arg, false);
}

static int calls_of(void *arg)
{
    return in_loop(*(batch **)arg, true);
}

static int start_tasks(void *arg)
{
    return weft_run(tasks_of, arg, sizeof(batch *), NULL);
}

static int start_calls(void *arg)
{
    return weft_run(calls_of, arg, sizeof(batch *), NULL);
}

static int start_jobs(void *arg)
{
    batch *b = *(batch **)arg;
    for (int i = 0; i < BATCH; i++) {
        weft_future *future;
        int r = weft_submit(b->pool, &future, subject, WEFT_POINTER(&b->races[i]), NULL);
        if (r < 0)
            return r;
        b->handles[i] = future;
    }
    weft_event_set(&b->started);
    return weft_event_wait(&b->over, WEFT_FOREVER);
}

/* ---- those who race */

typedef struct crewman {
    batch *batch;
    uint64_t seed;
} crewman;

static int cancel_some(void *arg)
{
    batch *b = ((crewman *)arg)->batch;
    uint64_t seed = ((crewman *)arg)->seed;
    for (int n = 0; n < BATCH * 2 / 3; n++) {
        uint32_t i = stress_random(&seed) % BATCH;
        int r = weft_cancel(b->handles[i]);
        race *cancelled = &b->races[i];
        atomic_fetch_add(r == 1   ? &cancelled->asked
                         : r == 0 ? &cancelled->refused
                                  : &cancelled->wrong,
                         1);
        if (stress_random(&seed) % 4 == 0)
            weft_sleep(stress_random(&seed) % 20 * 1e-6);
    }
    atomic_fetch_sub(&b->cancellers, 1);
    return 0;
}

static int let_all_go_on(void *arg)
{
    batch *b = ((crewman *)arg)->batch;
    uint64_t seed = ((crewman *)arg)->seed;
    uint32_t first = stress_random(&seed) % BATCH;
    for (uint32_t n = 0; n < BATCH; n++) {
        let_go_on(&b->races[(first + n * 7) % BATCH]); /* 7 and BATCH have no common factor */
        if (stress_random(&seed) % 4 == 0)
            weft_sleep(stress_random(&seed) % 20 * 1e-6);
    }
    return 0;
}

static const char *verdict(race *r, int result, int results)
{
    if (atomic_load(&r->wrong) != 0)
        return "a wait or a cancel failed, or weft_cancelled is wrong";
    if (atomic_load(&r->completed) != 1)
        return "the callback was not called once";
    if (atomic_load(&r->begun) > 1 || atomic_load(&r->begun) != atomic_load(&r->ended))
        return "the function ran more than once, or is not over";
    if (atomic_load(&r->begun) == 0)
        return result == -ECANCELED && atomic_load(&r->asked) > 0 ? NULL : "it was never run";
    if (results != result)
        return "its results differ";
    if (result != (atomic_load(&r->delivered) > 0 ? -ECANCELED : VALUE))
        return "the result is not what the function returned";
    if (atomic_load(&r->delivered) > atomic_load(&r->asked))
        return "more was delivered than asked";
    if (r->lingers && atomic_load(&r->asked) > 0 && atomic_load(&r->delivered) == 0)
        return "what was asked has not been delivered";
    return NULL;
}

static _Atomic long callbacks; /* of all batches */

static void prepare(batch *b)
{
    memset(b->races, 0, sizeof b->races);
    weft_event_clear(&b->started);
    weft_event_clear(&b->over);
    atomic_store(&b->cancellers, 2);
    for (int i = 0; i < BATCH; i++) {
        race *r = &b->races[i];
        r->batch = b;
        r->wait = (int)(stress_random(&b->seed) % 8);
        r->lingers = stress_random(&b->seed) % 2 == 0;
        assert_int_equal(weft_queue_open(&r->queue, NULL), 0);
    }
}

static const char *look_at(batch *b, int i)
{
    race *r = &b->races[i];
    int result = weft_result(b->handles[i], WEFT_NONE, WEFT_FOREVER);
    int again = weft_result(b->handles[i], WEFT_NONE, WEFT_NOWAIT);
    int late = weft_cancel(b->handles[i]);
    weft_release(b->handles[i]); /* its callback may still be to come */
    while (atomic_load(&r->completed) == 0)
        sched_yield();
    return late != 0 ? "cancelled what was done" : verdict(r, result, again);
}

static void run_batch(batch *b)
{
    weft_thread *starter, *crew[3];
    weft_fn *const fns[3] = {cancel_some, cancel_some, let_all_go_on};
    const char *bad = NULL, *found;
    prepare(b);
    assert_int_equal(weft_thread_start(&starter, b->start, WEFT_ARG(b), NULL), 0);
    assert_int_equal(weft_event_wait(&b->started, WEFT_FOREVER), 0);
    for (int i = 0; i < 3; i++) {
        crewman c = {b, b->seed + (uint64_t)i};
        assert_int_equal(weft_thread_start(&crew[i], fns[i], WEFT_ARG(c), NULL), 0);
    }
    for (int i = 0; i < BATCH; i++) {
        if (weft_add_done_callback(b->handles[i], count, &b->races[i]) < 0)
            bad = "no callback";
    }
    for (int i = 0; i < 3; i++)
        (void)weft_thread_join(crew[i], WEFT_FOREVER);
    for (int i = 0; i < BATCH; i++) {
        found = look_at(b, i);
        bad = bad != NULL ? bad : found;
    }
    weft_event_set(&b->over);
    int r = weft_result(starter, WEFT_NONE, WEFT_FOREVER);
    weft_release(starter);
    weft_release_many(crew, 3);
    for (int i = 0; i < BATCH; i++) {
        callbacks += b->races[i].completed;
        weft_release(b->races[i].queue);
    }
    if (bad != NULL)
        fail_msg("%s", bad);
    assert_int_equal(r, 0);
}

static void run(const char *name, weft_fn *start)
{
    static batch b;
    b.seed = stress_seed(name);
    b.start = start;
    callbacks = 0;
    assert_int_equal(weft_thread_pool_open(&b.pool, &(weft_thread_pool_options){.max_workers = 3}),
                     0);
    for (int i = 0; i < BATCHES; i++)
        run_batch(&b);
    weft_release(b.pool);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    for (int i = 0; i < BATCH; i++) /* of the last ones, now that nothing runs any more */
        assert_int_equal(b.races[i].completed, 1);
    assert_int_equal(callbacks, (long)BATCH * BATCHES);
}

static void threads(void **state)
{
    (void)state;
    run("cancel threads", start_threads);
}

static void tasks(void **state)
{
    (void)state;
    run("cancel tasks", start_tasks);
}

static void calls(void **state)
{
    (void)state;
    run("cancel calls", start_calls);
}

static void jobs(void **state)
{
    (void)state;
    run("cancel jobs", start_jobs);
}

/* ---- futures that somebody sets: one of three wins */

typedef struct prize {
    weft_future *future;
    _Atomic int winner, winners, completed;
} prize;

typedef struct contest {
    prize prizes[BATCH];
    _Atomic int ready;
} contest;

typedef struct contender {
    contest *contest;
    int who; /* 0: a result, 1: a failure, 2: a cancel, 3: waits */
} contender;

static const int outcomes[] = {0, -EDOM, -ECANCELED};

static void count_prize(void *handle, void *arg)
{
    (void)handle;
    atomic_fetch_add(&((prize *)arg)->completed, 1);
}

static int contend(void *arg)
{
    contender c = *(contender *)arg;
    atomic_fetch_add(&c.contest->ready, 1);
    while (atomic_load(&c.contest->ready) < 4)
        sched_yield();
    for (int i = 0; i < BATCH; i++) {
        prize *p = &c.contest->prizes[i];
        bool won = false;
        if (c.who == 0)
            won = weft_future_set_result(p->future, WEFT_NONE) == 0;
        else if (c.who == 1)
            won = weft_future_set_exception(p->future, -EDOM, NULL) == 0;
        else if (c.who == 2)
            won = weft_cancel(p->future) == 1;
        else
            (void)weft_wait(p->future, WEFT_FOREVER);
        if (won) {
            atomic_fetch_add(&p->winners, 1);
            atomic_store(&p->winner, c.who);
        }
    }
    return 0;
}

static void futures(void **state)
{
    static contest all;
    (void)state;
    for (int n = 0; n < 10 * BATCHES; n++) {
        weft_thread *threads[4];
        memset(&all, 0, sizeof all);
        for (int i = 0; i < BATCH; i++) {
            prize *p = &all.prizes[i];
            assert_int_equal(weft_future_open(&p->future), 0);
            assert_int_equal(weft_add_done_callback(p->future, count_prize, p), 0);
        }
        for (int i = 0; i < 4; i++) {
            contender c = {&all, i};
            assert_int_equal(weft_thread_start(&threads[i], contend, WEFT_ARG(c), NULL), 0);
        }
        for (int i = 0; i < 4; i++)
            assert_int_equal(weft_thread_join(threads[i], WEFT_FOREVER), 0);
        for (int i = 0; i < BATCH; i++) {
            prize *p = &all.prizes[i];
            assert_int_equal(p->winners, 1);
            assert_int_equal(p->completed, 1);
            assert_int_equal(weft_result(p->future, WEFT_NONE, WEFT_NOWAIT), outcomes[p->winner]);
            weft_release(p->future);
        }
        weft_release_many(threads, 4);
    }
}

/* ---- children, and those who wait for them */

typedef struct vigil {
    weft_popen *popen;
    int returncode;
} vigil;

static int wait_for_child(void *arg)
{
    vigil *v = arg;
    return weft_popen_wait(v->popen, &v->returncode, WEFT_FOREVER);
}

static int wait_in_loop(void *arg)
{
    return weft_run(wait_for_child, WEFT_POINTER(arg), NULL);
}

static void watch_child(uint64_t *seed)
{
    int asked[2], returncode = -1;
    vigil vigils[2];
    weft_popen *popen;
    weft_thread *threads[2];
    assert_int_equal(weft_popen_shell(&popen, "exit 5", NULL), 0);
    for (int i = 0; i < 2; i++) {
        vigils[i] = (vigil){popen, 77};
        assert_int_equal(weft_thread_start(&threads[i], i == 0 ? wait_for_child : wait_in_loop,
                                           WEFT_POINTER(&vigils[i]), NULL),
                         0);
    }
    weft_sleep(stress_random(seed) % 3000 * 1e-6);
    for (int i = 0; i < 2; i++)
        asked[i] = stress_random(seed) % 3 == 0 ? weft_cancel(threads[i]) : 0;
    int cancelled = stress_random(seed) % 2 == 0 ? weft_cancel(popen) : 0;
    bool running = cancelled == 1;
    assert_int_equal(weft_popen_wait(popen, &returncode, WEFT_FOREVER), 0);
    for (int i = 0; i < 2; i++) {
        int r = weft_result(threads[i], WEFT_NONE, WEFT_FOREVER);
        assert_true(r == 0 || (r == -ECANCELED && asked[i] == 1));
        assert_int_equal(vigils[i].returncode, r == 0 ? returncode : 77);
    }
    assert_true(returncode == 5 || (returncode == -15 && running));
    assert_int_equal(weft_cancel(popen), 0);
    weft_release_many(threads, 2);
    weft_release(popen);
}

static void children(void **state)
{
    uint64_t seed = stress_seed("cancel children");
    (void)state;
    for (int i = 0; i < CHILDREN; i++)
        watch_child(&seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(threads), weft_test(tasks),   weft_test(calls),
        weft_test(jobs),    weft_test(futures), weft_test(children),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
