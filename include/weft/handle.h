/* SPDX-License-Identifier: MIT */
/*
 * handle: everything with a life of its own, and what can be done with any of it.
 *
 * A thread, a process, a task, a future, a queue, an executor ... is an opaque handle with a
 * reference count. The functions below take every kind, mixed:
 *
 *     void *handles[] = {thread, process, task};
 *     for (int i; (i = weft_wait_any(handles, 3, WEFT_FOREVER)) >= 0; handles[i] = NULL)
 *         printf("%s is done\n", weft_handle_name(handles[i]));
 *
 * kind                           is ready (weft_wait)         at the last release
 * thread, process, task, future,
 * call                           its function has ended       it runs on
 * popen                          the program has ended        by .on_drop; reaped
 * queue                          a get would not wait         closed, content dropped
 * stream                         a read would not wait        closed
 * server                         closed, connections ended    closed
 * executor, loop                 shut down wholly             shut down without waiting
 * source                         its event is set, fd ready   the event or fd stays as it is
 *
 * A NULL handle is -EINVAL in every function but weft_release, and the message keeps the failure
 * that came before it, so that in a short program an unchecked start is reported at its first use.
 * A handle of the process that this one was forked from is WEFT_EFORKED. A wait for what a
 * descriptor tells (a popen's end, a stream, a source) uses one or two of its own, kept for the
 * next, and can fail with -EMFILE and -ENFILE, too.
 */
#ifndef WEFT_HANDLE_H
#define WEFT_HANDLE_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The kinds of handles: the list from which the compile-time check below is made. */
#define WEFT_HANDLE_TYPES(X)                                                                       \
    X(weft_thread)                                                                                 \
    X(weft_process)                                                                                \
    X(weft_popen)                                                                                  \
    X(weft_task)                                                                                   \
    X(weft_call)                                                                                   \
    X(weft_future)                                                                                 \
    X(weft_executor)                                                                               \
    X(weft_queue)                                                                                  \
    X(weft_loop)                                                                                   \
    X(weft_stream)                                                                                 \
    X(weft_server)                                                                                 \
    X(weft_source)

#define WEFT_HANDLE_DECLARE_(type) typedef struct type type;
WEFT_HANDLE_TYPES(WEFT_HANDLE_DECLARE_)
#undef WEFT_HANDLE_DECLARE_

/* The values that can join a wait as a source; threading.h has their functions. */
struct weft_event;

/* What a completion calls: the handle (borrowed: for the call), and what was given with it. */
typedef void weft_done_fn(void *handle, void *arg);

typedef enum weft_wait_mode {
    WEFT_WAIT_ALL,             /* until all are ready */
    WEFT_WAIT_FIRST_COMPLETED, /* until one is */
    WEFT_WAIT_FIRST_EXCEPTION, /* until one has failed (a cancelled one has not), or all are ready
                                */
} weft_wait_mode;

/* What to wait for on a descriptor; may be combined. */
enum { WEFT_READABLE = 1, WEFT_WRITABLE = 2 };

/*
 * Gives up a reference. NULL is allowed. What the last one does stands in the table above.
 * Python: del
 */
WEFT_API void weft_release(void *handle);

/*
 * Releases each of an array of `count` handles; NULL entries are skipped. Python: del
 */
WEFT_API void weft_release_many(const void *handles, size_t count);

/*
 * Takes a further reference (retained), to be released. Errors: -EINVAL.
 * Python: a further name for the object
 */
WEFT_API int weft_retain(void *handle);

/*
 * Whether it is ready, by the table above. false for NULL. Python: Future.done
 */
WEFT_API bool weft_done(void *handle);

/*
 * Waits until the handle is ready. Can be cancelled.
 * Errors: -ETIMEDOUT, -ECANCELED, -EINVAL, -ENOMEM, WEFT_EFORKED, -EDEADLK (the caller itself).
 * Python: Thread.join, Popen.wait
 */
WEFT_API int weft_wait(void *handle, double timeout);

/*
 * Waits until one of an array of `count` handles of any kinds is ready, and returns its index; NULL
 * entries are skipped. Can be cancelled.
 * Errors: -ETIMEDOUT, -ECANCELED, -ENOENT (all are NULL), -EINVAL, -EDEADLK (the caller itself),
 * -ENOMEM, WEFT_EFORKED.
 * Python: asyncio.as_completed, multiprocessing.connection.wait
 */
