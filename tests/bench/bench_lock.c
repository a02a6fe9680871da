/* SPDX-License-Identifier: MIT */
/*
 * What is taken and given back: locks, rlocks, semaphores of one. Uncontended (with a second thread
 * alive: without one glibc spares its atomics), and fought over by 2, 4 and 8 threads, with the
 * slowest thread's share of the fastest's.
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

/* name_alone, name_2, name_4, name_8: not functions that are given `take` and `give`, since a call
 * through a pointer would be a good part of what is measured. */
#define SUBJECT(name, take, give)                                                                  \
    static void name##_alone(size_t n)                                                             \
    {                                                                                              \
        with_second_thread();                                                                      \
        for (size_t i = 0; i < n; i++) {                                                           \
            take;                                                                                  \
            give;                                                                                  \
        }                                                                                          \
    }                                                                                              \
    static void name##_work(contender *self)                                                       \
    {                                                                                              \
        while (!atomic_load_explicit(&stop, memory_order_relaxed)) {                               \
            take;                                                                                  \
            shared++;                                                                              \
            give;                                                                                  \
            self->count++;                                                                         \
        }                                                                                          \
    }                                                                                              \
    static void name##_2(size_t n)                                                                 \
    {                                                                                              \
        (void)n;                                                                                   \
        contended(2, name##_work);                                                                 \
    }                                                                                              \
    static void name##_4(size_t n)                                                                 \
    {                                                                                              \
        (void)n;                                                                                   \
        contended(4, name##_work);                                                                 \
    }                                                                                              \
    static void name##_8(size_t n)                                                                 \
    {                                                                                              \
        (void)n;                                                                                   \
        contended(8, name##_work);                                                                 \
    }

/* ---- locks ----------------------------------------------------------------------------------- */

static _Atomic uint32_t word;

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

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static weft_lock lock;

SUBJECT(weft_lock, weft_lock_acquire(&lock, WEFT_FOREVER), weft_lock_release(&lock))
SUBJECT(pthread_lock, pthread_mutex_lock(&mutex), pthread_mutex_unlock(&mutex))
#ifdef WEFT_BENCH_GLIB
static GMutex gmutex;
SUBJECT(glib_lock, g_mutex_lock(&gmutex), g_mutex_unlock(&gmutex))
#endif
BENCH_GO_CASE(go_lock_alone, "lock")
BENCH_GO_CASE(go_lock_2, "lock_2")
BENCH_GO_CASE(go_lock_4, "lock_4")
BENCH_GO_CASE(go_lock_8, "lock_8")
BENCH_PYTHON_CASE(python_lock_alone, "lock")
BENCH_PYTHON_CASE(python_lock_2, "lock_2")
BENCH_PYTHON_CASE(python_lock_4, "lock_4")
BENCH_PYTHON_CASE(python_lock_8, "lock_8")

/* ---- rlocks ---------------------------------------------------------------------------------- */

static weft_rlock rlock;
static pthread_mutex_t recursive;

static void make_recursive(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&recursive, &attributes);
}

SUBJECT(weft_rlock, weft_rlock_acquire(&rlock, WEFT_FOREVER), weft_rlock_release(&rlock))
SUBJECT(pthread_rlock, pthread_mutex_lock(&recursive), pthread_mutex_unlock(&recursive))
#ifdef WEFT_BENCH_GLIB
static GRecMutex grecursive;
SUBJECT(glib_rlock, g_rec_mutex_lock(&grecursive), g_rec_mutex_unlock(&grecursive))
#endif
BENCH_PYTHON_CASE(python_rlock_alone, "rlock")
BENCH_PYTHON_CASE(python_rlock_2, "rlock_2")
BENCH_PYTHON_CASE(python_rlock_4, "rlock_4")
BENCH_PYTHON_CASE(python_rlock_8, "rlock_8")

/* ---- semaphores ------------------------------------------------------------------------------ */

static weft_semaphore semaphore = {.value = 1};
static sem_t posix_semaphore;

SUBJECT(weft_semaphore, weft_semaphore_acquire(&semaphore, WEFT_FOREVER),
        weft_semaphore_release(&semaphore, 1))
SUBJECT(posix_semaphore, sem_wait(&posix_semaphore), sem_post(&posix_semaphore))
BENCH_PYTHON_CASE(python_semaphore_alone, "semaphore")
BENCH_PYTHON_CASE(python_semaphore_2, "semaphore_2")
BENCH_PYTHON_CASE(python_semaphore_4, "semaphore_4")
BENCH_PYTHON_CASE(python_semaphore_8, "semaphore_8")

/* ---- the tables ------------------------------------------------------------------------------ */

/* clang-format off */
#define LOCKS(threads)                                                                             \
    {                                                                                              \
        {"weft", weft_lock_##threads}, {"pthread", pthread_lock_##threads},                        \
        BENCH_GLIB("glib", glib_lock_##threads) BENCH_GO("Go", go_lock_##threads)                  \
        BENCH_PYTHON("CPython", python_lock_##threads) {0}                                         \
    }
#define RLOCKS(threads)                                                                            \
    {                                                                                              \
        {"weft", weft_rlock_##threads}, {"pthread", pthread_rlock_##threads},                      \
        BENCH_GLIB("glib", glib_rlock_##threads)                                                   \
        BENCH_PYTHON("CPython", python_rlock_##threads) {0}                                        \
    }
#define SEMAPHORES(threads)                                                                        \
    {                                                                                              \
        {"weft", weft_semaphore_##threads}, {"sem_t", posix_semaphore_##threads},                  \
        BENCH_PYTHON("CPython", python_semaphore_##threads) {0}                                    \
    }

static const bench_case lock_alone[] = {
    {"weft", weft_lock_alone},
    {"limit: two atomics", two_atomics},
    {"pthread", pthread_lock_alone},
    BENCH_GLIB("glib", glib_lock_alone) BENCH_GO("Go", go_lock_alone)
    BENCH_PYTHON("CPython", python_lock_alone){0},
};
static const bench_case lock_2[] = LOCKS(2), lock_4[] = LOCKS(4), lock_8[] = LOCKS(8),
    rlock_alone[] = RLOCKS(alone), rlock_2[] = RLOCKS(2), rlock_4[] = RLOCKS(4), rlock_8[] = RLOCKS(8),
    semaphore_alone[] = SEMAPHORES(alone), semaphore_2[] = SEMAPHORES(2),
    semaphore_4[] = SEMAPHORES(4), semaphore_8[] = SEMAPHORES(8);

#define SHARE "slowest/fastest thread"
#define NINE_TENTHS_OF(peers) {{peers, 1 / 0.9, false}}

static const bench_subject subjects[] = {
    {"lock + unlock, uncontended", NULL, NULL, 10000000, lock_alone,
     {{"pthread", 1.0, false}, {"limit: two atomics", 1.15, false}}},
    {"lock + unlock, 2 threads", NULL, SHARE, 1, lock_2, NINE_TENTHS_OF("pthread,glib")},
    {"lock + unlock, 4 threads", NULL, SHARE, 1, lock_4, NINE_TENTHS_OF("pthread,glib")},
    {"lock + unlock, 8 threads", NULL, SHARE, 1, lock_8, NINE_TENTHS_OF("pthread,glib")},
    {"rlock + unlock, uncontended", NULL, NULL, 10000000, rlock_alone, {{"pthread", 1.0, false}}},
    {"rlock + unlock, 2 threads", NULL, SHARE, 1, rlock_2, NINE_TENTHS_OF("pthread,glib")},
    {"rlock + unlock, 4 threads", NULL, SHARE, 1, rlock_4, NINE_TENTHS_OF("pthread,glib")},
    {"rlock + unlock, 8 threads", NULL, SHARE, 1, rlock_8, NINE_TENTHS_OF("pthread,glib")},
    {"semaphore, uncontended", NULL, NULL, 10000000, semaphore_alone, {{"sem_t", 1.0, false}}},
    {"semaphore of 1, 2 threads", NULL, SHARE, 1, semaphore_2, NINE_TENTHS_OF("sem_t")},
    {"semaphore of 1, 4 threads", NULL, SHARE, 1, semaphore_4, NINE_TENTHS_OF("sem_t")},
    {"semaphore of 1, 8 threads", NULL, SHARE, 1, semaphore_8, NINE_TENTHS_OF("sem_t")},
};
/* clang-format on */

int main(int argc, char **argv)
{
    make_recursive();
    sem_init(&posix_semaphore, 0, 1);
    return bench_main(argc, argv, subjects, sizeof subjects / sizeof *subjects);
}
