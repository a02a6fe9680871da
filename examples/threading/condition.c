/* SPDX-License-Identifier: MIT */
/*
 * Two consumers wait until a producer has made something; it wakes both. What they wait for is a
 * flag, which the condition's lock guards: a notification alone would be lost on those who come
 * late.
 * The idea: threading_condition.py of PyMOTW-3.
 */
#include <weft.h>

#include "example.h"

typedef struct resource {
    weft_condition condition; /* with a lock of its own */
    bool made;                /* under that lock */
} resource;

static bool is_made(void *arg)
{
    return ((resource *)arg)->made;
}

static int consumer(void *arg)
{
    resource *shared = arg;
    log_line(NULL, "waits");
    int r = weft_condition_acquire(&shared->condition, WEFT_FOREVER);
    if (r < 0)
        return r;
    r = weft_condition_wait_for(&shared->condition, is_made, shared, WEFT_FOREVER);
    log_line(NULL, r < 0 ? "gives up" : "has what it waited for");
    weft_condition_release(&shared->condition); /* a wait ends with the lock held, failed or not */
    return r;
}

static int producer(void *arg)
{
    resource *shared = arg;
    int r = weft_condition_acquire(&shared->condition, WEFT_FOREVER);
    if (r < 0)
        return r;
    log_line(NULL, "has made it, and wakes all");
    shared->made = true;
    weft_condition_notify_all(&shared->condition);
    return weft_condition_release(&shared->condition);
}

int main(void)
{
    static resource shared;
    check(weft_thread_start(NULL, consumer, WEFT_POINTER(&shared),
                            &(weft_thread_options){.name = "c1"}));
    check(weft_thread_start(NULL, consumer, WEFT_POINTER(&shared),
                            &(weft_thread_options){.name = "c2"}));
    check(weft_sleep(2 * SECOND));
    check(weft_thread_start(NULL, producer, WEFT_POINTER(&shared),
                            &(weft_thread_options){.name = "p"}));
    return weft_shutdown(WEFT_FOREVER);
}
