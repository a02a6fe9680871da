/* SPDX-License-Identifier: MIT */
/* poller: what is ready is reported, once, with its token; whoever registers it and when. */
#include "platform/poller.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/base.h>

#include <cmocka.h>

#include "platform/wakeup.h"

enum { IN = WEFT_POLLER_IN, OUT = WEFT_POLLER_OUT, MS = 1000000 };

/* A poller and two connected sockets; a test may close either and set it to -1. */
typedef struct fixture {
    weft_poller *poller;
    int here, there;
} fixture;

static int lowest_free(void)
{
    int fd = dup(STDERR_FILENO);
    (void)close(fd);
    return fd;
}

static int free_before; /* the census: each test leaves the descriptors as it found them */

static int set_up(void **state)
{
    static fixture self;
    int fds[2];
    free_before = lowest_free();
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
        return -1;
    self = (fixture){.here = fds[0], .there = fds[1]};
    for (int i = 0; i < 2; i++)
        if (fcntl(fds[i], F_SETFL, O_NONBLOCK) != 0)
            return -1;
    *state = &self;
    return weft_poller_open(&self.poller);
}

static void shut(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static int tear_down(void **state)
{
    fixture *self = *state;
    weft_poller_close(self->poller);
    shut(&self->here);
    shut(&self->there);
    return lowest_free() == free_before ? 0 : -1;
}

/* One wait; what it reports of `token`, with WRONG added when anything else is reported too. */
enum { WRONG = 1 << 16 };

static uint32_t reported(fixture *self, uint64_t token, weft_instant deadline)
{
    weft_poller_event events[8];
    uint32_t ready = 0;
    int n = weft_poller_wait(self->poller, events, 8, deadline);
    if (n < 0)
        return WRONG;
    for (int i = 0; i < n; i++)
        ready |= events[i].token == token ? events[i].ready : WRONG;
    return ready;
}

static uint32_t now(fixture *self, uint64_t token)
{
    return reported(self, token, WEFT_INSTANT_NOW);
}

static void put(int fd)
{
    assert_int_equal(write(fd, "x", 1), 1);
}

static void take(int fd)
{
    char bytes[64];
    assert_true(read(fd, bytes, sizeof bytes) > 0);
}

static void nothing_registered_is_never_ready(void **state)
{
    fixture *self = *state;
    assert_int_equal(now(self, 1), 0);
    weft_instant deadline = weft_instant_now() + 2 * MS + 1;
    do
        assert_int_equal(reported(self, 1, deadline), 0);
    while (weft_instant_now() < deadline);
}

static void wait_does_not_end_before_its_deadline(void **state)
{
    fixture *self = *state;
    assert_int_equal(weft_poller_set(self->poller, self->here, IN, 1), 0);
    static const weft_instant lengths[] = {1, 1000, 100000, MS - 1, MS, MS + 1, 3 * MS};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        weft_instant deadline = weft_instant_now() + lengths[i];
        assert_int_equal(reported(self, 1, deadline), 0);
        assert_true(weft_instant_now() >= deadline);
    }
    assert_int_equal(reported(self, 1, 1), 0);
    assert_int_equal(reported(self, 1, -1), 0);
}

static void readable_is_reported_with_all_bits_of_the_token(void **state)
{
    fixture *self = *state;
    const uint64_t token = UINT64_C(0xfedcba9876543210);
    assert_int_equal(weft_poller_set(self->poller, self->here, IN, token), 0);
    assert_int_equal(now(self, token), 0);
    put(self->there);
    assert_int_equal(reported(self, token, WEFT_INSTANT_NEVER), IN);
}

static void both_directions_are_reported_of_one_registration(void **state)
{
    fixture *self = *state;
    put(self->there);
    assert_int_equal(weft_poller_set(self->poller, self->here, IN | OUT, 5), 0);
    assert_int_equal(reported(self, 5, WEFT_INSTANT_NEVER), IN | OUT);
}

