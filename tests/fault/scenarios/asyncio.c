/* SPDX-License-Identifier: MIT */
#include "fault/scenarios/scenarios.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static int answer(void *arg)
{
    (void)arg;
    return 4;
}

static int start_tasks(void)
{
    char large[9000] = "";
    weft_task *task = SCENARIO_JUNK;
    int r = weft_task_start(&task, answer, WEFT_ARG(large),
                            &(weft_task_options){.name = "name", .stack_size = 100000});
    if ((r = scenario_started(r, task)) < 0)
        return r;
    r = weft_result(task, WEFT_NONE, WEFT_FOREVER);
    r = scenario_expect(r, r == 4 && weft_task_current() != NULL, "the task's result");
    weft_release(task);
    return r;
}

static int start_calls(void)
{
    char large[9000] = "";
    weft_call *calls[3] = {NULL, NULL, NULL};
    weft_loop *loop = weft_loop_current();
    int r = weft_loop_call_later(loop, &calls[0], 1e-5, answer, WEFT_ARG(large));
    r = scenario_started(r, calls[0]);
    if (r >= 0) {
        r = weft_loop_call_soon(loop, &calls[1], answer, WEFT_ARG(large));
        r = scenario_started(r, calls[1]);
    }
    if (r >= 0) {
        r = weft_loop_call_soon_threadsafe(loop, &calls[2], answer, WEFT_NONE);
        r = scenario_started(r, calls[2]);
    }
    if (r >= 0)
        r = weft_gather(calls, 3, WEFT_FOREVER);
    weft_release_many(calls, 3);
    return r;
}

static int handle_signals(void)
{
    weft_loop *loop = weft_loop_current();
    int r = weft_loop_add_signal_handler(loop, SIGURG, answer, WEFT_STRING("text"));
    r = scenario_first(r, weft_loop_add_signal_handler(loop, SIGURG, answer, WEFT_NONE));
    if (r >= 0)
        r = weft_signal_get(SIGURG, NULL, NULL);
    if (r >= 0)
        r = scenario_expect(r, r == WEFT_SIGNAL_HANDLED, "it is set");
    int removed = weft_loop_remove_signal_handler(loop, SIGURG);
    return r < 0 ? r : removed < 0 ? removed : scenario_expect(0, removed == 1, "removed");
}

/* ---- a server of the loop's, and a client of it ------------------------------------------------
 */

static int echo(weft_stream *stream, void *arg)
{
    const char *line;
    (void)arg;
    int r = weft_stream_readline(stream, &line, WEFT_FOREVER);
    return r > 0 ? weft_stream_write(stream, line, (size_t)r, WEFT_FOREVER) : r;
}

static int ask(weft_stream *stream)
{
    const char *line = "";
    int r = weft_stream_write(stream, "hello\n", 6, WEFT_FOREVER);
    r = scenario_first(r, weft_stream_write_eof(stream));
    if (r >= 0)
        r = weft_stream_readline(stream, &line, WEFT_FOREVER);
    /* a connection that the server could not serve is closed, as by a server that is too busy */
    return scenario_expect(r < 0 ? r : 0, r <= 0 || strcmp(line, "hello\n") == 0, "the echo");
}

static int talk(const char *host, int port)
{
    weft_stream *stream = SCENARIO_JUNK;
    int r = weft_stream_connect(&stream, host, port, NULL);
    if ((r = scenario_started(r, stream)) < 0)
        return r;
    r = ask(stream);
    weft_release(stream);
    return r;
}

static int serve(const char *host)
{
    weft_server *server = SCENARIO_JUNK;
    int r = weft_server_open(&server, echo, NULL, host, 0, &(weft_server_options){.name = "name"});
    if ((r = scenario_started(r, server)) < 0)
        return r;
    int port = strchr(host, '/') != NULL ? 0 : weft_server_port(server);
    r = port < 0 ? port : talk(host, port);
    r = scenario_first(r, weft_server_close(server));
    int waited = scenario_await(server);
    weft_release(server);
    return scenario_first(r, waited);
}

static int serve_ip(void)
{
    return serve("127.0.0.1");
}

static int serve_unix(void)
{
    char name[100];
    snprintf(name, sizeof name, "unix:/tmp/weft-fault-%ld", (long)getpid());
    return serve(name);
}

/* weft_run is what runs each of these in a task. */
static int run_in_task(void *arg)
{
    return ((const scenario *)arg)->run();
}

static int in_loop(int (*fn)(void))
{
    const scenario one = {.run = fn};
    if (weft_loop_current() != NULL)
        return fn();
    return weft_run(run_in_task, WEFT_ARG(one), &(weft_loop_options){.name = "name"});
}

static int tasks(void)
{
    return in_loop(start_tasks);
}

static int calls(void)
{
    return in_loop(start_calls);
}

static int server(void)
{
    return in_loop(serve_ip);
}

static int server_by_name(void)
{
    return in_loop(serve_unix);
}

static int signals(void)
{
    return in_loop(handle_signals);
}

const scenario scenarios_asyncio[] = {
    SCENARIO(tasks, SCENARIO_THREAD_ONLY),          SCENARIO(calls, SCENARIO_THREAD_ONLY),
    SCENARIO(signals, SCENARIO_THREAD_ONLY),        SCENARIO(server, SCENARIO_THREAD_ONLY),
    SCENARIO(server_by_name, SCENARIO_THREAD_ONLY), {NULL, NULL, 0},
};
