/* SPDX-License-Identifier: MIT */
/*
 * Coroutines: the bare switch, a yield through the scheduler, start + finish + release, and a round
 * trip through two queues between two of them.
 */
#include <stdlib.h>
#include <ucontext.h>

#include "bench.h"
#include "peers.h"
#include "platform/stack.h"
#include "platform/switch.h"

#include <weft/asyncio.h>
#include <weft/queue.h>

/* ---- the bare switch: there and back are two ------------------------------------------------- */

static weft_switch here, other;

/* As in the library, all switches are made at one place: the address to go on at is the same on
 * both stacks. */
__attribute__((noinline)) static void hop(weft_switch *from, weft_switch *to, size_t n)
{
    for (; n > 0; n--)
        weft_switch_to(from, to);
}

static weft_switch *switch_entry(void *arg)
{
    (void)arg;
    volatile size_t for_ever = SIZE_MAX; /* a constant would get a copy of hop of its own */
    hop(&other, &here, for_ever);
    return &here;
}

static void weft_raw(size_t n)
{
    weft_stack stack;
    BENCH_CHECK(weft_stack_acquire(&stack, 65536, false));
    weft_switch_init_thread(&here);
    BENCH_CHECK(weft_switch_start(&other, &stack, switch_entry, NULL));
    weft_switch_to(&here, &other);
    bench_begin();
    hop(&here, &other, n / 2);
    bench_end();
}

static ucontext_t ucontext_here, ucontext_other;

static void ucontext_entry(void)
{
    for (;;)
        swapcontext(&ucontext_other, &ucontext_here);
}

static void ucontext_raw(size_t n)
{
    static char stack[65536];
    getcontext(&ucontext_other);
    ucontext_other.uc_stack.ss_sp = stack;
    ucontext_other.uc_stack.ss_size = sizeof stack;
    makecontext(&ucontext_other, ucontext_entry, 0);
    n /= 16; /* it is that much slower */
    bench_set_operations(n);
    bench_begin();
    for (size_t i = 0; i < n / 2; i++)
        swapcontext(&ucontext_here, &ucontext_other);
    bench_end();
}

/* ---- through the scheduler ------------------------------------------------------------------- */

static int yields(void *arg)
{
    for (size_t n = *(size_t *)arg; n > 0; n--)
        weft_sleep(0);
    return 0;
}

static int yield_main(void *arg)
{
    size_t half = *(size_t *)arg / 2;
    weft_task *tasks[2];
    BENCH_CHECK(weft_task_start(&tasks[0], yields, WEFT_ARG(half), NULL));
    BENCH_CHECK(weft_task_start(&tasks[1], yields, WEFT_ARG(half), NULL));
    bench_begin();
    BENCH_CHECK(weft_wait_all(tasks, 2, WEFT_FOREVER));
    bench_end();
    weft_release_many(tasks, 2);
    return 0;
}

static void weft_yield(size_t n)
{
    BENCH_CHECK(weft_run(yield_main, WEFT_ARG(n), NULL));
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int start_main(void *arg)
{
    size_t n = *(size_t *)arg;
    bench_begin();
    for (size_t i = 0; i < n; i++) {
        weft_task *task;
        BENCH_CHECK(weft_task_start(&task, nothing, WEFT_NONE, NULL));
        BENCH_CHECK(weft_wait(task, WEFT_FOREVER));
        weft_release(task);
    }
    bench_end();
    return 0;
}

static void weft_start(size_t n)
{
    BENCH_CHECK(weft_run(start_main, WEFT_ARG(n), NULL));
}

typedef struct ends {
    weft_queue *there, *back;
} ends;

static int echo(void *arg)
{
    ends *queues = arg;
    size_t item;
    while (weft_queue_get(queues->there, WEFT_OUT(item), WEFT_FOREVER) == (int)sizeof item &&
           item != 0)
        BENCH_CHECK(weft_queue_put(queues->back, WEFT_ARG(item), WEFT_FOREVER));
    return 0;
}

static int round_trip_main(void *arg)
{
    size_t item;
    ends queues;
    weft_task *task;
    weft_queue_options options = {.item_size = sizeof(size_t), .maxsize = 16};
    BENCH_CHECK(weft_queue_open(&queues.there, &options));
    BENCH_CHECK(weft_queue_open(&queues.back, &options));
    BENCH_CHECK(weft_task_start(&task, echo, WEFT_ARG(queues), NULL));
    bench_begin();
    for (size_t i = *(size_t *)arg; i > 0; i--) {
        BENCH_CHECK(weft_queue_put(queues.there, WEFT_ARG(i), WEFT_FOREVER));
        BENCH_CHECK(weft_queue_get(queues.back, WEFT_OUT(item), WEFT_FOREVER));
    }
    bench_end();
    item = 0;
    BENCH_CHECK(weft_queue_put(queues.there, WEFT_ARG(item), WEFT_FOREVER));
    return weft_wait(task, WEFT_FOREVER);
}

static void weft_round_trip(size_t n)
{
    BENCH_CHECK(weft_run(round_trip_main, WEFT_ARG(n), NULL));
}

BENCH_GO_CASE(go_yield, "yield")
BENCH_GO_CASE(go_start, "start")
BENCH_GO_CASE(go_round_trip, "round_trip")

static const bench_case raw_cases[] = {
    {"weft", weft_raw},
    BENCH_BOOST("boost.context", boost_switch){"ucontext", ucontext_raw},
    {0},
};
static const bench_case yield_cases[] = {
    {"weft", weft_yield},
    BENCH_DILL("libdill", dill_yield_two) BENCH_BOOST("boost.fiber", boost_yield)
        BENCH_PTH("pth", pth_yield_two) BENCH_GO("Go", go_yield){0},
};
static const bench_case start_cases[] = {
    {"weft", weft_start},
    BENCH_DILL("libdill", dill_start) BENCH_BOOST("boost.fiber", boost_start)
        BENCH_PTH("pth", pth_start) BENCH_GO("Go", go_start){0},
};
static const bench_case round_trip_cases[] = {
    {"weft", weft_round_trip},
    BENCH_DILL("libdill", dill_round_trip) BENCH_BOOST("boost.fiber", boost_round_trip)
        BENCH_GO("Go", go_round_trip){0},
};

static const bench_subject subjects[] = {
    {"coroutine switch, raw", NULL, NULL, 40000000, raw_cases, {{"boost.context", 1.15, false}}},
    {"yield through the scheduler", NULL, NULL, 4000000, yield_cases, {{"libdill", 1.25, false}}},
    {"task start + finish + release", NULL, NULL, 1000000, start_cases, {{"libdill", 2.0, false}}},
    {"queue round trip between two coroutines of a thread",
     NULL,
     NULL,
     1000000,
     round_trip_cases,
     {{"libdill", 1.5, false}}},
};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, subjects, sizeof subjects / sizeof *subjects);
}
