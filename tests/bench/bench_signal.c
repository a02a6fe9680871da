/* SPDX-License-Identifier: MIT */
/*
 * Signals: to the handler of a loop that sends itself the next one from there; to the handler of a
 * loop that sleeps, from another thread, which waits for the answer; to the handler of a main
 * thread without a loop.
 */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "bench.h"
#include "peers.h"

#ifdef WEFT_BENCH_UV
#include <uv.h>
#endif
#ifdef WEFT_BENCH_EV
#include <ev.h>
#endif
#ifdef WEFT_BENCH_EVENT
#include <event2/event.h>
#endif
#include <weft.h>

/* ---- what every handler does: true while there are more to come */

static size_t left;
static bool from_outside; /* another thread sends them */
static sem_t seen;

static bool handled(void)
{
    left--;
    if (from_outside)
        sem_post(&seen);
    else if (left > 0)
        kill(getpid(), SIGUSR1);
    return left > 0;
}

static void *send_each(void *arg)
{
    sigset_t all;
    size_t n = left;
    sigfillset(&all); /* they are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    for (size_t i = 0; i < n; i++) {
        kill(getpid(), SIGUSR1);
        while (sem_wait(&seen) != 0)
            continue;
    }
    return arg;
}

/* The loop stands, its handler is installed: the first signal. */
static void begin(void)
{
    pthread_t thread;
    bench_begin();
    if (!from_outside)
        kill(getpid(), SIGUSR1);
    else if (pthread_create(&thread, NULL, send_each, NULL) != 0)
        bench_fail("pthread_create");
}

static void prepare(size_t n, bool outside)
{
    left = n;
    from_outside = outside;
    sem_init(&seen, 0, 0);
}

/* ---- signalfd and epoll, bare */

static void limit_loop(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    struct signalfd_siginfo info;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK), poller = epoll_create1(0);
    BENCH_CHECK(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event));
    begin();
    do {
        BENCH_CHECK(epoll_wait(poller, &event, 1, -1));
        if (read(fd, &info, sizeof info) != (ssize_t)sizeof info)
            bench_fail("read");
    } while (handled());
    bench_end();
}

static void limit(size_t n)
{
    prepare(n, false);
    limit_loop();
}

static void limit_outside(size_t n)
{
    prepare(n, true);
    limit_loop();
}

/* ---- the others' loops */

#ifdef WEFT_BENCH_EV
static void ev_handler(EV_P_ ev_signal *watcher, int events)
{
    (void)watcher;
    (void)events;
    if (!handled())
        ev_break(EV_A_ EVBREAK_ALL);
}

static void ev_loop_(void)
{
    struct ev_loop *loop = ev_default_loop(0);
    ev_signal watcher;
    ev_signal_init(&watcher, ev_handler, SIGUSR1);
    ev_signal_start(loop, &watcher);
    begin();
    ev_run(loop, 0);
    bench_end();
}

static void ev_inside(size_t n)
{
    prepare(n, false);
    ev_loop_();
}

static void ev_outside(size_t n)
{
    prepare(n, true);
    ev_loop_();
}
#endif

#ifdef WEFT_BENCH_EVENT
static void event_handler(evutil_socket_t fd, short events, void *base)
{
    (void)fd;
    (void)events;
    if (!handled())
        event_base_loopbreak(base);
}

static void event_loop_(void)
{
    struct event_base *base = event_base_new();
    struct event *signal = evsignal_new(base, SIGUSR1, event_handler, base);
    event_add(signal, NULL);
    begin();
    event_base_dispatch(base);
    bench_end();
}

static void event_inside(size_t n)
{
    prepare(n, false);
    event_loop_();
}

static void event_outside(size_t n)
{
    prepare(n, true);
    event_loop_();
}
#endif

#ifdef WEFT_BENCH_UV
static void uv_handler(uv_signal_t *handle, int signum)
{
    (void)signum;
    if (!handled())
        uv_signal_stop(handle);
}

static void uv_loop_(void)
{
    uv_signal_t handle;
    BENCH_CHECK(uv_signal_init(uv_default_loop(), &handle));
    BENCH_CHECK(uv_signal_start(&handle, uv_handler, SIGUSR1));
    begin();
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    bench_end();
}

