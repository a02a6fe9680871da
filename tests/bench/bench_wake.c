/* SPDX-License-Identifier: MIT */
/*
 * What wakes others: conditions and events, by a turn that goes round 1, 2, 4 and 8 threads (each
 * waits for its own and wakes the next: with one thread nobody ever sleeps), and barriers.
 */
#include <pthread.h>
#include <stdbool.h>

#include "bench.h"
#include "peers.h"

#ifdef WEFT_BENCH_GLIB
#include <glib.h>
#endif
#include <weft/threading.h>

enum { MOST = 8 };

/* ---- a turn that goes round ------------------------------------------------------------------ */

typedef struct way {
    void (*wait)(size_t i); /* for the turn of i, which it ends */
    void (*wake)(size_t i); /* gives i its turn */
} way;

typedef struct member {
    size_t index, threads, turns;
    const way *how;
} member;

static void *take_turns(void *arg)
{
    const member *self = arg;
    for (size_t k = 0; k < self->turns; k++) {
        self->how->wait(self->index);
        self->how->wake((self->index + 1) % self->threads);
    }
    return NULL;
}

static void run_all(size_t threads, void *(*work)(void *), member *members)
{
    pthread_t ids[MOST];
    bench_begin();
    for (size_t i = 0; i < threads; i++)
        if (pthread_create(&ids[i], NULL, work, &members[i]) != 0)
            bench_fail("pthread_create");
    for (size_t i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    bench_end();
}

static void go_round(size_t threads, size_t n, const way *how)
{
    member members[MOST];
    for (size_t i = 0; i < threads; i++)
        members[i] = (member){i, threads, n / threads, how};
    how->wake(0);
    run_all(threads, take_turns, members);
    bench_set_operations(n / threads * threads);
}

/* One case for each number of threads. */
#define FOR_THREADS(name)                                                                          \
    static void name##_1(size_t n)                                                                 \
    {                                                                                              \
        name(1, n);                                                                                \
    }                                                                                              \
    static void name##_2(size_t n)                                                                 \
    {                                                                                              \
        name(2, n);                                                                                \
    }                                                                                              \
    static void name##_4(size_t n)                                                                 \
    {                                                                                              \
        name(4, n);                                                                                \
    }                                                                                              \
    static void name##_8(size_t n)                                                                 \
    {                                                                                              \
        name(8, n);                                                                                \
    }

/* ---- conditions ------------------------------------------------------------------------------ */

/* Each on lines of its own. */
static struct {
    _Alignas(128) weft_condition condition;
    bool turn;
} weft_places[MOST];

static void weft_condition_wait_turn(size_t i)
{
    weft_condition_acquire(&weft_places[i].condition, WEFT_FOREVER);
    while (!weft_places[i].turn)
        BENCH_CHECK(weft_condition_wait(&weft_places[i].condition, WEFT_FOREVER));
    weft_places[i].turn = false;
    weft_condition_release(&weft_places[i].condition);
}

static void weft_condition_wake(size_t i)
{
    weft_condition_acquire(&weft_places[i].condition, WEFT_FOREVER);
    weft_places[i].turn = true;
    weft_condition_notify(&weft_places[i].condition, 1);
    weft_condition_release(&weft_places[i].condition);
}

static void weft_by_condition(size_t threads, size_t n)
{
    go_round(threads, n, &(way){weft_condition_wait_turn, weft_condition_wake});
}

FOR_THREADS(weft_by_condition)

static struct {
    _Alignas(128) pthread_mutex_t mutex;
    pthread_cond_t condition;
    bool turn;
} pthread_places[MOST];

static void pthread_wait_turn(size_t i)
{
    pthread_mutex_lock(&pthread_places[i].mutex);
    while (!pthread_places[i].turn)
        pthread_cond_wait(&pthread_places[i].condition, &pthread_places[i].mutex);
    pthread_places[i].turn = false;
    pthread_mutex_unlock(&pthread_places[i].mutex);
}

static void pthread_wake(size_t i)
{
    pthread_mutex_lock(&pthread_places[i].mutex);
    pthread_places[i].turn = true;
    pthread_cond_signal(&pthread_places[i].condition);
    pthread_mutex_unlock(&pthread_places[i].mutex);
}

static void pthread_by_condition(size_t threads, size_t n)
{
    for (size_t i = 0; i < MOST; i++) {
        pthread_mutex_init(&pthread_places[i].mutex, NULL);
        pthread_cond_init(&pthread_places[i].condition, NULL);
    }
    go_round(threads, n, &(way){pthread_wait_turn, pthread_wake});
}

FOR_THREADS(pthread_by_condition)

#ifdef WEFT_BENCH_GLIB
static struct {
    _Alignas(128) GMutex mutex;
    GCond condition;
    bool turn;
} glib_places[MOST];

static void glib_wait_turn(size_t i)
{
    g_mutex_lock(&glib_places[i].mutex);
    while (!glib_places[i].turn)
        g_cond_wait(&glib_places[i].condition, &glib_places[i].mutex);
    glib_places[i].turn = false;
    g_mutex_unlock(&glib_places[i].mutex);
}

static void glib_wake(size_t i)
{
    g_mutex_lock(&glib_places[i].mutex);
    glib_places[i].turn = true;
    g_cond_signal(&glib_places[i].condition);
    g_mutex_unlock(&glib_places[i].mutex);
}

static void glib_by_condition(size_t threads, size_t n)
{
    go_round(threads, n, &(way){glib_wait_turn, glib_wake});
}

FOR_THREADS(glib_by_condition)
#endif

BENCH_GO_CASE(go_condition_1, "condition_1")
BENCH_GO_CASE(go_condition_2, "condition_2")
BENCH_GO_CASE(go_condition_4, "condition_4")
BENCH_GO_CASE(go_condition_8, "condition_8")
BENCH_PYTHON_CASE(python_condition_1, "condition_1")
BENCH_PYTHON_CASE(python_condition_2, "condition_2")
BENCH_PYTHON_CASE(python_condition_4, "condition_4")
BENCH_PYTHON_CASE(python_condition_8, "condition_8")

/* ---- events ---------------------------------------------------------------------------------- */

static struct {
    _Alignas(128) weft_event event;
} events[MOST];

static void weft_event_wait_turn(size_t i)
{
    BENCH_CHECK(weft_event_wait(&events[i].event, WEFT_FOREVER));
    weft_event_clear(&events[i].event);
}

static void weft_event_wake(size_t i)
{
    weft_event_set(&events[i].event);
}

static void weft_by_event(size_t threads, size_t n)
{
    go_round(threads, n, &(way){weft_event_wait_turn, weft_event_wake});
}

FOR_THREADS(weft_by_event)

BENCH_GO_CASE(go_event_1, "event_1")
BENCH_GO_CASE(go_event_2, "event_2")
BENCH_GO_CASE(go_event_4, "event_4")
BENCH_GO_CASE(go_event_8, "event_8")
BENCH_PYTHON_CASE(python_event_1, "event_1")
BENCH_PYTHON_CASE(python_event_2, "event_2")
BENCH_PYTHON_CASE(python_event_4, "event_4")
BENCH_PYTHON_CASE(python_event_8, "event_8")

/* ---- barriers -------------------------------------------------------------------------------- */

static weft_barrier barrier;
static pthread_barrier_t pthread_barrier;

static void *weft_meet(void *arg)
{
    const member *self = arg;
    for (size_t k = 0; k < self->turns; k++)
        BENCH_CHECK(weft_barrier_wait(&barrier, WEFT_FOREVER));
    return NULL;
}

static void *pthread_meet(void *arg)
{
    const member *self = arg;
    for (size_t k = 0; k < self->turns; k++)
        pthread_barrier_wait(&pthread_barrier);
    return NULL;
}

static void meet(size_t threads, size_t n, void *(*work)(void *))
{
    member members[MOST];
    for (size_t i = 0; i < threads; i++)
        members[i] = (member){.turns = n};
    run_all(threads, work, members);
}

static void weft_by_barrier(size_t threads, size_t n)
{
    barrier = (weft_barrier){.parties = (unsigned)threads};
    meet(threads, n, weft_meet);
}

static void pthread_by_barrier(size_t threads, size_t n)
{
    pthread_barrier_init(&pthread_barrier, NULL, (unsigned)threads);
    meet(threads, n, pthread_meet);
}

FOR_THREADS(weft_by_barrier)
FOR_THREADS(pthread_by_barrier)
BENCH_PYTHON_CASE(python_barrier_1, "barrier_1")
BENCH_PYTHON_CASE(python_barrier_2, "barrier_2")
BENCH_PYTHON_CASE(python_barrier_4, "barrier_4")
BENCH_PYTHON_CASE(python_barrier_8, "barrier_8")

/* ---- the tables ------------------------------------------------------------------------------ */

/* clang-format off */
#define CONDITIONS(threads)                                                                        \
    {                                                                                              \
        {"weft", weft_by_condition_##threads}, {"pthread", pthread_by_condition_##threads},        \
        BENCH_GLIB("glib", glib_by_condition_##threads) BENCH_GO("Go", go_condition_##threads)     \
        BENCH_PYTHON("CPython", python_condition_##threads) {0}                                    \
    }
#define EVENTS(threads)                                                                            \
    {                                                                                              \
        {"weft", weft_by_event_##threads},                                                         \
        {"pthread condition", pthread_by_condition_##threads},                                     \
        BENCH_GO("Go channel", go_event_##threads)                                                 \
        BENCH_PYTHON("CPython", python_event_##threads) {0}                                        \
    }
#define BARRIERS(threads)                                                                          \
    {                                                                                              \
        {"weft", weft_by_barrier_##threads}, {"pthread", pthread_by_barrier_##threads},            \
        BENCH_PYTHON("CPython", python_barrier_##threads) {0}                                      \
    }

static const bench_case condition_1[] = CONDITIONS(1), condition_2[] = CONDITIONS(2),
    condition_4[] = CONDITIONS(4), condition_8[] = CONDITIONS(8),
    event_1[] = EVENTS(1), event_2[] = EVENTS(2), event_4[] = EVENTS(4), event_8[] = EVENTS(8),
    barrier_1[] = BARRIERS(1), barrier_2[] = BARRIERS(2), barrier_4[] = BARRIERS(4),
    barrier_8[] = BARRIERS(8);

static const bench_subject subjects[] = {
    {"condition, 1 thread: nobody sleeps", NULL, NULL, 5000000, condition_1, {{"pthread", 1.0, false}}},
    {"condition, a turn round 2 threads", NULL, NULL, 40000, condition_2, {{"pthread,glib", 1.0, false}}},
    {"condition, a turn round 4 threads", NULL, NULL, 40000, condition_4, {{"pthread,glib", 1.0, false}}},
    {"condition, a turn round 8 threads", NULL, NULL, 40000, condition_8, {{"pthread,glib", 1.0, false}}},
    {"event, 1 thread: nobody sleeps", NULL, NULL, 10000000, event_1, {{"pthread condition", 1.0, false}}},
    {"event, a turn round 2 threads", NULL, NULL, 40000, event_2, {{"pthread condition", 1.0, false}}},
    {"event, a turn round 4 threads", NULL, NULL, 40000, event_4, {{"pthread condition", 1.0, false}}},
    {"event, a turn round 8 threads", NULL, NULL, 40000, event_8, {{"pthread condition", 1.0, false}}},
    {"barrier, 1 thread: nobody sleeps", NULL, NULL, 5000000, barrier_1, {{"pthread", 1.0, false}}},
    {"barrier, 2 threads meet", NULL, NULL, 20000, barrier_2, {{"pthread", 1.0, false}}},
    {"barrier, 4 threads meet", NULL, NULL, 20000, barrier_4, {{"pthread", 1.0, false}}},
    {"barrier, 8 threads meet", NULL, NULL, 10000, barrier_8, {{"pthread", 1.0, false}}},
};
/* clang-format on */

int main(int argc, char **argv)
{
    return bench_main(argc, argv, subjects, sizeof subjects / sizeof *subjects);
}
