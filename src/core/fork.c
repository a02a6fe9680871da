/* SPDX-License-Identifier: MIT */
/*
 * The atfork handlers. Modules register once, at first use, in a list that only grows; registration
 * holds the list's lock, which prepare takes too, so that a fork sees whole modules. Prepare runs
 * the newest first, as pthread_atfork does.
 */
#include "core/fork.h"

#include <pthread.h>

#include "core/ilock.h"
#include "core/single.h"
#include "platform/childexit.h"
#include "platform/cloexec.h"
#include "platform/pty.h"
#include "platform/spawn.h"
#include "platform/stack.h"

uint32_t weft_fork_generation;

static weft_single installed;
static weft_ilock lock;
static weft_fork_hooks *newest; /* guarded by lock */

static void prepare(void)
{
    weft_cloexec_before_fork(); /* first, as weft_spawn comes here with these two */
    weft_spawn_before_fork();
    weft_ilock_acquire(&lock);
    weft_stack_before_fork();
    weft_childexit_before_fork();
    weft_pty_before_fork();
    for (weft_fork_hooks *hooks = newest; hooks != NULL; hooks = hooks->next) {
        if (hooks->prepare != NULL)
            hooks->prepare();
    }
}

/* Oldest first. */
static void after(weft_fork_hooks *hooks, bool child)
{
    if (hooks == NULL)
        return;
    after(hooks->next, child);
    void (*run)(void) = child ? hooks->child : hooks->parent;
    if (run != NULL)
        run();
}

static void platform_after_fork(bool child)
{
    weft_pty_after_fork();
    weft_childexit_after_fork(child);
    weft_stack_after_fork();
}

static void in_parent(void)
{
    platform_after_fork(false);
    after(newest, false);
    weft_ilock_release(&lock);
    weft_spawn_after_fork();
    weft_cloexec_after_fork();
}

static void in_child(void)
{
    weft_fork_generation++;
    weft_single_set_done(&installed); /* who was about to write that down is not here */
    platform_after_fork(true);
    after(newest, true);
    weft_ilock_release(&lock);
    weft_spawn_after_fork();
    weft_cloexec_after_fork();
}

static bool install(void)
{
    return pthread_atfork(prepare, in_parent, in_child) == 0;
}

bool weft_fork_install(void)
{
    return weft_single_run(&installed, install);
}

void weft_fork_register_slow(weft_fork_hooks *hooks)
{
    (void)weft_fork_install(); /* without memory no context can be made, and that says it */
    weft_ilock_acquire(&lock);
    if (!atomic_load_explicit(&hooks->listed, memory_order_relaxed)) {
        hooks->next = newest;
        newest = hooks;
        atomic_store_explicit(&hooks->listed, true, memory_order_release);
    }
    weft_ilock_release(&lock);
}
