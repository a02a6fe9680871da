/* SPDX-License-Identifier: MIT */
/* A fork of the host's own: the child has the parent's handles, which answer, and disturbs nothing.
 */
#include "support/places.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/context.h"
#include "core/iowait.h"
#include "core/runner.h"

typedef struct family {
    weft_thread *thread;
    weft_future *future;
    weft_executor *pool;
    weft_event event;
    weft_lock lock;
    struct gate go;
} family;

static int wait_at_gate(void *arg)
{
    gate_wait(arg);
    return 3;
}

static int answer(void *arg)
{
    (void)arg;
    return 4;
}

static int child_of_family(struct recorder *recorder, void *arg)
{
    family *parent = arg;
    void *all[] = {parent->thread, parent->future, parent->pool};
    for (int i = 0; i < 3; i++) {
        RECORD_INT(recorder, weft_wait(all[i], WEFT_FOREVER), WEFT_EFORKED);
        RECORD_INT(recorder, weft_cancel(all[i]), WEFT_EFORKED);
        RECORD_INT(recorder, weft_retain(all[i]), WEFT_EFORKED);
        RECORD(recorder, weft_handle_name(all[i]) == NULL);
        RECORD(recorder, !weft_done(all[i]));
        RECORD_INT(recorder, weft_wait_any(all, 3, WEFT_FOREVER), WEFT_EFORKED);
    }
    RECORD_INT(recorder, weft_result(parent->thread, WEFT_NONE, WEFT_FOREVER), WEFT_EFORKED);
    RECORD_INT(recorder, weft_submit(parent->pool, NULL, answer, WEFT_NONE, NULL), WEFT_EFORKED);
    RECORD_INT(recorder, weft_executor_shutdown(parent->pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER),
               WEFT_EFORKED);
    RECORD_INT(recorder, weft_future_set_result(parent->future, WEFT_NONE), WEFT_EFORKED);
    weft_release_many(all, 3);
    return 0;
}

static void family_open(family *f)
{
    memset(f, 0, sizeof *f);
    gate_init(&f->go, 1);
    weft_thread_start(&f->thread, wait_at_gate, WEFT_POINTER(&f->go), NULL);
    weft_future_open(&f->future);
    weft_thread_pool_open(&f->pool, NULL);
}

static void family_close(family *f)
{
    weft_future *future;
    assert_int_equal(weft_submit(f->pool, &future, answer, WEFT_NONE, NULL), 0);
    assert_int_equal(weft_result(future, WEFT_NONE, WEFT_FOREVER), 4);
    gate_arrive(&f->go);
    assert_int_equal(weft_result(f->thread, WEFT_NONE, WEFT_FOREVER), 3);
    assert_int_equal(weft_future_set_result(f->future, WEFT_NONE), 0);
    void *all[] = {f->thread, f->future, f->pool, future};
    weft_release_many(all, 4);
    gate_destroy(&f->go);
}

static void run_child(int (*fn)(struct recorder *, void *), void *arg)
{
    struct recorder recorder = {0};
    struct child child;
    assert_int_equal(child_start(&child, fn, arg), 0);
    assert_int_equal(child_join(&child, &recorder), 0);
    recorder_assert(&recorder);
}

static void handles_answer_forked_and_the_parents_go_on(void **state)
{
    (void)state;
    family f;
    family_open(&f);
    weft_future *warm;
    weft_submit(f.pool, &warm, answer, WEFT_NONE, NULL);
    weft_wait(warm, WEFT_FOREVER);
    weft_release(warm);
    run_child(child_of_family, &f);
    family_close(&f);
}

static int use_everything(void *arg)
{
    struct recorder *recorder = arg;
    weft_lock lock = {0};
    weft_event event = {0};
    RECORD_INT(recorder, weft_lock_acquire(&lock, WEFT_FOREVER), 0);
    RECORD_INT(recorder, weft_lock_acquire(&lock, 0.001), -ETIMEDOUT);
    RECORD_INT(recorder, weft_lock_release(&lock), 0);
    RECORD_INT(recorder, weft_event_wait(&event, 0.001), -ETIMEDOUT);
    RECORD_INT(recorder, in_a_thread(answer, NULL), 4);
    if (weft_loop_current() == NULL)
        RECORD_INT(recorder, in_a_task(answer, NULL), 4);
    RECORD_INT(recorder, in_a_job(answer, NULL), 4);
    return 0;
}

static int child_uses_weft(struct recorder *recorder, void *arg)
{
    family *parent = arg;
    RECORD_INT(recorder, weft_lock_release(&parent->lock), 0); /* values are copies */
    RECORD_INT(recorder, weft_lock_acquire(&parent->lock, WEFT_FOREVER), 0);
    RECORD(recorder, !weft_event_is_set(&parent->event));
    weft_event_set(&parent->event);
    RECORD_INT(recorder, weft_event_wait(&parent->event, WEFT_FOREVER), 0);
    use_everything(recorder);
    RECORD_INT(recorder, in_a_task(use_everything, recorder), 0);
    RECORD_INT(recorder, weft_shutdown(WEFT_FOREVER), 0); /* waits for nobody of the parent's */
    return 0;
}

