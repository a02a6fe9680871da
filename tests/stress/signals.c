/* SPDX-License-Identifier: MIT */
/*
 * A host whose timer interrupts the process ten thousand times a second, and each of its threads as
 * often, with handlers that do not restart system calls. No call returns EINTR, and no result
 * changes. By how much deadlines are late is printed, and no reason to fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "stress/stress.h"
#include "support/places.h"

enum { ROUNDS = 3 * STRESS_FACTOR, TURNS = 200, BYTES = 300000, TARGETS = 64 };

/* ---- the host's signals */

/* Each thread's own: an atomic in a handler is where clang 14's thread sanitizer takes the next
 * signal, inside of this one, and then forgets which signals were blocked before (it has one place
 * for that). */
static _Thread_local volatile long ticks;

static void tick(int signum)
{
    (void)signum;
    ticks++;
}

static pthread_mutex_t targets_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t targets[TARGETS];
static int targets_count;
static _Atomic bool over;

/* The threads that run tests; each enters as often as it runs one. */
static void enter(void)
{
    pthread_mutex_lock(&targets_lock);
    if (targets_count < TARGETS)
        targets[targets_count++] = pthread_self();
    pthread_mutex_unlock(&targets_lock);
}

static void leave(void)
{
    pthread_mutex_lock(&targets_lock);
    for (int i = 0; i < targets_count; i++) {
        if (pthread_equal(targets[i], pthread_self())) {
            targets[i] = targets[--targets_count];
            break;
        }
    }
    pthread_mutex_unlock(&targets_lock);
}

