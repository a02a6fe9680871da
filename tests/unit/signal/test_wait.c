/* SPDX-License-Identifier: MIT */
/*
 * Waits and handlers: each kind of wait of the main thread runs the handler and goes on, or ends
 * with the handler's code. A helper thread sends the signal and, once the handler has run, lets go
 * on what is waited for: nothing here waits by the clock.
 */
#include "support/support.h"

#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <weft.h>

typedef struct scene {
    pthread_t main, helper;
    struct gate handled;
    int code; /* what the handler returns */
    int calls, on_main;
    /* what the helper does after the handler has run; the waits' objects */
    void (*go_on)(struct scene *s);
    weft_lock lock;
    weft_event event;
    weft_queue *queue;
    int fds[2];
    bool elsewhere; /* the helper gets the signal itself */
} scene;

static int handler(const weft_signal_info *info, void *arg)
{
    scene *s = arg;
    (void)info;
    s->calls++;
    s->on_main += pthread_equal(pthread_self(), s->main) != 0;
    gate_arrive(&s->handled);
    return s->code < 0 ? weft_error(s->code, "the handler has had enough") : 0;
}

static void *help(void *arg)
{
    scene *s = arg;
    pthread_kill(s->elsewhere ? pthread_self() : s->main, SIGUSR1);
    gate_wait(&s->handled);
    if (s->go_on != NULL)
        s->go_on(s);
    return NULL;
}

static void begin(scene *s, int code, void (*go_on)(scene *s))
{
    s->main = pthread_self();
    s->code = code;
    s->go_on = go_on;
    gate_init(&s->handled, 1);
    assert_int_equal(weft_signal_set(SIGUSR1, handler, s), 0);
    assert_int_equal(pthread_create(&s->helper, NULL, help, s), 0);
}

static void finish(scene *s)
{
    pthread_join(s->helper, NULL);
    gate_destroy(&s->handled);
    assert_int_equal(s->calls, 1);
    assert_int_equal(s->on_main, 1);
}

static void release_lock(scene *s)
{
    weft_lock_release(&s->lock);
}

static void set_event(scene *s)
{
    weft_event_set(&s->event);
}

static void write_byte(scene *s)
{
    (void)!write(s->fds[1], "x", 1);
}

static void close_writer(scene *s)
{
    close(s->fds[1]);
}

static void a_lock_is_got_after_the_handler(void **state)
{
    scene s = {0};
    (void)state;
    assert_int_equal(weft_lock_acquire(&s.lock, 0), 0);
    begin(&s, 0, release_lock);
    assert_int_equal(weft_lock_acquire(&s.lock, WEFT_FOREVER), 0);
    finish(&s);
    assert_int_equal(weft_lock_release(&s.lock), 0);
}

static void an_event_is_seen_after_the_handler(void **state)
{
    scene s = {0};
    (void)state;
    begin(&s, 0, set_event);
    assert_int_equal(weft_event_wait(&s.event, WEFT_FOREVER), 0);
    finish(&s);
}

static void a_signal_that_another_thread_got_is_handled_by_main(void **state)
{
    scene s = {.elsewhere = true};
    (void)state;
    begin(&s, 0, set_event);
    assert_int_equal(weft_event_wait(&s.event, WEFT_FOREVER), 0);
    finish(&s);
}

static void a_descriptor_is_seen_after_the_handler(void **state)
{
    scene s = {0};
    weft_source *source;
    (void)state;
    assert_int_equal(pipe(s.fds), 0);
    assert_int_equal(weft_source_from_fd(&source, s.fds[0], WEFT_READABLE), 0);
    begin(&s, 0, write_byte);
    assert_int_equal(weft_wait(source, WEFT_FOREVER), 0);
    finish(&s);
    weft_release(source);
    close(s.fds[0]);
    close(s.fds[1]);
}

static int wait_for_event(void *arg)
{
    return weft_event_wait(*(weft_event **)arg, WEFT_FOREVER);
}

static void put_item(scene *s)
{
    weft_queue_put(s->queue, "xy", 2, WEFT_FOREVER);
}

