/* SPDX-License-Identifier: MIT */
/*
 * Queues between threads: bounded (1,024 items) and unbounded, one to one, two to two, four to
 * four; in batches; and each order with a hundred items in and out in one thread. The items are
 * pointers. The bounded C peer is what people write by hand: a ring under a mutex with two
 * conditions.
 */
#include <pthread.h>
#include <stdbool.h>
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

/* ---- batches --------------------------------------------------------------------------------- */

enum { BATCH = 64 };

static void *weft_put_batches(void *arg)
{
    const side *self = arg;
    void *items[BATCH] = {NULL};
    for (size_t i = 0; i < self->n; i += BATCH)
        BENCH_CHECK(weft_queue_put_many((weft_queue *)self->queue, items, sizeof *items, BATCH,
                                        WEFT_FOREVER));
    return NULL;
}

static void *weft_get_batches(void *arg)
{
    const side *self = arg;
    void *items[BATCH];
    for (size_t left = self->n; left > 0;) {
        int r = weft_queue_get_many((weft_queue *)self->queue, items, sizeof *items,
                                    left < BATCH ? left : BATCH, WEFT_FOREVER);
        BENCH_CHECK(r);
        left -= (size_t)r;
    }
    return NULL;
}

static void weft_batches(size_t pairs, size_t n)
{
    weft_queue *queue;
    pthread_t threads[8];
    BENCH_CHECK(weft_queue_open(
        &queue, &(weft_queue_options){.maxsize = BOUND, .item_size = sizeof(void *)}));
    side all = {.queue = queue, .n = n / pairs / BATCH * BATCH};
    bench_begin();
    for (size_t i = 0; i < 2 * pairs; i++)
        if (pthread_create(&threads[i], NULL, i % 2 == 0 ? weft_put_batches : weft_get_batches,
                           &all) != 0)
            bench_fail("pthread_create");
    for (size_t i = 0; i < 2 * pairs; i++)
        pthread_join(threads[i], NULL);
    bench_end();
}

FOR_PAIRS(weft_batches)

/* ---- orders, in one thread ------------------------------------------------------------------- */

enum { AT_ONCE = 100 };

/* No two neighbours in order, and some equal. */
static int priority_of(size_t i)
{
    return (int)(i * 7919 % AT_ONCE);
}

static void weft_in_and_out(weft_queue_order order, size_t n)
{
    weft_queue *queue;
    const weft_queue_options options = {.order = order, .item_size = sizeof(int)};
    BENCH_CHECK(weft_queue_open(&queue, &options));
    bench_begin();
    for (size_t i = 0; i < n; i += AT_ONCE) {
        int item;
        for (size_t k = 0; k < AT_ONCE; k++)
            BENCH_CHECK(weft_queue_put(queue, WEFT_ARG((int){priority_of(k)}), WEFT_FOREVER));
        for (size_t k = 0; k < AT_ONCE; k++)
            BENCH_CHECK(weft_queue_get(queue, WEFT_OUT(item), WEFT_FOREVER));
    }
}

static void weft_fifo(size_t n)
{
    weft_in_and_out(WEFT_QUEUE_FIFO, n);
}

static void weft_lifo(size_t n)
{
    weft_in_and_out(WEFT_QUEUE_LIFO, n);
}

static void weft_priority(size_t n)
{
    weft_in_and_out(WEFT_QUEUE_PRIORITY, n);
}

#ifdef WEFT_BENCH_GLIB
static gint compare(gconstpointer a, gconstpointer b, gpointer data)
{
    (void)data;
    return GPOINTER_TO_INT(a) - GPOINTER_TO_INT(b);
}

static void glib_in_and_out(size_t n, bool sorted)
{
    GAsyncQueue *queue = g_async_queue_new();
    bench_begin();
    for (size_t i = 0; i < n; i += AT_ONCE) {
        for (size_t k = 0; k < AT_ONCE; k++) {
            gpointer item = GINT_TO_POINTER(priority_of(k) + 1);
            if (sorted)
                g_async_queue_push_sorted(queue, item, compare, NULL);
            else
                g_async_queue_push(queue, item);
        }
        for (size_t k = 0; k < AT_ONCE; k++)
            g_async_queue_pop(queue);
    }
}

