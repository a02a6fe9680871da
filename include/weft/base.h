/* SPDX-License-Identifier: MIT */
/*
 * base: the function shape, bytes, errors and time, on which every weft module rests.
 *
 *     #include <stdio.h>
 *     #include <weft.h>
 *
 *     static int square(void *arg)
 *     {
 *         int n = *(int *)arg;
 *         return n < 0 ? weft_error(-EDOM, "square %d: negative", n) : n * n;
 *     }
 *
 *     int main(void)
 *     {
 *         weft_thread *thread;
 *         int n = 12;
 *         weft_thread_start(&thread, square, WEFT_ARG(n), NULL);
 *         int r = weft_result(thread, WEFT_NONE, WEFT_FOREVER);
 *         if (r < 0)
 *             fprintf(stderr, "%s: %s\n", weft_error_name(r), weft_error_message());
 *         else
 *             printf("%d\n", r);
 *         weft_release(thread);
 *     }
 *
 * Functions return 0, a count or an index, and a negative code on failure: -errno for the system's
 * errors, WEFT_E... below -10000 for what Python has exceptions for. Ownership is told by five
 * words: copied; borrowed: until ...; owned: weft_free; retained; moved. Times are double seconds
 * on the monotonic clock. All functions may be called from any thread or coroutine unless they say
 * otherwise.
 */
#ifndef WEFT_BASE_H
#define WEFT_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define WEFT_API                  __attribute__((visibility("default")))
#define WEFT_PRINTF_(text, first) __attribute__((format(printf, text, first)))
#else
#define WEFT_API
#define WEFT_PRINTF_(text, first)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Functions that weft runs ---------------------------------------------------------------- */

/*
 * What runs in a thread, process, coroutine or pool. `arg` is a private, aligned, writable copy of
 * the bytes given at the start, until the function returns (or the pointer itself, for
 * WEFT_POINTER). Returns >= 0: success, and the number is the result; < 0: failure, whose code and
 * message go to whoever takes the result. It ends by returning alone: never by pthread_exit,
 * longjmp or a C++ exception, nor may pthread_cancel end a thread in a call of weft.
 */
typedef int weft_fn(void *arg);

/* Bytes with an owner: whoever holds it calls weft_free(bytes.data). data NULL: absent; size 0:
 * empty. */
typedef struct weft_bytes {
    void *data;
    size_t size;
} weft_bytes;

#if defined(__cplusplus)
#define WEFT_ARG(...) &(__VA_ARGS__), sizeof(__VA_ARGS__)
#else
/* Refuses a pointer to characters: WEFT_STRING copies the text, WEFT_POINTER passes the pointer. */
#define WEFT_ARG_CHECK_(address)                                                                   \
    ((void)sizeof(*_Generic((address),                                                             \
            char **: (struct WEFT_ARG_of_a_char_pointer_use_WEFT_STRING_or_WEFT_POINTER *)0,       \
            const char **: (struct WEFT_ARG_of_a_char_pointer_use_WEFT_STRING_or_WEFT_POINTER *)0, \
            default: (char *)0)))
#define WEFT_ARG(...)                                                                              \
    (WEFT_ARG_CHECK_(&(__VA_ARGS__)), (const void *)&(__VA_ARGS__)), sizeof(__VA_ARGS__)
#endif
#define WEFT_STRING(s)  (s), strlen(s) + 1 /* the text with its NUL, copied; evaluated twice */
#define WEFT_POINTER(p) (p), 0          /* the pointer itself; for a process: into shared memory */
#define WEFT_NONE       NULL, 0         /* no bytes */
#define WEFT_OUT(x)     &(x), sizeof(x) /* where a result of exactly this size goes */

/*
 * Sets the result bytes of the running weft_fn (copied); the last call counts. Outside a weft_fn it
 * does nothing. Returns 0, so that a function may end in `return weft_return(WEFT_ARG(x))`.
 * Errors: -EINVAL (bytes at NULL), -ENOMEM. Python: return value
 */
WEFT_API int weft_return(const void *data, size_t size);

/*
 * Adds to the result bytes of the running weft_fn (copied). Returns 0.
 * Errors: as weft_return. Python: a list that is returned
 */
WEFT_API int weft_return_append(const void *data, size_t size);

/*
 * How many argument bytes the running weft_fn was given; 0 outside one, and for WEFT_POINTER.
 * Python: len(args)
 */
WEFT_API size_t weft_arg_size(void);

/*
 * The name of the task, thread or process that runs now. Borrowed: as long as it runs.
 * Python: threading.current_thread().name
 */
WEFT_API const char *weft_current_name(void);

/*
 * Whether somebody asked the running function to stop (weft_cancel). Stays true after a wait has
 * delivered the cancel, so that `r == -ECANCELED && !weft_cancelled()` says that something else was
 * cancelled. For functions that compute and do not wait. Python: Task.cancelling() > 0
 */
WEFT_API bool weft_cancelled(void);

/*
 * Frees what weft gave as owned. NULL is allowed. Python: del
 */
WEFT_API void weft_free(void *memory);

/*
 * What Python does at interpreter exit: waits for the threads and processes that are not daemons,
 * stops the others and weft's helper threads, restores signals, frees pooled memory. Called by
 * main, outside coroutines, when everything has been released and no thread of the host's is in a
 * call of weft (such threads may end meanwhile); weft may be used again afterwards.
 * When the timeout passes, nothing has been freed and it may be called again.
 * Errors: -ETIMEDOUT (the message names who still runs), -EBUSY (called in a coroutine, a signal
 * handler or a thread that weft started), -EINVAL.
 * Python: the end of the interpreter
 */
WEFT_API int weft_shutdown(double timeout);

