/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/wait.h>

#include <cmocka.h>

#include "support/support.h"
#include "threading/thread.h"
#include <weft.h>

static int square(void *arg)
{
    int n = *(int *)arg;
    *(int *)arg = 0; /* a private copy */
    return n < 0 ? weft_error(-EDOM, "square %d: negative", n) : n * n;
}

static void its_number_is_its_result(void **state)
{
    (void)state;
    weft_thread *thread;
    int n = 12;
    assert_int_equal(weft_thread_start(&thread, square, WEFT_ARG(n), NULL), 0);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 144);
    assert_int_equal(n, 12);
    assert_int_equal(weft_thread_join(thread, WEFT_FOREVER), 0);
    assert_int_equal(weft_thread_join(thread, WEFT_NOWAIT), 0);
    assert_false(weft_thread_is_alive(thread));
    weft_release(thread);
}

static void its_failure_comes_with_its_message(void **state)
{
    (void)state;
    weft_thread *thread;
    assert_int_equal(weft_thread_start(&thread, square, WEFT_ARG((int){-3}), NULL), 0);
    assert_int_equal(weft_thread_join(thread, WEFT_FOREVER), 0);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), -EDOM);
    assert_string_equal(weft_error_message(), "square -3: negative");
    weft_release(thread);
}

static int wait_for_event(void *arg)
{
    return weft_event_wait(arg, WEFT_FOREVER);
}

static void names_and_daemon(void **state)
{
    (void)state;
    weft_event event = {0};
    weft_thread *named, *unnamed;
    assert_int_equal(weft_thread_start(&named, wait_for_event, WEFT_POINTER(&event),
                                       &(weft_thread_options){.name = "worker", .daemon = true}),
                     0);
    assert_int_equal(weft_thread_start(&unnamed, wait_for_event, WEFT_POINTER(&event), NULL), 0);
    assert_string_equal(weft_handle_name(named), "worker");
    assert_memory_equal(weft_handle_name(unnamed), "Thread-", 7);
    assert_true(weft_thread_daemon(named));
    assert_false(weft_thread_daemon(unnamed));
    assert_true(weft_thread_is_alive(named));
    assert_int_equal(weft_thread_join(named, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_thread_join(named, 0.001), -ETIMEDOUT);
    weft_event_set(&event);
    assert_int_equal(weft_thread_join(named, WEFT_FOREVER), 0);
    assert_int_equal(weft_thread_join(unnamed, WEFT_FOREVER), 0);
    weft_release(named);
    weft_release(unnamed);
}

static int own_daemon(void *arg)
{
    (void)arg;
    return weft_thread_daemon(weft_thread_current());
}

static int start_another(void *arg)
{
    weft_thread *thread;
    int r = weft_thread_start(&thread, own_daemon, WEFT_NONE, NULL);
    (void)arg;
    if (r < 0)
        return r;
    r = weft_result(thread, WEFT_NONE, WEFT_FOREVER);
    weft_release(thread);
    return r;
}

static void what_a_daemon_starts_is_a_daemon(void **state)
{
    (void)state;
    weft_thread *thread;
    const weft_thread_options options = {.daemon = true};
    assert_int_equal(weft_thread_start(&thread, start_another, WEFT_NONE, &options), 0);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 1);
    weft_release(thread);
    assert_int_equal(weft_thread_start(&thread, start_another, WEFT_NONE, NULL), 0);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(thread);
}

static int join_self(void *arg)
{
    (void)arg;
    return weft_thread_join(weft_thread_current(), WEFT_FOREVER) == -EDEADLK ? 0 : -EIO;
}

static void joining_oneself_is_refused(void **state)
{
    (void)state;
    weft_thread *thread;
    assert_int_equal(weft_thread_start(&thread, join_self, WEFT_NONE, NULL), 0);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(thread);
    assert_int_equal(weft_thread_join(weft_thread_current(), WEFT_FOREVER), -EDEADLK);
}

/* A thread's callback, in it. */
static void wait_in_callback(void *handle, void *event)
{
    (void)handle;
    weft_event_wait(event, WEFT_FOREVER);
}

