/* SPDX-License-Identifier: MIT */
/*
 * Serves each client in a coroutine of its own, echoing line by line until the client has said all.
 * With a port as its argument it serves until it is interrupted (Ctrl-C, or SIGINT). Without, it is
 * its own client, which interrupts it at the end.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <weft.h>

static int echo(weft_stream *stream, void *arg)
{
    const char *line;
    int n;
    (void)arg;
    puts("server: connection accepted");
    while ((n = weft_stream_readline(stream, &line, WEFT_FOREVER)) > 0) {
        printf("server: received %s", line);
        int r = weft_stream_write(stream, line, (size_t)n, WEFT_FOREVER);
        if (r < 0)
            return r;
    }
    puts("server: closing");
    return n;
}

static int client(void *arg)
{
    const char *const messages[] = {"This is the message.\n", "It will be sent\n", "in parts.\n"};
    weft_stream *stream;
    const char *line;
    int r = weft_stream_connect(&stream, "localhost", *(int *)arg, NULL);
    for (int i = 0; i < 3 && r >= 0; i++) {
        r = weft_stream_write(stream, messages[i], strlen(messages[i]), WEFT_FOREVER);
        if (r == 0 && (r = weft_stream_readline(stream, &line, WEFT_FOREVER)) > 0)
            printf("client: received %s", line);
    }
    if (r > 0 && (r = weft_stream_write_eof(stream)) == 0)
        r = weft_stream_readline(stream, &line, WEFT_FOREVER); /* its end: the server has closed */
    weft_release(stream);
    if (r == 0)
        kill(getpid(), SIGINT);
    return r;
}

static int serve(void *arg)
{
    weft_server *server;
    int port = *(int *)arg;
    int r = weft_server_open(&server, echo, NULL, "localhost", port, NULL);
    if (r == 0 && port == 0) {
        int own = weft_server_port(server);
        r = weft_task_start(NULL, client, WEFT_ARG(own), NULL);
    }
    if (r == 0)
        r = weft_wait(server, WEFT_FOREVER); /* until the interrupt cancels this */
    weft_release(server);
    return r;
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 0;
    weft_signal_set(SIGINT, weft_signal_interrupt, NULL);
    int r = weft_run(serve, WEFT_ARG(port), NULL);
    if (r != WEFT_EINTERRUPTED)
        fprintf(stderr, "ERROR: %s\n", weft_error_message());
    else
        printf("%s\n", weft_error_message());
    return weft_shutdown(WEFT_FOREVER) < 0 || r != WEFT_EINTERRUPTED;
}
