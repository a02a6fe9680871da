/* SPDX-License-Identifier: MIT */
#include "support/coroutines.h"
#include "support/places.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/iowait.h"

typedef struct wire {
    weft_io io;
    int other; /* the end that the test holds */
} wire;

static void wire_open(wire *made)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(fcntl(ends[i], F_SETFL, O_NONBLOCK), 0);
    weft_io_init(&made->io, ends[0]);
    made->other = ends[1];
}

static void wire_close(wire *made)
{
    weft_io_close(&made->io);
    close(made->other);
}

static void send_byte(wire *to)
{
    (void)!write(to->other, "x", 1);
}

static int wait_readable(weft_io *io, weft_instant deadline)
{
    int r = weft_io_enter(io);
    if (r < 0)
        return r;
    r = weft_io_wait(io, WEFT_READABLE, deadline);
    weft_io_leave(io);
    return r;
}

static weft_instant in(double seconds)
{
    weft_instant deadline = 0;
    weft_deadline(seconds, &deadline);
    return deadline;
}

/* Reads what there is; how many bytes. */
static int drain(weft_io *io)
{
    char bytes[16];
    int got = 0;
    for (ssize_t n; (n = read(io->fd, bytes, sizeof bytes)) > 0;)
        got += (int)n;
    return got;
}

static struct recorder recorder;

static int waits_and_reads(void *arg)
{
    wire w;
    int ends[2];
    (void)arg;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
        return -errno;
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    weft_io_init(&w.io, ends[0]);
    w.other = ends[1];
    RECORD_INT(&recorder, weft_io_enter(&w.io), 0);
    RECORD_INT(&recorder, weft_io_wait(&w.io, WEFT_READABLE, in(0.001)), -ETIMEDOUT);
    RECORD_INT(&recorder, weft_io_wait(&w.io, WEFT_WRITABLE, WEFT_INSTANT_NEVER), 0);
    for (int round = 0; round < 3; round++) {
        send_byte(&w);
        RECORD_INT(&recorder, weft_io_wait(&w.io, WEFT_READABLE, WEFT_INSTANT_NEVER), 0);
        RECORD_INT(&recorder, drain(&w.io), 1);
        /* a hint that is left over may end one wait; reading to the end makes the next ones wait */
        if (weft_io_wait(&w.io, WEFT_READABLE, in(0.001)) == 0)
            RECORD_INT(&recorder, weft_io_wait(&w.io, WEFT_READABLE, in(0.001)), -ETIMEDOUT);
    }
    weft_io_leave(&w.io);
    weft_io_close(&w.io);
    RECORD_INT(&recorder, weft_io_enter(&w.io), -EBADF);
    weft_io_close(&w.io); /* once more does nothing */
    close(ends[1]);
    return 0;
}

static void it_waits_in_each_place(void **state)
{
    (void)state;
    recorder = (struct recorder){0};
    in_each_place(waits_and_reads, NULL);
    recorder_assert(&recorder);
}

typedef struct waiting {
    weft_io *io;
    weft_instant deadline;
    int r;
    struct gate *waits;
} waiting;

static void wait_on_io(void *arg)
{
    waiting *self = arg;
    self->r = wait_readable(self->io, self->deadline);
}

static int wait_on_io_in_thread(void *arg)
{
    waiting *self = arg;
    gate_arrive(self->waits);
    self->r = wait_readable(self->io, WEFT_INSTANT_NEVER);
    return 0;
}

static void turn(weft_runner *runner, int times)
{
    for (int i = 0; i < times; i++)
        weft_runner_turn(runner, WEFT_INSTANT_NOW);
}

static void a_close_wakes_waiters_in_threads_and_coroutines(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        wire w;
        struct gate waits;
        weft_thread *thread;
        unsigned left = 0;
        wire_open(&w);
        int fd = w.io.fd;
        gate_init(&waits, 1);
        waiting in_thread = {&w.io, WEFT_INSTANT_NEVER, 1, &waits};
        waiting in_coroutine = {&w.io, WEFT_INSTANT_NEVER, 1, NULL};
        weft_runner *runner = coroutines_open();
        coroutine_spawn(runner, &left, wait_on_io, &in_coroutine);
        turn(runner, 2);
        weft_thread_start(&thread, wait_on_io_in_thread, WEFT_POINTER(&in_thread), NULL);
        gate_wait(&waits);
        weft_io_close(&w.io);
        coroutines_run(runner, &left);
        weft_thread_join(thread, WEFT_FOREVER);
        assert_int_equal(in_thread.r, -EBADF);
        assert_int_equal(in_coroutine.r, -EBADF);
        assert_int_equal(fcntl(fd, F_GETFD), -1); /* the last has closed it */
        weft_runner_close(runner);
        weft_release(thread);
        close(w.other);
        gate_destroy(&waits);
    }
}