static void *interrupt_all(void *arg)
{
    (void)arg;
    while (!over) {
        pthread_mutex_lock(&targets_lock);
        for (int i = 0; i < targets_count; i++)
            pthread_kill(targets[i], SIGUSR1);
        pthread_mutex_unlock(&targets_lock);
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    return NULL;
}

static struct sigaction old_alarm, old_user;
static pthread_t interrupter;

static void begin_signals(void)
{
    struct sigaction action = {.sa_handler = tick}; /* without SA_RESTART */
    struct itimerval timer = {.it_interval.tv_usec = 100, .it_value.tv_usec = 100};
    over = false;
    sigaction(SIGALRM, &action, &old_alarm);
    sigaction(SIGUSR1, &action, &old_user);
    assert_int_equal(pthread_create(&interrupter, NULL, interrupt_all, NULL), 0);
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void end_signals(void)
{
    struct itimerval timer = {0};
    setitimer(ITIMER_REAL, &timer, NULL);
    over = true;
    pthread_join(interrupter, NULL);
    sigaction(SIGALRM, &old_alarm, NULL);
    sigaction(SIGUSR1, &old_user, NULL);
}

/* ---- deadlines */

static _Atomic long latest_us;

static void deadline(struct recorder *recorder, double begun, double seconds, bool passed)
{
    double late = weft_time() - begun - seconds;
    long us = (long)(late * 1e6), before = latest_us;
    RECORD(recorder, passed);
    RECORD(recorder, late >= 0);
    while (us > before && !atomic_compare_exchange_weak(&latest_us, &before, us))
        continue;
}

static void deadlines(struct recorder *recorder)
{
    weft_event event = {0};
    weft_lock lock = {0};
    weft_queue *queue;
    weft_source *source;
    int ends[2], number;
    RECORD_INT(recorder, pipe(ends), 0);
    RECORD_INT(recorder, weft_source_from_fd(&source, ends[0], WEFT_READABLE), 0);
    RECORD_INT(recorder, weft_queue_open(&queue, NULL), 0);
    RECORD_INT(recorder, weft_lock_acquire(&lock, WEFT_FOREVER), 0);
    double begun = weft_time();
    deadline(recorder, begun, 0.005, weft_sleep(0.005) == 0);
    begun = weft_time();
    deadline(recorder, begun, 0.003, weft_event_wait(&event, 0.003) == -ETIMEDOUT);
    begun = weft_time();
    deadline(recorder, begun, 0.003, weft_lock_acquire(&lock, 0.003) == -ETIMEDOUT);
    begun = weft_time();
    deadline(recorder, begun, 0.003, weft_queue_get(queue, WEFT_OUT(number), 0.003) == -ETIMEDOUT);
    begun = weft_time();
    deadline(recorder, begun, 0.003, weft_wait(source, 0.003) == -ETIMEDOUT);
    void *both[] = {queue, source};
    begun = weft_time();
    deadline(recorder, begun, 0.003, weft_wait_any(both, 2, 0.003) == -ETIMEDOUT);
    weft_release_many(both, 2);
    close(ends[0]);
    close(ends[1]);
}

/* ---- what must come out as without signals */

typedef struct pair {
    weft_queue *there, *back;
} pair;

static int answer(void *arg)
{
    pair *p = arg;
    int n, r = 0;
    for (int i = 0; i < TURNS && r >= 0; i++) {
        r = weft_queue_get(p->there, WEFT_OUT(n), WEFT_FOREVER);
        n++;
        r = r < 0 ? r : weft_queue_put(p->back, WEFT_ARG(n), WEFT_FOREVER);
    }
    return r;
}

static int answer_interrupted(void *arg)
{
    enter();
    int r = answer(arg);
    leave();
    return r;
}

/* With another thread, or with another process. */
static void turns(struct recorder *recorder, bool process)
{
    pair p;
    weft_thread *thread = NULL;
    weft_process *other = NULL;
    const weft_queue_options options = {.maxsize = 1, .item_size = sizeof(int), .shared = process};
    RECORD_INT(recorder, weft_queue_open(&p.there, &options), 0);
    RECORD_INT(recorder, weft_queue_open(&p.back, &options), 0);
    int r = process ? weft_process_start(&other, answer, WEFT_ARG(p), NULL)
                    : weft_thread_start(&thread, answer_interrupted, WEFT_ARG(p), NULL);
    RECORD_INT(recorder, r, 0);
    for (int i = 0; i < TURNS && r >= 0; i++) {
        int n = i;
        r = weft_queue_put(p.there, WEFT_ARG(n), WEFT_FOREVER);
        r = r < 0 ? r : weft_queue_get(p.back, WEFT_OUT(n), WEFT_FOREVER);
        RECORD_INT(recorder, r, (int)sizeof n);
        RECORD_INT(recorder, n, i + 1);
    }
    r = process ? weft_process_join(other, WEFT_FOREVER) : weft_thread_join(thread, WEFT_FOREVER);
    RECORD_INT(recorder, r, 0);
    weft_release(thread);
    weft_release(other);
    weft_release(p.there);
    weft_release(p.back);
}

static void commands(struct recorder *recorder)
{
    static char input[BYTES];
    weft_popen *popen;
    weft_completed completed;
    const char *const cat[] = {"cat", NULL}, *const no[] = {"/nosuch/program", NULL};
    RECORD_INT(recorder,
               weft_subprocess_run(&completed, cat,
                                   &(weft_subprocess_options){
                                       .out = WEFT_PIPE, .input = input, .input_size = BYTES}),
               0);
    RECORD_INT(recorder, completed.returncode, 0);
    RECORD_INT(recorder, (long long)completed.out.size, BYTES);
    weft_completed_clear(&completed);
    RECORD_INT(recorder, weft_popen_start(&popen, no, NULL), -ENOENT);
    RECORD_INT(recorder, weft_popen_shell(&popen, "exit 3", NULL), 0);
    int returncode = -1;
    RECORD_INT(recorder, weft_popen_wait(popen, &returncode, WEFT_FOREVER), 0);
    RECORD_INT(recorder, returncode, 3);
    weft_release(popen);
}

static int square(void *arg)
{
    int n = *(int *)arg;
    int r = weft_sleep(1e-5);
    return r < 0 ? r : n * n;
}

static void pools(struct recorder *recorder)
{
    enum { COUNT = 40 };
    int numbers[COUNT], squares[COUNT], wrong = 0;
    weft_executor *pool;
    for (int i = 0; i < COUNT; i++)
        numbers[i] = i;
    RECORD_INT(recorder,
               weft_thread_pool_open(&pool, &(weft_thread_pool_options){.max_workers = 2}), 0);
    RECORD_INT(recorder,
               weft_map(pool, square, numbers, sizeof(int), COUNT, squares, sizeof(int), NULL), 0);
    for (int i = 0; i < COUNT; i++)
        wrong += squares[i] != i * i;
    RECORD_INT(recorder, wrong, 0);
    RECORD_INT(recorder, weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER), 0);
    weft_release(pool);
}

static int all_kinds(void *arg)
{
    struct recorder *recorder = arg;
    enter();
    for (int i = 0; i < ROUNDS; i++) {
        deadlines(recorder);
        turns(recorder, false);
        commands(recorder);
        pools(recorder);
    }
    leave();
    return 0;
}

static void no_wait_is_interrupted(void **state)
{
    struct recorder recorder = {0};
    (void)state;
    latest_us = 0;
    begin_signals();
    int here = all_kinds(&recorder), thread = in_a_thread(all_kinds, &recorder);
    int task = in_a_task(all_kinds, &recorder), job = in_a_job(all_kinds, &recorder);
    end_signals();
    printf("deadlines at most %ld us late, %ld signals\n", latest_us, ticks);
    recorder_assert(&recorder);
    assert_true(ticks > 0);
    assert_int_equal(here | thread | task | job, 0);
}

/* ---- connections */

static int echo(weft_stream *stream, void *arg)
{
    char bytes[4096];
    int n, r = 0;
    (void)arg;
    while (r >= 0 && (n = weft_stream_read(stream, bytes, sizeof bytes, WEFT_FOREVER)) != 0)
        r = n < 0 ? n : weft_stream_write(stream, bytes, (size_t)n, WEFT_FOREVER);
    return r;
}

static int send_all(void *arg)
{
    static char bytes[BYTES];
    weft_stream *stream = *(weft_stream **)arg;
    int r = weft_stream_write(stream, bytes, BYTES, WEFT_FOREVER);
    return r < 0 ? r : weft_stream_write_eof(stream);
}

static int connected(void *arg)
{
    struct recorder *recorder = arg;
    weft_server *server;
    enter();
    RECORD_INT(recorder, weft_server_open(&server, echo, NULL, "127.0.0.1", 0, NULL), 0);
    for (int i = 0; i < 3 * ROUNDS; i++) {
        weft_stream *stream;
        weft_task *sender;
        weft_bytes back = {0};
        RECORD_INT(recorder,
                   weft_stream_connect(&stream, "127.0.0.1", weft_server_port(server), NULL), 0);
        RECORD_INT(recorder, weft_task_start(&sender, send_all, WEFT_ARG(stream), NULL), 0);
        RECORD_INT(recorder, weft_stream_read_all(stream, &back, WEFT_FOREVER), 0);
        RECORD_INT(recorder, (long long)back.size, BYTES);
        RECORD_INT(recorder, weft_result(sender, WEFT_NONE, WEFT_FOREVER), 0);
        weft_free(back.data);
        weft_release(sender);
        weft_release(stream);
    }
    weft_release(server);
    leave();
    return 0;
}

static void no_connection_is_interrupted(void **state)
{
    struct recorder recorder = {0};
    (void)state;
    begin_signals();
    int r = in_a_task(connected, &recorder);
    end_signals();
    recorder_assert(&recorder);
    assert_int_equal(r, 0);
}

/* ---- processes */

static void no_process_is_interrupted(void **state)
{
    enum { COUNT = 40 };
    int numbers[COUNT], squares[COUNT], wrong = 0;
    struct recorder recorder = {0};
    weft_executor *pool;
    (void)state;
    for (int i = 0; i < COUNT; i++)
        numbers[i] = i;
    begin_signals();
    enter();
    turns(&recorder, true);
    RECORD_INT(&recorder,
               weft_process_pool_open(&pool, &(weft_process_pool_options){.max_workers = 2}), 0);
    RECORD_INT(&recorder,
               weft_map(pool, square, numbers, sizeof(int), COUNT, squares, sizeof(int), NULL), 0);
    for (int i = 0; i < COUNT; i++)
        wrong += squares[i] != i * i;
    RECORD_INT(&recorder, wrong, 0);
    RECORD_INT(&recorder, weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER), 0);
    weft_release(pool);
    leave();
    end_signals();
    recorder_assert(&recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(no_wait_is_interrupted),
        weft_test(no_connection_is_interrupted),
        weft_test(no_process_is_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
