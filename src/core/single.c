/* SPDX-License-Identifier: MIT */
/* The first calls. Those that wait give the processor away, as they do so once in a program's life.
 */
#include "core/single.h"

#include <sched.h>
#include <unistd.h>

bool weft_single_run_slow(weft_single *single, bool (*fn)(void))
{
    int self = getpid();
    int word = atomic_load_explicit(&single->word, memory_order_acquire);
    while (word != -1) {
        if (word == self) {
            sched_yield();
            word = atomic_load_explicit(&single->word, memory_order_acquire);
        } else if (atomic_compare_exchange_weak_explicit(
                       &single->word, &word, self, memory_order_acquire, memory_order_acquire)) {
            bool done = fn();
            atomic_store_explicit(&single->word, done ? -1 : 0, memory_order_release);
            return done;
        }
    }
    return true;
}
