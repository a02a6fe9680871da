/* SPDX-License-Identifier: MIT */
/*
 * once: a word that says done, and an rlock that is held by whoever runs the function; the others
 * wait for that. It is an rlock so that a function that comes back to its own once is told.
 *
 * The lock of a thread that runs the function is held for ever in a child that another thread
 * forks: the first to come there, under the bucket's lock, makes it free. The thread that forks in
 * the function itself is still in it in the child.
 */
#include <weft/threading.h>

#include "core/context.h"
#include "core/fork.h"
#include "threading/rlock.h"
#include "threading/value.h"

_Static_assert(sizeof(weft_once) == 48, "part of the ABI");

static bool done(const weft_once *once)
{
    /* acquire: what the function wrote is seen */
    return __atomic_load_n(&once->done_, __ATOMIC_ACQUIRE) != 0;
}

static void begin_anew_in_a_child(weft_once *once)
{
    if (weft_is_shared(once))
        return;
    weft_bucket *bucket = weft_bucket_acquire(once);
    if (once->generation_ != weft_fork_generation) {
        once->generation_ = weft_fork_generation;
        uint32_t owner = (uint32_t)once->lock_.owner_;
        if (owner == 0 || owner != weft_context_forker)
            once->lock_ = (weft_rlock){0};
    }
    weft_bucket_release(bucket);
}

int weft_once_run(weft_once *once, weft_fn *fn, void *arg, double timeout)
{
    if (once == NULL)
        return weft_value_missing("once");
    if (done(once))
        return 0;
    if (fn == NULL)
        return weft_error(-EINVAL, "once: no function");
    begin_anew_in_a_child(once);
    if (weft_rlock_is_own(&once->lock_))
        return weft_error(-EDEADLK, "once: its function waits for itself");
    int r = weft_rlock_acquire(&once->lock_, timeout);
    if (r < 0)
        return r;
    r = done(once) ? 0 : fn(arg);
    if (r >= 0)
        __atomic_store_n(&once->done_, 1, __ATOMIC_RELEASE);
    weft_rlock_release(&once->lock_);
    return r < 0 ? r : 0;
}

bool weft_once_done(const weft_once *once)
{
    if (once == NULL && weft_value_missing("once") < 0)
        return false;
    return done(once);
}
