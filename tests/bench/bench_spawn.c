/* SPDX-License-Identifier: MIT */
/*
 * Starting a program and waiting for its end, with a small parent, with one that has touched 4 GiB,
 * with a high limit on descriptors, and from four threads at once; and how long a start holds up a
 * loop. The limit is a bare vfork, exec and waitpid.
 */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "peers.h"

#ifdef WEFT_BENCH_GLIB
#include <glib.h>
#endif
#ifdef WEFT_BENCH_UV
#include <uv.h>
#endif
#include <weft/asyncio.h>
#include <weft/subprocess.h>

extern char **environ;

enum { THREADS = 4 };

static const char program[] = "/bin/true";
static const char *const argv_of[] = {program, NULL};

static void await(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            bench_fail("waitpid");
    }
    if (status != 0)
        bench_fail(program);
}

/* ---- one of each ------------------------------------------------------------------------------
 */

static void weft_one(void)
{
    weft_popen *popen;
    int returncode;
    BENCH_CHECK(weft_popen_start(&popen, argv_of, NULL));
    BENCH_CHECK(weft_popen_wait(popen, &returncode, WEFT_FOREVER));
    if (returncode != 0)
        bench_fail(program);
    weft_release(popen);
}

static void vfork_one(void)
{
    char *const argv[] = {(char *)program, NULL};
    pid_t pid = vfork();
    if (pid == 0) {
        execve(program, argv, environ);
        _exit(127);
    }
    await(pid);
}

static void posix_spawn_one(void)
{
    char *const argv[] = {(char *)program, NULL};
    pid_t pid;
    if (posix_spawn(&pid, program, NULL, NULL, argv, environ) != 0)
        bench_fail("posix_spawn");
    await(pid);
}

#ifdef WEFT_BENCH_GLIB
static void glib_one(void)
{
    char *argv[] = {(char *)program, NULL};
    GPid pid;
    if (!g_spawn_async(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_CHILD_INHERITS_STDIN,
                       NULL, NULL, &pid, NULL))
        bench_fail("g_spawn_async");
    await(pid);
}
#endif

/* ---- many -------------------------------------------------------------------------------------
 */

static void many(size_t n, void (*one)(void))
{
    one();
    bench_begin();
    for (size_t i = 0; i < n; i++)
        one();
    bench_end();
}

static void weft_many(size_t n)
{
    many(n, weft_one);
}

static void vfork_many(size_t n)
{
    many(n, vfork_one);
}

static void posix_spawn_many(size_t n)
{
    many(n, posix_spawn_one);
}

#ifdef WEFT_BENCH_GLIB
static void glib_many(size_t n)
{
    many(n, glib_one);
}
#endif

#ifdef WEFT_BENCH_UV
static void uv_ended(uv_process_t *process, int64_t status, int signum)
{
    if (status != 0 || signum != 0)
        bench_fail(program);
    uv_close((uv_handle_t *)process, NULL);
}

static void uv_one(void)
{
    char *argv[] = {(char *)program, NULL};
    uv_process_t process;
    uv_process_options_t options = {.file = program, .args = argv, .exit_cb = uv_ended};
    if (uv_spawn(uv_default_loop(), &process, &options) < 0)
        bench_fail("uv_spawn");
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

static void uv_many(size_t n)
{
    many(n, uv_one);
}
#endif

BENCH_PYTHON_CASE(python_many, "spawn")

/* ---- a large parent, and a high limit ---------------------------------------------------------
 */

/* Not in huge pages, whose tables are small. */
static void grow(void)
{
    const size_t size = (size_t)4 << 30, page = 4096;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        bench_fail("mmap");
    madvise(memory, size, MADV_NOHUGEPAGE);
    for (size_t at = 0; at < size; at += page)
        memory[at] = 1;
}

/* To 10^6, or as far as it may be. */
static void raise_limit(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 1000000 ? limit.rlim_max : 1000000;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        bench_fail("setrlimit");
}

#define AFTER(prepare, name, run)                                                                  \
    static void name(size_t n)                                                                     \
    {                                                                                              \
        prepare();                                                                                 \
        run(n);                                                                                    \
    }

AFTER(grow, weft_large, weft_many)
AFTER(grow, vfork_large, vfork_many)
AFTER(grow, posix_spawn_large, posix_spawn_many)
AFTER(raise_limit, weft_limit_many, weft_many)
AFTER(raise_limit, vfork_limit_many, vfork_many)
#ifdef WEFT_BENCH_GLIB
AFTER(grow, glib_large, glib_many)
AFTER(raise_limit, glib_limit_many, glib_many)
#endif
#ifdef WEFT_BENCH_UV
AFTER(grow, uv_large, uv_many)
#endif

/* ---- four threads -----------------------------------------------------------------------------
 */

typedef struct crew {
    size_t n;
    void (*one)(void);
} crew;

static void *work(void *arg)
{
    const crew *c = arg;
    for (size_t i = 0; i < c->n; i++)
        c->one();
    return NULL;
}

static void by_threads(size_t n, void (*one)(void))
{
    pthread_t threads[THREADS];
    crew c = {n / THREADS, one};
    one();
    bench_begin();
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, work, &c) != 0)
            bench_fail("pthread_create");
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    bench_end();
    bench_set_operations(c.n * THREADS);
}

