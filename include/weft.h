/* SPDX-License-Identifier: MIT */
/*
 * weft: threads, processes and coroutines, woven together: Python's concurrency modules in C.
 *
 * This header is all of it; each part can also be included by itself, and opens with an example:
 *
 *     base.h             the function shape, arguments and results as bytes, errors, time
 *     handle.h           waiting for, cancelling and naming whatever has a life of its own
 *     threading.h        threads; locks, conditions, semaphores, events and their kin
 *     queue.h            queues
 *     signal.h           signal handlers that are ordinary code
 *     subprocess.h       commands run as child processes
 *     stream.h           bytes in and out of their pipes, and of sockets
 *     futures.h          thread pools
 *     asyncio.h          loops and tasks
 *     net.h              TCP connections and servers
 *     multiprocessing.h  functions in processes, shared memory, process pools
 *
 * From C++, where the address of a literal cannot be taken, options and arguments are variables:
 * `weft_thread_options options = {}; options.name = "worker";`, then &options. A handle of the
 * wrong kind, which C refuses to compile, is -EINVAL there.
 */
#ifndef WEFT_H
#define WEFT_H

#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 1
#define WEFT_VERSION_PATCH 0

#include <weft/asyncio.h>
#include <weft/base.h>
#include <weft/futures.h>
#include <weft/handle.h>
#include <weft/multiprocessing.h>
#include <weft/net.h>
#include <weft/queue.h>
#include <weft/signal.h>
#include <weft/stream.h>
#include <weft/subprocess.h>
#include <weft/threading.h>

#endif
