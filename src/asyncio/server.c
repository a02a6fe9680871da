/* SPDX-License-Identifier: MIT */
/*
 * A server: one task of the loop accepts, one task per connection serves it.
 *
 * The handle is the user's alone, so that its last release can close the server; the tasks share a
 * record of their own
 * (`serving`), which lives until the last of them has ended. It points back to the handle while
 * that lives, to complete it when the server is closed and no connection is left. Lock order:
 * serving->lock before the lock of its weft_io.
 */
#include <unistd.h>

#include <weft/net.h>

#include "asyncio/address.h"
#include "asyncio/loop.h"
#include "asyncio/socket.h"
#include "asyncio/task.h"
#include "core/iowait.h"
#include "core/memory.h"
#include "io/stream.h"
#include "platform/cloexec.h"

enum { BACKLOG = 128 };

typedef struct serving {
    weft_connection_fn *fn;
    void *arg;
    weft_io io;          /* the listening socket */
    weft_ilock lock;     /* guards what follows */
    weft_server *server; /* NULL once the handle has gone */
    size_t users;        /* the handle, the accepting task, each connection: the last frees this */
    size_t active;       /* tasks among them: the last completes the handle */
} serving;

struct weft_server {
    weft_handle handle; /* first */
    serving *serving;
};

typedef struct connection {
    serving *serving;
    weft_stream *stream;
} connection;

static void drop(serving *s)
{
    weft_ilock_acquire(&s->lock);
    bool last = --s->users == 0;
    weft_ilock_release(&s->lock);
    if (last)
        weft_dealloc(s);
}

/* The handle, held, if it has not gone. */
static weft_handle *hold_server(serving *s)
{
    weft_handle *handle = NULL;
    weft_ilock_acquire(&s->lock);
    if (s->server != NULL) {
        handle = &s->server->handle;
        uint32_t refs = atomic_load_explicit(&handle->refs, memory_order_relaxed);
        /* with no reference left its finalizer waits for this lock, or is about to */
        while (refs > 0 &&
               !atomic_compare_exchange_weak_explicit(&handle->refs, &refs, refs + 1,
                                                      memory_order_relaxed, memory_order_relaxed)) {
        }
        if (refs == 0)
            handle = NULL;
    }
    weft_ilock_release(&s->lock);
    return handle;
}

static void task_begins(serving *s)
{
    weft_ilock_acquire(&s->lock);
    s->users++;
    s->active++;
    weft_ilock_release(&s->lock);
}

static void task_ends(serving *s)
{
    weft_ilock_acquire(&s->lock);
    bool last = --s->active == 0;
    weft_ilock_release(&s->lock);
    weft_handle *handle = last ? hold_server(s) : NULL;
    if (handle != NULL) {
        weft_handle_complete(handle);
        weft_handle_drop(handle);
    }
    drop(s);
}

static int serve_connection(void *arg)
{
    connection *c = arg;
    int r = c->serving->fn(c->stream, c->serving->arg);
    weft_stream_close(c->stream);
    weft_handle_drop((weft_handle *)c->stream);
    task_ends(c->serving);
    return r;
}

static void start_connection(serving *s, int fd)
{
    connection c = {.serving = s};
    weft_socket_no_delay(fd);
    if (weft_stream_from_fd(&c.stream, fd, true, NULL) < 0) {
        close(fd);
        return;
    }
    task_begins(s);
    /* one that cannot be served, for want of memory or at the end of the loop, is closed */
    if (weft_task_start(NULL, serve_connection, WEFT_ARG(c), NULL) < 0) {
        weft_handle_drop((weft_handle *)c.stream);
        task_ends(s);
    }
}

static bool out_of_descriptors(int code)
{
    return code == -EMFILE || code == -ENFILE || code == -ENOMEM || code == -ENOBUFS;
}

/* Accepts until it is closed or cancelled; whatever is wrong with one connection is no reason to
 * end. */
static int accept_all(serving *s)
{
    int r = 0;
    while (r >= 0) {
        int fd = weft_cloexec_accept(s->io.fd, NULL, NULL);
        if (fd >= 0)
            start_connection(s, fd);
        else if (fd == -EAGAIN)
            r = weft_io_wait(&s->io, WEFT_READABLE, WEFT_INSTANT_NEVER);
        else if (out_of_descriptors(fd))
            r = weft_sleep(1);
        else if (fd == -EBADF || fd == -EINVAL)
            r = fd;
    }
    return r;
}

