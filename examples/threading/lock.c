/* SPDX-License-Identifier: MIT */
/*
 * A lock lies in the structure that it guards: nobody allocates it, nobody frees it.
 * The idea: threading_lock.py of PyMOTW-3.
 */
#include <weft.h>

#include "example.h"

typedef struct counter {
    weft_lock lock;
    int value; /* under the lock */
} counter;

static int add_one(counter *c)
{
    log_line("DEBUG", "waits for the lock");
    int r = weft_lock_acquire(&c->lock, WEFT_FOREVER);
    if (r < 0)
        return r;
    log_line("DEBUG", "has the lock");
    c->value++;
    return weft_lock_release(&c->lock);
}

static int work(void *arg)
{
    counter *c = arg;
    int r = 0;
    for (int i = 1; i <= 2 && r == 0; i++) {
        log_line("DEBUG", "sleeps");
        r = weft_sleep(i * SECOND);
        if (r == 0)
            r = add_one(c);
    }
    log_line("DEBUG", "is done");
    return r;
}

int main(void)
{
    counter all = {.value = 0}; /* a zeroed lock is a valid one */
    weft_thread *threads[2];

    for (int i = 0; i < 2; i++)
        check(weft_thread_start(&threads[i], work, WEFT_POINTER(&all), NULL));
    for (int i = 0; i < 2; i++)
        check(weft_result(threads[i], WEFT_NONE, WEFT_FOREVER));
    log_line("DEBUG", "the counter is %d", all.value);
    weft_release_many(threads, 2);
    return weft_shutdown(WEFT_FOREVER);
}