static void a_join_waits_for_callbacks_no_longer_than_it_is_to(void **state)
{
    (void)state;
    weft_event function = {0}, callback = {0};
    weft_thread *thread;
    assert_int_equal(weft_thread_start(&thread, wait_for_event, WEFT_POINTER(&function), NULL), 0);
    assert_int_equal(weft_add_done_callback(thread, wait_in_callback, &callback), 0);
    weft_event_set(&function);
    assert_int_equal(weft_wait(thread, WEFT_FOREVER), 0);
    assert_int_equal(weft_thread_join(thread, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_thread_join(thread, 0.001), -ETIMEDOUT);
    assert_int_equal(weft_shutdown(0.001), -ETIMEDOUT);
    weft_event_set(&callback);
    assert_int_equal(weft_thread_join(thread, WEFT_FOREVER), 0);
    assert_int_equal(weft_thread_join(thread, WEFT_NOWAIT), 0);
    weft_release(thread);
}

/* Of the host's, at the end of a thread. */
static void hold_up_the_end(void *gate)
{
    gate_wait(gate);
}

typedef struct held {
    pthread_key_t key;
    struct gate gate;
    weft_thread *thread;
} held;

static int be_held_up(void *arg)
{
    held *h = arg;
    return -pthread_setspecific(h->key, &h->gate);
}

static int join_held(void *arg)
{
    return weft_thread_join(((held *)arg)->thread, WEFT_FOREVER);
}

static void who_joins_beside_another_waits_no_longer_than_he_is_to(void **state)
{
    (void)state;
    held h;
    weft_thread *other;
    gate_init(&h.gate, 1);
    assert_int_equal(pthread_key_create(&h.key, hold_up_the_end), 0);
    assert_int_equal(weft_thread_start(&h.thread, be_held_up, WEFT_POINTER(&h), NULL), 0);
    assert_int_equal(weft_thread_start(&other, join_held, WEFT_POINTER(&h), NULL), 0);
    while (atomic_load(&h.thread->exit) != WEFT_THREAD_JOINING)
        sched_yield();
    assert_int_equal(weft_thread_join(h.thread, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_thread_join(h.thread, 0.001), -ETIMEDOUT);
    gate_arrive(&h.gate);
    assert_int_equal(weft_thread_join(h.thread, WEFT_FOREVER), 0);
    assert_int_equal(weft_result(other, WEFT_NONE, WEFT_FOREVER), 0);
    assert_int_equal(weft_thread_join(h.thread, WEFT_NOWAIT), 0);
    weft_release(h.thread);
    weft_thread_join(other, WEFT_FOREVER);
    weft_release(other);
    gate_destroy(&h.gate);
    pthread_key_delete(h.key);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    weft_thread *thread = (weft_thread *)(void *)&thread;
    assert_int_equal(weft_thread_start(&thread, NULL, WEFT_NONE, NULL), -EINVAL);
    assert_null(thread);
    assert_int_equal(weft_thread_join(NULL, WEFT_FOREVER), -EINVAL);
    assert_false(weft_thread_is_alive(NULL));
    const weft_thread_options options = {.stack_size = 1};
    assert_int_equal(weft_thread_start(&thread, join_self, WEFT_NONE, &options), -EINVAL);
    assert_null(thread);
}

static int use_stack(void *arg)
{
    volatile char room[700 * 1024];
    (void)arg;
    room[0] = room[sizeof(room) - 1] = 1;
    return room[0];
}

static void the_stack_is_as_large_as_asked(void **state)
{
    (void)state;
    weft_thread *thread;
    const weft_thread_options options = {.stack_size = 1024 * 1024 - 5};
    assert_int_equal(weft_thread_start(&thread, use_stack, WEFT_NONE, &options), 0);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 1);
    weft_release(thread);
}

static void a_cancel_ends_its_wait_once(void **state)
{
    (void)state;
    weft_event event = {0};
    weft_thread *thread;
    assert_int_equal(weft_thread_start(&thread, wait_for_event, WEFT_POINTER(&event), NULL), 0);
    assert_int_equal(weft_cancel(thread), 1);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), -ECANCELED);
    assert_int_equal(weft_cancel(thread), 0);
    weft_release(thread);
}

static void main_is_named_and_listed(void **state)
{
    (void)state;
    weft_event event = {0};
    weft_thread *thread, *threads[8];
    assert_string_equal(weft_handle_name(weft_thread_current()), "MainThread");
    assert_int_equal(weft_thread_start(&thread, wait_for_event, WEFT_POINTER(&event), NULL), 0);
    assert_int_equal(weft_thread_enumerate(NULL, 0), 2);
    assert_int_equal(weft_thread_enumerate(threads, 8), 2);
    assert_ptr_equal(threads[0], weft_thread_current());
    assert_ptr_equal(threads[1], thread);
    weft_release_many(threads, 2);
    assert_int_equal(weft_thread_enumerate(threads, 1), 2);
    weft_release(threads[0]);
    weft_event_set(&event);
    assert_int_equal(weft_thread_join(thread, WEFT_FOREVER), 0);
    assert_int_equal(weft_thread_enumerate(NULL, 0), 1);
    weft_release(thread);
}

