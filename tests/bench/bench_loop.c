/* SPDX-License-Identifier: MIT */
/*
 * Loops: 10^6 timers inserted and cancelled, inserted and fired; calls posted to a busy loop by
 * another thread; and a round trip from a thread to a sleeping loop.
 *
 * libuv and libev carry a bare flag between threads; what a call with an argument takes is the list
 * under a mutex that everybody writes beside it: that is what is measured.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "bench.h"
#include "peers.h"

#ifdef WEFT_BENCH_UV
#include <uv.h>
#endif
#ifdef WEFT_BENCH_EV
#include <ev.h>
#endif
#include <weft/asyncio.h>
#include <weft/queue.h>
#include <weft/threading.h>

/* Some hundred seconds from now, in no order; the same for everybody. */
static double far_away(size_t i)
{
    return 100 + (double)((i * 2654435761u) % 1000003) * 1e-3;
}

/* Soon, in no order, within a millisecond: all are due when the loop turns. */
static double soon(size_t i)
{
    return (double)((i * 2654435761u) % 1000003) * 1e-9;
}

static size_t fired;

#ifdef WEFT_BENCH_EV
static void ev_fired(EV_P_ ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
    fired++;
}

static void ev_cancel(size_t n)
{
    struct ev_loop *loop = ev_default_loop(0);
    ev_timer *timers = calloc(n, sizeof *timers);
    bench_begin();
    for (size_t i = 0; i < n; i++) {
        ev_timer_init(&timers[i], ev_fired, far_away(i), 0);
        ev_timer_start(loop, &timers[i]);
    }
    for (size_t i = 0; i < n; i++)
        ev_timer_stop(loop, &timers[i]);
    bench_end();
}

static void ev_fire(size_t n)
{
    struct ev_loop *loop = ev_default_loop(0);
    ev_timer *timers = calloc(n, sizeof *timers);
    bench_begin();
    for (size_t i = 0; i < n; i++) {
        ev_timer_init(&timers[i], ev_fired, soon(i), 0);
        ev_timer_start(loop, &timers[i]);
    }
    ev_run(loop, 0);
    bench_end();
    if (fired != n)
        bench_fail("libev's timers");
}
#endif

#ifdef WEFT_BENCH_UV
static void uv_fired(uv_timer_t *timer)
{
    (void)timer;
    fired++;
}

static void uv_cancel_timers(size_t n)
{
    uv_loop_t *loop = uv_default_loop();
    uv_timer_t *timers = calloc(n, sizeof *timers);
    bench_begin();
    for (size_t i = 0; i < n; i++) {
        uv_timer_init(loop, &timers[i]);
        uv_timer_start(&timers[i], uv_fired, (uint64_t)(far_away(i) * 1e3), 0);
    }
    for (size_t i = 0; i < n; i++)
        uv_timer_stop(&timers[i]);
    bench_end();
}

static void uv_fire(size_t n)
{
    uv_loop_t *loop = uv_default_loop();
    uv_timer_t *timers = calloc(n, sizeof *timers);
    bench_begin();
    for (size_t i = 0; i < n; i++) {
        uv_timer_init(loop, &timers[i]);
        uv_timer_start(&timers[i], uv_fired, (uint64_t)(soon(i) * 1e3), 0);
    }
    uv_run(loop, UV_RUN_DEFAULT);
    bench_end();
    if (fired != n)
        bench_fail("libuv's timers");
}
#endif

static int count_fired(void *arg)
{
    (void)arg;
    fired++;
    return 0;
}

static int cancel_main(void *arg)
{
    size_t n = *(size_t *)arg;
    weft_call **calls = calloc(n, sizeof *calls);
    bench_begin();
    for (size_t i = 0; i < n; i++)
        BENCH_CHECK(weft_loop_call_later(weft_loop_current(), &calls[i], far_away(i), count_fired,
                                         WEFT_NONE));
    for (size_t i = 0; i < n; i++) {
        weft_cancel(calls[i]);
        weft_release(calls[i]);
    }
    bench_end();
    bench_leave();
}

static void weft_cancel_timers(size_t n)
{
    BENCH_CHECK(weft_run(cancel_main, WEFT_ARG(n), NULL));
}