static void weft_threads(size_t n)
{
    by_threads(n, weft_one);
}

static void vfork_threads(size_t n)
{
    by_threads(n, vfork_one);
}

static void posix_spawn_threads(size_t n)
{
    by_threads(n, posix_spawn_one);
}

#ifdef WEFT_BENCH_GLIB
static void glib_threads(size_t n)
{
    by_threads(n, glib_one);
}
#endif

/* ---- how long a start holds up a loop ---------------------------------------------------------
 */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int stall(void *arg)
{
    size_t n = *(size_t *)arg;
    double *times = malloc(n * sizeof *times);
    for (size_t i = 0; i < n; i++) {
        weft_popen *popen;
        double begin = bench_wall();
        BENCH_CHECK(weft_popen_start(&popen, argv_of, NULL));
        times[i] = (bench_wall() - begin) / 1e6;
        BENCH_CHECK(weft_popen_wait(popen, NULL, WEFT_FOREVER));
        weft_release(popen);
    }
    qsort(times, n, sizeof *times, compare);
    bench_set_result(times[n * 99 / 100], 0);
    bench_set_extra(times[n / 2]);
    return 0;
}

static void weft_stall(size_t n)
{
    grow();
    BENCH_CHECK(weft_run(stall, WEFT_ARG(n), NULL));
}

static const bench_case small_cases[] = {
    {"weft", weft_many},
    {"limit: vfork + exec", vfork_many},
    {"posix_spawn", posix_spawn_many},
    BENCH_GLIB("glib", glib_many) BENCH_UV("libuv", uv_many)
        BENCH_PYTHON("CPython", python_many){0},
};
static const bench_case large_cases[] = {
    {"weft", weft_large},
    {"limit: vfork + exec", vfork_large},
    {"posix_spawn", posix_spawn_large},
    BENCH_GLIB("glib", glib_large) BENCH_UV("libuv", uv_large){0},
};
static const bench_case limit_cases[] = {
    {"weft", weft_limit_many},
    {"limit: vfork + exec", vfork_limit_many},
    BENCH_GLIB("glib", glib_limit_many){0},
};
static const bench_case thread_cases[] = {
    {"weft", weft_threads},
    {"limit: vfork + exec", vfork_threads},
    {"posix_spawn", posix_spawn_threads},
    BENCH_GLIB("glib", glib_threads){0},
};
static const bench_case stall_cases[] = {{"weft", weft_stall}, {0}};

/* 0.95 of the limit's rate. */
#define WITHIN_LIMIT                                                                               \
    {                                                                                              \
        {                                                                                          \
            "limit: vfork + exec", 1 / 0.95, false                                                 \
        }                                                                                          \
    }

static const bench_subject subjects[] = {
    {"spawn + wait, small parent", NULL, NULL, 400, small_cases, WITHIN_LIMIT},
    {"spawn + wait, 4 GiB touched", NULL, NULL, 60, large_cases, WITHIN_LIMIT},
    {"spawn + wait, 10^6 descriptors allowed, if they can be", NULL, NULL, 400, limit_cases,
     WITHIN_LIMIT},
    {"spawn + wait, four threads", NULL, NULL, 400, thread_cases, WITHIN_LIMIT},
    {"spawn, a loop's stall with 4 GiB touched, 99th of 100",
     "ms",
     "median",
     200,
     stall_cases,
     {{NULL, 5, false}}},
};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, subjects, sizeof subjects / sizeof *subjects);
}
