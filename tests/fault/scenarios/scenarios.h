/* SPDX-License-Identifier: MIT */
/*
 * scenarios: what is done while something fails, once for both injectors: fault_alloc makes each
 * allocation fail, fault_calls each call of the system.
 *
 * A scenario calls public functions of one module, in the thread or in a task, and undoes what
 * succeeded. It returns the first failure, or 0. What must not be, a wrong result or an out handle
 * that is not NULL after a failure, it returns as SCENARIO_WRONG with a message. It must not wait
 * for what a failure has kept from being started.
 */
#ifndef WEFT_TESTS_FAULT_SCENARIOS_H
#define WEFT_TESTS_FAULT_SCENARIOS_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <weft.h>

#define SCENARIO_WRONG (WEFT_EUSER - 77)

enum {
    SCENARIO_THREAD_ONLY = 1, /* is not run in a task */
    SCENARIO_NO_CHILD = 2,    /* nothing fails in the processes that it starts */
};

typedef struct scenario {
    const char *name;
    int (*run)(void);
    unsigned flags;
} scenario;

#define SCENARIO(name, flags)                                                                      \
    {                                                                                              \
#name, name, flags                                                                         \
    }

typedef struct scenario_group {
    const char *module;
    const scenario *scenarios; /* one without a name at the end */
} scenario_group;

/* All there are; a group without a module at the end. */
extern const scenario_group scenario_groups[];

extern const scenario scenarios_core[], scenarios_threading[], scenarios_queue[],
    scenarios_signal[], scenarios_io[], scenarios_subprocess[], scenarios_futures[],
    scenarios_asyncio[], scenarios_multiprocessing[];

/* r; SCENARIO_WRONG where r is no failure and `holds` is false. */
static inline int scenario_expect(int r, bool holds, const char *what)
{
    return r < 0 || holds ? r : weft_error(SCENARIO_WRONG, "wrong: %s", what);
}

/* r of a function that gives a handle, which must be NULL when it has failed, and only then. */
static inline int scenario_started(int r, const void *handle)
{
    return (r < 0) == (handle == NULL)
               ? r
               : weft_error(SCENARIO_WRONG, "wrong: %d, and the handle is %s", r,
                            handle == NULL ? "NULL" : "set");
}

/* Nothing fails from here on. Each injector has its own. */
void scenario_relent(void);

/* Waits until it is ready, although the first attempt may fail: what it uses is about to go. */
static inline int scenario_await(void *handle)
{
    int r = weft_wait(handle, WEFT_FOREVER);
    if (r >= 0)
        return r;
    scenario_relent();
    return weft_wait(handle, WEFT_FOREVER) < 0 ? weft_error(SCENARIO_WRONG, "waiting fails") : r;
}

/* The same for an executor, which is shut down. */
static inline int scenario_end(weft_executor *executor)
{
    int r = weft_executor_shutdown(executor, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER);
    if (r >= 0)
        return r;
    scenario_relent();
    int again = weft_executor_shutdown(executor, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER);
    return again < 0 ? weft_error(SCENARIO_WRONG, "shutting down fails") : r;
}

/* Something that no handle is. */
#define SCENARIO_JUNK ((void *)(uintptr_t)16)

/* r; 0 where the system cannot do it at all. */
static inline int scenario_where_there_is(int r)
{
    return r == -ENOTSUP ? 0 : r;
}

/* The first failure of two. */
static inline int scenario_first(int r, int next)
{
    return r < 0 ? r : next;
}

#endif
