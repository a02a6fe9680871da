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
#include <sys/stat.h>
#include <unistd.h>

#include <weft/net.h>
#include <weft/threading.h>

#include "asyncio/address.h"
#include "asyncio/loop.h"
#include "asyncio/socket.h"
#include "asyncio/task.h"
#include "core/iowait.h"
#include "core/memory.h"
#include "io/stream.h"
#include "platform/cloexec.h"

enum { BACKLOG = 128, BURST = 16 };
#define PAUSE 1.0 /* seconds */

typedef struct serving {
    weft_connection_fn *fn;
    void *arg;
    weft_io io;          /* the listening socket */
    weft_ilock lock;     /* guards what follows */
    weft_server *server; /* NULL once the handle has gone */
    size_t users;        /* the handle, the accepting task, each connection: the last frees this */
    size_t active;       /* tasks among them: the last completes the handle */
    bool stopped;        /* its name has been removed */
    weft_event room;     /* a connection has ended */
    char *path;          /* owned; of a UNIX socket, else NULL; it and what follows never change */
    dev_t device;
    ino_t inode;
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
    if (last) {
        weft_dealloc(s->path);
        weft_dealloc(s);
    }
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

static bool is_closed(serving *s)
{
    weft_ilock_acquire(&s->io.lock);
    bool closed = s->io.closed;
    weft_ilock_release(&s->io.lock);
    return closed;
}

/* Removes the name of a UNIX socket, if it is still this one's. */
static void remove_path(serving *s)
{
    struct stat now;
    if (s->path != NULL && lstat(s->path, &now) == 0 && now.st_dev == s->device &&
        now.st_ino == s->inode)
        (void)unlink(s->path);
}

/* Accepts no more; any thread. */
static void stop(serving *s)
{
    weft_ilock_acquire(&s->lock);
    bool first = !s->stopped;
    s->stopped = true;
    weft_ilock_release(&s->lock);
    if (first)
        remove_path(s);
    weft_io_close(&s->io);
    weft_event_set(&s->room); /* a pause ends */
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
    return c->serving->fn(c->stream, c->serving->arg);
}

/* Whether or not it has been served: a task that the end of the loop finds waiting for its turn
 * never begins. */
static void connection_ends(void *arg)
{
    connection *c = arg;
    serving *s = c->serving;
    weft_stream_close(c->stream);
    weft_handle_drop((weft_handle *)c->stream);
    weft_event_set(&s->room);
    task_ends(s);
}

static void start_connection(serving *s, int fd)
{
    connection c = {.serving = s};
    weft_task *task;
    weft_socket_no_delay(fd);
    if (weft_stream_from_fd(&c.stream, fd, true, NULL) < 0) {
        close(fd);
        return;
    }
    task_begins(s);
    /* one that cannot be served, for want of memory or at the end of the loop, is closed */
    if (weft_task_start_on(weft_loop_running(), &task, serve_connection, WEFT_ARG(c), NULL) < 0) {
        connection_ends(&c);
        return;
    }
    task->at_end = connection_ends;
    weft_handle_drop(&task->job.handle);
}

/* The connection is at fault, or has gone meanwhile; accept(2) has it that others may come. */
static bool is_of_connection(int code)
{
    return code == -ECONNABORTED || code == -EPROTO || code == -EINTR;
}

/* Out of descriptors or memory, or a network that is down: later, or when a connection has ended.
 */
static int pause_accepting(serving *s)
{
    int r = weft_event_wait(&s->room, PAUSE);
    return r == -ETIMEDOUT ? 0 : r;
}

/* The wait itself needs memory, and the first in a loop descriptors. */
static int wait_for_connection(serving *s)
{
    int r = weft_io_wait(&s->io, WEFT_READABLE, WEFT_INSTANT_NEVER);
    return r == -ENOMEM || r == -EMFILE || r == -ENFILE ? pause_accepting(s) : r;
}

/* Accepts until it is closed or cancelled; whatever is wrong with one connection is no reason to
 * end. The connections that have been accepted run in between, however many more wait. */
static int accept_all(serving *s)
{
    int r = 0;
    unsigned burst = 0;
    while (r >= 0) {
        weft_event_clear(&s->room); /* before the look: stop sets it after */
        if (is_closed(s))
            break;
        int fd = weft_cloexec_accept(s->io.fd, NULL, NULL);
        if (fd >= 0) {
            start_connection(s, fd);
            r = ++burst % BURST == 0 ? weft_sleep(0) : 0;
        } else if (fd == -EAGAIN) {
            r = wait_for_connection(s);
        } else if (fd == -EBADF || fd == -EINVAL || fd == -ENOTSOCK) {
            r = fd;
        } else if (!is_of_connection(fd)) {
            r = pause_accepting(s);
        }
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
    return r;
}

static void accepting_ends(void *arg)
{
    serving *s = arg;
    stop(s);
    task_ends(s);
}

/* ---- the handle -------------------------------------------------------------------------------
 */

static void finalize(weft_handle *handle)
{
    weft_server *server = (weft_server *)handle;
    serving *s = server->serving;
    weft_ilock_acquire(&s->lock);
    s->server = NULL;
    weft_ilock_release(&s->lock);
    stop(s);
    drop(s);
    weft_handle_clear(handle);
    weft_dealloc(server);
}

static _Atomic uint32_t numbers;
static const weft_kind server_kind = {
    .name = "server", .prefix = "Server", .numbers = &numbers, .finalize = finalize};

/* The name is there, and nobody listens behind it: what a server left that was killed. */
static bool is_stale(const weft_socket_address *address, const char *path)
{
    struct stat found;
    if (lstat(path, &found) < 0 || !S_ISSOCK(found.st_mode))
        return false;
    int fd = weft_socket_open(AF_UNIX);
    if (fd < 0)
        return false;
    bool stale = connect(fd, (const struct sockaddr *)&address->storage, address->size) < 0 &&
                 errno == ECONNREFUSED;
    close(fd);
    return stale;
}

static int bind_to(int fd, const weft_socket_address *address, const char *path)
{
    const struct sockaddr *name = (const struct sockaddr *)&address->storage;
    int on = 1;
    if (path == NULL && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        return -errno;
    if (bind(fd, name, address->size) == 0)
        return 0;
    int r = -errno;
    if (r == -EADDRINUSE && path != NULL && is_stale(address, path) && unlink(path) == 0)
        r = bind(fd, name, address->size) < 0 ? -errno : 0;
    return r;
}

static int listen_on(const weft_socket_address *address, const char *path, int backlog)
{
    int fd = weft_socket_open(address->storage.ss_family);
    if (fd < 0)
        return fd;
    int r = bind_to(fd, address, path);
    if (r == 0 && listen(fd, backlog > 0 ? backlog : BACKLOG) < 0) {
        r = -errno;
        if (path != NULL)
            (void)unlink(path);
    }
    if (r < 0)
        close(fd);
    return r < 0 ? r : fd;
}

/* What is needed to remove the name at the end, and only this one. */
static int know_path(serving *s)
{
    struct stat found;
    if (s->path == NULL)
        return 0;
    if (lstat(s->path, &found) < 0)
        return weft_error(-errno, "open a server: '%s': %s", s->path, weft_strerror(-errno));
    s->device = found.st_dev;
    s->inode = found.st_ino;
    return 0;
}

static int start_accepting(serving *s)
{
    weft_task *task;
    task_begins(s);
    int r = weft_task_start_on(weft_loop_running(), &task, accept_task, WEFT_POINTER(s), NULL);
    if (r < 0) {
        task_ends(s);
        return r;
    }
    task->at_end = accepting_ends;
    weft_handle_drop(&task->job.handle);
    return 0;
}

/* Without a socket yet: what needs memory comes before there is a name to be left behind. */
static int make_server(weft_server **server, weft_connection_fn *fn, void *arg, const char *path,
                       const char *name)
{
    weft_server *made = weft_calloc(1, sizeof *made);
    serving *s = weft_calloc(1, sizeof *s);
    if (made == NULL || s == NULL) {
        weft_dealloc(made);
        weft_dealloc(s);
        return weft_error(-ENOMEM, "open a server: no memory");
    }
    weft_handle_init(&made->handle, &server_kind);
    *s = (serving){.fn = fn, .arg = arg, .io.closed = true, .server = made, .users = 1};
    made->serving = s;
    int r = name != NULL ? weft_handle_rename(&made->handle, name) : 0;
    if (r == 0 && path != NULL && (s->path = weft_strdup(path)) == NULL)
        r = weft_error(-ENOMEM, "open a server: no memory");
    if (r < 0)
        weft_handle_drop(&made->handle);
    else
        *server = made;
    return r;
}

/* fd is moved in. */
static int serve(serving *s, int fd)
{
    weft_io_init(&s->io, fd);
    int r = know_path(s);
    return r < 0 ? r : start_accepting(s);
}

int weft_server_open(weft_server **server, weft_connection_fn *fn, void *arg, const char *host,
                     int port, const weft_server_options *options)
{
    weft_socket_address address;
    weft_server *made = NULL;
    if (server == NULL || fn == NULL)
        return weft_error(-EINVAL, "open a server: no %s",
                          fn == NULL ? "function" : "place for it");
    *server = NULL;
    if (weft_loop_running() == NULL)
        return weft_error(WEFT_EINVALID_STATE, "open a server: no loop runs in this thread");
    const char *path = weft_socket_path(host);
    int r = weft_socket_address_set(&address, host, port, "open a server");
    if (r == 0)
        r = make_server(&made, fn, arg, path, options != NULL ? options->name : NULL);
    if (r < 0)
        return r;
    int fd = listen_on(&address, path, options != NULL ? options->backlog : 0);
    r = fd < 0 ? weft_socket_fail(fd, "serve", host, port) : serve(made->serving, fd);
    if (r < 0)
        weft_handle_drop(&made->handle);
    else
        *server = made;
    return r;
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
    else if ((r = weft_socket_address_port(&address)) < 0)
        r = weft_error(r, "port of a server: a UNIX socket has none");
    weft_io_leave(&server->serving->io);
    return r;
}

int weft_server_close(weft_server *server)
{
    int r = weft_handle_check(server, &server_kind, "close a server");
    if (r == 0)
        stop(server->serving);
    return r;
}