static void report_is_not_repeated_while_nothing_changes(void **state)
{
    fixture *self = *state;
    put(self->there);
    assert_int_equal(weft_poller_set(self->poller, self->here, IN | OUT, 5), 0);
    assert_int_equal(now(self, 5), IN | OUT);
    assert_int_equal(now(self, 5), 0);
    assert_int_equal(now(self, 5), 0);
}

static void rearmed_direction_is_reported_at_its_next_edge(void **state)
{
    fixture *self = *state;
    assert_int_equal(weft_poller_set(self->poller, self->here, IN, 5), 0);
    for (int i = 0; i < 5; i++) {
        put(self->there);
        assert_int_equal(reported(self, 5, WEFT_INSTANT_NEVER), IN);
        take(self->here);
        weft_poller_rearm(self->poller, self->here, IN);
        assert_int_equal(now(self, 5), 0);
    }
    weft_poller_rearm(self->poller, self->there, IN | OUT); /* not registered */
    weft_poller_rearm(self->poller, -1, IN);
    weft_poller_rearm(self->poller, 1 << 20, IN);
}

static void rearming_what_was_not_asked_for_does_nothing(void **state)
{
    fixture *self = *state;
    assert_int_equal(weft_poller_set(self->poller, self->here, IN, 5), 0);
    weft_poller_rearm(self->poller, self->here, IN | OUT);
    assert_int_equal(now(self, 5), 0);
}

static void edge_that_comes_before_the_rearm_is_kept(void **state)
{
    fixture *self = *state;
    assert_int_equal(weft_poller_set(self->poller, self->here, IN, 5), 0);
    put(self->there);
    assert_int_equal(now(self, 5), IN);
    take(self->here);
    put(self->there); /* read said EAGAIN, more came, and only then the owner rearms */
    weft_poller_rearm(self->poller, self->here, IN);
    assert_int_equal(reported(self, 5, WEFT_INSTANT_NEVER), IN);
}

static void full_socket_is_reported_when_it_drains(void **state)
{
    fixture *self = *state;
    static char block[65536];
    assert_int_equal(weft_poller_set(self->poller, self->here, OUT, 5), 0);
    assert_int_equal(now(self, 5), OUT);
    while (write(self->here, block, sizeof block) > 0)
        continue;
    weft_poller_rearm(self->poller, self->here, OUT);
    assert_int_equal(now(self, 5), 0);
    while (read(self->there, block, sizeof block) > 0)
        continue;
    assert_int_equal(reported(self, 5, WEFT_INSTANT_NEVER), OUT);
}

static void set_looks_anew_and_changes_the_token(void **state)
{
    fixture *self = *state;
    put(self->there);
    for (uint64_t token = 1; token < 5; token++) {
        assert_int_equal(weft_poller_set(self->poller, self->here, IN, token), 0);
        assert_int_equal(now(self, token), IN);
        assert_int_equal(now(self, token), 0);
    }
}

static void set_changes_the_interest(void **state)
{
    fixture *self = *state;
    put(self->there);
    assert_int_equal(weft_poller_set(self->poller, self->here, OUT, 1), 0);
    assert_int_equal(now(self, 1), OUT);
    assert_int_equal(weft_poller_set(self->poller, self->here, IN, 2), 0);
    assert_int_equal(now(self, 2), IN);
    assert_int_equal(now(self, 2), 0);
}

static void removed_is_not_reported_and_removing_is_never_an_error(void **state)
{
    fixture *self = *state;
    put(self->there);
    assert_int_equal(weft_poller_set(self->poller, self->here, 0, 0), 0);
    assert_int_equal(weft_poller_set(self->poller, self->here, IN, 1), 0);
    assert_int_equal(weft_poller_set(self->poller, self->here, 0, 0), 0);
    assert_int_equal(now(self, 1), 0);
    assert_int_equal(weft_poller_set(self->poller, self->here, 0, 0), 0);
    int closed = self->here;
    shut(&self->here);
    assert_int_equal(weft_poller_set(self->poller, closed, 0, 0), 0);
}

