/* SPDX-License-Identifier: MIT */
/*
 * A storm of signals, from threads of the process and from another process, over everything that
 * takes them: handlers on waits and in loops, a host's handler beside them, sets and restores,
 * the wake-up descriptor, forks. What is queued by the system is taken exactly once by many that
 * wait for it, some in vain.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stress/stress.h"
#include "support/places.h"

/* ThreadSanitizer's runtime waits in a handler for locks that the interrupted thread may hold: in a
 * storm it soon does so for ever. (gcc defines the macro, clang has the feature.) */
#if defined(__SANITIZE_THREAD__)
enum { STORMS = false };
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
enum { STORMS = false };
#else
enum { STORMS = true };
#endif
#else
enum { STORMS = true };
#endif

enum { ROUNDS = 30 * STRESS_FACTOR, TURNS = 50, KINDS = 3, SENDERS = 2 };

static const int kinds[KINDS] = {SIGUSR1, SIGUSR2, SIGHUP};

/* ---- the storm */

static _Atomic bool over;

static void send_all(pid_t pid)
{
    for (int i = 0; i < KINDS; i++)
        kill(pid, kinds[i]);
    nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
}

static void *send_from_thread(void *arg)
{
    while (!over)
        send_all(getpid());
    return arg;
}

static pthread_t senders[SENDERS];
static pid_t other;

/* The host's handler stays from before to after, so that nothing of it ever kills. */
static _Atomic long host_calls;
static struct sigaction before[KINDS];

static void host(int signum)
{
    (void)signum;
    atomic_fetch_add(&host_calls, 1);
}

static void begin_storm(void)
{
    struct sigaction action = {.sa_handler = host};
    sigset_t all, mask;
    pid_t self = getpid();
    over = false;
    for (int i = 0; i < KINDS; i++)
        sigaction(kinds[i], &action, &before[i]);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    for (int i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&senders[i], NULL, send_from_thread, NULL), 0);
    other = fork();
    if (other == 0) {
        while (getppid() == self)
            send_all(self);
        _exit(0);
    }
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

static void end_storm(void)
{
    over = true;
    for (int i = 0; i < SENDERS; i++)
        pthread_join(senders[i], NULL);
    kill(other, SIGKILL);
    while (waitpid(other, NULL, 0) < 0 && errno == EINTR)
        continue;
    for (int i = 0; i < KINDS; i++)
        sigaction(kinds[i], &before[i], NULL);
}

/* ---- what is handled */

typedef struct scene {
    struct recorder recorder;
    pthread_t main;
    long handled[KINDS];
    int depth;
    bool in_loop; /* where tasks may be threads of the system */
} scene;

static int handle(const weft_signal_info *info, void *arg)
{
    scene *s = arg;
    int i = 0;
    while (i < KINDS - 1 && kinds[i] != info->signum)
        i++;
    RECORD(&s->recorder, s->in_loop || pthread_equal(pthread_self(), s->main));
    RECORD_INT(&s->recorder, info->signum, kinds[i]);
    RECORD_INT(&s->recorder, s->depth, 0); /* none waits, so none is on top of another */
    s->depth++;
    s->handled[i]++;
    s->depth--;
    return 0;
}

static void set_all(scene *s, bool chained)
{
    for (int i = 0; i < KINDS; i++) {
        int r = chained ? weft_signal_set_chained(kinds[i], handle, s)
                        : weft_signal_set(kinds[i], handle, s);
        RECORD_INT(&s->recorder, r, 0);
    }
}

/* The last signal of each kind is handled, whatever came before. */
static void nothing_is_lost(scene *s)
{
    for (int i = 0; i < KINDS; i++) {
        weft_signal_check();
        long so_far = s->handled[i];
        kill(getpid(), kinds[i]);
        while (s->handled[i] == so_far)
            RECORD_INT(&s->recorder, weft_signal_pause(WEFT_FOREVER), 0);
    }
}

typedef struct pair {
    weft_queue *there, *back;
} pair;

