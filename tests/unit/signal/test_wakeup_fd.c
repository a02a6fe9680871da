/* SPDX-License-Identifier: MIT */
/* The byte for each signal, and what becomes of one that cannot be written. */
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft.h>

static int calls;

static int count(const weft_signal_info *info, void *arg)
{
    (void)info;
    (void)arg;
    calls++;
    return 0;
}

static int failed_fd, failed_code, failures;

static void note_failure(int fd, int code, void *arg)
{
    failed_fd = fd;
    failed_code = code;
    failures += *(int *)arg;
}

static void open_pipe(int ends[2])
{
    assert_int_equal(pipe(ends), 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
}

static void close_both(const int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

static void each_signal_is_a_byte_before_its_handler_runs(void **state)
{
    int ends[2], old = 7;
    unsigned char bytes[8];
    (void)state;
    calls = 0;
    open_pipe(ends);
    weft_signal_set(SIGUSR1, count, NULL);
    weft_signal_set(SIGUSR2, count, NULL);
    assert_int_equal(weft_signal_set_wakeup_fd(ends[1], &old, NULL), 0);
    assert_int_equal(old, -1);
    raise(SIGUSR1);
    raise(SIGUSR2);
    raise(SIGUSR1);
    assert_int_equal(calls, 0);
    assert_int_equal(read(ends[0], bytes, sizeof bytes), 3);
    assert_int_equal(bytes[0], SIGUSR1);
    assert_int_equal(bytes[1], SIGUSR2);
    assert_int_equal(bytes[2], SIGUSR1);
    assert_int_equal(weft_signal_check(), 0);
    assert_int_equal(calls, 2);
    assert_int_equal(weft_signal_set_wakeup_fd(-1, &old, NULL), 0);
    assert_int_equal(old, ends[1]);
    raise(SIGUSR1);
    assert_int_equal(read(ends[0], bytes, sizeof bytes), -1);
    assert_int_equal(weft_signal_check(), 0);
    close_both(ends);
}

static void a_full_pipe_is_told_and_stops_nothing(void **state)
{
    char block[4096] = "";
    int ends[2], one = 1;
    (void)state;
    calls = failures = 0;
    open_pipe(ends);
    while (write(ends[1], block, sizeof block) > 0 || write(ends[1], block, 1) > 0)
        continue;
    weft_signal_set(SIGUSR1, count, NULL);
    assert_int_equal(weft_signal_set_wakeup_fd(ends[1], NULL, NULL), 0);
    errno = EDOM;
    raise(SIGUSR1);
    assert_int_equal(errno, EDOM);
    assert_int_equal(weft_signal_check(), 0);
    assert_int_equal(calls, 1);
    const weft_wakeup_fd_options options = {.on_error = note_failure, .arg = &one};
    assert_int_equal(weft_signal_set_wakeup_fd(ends[1], NULL, &options), 0);
    assert_int_equal(weft_signal_check(), 0);
    assert_int_equal(failures, 0); /* what was before is not told */
    raise(SIGUSR1);
    raise(SIGUSR1);
    assert_int_equal(failures, 0); /* not in the signal */
    assert_int_equal(weft_signal_check(), 0);
    assert_int_equal(failures, 1);
    assert_int_equal(failed_fd, ends[1]);
    assert_int_equal(failed_code, -EAGAIN);
    assert_int_equal(calls, 2);
    assert_int_equal(weft_signal_set_wakeup_fd(-1, NULL, NULL), 0);
    close_both(ends);
}

static void a_pipe_without_a_reader_raises_nothing(void **state)
{
    int ends[2], one = 1;
    const weft_wakeup_fd_options options = {.on_error = note_failure, .arg = &one};
    (void)state;
    failures = 0;
    open_pipe(ends);
    weft_signal_set(SIGUSR1, count, NULL);
    assert_int_equal(weft_signal_set_wakeup_fd(ends[1], NULL, &options), 0);
    close(ends[0]);
    raise(SIGUSR1); /* SIGPIPE would kill */
    assert_int_equal(weft_signal_check(), 0);
    assert_int_equal(failures, 1);
    assert_int_equal(failed_code, -EPIPE);
    assert_int_equal(weft_signal_set_wakeup_fd(-1, NULL, NULL), 0);
    close(ends[1]);
}

static void a_socket_serves_as_well(void **state)
{
    int ends[2];
    unsigned char byte = 0;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    weft_signal_set(SIGUSR1, count, NULL);
    assert_int_equal(weft_signal_set_wakeup_fd(ends[1], NULL, NULL), 0);
    raise(SIGUSR1);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(byte, SIGUSR1);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0); /* ends it too */
    int old = 0;
    assert_int_equal(weft_signal_set_wakeup_fd(-1, &old, NULL), 0);
    assert_int_equal(old, -1);
    close_both(ends);
}

/* Of the host's, and cancelled: it goes on until it comes to a cancellation point of its own. */
static void *be_cancelled(void *arg)
{
    pthread_cancel(pthread_self());
    pthread_kill(pthread_self(), SIGUSR1);
    *(bool *)arg = true;
    pthread_testcancel();
    return NULL;
}

static void a_cancelled_thread_does_not_end_in_the_signal(void **state)
{
    pthread_t thread;
    int ends[2];
    void *result = NULL;
    bool went_on = false;
    unsigned char byte = 0;
    (void)state;
    calls = 0;
    open_pipe(ends);
    weft_signal_set(SIGUSR1, count, NULL);
    assert_int_equal(weft_signal_set_wakeup_fd(ends[1], NULL, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, be_cancelled, &went_on), 0);
    pthread_join(thread, &result);
    assert_true(went_on);
    assert_true(result == PTHREAD_CANCELED);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(weft_signal_check(), 0);
    assert_int_equal(calls, 1);
    assert_int_equal(weft_signal_set_wakeup_fd(-1, NULL, NULL), 0); /* waits for no handler */
    close_both(ends);
}

static void *set_elsewhere(void *arg)
{
    *(int *)arg = weft_signal_set_wakeup_fd(-1, NULL, NULL);
    return NULL;
}

static void a_wrong_descriptor_is_refused(void **state)
{
    pthread_t thread;
    int ends[2], r = 0, old = 7;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(weft_signal_set_wakeup_fd(ends[1], &old, NULL), -EINVAL);
    assert_non_null(strstr(weft_error_message(), "non-blocking"));
    close_both(ends);
    assert_int_equal(weft_signal_set_wakeup_fd(ends[1], &old, NULL), -EBADF);
    assert_int_equal(weft_signal_set_wakeup_fd(-2, &old, NULL), -EBADF);
    assert_int_equal(old, 7);
    weft_signal_set(SIGUSR1, count, NULL);
    assert_int_equal(pthread_create(&thread, NULL, set_elsewhere, &r), 0);
    pthread_join(thread, NULL);
    assert_int_equal(r, -EPERM);
}

static int raise_in_child(struct recorder *recorder, void *arg)
{
    int old = 0;
    (void)arg;
    raise(SIGUSR1);
    RECORD_INT(recorder, weft_signal_set_wakeup_fd(-1, &old, NULL), 0);
    RECORD_INT(recorder, old, -1);
    return 1;
}

static void a_childs_signals_are_not_the_parents(void **state)
{
    struct child child;
    struct recorder recorder = {0};
    int ends[2];
    char byte;
    (void)state;
    open_pipe(ends);
    weft_signal_set(SIGUSR1, count, NULL);
    assert_int_equal(weft_signal_set_wakeup_fd(ends[1], NULL, NULL), 0);
    assert_int_equal(child_start(&child, raise_in_child, NULL), 0);
    assert_int_equal(child_join(&child, &recorder), 1);
    recorder_assert(&recorder);
    assert_int_equal(read(ends[0], &byte, 1), -1);
    assert_int_equal(weft_signal_set_wakeup_fd(-1, NULL, NULL), 0);
    close_both(ends);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(each_signal_is_a_byte_before_its_handler_runs),
        weft_test(a_full_pipe_is_told_and_stops_nothing),
        weft_test(a_pipe_without_a_reader_raises_nothing),
        weft_test(a_socket_serves_as_well),
        weft_test(a_cancelled_thread_does_not_end_in_the_signal),
        weft_test(a_wrong_descriptor_is_refused),
        weft_test(a_childs_signals_are_not_the_parents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
