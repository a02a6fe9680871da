/* SPDX-License-Identifier: MIT */
/*
 * TCP echo of 64 bytes: a server of one thread, asked by a client in a process of its own over 1,
 * 64 and 1,000 connections, each with one question under way. The client is the same for all, bare
 * epoll; it measures the time, and what is shown as CPU is the server's alone.
 *
 * "epoll" is the limit: a loop that does the indispensable (wait, read, write).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "peers.h"

#ifdef WEFT_BENCH_UV
#include <uv.h>
#endif
#include <weft/asyncio.h>
#include <weft/net.h>

enum { SIZE = 64, EVENTS = 256, MOST = 1000 };

/* ---- the client -------------------------------------------------------------------------------
 */

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        _exit(1);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void ask(int fd)
{
    static const char question[SIZE];
    if (write(fd, question, SIZE) != SIZE)
        _exit(1);
}

static void hear(int fd)
{
    char answer[SIZE];
    for (ssize_t had = 0, n; had < SIZE; had += n) {
        if ((n = read(fd, answer, (size_t)(SIZE - had))) <= 0)
            _exit(1);
    }
}

/* n questions over all connections; nanoseconds. */
static double ask_all(const int *fds, int connections, size_t n)
{
    struct epoll_event events[EVENTS];
    int poller = epoll_create1(EPOLL_CLOEXEC);
    size_t asked = 0, heard = 0;
    for (int i = 0; i < connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[i]};
        epoll_ctl(poller, EPOLL_CTL_ADD, fds[i], &event);
        ask(fds[i]); /* it is accepted, and warm */
        hear(fds[i]);
    }
    double begun = bench_wall();
    for (int i = 0; i < connections && asked < n; i++, asked++)
        ask(fds[i]);
    while (heard < n) {
        int count = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < count; i++, heard++) {
            hear(events[i].data.fd);
            if (asked < n) {
                ask(events[i].data.fd);
                asked++;
            }
        }
    }
    return bench_wall() - begun;
}

static _Noreturn void client(int port_fd, int time_fd, int connections, size_t n)
{
    int port, fds[MOST];
    if (read(port_fd, &port, sizeof port) != sizeof port)
        _exit(1);
    for (int i = 0; i < connections; i++)
        fds[i] = connect_to(port);
    double time = ask_all(fds, connections, n);
    _exit(write(time_fd, &time, sizeof time) != sizeof time);
}

/* ---- a sample ---------------------------------------------------------------------------------
 */

static int connections; /* of this sample; servers end when as many have ended */
static int ended, port_fd;

static void tell_port(int port)
{
    if (write(port_fd, &port, sizeof port) != sizeof port)
        bench_fail("telling the client the port");
}

static void sample(int how_many, void (*serve)(void), size_t n)
{
    int ports[2], times[2], status;
    double time;
    connections = how_many;
    BENCH_CHECK(pipe(ports));
    BENCH_CHECK(pipe(times));
    pid_t pid = fork();
    BENCH_CHECK(pid);
    if (pid == 0)
        client(ports[0], times[1], how_many, n);
    port_fd = ports[1];
    close(times[1]);
    double begun = bench_cpu();
    serve();
    double cpu = bench_cpu() - begun;
    if (read(times[0], &time, sizeof time) != sizeof time)
        bench_fail("the client has ended early");
    waitpid(pid, &status, 0);
    bench_set_result(time / (double)n, cpu / (double)n);
}

/* ---- weft -------------------------------------------------------------------------------------
 */

static weft_server *server;

static int weft_echo(weft_stream *stream, void *arg)
{
    char buffer[4096];
    int n, r = 0;
    (void)arg;
    while (r == 0 && (n = weft_stream_read(stream, buffer, sizeof buffer, WEFT_FOREVER)) > 0)
        r = weft_stream_write(stream, buffer, (size_t)n, WEFT_FOREVER);
    if (++ended == connections)
        weft_server_close(server);
    return r;
}

static int weft_main(void *arg)
{
    (void)arg;
    int r = weft_server_open(&server, weft_echo, NULL, "127.0.0.1", 0,
                             &(weft_server_options){.backlog = MOST});
    if (r < 0)
        return r;
    tell_port(weft_server_port(server));
    r = weft_wait(server, WEFT_FOREVER);
    weft_release(server);
    return r;
}

static void weft_serve_all(void)
{
    BENCH_CHECK(weft_run(weft_main, WEFT_NONE, NULL));
}

/* ---- bare epoll -------------------------------------------------------------------------------
 */

