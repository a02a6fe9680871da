/* SPDX-License-Identifier: MIT */
/*
 * Connections and servers. Each scenario runs in a loop and returns a code or a count, which is
 * asserted in the test's own frame.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <weft.h>

#include "support/support.h"

/* Sends back each line that it gets. */
static int echo(weft_stream *stream, void *arg)
{
    const char *line;
    int n;
    if (arg != NULL)
        ++*(int *)arg;
    while ((n = weft_stream_readline(stream, &line, WEFT_FOREVER)) > 0) {
        int r = weft_stream_write(stream, line, (size_t)n, WEFT_FOREVER);
        if (r < 0)
            return r;
    }
    return n;
}

/* A round trip of one line; 0 where the same came back. */
static int talk(int port, const char *text)
{
    weft_stream *stream;
    const char *line;
    int r = weft_stream_connect(&stream, "127.0.0.1", port, NULL);
    if (r < 0)
        return r;
    if ((r = weft_stream_write(stream, text, strlen(text), 10)) >= 0)
        r = weft_stream_readline(stream, &line, 10);
    if (r >= 0)
        r = r == (int)strlen(text) && memcmp(line, text, (size_t)r) == 0 ? 0 : -EBADMSG;
    weft_release(stream);
    return r;
}

static int talk_from(void *arg)
{
    return talk(*(int *)arg, "from afar\n");
}

static int one_round_trip(void *arg)
{
    weft_server *server;
    (void)arg;
    int r = weft_server_open(&server, echo, NULL, "127.0.0.1", 0, NULL);
    if (r == 0)
        r = talk(weft_server_port(server), "hello\n");
    weft_release(server);
    return r;
}

static void a_line_comes_back(void **state)
{
    (void)state;
    assert_int_equal(weft_run(one_round_trip, WEFT_NONE, NULL), 0);
}

enum { CLIENTS = 200 };

static int many_clients(void *arg)
{
    weft_server *server;
    weft_task *clients[CLIENTS];
    int served = 0;
    (void)arg;
    int r = weft_server_open(&server, echo, &served, "localhost", 0, NULL);
    int port = r == 0 ? weft_server_port(server) : r;
    for (int i = 0; i < CLIENTS; i++)
        weft_task_start(&clients[i], talk_from, WEFT_ARG(port), NULL);
    if (r == 0)
        r = weft_gather(clients, CLIENTS, WEFT_FOREVER);
    weft_release_many(clients, CLIENTS);
    if (r == 0)
        r = weft_server_close(server);
    if (r == 0)
        r = weft_wait(server, WEFT_FOREVER); /* until every connection has ended */
    weft_release(server);
    return r < 0 ? r : served;
}

static void many_clients_are_served_at_once(void **state)
{
    (void)state;
    assert_int_equal(weft_run(many_clients, WEFT_NONE, NULL), CLIENTS);
}

static int client_thread(void *arg)
{
    weft_server *server;
    weft_thread *thread;
    (void)arg;
    int r = weft_server_open(&server, echo, NULL, "127.0.0.1", 0, NULL);
    int port = weft_server_port(server);
    if (r == 0)
        r = weft_thread_start(&thread, talk_from, WEFT_ARG(port), NULL);
    if (r == 0) {
        r = weft_result(thread, WEFT_NONE, WEFT_FOREVER);
        weft_thread_join(thread, WEFT_FOREVER);
        weft_release(thread);
    }
    weft_release(server);
    return r;
}

static void a_thread_talks_to_a_loop_by_the_same_calls(void **state)
{
    (void)state;
    assert_int_equal(weft_run(client_thread, WEFT_NONE, NULL), 0);
}

static int closed_port(void *arg)
{
    weft_server *server;
    weft_stream *stream = (weft_stream *)arg;
    int r = weft_server_open(&server, echo, NULL, "127.0.0.1", 0, NULL);
    int port = weft_server_port(server);
    weft_server_close(server);
    if (r == 0)
        r = weft_wait(server, WEFT_FOREVER);
    if (r == 0 && weft_server_port(server) != -EBADF)
        r = -EBADMSG;
    weft_release(server);
    if (r < 0)
        return r;
    r = weft_stream_connect(&stream, "127.0.0.1", port, NULL);
    return stream == NULL && strstr(weft_error_message(), "Connection refused") != NULL ? r : -EIO;
}

static void after_the_close_nobody_answers(void **state)
{
    int here = 0;
    (void)state;
    assert_int_equal(weft_run(closed_port, WEFT_POINTER(&here), NULL), -ECONNREFUSED);
}

