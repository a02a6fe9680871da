/* SPDX-License-Identifier: MIT */
/*
 * Connections and servers. Each scenario runs in a loop and returns a code or a count, which is
 * asserted in the test's own frame.
 */
#include <string.h>

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
    weft_server *first, *second;
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
