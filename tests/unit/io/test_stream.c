/* SPDX-License-Identifier: MIT */
/* Streams over pipes and sockets, in threads and in coroutines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/asyncio.h>
#include <weft/stream.h>

#include "io/stream.h"
#include "support/support.h"

enum { LARGE = 3 * 1000 * 1000 + 7 };

/* The reading end as a stream; *fd writes to it. */
static weft_stream *reader_of(int *fd)
{
    int fds[2];
    weft_stream *stream;
    assert_int_equal(pipe(fds), 0);
    *fd = fds[1];
    assert_int_equal(weft_stream_from_fd(&stream, fds[0], false, "test"), 0);
    return stream;
}

static weft_stream *writer_of(int *fd)
{
    int fds[2];
    weft_stream *stream;
    assert_int_equal(pipe(fds), 0);
    *fd = fds[0];
    assert_int_equal(weft_stream_from_fd(&stream, fds[1], false, "test"), 0);
    return stream;
}

static void feed(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static char pattern(size_t i)
{
    return (char)(i * 31 % 251);
}

static char *large_block(void)
{
    char *block = malloc(LARGE);
    for (size_t i = 0; block != NULL && i < LARGE; i++)
        block[i] = pattern(i);
    return block;
}

static void read_gives_what_is_there_and_then_the_end(void **state)
{
    (void)state;
    char bytes[8];
    int fd;
    weft_stream *stream = reader_of(&fd);
    assert_int_equal(weft_stream_read(stream, bytes, sizeof bytes, WEFT_NOWAIT), -ETIMEDOUT);
    feed(fd, "abcdefghij");
    assert_int_equal(weft_stream_read(stream, bytes, sizeof bytes, WEFT_FOREVER), 8);
    assert_memory_equal(bytes, "abcdefgh", 8);
    assert_int_equal(weft_stream_read(stream, bytes, sizeof bytes, WEFT_FOREVER), 2);
    close(fd);
    assert_false(weft_stream_at_eof(stream));
    assert_int_equal(weft_stream_read(stream, bytes, sizeof bytes, WEFT_FOREVER), 0);
    assert_int_equal(weft_stream_read(stream, bytes, sizeof bytes, WEFT_FOREVER), 0);
    assert_true(weft_stream_at_eof(stream));
    weft_release(stream);
}

static void readline_lends_lines_one_after_the_other(void **state)
{
    (void)state;
    const char *line;
    int fd;
    weft_stream *stream = reader_of(&fd);
    assert_int_equal(write(fd, "one\n\nth\0ee\nlast", 15), 15);
    close(fd);
    assert_int_equal(weft_stream_readline(stream, &line, WEFT_FOREVER), 4);
    assert_string_equal(line, "one\n");
    assert_int_equal(weft_stream_readline(stream, &line, WEFT_FOREVER), 1);
    assert_string_equal(line, "\n");
    assert_int_equal(weft_stream_readline(stream, &line, WEFT_FOREVER), 6);
    assert_memory_equal(line, "th\0ee\n", 7);
    assert_int_equal(weft_stream_readline(stream, &line, WEFT_FOREVER), 4);
    assert_string_equal(line, "last");
    assert_int_equal(weft_stream_readline(stream, &line, WEFT_FOREVER), 0);
    weft_release(stream);
}

static void a_line_in_pieces_survives_time_up(void **state)
{
    (void)state;
    const char *line;
    int fd;
    weft_stream *stream = reader_of(&fd);
    feed(fd, "a");
    assert_int_equal(weft_stream_readline(stream, &line, WEFT_NOWAIT), -ETIMEDOUT);
    feed(fd, "b");
    assert_int_equal(weft_stream_readline(stream, &line, WEFT_NOWAIT), -ETIMEDOUT);
    feed(fd, "c\nd");
    assert_int_equal(weft_stream_readline(stream, &line, WEFT_NOWAIT), 4);
    assert_string_equal(line, "abc\n");
    close(fd);
    assert_int_equal(weft_stream_readline(stream, &line, WEFT_FOREVER), 1);
    assert_string_equal(line, "d");
    weft_release(stream);
}

static void a_line_over_the_limit_is_dropped(void **state)
{
    (void)state;
    const char *line;
    int fd;
    weft_stream *stream = reader_of(&fd);
    assert_int_equal(weft_stream_set_limit(stream, 4), 0);
    feed(fd, "abc\nabcd\nx\n");
    assert_int_equal(weft_stream_readline(stream, &line, WEFT_FOREVER), 4); /* just fits */
    assert_int_equal(weft_stream_readline(stream, &line, WEFT_FOREVER), WEFT_ELIMIT_OVERRUN);
    assert_int_equal(weft_stream_readline(stream, &line, WEFT_FOREVER), 2);
    assert_string_equal(line, "x\n");
    feed(fd, "abcdefgh"); /* no newline in sight: as much as has come */
    assert_int_equal(weft_stream_readline(stream, &line, WEFT_FOREVER), WEFT_ELIMIT_OVERRUN);
    feed(fd, "i\n");
    assert_int_equal(weft_stream_readline(stream, &line, WEFT_FOREVER), 2);
    assert_string_equal(line, "i\n");
    assert_int_equal(weft_stream_set_limit(stream, 0), -EINVAL);
    close(fd);
    weft_release(stream);
}

static void readuntil_finds_a_separator_that_comes_in_pieces(void **state)
{
    (void)state;
    const void *data;
    int fd;
    weft_stream *stream = reader_of(&fd);
    feed(fd, "ab-");
    assert_int_equal(weft_stream_readuntil(stream, "---", 3, &data, WEFT_NOWAIT), -ETIMEDOUT);
    feed(fd, "-c--");
    assert_int_equal(weft_stream_readuntil(stream, "---", 3, &data, WEFT_NOWAIT), -ETIMEDOUT);
    feed(fd, "-d----");
    assert_int_equal(weft_stream_readuntil(stream, "---", 3, &data, WEFT_FOREVER), 8);
    assert_string_equal(data, "ab--c---");
    assert_int_equal(weft_stream_readuntil(stream, "---", 3, &data, WEFT_FOREVER), 4);
    assert_string_equal(data, "d---");
    assert_int_equal(weft_stream_readuntil(stream, "", 0, &data, WEFT_FOREVER), -EINVAL);
    close(fd);
    weft_release(stream);
}

static void what_is_incomplete_stays_to_be_read(void **state)
{
    (void)state;
    const void *data;
    char bytes[16];
    int fd;
    weft_stream *stream = reader_of(&fd);
    feed(fd, "abcdef");
    close(fd);
    assert_int_equal(weft_stream_readuntil(stream, "x", 1, &data, WEFT_FOREVER),
                     WEFT_EINCOMPLETE_READ);
    assert_int_equal(weft_stream_readexactly(stream, bytes, 7, WEFT_FOREVER),
                     WEFT_EINCOMPLETE_READ);
    assert_string_equal(weft_error_message(), "read 'test': 6 of 7 bytes, then the end");
    assert_int_equal(weft_stream_readexactly(stream, bytes, 2, WEFT_FOREVER), 0);
    assert_memory_equal(bytes, "ab", 2);
    assert_int_equal(weft_stream_set_limit(stream, 2), 0);
    assert_int_equal(weft_stream_readuntil(stream, "f", 1, &data, WEFT_FOREVER),
                     WEFT_ELIMIT_OVERRUN);
    assert_int_equal(weft_stream_read(stream, bytes, sizeof bytes, WEFT_FOREVER), 4);
    assert_memory_equal(bytes, "cdef", 4);
    weft_release(stream);
}

static void readexactly_keeps_what_came_before_the_time_was_up(void **state)
{
    (void)state;
    char bytes[4] = "";
    int fd;
    weft_stream *stream = reader_of(&fd);
    feed(fd, "ab");
    assert_int_equal(weft_stream_readexactly(stream, bytes, 4, 0.001), -ETIMEDOUT);
    assert_int_equal(bytes[0], 0);
    feed(fd, "cd");
    assert_int_equal(weft_stream_readexactly(stream, bytes, 4, WEFT_FOREVER), 0);
    assert_memory_equal(bytes, "abcd", 4);
    close(fd);
    weft_release(stream);
}

/* ---- with another thread */

typedef struct writing {
    weft_stream *stream;
    const char *block;
    int result;
} writing;

static void *write_block(void *arg)
{
    writing *job = arg;
    job->result = weft_stream_write(job->stream, job->block, LARGE, WEFT_FOREVER);
    weft_stream_close(job->stream);
    return NULL;
}

static void a_large_write_waits_for_its_reader(void **state)
{
    (void)state;
    int fds[2];
    weft_stream *in;
    writing job = {.block = large_block()};
    weft_bytes bytes;
    pthread_t thread;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(weft_stream_from_fd(&in, fds[0], false, NULL), 0);
    assert_int_equal(weft_stream_from_fd(&job.stream, fds[1], false, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, write_block, &job), 0);
    int r = weft_stream_read_all(in, &bytes, WEFT_FOREVER);
    pthread_join(thread, NULL);
    assert_int_equal(job.result, 0);
    assert_int_equal(r, 0);
    assert_int_equal(bytes.size, LARGE);
    assert_memory_equal(bytes.data, job.block, LARGE);
    assert_int_equal(((char *)bytes.data)[LARGE], 0);
    weft_free(bytes.data);
    free((void *)(uintptr_t)job.block);
    weft_release(in);
    weft_release(job.stream);
}

typedef struct reading {
    weft_stream *stream;
    int result;
    char message[128];
} reading;

static void *read_one(void *arg)
{
    reading *job = arg;
    char byte;
    job->result = weft_stream_read(job->stream, &byte, 1, WEFT_FOREVER);
    strncpy(job->message, weft_error_message(), sizeof job->message - 1);
    return NULL;
}

static bool is_reading(weft_stream *stream)
{
    weft_ilock_acquire(&stream->lock);
    bool is = stream->reading;
    weft_ilock_release(&stream->lock);
    return is;
}

static void a_second_reader_is_refused_and_close_wakes_the_first(void **state)
{
    (void)state;
    char byte;
    int fd;
    pthread_t thread;
    reading job = {.stream = reader_of(&fd)};
    assert_int_equal(pthread_create(&thread, NULL, read_one, &job), 0);
    while (!is_reading(job.stream))
        sched_yield();
    int second = weft_stream_read(job.stream, &byte, 1, WEFT_NOWAIT);
    int closed = weft_stream_close(job.stream);
    pthread_join(thread, NULL);
    assert_int_equal(second, -EBUSY);
    assert_int_equal(closed, 0);
    assert_int_equal(job.result, -EBADF);
    assert_string_not_equal(job.message, "");
    assert_int_equal(weft_stream_read(job.stream, &byte, 1, WEFT_NOWAIT), -EBADF);
    assert_int_equal(weft_stream_close(job.stream), 0);
    close(fd);
    weft_release(job.stream);
}

static void *close_stream(void *arg)
{
    weft_stream_close(arg);
    return NULL;
}

static void a_wait_for_readiness_ends_with_bytes_and_with_a_close(void **state)
{
    (void)state;
    char byte;
    int fd;
    pthread_t thread;
    weft_stream *stream = reader_of(&fd);
    assert_false(weft_done(stream));
    assert_int_equal(weft_wait(stream, 0.001), -ETIMEDOUT);
    feed(fd, "a\nb");
    assert_int_equal(weft_wait(stream, WEFT_FOREVER), 0);
    const char *line;
    assert_int_equal(weft_stream_readline(stream, &line, WEFT_FOREVER), 2);
    assert_true(weft_done(stream)); /* in the buffer */
    assert_int_equal(weft_stream_read(stream, &byte, 1, WEFT_FOREVER), 1);
    assert_int_equal(byte, 'b');
    assert_false(weft_done(stream));
    assert_int_equal(pthread_create(&thread, NULL, close_stream, stream), 0);
    int r = weft_wait(stream, WEFT_FOREVER);
    pthread_join(thread, NULL);
    assert_int_equal(r, 0);
    close(fd);
    weft_release(stream);
}

/* A wait for readiness under which another thread closes: each way to wait, and the close comes
 * before, between and after its steps. */
enum { CLOSES = 300, WAYS = 4 };

typedef struct waiting {
    weft_stream *stream;
    unsigned way;
    _Atomic bool begun;
    int result;
} waiting;

static int wait_for_it(void *arg)
{
    waiting *job = *(waiting **)arg;
    weft_stream *handles[] = {job->stream};
    job->begun = true;
    switch (job->way % WAYS) {
    case 1:
        return weft_wait_any(handles, 1, WEFT_FOREVER);
    case 2:
        return weft_wait_many(handles, 1, WEFT_WAIT_FIRST_EXCEPTION, NULL, WEFT_FOREVER) - 1;
    default:
        return weft_wait(job->stream, WEFT_FOREVER);
    }
}

static void *wait_in_thread(void *arg)
{
    waiting *job = arg;
    job->result =
        job->way % WAYS == 3 ? weft_run(wait_for_it, WEFT_ARG(job), NULL) : wait_for_it(&job);
    return NULL;
}

static void a_close_at_any_moment_ends_a_wait_for_readiness(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CLOSES; i++) {
        int fd;
        pthread_t thread;
        waiting job = {.stream = reader_of(&fd), .way = i};
        assert_int_equal(pthread_create(&thread, NULL, wait_in_thread, &job), 0);
        while (!job.begun)
            sched_yield();
        for (volatile unsigned turns = i * 2654435761U >> 19; turns > 0; turns--)
            continue;
        weft_stream_close(job.stream);
        int other = dup(fd); /* most likely the number that has been closed, once it is free */
        pthread_join(thread, NULL);
        assert_int_equal(job.result, 0);
        close(other);
        close(fd);
        weft_release(job.stream);
    }
}

