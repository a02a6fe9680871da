/* SPDX-License-Identifier: MIT */
/* wakeup: readable after a signal, until drained. */
#include "platform/wakeup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/support.h"
#include <cmocka.h>

static int open_wakeup(void **state)
{
    static weft_wakeup wakeup;
    *state = &wakeup;
    return weft_wakeup_open(&wakeup);
}

static int close_wakeup(void **state)
{
    weft_wakeup_close(*state);
    return 0;
}

static bool readable(const weft_wakeup *wakeup)
{
    struct pollfd entry = {.fd = wakeup->read_fd, .events = POLLIN};
    return poll(&entry, 1, 0) == 1 && (entry.revents & POLLIN);
}

static int lowest_free(void)
{
    int fd = dup(STDERR_FILENO);
    (void)close(fd);
    return fd;
}

static void ends_are_close_on_exec_and_never_block(void **state)
{
    weft_wakeup *wakeup = *state;
    const int ends[] = {wakeup->read_fd, wakeup->write_fd};
    for (int i = 0; i < 2; i++) {
        assert_true(ends[i] >= 0);
        assert_true(fcntl(ends[i], F_GETFD) & FD_CLOEXEC);
        assert_true(fcntl(ends[i], F_GETFL) & O_NONBLOCK);
    }
}

static void readable_from_signal_to_drain(void **state)
{
    weft_wakeup *wakeup = *state;
    assert_false(readable(wakeup));
    for (int i = 0; i < 3; i++) {
        weft_wakeup_signal(wakeup);
        assert_true(readable(wakeup));
        assert_true(readable(wakeup));
        weft_wakeup_drain(wakeup);
        assert_false(readable(wakeup));
    }
}

static void drain_of_nothing_returns(void **state)
{
    weft_wakeup_drain(*state);
    assert_false(readable(*state));
}

/* More than any pipe holds, and counts at which a read of a round size just empties it. */
static void one_drain_takes_any_number_of_signals(void **state)
{
    static const int counts[] = {2, 511, 512, 513, 4096, 200000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        errno = 4711;
        for (int n = 0; n < counts[i]; n++)
            weft_wakeup_signal(*state);
        assert_int_equal(errno, 4711);
        assert_true(readable(*state));
        weft_wakeup_drain(*state);
        assert_false(readable(*state));
    }
}

static void signal_preserves_errno_where_it_fails(void **state)
{
    (void)state;
    const weft_wakeup closed = {.read_fd = -1, .write_fd = -1};
    errno = 4711;
    weft_wakeup_signal(&closed);
    assert_int_equal(errno, 4711);
}

static const weft_wakeup *handled;

static void handler(int signum)
{
    (void)signum;
    weft_wakeup_signal(handled);
}

static void signal_works_in_a_handler(void **state)
{
    struct sigaction action = {.sa_handler = handler}, before;
    (void)sigemptyset(&action.sa_mask);
    handled = *state;
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
    assert_true(readable(*state));
}

typedef struct sleeper {
    weft_wakeup mine, ack;
    int failed;
} sleeper;

static int sleep_on(const weft_wakeup *wakeup)
{
    struct pollfd entry = {.fd = wakeup->read_fd, .events = POLLIN};
    int r = poll(&entry, 1, -1);
    weft_wakeup_drain(wakeup);
    return r == 1 ? 0 : 1;
}

enum { ROUNDS = 2000 };

static void *sleeper_main(void *arg)
{
    sleeper *self = arg;
    for (int i = 0; i < ROUNDS; i++) {
        self->failed += sleep_on(&self->mine);
        weft_wakeup_signal(&self->ack);
    }
    return NULL;
}

static void signal_ends_a_poll_in_another_thread(void **state)
{
    (void)state;
    sleeper self = {.failed = 0};
    pthread_t thread;
    int failed = 0;
    assert_int_equal(weft_wakeup_open(&self.mine), 0);
    assert_int_equal(weft_wakeup_open(&self.ack), 0);
    assert_int_equal(pthread_create(&thread, NULL, sleeper_main, &self), 0);
    for (int i = 0; i < ROUNDS; i++) {
        weft_wakeup_signal(&self.mine);
        failed += sleep_on(&self.ack);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(self.failed + failed, 0);
    weft_wakeup_close(&self.mine);
    weft_wakeup_close(&self.ack);
}

static void close_is_harmless_twice_and_leaves_no_descriptor(void **state)
{
    (void)state;
    weft_wakeup wakeup;
    int free_before = lowest_free();
    assert_int_equal(weft_wakeup_open(&wakeup), 0);
    weft_wakeup_close(&wakeup);
    assert_int_equal(wakeup.read_fd, -1);
    assert_int_equal(wakeup.write_fd, -1);
    weft_wakeup_close(&wakeup);
    assert_int_equal(lowest_free(), free_before);
}

static void open_without_descriptors_fails_whole(void **state)
{
    (void)state;
    struct rlimit before, limit;
    int free_before = lowest_free();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    /* No descriptor left, then one, which is too few for a pipe. */
    for (int left = 0; left < 2; left++) {
        weft_wakeup wakeup = {.read_fd = 77, .write_fd = 78};
        limit = before;
        limit.rlim_cur = (rlim_t)(free_before + left);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        int r = weft_wakeup_open(&wakeup);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        if (r == 0) {
            assert_int_equal(left, 1);
            assert_int_equal(wakeup.read_fd, wakeup.write_fd);
            weft_wakeup_close(&wakeup);
        } else {
            assert_int_equal(r, -EMFILE);
        }
        assert_int_equal(wakeup.read_fd, -1);
        assert_int_equal(wakeup.write_fd, -1);
        assert_int_equal(lowest_free(), free_before);
    }
}

#define WITH_WAKEUP(test) cmocka_unit_test_setup_teardown(test, open_wakeup, close_wakeup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WAKEUP(ends_are_close_on_exec_and_never_block),
        WITH_WAKEUP(readable_from_signal_to_drain),
        WITH_WAKEUP(drain_of_nothing_returns),
        WITH_WAKEUP(one_drain_takes_any_number_of_signals),
        census_test(signal_preserves_errno_where_it_fails),
        WITH_WAKEUP(signal_works_in_a_handler),
        census_test(signal_ends_a_poll_in_another_thread),
        census_test(close_is_harmless_twice_and_leaves_no_descriptor),
        census_test(open_without_descriptors_fails_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
