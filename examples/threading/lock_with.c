/* SPDX-License-Identifier: MIT */
/*
 * The same critical section in two ways: between an acquire and a release; and as a function that
 * another one runs under the lock, so that no return can forget the release.
 * The idea: threading_lock_with.py of PyMOTW-3.
 */
#include <weft.h>

#include "example.h"

/* What a `with` statement does: body(arg) under the lock, which is released however it ends. */
static int with(weft_lock *lock, weft_fn *body, void *arg)
{
    int r = weft_lock_acquire(lock, WEFT_FOREVER);
    if (r < 0)
        return r;
    r = body(arg);
    weft_lock_release(lock);
    return r;
}

static int say(void *arg)
{
    log_line("DEBUG", "has the lock %s", (const char *)arg);
    return 0;
}

static int scoped(void *arg)
{
    char text[] = "by a function that runs another";
    return with(arg, say, text);
}

static int explicit(void *arg)
{
    weft_lock *lock = arg;
    int r = weft_lock_acquire(lock, WEFT_FOREVER);
    if (r < 0)
        return r;
    log_line("DEBUG", "has the lock by a pair of calls");
    return weft_lock_release(lock);
}

int main(void)
{
    static weft_lock lock;

    check(weft_thread_start(NULL, scoped, WEFT_POINTER(&lock), NULL));
    check(weft_thread_start(NULL, explicit, WEFT_POINTER(&lock), NULL));
    return weft_shutdown(WEFT_FOREVER);
}