typedef struct holding {
    bool fits; /* the waiter was still there, and the number not to be had */
    bool freed;
    int waited;
} holding;

static int close_under_waiters(void *arg)
{
    holding *seen = *(holding **)arg;
    int fds[2];
    weft_stream *stream;
    weft_task *tasks[WAYS];
    waiting jobs[WAYS];
    if (pipe(fds) < 0 || weft_stream_from_fd(&stream, fds[0], false, NULL) < 0)
        return -errno;
    for (unsigned i = 0; i < WAYS; i++) {
        waiting *job = &jobs[i];
        *job = (waiting){.stream = stream, .way = i};
        weft_task_start(&tasks[i], wait_for_it, WEFT_ARG(job), NULL);
        while (!job->begun)
            weft_sleep(0);
    }
    weft_stream_close(stream);
    int next = fcntl(fds[1], F_DUPFD, fds[0]); /* the least free one from there on */
    seen->fits = next > fds[0];
    close(next);
    for (unsigned i = 0; i < WAYS; i++)
        seen->waited |= weft_result(tasks[i], WEFT_NONE, WEFT_FOREVER);
    weft_release_many(tasks, WAYS);
    next = fcntl(fds[1], F_DUPFD, fds[0]);
    seen->freed = next == fds[0];
    close(next);
    close(fds[1]);
    weft_release(stream);
    return 0;
}

