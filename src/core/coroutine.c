/* SPDX-License-Identifier: MIT */
/*
 * Coroutines in the control blocks of their stacks. A runner keeps a few ended ones of the usual
 * size, with warm pages and a live switch (its sanitizer fiber, its pthread); the others go back to
 * the pool of stacks.
 */
#include "core/coroutine.h"

#include "core/runner.h"

enum { CACHE = 256, EXTRA_ALIGNMENT = 16 };

static size_t record_size(void)
{
    return (sizeof(weft_coroutine) + EXTRA_ALIGNMENT - 1) & ~(size_t)(EXTRA_ALIGNMENT - 1);
}

size_t weft_coroutine_room(void)
{
    return WEFT_STACK_CONTROL - record_size();
}

void *weft_coroutine_extra(weft_coroutine *coroutine)
{
    return (char *)coroutine + record_size();
}

static weft_coroutine *from_cache(weft_runner *runner, size_t size)
{
    if (runner == NULL || runner != weft_runner_self())
        return NULL;
    weft_coroutine *coroutine = runner->cache;
    if (coroutine == NULL || coroutine->stack.slot != size)
        return NULL;
    runner->cache = coroutine->next_cached;
    runner->cached--;
    return coroutine;
}

weft_coroutine *weft_coroutine_new(weft_runner *runner, size_t size)
{
    if (size == 0)
        size = WEFT_TASK_STACK;
    weft_coroutine *coroutine = from_cache(runner, size);
    if (coroutine == NULL) {
        weft_stack stack;
        int r = weft_stack_acquire(&stack, size, false);
        if (r < 0) {
            weft_error(r, "coroutine: no stack of %zu bytes: %s", size, weft_strerror(r));
            return NULL;
        }
        coroutine = stack.control;
        coroutine->stack = stack;
        coroutine->context.place = (weft_switch){0};
        coroutine->context.coroutine = true;
    }
    weft_context_reset(&coroutine->context);
    coroutine->context.runner = runner;
    return coroutine;
}

static weft_switch *enter(void *arg)
{
    weft_coroutine *coroutine = arg;
    weft_runner_arrived(&coroutine->context);
    coroutine->context.runner->live++;
    coroutine->entry(coroutine);
    weft_context_end_locals(&coroutine->context);
    return weft_runner_exit(coroutine);
}

int weft_coroutine_start(weft_coroutine *coroutine, void (*entry)(weft_coroutine *),
                         void (*ended)(weft_coroutine *))
{
    weft_context *context = &coroutine->context;
    coroutine->entry = entry;
    coroutine->ended = ended;
    int r = weft_switch_start(&context->place, &coroutine->stack, enter, coroutine);
    if (r < 0)
        return weft_error(r, "coroutine: cannot be started: %s", weft_strerror(r));
    weft_runner_ready(context->runner, context);
    return 0;
}

static void to_pool(weft_coroutine *coroutine)
{
    weft_stack stack = coroutine->stack; /* the record lies in what is given back */
    weft_switch_destroy(&coroutine->context.place);
    weft_stack_release(&stack);
}

void weft_coroutine_free(weft_coroutine *coroutine)
{
    weft_runner *runner = weft_runner_self();
    weft_context_clear(&coroutine->context);
    bool fits = runner != NULL && runner->cached < CACHE &&
                (runner->cache == NULL || runner->cache->stack.slot == coroutine->stack.slot);
    if (!fits) {
        to_pool(coroutine);
        return;
    }
    coroutine->next_cached = runner->cache;
    runner->cache = coroutine;
    runner->cached++;
}

void weft_coroutine_drain_cache(weft_runner *runner)
{
    weft_coroutine *coroutine;
    while ((coroutine = runner->cache) != NULL) {
        runner->cache = coroutine->next_cached;
        to_pool(coroutine);
    }
    runner->cached = 0;
}
