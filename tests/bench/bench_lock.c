/* SPDX-License-Identifier: MIT */
/*
 * Locks: uncontended (with a second thread alive: without one glibc spares its atomics), and fought
 * over by 2, 4 and 8 threads, with the slowest thread's share of the fastest's.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "bench.h"
#include "peers.h"

#ifdef WEFT_BENCH_GLIB
#include <glib.h>
#endif
#include <weft/threading.h>

static sem_t never;

static void *live(void *arg)
{
    while (sem_wait(&never) != 0)
        ;
    return arg;
}

static void with_second_thread(void)
{
    pthread_t other;
    sem_init(&never, 0, 0);
    if (pthread_create(&other, NULL, live, NULL) != 0)
        bench_fail("pthread_create");
    bench_begin();
}

static _Atomic uint32_t word;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void two_atomics(size_t n)
{
    with_second_thread();
    for (size_t i = 0; i < n; i++) {
        uint32_t free = 0;
        atomic_compare_exchange_strong_explicit(&word, &free, 1, memory_order_acquire,
                                                memory_order_relaxed);
        atomic_exchange_explicit(&word, 0, memory_order_release);
    }
}

static void pthread_alone(size_t n)
{
    with_second_thread();
    for (size_t i = 0; i < n; i++) {
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
    }
}

/* ---- contended ------------------------------------------------------------------------------- */

typedef struct contender {
    _Alignas(128) size_t count;
    void (*work)(struct contender *contender);
} contender;

static atomic_bool stop;
static size_t shared;

static void *contend(void *arg)
{
    contender *self = arg;
    self->work(self);
    return NULL;
}

static void contended(size_t threads, void (*work)(contender *))
{
    contender all[8] = {{0}};
    pthread_t ids[8];
    bench_begin();
    for (size_t i = 0; i < threads; i++) {
        all[i].work = work;
        if (pthread_create(&ids[i], NULL, contend, &all[i]) != 0)
            bench_fail("pthread_create");
    }
    nanosleep(&(struct timespec){.tv_nsec = (long)(bench_seconds() * 1e9)}, NULL);
    atomic_store(&stop, true);
    for (size_t i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    bench_end();
    size_t sum = 0, least = all[0].count, most = all[0].count;
    for (size_t i = 0; i < threads; i++) {
        sum += all[i].count;
        least = all[i].count < least ? all[i].count : least;
        most = all[i].count > most ? all[i].count : most;
    }
    if (shared != sum)
        bench_fail("a lock that does not lock");
    bench_set_extra((double)least / (double)most);
    bench_set_operations(sum);
}

static void pthread_work(contender *self)
{
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        pthread_mutex_lock(&mutex);
        shared++;
        pthread_mutex_unlock(&mutex);
        self->count++;
    }
}

static void pthread_2(size_t n)
{
    (void)n;
    contended(2, pthread_work);
}

static void pthread_4(size_t n)
{
    (void)n;
    contended(4, pthread_work);
}

static void pthread_8(size_t n)
{
    (void)n;
    contended(8, pthread_work);
}

#ifdef WEFT_BENCH_GLIB
static GMutex gmutex;

static void glib_alone(size_t n)
{
    with_second_thread();
    for (size_t i = 0; i < n; i++) {
        g_mutex_lock(&gmutex);
        g_mutex_unlock(&gmutex);
    }
}

static void glib_work(contender *self)
{
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        g_mutex_lock(&gmutex);
        shared++;
        g_mutex_unlock(&gmutex);
        self->count++;
    }
}

static void glib_2(size_t n)
{
    (void)n;
    contended(2, glib_work);
}

static void glib_4(size_t n)
{
    (void)n;
    contended(4, glib_work);
}

static void glib_8(size_t n)
{
    (void)n;
    contended(8, glib_work);
}
#endif

static weft_lock lock;

static void weft_alone(size_t n)
{
    with_second_thread();
    for (size_t i = 0; i < n; i++) {
        weft_lock_acquire(&lock, WEFT_FOREVER);
        weft_lock_release(&lock);
    }
}

static void weft_work(contender *self)
{
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        weft_lock_acquire(&lock, WEFT_FOREVER);
        shared++;
        weft_lock_release(&lock);
        self->count++;
    }
}

static void weft_2(size_t n)
{
    (void)n;
    contended(2, weft_work);
}

static void weft_4(size_t n)
{
    (void)n;
    contended(4, weft_work);
}

static void weft_8(size_t n)
{
    (void)n;
    contended(8, weft_work);
}

BENCH_GO_CASE(go_alone, "lock")
BENCH_GO_CASE(go_2, "lock_2")
BENCH_GO_CASE(go_4, "lock_4")
BENCH_GO_CASE(go_8, "lock_8")

static const bench_case alone[] = {
    {"weft", weft_alone},
    {"limit: two atomics", two_atomics},
    {"pthread", pthread_alone},
    BENCH_GLIB("glib", glib_alone) BENCH_GO("Go", go_alone){0},
};
static const bench_case two[] = {
    {"weft", weft_2},
    {"pthread", pthread_2},
    BENCH_GLIB("glib", glib_2) BENCH_GO("Go", go_2){0},
};
static const bench_case four[] = {
    {"weft", weft_4},
    {"pthread", pthread_4},
    BENCH_GLIB("glib", glib_4) BENCH_GO("Go", go_4){0},
};
static const bench_case eight[] = {
    {"weft", weft_8},
    {"pthread", pthread_8},
    BENCH_GLIB("glib", glib_8) BENCH_GO("Go", go_8){0},
};

#define SHARE "slowest/fastest thread"

static const bench_subject subjects[] = {
    {"lock + unlock, uncontended",
     NULL,
     NULL,
     10000000,
     alone,
     {{"pthread", 1.0, false}, {"limit: two atomics", 1.15, false}}},
    {"lock + unlock, 2 threads", NULL, SHARE, 1, two, {{"pthread,glib", 1 / 0.9, false}}},
    {"lock + unlock, 4 threads", NULL, SHARE, 1, four, {{"pthread,glib", 1 / 0.9, false}}},
    {"lock + unlock, 8 threads", NULL, SHARE, 1, eight, {{"pthread,glib", 1 / 0.9, false}}},
};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, subjects, sizeof subjects / sizeof *subjects);
}