static void an_item_is_got_after_the_handler(void **state)
{
    scene s = {0};
    char item[2] = {0};
    (void)state;
    assert_int_equal(weft_queue_open(&s.queue, NULL), 0);
    begin(&s, 0, put_item);
    assert_int_equal(weft_queue_get(s.queue, item, sizeof item, WEFT_FOREVER), 2);
    finish(&s);
    assert_memory_equal(item, "xy", 2);
    /* a code ends the wait, and takes nothing */
    weft_queue *queue = s.queue;
    s = (scene){.queue = queue};
    begin(&s, -20001, NULL);
    assert_int_equal(weft_queue_get(queue, item, sizeof item, WEFT_FOREVER), -20001);
    finish(&s);
    assert_int_equal(weft_queue_put(queue, "xy", 2, WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_get(queue, item, sizeof item, WEFT_NOWAIT), 2);
    weft_release(queue);
}

static void a_join_ends_after_the_handler(void **state)
{
    scene s = {0};
    weft_event *event = &s.event;
    weft_thread *thread;
    (void)state;
    assert_int_equal(weft_thread_start(&thread, wait_for_event, WEFT_ARG(event), NULL), 0);
    begin(&s, 0, set_event);
    assert_int_equal(weft_thread_join(thread, WEFT_FOREVER), 0);
    finish(&s);
    weft_release(thread);
}

static void a_command_is_waited_for_after_the_handler(void **state)
{
    scene s = {0};
    const char *const argv[] = {"cat", NULL};
    weft_popen *popen;
    int returncode = -1;
    (void)state;
    /* cat ends when the helper closes its input's other end */
    assert_int_equal(pipe(s.fds), 0);
    assert_int_equal(weft_popen_start(&popen, argv, &(weft_popen_options){.in = s.fds[0]}), 0);
    close(s.fds[0]);
    begin(&s, 0, close_writer);
    assert_int_equal(weft_popen_wait(popen, &returncode, WEFT_FOREVER), 0);
    finish(&s);
    assert_int_equal(returncode, 0);
    weft_release(popen);
}

static void a_code_ends_the_wait_with_its_message(void **state)
{
    scene s = {0};
    (void)state;
    begin(&s, -20001, NULL);
    assert_int_equal(weft_event_wait(&s.event, WEFT_FOREVER), -20001);
    assert_non_null(strstr(weft_error_message(), "had enough"));
    finish(&s);
    /* nothing is left of it */
    assert_int_equal(weft_sleep(0), 0);
    weft_event_set(&s.event);
    assert_int_equal(weft_event_wait(&s.event, WEFT_FOREVER), 0);
}

static void a_code_ends_the_wait_for_a_lock_without_it(void **state)
{
    scene s = {0};
    (void)state;
    assert_int_equal(weft_lock_acquire(&s.lock, 0), 0);
    begin(&s, -20001, NULL);
    assert_int_equal(weft_lock_acquire(&s.lock, WEFT_FOREVER), -20001);
    finish(&s);
    assert_int_equal(weft_lock_release(&s.lock), 0);
    assert_false(weft_lock_locked(&s.lock));
    assert_int_equal(weft_lock_acquire(&s.lock, 0), 0);
    assert_int_equal(weft_lock_release(&s.lock), 0);
}

static void a_code_ends_a_wait_for_a_descriptor_and_a_sleep(void **state)
{
    scene s = {0};
    weft_source *source;
    (void)state;
    assert_int_equal(pipe(s.fds), 0);
    assert_int_equal(weft_source_from_fd(&source, s.fds[0], WEFT_READABLE), 0);
    begin(&s, -20001, NULL);
    assert_int_equal(weft_wait(source, WEFT_FOREVER), -20001);
    finish(&s);
    weft_release(source);
    close(s.fds[0]);
    close(s.fds[1]);
    s = (scene){0};
    begin(&s, -20002, NULL);
    assert_int_equal(weft_sleep(WEFT_FOREVER), -20002);
    finish(&s);
}

static void a_sleep_lasts_its_time_and_no_longer(void **state)
{
    scene s = {0};
    (void)state;
    double before = weft_time();
    begin(&s, 0, NULL);
    assert_int_equal(weft_sleep(0.05), 0);
    assert_true(weft_time() - before >= 0.05);
    assert_int_equal(weft_sleep(0), 0); /* the signal may have come late */
    gate_wait(&s.handled);
    finish(&s);
}

/* ---- what a handler may do --------------------------------------------------------------------
 */

typedef struct busy {
    weft_lock lock;
    weft_event asked, answered, done;
    int lock_result, wait_result, sleep_result;
} busy;

static int busy_handler(const weft_signal_info *info, void *arg)
{
    busy *b = arg;
    (void)info;
    b->lock_result = weft_lock_acquire(&b->lock, WEFT_FOREVER);
    weft_event_set(&b->asked);
    b->wait_result = weft_event_wait(&b->answered, WEFT_FOREVER);
    b->sleep_result = weft_sleep(0.001);
    weft_lock_release(&b->lock);
    weft_event_set(&b->done);
    return 0;
}

static int answer(void *arg)
{
    busy *b = *(busy **)arg;
    int r = weft_event_wait(&b->asked, WEFT_FOREVER);
    weft_event_set(&b->answered);
    return r;
}

static void a_handler_may_lock_and_wait(void **state)
{
    busy b = {0};
    busy *pointer = &b;
    weft_thread *thread;
    (void)state;
    assert_int_equal(weft_signal_set(SIGUSR1, busy_handler, &b), 0);
    assert_int_equal(weft_thread_start(&thread, answer, WEFT_ARG(pointer), NULL), 0);
    raise(SIGUSR1);
    assert_int_equal(weft_event_wait(&b.done, WEFT_FOREVER), 0);
    assert_int_equal(b.lock_result, 0);
    assert_int_equal(b.wait_result, 0);
    assert_int_equal(b.sleep_result, 0);
    assert_int_equal(weft_thread_join(thread, WEFT_FOREVER), 0);
    weft_release(thread);
}

static int nested(void *arg)
{
    (void)arg;
    return weft_sleep(0.001) == 0 ? 5 : -1;
}

static int run_handler(const weft_signal_info *info, void *arg)
{
    (void)info;
    *(int *)arg = weft_run(nested, WEFT_NONE, NULL);
    return 0;
}

static void a_handler_may_run_a_loop(void **state)
{
    int r = 0;
    (void)state;
    assert_int_equal(weft_signal_set(SIGUSR1, run_handler, &r), 0);
    raise(SIGUSR1);
    assert_int_equal(weft_sleep(0), 0);
    assert_int_equal(r, 5);
}

/* ---- a signal of the host's, all the time -----------------------------------------------------
 */

static _Atomic int ticks; /* lock-free; any thread takes the signal */

static void tick(int signum)
{
    (void)signum;
    ticks++;
}

static void ticking(bool on)
{
    struct sigaction action = {.sa_handler = on ? tick : SIG_IGN}; /* without SA_RESTART */
    struct itimerval timer = {0};
    if (on)
        timer.it_interval.tv_usec = timer.it_value.tv_usec = 100;
    sigaction(SIGALRM, &action, NULL); /* ignored: one that is still on its way is thrown away */
    setitimer(ITIMER_REAL, &timer, NULL);
    action.sa_handler = SIG_DFL;
    if (!on)
        sigaction(SIGALRM, &action, NULL);
}

static int hand_over(void *arg)
{
    weft_event *events = *(weft_event **)arg;
    int r = 0;
    for (int i = 0; r == 0 && i < 200; i++) {
        r = weft_event_wait(&events[0], WEFT_FOREVER);
        weft_event_clear(&events[0]);
        weft_event_set(&events[1]);
    }
    return r;
}

static int in_a_loop(void *arg)
{
    weft_task *task;
    int r = weft_task_start(&task, hand_over, arg, sizeof(void *), NULL);
    weft_event *events = *(weft_event **)arg;
    for (int i = 0; r == 0 && i < 200; i++) {
        weft_event_set(&events[0]);
        r = weft_event_wait(&events[1], WEFT_FOREVER);
        weft_event_clear(&events[1]);
        if (r == 0 && i % 50 == 0)
            r = weft_sleep(0.002);
    }
    r = r < 0 ? r : weft_result(task, WEFT_NONE, WEFT_FOREVER);
    weft_release(task);
    return r;
}

static void a_ticking_host_changes_no_result(void **state)
{
    weft_event events[2] = {{0}};
    weft_event *pointer = events, never = {0};
    weft_thread *thread;
    const char *const argv[] = {"true", NULL};
    int results[8] = {0}, returncode = -1;
    (void)state;
    ticking(true);
    double begun = weft_time();
    results[0] = weft_sleep(0.05);
    double slept = weft_time() - begun;
    results[1] = weft_thread_start(&thread, hand_over, WEFT_ARG(pointer), NULL);
    for (int i = 0; i < 200 && results[2] == 0; i++) {
        weft_event_set(&events[0]);
        results[2] = weft_event_wait(&events[1], WEFT_FOREVER);
        weft_event_clear(&events[1]);
    }
    results[3] = weft_result(thread, WEFT_NONE, WEFT_FOREVER);
    results[4] = weft_event_wait(&never, 0.01);
    weft_popen *popen;
    results[5] = weft_popen_start(&popen, argv, NULL);
    if (results[5] == 0)
        results[6] = weft_popen_wait(popen, &returncode, WEFT_FOREVER);
    results[7] = weft_run(in_a_loop, WEFT_ARG(pointer), NULL);
    ticking(false);
    assert_true(slept >= 0.05);
    assert_true(ticks > 0);
    assert_int_equal(results[0], 0);
    assert_int_equal(results[1], 0);
    assert_int_equal(results[2], 0);
    assert_int_equal(results[3], 0);
    assert_int_equal(results[4], -ETIMEDOUT);
    assert_int_equal(results[5], 0);
    assert_int_equal(results[6], 0);
    assert_int_equal(returncode, 0);
    assert_int_equal(results[7], 0);
    weft_release(thread);
    weft_release(popen);
}

/* A wake-up between the look at what is pending and the sleep would be lost here, and the test
 * hang. */
static int answer_handler(const weft_signal_info *info, void *arg)
{
    (void)info;
    weft_event_set(arg);
    return 0;
}

typedef struct sender {
    pthread_t main;
    weft_event seen, end;
    int rounds, r;
} sender;

static void *send_many(void *arg)
{
    sender *s = arg;
    for (int i = 0; s->r == 0 && i < s->rounds; i++) {
        /* each second time main learns of it by the wake-up alone, not by EINTR */
        pthread_kill(i % 2 == 0 ? pthread_self() : s->main, SIGUSR1);
        s->r = weft_event_wait(&s->seen, WEFT_FOREVER);
        weft_event_clear(&s->seen);
    }
    weft_event_set(&s->end);
    return NULL;
}

static void no_signal_is_lost_between_look_and_sleep(void **state)
{
    sender s = {.main = pthread_self(), .rounds = 2000};
    pthread_t thread;
    (void)state;
    assert_int_equal(weft_signal_set(SIGUSR1, answer_handler, &s.seen), 0);
    assert_int_equal(pthread_create(&thread, NULL, send_many, &s), 0);
    assert_int_equal(weft_event_wait(&s.end, WEFT_FOREVER), 0);
    pthread_join(thread, NULL);
    assert_int_equal(s.r, 0);
}

/* The same with a sleep in poll: the source of an event that the sender sets, and a pipe. */
static void no_signal_is_lost_between_look_and_poll(void **state)
{
    sender s = {.main = pthread_self(), .rounds = 2000};
    pthread_t thread;
    weft_source *sources[2];
    int fds[2];
    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(weft_source_from_event(&sources[0], &s.end), 0);
    assert_int_equal(weft_source_from_fd(&sources[1], fds[0], WEFT_READABLE), 0);
    assert_int_equal(weft_signal_set(SIGUSR1, answer_handler, &s.seen), 0);
    assert_int_equal(pthread_create(&thread, NULL, send_many, &s), 0);
    assert_int_equal(weft_wait_any(sources, 2, WEFT_FOREVER), 0);
    pthread_join(thread, NULL);
    assert_int_equal(s.r, 0);
    weft_release_many(sources, 2);
    close(fds[0]);
    close(fds[1]);
}

/* ---- handlers that never end */

static bool again;

static int raise_again(const weft_signal_info *info, void *arg)
{
    ++*(int *)arg;
    if (again)
        kill(getpid(), info->signum);
    return 0;
}

static void a_handler_that_raises_its_signal_again_holds_up_no_deadline(void **state)
{
    int calls = 0, fds[2];
    weft_event event = {0};
    weft_source *source;
    (void)state;
    again = true;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(weft_source_from_fd(&source, fds[0], WEFT_READABLE), 0);
    assert_int_equal(weft_signal_set(SIGUSR1, raise_again, &calls), 0);
    raise(SIGUSR1);
    assert_int_equal(weft_sleep(0.003), 0);
    assert_int_equal(weft_event_wait(&event, 0.003), -ETIMEDOUT);
    assert_int_equal(weft_event_wait(&event, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_wait(source, 0.003), -ETIMEDOUT);
    assert_int_equal(weft_wait(source, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(write(fds[1], "", 1), 1);
    assert_int_equal(weft_wait(source, WEFT_NOWAIT), 0);
    assert_int_equal(weft_wait(source, WEFT_FOREVER), 0);
    assert_true(calls > 0);
    again = false;
    assert_int_equal(weft_sleep(0.003), 0);
    weft_release(source);
    close(fds[0]);
    close(fds[1]);
}

static int count_turns(void *arg)
{
    int *turns = *(int **)arg, r = 0;
    while (r == 0 && *turns < 200) {
        r = weft_sleep(0);
        ++*turns;
    }
    return r;
}

static int sleep_beside(void *arg)
{
    weft_task *task;
    int r = weft_task_start(&task, count_turns, WEFT_ARG(*(int **)arg), NULL);
    kill(getpid(), SIGUSR1);
    r = r < 0 ? r : weft_sleep(0.003);
    r = r < 0 ? r : weft_result(task, WEFT_NONE, WEFT_FOREVER);
    again = false;
    weft_release(task);
    return r;
}

static void nor_a_loop(void **state)
{
    int calls = 0, turns = 0, *pointer = &turns;
    (void)state;
    again = true;
    assert_int_equal(weft_signal_set(SIGUSR1, raise_again, &calls), 0);
    assert_int_equal(weft_run(sleep_beside, WEFT_ARG(pointer), NULL), 0);
    assert_int_equal(turns, 200);
    assert_true(calls > 0);
    assert_int_equal(weft_sleep(0.001), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(a_lock_is_got_after_the_handler),
        weft_test(an_event_is_seen_after_the_handler),
        weft_test(a_signal_that_another_thread_got_is_handled_by_main),
        weft_test(a_descriptor_is_seen_after_the_handler),
        weft_test(an_item_is_got_after_the_handler),
        weft_test(a_join_ends_after_the_handler),
        weft_test(a_command_is_waited_for_after_the_handler),
        weft_test(a_code_ends_the_wait_with_its_message),
        weft_test(a_code_ends_the_wait_for_a_lock_without_it),
        weft_test(a_code_ends_a_wait_for_a_descriptor_and_a_sleep),
        weft_test(a_sleep_lasts_its_time_and_no_longer),
        weft_test(a_handler_may_lock_and_wait),
        weft_test(a_handler_may_run_a_loop),
        weft_test(a_ticking_host_changes_no_result),
        weft_test(no_signal_is_lost_between_look_and_sleep),
        weft_test(no_signal_is_lost_between_look_and_poll),
        weft_test(a_handler_that_raises_its_signal_again_holds_up_no_deadline),
        weft_test(nor_a_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
