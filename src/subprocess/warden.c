/* SPDX-License-Identifier: MIT */
/*
 * One request at a time, handed over under one lock; who asks waits for the answer, as a spawn
 * waits for the exec anyway. The lock is not held over the spawn, whose fork may take it (atfork).
 */
#include "subprocess/warden.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "core/fork.h"
#include "core/shutdown.h"

typedef struct request {
    const weft_spawn_plan *plan;
    weft_spawn_result *result;
    int r;
    bool done;
} request;

static struct {
    pthread_mutex_t lock;   /* guards all below */
    pthread_cond_t changed; /* the thread waits for a request, askers for their turn or answer */
    pthread_t thread;
    bool runs, stop;
    request *current; /* taken up or not, until it is done */
} warden = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *serve(void *arg)
{
    (void)arg;
    (void)pthread_mutex_lock(&warden.lock);
    while (!warden.stop) {
        request *current = warden.current;
        if (current == NULL) {
            (void)pthread_cond_wait(&warden.changed, &warden.lock);
            continue;
        }
        (void)pthread_mutex_unlock(&warden.lock);
        current->r = weft_spawn(current->plan, current->result);
        (void)pthread_mutex_lock(&warden.lock);
        current->done = true;
        warden.current = NULL;
        (void)pthread_cond_broadcast(&warden.changed);
    }
    (void)pthread_mutex_unlock(&warden.lock);
    return NULL;
}

/* ---- Beginning and end ------------------------------------------------------------------------
 */

/* The lock is held. */
static void await_turn(void)
{
    while (warden.current != NULL || warden.stop)
        (void)pthread_cond_wait(&warden.changed, &warden.lock);
}

static int stop_thread(weft_instant deadline)
{
    (void)deadline; /* a spawn that is under way is short */
    (void)pthread_mutex_lock(&warden.lock);
    await_turn();
    if (warden.runs) {
        warden.stop = true; /* nobody starts another before it has gone */
        (void)pthread_cond_broadcast(&warden.changed);
        (void)pthread_mutex_unlock(&warden.lock);
        (void)pthread_join(warden.thread, NULL);
        (void)pthread_mutex_lock(&warden.lock);
        warden.runs = warden.stop = false;
        (void)pthread_cond_broadcast(&warden.changed);
    }
    (void)pthread_mutex_unlock(&warden.lock);
    return 0;
}

static weft_shutdown_step shutdown_step = {.stage = WEFT_STAGE_HELPERS, .run = stop_thread};

static void before_fork(void)
{
    (void)pthread_mutex_lock(&warden.lock);
}

static void after_fork(void)
{
    (void)pthread_mutex_unlock(&warden.lock);
}

/* Neither the thread nor who asked it is here; the condition would wait for them. */
static void after_fork_child(void)
{
    static const pthread_cond_t fresh = PTHREAD_COND_INITIALIZER;
    warden.changed = fresh;
    warden.runs = warden.stop = false;
    warden.current = NULL;
    after_fork();
}

static weft_fork_hooks fork_hooks = {
    .prepare = before_fork, .parent = after_fork, .child = after_fork_child};

/* The lock is held. All signals are blocked in it: none of the host's handlers runs there. */
static int start_thread(void)
{
    sigset_t all, before;
    if (warden.runs)
        return 0;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = -pthread_create(&warden.thread, NULL, serve, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    warden.runs = r == 0;
    return r;
}

int weft_warden_spawn(const weft_spawn_plan *plan, weft_spawn_result *result)
{
    sigset_t mask;
    weft_spawn_plan own = *plan;
    request mine = {.plan = &own, .result = result};
    *result = (weft_spawn_result){.pid = -1, .pidfd = -1, .stage = WEFT_SPAWN_FORK};
    weft_fork_register(&fork_hooks);
    weft_shutdown_register(&shutdown_step);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (own.mask == NULL)
        own.mask = &mask;
    (void)pthread_mutex_lock(&warden.lock);
    await_turn();
    int r = start_thread();
    if (r == 0) {
        warden.current = &mine;
        (void)pthread_cond_broadcast(&warden.changed);
        while (!mine.done)
            (void)pthread_cond_wait(&warden.changed, &warden.lock);
        r = mine.r;
    }
    (void)pthread_mutex_unlock(&warden.lock);
    return r;
}