static int same_port_twice(void *arg)
{
    weft_server *first = NULL, *second = NULL;
    (void)arg;
    int r = weft_server_open(&first, echo, NULL, "127.0.0.1", 0, NULL);
    if (r == 0)
        r = weft_server_open(&second, echo, NULL, "127.0.0.1", weft_server_port(first), NULL);
    weft_release(first);
    return second == NULL ? r : -EIO;
}

static void a_port_in_use_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(weft_run(same_port_twice, WEFT_NONE, NULL), -EADDRINUSE);
}

static void bad_arguments_are_named(void **state)
{
    weft_stream *stream;
    weft_server *server;
    (void)state;
    assert_int_equal(weft_stream_connect(&stream, "127.0.0.1", 70000, NULL), -EINVAL);
    assert_non_null(strstr(weft_error_message(), "70000"));
    assert_int_equal(weft_stream_connect(&stream, "no.such.host", 1, NULL), -ENOTSUP);
    assert_non_null(strstr(weft_error_message(), "no.such.host"));
    assert_int_equal(weft_stream_connect(&stream, NULL, 1, NULL), -EINVAL);
    assert_int_equal(weft_stream_connect(NULL, "::1", 1, NULL), -EINVAL);
    assert_null(stream);
    assert_int_equal(weft_server_open(&server, echo, NULL, NULL, 0, NULL), WEFT_EINVALID_STATE);
    assert_null(server);
    assert_int_equal(weft_server_open(&server, NULL, NULL, NULL, 0, NULL), -EINVAL);
    assert_int_equal(weft_server_port(NULL), -EINVAL);
}

/* A server, and a connection that nobody ends: the end of the loop does. */
static int left_open(void *arg)
{
    weft_server *server;
    weft_stream **stream = *(weft_stream ***)arg;
    int r = weft_server_open(&server, echo, NULL, "127.0.0.1", 0, NULL);
    if (r == 0)
        r = weft_stream_connect(stream, "127.0.0.1", weft_server_port(server), NULL);
    if (r == 0)
        r = weft_sleep(0.01);
    weft_release(server);
    return r;
}

static void the_end_of_the_loop_ends_its_connections(void **state)
{
    weft_stream *stream = NULL, **place = &stream;
    char byte;
    (void)state;
    assert_int_equal(weft_run(left_open, WEFT_ARG(place), NULL), 0);
    assert_int_equal(weft_stream_read(stream, &byte, 1, 10), 0);
    weft_release(stream);
}

/* However far the connection has come when the loop ends, nothing is left of it: the census sees.
 */
static int leave_after(void *arg)
{
    weft_server *server;
    weft_stream *stream;
    int r = weft_server_open(&server, echo, NULL, "127.0.0.1", 0, NULL);
    if (r == 0)
        r = weft_stream_connect(&stream, "127.0.0.1", weft_server_port(server), NULL);
    for (int i = 0; r == 0 && i < *(int *)arg; i++)
        r = weft_sleep(0);
    weft_release(stream);
    weft_release(server);
    return r;
}

static void a_connection_that_never_began_is_closed(void **state)
{
    (void)state;
    for (int turns = 0; turns < 6; turns++)
        assert_int_equal(weft_run(leave_after, WEFT_ARG(turns), NULL), 0);
}

/* ---- UNIX sockets -----------------------------------------------------------------------------
 */

typedef struct place {
    char directory[128], host[160];
    const char *path; /* in host */
} place;

static void place_make(place *p)
{
    assert_int_equal(directory_make(p->directory, sizeof p->directory), 0);
    snprintf(p->host, sizeof p->host, "unix:%s/socket", p->directory);
    p->path = p->host + strlen("unix:");
}

static int unix_round_trip(void *arg)
{
    const place *p = arg;
    weft_server *server;
    weft_stream *stream = NULL;
    const char *line;
    int r = weft_server_open(&server, echo, NULL, p->host, 0, NULL);
    if (r < 0)
        return r;
    if (weft_server_port(server) != -EINVAL)
        r = -EBADMSG;
    if (r == 0)
        r = weft_stream_connect(&stream, p->host, 0, NULL);
    if (r == 0)
        r = weft_stream_write(stream, "by name\n", 8, 10);
    if (r == 0)
        r = weft_stream_readline(stream, &line, 10);
    weft_release(stream);
    weft_server_close(server);
    if (r >= 0 && access(p->path, F_OK) == 0)
        r = -EEXIST;
    weft_release(server);
    return r;
}