static int answer(void *arg)
{
    pair *p = arg;
    int n = 0, r = 0;
    while (r >= 0 && n >= 0) {
        r = weft_queue_get(p->there, WEFT_OUT(n), WEFT_FOREVER);
        r = r < 0 ? r : weft_queue_put(p->back, WEFT_ARG(n), WEFT_FOREVER);
    }
    return r < 0 ? r : 0;
}

static void talk(scene *s, bool task)
{
    const weft_queue_options options = {.maxsize = 1, .item_size = sizeof(int)};
    pair p;
    void *handle = NULL;
    RECORD_INT(&s->recorder, weft_queue_open(&p.there, &options), 0);
    RECORD_INT(&s->recorder, weft_queue_open(&p.back, &options), 0);
    int r = task ? weft_task_start((weft_task **)&handle, answer, WEFT_ARG(p), NULL)
                 : weft_thread_start((weft_thread **)&handle, answer, WEFT_ARG(p), NULL);
    for (int i = TURNS; r >= 0 && i >= -1; i--) {
        int n = i;
        r = weft_queue_put(p.there, WEFT_ARG(n), WEFT_FOREVER);
        r = r < 0 ? r : weft_queue_get(p.back, WEFT_OUT(n), WEFT_FOREVER);
        RECORD_INT(&s->recorder, n, i);
    }
    RECORD_INT(&s->recorder, weft_result(handle, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(handle);
    weft_release(p.there);
    weft_release(p.back);
}

static int in_loop(void *arg)
{
    scene *s = arg;
    talk(s, false);
    talk(s, true);
    set_all(s, true); /* over what is set */
    RECORD_INT(&s->recorder, weft_sleep(0.001), 0);
    return 0;
}

static void waits_and_loops_go_on_in_a_storm(void **state)
{
    scene s = {.main = pthread_self()};
    (void)state;
    if (!STORMS)
        skip();
    host_calls = 0;
    begin_storm();
    for (int i = 0; i < ROUNDS; i++) {
        set_all(&s, i % 2 == 0);
        talk(&s, false);
        s.in_loop = true;
        RECORD_INT(&s.recorder, weft_run(in_loop, WEFT_POINTER(&s), NULL), 0);
        s.in_loop = false;
        nothing_is_lost(&s);
        for (int kind = 0; kind < KINDS; kind++)
            RECORD_INT(&s.recorder, weft_signal_restore(kinds[kind]), 0);
    }
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0); /* in the midst of it */
    end_storm();
    recorder_assert(&s.recorder);
    assert_true(host_calls > 0);
}

static void the_wakeup_descriptor_gets_numbers_and_nothing_else(void **state)
{
    scene s = {.main = pthread_self()};
    int ends[2];
    unsigned char bytes[512];
    long count = 0, wrong = 0;
    (void)state;
    if (!STORMS)
        skip();
    assert_int_equal(pipe(ends), 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    begin_storm();
    set_all(&s, true);
    for (int i = 0; i < 20 * ROUNDS; i++) {
        ssize_t n;
        RECORD_INT(&s.recorder, weft_signal_set_wakeup_fd(ends[1], NULL, NULL), 0);
        RECORD_INT(&s.recorder, weft_sleep(0.0005), 0);
        RECORD_INT(&s.recorder, weft_signal_set_wakeup_fd(-1, NULL, NULL), 0);
        while ((n = read(ends[0], bytes, sizeof bytes)) > 0 || (n < 0 && errno == EINTR)) {
            count += n;
            for (ssize_t k = 0; k < n; k++)
                wrong += bytes[k] != SIGUSR1 && bytes[k] != SIGUSR2 && bytes[k] != SIGHUP;
        }
        RECORD_INT(&s.recorder, read(ends[0], bytes, 1),
                   -1); /* none comes after it was taken away */
    }
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    end_storm();
    close(ends[0]);
    close(ends[1]);
    recorder_assert(&s.recorder);
    assert_true(count > 0);
    assert_int_equal(wrong, 0);
}

static int forked(struct recorder *recorder, void *arg)
{
    scene *s = arg;
    s->main = pthread_self();
    nothing_is_lost(s);
    RECORD_INT(recorder, s->recorder.failures, 0);
    RECORD_INT(recorder, weft_shutdown(WEFT_FOREVER), 0);
    return 0;
}

static void a_child_that_is_forked_in_a_storm_has_its_own(void **state)
{
    scene s = {.main = pthread_self()};
    (void)state;
    if (!STORMS)
        skip();
    begin_storm();
    set_all(&s, true);
    for (int i = 0; i < 2 * ROUNDS; i++) {
        struct child child;
        RECORD_INT(&s.recorder, child_start(&child, forked, &s), 0);
        RECORD_INT(&s.recorder, child_join(&child, &s.recorder), 0);
    }
    nothing_is_lost(&s);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    end_storm();
    recorder_assert(&s.recorder);
}

/* ---- taken by who waits */

enum { TAKERS = 3, QUEUED = 3000 * STRESS_FACTOR };

typedef struct taking {
    int signum;
    _Atomic long taken;
    _Atomic bool enough;
} taking;

static int take(void *arg)
{
    taking *t = arg;
    weft_sigset set = {0};
    int r;
    weft_sigset_add(&set, t->signum);
    do {
        r = weft_signal_sigwait(&set, 0.0002);
        if (r == t->signum)
            atomic_fetch_add(&t->taken, 1);
    } while (!t->enough && (r == t->signum || r == -ETIMEDOUT));
    return t->enough ? 0 : r < 0 ? r : -EIO;
}

static int take_in_tasks(void *arg)
{
    weft_task *tasks[TAKERS];
    int r = 0;
    for (int i = 0; i < TAKERS; i++)
        r = r < 0 ? r : weft_task_start(&tasks[i], take, WEFT_POINTER(arg), NULL);
    r = r < 0 ? r : weft_gather(tasks, TAKERS, WEFT_FOREVER);
    weft_release_many(tasks, TAKERS);
    return r;
}

static int take_in_loop(void *arg)
{
    return weft_run(take_in_tasks, WEFT_POINTER(arg), NULL);
}

static void what_is_queued_is_taken_once(void **state)
{
#if defined(SIGRTMIN)
    taking t = {.signum = SIGRTMIN + 1};
    weft_thread *threads[TAKERS + 1];
    weft_sigset set = {0}, old;
    (void)state;
    weft_sigset_add(&set, t.signum);
    assert_int_equal(weft_signal_pthread_sigmask(WEFT_SIG_BLOCK, &set, &old), 0);
    for (int i = 0; i < TAKERS; i++)
        assert_int_equal(weft_thread_start(&threads[i], take, WEFT_POINTER(&t), NULL), 0);
    assert_int_equal(weft_thread_start(&threads[TAKERS], take_in_loop, WEFT_POINTER(&t), NULL), 0);
    for (int i = 0; i < QUEUED; i++) {
        while (sigqueue(getpid(), t.signum, (union sigval){.sival_int = i}) < 0)
            sched_yield(); /* so many are queued already */
        if (i % 100 == 0)
            weft_sleep(0.001); /* some wait in vain */
    }
    while (t.taken < QUEUED)
        weft_sleep(0.001);
    t.enough = true;
    for (int i = 0; i <= TAKERS; i++)
        assert_int_equal(weft_result(threads[i], WEFT_NONE, WEFT_FOREVER), 0);
    weft_release_many(threads, TAKERS + 1);
    assert_int_equal(t.taken, QUEUED);
    assert_int_equal(weft_signal_sigpending(&set), 0);
    assert_false(weft_sigset_has(&set, t.signum));
    assert_int_equal(weft_signal_pthread_sigmask(WEFT_SIG_SETMASK, &old, NULL), 0);
#else
    (void)state;
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(waits_and_loops_go_on_in_a_storm),
        weft_test(the_wakeup_descriptor_gets_numbers_and_nothing_else),
        weft_test(a_child_that_is_forked_in_a_storm_has_its_own),
        weft_test(what_is_queued_is_taken_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