/* The poll column keeps its table dense: whoever moves into a gap must be found there. */
static void removing_one_leaves_the_others(void **state)
{
    fixture *self = *state;
    int fds[6];
    for (int i = 0; i < 6; i++) {
        fds[i] = dup(self->here);
        assert_true(fds[i] >= 0);
        assert_int_equal(weft_poller_set(self->poller, fds[i], IN, (uint64_t)i), 0);
    }
    static const int gone[] = {1, 5, 0};
    for (int i = 0; i < 3; i++)
        assert_int_equal(weft_poller_set(self->poller, fds[gone[i]], 0, 0), 0);
    put(self->there);
    int seen[6] = {0};
    weft_poller_event events[8];
    int n = weft_poller_wait(self->poller, events, 8, WEFT_INSTANT_NEVER);
    assert_int_equal(n, 3);
    for (int i = 0; i < n; i++)
        seen[events[i].token]++;
    static const int expected[] = {0, 0, 1, 1, 1, 0};
    assert_memory_equal(seen, expected, sizeof seen);
    take(self->here);
    for (int i = 2; i < 5; i++) {
        weft_poller_rearm(self->poller, fds[i], IN);
        assert_int_equal(weft_poller_set(self->poller, fds[i], 0, 0), 0);
    }
    put(self->there);
    assert_int_equal(now(self, 0), 0);
    for (int i = 0; i < 6; i++)
        (void)close(fds[i]);
}

static void what_cannot_be_registered_is_refused(void **state)
{
    fixture *self = *state;
    FILE *file = tmpfile();
    assert_non_null(file);
    int directory = open(".", O_RDONLY | O_CLOEXEC);
    assert_true(directory >= 0);
    assert_int_equal(weft_poller_set(self->poller, fileno(file), IN, 1), -EPERM);
    assert_int_equal(weft_poller_set(self->poller, fileno(file), 0, 1), 0);
    assert_int_equal(weft_poller_set(self->poller, directory, IN, 1), -EPERM);
    (void)fclose(file);
    (void)close(directory);

    assert_int_equal(weft_poller_set(self->poller, directory, IN, 1), -EBADF);
    assert_int_equal(weft_poller_set(self->poller, -1, IN, 1), -EBADF);
    assert_int_equal(weft_poller_set(self->poller, -1, 0, 1), -EBADF);
    assert_int_equal(now(self, 1), 0);
}

static void end_of_the_peer_is_readable(void **state)
{
    fixture *self = *state;
    assert_int_equal(weft_poller_set(self->poller, self->here, IN, 1), 0);
    assert_int_equal(shutdown(self->there, SHUT_WR), 0);
    assert_int_equal(reported(self, 1, WEFT_INSTANT_NEVER), IN);
    assert_int_equal(now(self, 1), 0);
}

static void hang_up_is_reported_in_both_directions_and_once(void **state)
{
    fixture *self = *state;
    static const uint32_t interests[] = {IN, OUT, IN | OUT};
    shut(&self->there);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(weft_poller_set(self->poller, self->here, interests[i], 1), 0);
        assert_int_equal(reported(self, 1, WEFT_INSTANT_NEVER), IN | OUT);
        assert_int_equal(now(self, 1), 0);
    }
}

static void hang_up_reaches_the_direction_that_still_waits(void **state)
{
    fixture *self = *state;
    assert_int_equal(weft_poller_set(self->poller, self->here, IN | OUT, 1), 0);
    assert_int_equal(now(self, 1), OUT);
    shut(&self->there);
    assert_int_equal(reported(self, 1, WEFT_INSTANT_NEVER) & (WRONG | IN), IN);
}