static void a_unix_socket_has_a_name_until_the_close(void **state)
{
    place p;
    (void)state;
    place_make(&p);
    assert_int_equal(weft_run(unix_round_trip, WEFT_POINTER(&p), NULL), 8);
    weft_stream *stream;
    assert_int_equal(weft_stream_connect(&stream, p.host, 0, NULL), -ENOENT);
    assert_non_null(strstr(weft_error_message(), p.host));
    assert_int_equal(weft_stream_connect(&stream, p.host, 5, NULL), -EINVAL);
    assert_int_equal(weft_stream_connect(&stream, "unix:", 0, NULL), -EINVAL);
    directory_remove(p.directory);
}

/* Whatever there is no memory for. */
static int open_without_memory(void *arg)
{
    const place *p = arg;
    int r = -ENOMEM;
    for (size_t n = 1; r == -ENOMEM; n++) {
        weft_server *server;
        allocator_fail(n, ALLOCATOR_ONCE);
        r = weft_server_open(&server, echo, NULL, p->host, 0, NULL);
        allocator_fail(0, ALLOCATOR_ONCE);
        weft_release(server);
        if (access(p->path, F_OK) == 0)
            return -EEXIST;
    }
    return r;
}

static void a_server_that_is_not_opened_leaves_no_name(void **state)
{
    place p;
    (void)state;
    place_make(&p);
    assert_int_equal(weft_run(open_without_memory, WEFT_POINTER(&p), NULL), 0);
    directory_remove(p.directory);
}

/* A socket's name, as left by a server that was killed, or (listening) one that is in use. */
static int bind_raw(const char *path, bool listening)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    strcpy(un.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
    if (listening)
        assert_int_equal(listen(fd, 0), 0);
    return fd;
}

static void a_stale_name_is_taken_over(void **state)
{
    place p;
    (void)state;
    place_make(&p);
    close(bind_raw(p.path, false));
    assert_int_equal(weft_run(unix_round_trip, WEFT_POINTER(&p), NULL), 8);
    directory_remove(p.directory);
}

static void a_name_in_use_is_left_alone(void **state)
{
    place p;
    (void)state;
    place_make(&p);
    int fd = bind_raw(p.path, true);
    assert_int_equal(weft_run(unix_round_trip, WEFT_POINTER(&p), NULL), -EADDRINUSE);
    assert_int_equal(access(p.path, F_OK), 0);
    close(fd);
    assert_int_equal(unlink(p.path), 0);
    FILE *file = fopen(p.path, "w"); /* no socket at all */
    assert_non_null(file);
    fclose(file);
    assert_int_equal(weft_run(unix_round_trip, WEFT_POINTER(&p), NULL), -EADDRINUSE);
    assert_int_equal(access(p.path, F_OK), 0);
    directory_remove(p.directory);
}

/* Connects until the backlog is full and the time is up; returns the last code. */
static int fill_backlog(const char *host, bool scoped)
{
    weft_stream *streams[64] = {NULL};
    int r = 0;
    for (int i = 0; r == 0 && i < 64; i++) {
        int scope = scoped ? weft_timeout_begin(0.05) : 0;
        r = weft_stream_connect(&streams[i], host, 0,
                                &(weft_connect_options){.timeout = scoped ? 0 : 0.05});
        r = scoped ? weft_timeout_end(scope, r) : r;
    }
    weft_release_many(streams, 64);
    return r;
}

static int fill_in_loop(void *arg)
{
    return fill_backlog(arg, true);
}

static void a_connect_ends_in_time(void **state)
{
    place p;
    (void)state;
    place_make(&p);
    int fd = bind_raw(p.path, true);
    assert_int_equal(fill_backlog(p.host, false), -ETIMEDOUT);
    assert_int_equal(weft_run(fill_in_loop, WEFT_POINTER(p.host), NULL), -ETIMEDOUT);
    close(fd);
    directory_remove(p.directory);
}

/* ---- out of descriptors -----------------------------------------------------------------------
 */

enum { FULL = 256 };

/* No number is left when `late`, which the system has connected, is to be accepted; or, where it
 * comes later still, all but one, which is not enough for what the loop waits for it with. */