static int listen_raw(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    BENCH_CHECK(bind(fd, (struct sockaddr *)&address, size));
    BENCH_CHECK(listen(fd, MOST));
    BENCH_CHECK(getsockname(fd, (struct sockaddr *)&address, &size));
    tell_port(ntohs(address.sin_port));
    return fd;
}

static void epoll_accept(int poller, int listener)
{
    int on = 1, fd = accept(listener, NULL, NULL);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    BENCH_CHECK(fd);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    BENCH_CHECK(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event));
}

static void epoll_serve_all(void)
{
    struct epoll_event events[EVENTS];
    char buffer[4096];
    int listener = listen_raw(), poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    BENCH_CHECK(epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event));
    while (ended < connections) {
        int count = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                epoll_accept(poller, listener);
                continue;
            }
            ssize_t n = read(fd, buffer, sizeof buffer);
            if (n > 0)
                n = write(fd, buffer, (size_t)n);
            if (n <= 0) {
                close(fd);
                ended++;
            }
        }
    }
}

/* ---- libuv ------------------------------------------------------------------------------------
 */

#ifdef WEFT_BENCH_UV
static uv_tcp_t uv_listener;

static void uv_give(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    static char memory[65536]; /* used up before the next read */
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(memory, sizeof memory);
}

static void uv_closed(uv_handle_t *handle)
{
    free(handle);
    if (++ended == connections)
        uv_close((uv_handle_t *)&uv_listener, NULL);
}

static void uv_got(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    uv_buf_t out = uv_buf_init(buffer->base, (unsigned int)(n > 0 ? n : 0));
    if (n < 0)
        uv_close((uv_handle_t *)stream, uv_closed);
    else if (n > 0 && uv_try_write(stream, &out, 1) != n)
        bench_fail("uv_try_write");
}

static void uv_accepted(uv_stream_t *listener, int status)
{
    uv_tcp_t *connection = malloc(sizeof *connection);
    (void)status;
    uv_tcp_init(uv_default_loop(), connection);
    BENCH_CHECK(uv_accept(listener, (uv_stream_t *)connection));
    uv_tcp_nodelay(connection, 1);
    BENCH_CHECK(uv_read_start((uv_stream_t *)connection, uv_give, uv_got));
}

static void uv_serve_all(void)
{
    struct sockaddr_in address;
    int size = sizeof address;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(uv_default_loop(), &uv_listener);
    BENCH_CHECK(uv_tcp_bind(&uv_listener, (struct sockaddr *)&address, 0));
    BENCH_CHECK(uv_listen((uv_stream_t *)&uv_listener, MOST, uv_accepted));
    BENCH_CHECK(uv_tcp_getsockname(&uv_listener, (struct sockaddr *)&address, &size));
    tell_port(ntohs(address.sin_port));
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
#endif

/* ---- the table --------------------------------------------------------------------------------
 */

#define SAMPLES(name, serve)                                                                       \
    static void name##_1(size_t n)                                                                 \
    {                                                                                              \
        sample(1, serve, n);                                                                       \
    }                                                                                              \
    static void name##_64(size_t n)                                                                \
    {                                                                                              \
        sample(64, serve, n);                                                                      \
    }                                                                                              \
    static void name##_1000(size_t n)                                                              \
    {                                                                                              \
        sample(MOST, serve, n);                                                                    \
    }

SAMPLES(weft, weft_serve_all)
SAMPLES(epoll, epoll_serve_all)
#ifdef WEFT_BENCH_UV
SAMPLES(uv, uv_serve_all)
#endif

static const bench_case one_cases[] = {
    {"weft", weft_1},
    {"epoll", epoll_1},
    BENCH_UV("libuv", uv_1){0},
};
static const bench_case some_cases[] = {
    {"weft", weft_64},
    {"epoll", epoll_64},
    BENCH_UV("libuv", uv_64){0},
};
static const bench_case many_cases[] = {
    {"weft", weft_1000},
    {"epoll", epoll_1000},
    BENCH_UV("libuv", uv_1000){0},
};

static const bench_subject subjects[] = {
    {"TCP echo, 1 connection",
     NULL,
     NULL,
     50000,
     one_cases,
     {{"epoll", 1.03, false}, {"epoll", 1.10, true}, {"libuv", 0.87, false}}},
    {"TCP echo, 64 connections",
     NULL,
     NULL,
     200000,
     some_cases,
     {{"epoll", 1.03, false}, {"epoll", 1.05, true}, {"libuv", 0.87, false}}},
    {"TCP echo, 1,000 connections",
     NULL,
     NULL,
     200000,
     many_cases,
     {{"epoll", 1.03, false}, {"epoll", 1.05, true}, {"libuv", 0.87, false}}},
};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, subjects, sizeof subjects / sizeof *subjects);
}
