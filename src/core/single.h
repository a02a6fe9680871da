/* SPDX-License-Identifier: MIT */
/*
 * single: what is done once in a process, before there are handlers of forks, or without any.
 *
 * pthread_once would do, had POSIX said what it does in a child that was forked while another
 * thread was in the function: in some libraries that child waits for a thread that it does not
 * have. The word names the process of whoever is at it; a child finds another's name and begins
 * anew. The function must bear that.
 */
#ifndef WEFT_CORE_SINGLE_H
#define WEFT_CORE_SINGLE_H

#include <stdatomic.h>
#include <stdbool.h>

typedef struct weft_single {
    _Atomic int word; /* 0 not yet, -1 done, else the number of the process that is at it */
} weft_single;

bool weft_single_run_slow(weft_single *single, bool (*fn)(void));

static inline void weft_single_set_done(weft_single *single)
{
    /* release: pairs with the acquire of whoever finds it done */
    atomic_store_explicit(&single->word, -1, memory_order_release);
}

/* Calls fn, unless that has been done; whoever comes while another is at it waits for that one. fn
 * is short and does not come here for the same word. false: so said fn, and the next call tries
 * again. */
static inline bool weft_single_run(weft_single *single, bool (*fn)(void))
{
    /* acquire: what fn wrote is seen */
    return atomic_load_explicit(&single->word, memory_order_acquire) == -1 ||
           weft_single_run_slow(single, fn);
}

#endif
