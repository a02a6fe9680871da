/* SPDX-License-Identifier: MIT */
/*
 * A guest in somebody's program: children of the library beside those of the host, descriptors made
 * everywhere while children start, SIGPIPE left alone, and nothing left of children that were
 * dropped.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "subprocess_support.h"
#include "support/support.h"
#include <weft.h>

#ifdef WEFT_TORTURE
enum { FACTOR = 25 };
#else
enum { FACTOR = 1 };
#endif

/* ---- the host's handler and children beside four loops */

enum { LOOPS = 4, TASKS = 4, EACH = 20 * FACTOR, OWN = 80 * FACTOR };

static _Atomic int host_signals; /* handlers run in several threads at once */

static void on_sigchld(int signum)
{
    (void)signum;
    host_signals = 1;
}

static bool sigchld_blocked(void)
{
    sigset_t mask;
    return pthread_sigmask(SIG_SETMASK, NULL, &mask) != 0 || sigismember(&mask, SIGCHLD) == 1;
}

/* In a coroutine; where those are threads of the system they block all signals, always. */
static bool mask_has_changed(void)
{
#if defined(WEFT_PLATFORM_POSIX)
    return !sigchld_blocked();
#else
    return sigchld_blocked();
#endif
}

/* The number of children that ended otherwise than they were told to. */
static int start_and_wait(void *arg)
{
    int first = *(int *)arg, wrong = 0;
    for (int i = 0; i < EACH; i++) {
        char code[16];
        weft_popen *popen;
        int returncode = -1, wanted = (first + i) % 100;
        (void)snprintf(code, sizeof code, "%d", wanted);
        if (weft_popen_start(&popen, ARGV("exit", code), NULL) < 0 ||
            weft_popen_wait(popen, &returncode, WEFT_FOREVER) < 0 || returncode != wanted)
            wrong++;
        weft_release(popen);
    }
    return wrong + mask_has_changed();
}

static int start_tasks(void *arg)
{
    weft_task *tasks[TASKS];
    int wrong = 0, first = *(int *)arg;
    for (int i = 0; i < TASKS; i++, first += 7) {
        if (weft_task_start(&tasks[i], start_and_wait, WEFT_ARG(first), NULL) < 0)
            wrong++;
    }
    for (int i = 0; i < TASKS; i++)
        wrong += weft_result(tasks[i], WEFT_NONE, WEFT_FOREVER) != 0;
    weft_release_many(tasks, TASKS);
    return wrong + mask_has_changed();
}

static void *run_loop(void *arg)
{
    int *result = arg;
    *result = weft_run(start_tasks, WEFT_ARG(*result), NULL);
    return NULL;
}

static pid_t fork_own(int code)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(code);
    return pid;
}

/* 0 when the host's own child is there and ended with `code`. */
static int wait_own(pid_t pid, int code)
{
    int status;
    pid_t r;
    do
        r = waitpid(pid, &status, 0);
    while (r < 0 && errno == EINTR);
    return r != pid || !WIFEXITED(status) || WEXITSTATUS(status) != code;
}

static void *fork_many(void *arg)
{
    int *wrong = arg;
    for (int i = 0; i < OWN; i++) {
        pid_t pid = fork_own(i % 100);
        *wrong += pid < 0 || wait_own(pid, i % 100);
    }
    return NULL;
}

static void the_host_and_four_loops_see_their_own_children_alone(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_sigchld, .sa_flags = SA_RESTART}, before, now;
    pthread_t loops[LOOPS], host;
    int results[LOOPS], wrong = 0;
    host_signals = 0;
    sigaction(SIGCHLD, &action, &before);
    pid_t left = fork_own(42); /* a zombie all the time: nobody else may take it */
    assert_true(left > 0);
    for (int i = 0; i < LOOPS; i++) {
        results[i] = 1000 * i;
        assert_int_equal(pthread_create(&loops[i], NULL, run_loop, &results[i]), 0);
    }
    assert_int_equal(pthread_create(&host, NULL, fork_many, &wrong), 0);
    for (int i = 0; i < LOOPS; i++)
        pthread_join(loops[i], NULL);
    pthread_join(host, NULL);
    int taken = wait_own(left, 42);
    bool blocked = sigchld_blocked();
    sigaction(SIGCHLD, &before, &now);
    assert_true(now.sa_handler == on_sigchld);
    assert_int_equal(now.sa_flags & (SA_RESTART | SA_NOCLDWAIT | SA_NOCLDSTOP), SA_RESTART);
    assert_false(blocked);
    for (int i = 0; i < LOOPS; i++)
        assert_int_equal(results[i], 0);
    assert_int_equal(wrong, 0);
    assert_int_equal(taken, 0);
    assert_int_equal(host_signals, 1);
    assert_false(have_children());
}

/* ---- descriptors made while children start */

enum { SPAWNERS = 16, SPAWNS = 3 * FACTOR, OPENERS = 4 };

static _Atomic bool spawned_all;
static char inherited[4096]; /* what a child of this program has before the library is used */

