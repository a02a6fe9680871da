/* SPDX-License-Identifier: MIT */
/*
 * Deadlines are on the monotonic clock: this program's own clock_gettime, time and gettimeofday
 * stand before libc's, count whoever asks for the time of day, and tell a time that jumps by a day,
 * back and forth. No wait asks, and all end in their time.
 */
#define _GNU_SOURCE

#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "support/places.h"

enum { DAY = 24 * 60 * 60 };

static _Atomic int asked; /* for the time of day */

static time_t jump(void)
{
    return asked++ % 2 == 0 ? DAY : -DAY;
}

static int ask(clockid_t id, struct timespec *now)
{
#if defined(SYS_clock_gettime64)
    return (int)syscall(SYS_clock_gettime64, id, now);
#else
    return (int)syscall(SYS_clock_gettime, id, now);
#endif
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    int r = ask(id, now);
    if (r == 0 && id != CLOCK_MONOTONIC && id != CLOCK_MONOTONIC_RAW &&
        id != CLOCK_MONOTONIC_COARSE && id != CLOCK_BOOTTIME && id != CLOCK_PROCESS_CPUTIME_ID &&
        id != CLOCK_THREAD_CPUTIME_ID)
        now->tv_sec += jump();
    return r;
}

time_t time(time_t *seconds)
{
    struct timespec now = {0};
    (void)ask(CLOCK_REALTIME, &now);
    now.tv_sec += jump();
    if (seconds != NULL)
        *seconds = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    (void)zone;
    now->tv_sec = time(NULL);
    now->tv_usec = 0;
    return 0;
}

/* It took as long as it should at least, and by far not a day. */
static void times_out(struct recorder *recorder, double begun, int r, const char *what, int line)
{
    double took = weft_time() - begun;
    recorder_check_int(recorder, r, -ETIMEDOUT, what, __FILE__, line);
    recorder_check(recorder, took >= 0.004 && took < DAY / 2.0, what, __FILE__, line);
}