static void broken_pipe_is_writable_and_ended_pipe_is_readable(void **state)
{
    fixture *self = *state;
    static char block[65536];
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    while (write(fds[1], block, sizeof block) > 0)
        continue;
    assert_int_equal(weft_poller_set(self->poller, fds[1], OUT, 1), 0);
    assert_int_equal(now(self, 1), 0);
    (void)close(fds[0]);
    assert_int_equal(reported(self, 1, WEFT_INSTANT_NEVER) & (WRONG | OUT), OUT);
    assert_int_equal(weft_poller_set(self->poller, fds[1], 0, 0), 0);
    (void)close(fds[1]);

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(weft_poller_set(self->poller, fds[0], IN, 2), 0);
    (void)close(fds[1]);
    assert_int_equal(reported(self, 2, WEFT_INSTANT_NEVER) & (WRONG | IN), IN);
    assert_int_equal(now(self, 2), 0);
    assert_int_equal(weft_poller_set(self->poller, fds[0], 0, 0), 0);
    (void)close(fds[0]);
}

static void reused_number_is_registered_anew(void **state)
{
    fixture *self = *state;
    for (int removed = 0; removed < 2; removed++) {
        int fds[2];
        assert_int_equal(weft_poller_set(self->poller, self->here, IN, 1), 0);
        if (removed)
            assert_int_equal(weft_poller_set(self->poller, self->here, 0, 0), 0);
        int number = self->here;
        shut(&self->here);
        shut(&self->there);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        assert_int_equal(fds[0], number);
        self->here = fds[0];
        self->there = fds[1];
        put(self->there);
        if (removed)
            assert_int_equal(now(self, 1), 0); /* nobody registered the new one yet */
        assert_int_equal(weft_poller_set(self->poller, self->here, IN, 2), 0);
        assert_int_equal(reported(self, 2, WEFT_INSTANT_NEVER), IN);
        assert_int_equal(now(self, 2), 0);
    }
}

static void descriptor_closed_without_removal_does_not_keep_the_owner_busy(void **state)
{
    fixture *self = *state;
    assert_int_equal(weft_poller_set(self->poller, self->here, IN, 1), 0);
    shut(&self->here);
    assert_int_equal(now(self, 1) & WRONG, 0); /* may be reported as broken */
    assert_int_equal(now(self, 1), 0);
    assert_int_equal(now(self, 1), 0);
}

static void wakeup_is_an_edge_each_time(void **state)
{
    fixture *self = *state;
    weft_wakeup wakeup;
    assert_int_equal(weft_wakeup_open(&wakeup), 0);
    assert_int_equal(weft_poller_set(self->poller, wakeup.read_fd, IN, 1), 0);
    for (int i = 0; i < 5; i++) {
        weft_wakeup_signal(&wakeup);
        assert_int_equal(reported(self, 1, WEFT_INSTANT_NEVER), IN);
        weft_wakeup_drain(&wakeup);
        weft_poller_rearm(self->poller, wakeup.read_fd, IN);
        assert_int_equal(now(self, 1), 0);
    }
    assert_int_equal(weft_poller_set(self->poller, wakeup.read_fd, 0, 0), 0);
    weft_wakeup_close(&wakeup);
}

/* So a runner need not drain its wakeup. More often than a pipe has room. */
static void wakeup_is_an_edge_though_it_is_not_drained(void **state)
{
    fixture *self = *state;
    weft_wakeup wakeup;
    int rounds = weft_wakeup_makes_edges() && weft_poller_sees_edges(self->poller) ? 70000 : 0;
    assert_int_equal(weft_wakeup_open(&wakeup), 0);
    assert_int_equal(weft_poller_set(self->poller, wakeup.read_fd, IN, 1), 0);
    for (int i = 0; i < rounds; i++) {
        weft_wakeup_signal(&wakeup);
        assert_int_equal(now(self, 1), IN);
        assert_int_equal(now(self, 1), 0);
    }
    assert_int_equal(weft_poller_set(self->poller, wakeup.read_fd, 0, 0), 0);
    weft_wakeup_close(&wakeup);
}

