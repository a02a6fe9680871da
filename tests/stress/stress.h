/* SPDX-License-Identifier: MIT */
/*
 * stress: a crowd of threads and tasks (in a loop of another thread) that all run one function, and
 * somebody who cancels them at random.
 *
 * Whatever a member does must survive time-outs and cancels; what it finds wrong it returns as a
 * failure, which crowd_run gives back. The seed is printed; WEFT_STRESS_SEED repeats a run.
 */
#ifndef WEFT_TESTS_STRESS_H
#define WEFT_TESTS_STRESS_H

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <weft.h>

#if defined(WEFT_TORTURE)
enum { STRESS_FACTOR = 20 };
#else
enum { STRESS_FACTOR = 1 };
#endif

enum { CROWD = 24 }; /* the most members */

static inline uint32_t stress_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

static inline uint64_t stress_seed(const char *name)
{
    const char *given = getenv("WEFT_STRESS_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)(weft_time() * 1e6);
    printf("%s: WEFT_STRESS_SEED=%llu\n", name, (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

/* For ever, a poll, or up to half a millisecond. */
static inline double stress_timeout(uint64_t *seed)
{
    uint32_t dice = stress_random(seed) % 8;
    if (dice == 0)
        return WEFT_NOWAIT;
    return dice < 4 ? stress_random(seed) % 500 * 1e-6 : WEFT_FOREVER;
}

/* Whether a wait failed only because of the test's own doing. */
static inline bool stress_expected(int r)
{
    return r == -ETIMEDOUT || r == -ECANCELED;
}

typedef struct crowd crowd;

typedef struct member {
    crowd *crowd;
    int index;
    uint64_t seed;
} member;

struct crowd {
    weft_fn *fn; /* gets a member */
    void *shared;
    int threads, tasks;
    uint64_t seed;
    void *members[CROWD]; /* handles */
    weft_event tasks_started;
    _Atomic int begun; /* one that is cancelled before would never run */
    _Atomic bool over;
};

static inline int crowd_member_(void *arg)
{
    member *m = arg;
    atomic_fetch_add(&m->crowd->begun, 1);
    return m->crowd->fn(m);
}

static inline int crowd_tasks_(void *arg)
{
    crowd *c = arg;
    int r = 0;
    for (int i = 0; i < c->tasks && r >= 0; i++) {
        weft_task *task;
        member m = {c, c->threads + i, c->seed + 1000 + (uint64_t)i};
        r = weft_task_start(&task, crowd_member_, WEFT_ARG(m), NULL);
        c->members[c->threads + i] = task;
    }
    weft_event_set(&c->tasks_started);
    if (r >= 0 && c->tasks > 0)
        r = weft_wait_all(c->members + c->threads, (size_t)c->tasks, WEFT_FOREVER);
    return r;
}

static inline int crowd_loop_(void *arg)
{
    return weft_run(crowd_tasks_, WEFT_POINTER(*(void **)arg), NULL);
}

static inline int crowd_cancel_(void *arg)
{
    crowd *c = *(crowd **)arg;
    uint64_t seed = c->seed + 7;
    while (atomic_load(&c->begun) < c->threads + c->tasks)
        weft_sleep(0);
    while (!atomic_load(&c->over)) {
        weft_cancel(c->members[stress_random(&seed) % (uint32_t)(c->threads + c->tasks)]);
        weft_sleep(stress_random(&seed) % 200 * 1e-6);
    }
    return 0;
}

/* Runs all to their ends; 0, or the first failure, printed. */
static inline int crowd_run(crowd *c)
{
    weft_thread *loop, *canceller, *thread;
    crowd *self = c;
    int r = 0;
    if (weft_thread_start(&loop, crowd_loop_, WEFT_ARG(self), NULL) < 0)
        return -1;
    weft_event_wait(&c->tasks_started, WEFT_FOREVER);
    for (int i = 0; i < c->threads; i++) {
        member m = {c, i, c->seed + (uint64_t)i};
        if (weft_thread_start(&thread, crowd_member_, WEFT_ARG(m), NULL) < 0)
            return -1;
        c->members[i] = thread;
    }
    if (weft_thread_start(&canceller, crowd_cancel_, WEFT_ARG(self), NULL) < 0)
        return -1;
    for (int i = 0; i < c->threads + c->tasks; i++) {
        int got = weft_result(c->members[i], WEFT_NONE, WEFT_FOREVER);
        if (got < 0 && r == 0) {
            r = got;
            fprintf(stderr, "member %d: %s: %s\n", i, weft_error_name(got), weft_error_message());
        }
    }
    atomic_store(&c->over, true);
    weft_thread_join(canceller, WEFT_FOREVER);
    weft_thread_join(loop, WEFT_FOREVER);
    weft_release(canceller);
    weft_release(loop);
    weft_release_many(c->members, (size_t)(c->threads + c->tasks));
    return r;
}

#endif