static void *foreign(void *arg)
{
    weft_thread *thread = weft_thread_current();
    int *names = arg;
    if (thread != NULL && strncmp(weft_handle_name(thread), "Thread-", 7) == 0 &&
        weft_thread_is_alive(thread) && weft_retain(thread) == 0)
        ++*names;
    return thread;
}

static void a_thread_of_the_host_has_a_handle_when_asked(void **state)
{
    (void)state;
    pthread_t pthread;
    void *thread;
    int names = 0;
    assert_non_null(
        weft_thread_current()); /* where the system does not tell, who asks first is main */
    assert_int_equal(pthread_create(&pthread, NULL, foreign, &names), 0);
    assert_int_equal(pthread_join(pthread, &thread), 0);
    assert_int_equal(names, 1);
    assert_false(weft_thread_is_alive(thread));
    assert_int_equal(weft_thread_join(thread, WEFT_FOREVER), 0);
    weft_release(thread);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void dropped_threads_run_to_their_end(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++)
        assert_int_equal(weft_thread_start(NULL, nothing, WEFT_NONE, NULL), 0);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    assert_int_equal(weft_thread_enumerate(NULL, 0), 1);
}

static int join_it(void *arg)
{
    return weft_thread_join(*(weft_thread **)arg, WEFT_FOREVER);
}