/* How a queue or an executor is ended. */
typedef enum weft_shutdown_mode {
    WEFT_SHUTDOWN_DRAIN,     /* what it has taken in is still served */
    WEFT_SHUTDOWN_IMMEDIATE, /* what has not begun is dropped */
} weft_shutdown_mode;

/* ---- Errors -----------------------------------------------------------------------------------
 */

/* One list makes codes, names and texts: X(name, code, text). */
#define WEFT_ERRORS(X)                                                                             \
    X(WEFT_ESHUTDOWN, -10001, "Has been shut down")                                                \
    X(WEFT_EBROKEN_BARRIER, -10002, "Barrier is broken")                                           \
    X(WEFT_EBROKEN_POOL, -10003, "Pool is broken")                                                 \
    X(WEFT_EINVALID_STATE, -10004, "Invalid state for this operation")                             \
    X(WEFT_ECALLED_PROCESS, -10005, "Command returned a non-zero exit status")                     \
    X(WEFT_EINCOMPLETE_READ, -10006, "End of stream before all that was asked for")                \
    X(WEFT_ELIMIT_OVERRUN, -10007, "Separator not found within the limit")                         \
    X(WEFT_EFORKED, -10008, "Belongs to the process that this one was forked from")                \
    X(WEFT_EWORKER_LOST, -10009, "Worker died while it ran the job")                               \
    X(WEFT_ESTATUS_LOST, -10010, "Exit status was taken by somebody else")                         \
    X(WEFT_ESHARED_ADDRESS, -10011, "Address of the shared memory is taken")                       \
    X(WEFT_EFUNCTION, -10012, "Function cannot cross to the other process")                        \
    X(WEFT_EAUTHENTICATION, -10013, "Authentication failed")                                       \
    X(WEFT_EINTERRUPTED, -10014, "Interrupted")

#define WEFT_ERROR_ENUMERATOR_(name, code, text) name = code,
enum weft_error_code {
    WEFT_ERRORS(WEFT_ERROR_ENUMERATOR_) WEFT_EUSER =
        -20000 /* applications' codes: from here down */
};

/*
 * Records a failure of the running context: the message is what weft_error_message tells, and goes
 * with the result of the running weft_fn when that returns `code`. Returns code:
 * `return weft_error(-EINVAL, "bad %d", n)`. Of a long message the first 511 bytes are kept.
 * Python: raise
 */
WEFT_API int weft_error(int code, const char *format, ...) WEFT_PRINTF_(2, 3);

/*
 * What failed last in this context, on what, and why ("run 'nosuch': No such file or directory").
 * Borrowed: until this context's next failure. Never NULL; "" when nothing has failed.
 * Python: str(exception)
 */
WEFT_API const char *weft_error_message(void);

/*
 * The text of a code. Borrowed: for ever. Never NULL. Python: os.strerror
 */
WEFT_API const char *weft_strerror(int code);

/*
 * The name of a code: "ETIMEDOUT", "WEFT_ESHUTDOWN"; "OK" for >= 0. Borrowed: for ever. Never NULL.
 * Python: errno.errorcode
 */
WEFT_API const char *weft_error_name(int code);

/* ---- Time -------------------------------------------------------------------------------------
 */

#define WEFT_FOREVER (-1.0) /* a timeout without limit; any negative number is */
#define WEFT_NOWAIT  (0.0)  /* a timeout that polls */

/*
 * Seconds on the monotonic clock; only differences mean something. Python: time.monotonic
 */
WEFT_API double weft_time(void);

/*
 * Waits for `seconds` (negative: for ever); 0 lets the others of this loop, or of this processor,
 * run once. Can be cancelled. Errors: -ECANCELED, -EINVAL (not a number), -ENOMEM. Python:
 * time.sleep, asyncio.sleep
 */
WEFT_API int weft_sleep(double seconds);

/*
 * Opens a scope: `seconds` from now (negative: never) a wait inside it ends with -ECANCELED, once,
 * so that cleanup may wait again. Returns the scope (>= 0), to be ended by weft_timeout_end; scopes
 * nest, and an end pops what was opened inside and forgotten.
 * Errors: -EINVAL (not a number), -ENOMEM. Python: asyncio.timeout
 */
WEFT_API int weft_timeout_begin(double seconds);

/*
 * Moves the end of an open scope to `seconds` from now (negative: never).
 * Errors: -EINVAL (no such scope, not a number), WEFT_EINVALID_STATE (its time was up already).
 * Python: Timeout.reschedule
 */
WEFT_API int weft_timeout_reschedule(int scope, double seconds);

/*
 * Ends the scope and returns r, but -ETIMEDOUT where r is -ECANCELED because of this scope.
 * Errors: -EINVAL (no such scope), and r. Python: the end of `async with timeout()`
 */
WEFT_API int weft_timeout_end(int scope, int r);

/* ---- The machine ------------------------------------------------------------------------------
 */

/*
 * How many processors this process may run on, at least 1: what affinity (taskset, a container)
 * leaves it, where the system tells; else those that are online. Looked up at the first call.
 * Python: os.process_cpu_count
 */
WEFT_API int weft_cpu_count(void);

/* ---- Memory -----------------------------------------------------------------------------------
 */

/* What weft allocates with; called from any thread. */
typedef struct weft_allocator {
    void *(*realloc)(void *memory, size_t size, void *arg); /* memory NULL: a new block */
    void (*free)(void *memory, void *arg);                  /* memory is never NULL */
    void *arg;
    void *reserved_[4];
} weft_allocator;

/*
 * Replaces the allocator (copied; NULL: malloc's again). Before the first use of weft or after
 * weft_shutdown: a block must go back where it came from. Errors: -EINVAL. Python: none
 */
WEFT_API int weft_set_allocator(const weft_allocator *allocator);

#ifdef __cplusplus
}
#endif

#endif