static int fire_main(void *arg)
{
    size_t n = *(size_t *)arg;
    bench_begin();
    for (size_t i = 0; i < n; i++)
        BENCH_CHECK(
            weft_loop_call_later(weft_loop_current(), NULL, soon(i), count_fired, WEFT_NONE));
    while (fired < n)
        BENCH_CHECK(weft_sleep(0));
    bench_end();
    bench_leave();
}

static void weft_fire(size_t n)
{
    BENCH_CHECK(weft_run(fire_main, WEFT_ARG(n), NULL));
}

/* ---- from another thread --------------------------------------------------------------------- */

static size_t to_post;

#if defined(WEFT_BENCH_UV) || defined(WEFT_BENCH_EV)
/* A call: function and argument, in a list under a mutex. */
typedef struct call {
    struct call *next;
    void (*run)(size_t arg);
    size_t arg;
} call;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static call *first, **last = &first;
static sem_t ran;

static void append(void (*run)(size_t), size_t arg)
{
    call *each = malloc(sizeof *each);
    *each = (call){NULL, run, arg};
    pthread_mutex_lock(&mutex);
    *last = each;
    last = &each->next;
    pthread_mutex_unlock(&mutex);
}

static void run_calls(void)
{
    pthread_mutex_lock(&mutex);
    call *each = first;
    first = NULL;
    last = &first;
    pthread_mutex_unlock(&mutex);
    while (each != NULL) {
        call *next = each->next;
        each->run(each->arg);
        free(each);
        each = next;
    }
}

static void count_call(size_t arg)
{
    (void)arg;
    fired++;
}

static void answer(size_t arg)
{
    (void)arg;
    fired++;
    sem_post(&ran);
}
#endif

#ifdef WEFT_BENCH_UV
static uv_async_t uv_flag;
static uv_idle_t uv_busy;

static void *uv_poster(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < to_post; i++) {
        append(count_call, i);
        uv_async_send(&uv_flag);
    }
    return NULL;
}

static void *uv_asker(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < to_post; i++) {
        append(answer, i);
        uv_async_send(&uv_flag);
        while (sem_wait(&ran) != 0)
            ;
    }
    return NULL;
}

static void uv_arrived(uv_async_t *flag)
{
    run_calls();
    if (fired == to_post)
        uv_stop(flag->loop);
}

static void uv_turn(uv_idle_t *idle)
{
    (void)idle;
}

static void uv_serve(size_t n, void *(*poster)(void *), int busy)
{
    uv_loop_t *loop = uv_default_loop();
    pthread_t thread;
    to_post = n;
    sem_init(&ran, 0, 0);
    uv_async_init(loop, &uv_flag, uv_arrived);
    uv_idle_init(loop, &uv_busy);
    if (busy)
        uv_idle_start(&uv_busy, uv_turn);
    bench_begin();
    if (pthread_create(&thread, NULL, poster, NULL) != 0)
        bench_fail("pthread_create");
    uv_run(loop, UV_RUN_DEFAULT);
    bench_end();
}

static void uv_post(size_t n)
{
    uv_serve(n, uv_poster, 1);
}

static void uv_ask(size_t n)
{
    uv_serve(n, uv_asker, 0);
}
#endif

#ifdef WEFT_BENCH_EV
static struct ev_loop *ev_the_loop;
static ev_async ev_flag;
static ev_idle ev_busy;

static void *ev_poster(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < to_post; i++) {
        append(count_call, i);
        ev_async_send(ev_the_loop, &ev_flag);
    }
    return NULL;
}

static void *ev_asker(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < to_post; i++) {
        append(answer, i);
        ev_async_send(ev_the_loop, &ev_flag);
        while (sem_wait(&ran) != 0)
            ;
    }
    return NULL;
}

static void ev_arrived(EV_P_ ev_async *flag, int events)
{
    (void)flag;
    (void)events;
    run_calls();
    if (fired == to_post)
        ev_break(loop, EVBREAK_ALL);
}

static void ev_turn(EV_P_ ev_idle *idle, int events)
{
    (void)loop;
    (void)idle;
    (void)events;
}