static void the_child_can_use_weft(void **state)
{
    (void)state;
    if (!forked_can_start_threads())
        skip();
    family f;
    family_open(&f);
    weft_lock_acquire(&f.lock, WEFT_FOREVER);
    run_child(child_uses_weft, &f);
    assert_false(weft_event_is_set(&f.event));
    assert_int_equal(weft_lock_release(&f.lock), 0);
    family_close(&f);
}

/* While other threads are in the middle of everything. */
static _Atomic bool stop;

static int busy(void *arg)
{
    weft_lock *lock = arg;
    int r = 0;
    while (r == 0 && !stop) {
        weft_future *future;
        weft_event event = {0};
        r = weft_lock_acquire(lock, WEFT_FOREVER);
        weft_event_wait(&event, 1e-6);
        weft_lock_release(lock);
        if (r == 0 && (r = weft_future_open(&future)) == 0)
            weft_release(future);
        if (r == 0)
            r = weft_run(answer, WEFT_NONE, NULL) == 4 ? 0 : -EIO;
    }
    return r;
}

static int short_child(struct recorder *recorder, void *arg)
{
    weft_lock own = {0};
    weft_event event = {0};
    (void)arg;
    RECORD_INT(recorder, weft_lock_acquire(&own, WEFT_FOREVER), 0);
    RECORD_INT(recorder, weft_lock_acquire(&own, 1e-6), -ETIMEDOUT);
    RECORD_INT(recorder, weft_event_wait(&event, 1e-6), -ETIMEDOUT);
    RECORD_INT(recorder, weft_run(answer, WEFT_NONE, NULL), 4);
    return 0;
}

static void no_lock_is_left_held_in_the_child(void **state)
{
    (void)state;
    enum { THREADS = 3, CHILDREN = 60 };
    weft_thread *threads[THREADS];
    weft_lock lock = {0};
    stop = false;
    for (int i = 0; i < THREADS; i++)
        weft_thread_start(&threads[i], busy, WEFT_POINTER(&lock), NULL);
    for (int i = 0; i < CHILDREN; i++)
        run_child(short_child, NULL);
    stop = true;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(weft_result(threads[i], WEFT_NONE, WEFT_FOREVER), 0);
    weft_release_many(threads, THREADS);
}

typedef struct forker {
    struct recorder recorder;
    int ends[2];
    weft_loop *loop;
} forker;

static int in_child_of_task(struct recorder *recorder, void *arg)
{
    forker *test = arg;
    RECORD_INT(recorder, weft_loop_call_soon(test->loop, NULL, answer, WEFT_NONE), WEFT_EFORKED);
    RECORD_INT(recorder,
               weft_task_start(NULL, answer, WEFT_NONE, &(weft_task_options){.loop = test->loop}),
               WEFT_EFORKED);
    RECORD(recorder, weft_loop_current() == NULL);
    RECORD(recorder, weft_task_current() == NULL);
    RECORD_INT(recorder, weft_task_start(NULL, answer, WEFT_NONE, NULL), WEFT_EINVALID_STATE);
    /* it waits as a thread: the parent's poller and its edges stay the parent's */
    weft_instant deadline;
    weft_deadline(0.001, &deadline);
    RECORD_INT(recorder, weft_fd_wait_for(test->ends[0], WEFT_READABLE, deadline), -ETIMEDOUT);
    RECORD_INT(recorder, weft_sleep(0.001), 0);
    RECORD_INT(recorder, weft_run(answer, WEFT_NONE, NULL), 4);
    return 0;
}

static int wait_on_pipe(void *arg)
{
    return weft_fd_wait_for(((forker *)arg)->ends[0], WEFT_READABLE, WEFT_INSTANT_NEVER);
}

