/* SPDX-License-Identifier: MIT */
/*
 * multiprocessing: functions in processes of their own, memory that processes share, process pools.
 *
 *     #include <stdio.h>
 *     #include <weft.h>
 *
 *     typedef struct tally {
 *         weft_lock lock;
 *         int count;
 *     } tally;
 *
 *     static int count_to(void *arg)
 *     {
 *         tally *t = arg;
 *         for (int i = 0; i < 1000; i++) {
 *             weft_lock_acquire(&t->lock, WEFT_FOREVER);
 *             t->count++;
 *             weft_lock_release(&t->lock);
 *         }
 *         return 0;
 *     }
 *
 *     int main(void)
 *     {
 *         weft_process *a, *b;
 *         tally *t = weft_shared_alloc(sizeof *t);
 *         weft_process_start(&a, count_to, WEFT_POINTER(t), NULL);
 *         weft_process_start(&b, count_to, WEFT_POINTER(t), NULL);
 *         weft_process_join(a, WEFT_FOREVER);
 *         weft_process_join(b, WEFT_FOREVER);
 *         printf("%d\n", t->count);
 *         weft_release(a);
 *         weft_release(b);
 *         weft_shared_free(t);
 *         return weft_shutdown(WEFT_FOREVER) < 0;
 *     }
 *
 * A process is started by fork: it goes on with a copy of this process's memory, in the one thread
 * that started it, also when a coroutine did (on the coroutine's stack, then); nothing else of this
 * process runs in it, and handles made before answer WEFT_EFORKED there, but for queues opened with
 * .shared. Its standard input is /dev/null; standard output and error are flushed before it begins
 * and when its function has returned. Then it waits for its pools, threads and processes, but for
 * daemons, and leaves without running what atexit has registered.
 *
 * Shared memory lies at the same address in all processes that are started after its first use, so
 * a pointer into it may be passed around, and a lock, rlock, condition, semaphore, event, barrier
 * or once in it serves all of them. A process that is killed while it holds such a lock is noticed:
 * the next one gets the lock with 1, "yours, look at the data".
 */
#ifndef WEFT_MULTIPROCESSING_H
#define WEFT_MULTIPROCESSING_H

#include <weft/base.h>
#include <weft/handle.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Processes --------------------------------------------------------------------------------
 */

typedef struct weft_process_options {
    const char *name; /* copied; NULL: "Process-1" and so on */
    bool daemon;      /* weft_shutdown ends it instead of waiting; it can start no processes */
    void *reserved_[4];
} weft_process_options;

/*
 * Runs fn in a process of its own, with a copy of the argument bytes; a pointer (WEFT_POINTER) must
 * lead into shared memory. *process is to be released; NULL where it is not wanted: it runs by
 * itself. Result and failure, with its message, come back to weft_result; the exit code is 0 when
 * fn returned >= 0, else 1. Where fn did not return, because the process was killed or left by
 * weft_process_exit with other than 0, the result is WEFT_ECALLED_PROCESS and its message says how
 * it ended; after weft_cancel, which sends SIGTERM, it is -ECANCELED. Errors: -EINVAL (no function;
 * a pointer that is not shared), -EAGAIN, -ENOMEM, -EMFILE, WEFT_EINVALID_STATE (in a daemon).
 * Python: multiprocessing.Process(target, args).start()
 */
WEFT_API int weft_process_start(weft_process **process, weft_fn *fn, const void *arg,
                                size_t arg_size, const weft_process_options *options);

/*
 * Waits until the process has ended. Can be cancelled. Errors: -ETIMEDOUT, -ECANCELED, -EDEADLK
 * (itself), -EINVAL, -ENOMEM, WEFT_EFORKED. Python: Process.join
 */
WEFT_API int weft_process_join(weft_process *process, double timeout);

/*
 * 1: it has ended, and *exitcode is its exit code, or minus the signal that killed it; 0: it runs.
 * Errors: -EINVAL, WEFT_EFORKED, WEFT_ESTATUS_LOST (it has ended, and somebody else took the
 * status). Python: Process.exitcode
 */