WEFT_API int weft_wait_any(const void *handles, size_t count, double timeout);

/*
 * Waits until all are ready; NULL entries are skipped. Returns 0. Can be cancelled.
 * Errors: -ETIMEDOUT, -ECANCELED, -EINVAL, -EDEADLK (the caller itself), -ENOMEM, WEFT_EFORKED.
 * Python: asyncio.wait
 */
WEFT_API int weft_wait_all(const void *handles, size_t count, double timeout);

/*
 * Waits by `mode` and returns how many are ready; time up is no error. done[i] says which (done may
 * be NULL). Can be cancelled. Errors: -ECANCELED, -EINVAL, -EDEADLK (the caller itself), -ENOMEM,
 * WEFT_EFORKED.
 * Python: asyncio.wait, concurrent.futures.wait
 */
WEFT_API int weft_wait_many(const void *handles, size_t count, weft_wait_mode mode, bool *done,
                            double timeout);

/*
 * Asks it to stop: what has not begun never begins; a running function's present or next wait
 * returns -ECANCELED, once. Returns 1: asked, 0: it was done already (or is a job of a process pool
 * that has begun).
 * Errors: -EINVAL, -ENOTSUP (this kind cannot be cancelled), WEFT_EFORKED.
 * Python: Task.cancel, Future.cancel
 */
WEFT_API int weft_cancel(void *handle);

/*
 * Waits for the function and returns its number, or its failure, whose message becomes this
 * context's. `out` (WEFT_OUT(x), or WEFT_NONE) receives the result bytes, whose size must match;
 * where the function set none they are its number, an int. Can be cancelled.
 * Errors: the function's own; -ETIMEDOUT, -ECANCELED, -EMSGSIZE (the message tells both sizes),
 * -EINVAL, -ENOTSUP (this kind has no result), -EDEADLK (the caller itself), -ENOMEM,
 * WEFT_EFORKED. Python: Future.result, await task
 */
WEFT_API int weft_result(void *handle, void *out, size_t size, double timeout);

/*
 * As weft_result, for bytes of any size. *data is borrowed: as long as the handle; it is aligned
 * for any type and has a NUL behind it. Errors: as weft_result but for -EMSGSIZE. Python:
 * Future.result
 */
WEFT_API int weft_result_view(void *handle, const void **data, size_t *size, double timeout);

/*
 * Waits for the function and gives its failure as a value: *code 0 and *message NULL where there is
 * none. `message` may be NULL; borrowed: as long as the handle. Returns 0. Can be cancelled.
 * Errors: -ETIMEDOUT, -ECANCELED (this wait), -EINVAL, -ENOTSUP, -EDEADLK (the caller itself),
 * -ENOMEM, WEFT_EFORKED.
 * Python: Future.exception
 */
WEFT_API int weft_exception(void *handle, int *code, const char **message, double timeout);

/*
 * Calls fn(handle, arg) once when the function or program has ended, in the context that ends it;
 * at once when it has ended already. In the order of registration, no lock held. Errors: -EINVAL,
 * -ENOMEM, -ENOTSUP (queues, streams, sources), WEFT_EFORKED. Python: Future.add_done_callback
 */
WEFT_API int weft_add_done_callback(void *handle, weft_done_fn *fn, void *arg);

/*
 * The name given at its start, or made from its kind ("Thread-3"). Borrowed: as long as the handle,
 * across renames. NULL with a message on failure. Python: Thread.name, Task.get_name
 */
WEFT_API const char *weft_handle_name(void *handle);

/*
 * Renames it (copied). Where a thread renames itself, the system's tools show the new name, too.
 * Errors: -EINVAL, -ENOMEM, WEFT_EFORKED. Python: Thread.name, Task.set_name
 */
WEFT_API int weft_handle_set_name(void *handle, const char *name);

/*
 * Kind, name, state and result in one line, as snprintf: returns the length that it needs.
 * Errors: -EINVAL. Python: repr
 */
WEFT_API int weft_handle_describe(void *handle, char *buffer, size_t size);

