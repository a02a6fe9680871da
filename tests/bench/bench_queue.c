/* SPDX-License-Identifier: MIT */
/*
 * Queues between threads: bounded (1,024 items) and unbounded, one to one, two to two, four to
 * four. The items are pointers. The bounded C peer is what people write by hand: a ring under a
 * mutex with two conditions.
 */
#include <pthread.h>
#include <stdint.h>

#include "bench.h"
#include "peers.h"

#ifdef WEFT_BENCH_GLIB
#include <glib.h>
#endif
#include <weft/queue.h>

/* A kind of queue. */
typedef struct kind {
    void (*put)(void *queue);
    void (*get)(void *queue);
} kind;

typedef struct side {
    void (*step)(void *queue);
    void *queue;
    size_t n;
} side;

static void *work(void *arg)
{
    side *self = arg;
    for (size_t i = 0; i < self->n; i++)
        self->step(self->queue);
    return NULL;
}

static void between(size_t pairs, size_t n, const kind *how, void *queue)
{
    pthread_t threads[8];
    side put = {how->put, queue, n / pairs}, get = {how->get, queue, n / pairs};
    bench_begin();
    for (size_t i = 0; i < 2 * pairs; i++)
        if (pthread_create(&threads[i], NULL, work, i % 2 == 0 ? &put : &get) != 0)
            bench_fail("pthread_create");
    for (size_t i = 0; i < 2 * pairs; i++)
        pthread_join(threads[i], NULL);
    bench_end();
}

/* One case for each number of pairs. */
#define FOR_PAIRS(name)                                                                            \
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
    }

/* ---- a ring under a mutex -------------------------------------------------------------------- */

enum { BOUND = 1024 };

typedef struct ring {
    pthread_mutex_t mutex;
    pthread_cond_t not_empty, not_full;
    size_t first, count;
    void *items[BOUND];
} ring;

static void ring_put(void *queue)
{
    ring *self = queue;
    pthread_mutex_lock(&self->mutex);
    while (self->count == BOUND)
        pthread_cond_wait(&self->not_full, &self->mutex);
    self->items[(self->first + self->count++) % BOUND] = self;
    pthread_cond_signal(&self->not_empty);
    pthread_mutex_unlock(&self->mutex);
}

static void ring_get(void *queue)
{
    ring *self = queue;
    pthread_mutex_lock(&self->mutex);
    while (self->count == 0)
        pthread_cond_wait(&self->not_empty, &self->mutex);
    if (self->items[self->first] != self)
        bench_fail("the ring's item");
    self->first = (self->first + 1) % BOUND;
    self->count--;
    pthread_cond_signal(&self->not_full);
    pthread_mutex_unlock(&self->mutex);
}

static void pthread_ring(size_t pairs, size_t n)
{
    static ring queue = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                         .not_empty = PTHREAD_COND_INITIALIZER,
                         .not_full = PTHREAD_COND_INITIALIZER};
    between(pairs, n, &(kind){ring_put, ring_get}, &queue);
}

FOR_PAIRS(pthread_ring)

#ifdef WEFT_BENCH_GLIB
static void glib_put(void *queue)
{
    g_async_queue_push(queue, queue);
}

static void glib_get(void *queue)
{
    g_async_queue_pop(queue);
}

static void glib_queue(size_t pairs, size_t n)
{
    between(pairs, n, &(kind){glib_put, glib_get}, g_async_queue_new());
}

FOR_PAIRS(glib_queue)
#endif

static void weft_put(void *queue)
{
    BENCH_CHECK(weft_queue_put((weft_queue *)queue, WEFT_ARG(queue), WEFT_FOREVER));
}

static void weft_get(void *queue)
{
    void *item;
    BENCH_CHECK(weft_queue_get((weft_queue *)queue, WEFT_OUT(item), WEFT_FOREVER));
}

static void weft_with(size_t pairs, size_t n, size_t maxsize)
{
    weft_queue *queue;
    BENCH_CHECK(weft_queue_open(
        &queue, &(weft_queue_options){.maxsize = maxsize, .item_size = sizeof(void *)}));
    between(pairs, n, &(kind){weft_put, weft_get}, queue);
}

static void weft_bounded(size_t pairs, size_t n)
{
    weft_with(pairs, n, BOUND);
}

static void weft_unbounded(size_t pairs, size_t n)
{
    weft_with(pairs, n, 0);
}

FOR_PAIRS(weft_bounded)
FOR_PAIRS(weft_unbounded)

BENCH_GO_CASE(go_1, "queue_1")
BENCH_GO_CASE(go_2, "queue_2")
BENCH_GO_CASE(go_4, "queue_4")

#define BOUNDED(pairs)                                                                             \
    {                                                                                              \
        {"weft", weft_bounded_##pairs}, {"pthread ring", pthread_ring_##pairs},                    \
            BENCH_TBB("tbb", tbb_bounded_##pairs) BENCH_GO("Go", go_##pairs)                       \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define UNBOUNDED(pairs)                                                                           \
    {                                                                                              \
        {"weft", weft_unbounded_##pairs}, BENCH_GLIB("glib", glib_queue_##pairs)                   \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

static const bench_case bounded_1[] = BOUNDED(1), bounded_2[] = BOUNDED(2),
                        bounded_4[] = BOUNDED(4);
static const bench_case unbounded_1[] = UNBOUNDED(1), unbounded_2[] = UNBOUNDED(2),
                        unbounded_4[] = UNBOUNDED(4);

#define GO_TARGETS                                                                                 \
    {                                                                                              \
        {"Go", 1.0, false},                                                                        \
        {                                                                                          \
            "Go", 1.2, true                                                                        \
        }                                                                                          \
    }
#define GLIB_TARGETS                                                                               \
    {                                                                                              \
        {                                                                                          \
            "glib", 0.5, false                                                                     \
        }                                                                                          \
    }

static const bench_subject subjects[] = {
    {"queue, bounded 1024, 1:1 threads", NULL, NULL, 2000000, bounded_1, GO_TARGETS},
    {"queue, bounded 1024, 2:2 threads", NULL, NULL, 2000000, bounded_2, GO_TARGETS},
    {"queue, bounded 1024, 4:4 threads", NULL, NULL, 2000000, bounded_4, GO_TARGETS},
    {"queue, unbounded, 1:1 threads", NULL, NULL, 2000000, unbounded_1, GLIB_TARGETS},
    {"queue, unbounded, 2:2 threads", NULL, NULL, 2000000, unbounded_2, GLIB_TARGETS},
    {"queue, unbounded, 4:4 threads", NULL, NULL, 2000000, unbounded_4, GLIB_TARGETS},
};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, subjects, sizeof subjects / sizeof *subjects);
}