static void glib_fifo(size_t n)
{
    glib_in_and_out(n, false);
}

static void glib_priority(size_t n)
{
    glib_in_and_out(n, true);
}
#endif
BENCH_PYTHON_CASE(python_fifo, "queue")
BENCH_PYTHON_CASE(python_simple, "simple")
BENCH_PYTHON_CASE(python_lifo, "lifo")
BENCH_PYTHON_CASE(python_priority, "priority")

/* ---- the tables ------------------------------------------------------------------------------ */

BENCH_GO_CASE(go_1, "queue_1")
BENCH_GO_CASE(go_2, "queue_2")
BENCH_GO_CASE(go_4, "queue_4")
BENCH_PYTHON_CASE(python_1, "queue_1")
BENCH_PYTHON_CASE(python_2, "queue_2")
BENCH_PYTHON_CASE(python_4, "queue_4")
BENCH_PYTHON_CASE(python_unbounded_1, "unbounded_1")
BENCH_PYTHON_CASE(python_unbounded_2, "unbounded_2")
BENCH_PYTHON_CASE(python_unbounded_4, "unbounded_4")

/* clang-format off */
#define BOUNDED(pairs)                                                                             \
    {                                                                                              \
        {"weft", weft_bounded_##pairs}, {"weft, batches of 64", weft_batches_##pairs},             \
        {"pthread ring", pthread_ring_##pairs}, BENCH_TBB("tbb", tbb_bounded_##pairs)              \
        BENCH_GO("Go", go_##pairs) BENCH_PYTHON("CPython", python_##pairs) {0}                     \
    }
#define UNBOUNDED(pairs)                                                                           \
    {                                                                                              \
        {"weft", weft_unbounded_##pairs}, BENCH_GLIB("glib", glib_queue_##pairs)                   \
        BENCH_PYTHON("CPython", python_unbounded_##pairs) {0}                                      \
    }

static const bench_case bounded_1[] = BOUNDED(1), bounded_2[] = BOUNDED(2),
    bounded_4[] = BOUNDED(4), unbounded_1[] = UNBOUNDED(1), unbounded_2[] = UNBOUNDED(2),
    unbounded_4[] = UNBOUNDED(4);
static const bench_case fifo[] = {
    {"weft", weft_fifo}, BENCH_GLIB("glib", glib_fifo) BENCH_PYTHON("CPython", python_fifo)
    BENCH_PYTHON("CPython SimpleQueue", python_simple) {0}};
static const bench_case lifo[] = {{"weft", weft_lifo}, BENCH_PYTHON("CPython", python_lifo) {0}};
static const bench_case priority[] = {
    {"weft", weft_priority}, BENCH_GLIB("glib, sorted", glib_priority)
    BENCH_PYTHON("CPython", python_priority) {0}};

#define GO_TARGETS   {{"Go", 1.0, false}, {"Go", 1.2, true}}
#define GLIB_TARGETS {{"glib", 0.5, false}}

static const bench_subject subjects[] = {
    {"queue, bounded 1024, 1:1 threads", NULL, NULL, 2000000, bounded_1, GO_TARGETS},
    {"queue, bounded 1024, 2:2 threads", NULL, NULL, 2000000, bounded_2, GO_TARGETS},
    {"queue, bounded 1024, 4:4 threads", NULL, NULL, 2000000, bounded_4, GO_TARGETS},
    {"queue, unbounded, 1:1 threads", NULL, NULL, 2000000, unbounded_1, GLIB_TARGETS},
    {"queue, unbounded, 2:2 threads", NULL, NULL, 2000000, unbounded_2, GLIB_TARGETS},
    {"queue, unbounded, 4:4 threads", NULL, NULL, 2000000, unbounded_4, GLIB_TARGETS},
    {"queue, a hundred in and out", NULL, NULL, 2000000, fifo, {{"glib", 1.0, false}}},
    {"queue, last in first out, a hundred in and out", NULL, NULL, 2000000, lifo, {{0}}},
    {"queue, by priority, a hundred in and out", NULL, NULL, 2000000, priority,
     {{"glib, sorted", 1.0, false}}},
};
/* clang-format on */

int main(int argc, char **argv)
{
    return bench_main(argc, argv, subjects, sizeof subjects / sizeof *subjects);
}