static void a_closed_number_is_not_free_before_its_waiters_have_left(void **state)
{
    (void)state;
    holding seen = {0}, *arg = &seen;
    assert_int_equal(weft_run(close_under_waiters, WEFT_ARG(arg), NULL), 0);
    assert_true(seen.fits);
    assert_true(seen.freed);
    assert_int_equal(seen.waited, 0);
}

/* ---- writing */

static bool sigpipe_is_pending(void)
{
    sigset_t set;
    sigpending(&set);
    return sigismember(&set, SIGPIPE) == 1;
}

static void writing_to_nobody_is_an_error_and_no_signal(void **state)
{
    (void)state;
    sigset_t before, after;
    int fd;
    weft_stream *stream = writer_of(&fd);
    struct sigaction fatal = {.sa_handler = SIG_DFL}, handler; /* would end this program */
    sigaction(SIGPIPE, &fatal, &handler);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    close(fd);
    assert_int_equal(weft_stream_write(stream, "abc", 3, WEFT_FOREVER), -EPIPE);
    assert_string_equal(weft_error_message(),
                        "write to 'test': Broken pipe (0 of 3 bytes are written)");
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(sigismember(&after, SIGPIPE), sigismember(&before, SIGPIPE));
    assert_false(sigpipe_is_pending());
    sigaction(SIGPIPE, &handler, NULL);
    weft_release(stream);
}