static int fork_in_task(void *arg)
{
    forker *test = arg;
    weft_task *waiter;
    struct child child;
    test->loop = weft_loop_current();
    weft_task_start(&waiter, wait_on_pipe, WEFT_POINTER(test), NULL);
    weft_sleep(0.001);
    RECORD_INT(&test->recorder, child_start(&child, in_child_of_task, test), 0);
    RECORD_INT(&test->recorder, child_join(&child, &test->recorder), 0);
    RECORD(&test->recorder, !weft_done(waiter));
    RECORD_INT(&test->recorder, (int)write(test->ends[1], "x", 1), 1);
    RECORD_INT(&test->recorder, weft_result(waiter, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(waiter);
    return 0;
}

static void a_fork_in_a_task_leaves_the_loop_to_the_parent(void **state)
{
    (void)state;
    forker test = {.ends = {-1, -1}};
    assert_int_equal(pipe(test.ends), 0);
    assert_int_equal(weft_run(fork_in_task, WEFT_POINTER(&test), NULL), 0);
    recorder_assert(&test.recorder);
    close(test.ends[0]);
    close(test.ends[1]);
}

/* What lies in the pools has descriptors that are the parent's too: a child that used them would
 * take the parent's wake-ups. */
static int poll_in_thread(void *arg)
{
    weft_instant deadline;
    weft_deadline(0.0005, &deadline);
    return weft_fd_wait_for(*(int *)arg, WEFT_READABLE, deadline) == -ETIMEDOUT ? 0 : -EIO;
}

static int child_takes_from_pools(struct recorder *recorder, void *arg)
{
    (void)arg;
    weft_context *contexts[8];
    for (int i = 0; i < 8; i++) {
        contexts[i] = weft_context_acquire();
        RECORD_INT(recorder, contexts[i]->wakeup.read_fd, -1);
    }
    for (int i = 0; i < 8; i++)
        weft_context_release(contexts[i]);
    weft_runner *runner;
    RECORD_INT(recorder, weft_runner_open(&runner, NULL, NULL), 0);
    /* the main thread's runner has a wakeup at once; the parent sees that it is not his */
    if (runner->wakeup.read_fd != -1)
        weft_wakeup_signal(&runner->wakeup);
    weft_runner_close(runner);
    return 0;
}

static void what_is_pooled_is_not_shared_with_the_child(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    weft_thread *thread;
    weft_thread_start(&thread, poll_in_thread, WEFT_ARG(ends[0]), NULL);
    weft_thread_join(thread, WEFT_FOREVER);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(thread);
    assert_int_equal(weft_run(poll_in_thread, WEFT_ARG(ends[0]), NULL), 0);
    weft_runner *pooled;
    assert_int_equal(weft_runner_open(&pooled, NULL, NULL), 0);
    struct pollfd wakeup = {.fd = pooled->wakeup.read_fd, .events = POLLIN};
    assert_int_not_equal(wakeup.fd, -1);
    weft_runner_close(pooled);
    run_child(child_takes_from_pools, NULL);
    assert_int_equal(poll(&wakeup, 1, 0), 0);
    close(ends[0]);
    close(ends[1]);
}

static int wake_what_is_pooled(struct recorder *recorder, void *arg)
{
    weft_context *context = weft_context_acquire();
    RECORD(recorder, context == arg);
    RECORD_INT(recorder, weft_parker_allow_signals(&context->parker), 0);
    weft_parker_wake_from_signal(&context->parker);
    weft_context_release(context);
    return 0;
}

/* A main thread's context, after that thread has ended. */
static void nor_are_wake_ups_from_signals(void **state)
{
    (void)state;
    weft_instant deadline;
    weft_context *context = weft_context_acquire();
    weft_parker *parker = &context->parker;
    assert_int_equal(weft_parker_allow_signals(parker), 0);
    weft_context_release(context);
    run_child(wake_what_is_pooled, context);
    weft_deadline(0.0005, &deadline);
    assert_int_equal(weft_parker_wait(parker, atomic_load(&parker->word), deadline), -ETIMEDOUT);
}

/* The thread that forked ends in the child without having used weft there: its context is one of
 * the parent's threads for ever, and so are the descriptors of that. As it is the only one, the
 * process ends with it. */
static int parents_fd;

static void look_into_the_pool(void)
{
    weft_context *context = weft_context_acquire();
    _exit(context != NULL && context->wakeup.read_fd != parents_fd ? 0 : 1);
}

static void *poll_and_fork(void *arg)
{
    int status = -1;
    weft_instant deadline;
    weft_deadline(0.0005, &deadline);
    weft_wait_pause(weft_context_self(), deadline);
    parents_fd = weft_context_self()->wakeup.read_fd;
    pid_t pid = fork();
    if (pid == 0) {
        if (atexit(look_into_the_pool) != 0)
            _exit(2);
        pthread_exit(NULL);
    }
    if (parents_fd < 0 || pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        return arg;
    return NULL;
}

static void a_forking_thread_that_ends_in_the_child_leaves_nothing_in_the_pools(void **state)
{
    if (!forked_can_start_threads()) /* nor end one */
        skip();
    pthread_t thread;
    void *failed;
    assert_int_equal(pthread_create(&thread, NULL, poll_and_fork, state), 0);
    pthread_join(thread, &failed);
    assert_null(failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(handles_answer_forked_and_the_parents_go_on),
        weft_test(the_child_can_use_weft),
        weft_test(no_lock_is_left_held_in_the_child),
        weft_test(a_fork_in_a_task_leaves_the_loop_to_the_parent),
        weft_test(what_is_pooled_is_not_shared_with_the_child),
        weft_test(nor_are_wake_ups_from_signals),
        weft_test(a_forking_thread_that_ends_in_the_child_leaves_nothing_in_the_pools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