#define IN_TIME(recorder, call)                                                                    \
    do {                                                                                           \
        double begun_ = weft_time();                                                               \
        int r_ = (call);                                                                           \
        times_out((recorder), begun_, r_, #call, __LINE__);                                        \
    } while (0)

static int scope(void)
{
    int outer = weft_timeout_begin(0.004);
    return weft_timeout_end(outer, weft_sleep(WEFT_FOREVER));
}

static void values(struct recorder *recorder)
{
    weft_lock lock = {0};
    weft_event event = {0};
    weft_semaphore semaphore = {0};
    weft_condition condition = {0};
    RECORD_INT(recorder, weft_lock_acquire(&lock, WEFT_FOREVER), 0);
    IN_TIME(recorder, weft_lock_acquire(&lock, 0.004));
    IN_TIME(recorder, weft_event_wait(&event, 0.004));
    IN_TIME(recorder, weft_semaphore_acquire(&semaphore, 0.004));
    RECORD_INT(recorder, weft_condition_acquire(&condition, WEFT_FOREVER), 0);
    IN_TIME(recorder, weft_condition_wait(&condition, 0.004));
    RECORD_INT(recorder, weft_condition_release(&condition), 0);
    IN_TIME(recorder, scope());
    double begun = weft_time();
    RECORD_INT(recorder, weft_sleep(0.004), 0);
    RECORD(recorder, weft_time() - begun >= 0.004);
}

static void handles(struct recorder *recorder)
{
    char byte;
    int ends[2];
    weft_queue *queue;
    weft_future *future;
    weft_source *source;
    RECORD_INT(recorder, pipe(ends), 0);
    RECORD_INT(recorder, weft_queue_open(&queue, NULL), 0);
    RECORD_INT(recorder, weft_future_open(&future), 0);
    RECORD_INT(recorder, weft_source_from_fd(&source, ends[0], WEFT_READABLE), 0);
    IN_TIME(recorder, weft_queue_get(queue, WEFT_OUT(byte), 0.004));
    IN_TIME(recorder, weft_result(future, WEFT_NONE, 0.004));
    IN_TIME(recorder, weft_wait(source, 0.004));
    void *all[] = {queue, future, source};
    IN_TIME(recorder, weft_wait_any(all, 3, 0.004));
    weft_release_many(all, 3);
    close(ends[0]);
    close(ends[1]);
}

static void children(struct recorder *recorder)
{
    weft_popen *popen;
    weft_completed completed;
    const char *line, *const argv[] = {"cat", NULL};
    const weft_popen_options options = {
        .in = WEFT_PIPE, .out = WEFT_PIPE, .on_drop = WEFT_ON_DROP_KILL};
    RECORD_INT(recorder, weft_popen_start(&popen, argv, &options), 0);
    IN_TIME(recorder, weft_stream_readline(weft_popen_stdout(popen), &line, 0.004));
    IN_TIME(recorder, weft_popen_wait(popen, NULL, 0.004));
    weft_release(popen);
    const char *const sleeper[] = {"sleep", "1000", NULL};
    IN_TIME(recorder,
            weft_subprocess_run(&completed, sleeper, &(weft_subprocess_options){.timeout = 0.004}));
    weft_completed_clear(&completed);
}

static int waits(void *arg)
{
    struct recorder *recorder = arg;
    values(recorder);
    handles(recorder);
    children(recorder);
    return 0;
}

static void no_wait_asks_for_the_time_of_day(void **state)
{
    struct recorder recorder = {0};
    (void)state;
    asked = 0;
    in_each_place(waits, &recorder);
    int wrong = asked;
    recorder_assert(&recorder);
    assert_int_equal(wrong, 0);
}

static int set_event(void *arg)
{
    weft_event_set(*(weft_event **)arg);
    return 0;
}

static int call_later(void *arg)
{
    weft_event event = {0}, *pointer = &event;
    double begun = weft_time();
    int r = weft_loop_call_later(weft_loop_current(), NULL, 0.004, set_event, WEFT_ARG(pointer));
    (void)arg;
    r = r < 0 ? r : weft_event_wait(&event, WEFT_FOREVER);
    return r < 0 ? r : weft_time() - begun >= 0.004;
}

static void calls_come_in_their_time(void **state)
{
    (void)state;
    asked = 0;
    assert_int_equal(weft_run(call_later, WEFT_NONE, NULL), 1);
    assert_int_equal(asked, 0);
}

static int sleep_long(void *arg)
{
    (void)arg;
    return weft_sleep(1000);
}

static void processes_and_what_they_share_too(void **state)
{
    struct recorder recorder = {0};
    weft_process *process;
    (void)state;
    weft_event *event = weft_shared_alloc(sizeof *event);
    assert_non_null(event);
    assert_int_equal(weft_process_start(&process, sleep_long, WEFT_NONE, NULL), 0);
    asked = 0;
    IN_TIME(&recorder, weft_event_wait(event, 0.004));
    IN_TIME(&recorder, weft_process_join(process, 0.004));
    int wrong = asked;
    weft_process_kill(process);
    weft_process_join(process, WEFT_FOREVER);
    weft_release(process);
    weft_shared_free(event);
    recorder_assert(&recorder);
    assert_int_equal(wrong, 0);
}

/* That the others can fail. */
static void this_programs_clock_is_the_one_that_is_asked(void **state)
{
    struct timespec now;
    struct timeval of_day;
    (void)state;
    asked = 0;
    clock_gettime(CLOCK_REALTIME, &now);
    time(NULL);
    gettimeofday(&of_day, NULL);
    assert_int_equal(asked, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(no_wait_asks_for_the_time_of_day),
        weft_test(calls_come_in_their_time),
        weft_test(processes_and_what_they_share_too),
        weft_test(this_programs_clock_is_the_one_that_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