static int accept_task(void *arg)
{
    serving *s = arg;
    int r = weft_io_enter(&s->io);
    if (r == 0) {
        r = accept_all(s);
        weft_io_leave(&s->io);
    }
    weft_io_close(&s->io);
    task_ends(s);
    return r;
}

/* ---- the handle -------------------------------------------------------------------------------
 */

static void finalize(weft_handle *handle)
{
    weft_server *server = (weft_server *)handle;
    serving *s = server->serving;
    if (s != NULL) {
        weft_ilock_acquire(&s->lock);
        s->server = NULL;
        weft_ilock_release(&s->lock);
        weft_io_close(&s->io);
        drop(s);
    }
    weft_handle_clear(handle);
    weft_dealloc(server);
}

static _Atomic uint32_t numbers;
static const weft_kind server_kind = {
    .name = "server", .prefix = "Server", .numbers = &numbers, .finalize = finalize};

static int listen_on(const weft_socket_address *address, int backlog)
{
    int on = 1;
    int fd = weft_socket_open(address->storage.ss_family);
    if (fd < 0)
        return fd;
    int r = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (const struct sockaddr *)&address->storage, address->size) < 0 ||
        listen(fd, backlog > 0 ? backlog : BACKLOG) < 0)
        r = -errno;
    if (r < 0)
        close(fd);
    return r < 0 ? r : fd;
}

static int make_server(weft_server **server, weft_connection_fn *fn, void *arg, int fd,
                       const weft_server_options *options)
{
    weft_server *made = weft_calloc(1, sizeof *made);
    serving *s = weft_calloc(1, sizeof *s);
    if (made == NULL || s == NULL) {
        weft_dealloc(made);
        weft_dealloc(s);
        close(fd);
        return weft_error(-ENOMEM, "open a server: no memory");
    }
    weft_handle_init(&made->handle, &server_kind);
    *s = (serving){.fn = fn, .arg = arg, .server = made, .users = 1};
    weft_io_init(&s->io, fd);
    made->serving = s;
    int r = 0;
    if (options != NULL && options->name != NULL)
        r = weft_handle_rename(&made->handle, options->name);
    if (r == 0) {
        task_begins(s);
        r = weft_task_start(NULL, accept_task, WEFT_POINTER(s), NULL);
        if (r < 0)
            task_ends(s);
    }
    if (r < 0)
        weft_handle_drop(&made->handle);
    else
        *server = made;
    return r;
}

int weft_server_open(weft_server **server, weft_connection_fn *fn, void *arg, const char *host,
                     int port, const weft_server_options *options)
{
    weft_socket_address address;
    if (server == NULL || fn == NULL)
        return weft_error(-EINVAL, "open a server: no %s",
                          fn == NULL ? "function" : "place for it");
    *server = NULL;
    if (weft_loop_running() == NULL)
        return weft_error(WEFT_EINVALID_STATE, "open a server: no loop runs in this thread");
    int r = weft_socket_address_set(&address, host, port, "open a server");
    if (r < 0)
        return r;
    int fd = listen_on(&address, options != NULL ? options->backlog : 0);
    if (fd < 0)
        return weft_error(fd, "serve '%s' port %d: %s", host != NULL ? host : "*", port,
                          weft_strerror(fd));
    return make_server(server, fn, arg, fd, options);
}

int weft_server_port(weft_server *server)
{
    weft_socket_address address = {.size = sizeof address.storage};
    int r = weft_handle_check(server, &server_kind, "port of a server");
    if (r == 0)
        r = weft_io_enter(&server->serving->io);
    if (r < 0)
        return r;
    if (getsockname(server->serving->io.fd, (struct sockaddr *)&address.storage, &address.size) < 0)
        r = weft_error(-errno, "port of a server: %s", weft_strerror(-errno));
    else
        r = weft_socket_address_port(&address);
    weft_io_leave(&server->serving->io);
    return r;
}

int weft_server_close(weft_server *server)
{
    int r = weft_handle_check(server, &server_kind, "close a server");
    if (r == 0)
        weft_io_close(&server->serving->io);
    return r;
}