/*
 * The pointer last given to weft_handle_set_data; NULL before. Python: an attribute of the object
 */
WEFT_API void *weft_handle_data(void *handle);

/*
 * Keeps a pointer of the caller's with the handle; weft never looks at it.
 * Python: an attribute of the object
 */
WEFT_API void weft_handle_set_data(void *handle, void *data);

/*
 * Makes a handle of an event, to be released, for weft_wait_any and its kin: ready while the event
 * is set. The event (a value) must outlive the source. For one in shared memory it can be asked
 * (weft_done), but a wait that would have to last is -ENOTSUP. Errors: -EINVAL, -ENOMEM.
 * Python: none
 */
WEFT_API int weft_source_from_event(weft_source **source, struct weft_event *event);

/*
 * Makes a handle of a descriptor, to be released: ready while a read (WEFT_READABLE) or write
 * (WEFT_WRITABLE) on it would not block. The descriptor stays the caller's and must outlive the
 * source. Errors: -EBADF (not open), -EINVAL, -ENOMEM. Python: selectors.register, loop.add_reader
 */
WEFT_API int weft_source_from_fd(weft_source **source, int fd, int interest);

#if !defined(__cplusplus)
/*
 * The compile-time check: a handle passes, and void *; anything else (the address of a handle, an
 * event, a lock) does not compile. Arrays of handles are checked likewise. As these are macros, an
 * array that is written in the call stands in parentheses: ((void *[]){thread, task}).
 */
#define WEFT_HANDLE_CASE_(type) type * : 1,
#define WEFT_HANDLE_(handle)                                                                       \
    ((void)sizeof(char[_Generic((handle), WEFT_HANDLE_TYPES(WEFT_HANDLE_CASE_) void * : 1)]),      \
     (void *)(handle))
#define WEFT_HANDLES_CASE_(type) type ** : 1, type *const * : 1,
#define WEFT_HANDLES_(handles)                                                                     \
    ((void)sizeof(char[_Generic((handles), WEFT_HANDLE_TYPES(WEFT_HANDLES_CASE_) void ** : 1,      \
                                void *const * : 1, const void * : 1, void * : 1)]),                \
     (const void *)(handles))

#define weft_release(handle)              weft_release(WEFT_HANDLE_(handle))
#define weft_release_many(handles, count) weft_release_many(WEFT_HANDLES_(handles), count)
#define weft_retain(handle)               weft_retain(WEFT_HANDLE_(handle))
#define weft_done(handle)                 weft_done(WEFT_HANDLE_(handle))
#define weft_wait(handle, timeout)        weft_wait(WEFT_HANDLE_(handle), timeout)
#define weft_wait_any(handles, count, t)  weft_wait_any(WEFT_HANDLES_(handles), count, t)
#define weft_wait_all(handles, count, t)  weft_wait_all(WEFT_HANDLES_(handles), count, t)
#define weft_wait_many(handles, ...)      weft_wait_many(WEFT_HANDLES_(handles), __VA_ARGS__)
#define weft_cancel(handle)               weft_cancel(WEFT_HANDLE_(handle))
#define weft_result(handle, ...)          weft_result(WEFT_HANDLE_(handle), __VA_ARGS__)
#define weft_result_view(handle, ...)     weft_result_view(WEFT_HANDLE_(handle), __VA_ARGS__)
#define weft_exception(handle, ...)       weft_exception(WEFT_HANDLE_(handle), __VA_ARGS__)
#define weft_add_done_callback(handle, ...)                                                        \
    weft_add_done_callback(WEFT_HANDLE_(handle), __VA_ARGS__)
#define weft_handle_name(handle)           weft_handle_name(WEFT_HANDLE_(handle))
#define weft_handle_set_name(handle, name) weft_handle_set_name(WEFT_HANDLE_(handle), name)
#define weft_handle_describe(handle, ...)  weft_handle_describe(WEFT_HANDLE_(handle), __VA_ARGS__)
#define weft_handle_data(handle)           weft_handle_data(WEFT_HANDLE_(handle))
#define weft_handle_set_data(handle, data) weft_handle_set_data(WEFT_HANDLE_(handle), data)
#endif

#ifdef __cplusplus
}
#endif

#endif
