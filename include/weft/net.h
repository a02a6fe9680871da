/* SPDX-License-Identifier: MIT */
/*
 * net: TCP connections as streams, and servers.
 *
 *     #include <stdio.h>
 *     #include <weft.h>
 *
 *     static int shout(weft_stream *stream, void *arg)
 *     {
 *         const char *line;
 *         int n;
 *         (void)arg;
 *         while ((n = weft_stream_readline(stream, &line, WEFT_FOREVER)) > 0)
 *             weft_stream_write(stream, line, (size_t)n, WEFT_FOREVER);
 *         return n;
 *     }
 *
 *     static int all(void *arg)
 *     {
 *         weft_server *server;
 *         weft_stream *stream;
 *         const char *line;
 *         (void)arg;
 *         weft_server_open(&server, shout, NULL, "127.0.0.1", 0, NULL);
 *         weft_stream_connect(&stream, "127.0.0.1", weft_server_port(server), NULL);
 *         weft_stream_write(stream, "hello\n", 6, WEFT_FOREVER);
 *         if (weft_stream_readline(stream, &line, WEFT_FOREVER) > 0)
 *             printf("%s", line);
 *         weft_release(stream);
 *         weft_release(server);
 *         return 0;
 *     }
 *
 *     int main(void)
 *     {
 *         return weft_run(all, WEFT_NONE, NULL) < 0;
 *     }
 *
 * A connection is a weft_stream (stream.h), on either side; TCP_NODELAY is set. weft_stream_connect
 * works in threads and coroutines alike; a server belongs to a loop and runs each connection as a
 * task of it.
 *
 * Hosts are given as addresses ("127.0.0.1", "::1") or as "localhost"; other names are not looked
 * up yet. "unix:/path" with port 0 is a UNIX socket: a server makes the name, takes over one behind
 * which nobody listens, and removes it when it closes.
 */
#ifndef WEFT_NET_H
#define WEFT_NET_H

#include <weft/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Connecting -------------------------------------------------------------------------------
 */

typedef struct weft_connect_options {
    double timeout; /* seconds; 0: none */
    void *reserved_[4];
} weft_connect_options;

/*
 * Connects to a port of a host and waits until the connection stands. *stream is to be released.
 * Can be cancelled. Errors: -ETIMEDOUT, -ECANCELED, -ECONNREFUSED, -EHOSTUNREACH, -ENETUNREACH,
 * -EINVAL (host or port), -ENAMETOOLONG, -ENOTSUP (a name that must be looked up), -EMFILE,
 * -ENFILE, -ENOMEM, others of connect(2). Python: asyncio.open_connection, loop.create_connection
 */
WEFT_API int weft_stream_connect(weft_stream **stream, const char *host, int port,
                                 const weft_connect_options *options);

/* ---- Serving ----------------------------------------------------------------------------------
 */

/*
 * Talks to one client, in a task of its own. The stream is borrowed: until it returns, and is
 * closed then. What it returns is not looked at.
 */
typedef int weft_connection_fn(weft_stream *stream, void *arg);

typedef struct weft_server_options {
    const char *name; /* copied; NULL: "Server-1" ... */
    int backlog;      /* connections that the system keeps until they are accepted; 0: 128 */
    void *reserved_[4];
} weft_server_options;

/*
 * Listens on a port of an address (host NULL: of all; port 0: one that is free, see
 * weft_server_port) and calls fn(stream, arg) in a new task of the running loop for each
 * connection. *server is to be released: the last release closes it, and connections that stand run
 * on. Without free descriptors it accepts none for a second, or until a connection ends. `arg` must
 * outlive the server and its connections. Errors: -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -EINVAL,
 * -ENAMETOOLONG, -ENOTSUP (a name that must be looked up), -EMFILE, -ENFILE, -ENOMEM,
 * WEFT_EINVALID_STATE (no loop runs in this thread), others of bind(2). Python:
 * asyncio.start_server, loop.create_server
 */
WEFT_API int weft_server_open(weft_server **server, weft_connection_fn *fn, void *arg,
                              const char *host, int port, const weft_server_options *options);

/*
 * The port that it listens on. Errors: -EBADF (closed), -EINVAL (also: a UNIX socket),
 * WEFT_EFORKED. Python: Server.sockets
 */
WEFT_API int weft_server_port(weft_server *server);

/*
 * Accepts no more. Connections that stand run on: weft_wait(server) waits until the last has ended.
 * May be called again. Errors: -EINVAL, WEFT_EFORKED. Python: Server.close
 */
WEFT_API int weft_server_close(weft_server *server);

#ifdef __cplusplus
}
#endif

#endif