/* Runs the target with `options`; whether it saw just those descriptors. */
static bool child_has(const char *fds, weft_popen_options options)
{
    weft_completed completed;
    int r = weft_subprocess_run(
        &completed, ARGV("fds"),
        &(weft_subprocess_options){.out = WEFT_PIPE, .in = WEFT_DEVNULL, .popen = options});
    bool same = r == 0 && completed.returncode == 0 && completed.out.data != NULL &&
                strcmp(completed.out.data, fds) == 0;
    if (!same)
        print_error("a child has %s\n", r == 0 ? (char *)completed.out.data : weft_error_message());
    weft_completed_clear(&completed);
    return same;
}

/* By .keep_fds a child has whatever is not close-on-exec: the library's own descriptors are, at
 * every moment. Without it, 0, 1, 2 and what is passed. */
static void *spawn_and_look(void *arg)
{
    int *wrong = arg;
    char text[64];
    int pass = fcntl(0, F_DUPFD_CLOEXEC, 200);
    (void)snprintf(text, sizeof text, "0 1 2 %d ", pass);
    for (int i = 0; i < SPAWNS; i++) {
        *wrong += !child_has(inherited, (weft_popen_options){.keep_fds = true});
        *wrong += !child_has("0 1 2 ", (weft_popen_options){0});
        *wrong += !child_has(text, (weft_popen_options){.pass_fds = &pass, .pass_fds_count = 1});
    }
    close(pass);
    return NULL;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int greet(weft_stream *stream, void *arg)
{
    (void)arg;
    return weft_stream_write(stream, "x", 1, WEFT_FOREVER);
}

static int serve_once(void *arg)
{
    char byte;
    weft_server *server;
    weft_stream *stream = NULL;
    (void)arg;
    int r = weft_server_open(&server, greet, NULL, "127.0.0.1", 0, NULL);
    if (r == 0)
        r = weft_stream_connect(&stream, "127.0.0.1", weft_server_port(server), NULL);
    if (r == 0)
        r = weft_stream_readexactly(stream, &byte, 1, WEFT_FOREVER);
    weft_release(stream);
    weft_release(server);
    return r;
}

static int use_pool(void)
{
    weft_executor *pool;
    weft_future *future = NULL;
    int r = weft_thread_pool_open(&pool, &(weft_thread_pool_options){.max_workers = 2});
    if (r == 0)
        r = weft_submit(pool, &future, serve_once, WEFT_NONE, NULL);
    weft_release(future);
    if (r == 0)
        r = weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER);
    weft_release(pool);
    return r;
}

static int use_pipes(void)
{
    weft_popen *popen;
    const weft_popen_options options = {.in = WEFT_PIPE, .out = WEFT_PIPE, .err = WEFT_PIPE};
    int r = weft_popen_start(&popen, ARGV("cat"), &options);
    if (r == 0)
        r = weft_popen_communicate(popen, "abc", 3, NULL, WEFT_FOREVER);
    weft_release(popen);
    return r;
}

static void *open_descriptors(void *arg)
{
    int *r = arg;
    while (*r == 0 && !spawned_all) {
        weft_process *process = NULL;
        *r = weft_run(serve_once, WEFT_NONE, NULL);
        *r = *r < 0 ? *r : use_pool();
        *r = *r < 0 ? *r : use_pipes();
        if (*r == 0 && (*r = weft_process_start(&process, nothing, WEFT_NONE, NULL)) == 0)
            *r = weft_process_join(process, WEFT_FOREVER);
        weft_release(process);
    }
    return NULL;
}

static void no_child_inherits_what_is_made_while_it_starts(void **state)
{
    (void)state;
    pthread_t spawners[SPAWNERS], openers[OPENERS];
    int wrong[SPAWNERS] = {0}, opened[OPENERS] = {0}, sum = 0;
    weft_completed completed;
    const weft_subprocess_options options = {
        .out = WEFT_PIPE, .in = WEFT_DEVNULL, .popen = {.keep_fds = true}};
    assert_int_equal(weft_subprocess_run(&completed, ARGV("fds"), &options), 0);
    (void)snprintf(inherited, sizeof inherited, "%s", (char *)completed.out.data);
    weft_completed_clear(&completed);
    spawned_all = false;
    for (int i = 0; i < OPENERS; i++)
        assert_int_equal(pthread_create(&openers[i], NULL, open_descriptors, &opened[i]), 0);
    for (int i = 0; i < SPAWNERS; i++)
        assert_int_equal(pthread_create(&spawners[i], NULL, spawn_and_look, &wrong[i]), 0);
    for (int i = 0; i < SPAWNERS; i++) {
        pthread_join(spawners[i], NULL);
        sum += wrong[i];
    }
    spawned_all = true;
    for (int i = 0; i < OPENERS; i++)
        pthread_join(openers[i], NULL);
    assert_int_equal(sum, 0);
    for (int i = 0; i < OPENERS; i++)
        assert_int_equal(opened[i], 0);
}

/* ---- SIGPIPE */