static void nobody_starves_where_room_is_short(void **state)
{
    fixture *self = *state;
    enum { MANY = 9 };
    int fds[MANY], seen[MANY] = {0};
    put(self->there);
    for (int i = 0; i < MANY; i++) {
        fds[i] = dup(self->here);
        assert_true(fds[i] >= 0);
        assert_int_equal(weft_poller_set(self->poller, fds[i], IN, (uint64_t)i), 0);
    }
    /* What is reported is armed again at once, and is always ready. */
    for (int round = 0; round < 4 * MANY; round++) {
        weft_poller_event events[2];
        assert_int_equal(weft_poller_wait(self->poller, events, 2, WEFT_INSTANT_NEVER), 2);
        for (int i = 0; i < 2; i++) {
            uint64_t token = events[i].token;
            assert_true(token < MANY);
            seen[token]++;
            assert_int_equal(weft_poller_set(self->poller, fds[token], IN, token), 0);
        }
    }
    for (int i = 0; i < MANY; i++) {
        assert_in_range(seen[i], 1, 4 * MANY);
        assert_int_equal(weft_poller_set(self->poller, fds[i], 0, 0), 0);
        (void)close(fds[i]);
    }
}

static void a_thousand_descriptors_are_all_reported(void **state)
{
    fixture *self = *state;
    enum { PAIRS = 500, MANY = 2 * PAIRS };
    static int fds[MANY], seen[MANY];
    struct rlimit before, more;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    more = before;
    if (more.rlim_cur < MANY + 100)
        more.rlim_cur = more.rlim_max < MANY + 100 ? more.rlim_max : MANY + 100;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &more), 0);
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < PAIRS; i++)
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds + (ptrdiff_t)2 * i), 0);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(weft_poller_set(self->poller, fds[i], IN, (uint64_t)i), 0);
    assert_int_equal(now(self, 1), 0);
    for (int i = 0; i < MANY; i++)
        put(fds[i]);

    weft_poller_event events[64];
    for (int left = MANY; left > 0;) {
        int n = weft_poller_wait(self->poller, events, 64, WEFT_INSTANT_NEVER);
        assert_in_range(n, 1, 64);
        for (int i = 0; i < n; i++) {
            assert_true(events[i].token < MANY);
            assert_int_equal(events[i].ready, IN);
            seen[events[i].token]++;
        }
        left -= n;
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(seen[i], 1);
        assert_int_equal(weft_poller_set(self->poller, fds[i], 0, 0), 0);
    }
    assert_int_equal(now(self, 1), 0);
    for (int i = 0; i < MANY; i++)
        (void)close(fds[i]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* ---- other threads */

enum { ROUNDS = 2000 };

typedef struct other {
    fixture *fixture;
    _Atomic int round; /* how many reports the owner has taken */
    _Atomic bool ended;
    int told[ROUNDS + 1]; /* plain: written before set, read by the owner for its token */
    int failed;
    int result;
} other;

/* Each report is told[token]; what it came from is removed again, so that the next set is news. */
static void *take_reports(void *arg)
{
    other *self = arg;
    for (int round = 1; round <= ROUNDS; round++) {
        weft_poller_event event;
        int n;
        while ((n = weft_poller_wait(self->fixture->poller, &event, 1, WEFT_INSTANT_NEVER)) == 0)
            continue;
        if (n != 1 || event.token != (uint64_t)round || self->told[event.token] != round)
            self->failed++;
        (void)weft_poller_set(self->fixture->poller, self->fixture->here, 0, 0);
        atomic_store(&self->round, round);
    }
    return NULL;
}

static void set_from_another_thread_reaches_the_waiting_owner(void **state)
{
    static other self;
    pthread_t thread;
    memset(&self, 0, sizeof self);
    self.fixture = *state;
    int failed = 0;
    put(self.fixture->there);
    assert_int_equal(pthread_create(&thread, NULL, take_reports, &self), 0);
    for (int round = 1; round <= ROUNDS; round++) {
        self.told[round] = round;
        if (weft_poller_set(self.fixture->poller, self.fixture->here, IN, (uint64_t)round) != 0)
            failed++;
        while (atomic_load(&self.round) < round)
            (void)sched_yield();
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(failed + self.failed, 0);
}

/* The table grows and shrinks under the owner, who must still find the one that is ready. */
static void set_of_many_from_another_thread_loses_nobody(void **state)
{
    static other self;
    enum { MANY = 100 };
    int fds[MANY];
    pthread_t thread;
    memset(&self, 0, sizeof self);
    self.fixture = *state;
    weft_poller *poller = self.fixture->poller;
    int failed = 0, silent[2];
    put(self.fixture->there);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, silent), 0);
    for (int i = 0; i < MANY; i++)
        assert_true((fds[i] = dup(silent[0])) >= 0);
    assert_int_equal(pthread_create(&thread, NULL, take_reports, &self), 0);
    for (int round = 1; round <= ROUNDS; round++) {
        int fd = fds[round % MANY];
        uint32_t interest = (round / MANY) % 2 == 0 ? IN : 0;
        failed += weft_poller_set(poller, fd, interest, 999999) != 0;
        self.told[round] = round;
        failed += weft_poller_set(poller, self.fixture->here, IN, (uint64_t)round) != 0;
        failed += weft_poller_set(poller, fds[(round * 7) % MANY], interest, 999999) != 0;
        while (atomic_load(&self.round) < round)
            (void)sched_yield();
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(failed + self.failed, 0);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(weft_poller_set(poller, fds[i], 0, 0), 0);
        (void)close(fds[i]);
    }
    (void)close(silent[0]);
    (void)close(silent[1]);
}