static void ev_serve(size_t n, void *(*poster)(void *), int busy)
{
    pthread_t thread;
    ev_the_loop = ev_default_loop(0);
    to_post = n;
    sem_init(&ran, 0, 0);
    ev_async_init(&ev_flag, ev_arrived);
    ev_async_start(ev_the_loop, &ev_flag);
    ev_idle_init(&ev_busy, ev_turn);
    if (busy)
        ev_idle_start(ev_the_loop, &ev_busy);
    bench_begin();
    if (pthread_create(&thread, NULL, poster, NULL) != 0)
        bench_fail("pthread_create");
    ev_run(ev_the_loop, 0);
    bench_end();
}

static void ev_post(size_t n)
{
    ev_serve(n, ev_poster, 1);
}

static void ev_ask(size_t n)
{
    ev_serve(n, ev_asker, 0);
}
#endif

static weft_loop *the_loop;

static void *weft_poster(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < to_post; i++)
        BENCH_CHECK(weft_loop_call_soon_threadsafe(the_loop, NULL, count_fired, WEFT_ARG(i)));
    return NULL;
}

static int post_main(void *arg)
{
    pthread_t thread;
    to_post = *(size_t *)arg;
    the_loop = weft_loop_current();
    bench_begin();
    if (pthread_create(&thread, NULL, weft_poster, NULL) != 0)
        bench_fail("pthread_create");
    while (fired < to_post)
        BENCH_CHECK(weft_sleep(0));
    bench_end();
    bench_leave();
}

static void weft_post(size_t n)
{
    BENCH_CHECK(weft_run(post_main, WEFT_ARG(n), NULL));
}

/* A thread asks through one queue, a coroutine answers through another. */
static weft_queue *questions, *answers;

static int ask(void *arg)
{
    size_t item;
    for (size_t i = *(size_t *)arg; i > 0; i--) {
        BENCH_CHECK(weft_queue_put(questions, WEFT_ARG(i), WEFT_FOREVER));
        BENCH_CHECK(weft_queue_get(answers, WEFT_OUT(item), WEFT_FOREVER));
    }
    return 0;
}

static int ask_main(void *arg)
{
    size_t n = *(size_t *)arg, item;
    weft_queue_options options = {.item_size = sizeof(size_t), .maxsize = 16};
    BENCH_CHECK(weft_queue_open(&questions, &options));
    BENCH_CHECK(weft_queue_open(&answers, &options));
    bench_begin();
    BENCH_CHECK(weft_thread_start(NULL, ask, WEFT_ARG(n), NULL));
    for (size_t i = 0; i < n; i++) {
        BENCH_CHECK(weft_queue_get(questions, WEFT_OUT(item), WEFT_FOREVER));
        BENCH_CHECK(weft_queue_put(answers, WEFT_ARG(item), WEFT_FOREVER));
    }
    bench_end();
    bench_leave();
}

static void weft_ask(size_t n)
{
    BENCH_CHECK(weft_run(ask_main, WEFT_ARG(n), NULL));
}

BENCH_GO_CASE(go_ask, "thread_round_trip")

static const bench_case cancel_cases[] = {
    {"weft", weft_cancel_timers},
    BENCH_EV("libev", ev_cancel) BENCH_UV("libuv", uv_cancel_timers){0},
};
static const bench_case fire_cases[] = {
    {"weft", weft_fire},
    BENCH_EV("libev", ev_fire) BENCH_UV("libuv", uv_fire){0},
};
static const bench_case post_cases[] = {
    {"weft", weft_post},
    BENCH_EV("libev", ev_post) BENCH_UV("libuv", uv_post){0},
};
static const bench_case ask_cases[] = {
    {"weft", weft_ask},
    BENCH_EV("libev", ev_ask) BENCH_UV("libuv", uv_ask) BENCH_GO("Go", go_ask){0},
};

static const bench_subject subjects[] = {
    {"timers, 10^6 inserted and cancelled",
     NULL,
     NULL,
     1000000,
     cancel_cases,
     {{"libev", 1.5, true}}},
    {"timers, 10^6 inserted and fired", NULL, NULL, 1000000, fire_cases, {{"libev", 1.3, true}}},
    {"calls posted to a busy loop by a thread",
     NULL,
     NULL,
     1000000,
     post_cases,
     {{NULL, 150, false}}},
    {"thread to coroutine (loop) and back", NULL, NULL, 50000, ask_cases, {{"libev", 1.05, false}}},
};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, subjects, sizeof subjects / sizeof *subjects);
}