static void the_number_is_not_given_out_while_it_is_used(void **state)
{
    (void)state;
    wire w;
    wire_open(&w);
    int fd = w.io.fd;
    assert_int_equal(weft_io_enter(&w.io), 0);
    weft_io_close(&w.io);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    assert_int_equal(weft_io_wait(&w.io, WEFT_READABLE, WEFT_INSTANT_NEVER), -EBADF);
    weft_io_leave(&w.io);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    close(w.other);
}

static void taking_it_out_leaves_it_open(void **state)
{
    (void)state;
    wire w;
    wire_open(&w);
    int fd = w.io.fd;
    assert_int_equal(weft_io_enter(&w.io), 0);
    assert_int_equal(weft_io_take(&w.io), -EBUSY);
    weft_io_leave(&w.io);
    assert_int_equal(weft_io_take(&w.io), fd);
    assert_int_equal(weft_io_take(&w.io), -EBADF);
    weft_io_close(&w.io);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    close(fd);
    close(w.other);
}

/* The number is used again on the same runner: what was reported for the old use is void, and the
 * new one's edges arrive. */
static void a_number_that_is_used_again_starts_afresh(void **state)
{
    (void)state;
    weft_runner *runner = coroutines_open();
    unsigned left = 0;
    int number = -1, same = 0;
    for (int round = 0; round < 20; round++) {
        wire w;
        wire_open(&w);
        same += w.io.fd == number;
        number = w.io.fd;
        waiting waiter = {&w.io, in(0.0005), 1, NULL};
        coroutine_spawn(runner, &left, wait_on_io, &waiter);
        coroutines_run(runner, &left);
        assert_int_equal(waiter.r, -ETIMEDOUT); /* nothing of the use before it */
        waiter = (waiting){&w.io, WEFT_INSTANT_NEVER, 1, NULL};
        coroutine_spawn(runner, &left, wait_on_io, &waiter);
        turn(runner, 1);
        send_byte(&w);
        coroutines_run(runner, &left);
        assert_int_equal(waiter.r, 0);
        send_byte(&w); /* an edge that nobody takes */
        turn(runner, 1);
        wire_close(&w);
    }
    assert_true(same > 0);
    weft_runner_close(runner);
}

static void an_edge_that_finds_nobody_is_kept(void **state)
{
    (void)state;
    wire w;
    unsigned left = 0;
    wire_open(&w);
    weft_runner *runner = coroutines_open();
    waiting waiter = {&w.io, in(0.0005), 1, NULL};
    coroutine_spawn(runner, &left, wait_on_io, &waiter);
    coroutines_run(runner, &left);
    assert_int_equal(waiter.r, -ETIMEDOUT);
    send_byte(&w);
    assert_int_equal(weft_runner_poll(runner, WEFT_INSTANT_NOW), 0); /* the report comes here */
    waiter = (waiting){&w.io, in(20), 1, NULL};
    coroutine_spawn(runner, &left, wait_on_io, &waiter);
    coroutines_run(runner, &left);
    assert_int_equal(waiter.r, 0);
    wire_close(&w);
    weft_runner_close(runner);
}

/* Reported, and cancelled before it has resumed: the next one gets the edge. */
static void an_edge_of_a_cancelled_wait_is_kept(void **state)
{
    (void)state;
    wire w;
    unsigned left = 0;
    wire_open(&w);
    weft_runner *runner = coroutines_open();
    waiting first = {&w.io, WEFT_INSTANT_NEVER, 1, NULL}, second = {&w.io, in(20), 1, NULL};
    weft_context *context = coroutine_spawn(runner, &left, wait_on_io, &first);
    turn(runner, 1);
    send_byte(&w);
    assert_int_equal(weft_runner_poll(runner, WEFT_INSTANT_NOW), 0);
    weft_context_cancel(context);
    coroutines_run(runner, &left);
    assert_int_equal(first.r, -ECANCELED);
    coroutine_spawn(runner, &left, wait_on_io, &second);
    coroutines_run(runner, &left);
    assert_int_equal(second.r, 0);
    wire_close(&w);
    weft_runner_close(runner);
}