/* Writes to a child that has ended, and to one that ends while much is being written. */
static int write_to_the_dead(void *arg)
{
    struct recorder *recorder = arg;
    static const char much[4 << 20];
    sigset_t before, after;
    weft_popen *popen;
    const weft_popen_options options = {.in = WEFT_PIPE};
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    RECORD_INT(recorder, weft_popen_start(&popen, ARGV("exit", "0"), &options), 0);
    RECORD_INT(recorder, weft_wait(popen, WEFT_FOREVER), 0);
    RECORD_INT(recorder, weft_stream_write(weft_popen_stdin(popen), "a", 1, WEFT_FOREVER), -EPIPE);
    weft_release(popen);
    RECORD_INT(recorder, weft_popen_start(&popen, ARGV("gulp", "10"), &options), 0);
    RECORD_INT(recorder,
               weft_stream_write(weft_popen_stdin(popen), much, sizeof much, WEFT_FOREVER), -EPIPE);
    RECORD_INT(recorder, weft_wait(popen, WEFT_FOREVER), 0);
    weft_release(popen);
    RECORD_INT(recorder, weft_popen_start(&popen, ARGV("gulp", "10"), &options), 0);
    RECORD_INT(recorder, weft_popen_communicate(popen, much, sizeof much, NULL, WEFT_FOREVER), 0);
    weft_release(popen);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    RECORD_INT(recorder, sigismember(&after, SIGPIPE), sigismember(&before, SIGPIPE));
    return 0;
}

static volatile sig_atomic_t broken_pipes;

static void on_sigpipe(int signum)
{
    (void)signum;
    broken_pipes++;
}

static int in_a_thread(weft_fn *fn, void *arg)
{
    weft_thread *thread;
    int r = weft_thread_start(&thread, fn, WEFT_POINTER(arg), NULL);
    r = r < 0 ? r : weft_result(thread, WEFT_NONE, WEFT_FOREVER);
    weft_release(thread);
    return r;
}

/* At its default action, the first SIGPIPE would end this program. */
static void a_dead_reader_is_an_error_and_no_signal(void **state)
{
    void (*const handlers[])(int) = {SIG_DFL, SIG_IGN, on_sigpipe};
    struct recorder recorder = {0};
    (void)state;
    broken_pipes = 0;
    for (int i = 0; i < 3; i++) {
        struct sigaction action = {.sa_handler = handlers[i]}, before, now;
        sigaction(SIGPIPE, &action, &before);
        (void)write_to_the_dead(&recorder);
        (void)in_a_thread(write_to_the_dead, &recorder);
        (void)weft_run(write_to_the_dead, WEFT_POINTER(&recorder), NULL);
        sigaction(SIGPIPE, &before, &now);
        recorder_assert(&recorder);
        assert_true(now.sa_handler == handlers[i]);
    }
    assert_int_equal(broken_pipes, 0);
}

/* ---- dropped handles */

enum { BATCH = 250, BATCHES = 4 * (FACTOR > 1 ? 10 : 1) };

/* Children that have all ended lose their handles at once; the next start reaps them. */
static void drop_batch(void)
{
    static weft_popen *popens[BATCH];
    for (int i = 0; i < BATCH; i++)
        assert_int_equal(weft_popen_start(&popens[i], ARGV("exit", "0"), NULL), 0);
    for (int i = 0; i < BATCH; i++) {
        siginfo_t info;
        id_t pid = (id_t)weft_popen_pid(popens[i]);
        assert_int_equal(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
    }
    weft_release_many(popens, BATCH);
}

static int drop_one(void *arg)
{
    weft_popen *popen;
    (void)arg;
    int r = weft_popen_start(&popen, ARGV("exit", "0"), NULL);
    r = r < 0 ? r : weft_popen_wait(popen, NULL, WEFT_FOREVER);
    weft_release(popen);
    return r;
}

static void dropped_children_leave_nothing_after_one_more_start(void **state)
{
    (void)state;
    sleep_for_one();
    assert_int_equal(drop_one(NULL), 0);
    int fds = count_fds();
    size_t bytes = allocator_bytes();
    for (int i = 0; i < BATCHES; i++)
        drop_batch();
    assert_int_equal(drop_one(NULL), 0);
    assert_false(have_children());
    assert_int_equal(count_fds(), fds);
    assert_true(allocator_bytes() <= bytes);
}

static int drop_in_loop(void *arg)
{
    int *left = arg;
    for (int i = 0; i < 100; i++) {
        if (weft_popen_start(NULL, ARGV("exit", "0"), NULL) < 0)
            ++*left;
    }
    return 0;
}

static void a_loop_leaves_none_of_those_that_it_dropped(void **state)
{
    (void)state;
    int wrong = 0;
    int fds = count_fds();
    assert_int_equal(weft_run(drop_in_loop, WEFT_POINTER(&wrong), NULL), 0);
    assert_int_equal(wrong, 0);
    await_no_children();
    assert_int_equal(count_fds(), fds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(the_host_and_four_loops_see_their_own_children_alone),
        weft_test(no_child_inherits_what_is_made_while_it_starts),
        weft_test(a_dead_reader_is_an_error_and_no_signal),
        weft_test(dropped_children_leave_nothing_after_one_more_start),
        weft_test(a_loop_leaves_none_of_those_that_it_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
