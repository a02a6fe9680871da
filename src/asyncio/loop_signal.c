/* SPDX-License-Identifier: MIT */
/*
 * Handlers of signals that are calls of a loop: the signal's handler, which runs in the loop
 * anyway, posts the call. The records belong to the loop's thread alone; with the loop's end they
 * go, and what was set before comes back.
 */
#include "asyncio/loop.h"

#include <weft/signal.h>

#include "core/memory.h"

typedef struct loop_signal {
    weft_link link; /* in the loop's signals; first */
    weft_loop *loop;
    int signum;
    weft_signal_fn *before; /* what was set: to be put back; NULL: somebody else's handler */
    void *before_arg;
    weft_fn *fn;
    size_t arg_size; /* 0: `pointer` is the argument */
    void *pointer;
    unsigned char bytes[];
} loop_signal;

static int post(const weft_signal_info *info, void *arg)
{
    const loop_signal *signal = arg;
    const void *bytes = signal->arg_size > 0 ? signal->bytes : signal->pointer;
    (void)info;
    return weft_loop_call_soon(signal->loop, NULL, signal->fn, bytes, signal->arg_size);
}

static loop_signal *find(weft_loop *loop, int signum)
{
    for (weft_link *link = weft_list_first(&loop->signals); link != NULL;
         link = weft_list_next(&loop->signals, link)) {
        loop_signal *signal = WEFT_CONTAINER(link, loop_signal, link);
        if (signal->signum == signum)
            return signal;
    }
    return NULL;
}

static void forget(loop_signal *signal)
{
    weft_list_remove(&signal->link);
    weft_dealloc(signal);
}

static int put_back(loop_signal *signal)
{
    int r = signal->before != NULL
                ? weft_signal_set(signal->signum, signal->before, signal->before_arg)
                : weft_signal_restore(signal->signum);
    forget(signal);
    return r;
}

void weft_loop_drop_signals(weft_loop *loop)
{
    weft_link *link;
    while ((link = weft_list_first(&loop->signals)) != NULL)
        (void)put_back(WEFT_CONTAINER(link, loop_signal, link));
}

static int check_loop(weft_loop *loop, const char *what)
{
    int r = weft_handle_check(loop, &weft_loop_kind, what);
    if (r == 0 && weft_loop_running() != loop)
        r = weft_error(WEFT_EINVALID_STATE, "%s: the loop runs in another thread, or nowhere",
                       what);
    return r;
}

int weft_loop_add_signal_handler(weft_loop *loop, int signum, weft_fn *fn, const void *arg,
                                 size_t arg_size)
{
    int r = check_loop(loop, "add a signal handler");
    if (r == 0 && fn == NULL)
        r = weft_error(-EINVAL, "add a signal handler: no function");
    if (r == 0 && arg == NULL && arg_size > 0)
        r = weft_error(-EINVAL, "add a signal handler: %zu argument bytes at NULL", arg_size);
    if (r < 0)
        return r;
    loop_signal *old = find(loop, signum);
    loop_signal *signal =
        arg_size <= SIZE_MAX - sizeof *signal ? weft_alloc(sizeof *signal + arg_size) : NULL;
    if (signal == NULL)
        return weft_error(-ENOMEM, "add a signal handler: no memory");
    *signal = (loop_signal){.loop = loop, .signum = signum, .fn = fn, .arg_size = arg_size};
    signal->pointer = (void *)(uintptr_t)arg;
    if (arg_size > 0)
        memcpy(signal->bytes, arg, arg_size);
    if (old != NULL) {
        signal->before = old->before;
        signal->before_arg = old->before_arg;
    } else {
        r = weft_signal_get(signum, &signal->before, &signal->before_arg);
    }
    if (r >= 0)
        r = weft_signal_set(signum, post, signal);
    if (r < 0) {
        weft_dealloc(signal);
        return r;
    }
    if (old != NULL)
        forget(old);
    weft_list_append(&loop->signals, &signal->link);
    return 0;
}

int weft_loop_remove_signal_handler(weft_loop *loop, int signum)
{
    int r = check_loop(loop, "remove a signal handler");
    loop_signal *signal = r == 0 ? find(loop, signum) : NULL;
    if (signal != NULL)
        r = put_back(signal);
    return r < 0 ? r : signal != NULL;
}