static void a_sigpipe_of_the_host_stays_pending(void **state)
{
    (void)state;
    sigset_t block, before;
    int fd, signum = 0;
    weft_stream *stream = writer_of(&fd);
    close(fd);
    sigemptyset(&block);
    sigaddset(&block, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &block, &before);
    pthread_kill(pthread_self(), SIGPIPE);
    int r = weft_stream_write(stream, "abc", 3, WEFT_FOREVER);
    bool pending = sigpipe_is_pending();
    if (pending)
        sigwait(&block, &signum);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    assert_int_equal(r, -EPIPE);
    assert_true(pending);
    weft_release(stream);
}

static void a_pipe_goes_one_way(void **state)
{
    (void)state;
    char byte;
    int in, out;
    weft_stream *reader = reader_of(&out), *writer = writer_of(&in);
    assert_int_equal(weft_stream_write(reader, "a", 1, WEFT_NOWAIT), -EBADF);
    assert_int_equal(weft_stream_read(writer, &byte, 1, WEFT_NOWAIT), -EBADF);
    assert_int_equal(weft_stream_write(writer, "a", 1, WEFT_NOWAIT), 0);
    assert_int_equal(weft_stream_write_eof(writer), 0);
    assert_int_equal(read(in, &byte, 1), 1);
    assert_int_equal(read(in, &byte, 1), 0);
    close(in);
    close(out);
    weft_release(reader);
    weft_release(writer);
}