static void *wait_once(void *arg)
{
    other *self = arg;
    weft_poller_event event;
    self->result = weft_poller_wait(self->fixture->poller, &event, 1, WEFT_INSTANT_NEVER);
    atomic_store(&self->ended, true);
    return NULL;
}

static void idle_handler(int signum)
{
    (void)signum;
}

static void interrupted_wait_returns_nothing(void **state)
{
    static other self;
    struct sigaction action = {.sa_handler = idle_handler, .sa_flags = SA_RESTART}, before;
    pthread_t thread;
    memset(&self, 0, sizeof self);
    self.fixture = *state;
    (void)sigemptyset(&action.sa_mask);
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    assert_int_equal(weft_poller_set(self.fixture->poller, self.fixture->here, IN, 1), 0);
    assert_int_equal(pthread_create(&thread, NULL, wait_once, &self), 0);
    while (!atomic_load(&self.ended)) { /* one of them comes while it waits */
        (void)pthread_kill(thread, SIGUSR1);
        (void)sched_yield();
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
    assert_int_equal(self.result, 0);
}

/* ---- the poller itself */

static void fd_of_the_poller_is_readable_while_there_is_a_report(void **state)
{
    fixture *self = *state;
    int fd = weft_poller_fd(self->poller);
#ifdef WEFT_TEST_POLLER_POLL
    assert_int_equal(fd, -ENOTSUP);
#else
    fixture outer = {.here = -1, .there = -1};
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(weft_poller_open(&outer.poller), 0);
    assert_int_equal(weft_poller_set(outer.poller, fd, IN, 9), 0);
    assert_int_equal(weft_poller_set(self->poller, self->here, IN, 1), 0);
    assert_int_equal(now(&outer, 9), 0);
    put(self->there);
    assert_int_equal(reported(&outer, 9, WEFT_INSTANT_NEVER), IN);
    assert_int_equal(now(self, 1), IN);
    weft_poller_close(outer.poller);
#endif
}

static void close_of_nothing_is_harmless(void **state)
{
    (void)state;
    weft_poller_close(NULL);
}

static void open_without_descriptors_fails_whole(void **state)
{
    (void)state;
    struct rlimit before, none;
    weft_poller *poller = (weft_poller *)&before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int r = weft_poller_open(&poller);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(r, -EMFILE);
    assert_null(poller);
}

/* An allocator that fails once `left` is used up. */
static int left;

static void *failing_realloc(void *memory, size_t size, void *arg)
{
    (void)arg;
    return left-- > 0 ? realloc(memory, size) : NULL;
}

static void plain_free(void *memory, void *arg)
{
    (void)arg;
    free(memory);
}

/* Opens, registers, waits; stops at the first error. */
static int session(int fd)
{
    weft_poller *poller;
    weft_poller_event event = {0};
    int r = weft_poller_open(&poller);
    if (r < 0)
        return r;
    r = weft_poller_set(poller, fd, IN, 1);
    if (r == 0)
        r = weft_poller_wait(poller, &event, 1, WEFT_INSTANT_NOW);
    if (r < 0) {
        /* The failure left it whole: the same works once there is memory. */
        left = 1000;
        int again = weft_poller_set(poller, fd, IN, 1);
        if (again == 0)
            again = weft_poller_wait(poller, &event, 1, WEFT_INSTANT_NOW);
        if (again != 1)
            r = -EINVAL;
    }
    weft_poller_close(poller);
    return r < 0 ? r : r == 1 && event.token == 1 ? 0 : -EINVAL;
}

static void each_allocation_may_fail(void **state)
{
    fixture *self = *state;
    const weft_allocator failing = {.realloc = failing_realloc, .free = plain_free};
    put(self->there);
    assert_int_equal(weft_set_allocator(&failing), 0);
    int r = -ENOMEM, n = 0;
    for (; n < 20 && r == -ENOMEM; n++) {
        left = n;
        r = session(self->here);
    }
    assert_int_equal(weft_set_allocator(NULL), 0);
    assert_int_equal(r, 0);
    assert_in_range(n, 2, 19);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_registered_is_never_ready),
        TEST(wait_does_not_end_before_its_deadline),
        TEST(readable_is_reported_with_all_bits_of_the_token),
        TEST(both_directions_are_reported_of_one_registration),
        TEST(report_is_not_repeated_while_nothing_changes),
        TEST(rearmed_direction_is_reported_at_its_next_edge),
        TEST(rearming_what_was_not_asked_for_does_nothing),
        TEST(edge_that_comes_before_the_rearm_is_kept),
        TEST(full_socket_is_reported_when_it_drains),
        TEST(set_looks_anew_and_changes_the_token),
        TEST(set_changes_the_interest),
        TEST(removed_is_not_reported_and_removing_is_never_an_error),
        TEST(removing_one_leaves_the_others),
        TEST(what_cannot_be_registered_is_refused),
        TEST(end_of_the_peer_is_readable),
        TEST(hang_up_is_reported_in_both_directions_and_once),
        TEST(hang_up_reaches_the_direction_that_still_waits),
        TEST(broken_pipe_is_writable_and_ended_pipe_is_readable),
        TEST(reused_number_is_registered_anew),
        TEST(descriptor_closed_without_removal_does_not_keep_the_owner_busy),
        TEST(wakeup_is_an_edge_each_time),
        TEST(wakeup_is_an_edge_though_it_is_not_drained),
        TEST(nobody_starves_where_room_is_short),
        TEST(a_thousand_descriptors_are_all_reported),
        TEST(set_from_another_thread_reaches_the_waiting_owner),
        TEST(set_of_many_from_another_thread_loses_nobody),
        TEST(interrupted_wait_returns_nothing),
        TEST(fd_of_the_poller_is_readable_while_there_is_a_report),
        TEST(close_of_nothing_is_harmless),
        TEST(open_without_descriptors_fails_whole),
        TEST(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