typedef struct raw {
    int fd;
    uint32_t interest;
    int r;
} raw;

static void wait_on_raw(void *arg)
{
    raw *self = arg;
    self->r = weft_fd_wait_for(self->fd, self->interest, in(20));
}

static void two_wait_for_one_raw_descriptor(void **state)
{
    (void)state;
    int ends[2];
    unsigned left = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    weft_runner *runner = coroutines_open();
    raw reader = {ends[0], WEFT_READABLE, 1}, second = reader, writer = {ends[0], WEFT_WRITABLE, 1};
    coroutine_spawn(runner, &left, wait_on_raw, &reader);
    coroutine_spawn(runner, &left, wait_on_raw, &second);
    turn(runner, 1);
    assert_int_equal(left, 2);
    coroutine_spawn(runner, &left, wait_on_raw, &writer);
    turn(runner, 3);
    assert_int_equal(left, 2); /* the writer has gone */
    assert_int_equal(writer.r, 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    coroutines_run(runner, &left);
    assert_int_equal(reader.r, 0);
    assert_int_equal(second.r, 0);
    weft_runner_close(runner);
    close(ends[0]);
    close(ends[1]);
}

/* The host closes a descriptor between two waits, and the number comes back as something else. */
static void a_raw_descriptor_may_be_closed_between_waits(void **state)
{
    (void)state;
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    for (int round = 0; round < 10; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        raw reader = {ends[0], WEFT_READABLE, 1};
        coroutine_spawn(runner, &left, wait_on_raw, &reader);
        turn(runner, 1);
        assert_int_equal(left, 1);
        assert_int_equal(write(ends[1], "x", 1), 1);
        coroutines_run(runner, &left);
        assert_int_equal(reader.r, 0);
        close(ends[0]);
        close(ends[1]);
    }
    weft_runner_close(runner);
}

/* The host closes a descriptor under a waiter, and weft's next one gets the number: its edges are
 * not taken by the one that waits for what is gone. */
static void a_stale_waiter_takes_no_edge(void **state)
{
    (void)state;
    int ends[2];
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    assert_int_equal(pipe(ends), 0);
    raw stale = {ends[0], WEFT_READABLE, 1};
    coroutine_spawn(runner, &left, wait_on_raw, &stale);
    turn(runner, 1);
    close(ends[0]);
    wire w;
    wire_open(&w);
    if (w.io.fd == ends[0]) {
        waiting waiter = {&w.io, in(0.0005), 1, NULL};
        coroutine_spawn(runner, &left, wait_on_io, &waiter);
        coroutines_run(runner, &left); /* the stale one was made to look again */
        assert_int_equal(stale.r, 0);
        assert_int_equal(waiter.r, -ETIMEDOUT);
        send_byte(&w);
        weft_runner_poll(runner, WEFT_INSTANT_NOW);
        waiter = (waiting){&w.io, in(20), 1, NULL};
        coroutine_spawn(runner, &left, wait_on_io, &waiter);
        coroutines_run(runner, &left);
        assert_int_equal(waiter.r, 0);
    } else {
        coroutines_run(runner, &left);
    }
    wire_close(&w);
    close(ends[1]);
    weft_runner_close(runner);
}

static int waits_for_a_file(void *arg)
{
    char path[] = "/tmp/weft-test-XXXXXX";
    int fd = mkstemp(path);
    (void)arg;
    unlink(path);
    for (int i = 0; i < 3; i++) {
        RECORD_INT(&recorder, weft_fd_wait_for(fd, WEFT_READABLE, in(20)), 0);
        RECORD_INT(&recorder, weft_fd_wait_for(fd, WEFT_WRITABLE, in(20)), 0);
    }
    close(fd);
    return 0;
}

static void a_regular_file_never_waits(void **state)
{
    (void)state;
    recorder = (struct recorder){0};
    in_each_place(waits_for_a_file, NULL);
    recorder_assert(&recorder);
}

typedef struct on_two {
    weft_io *io;
    struct gate *waits;
} on_two;

static int wait_in_task(void *arg)
{
    on_two *self = arg;
    gate_arrive(self->waits);
    return wait_readable(self->io, WEFT_INSTANT_NEVER);
}

static int run_loop(void *arg)
{
    return weft_run(wait_in_task, WEFT_POINTER(arg), NULL);
}

static void two_runners_wait_for_one_descriptor(void **state)
{
    (void)state;
    for (int closes = 0; closes < 2; closes++) {
        wire w;
        struct gate waits;
        weft_thread *threads[3];
        wire_open(&w);
        gate_init(&waits, 3);
        on_two test = {&w.io, &waits};
        for (int i = 0; i < 3; i++)
            weft_thread_start(&threads[i], run_loop, WEFT_POINTER(&test), NULL);
        gate_wait(&waits);
        if (closes)
            weft_io_close(&w.io);
        else
            send_byte(&w);
        for (int i = 0; i < 3; i++) /* readiness is told to all of them */
            assert_int_equal(weft_result(threads[i], WEFT_NONE, WEFT_FOREVER), closes ? -EBADF : 0);
        weft_release_many(threads, 3);
        wire_close(&w);
        gate_destroy(&waits);
    }
}

static void the_io_outlives_its_first_loop(void **state)
{
    (void)state;
    wire w;
    struct gate waits;
    wire_open(&w);
    gate_init(&waits, 1);
    on_two test = {&w.io, &waits};
    for (int i = 0; i < 4; i++) {
        send_byte(&w);
        assert_int_equal(weft_run(wait_in_task, WEFT_POINTER(&test), NULL), 0);
        assert_int_equal(drain(&w.io), 1);
    }
    wire_close(&w);
    gate_destroy(&waits);
}

static int closed_descriptors(void *arg)
{
    (void)arg;
    /* a high number: what the wait itself opens does not take it */
    int r = weft_fd_wait_for(900, WEFT_READABLE, in(5));
    RECORD(&recorder, r == -EBADF || r == 0); /* told, or a hint: never a hang */
    return 0;
}

static void a_closed_number_does_not_hang(void **state)
{
    (void)state;
    recorder = (struct recorder){0};
    in_each_place(closed_descriptors, NULL);
    recorder_assert(&recorder);
}

static int wait_for_source(void *arg)
{
    return weft_wait(arg, WEFT_FOREVER);
}

/* A thread polls a descriptor of its own beside the one that it waits for, a loop has two. */
static void without_a_descriptor_the_wait_fails_and_the_next_goes_on(void **state)
{
    (void)state;
    int ends[2];
    struct rlimit all, full;
    weft_source *source;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(weft_source_from_fd(&source, ends[0], WEFT_READABLE), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
    full = all;
    int lowest = dup(ends[0]);
    close(lowest);
    full.rlim_cur = (rlim_t)lowest;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &full), 0);
    int r = weft_wait(source, WEFT_FOREVER);
    int run = weft_run(wait_for_source, WEFT_POINTER(source), NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
    assert_int_equal(r, -EMFILE);
    assert_int_equal(run, -EMFILE);
    assert_int_equal(weft_wait(source, 0.0005), -ETIMEDOUT);
    weft_release(source);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(it_waits_in_each_place),
        weft_test(a_close_wakes_waiters_in_threads_and_coroutines),
        weft_test(the_number_is_not_given_out_while_it_is_used),
        weft_test(taking_it_out_leaves_it_open),
        weft_test(a_number_that_is_used_again_starts_afresh),
        weft_test(an_edge_that_finds_nobody_is_kept),
        weft_test(an_edge_of_a_cancelled_wait_is_kept),
        weft_test(two_wait_for_one_raw_descriptor),
        weft_test(a_raw_descriptor_may_be_closed_between_waits),
        weft_test(a_stale_waiter_takes_no_edge),
        weft_test(a_regular_file_never_waits),
        weft_test(two_runners_wait_for_one_descriptor),
        weft_test(the_io_outlives_its_first_loop),
        weft_test(a_closed_number_does_not_hang),
        weft_test(without_a_descriptor_the_wait_fails_and_the_next_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