static void a_write_that_finds_no_room_tells_how_far_it_came(void **state)
{
    (void)state;
    int fd;
    char *block = large_block();
    weft_stream *stream = writer_of(&fd);
    assert_int_equal(weft_stream_write(stream, block, LARGE, WEFT_NOWAIT), -ETIMEDOUT);
    assert_non_null(strstr(weft_error_message(), "of 3000007 bytes are written"));
    close(fd);
    free(block);
    weft_release(stream);
}

static void a_socket_goes_both_ways_and_ends_one_by_one(void **state)
{
    (void)state;
    int fds[2];
    char bytes[4];
    const char *line;
    weft_stream *a, *b;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(weft_stream_from_fd(&a, fds[0], true, NULL), 0);
    assert_int_equal(weft_stream_from_fd(&b, fds[1], true, NULL), 0);
    assert_int_equal(weft_stream_write(a, "ping\n", 5, WEFT_FOREVER), 0);
    assert_int_equal(weft_stream_write_eof(a), 0);
    assert_int_equal(weft_stream_readline(b, &line, WEFT_FOREVER), 5);
    assert_int_equal(weft_stream_readline(b, &line, WEFT_FOREVER), 0);
    assert_int_equal(weft_stream_write(b, "pong", 4, WEFT_FOREVER), 0);
    assert_int_equal(weft_stream_readexactly(a, bytes, 4, WEFT_FOREVER), 0);
    assert_memory_equal(bytes, "pong", 4);
    weft_release(a);
    assert_int_equal(weft_stream_write(b, "pong", 4, WEFT_FOREVER), -EPIPE);
    weft_release(b);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    int fd;
    char text[3] = "";
    weft_stream *stream = reader_of(&fd);
    assert_int_equal(weft_stream_read(NULL, NULL, 0, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_stream_read(stream, NULL, 1, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_stream_read(stream, NULL, 0, WEFT_NOWAIT), 0);
    assert_int_equal(write(fd, "a\n", 2), 2);
    assert_int_equal(weft_stream_readline(stream, NULL, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_stream_readuntil(stream, "\n", 1, NULL, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_stream_readexactly(stream, NULL, 1, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_stream_read_all(stream, NULL, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_stream_read(stream, text, 1, strtod("nan", NULL)), -EINVAL);
    assert_int_equal(weft_stream_read(stream, text, 2, WEFT_NOWAIT), 2); /* nothing is lost */
    assert_string_equal(text, "a\n");
    assert_int_equal(weft_stream_close(NULL), -EINVAL);
    close(fd);
    weft_release(stream);
}

/* ---- in coroutines */

enum { LINES = 20000 };

typedef struct talk {
    weft_stream *out, *in;
    size_t lines, bytes;
} talk;

static int write_lines(void *arg)
{
    talk *with = *(talk **)arg;
    char text[64];
    int r = 0;
    for (int i = 0; i < LINES && r == 0; i++) {
        memset(text, 'a' + i % 26, (size_t)(i % 60));
        text[i % 60] = '\n';
        r = weft_stream_write(with->out, text, (size_t)(i % 60) + 1, WEFT_FOREVER);
    }
    weft_stream_close(with->out);
    return r;
}

static int read_lines(void *arg)
{
    talk *with = *(talk **)arg;
    const char *line;
    int n;
    while ((n = weft_stream_readline(with->in, &line, WEFT_FOREVER)) > 0) {
        if (n != (int)(with->lines % 60) + 1 || line[n - 1] != '\n' || line[n] != '\0')
            return weft_error(WEFT_EUSER, "line %zu is wrong", with->lines);
        with->lines++;
        with->bytes += (size_t)n;
    }
    return n;
}

static int talk_in_tasks(void *arg)
{
    weft_task *tasks[2];
    int r = weft_task_start(&tasks[0], write_lines, arg, sizeof(talk *), NULL);
    if (r == 0)
        r = weft_task_start(&tasks[1], read_lines, arg, sizeof(talk *), NULL);
    if (r == 0)
        r = weft_gather(tasks, 2, WEFT_FOREVER);
    weft_release_many(tasks, 2);
    return r;
}

static void check_talk(int fds[2], bool socket)
{
    talk with = {0}, *pointer = &with;
    assert_int_equal(weft_stream_from_fd(&with.in, fds[0], socket, NULL), 0);
    assert_int_equal(weft_stream_from_fd(&with.out, fds[1], socket, NULL), 0);
    assert_int_equal(weft_run(talk_in_tasks, WEFT_ARG(pointer), NULL), 0);
    assert_int_equal(with.lines, LINES);
    weft_release(with.in);
    weft_release(with.out);
}

static void tasks_talk_over_a_pipe(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    check_talk(fds, false);
}

static void tasks_talk_over_a_socket(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    check_talk(fds, true);
}

static int read_all_in_task(void *arg)
{
    weft_bytes bytes;
    int r = weft_stream_read_all(*(weft_stream **)arg, &bytes, WEFT_FOREVER);
    if (r < 0)
        return r;
    bool same = bytes.size == LARGE;
    for (size_t i = 0; same && i < LARGE; i++)
        same = ((char *)bytes.data)[i] == pattern(i);
    weft_free(bytes.data);
    return same ? 0 : WEFT_EUSER;
}

static void a_task_reads_what_a_thread_writes(void **state)
{
    (void)state;
    int fds[2];
    weft_stream *in;
    writing job = {.block = large_block()};
    pthread_t thread;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(weft_stream_from_fd(&in, fds[0], false, NULL), 0);
    assert_int_equal(weft_stream_from_fd(&job.stream, fds[1], false, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, write_block, &job), 0);
    int r = weft_run(read_all_in_task, WEFT_ARG(in), NULL);
    pthread_join(thread, NULL);
    assert_int_equal(r, 0);
    assert_int_equal(job.result, 0);
    free((void *)(uintptr_t)job.block);
    weft_release(in);
    weft_release(job.stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(read_gives_what_is_there_and_then_the_end),
        weft_test(readline_lends_lines_one_after_the_other),
        weft_test(a_line_in_pieces_survives_time_up),
        weft_test(a_line_over_the_limit_is_dropped),
        weft_test(readuntil_finds_a_separator_that_comes_in_pieces),
        weft_test(what_is_incomplete_stays_to_be_read),
        weft_test(readexactly_keeps_what_came_before_the_time_was_up),
        weft_test(a_large_write_waits_for_its_reader),
        weft_test(a_second_reader_is_refused_and_close_wakes_the_first),
        weft_test(a_wait_for_readiness_ends_with_bytes_and_with_a_close),
        weft_test(a_close_at_any_moment_ends_a_wait_for_readiness),
        weft_test(a_closed_number_is_not_free_before_its_waiters_have_left),
        weft_test(writing_to_nobody_is_an_error_and_no_signal),
        weft_test(a_sigpipe_of_the_host_stays_pending),
        weft_test(a_pipe_goes_one_way),
        weft_test(a_write_that_finds_no_room_tells_how_far_it_came),
        weft_test(a_socket_goes_both_ways_and_ends_one_by_one),
        weft_test(wrong_arguments_are_refused),
        weft_test(tasks_talk_over_a_pipe),
        weft_test(tasks_talk_over_a_socket),
        weft_test(a_task_reads_what_a_thread_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
