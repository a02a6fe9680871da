/* SPDX-License-Identifier: MIT */
/*
 * weft: threads, processes and coroutines, woven together: Python's concurrency modules in C.
 *
 * This header is all of it; each part can also be included by itself.
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