static void many_may_join(void **state)
{
    (void)state;
    weft_event event = {0};
    weft_thread *thread, *joiners[4];
    assert_int_equal(weft_thread_start(&thread, wait_for_event, WEFT_POINTER(&event), NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(weft_thread_start(&joiners[i], join_it, WEFT_ARG(thread), NULL), 0);
    weft_event_set(&event);
    for (int i = 0; i < 4; i++)
        assert_int_equal(weft_result(joiners[i], WEFT_NONE, WEFT_FOREVER), 0);
    weft_release_many(joiners, 4);
    weft_release(thread);
}

static void shutdown_names_who_runs_and_stops_daemons(void **state)
{
    (void)state;
    weft_event event = {0};
    weft_thread *thread, *daemon;
    const weft_thread_options slow = {.name = "slow"}, demon = {.daemon = true};
    assert_int_equal(weft_thread_start(&thread, wait_for_event, WEFT_POINTER(&event), &slow), 0);
    assert_int_equal(weft_thread_start(&daemon, wait_for_event, WEFT_POINTER(&event), &demon), 0);
    assert_int_equal(weft_shutdown(0.001), -ETIMEDOUT);
    assert_non_null(strstr(weft_error_message(), "slow"));
    assert_true(weft_thread_is_alive(daemon));
    /* the first ends by itself, the daemon is cancelled */
    assert_int_equal(weft_cancel(thread), 1);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    assert_int_equal(weft_result(daemon, WEFT_NONE, WEFT_NOWAIT), -ECANCELED);
    weft_release(thread);
    weft_release(daemon);
}

static void a_forked_child_has_one_thread(void **state)
{
    (void)state;
    weft_event event = {0};
    weft_thread *thread;
    assert_int_equal(weft_thread_start(&thread, wait_for_event, WEFT_POINTER(&event), NULL), 0);
    weft_thread_current();
    pid_t pid = fork();
    if (pid == 0) {
        int bad = 0;
        bad |= weft_thread_join(thread, WEFT_FOREVER) != WEFT_EFORKED;
        bad |= weft_thread_enumerate(NULL, 0) != 1 ? 2 : 0;
        bad |= strcmp(weft_handle_name(weft_thread_current()), "MainThread") != 0 ? 4 : 0;
        weft_thread *own;
        if (forked_can_start_threads()) {
            bad |= weft_thread_start(&own, nothing, WEFT_NONE, NULL) != 0 ? 8 : 0;
            bad |= weft_thread_join(own, WEFT_FOREVER) != 0 ? 16 : 0;
        }
        _exit(bad);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    weft_event_set(&event);
    assert_int_equal(weft_thread_join(thread, WEFT_FOREVER), 0);
    weft_release(thread);
}

static void each_has_its_numbers(void **state)
{
    (void)state;
    weft_event event = {0};
    weft_thread *first, *second;
    assert_int_equal(weft_thread_start(&first, wait_for_event, WEFT_POINTER(&event), NULL), 0);
    assert_int_equal(weft_thread_start(&second, wait_for_event, WEFT_POINTER(&event), NULL), 0);
    weft_thread *const own = weft_thread_current();
    uint64_t ident = weft_thread_ident(first);
    assert_true(ident != 0 && ident != weft_thread_ident(second));
    assert_true(weft_thread_ident(own) != ident && weft_thread_ident(own) != 0);
    assert_int_equal(weft_thread_ident(NULL), 0);
    int64_t native = weft_thread_native_id(first);
#if defined(WEFT_PLATFORM_POSIX)
    assert_int_equal(native, 0);
#else
    assert_true(native > 0 && native != weft_thread_native_id(second));
    assert_int_equal(weft_thread_native_id(own), getpid());
#endif
    assert_int_equal(weft_thread_native_id(NULL), 0);
    weft_event_set(&event);
    assert_int_equal(weft_thread_join(first, WEFT_FOREVER), 0);
    assert_int_equal(weft_thread_join(second, WEFT_FOREVER), 0);
    assert_int_equal(weft_thread_ident(first), ident); /* also when it has ended */
    assert_int_equal(weft_thread_native_id(first), native);
    weft_release(first);
    weft_release(second);
}

static int look_for_main(void *arg)
{
    weft_thread *main = weft_thread_main();
    (void)arg;
    if (main == NULL || main == weft_thread_current() || !weft_thread_is_alive(main))
        return weft_error(WEFT_EUSER, "not the main thread");
    if (strcmp(weft_handle_name(main), "MainThread") != 0 || weft_thread_daemon(main))
        return weft_error(WEFT_EUSER, "not as the main thread is");
    return weft_cancel(main) == 1 && weft_thread_active_count() == 2 ? 0 : -EIO;
}

/* Others may ask for it first: it is the same when the main thread comes. */
static void there_is_one_main_thread(void **state)
{
    (void)state;
    weft_thread *thread;
#if defined(WEFT_PLATFORM_POSIX)
    assert_non_null(weft_thread_current()); /* where the system does not tell, the first is main */
#endif
    assert_int_equal(weft_thread_start(&thread, look_for_main, WEFT_NONE, NULL), 0);
    while (weft_thread_is_alive(thread)) /* a wait would not be cancelled yet */
        ;
    assert_int_equal(weft_thread_native_id(thread) != 0,
                     weft_thread_native_id(weft_thread_main()) != 0);
    assert_ptr_equal(weft_thread_main(), weft_thread_current());
    assert_int_equal(weft_sleep(0), -ECANCELED);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(thread);
    assert_int_equal(weft_thread_active_count(), 1);
}

#if !defined(WEFT_PLATFORM_POSIX)
static void shown_name(int64_t native_id, char *name, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%lld/comm", (long long)native_id);
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(name, (int)size, file) == NULL)
        name[0] = '\0';
    if (file != NULL)
        fclose(file);
    name[strcspn(name, "\n")] = '\0';
}

static int rename_itself(void *arg)
{
    char name[64];
    (void)arg;
    weft_thread *self = weft_thread_current();
    shown_name(weft_thread_native_id(self), name, sizeof name);
    if (strcmp(name, "by its option") != 0)
        return weft_error(WEFT_EUSER, "the system shows '%s'", name);
    if (weft_handle_set_name(self, "a name that is cut") < 0)
        return -EIO;
    shown_name(weft_thread_native_id(self), name, sizeof name);
    return strcmp(name, "a name that is ") == 0 ? 0 : weft_error(WEFT_EUSER, "shown: '%s'", name);
}

static void the_system_shows_its_name(void **state)
{
    (void)state;
    char name[64], own[64];
    weft_event event = {0};
    weft_thread *thread;
    shown_name(getpid(), own, sizeof own);
    if (own[0] == '\0')
        skip();
    assert_int_equal(weft_thread_start(&thread, rename_itself, WEFT_NONE,
                                       &(weft_thread_options){.name = "by its option"}),
                     0);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(thread);
    /* another one's new name is in its handle alone */
    assert_int_equal(weft_thread_start(&thread, wait_for_event, WEFT_POINTER(&event),
                                       &(weft_thread_options){.name = "first"}),
                     0);
    assert_int_equal(weft_handle_set_name(thread, "second"), 0);
    shown_name(getpid(), name, sizeof name);
    assert_string_equal(name, own);
    assert_string_equal(weft_handle_name(thread), "second");
    weft_event_set(&event);
    assert_int_equal(weft_thread_join(thread, WEFT_FOREVER), 0);
    weft_release(thread);
}
#endif

typedef struct told {
    _Atomic int count;
    int code;
    char message[64], name[64], running[64];
    bool alive;
} told;

static void tell(weft_thread *thread, int code, const char *message, void *arg)
{
    told *t = arg;
    t->code = code;
    t->alive = weft_thread_is_alive(thread) && thread == weft_thread_current();
    snprintf(t->message, sizeof t->message, "%s", message);
    snprintf(t->name, sizeof t->name, "%s", weft_handle_name(thread));
    snprintf(t->running, sizeof t->running, "%s", weft_current_name());
    weft_error(-EIO, "a failure of the hook's own");
    atomic_fetch_add(&t->count, 1);
}

static void run_square(int n)
{
    weft_thread *thread;
    const weft_thread_options options = {.name = "squarer"};
    assert_int_equal(weft_thread_start(&thread, square, WEFT_ARG(n), &options), 0);
    assert_int_equal(weft_thread_join(thread, WEFT_FOREVER), 0);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), n < 0 ? -EDOM : n * n);
    if (n < 0)
        assert_string_equal(weft_error_message(), "square -3: negative");
    weft_release(thread);
}