static void uv_inside(size_t n)
{
    prepare(n, false);
    uv_loop_();
}

static void uv_outside(size_t n)
{
    prepare(n, true);
    uv_loop_();
}
#endif

/* ---- weft's */

static weft_event over;

static int weft_handler(const weft_signal_info *info, void *arg)
{
    (void)info;
    (void)arg;
    if (!handled())
        weft_event_set(&over);
    return 0;
}

static int weft_call_handler(void *arg)
{
    (void)arg;
    return weft_handler(NULL, NULL);
}

static int weft_main(void *arg)
{
    bool as_call = *(bool *)arg;
    if (as_call)
        BENCH_CHECK(weft_loop_add_signal_handler(weft_loop_current(), SIGUSR1, weft_call_handler,
                                                 WEFT_NONE));
    else
        BENCH_CHECK(weft_signal_set(SIGUSR1, weft_handler, NULL));
    begin();
    int r = weft_event_wait(&over, WEFT_FOREVER);
    bench_end();
    return r;
}

static void weft_inside(size_t n)
{
    prepare(n, false);
    BENCH_CHECK(weft_run(weft_main, WEFT_ARG((bool){false}), NULL));
}

static void weft_inside_call(size_t n)
{
    prepare(n, false);
    BENCH_CHECK(weft_run(weft_main, WEFT_ARG((bool){true}), NULL));
}

static void weft_outside(size_t n)
{
    prepare(n, true);
    BENCH_CHECK(weft_run(weft_main, WEFT_ARG((bool){false}), NULL));
}

static void weft_thread_outside(size_t n)
{
    prepare(n, true);
    BENCH_CHECK(weft_signal_set(SIGUSR1, weft_handler, NULL));
    begin();
    BENCH_CHECK(weft_event_wait(&over, WEFT_FOREVER));
    bench_end();
}

/* ---- the main thread, without a loop */

static volatile sig_atomic_t count;

static void plain_handler(int signum)
{
    (void)signum;
    count++;
}

static void plain(size_t n)
{
    struct sigaction action = {.sa_handler = plain_handler};
    sigaction(SIGUSR1, &action, NULL);
    for (size_t i = 0; i < n; i++)
        raise(SIGUSR1);
}

static int weft_count(const weft_signal_info *info, void *arg)
{
    (void)info;
    (void)arg;
    count++;
    return 0;
}

static void weft_plain(size_t n)
{
    BENCH_CHECK(weft_signal_set(SIGUSR1, weft_count, NULL));
    for (size_t i = 0; i < n; i++)
        BENCH_CHECK(weft_signal_raise(SIGUSR1));
    if ((size_t)count != n)
        bench_fail("a signal that was lost");
}

BENCH_PYTHON_CASE(python_inside, "signal")
BENCH_PYTHON_CASE(python_raise, "raise")

static const bench_case inside[] = {
    {"weft", weft_inside},
    {"weft, as a call", weft_inside_call},
    {"limit: signalfd, epoll", limit},
    BENCH_EV("libev", ev_inside) BENCH_EVENT("libevent", event_inside) BENCH_UV("libuv", uv_inside)
        BENCH_PYTHON("CPython", python_inside){0},
};
static const bench_case outside[] = {
    {"weft", weft_outside},
    {"weft, no loop", weft_thread_outside},
    {"limit: signalfd, epoll", limit_outside},
    BENCH_EV("libev", ev_outside) BENCH_EVENT("libevent", event_outside)
        BENCH_UV("libuv", uv_outside){0},
};
static const bench_case alone[] = {
    {"weft", weft_plain},
    {"limit: sigaction", plain},
    BENCH_PYTHON("CPython", python_raise){0},
};

static const bench_subject subjects[] = {
    {"signal to a loop's handler",
     NULL,
     NULL,
     200000,
     inside,
     {{"limit: signalfd, epoll", 1 / 0.9, false}, {"libev", 1.0, false}}},
    {"signal to a sleeping loop's handler, and the answer",
     NULL,
     NULL,
     30000,
     outside,
     {{"limit: signalfd, epoll", 1 / 0.9, false}, {"libev", 1.0, false}}},
    {"raise, to the main thread's handler", NULL, NULL, 500000, alone, {{0}}},
};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, subjects, sizeof subjects / sizeof *subjects);
}
