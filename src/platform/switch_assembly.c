/* SPDX-License-Identifier: MIT */
/*
 * switch, assembly: what surrounds the few instructions of switch_<machine>.S.
 *
 * A weft_switch is used by one thread at a time, handed from one to another only before its stack
 * first runs (whoever hands it over synchronises), so nothing here is atomic.
 *
 * The sanitizers see a switch as memory errors unless told of it. ASan wants to know before the
 * switch where the next stack lies, and tells after it where the last one lay; that is the only way
 * to learn the bounds of a thread's own stack, so the first stack that a thread switches to stores
 * them for it. TSan keeps a "fiber" for each stack, which is dear to make, so it lives as long as
 * the weft_switch. Valgrind sees from the stack pointer which of the stacks that
 * it knows is in use.
 */
#include "platform/switch.h"

#include <stddef.h>
#include <string.h>

#ifdef WEFT_SWITCH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef WEFT_SWITCH_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#ifdef WEFT_HAVE_VALGRIND_H
#include <valgrind/valgrind.h>
#endif

#if defined(WEFT_SWITCH_ASAN) || defined(WEFT_SWITCH_TSAN)
#define WEFT_SWITCH_ANNOTATED 1
/* Not instrumented at all: clang's no_sanitize("thread") would still count the frame, on one side
 * of a switch only. */
#ifdef __has_attribute
#if __has_attribute(disable_sanitizer_instrumentation)
#define UNSEEN __attribute__((disable_sanitizer_instrumentation, noinline))
#endif
#endif
#ifndef UNSEEN
#define UNSEEN __attribute__((no_sanitize("address", "thread"), noinline))
#endif
#endif

/* There if a C++ runtime is in the process when weft is loaded; nothing is linked for it. */
extern void *__cxa_get_globals(void) __attribute__((weak));

bool weft_switch_mask(const weft_switch *self, sigset_t *mask)
{
    (void)self;
    (void)mask;
    return false;
}

void weft_switch_init_thread(weft_switch *self)
{
    memset(self, 0, sizeof *self);
    if (__cxa_get_globals != NULL)
        self->impl.live = __cxa_get_globals();
#ifdef WEFT_SWITCH_TSAN
    self->impl.fiber = __tsan_get_current_fiber();
#endif
}

void weft_switch_destroy_thread(weft_switch *self)
{
    memset(self, 0, sizeof *self);
}

#ifdef WEFT_SWITCH_ANNOTATED

/* Before a swap. `keep` is where ASan parks its record of the frames left behind; NULL: they are
 * dead. */
UNSEEN static void announce(weft_switch_impl *from, weft_switch_impl *to, void **keep)
{
    weft_switch_carry(from, to);
#ifdef WEFT_SWITCH_ASAN
    to->came_from = from->low == NULL ? from : NULL;
    __sanitizer_start_switch_fiber(keep, to->low, to->size);
#else
    (void)keep;
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
}

/* After a swap, on the stack arrived at. */
UNSEEN static void arrive(weft_switch_impl *self, void *fake_stack)
{
#ifdef WEFT_SWITCH_ASAN
    const void *low = NULL;
    size_t size = 0;
    __sanitizer_finish_switch_fiber(fake_stack, &low, &size);
    if (self->came_from != NULL) {
        self->came_from->low = low;
        self->came_from->size = size;
        self->came_from = NULL;
    }
#else
    (void)self;
    (void)fake_stack;
#endif
}

UNSEEN void weft_switch_impl_to(weft_switch_impl *from, weft_switch_impl *to)
{
    void **keep = NULL;
#ifdef WEFT_SWITCH_ASAN
    keep = &from->fake_stack;
#endif
    announce(from, to, keep);
    weft_switch_swap(&from->sp, to->sp);
    arrive(from, keep != NULL ? *keep : NULL);
}

/* The frames of a stack that was given up in the middle stay poisoned. */
static void forget_frames(weft_switch_impl *self)
{
#ifdef WEFT_SWITCH_ASAN
    if (self->left_open)
        __asan_unpoison_memory_region(self->low, self->size);
#endif
    self->left_open = false;
}

#endif

static void tell_valgrind(weft_switch_impl *self, const weft_stack *stack)
{
#ifdef WEFT_HAVE_VALGRIND_H
    if (self->registered == stack->low)
        return;
    if (self->registered != NULL)
        VALGRIND_STACK_DEREGISTER(self->valgrind_id);
    self->registered = stack->low;
    self->valgrind_id = VALGRIND_STACK_REGISTER(stack->low, (char *)stack->low + stack->size);
#else
    (void)self;
    (void)stack;
#endif
}

/* The first frame in C: from the start of the stack to its end. */
#ifdef WEFT_SWITCH_ANNOTATED
UNSEEN
#endif
static void *outermost(void *arg)
{
    weft_switch_impl *self = arg;
#ifdef WEFT_SWITCH_ANNOTATED
    arrive(self, NULL);
#endif
    weft_switch_impl *to = &self->entry(self->arg)->impl;
#ifdef WEFT_SWITCH_ANNOTATED
    self->left_open = false;
    announce(self, to, NULL);
#else
    weft_switch_carry(self, to);
#endif
    return to->sp;
}

int weft_switch_start(weft_switch *self, const weft_stack *stack, weft_switch_entry *entry,
                      void *arg)
{
    weft_switch_impl *impl = &self->impl;
    void *top = (char *)stack->low + stack->size;

    tell_valgrind(impl, stack);
    impl->exceptions = (weft_switch_exceptions){0};
#ifdef WEFT_SWITCH_ANNOTATED
    forget_frames(impl);
#ifdef WEFT_SWITCH_ASAN
    impl->low = stack->low;
    impl->size = stack->size;
#else
    if (impl->fiber == NULL)
        impl->fiber = __tsan_create_fiber(0);
#endif
    impl->left_open = true;
#endif
    impl->entry = entry;
    impl->arg = arg;
    impl->sp = weft_switch_frame(top, outermost, impl);
    return 0;
}

void weft_switch_destroy(weft_switch *self)
{
#ifdef WEFT_SWITCH_ANNOTATED
    forget_frames(&self->impl);
#endif
#ifdef WEFT_SWITCH_TSAN
    if (self->impl.fiber != NULL)
        __tsan_destroy_fiber(self->impl.fiber);
#endif
#ifdef WEFT_HAVE_VALGRIND_H
    if (self->impl.registered != NULL)
        VALGRIND_STACK_DEREGISTER(self->impl.valgrind_id);
#endif
    memset(self, 0, sizeof *self);
}
