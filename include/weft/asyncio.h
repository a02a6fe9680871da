/* SPDX-License-Identifier: MIT */
/*
 * asyncio: loops, and the coroutines that run on them.
 *
 *     #include <stdio.h>
 *     #include <weft.h>
 *
 *     static int greet(void *arg)
 *     {
 *         int r = weft_sleep(0.01); // suspends this task, not the thread
 *         printf("hello, %s\n", (char *)arg);
 *         return r;
 *     }
 *
 *     static int all(void *arg)
 *     {
 *         weft_task *tasks[2];
 *         (void)arg;
 *         weft_task_start(&tasks[0], greet, WEFT_STRING("world"), NULL);
 *         weft_task_start(&tasks[1], greet, WEFT_STRING("weft"), NULL);
 *         int r = weft_gather(tasks, 2, WEFT_FOREVER);
 *         weft_release_many(tasks, 2);
 *         return r;
 *     }
 *
 *     int main(void)
 *     {
 *         return weft_run(all, WEFT_NONE, NULL) < 0;
 *     }
 *
 * A loop belongs to the thread that runs it; there may be one in each thread. Its tasks are
 * coroutines with stacks of their own: any function may wait, at any depth, and every wait of the
 * library suspends only the task that makes it. There is no second, asynchronous, form of anything:
 * locks, queues, streams and commands are the same for threads and tasks. A task never moves to
 * another thread.
 *
 * What suspends is what this library offers; a read(2) or a mutex of pthread's stops the whole
 * loop. Per-thread data (errno after other calls, _Thread_local) is not kept for a task over a
 * wait.
 */
#ifndef WEFT_ASYNCIO_H
#define WEFT_ASYNCIO_H

#include <weft/handle.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Running a loop ---------------------------------------------------------------------------
 */

typedef struct weft_loop_options {
    const char *name;  /* of the loop; copied; NULL: "Loop-1" ... */
    size_t stack_size; /* of tasks that do not say, in bytes of address space; 0: 256 KiB */
    void *reserved_[4];
} weft_loop_options;

/*
 * Opens a loop in this thread, runs fn(arg) as its first task until it returns, then cancels the
 * tasks and calls that are left and runs until they have ended. The argument bytes are copied.
 * Returns fn's number or failure, with its message. On the main thread a signal handler that
 * returns a code (SIGINT with weft_signal_interrupt) cancels the first task; when that ends with
 * -ECANCELED, the code is returned. A cancel of this thread, and a timeout scope around the call,
 * cancel the first task, too. Errors: fn's own; -ENOMEM, -EMFILE, -EINVAL, WEFT_EINVALID_STATE (a
 * loop runs in this thread), WEFT_EINTERRUPTED. Python: asyncio.run
 */
WEFT_API int weft_run(weft_fn *fn, const void *arg, size_t arg_size,
                      const weft_loop_options *options);

/*
 * The loop that runs in this thread; NULL with a message where none does. Borrowed: as long as it
 * runs. Python: asyncio.get_running_loop
 */
WEFT_API weft_loop *weft_loop_current(void);

/* ---- Tasks ------------------------------------------------------------------------------------
 */

typedef struct weft_task_options {
    const char *name;  /* copied; NULL: "Task-1" ... */
    weft_loop *loop;   /* NULL: the one that runs in this thread */
    size_t stack_size; /* bytes of address space; 0: the loop's */
    void *reserved_[4];
} weft_task_options;

/*
 * Starts fn(arg) as a coroutine on a loop; it begins when the loop comes to it. The argument bytes
 * are copied. *task is to be released; NULL where it is not wanted: it runs by itself. Errors:
 * -EINVAL, -ENOMEM, -EAGAIN, WEFT_EINVALID_STATE (no loop runs in this thread), WEFT_ESHUTDOWN (the
 * loop is at its end), WEFT_EFORKED. Python: asyncio.create_task
 */