WEFT_API int weft_process_exitcode(weft_process *process, int *exitcode);

/*
 * Sends SIGTERM. It ends without cleaning up. Harmless when it has ended already.
 * Errors: -EPERM, -EINVAL, WEFT_EFORKED. Python: Process.terminate
 */
WEFT_API int weft_process_terminate(weft_process *process);

/*
 * Sends SIGKILL. Harmless when it has ended already. Errors: -EPERM, -EINVAL, WEFT_EFORKED.
 * Python: Process.kill
 */
WEFT_API int weft_process_kill(weft_process *process);

/*
 * Whether it runs. false for NULL, and in any process but the one that started it.
 * Python: Process.is_alive
 */
WEFT_API bool weft_process_is_alive(weft_process *process);

/*
 * Its number in the system, > 0. Errors: -EINVAL, WEFT_EFORKED. Python: Process.pid
 */
WEFT_API int weft_process_pid(weft_process *process);

/*
 * The process that runs now. Borrowed: as long as it runs. NULL, with a message, where this process
 * was not started by weft_process_start. Python: multiprocessing.current_process
 */
WEFT_API weft_process *weft_process_current(void);

/*
 * Ends this process, which weft_process_start began, from any function in it: flushes standard
 * output and error and exits with `code` (0 to 255). Returns only on failure.
 * Errors: -EINVAL (another code; this process was not started by weft_process_start).
 * Python: sys.exit
 */
WEFT_API int weft_process_exit(int code);

/* ---- Shared memory ----------------------------------------------------------------------------
 */

/*
 * Zeroed memory, at the same address in this process and all that are started from it afterwards,
 * aligned for any type. Owned: weft_shared_free, in any of them; what a process that is killed has
 * allocated stays. The environment variable WEFT_ARENA_SIZE (bytes, or with k, m, g) bounds it.
 * NULL with a message on failure. Errors: -ENOMEM, -ENOSPC, -EMFILE, WEFT_ESHARED_ADDRESS. Python:
 * multiprocessing.Value, Array, sharedctypes.RawArray
 */
WEFT_API void *weft_shared_alloc(size_t size);

/*
 * Frees what weft_shared_alloc gave. NULL is allowed.
 * Errors: -EINVAL (not the start of a block in use). Python: del
 */
WEFT_API int weft_shared_free(void *memory);

/* ---- Pools ------------------------------------------------------------------------------------
 */

typedef struct weft_process_pool_options {
    size_t max_workers;   /* 0: as many as there are processors */
    const char *name;     /* copied; NULL: "ProcessPool-1" and so on */
    weft_fn *initializer; /* run by each worker as it starts; a failure breaks the pool */
    const void *arg;      /* of the initializer, copied once (arg_size 0: the pointer) */
    size_t arg_size;
    bool ignore_interrupt; /* workers ignore SIGINT: a terminal sends it to all of them */
    bool break_on_loss; /* a worker that dies breaks the pool (WEFT_EBROKEN_POOL), as in Python */
    void *reserved_[4];
} weft_process_pool_options;

/*
 * Opens a pool of processes, to be released; they start at once, from this thread. Used by
 * weft_submit, weft_map and their kin: fn runs in one of them, argument bytes and result are copied
 * over. A job that a worker has begun cannot be cancelled: weft_cancel returns 0, and it runs on.
 * A worker that dies fails the job that it ran with WEFT_EWORKER_LOST, is replaced, and the pool
 * goes on. At the last release it is shut down without waiting; workers end when this process
 * does, after the job that they run. Errors: -EINVAL, -EAGAIN, -ENOMEM, -EMFILE,
 * WEFT_EINVALID_STATE (in a daemon). Python: concurrent.futures.ProcessPoolExecutor,
 * multiprocessing.Pool
 */
WEFT_API int weft_process_pool_open(weft_executor **pool, const weft_process_pool_options *options);

#ifdef __cplusplus
}
#endif

#endif