static int serve_without_descriptors(void *arg)
{
    weft_server *server;
    int filled[FULL], count = 0;
    char byte = 0;
    bool connected = *(bool *)arg;
    int r = weft_server_open(&server, echo, NULL, "127.0.0.1", 0, NULL);
    if (r < 0)
        return r;
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_port = htons((uint16_t)weft_server_port(server));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int late = socket(AF_INET, SOCK_STREAM, 0);
    while (count < FULL && (filled[count] = dup(late)) >= 0)
        count++;
    bool full = count < FULL;
    if (!connected && count > 0)
        close(filled[--count]);
    if (connected && connect(late, (struct sockaddr *)&address, sizeof address) < 0)
        r = -errno;
    for (int i = 0; r == 0 && i < 4; i++)
        r = weft_sleep(0); /* the accept fails, or the wait for one */
    while (count > 0)
        close(filled[--count]);
    if (!connected && connect(late, (struct sockaddr *)&address, sizeof address) < 0)
        r = -errno;
    if (r == 0 && write(late, "x\n", 2) != 2)
        r = -EIO;
    if (r == 0)
        r = weft_wait(server, 0) == -ETIMEDOUT ? 0 : -EIO; /* it lives */
    weft_source *source = NULL;
    if (r == 0)
        r = weft_source_from_fd(&source, late, WEFT_READABLE);
    if (r == 0)
        r = weft_wait(source, WEFT_FOREVER); /* the echo, when it has tried again */
    weft_release(source);
    if (r == 0)
        r = read(late, &byte, 1) == 1 && byte == 'x' ? 0 : -EIO;
    close(late);
    weft_release(server);
    return !full ? -ENFILE : r;
}

/* The loop of the main thread has its poller from the beginning. */
static int serve_in_thread(void *arg)
{
    return weft_run(serve_without_descriptors, WEFT_ARG(*(bool *)arg), NULL);
}

static void without_descriptors_connections_wait(void **state)
{
    struct rlimit before, few;
    weft_thread *thread;
    (void)state;
    if (!descriptors_can_be_limited())
        skip();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    int r = weft_run(serve_without_descriptors, WEFT_ARG((bool){true}), NULL);
    if (r == 0)
        r = weft_shutdown(WEFT_FOREVER); /* no loop's descriptors are kept for the next one */
    if (r == 0)
        r = weft_thread_start(&thread, serve_in_thread, WEFT_ARG((bool){false}), NULL);
    if (r == 0) {
        r = weft_result(thread, WEFT_NONE, WEFT_FOREVER);
        weft_release(thread);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(r, 0);
}

/* ---- a process that is started while a connection stands ---- */

static int sleep_for_ever(void *arg)
{
    (void)arg;
    return weft_sleep(WEFT_FOREVER);
}

static int start_process(weft_stream *stream, void *arg)
{
    (void)stream;
    return weft_process_start(arg, sleep_for_ever, WEFT_NONE, NULL);
}

static int closed_beside_a_process(void *arg)
{
    weft_server *server;
    weft_stream *stream = NULL;
    weft_process *process = NULL;
    char byte;
    (void)arg;
    int r = weft_server_open(&server, start_process, &process, "127.0.0.1", 0, NULL);
    if (r == 0)
        r = weft_stream_connect(&stream, "127.0.0.1", weft_server_port(server), NULL);
    if (r == 0)
        r = weft_stream_read(stream, &byte, 1, 20); /* the end, though the process lives */
    weft_process_kill(process);
    weft_process_join(process, WEFT_FOREVER);
    weft_release(process);
    weft_release(stream);
    weft_release(server);
    return r;
}

static void a_process_holds_no_connection_open(void **state)
{
    (void)state;
    assert_int_equal(weft_run(closed_beside_a_process, WEFT_NONE, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(a_line_comes_back),
        weft_test(many_clients_are_served_at_once),
        weft_test(a_thread_talks_to_a_loop_by_the_same_calls),
        weft_test(after_the_close_nobody_answers),
        weft_test(a_port_in_use_is_an_error),
        weft_test(bad_arguments_are_named),
        weft_test(the_end_of_the_loop_ends_its_connections),
        weft_test(a_connection_that_never_began_is_closed),
        weft_test(a_unix_socket_has_a_name_until_the_close),
        weft_test(a_server_that_is_not_opened_leaves_no_name),
        weft_test(a_stale_name_is_taken_over),
        weft_test(a_name_in_use_is_left_alone),
        weft_test(a_connect_ends_in_time),
        weft_test(without_descriptors_connections_wait),
        weft_test(a_process_holds_no_connection_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