WEFT_API int weft_task_start(weft_task **task, weft_fn *fn, const void *arg, size_t arg_size,
                             const weft_task_options *options);

/*
 * The task that runs now; NULL with a message outside tasks. Borrowed: as long as it runs. Python:
 * asyncio.current_task
 */
WEFT_API weft_task *weft_task_current(void);

/*
 * Waits until all of an array of handles that have results are done, or one has failed; NULL
 * entries are skipped. Results: weft_result of each. The others go on after a failure; when this
 * wait itself is cancelled they are cancelled too. Can be cancelled. Returns 0, or the first
 * failure with its message. Errors: the functions' own; -ETIMEDOUT, -ECANCELED, -EINVAL, -ENOMEM,
 * -ENOTSUP (one has no result), -EDEADLK (the caller is among them), WEFT_EFORKED. Python:
 * asyncio.gather
 */
WEFT_API int weft_gather(const void *handles, size_t count, double timeout);

/* ---- Callbacks --------------------------------------------------------------------------------
 */

/*
 * Runs fn(arg) in the loop, after what is ready already, in the order of the calls; as a coroutine,
 * so that it may wait. The argument bytes are copied. *call (`call` may be NULL) is to be released;
 * weft_cancel keeps it from beginning. From any thread. Errors: -EINVAL, -ENOMEM, WEFT_ESHUTDOWN,
 * WEFT_EFORKED. Python: loop.call_soon
 */
WEFT_API int weft_loop_call_soon(weft_loop *loop, weft_call **call, weft_fn *fn, const void *arg,
                                 size_t arg_size);

/*
 * The same by its Python name: weft_loop_call_soon takes calls from any thread, too.
 * Errors: as weft_loop_call_soon. Python: loop.call_soon_threadsafe
 */
WEFT_API int weft_loop_call_soon_threadsafe(weft_loop *loop, weft_call **call, weft_fn *fn,
                                            const void *arg, size_t arg_size);

/*
 * As weft_loop_call_soon, `delay` seconds from now; equal times in the order of the calls. From any
 * thread. Errors: as weft_loop_call_soon; -EINVAL also for a delay that is negative or not a
 * number. Python: loop.call_later
 */
WEFT_API int weft_loop_call_later(weft_loop *loop, weft_call **call, double delay, weft_fn *fn,
                                  const void *arg, size_t arg_size);

/*
 * Has fn(arg) run in this loop, as weft_loop_call_soon does it, each time the signal comes; several
 * that come before it begins are one. The argument bytes are copied. It replaces what this loop had
 * for the signal, and stays until it is removed or the loop ends: then what weft_signal_set had
 * installed before is so again, or what was found. Unlike that of a handler of weft_signal_set, a
 * failure of fn ends nothing. Returns 0. Loop thread only, and that the main one.
 * Errors: -EINVAL (no such signal, or none that can be handled; no function), -EPERM (the loop does
 * not run on the main thread), -ENOMEM, -EMFILE, -ENFILE, WEFT_EINVALID_STATE (another thread's
 * loop), WEFT_EFORKED. Python: loop.add_signal_handler
 */
WEFT_API int weft_loop_add_signal_handler(weft_loop *loop, int signum, weft_fn *fn, const void *arg,
                                          size_t arg_size);

/*
 * Removes it: what was set before is installed again. Returns 1, or 0 where the loop had none for
 * the signal. Loop thread only. Errors: -EINVAL (NULL), -EPERM, WEFT_EINVALID_STATE (another
 * thread's loop), WEFT_EFORKED, those of weft_signal_set. Python: loop.remove_signal_handler
 */
WEFT_API int weft_loop_remove_signal_handler(weft_loop *loop, int signum);

#if !defined(__cplusplus)
#define weft_gather(handles, count, timeout) weft_gather(WEFT_HANDLES_(handles), count, timeout)
#endif

#ifdef __cplusplus
}
#endif

#endif
