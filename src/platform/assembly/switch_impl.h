/* SPDX-License-Identifier: MIT */
/*
 * switch_impl, assembly: a parked place is one stack pointer.
 *
 * In a plain build a switch is inlined into its caller, down to one direct call of the assembly
 * routine. In a sanitizer's build the sanitizer is told of it around that call, out of line.
 */
#ifndef WEFT_PLATFORM_ASSEMBLY_SWITCH_IMPL_H
#define WEFT_PLATFORM_ASSEMBLY_SWITCH_IMPL_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define WEFT_SWITCH_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define WEFT_SWITCH_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT_SWITCH_ASAN 1
#elif __has_feature(thread_sanitizer)
#define WEFT_SWITCH_TSAN 1
#endif
#endif

/* What the C++ runtime keeps per thread: the exceptions being handled. It belongs to the stack that
 * handles them, so it goes with the stack. The Itanium C++ ABI fixes this beginning of it (on
 * 32-bit Arm a third word follows, for exceptions in flight between two frames, where no switch
 * happens). */
typedef struct weft_switch_exceptions {
    void *caught;
    unsigned int uncaught;
} weft_switch_exceptions;

/* Whether each stack is a thread of the system, with a mask of its own. */
enum { WEFT_SWITCH_IS_THREAD = 0 };

typedef struct weft_switch_impl {
    void *sp;                          /* of the parked frame; NULL: never started */
    weft_switch_exceptions *live;      /* the carrying thread's; NULL: there is no C++ here */
    weft_switch_exceptions exceptions; /* of this stack while it is parked */
#ifdef WEFT_HAVE_VALGRIND_H
    const void *registered; /* the stack that Valgrind knows under the number */
    unsigned int valgrind_id;
#endif
#ifdef WEFT_SWITCH_ASAN
    const void *low; /* NULL: a thread's, to be asked for by the first that it switches to */
    size_t size;
    void *fake_stack;
    struct weft_switch_impl *came_from; /* whose bounds the next arrival here learns */
#endif
#ifdef WEFT_SWITCH_TSAN
    void *fiber;
#endif
#if defined(WEFT_SWITCH_ASAN) || defined(WEFT_SWITCH_TSAN)
    bool left_open; /* started and not yet at its end: its frames may be poisoned */
#endif
    struct weft_switch *(*entry)(void *arg);
    void *arg;
} weft_switch_impl;

/* In the .S file. */
void weft_switch_swap(void **save, void *load);
void *weft_switch_frame(void *top, void *(*entry)(void *arg), void *arg);

/* The C++ runtime's record follows the stack. A stack stays with one thread once it runs, so each
 * switch hands on the address of that thread's record. */
static inline void weft_switch_carry(weft_switch_impl *from, weft_switch_impl *to)
{
    weft_switch_exceptions *live = from->live;
    to->live = live;
    if (live == NULL)
        return;
    from->exceptions = *live;
    *live = to->exceptions;
}

#if defined(WEFT_SWITCH_ASAN) || defined(WEFT_SWITCH_TSAN)
void weft_switch_impl_to(weft_switch_impl *from, weft_switch_impl *to);
#else
static inline void weft_switch_impl_to(weft_switch_impl *from, weft_switch_impl *to)
{
    weft_switch_carry(from, to);
    weft_switch_swap(&from->sp, to->sp);
}
#endif

#endif