static void the_hook_is_told_of_failures(void **state)
{
    (void)state;
    told t = {0};
    weft_thread_set_excepthook(tell, &t);
    run_square(2);
    assert_int_equal(t.count, 0);
    run_square(-3);
    assert_int_equal(t.count, 1);
    assert_int_equal(t.code, -EDOM);
    assert_true(t.alive);
    assert_string_equal(t.message, "square -3: negative");
    assert_string_equal(t.name, "squarer");
    assert_string_equal(t.running, "squarer");
    a_cancel_ends_its_wait_once(state); /* that is no failure */
    assert_int_equal(t.count, 1);
    weft_thread_set_excepthook(NULL, NULL);
    run_square(-3);
    assert_int_equal(t.count, 1);
}

/* An allocator that, where it is to fail, looks at the threads first: a start that fails then is
 * in its middle. */
static struct {
    int left; /* requests that succeed; < 0: all */
    weft_thread *seen[4];
    int count;
} meddler;

static void *meddling_realloc(void *memory, size_t size, void *arg)
{
    (void)arg;
    if (meddler.left == 0) {
        meddler.left = -1;
        meddler.count = weft_thread_enumerate(meddler.seen, 4);
        return NULL;
    }
    meddler.left -= meddler.left > 0;
    return realloc(memory, size);
}

static void meddling_free(void *memory, void *arg)
{
    (void)arg;
    free(memory);
}

static void who_has_seen_a_thread_that_did_not_start_is_told(void **state)
{
    const weft_allocator allocator = {.realloc = meddling_realloc, .free = meddling_free};
    weft_event event = {0};
    weft_thread *thread;
    (void)state;
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    meddler.left = -1;
    assert_int_equal(weft_set_allocator(&allocator), 0);
    assert_non_null(weft_thread_current());
    meddler.left = 1; /* the record; what runs it fails */
    assert_int_equal(weft_thread_start(&thread, wait_for_event, WEFT_POINTER(&event), NULL),
                     -ENOMEM);
    assert_int_equal(meddler.count, 2);
    assert_false(weft_thread_is_alive(meddler.seen[1]));
    assert_int_equal(weft_thread_join(meddler.seen[1], 0.01), 0);
    assert_int_equal(weft_result(meddler.seen[1], WEFT_NONE, WEFT_NOWAIT), -ENOMEM);
    assert_int_equal(weft_thread_active_count(), 1);
    weft_release_many(meddler.seen, 2);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    assert_int_equal(weft_set_allocator(NULL), 0);
}

static int shut_down(void **state)
{
    (void)state;
    return weft_shutdown(WEFT_FOREVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(its_number_is_its_result),
        weft_test(its_failure_comes_with_its_message),
        weft_test(names_and_daemon),
        weft_test(what_a_daemon_starts_is_a_daemon),
        weft_test(joining_oneself_is_refused),
        weft_test(a_join_waits_for_callbacks_no_longer_than_it_is_to),
        weft_test(who_joins_beside_another_waits_no_longer_than_he_is_to),
        weft_test(misuse_is_refused),
        weft_test(the_stack_is_as_large_as_asked),
        weft_test(a_cancel_ends_its_wait_once),
        weft_test(main_is_named_and_listed),
        weft_test(a_thread_of_the_host_has_a_handle_when_asked),
        weft_test(dropped_threads_run_to_their_end),
        weft_test(many_may_join),
        weft_test(shutdown_names_who_runs_and_stops_daemons),
        weft_test(a_forked_child_has_one_thread),
        weft_test(each_has_its_numbers),
        weft_test(there_is_one_main_thread),
#if !defined(WEFT_PLATFORM_POSIX)
        weft_test(the_system_shows_its_name),
#endif
        weft_test(the_hook_is_told_of_failures),
        cmocka_unit_test(who_has_seen_a_thread_that_did_not_start_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, shut_down);
}
