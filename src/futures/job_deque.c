/* SPDX-License-Identifier: MIT */
/*
 * A growing ring under an internal lock: an owner whose pushes and pops nobody disturbs finds the
 * lock free and its line in its cache, which costs less than the fences of a lock-free deque.
 */
#include "futures/job_deque.h"

#include "core/error.h"
#include "core/memory.h"

enum { FIRST_ROOM = 64 };

static weft_future **place(weft_job_deque *deque, size_t index)
{
    return &deque->ring[(deque->head + index) & (deque->room - 1)];
}

/* Lock held. */
static int reserve(weft_job_deque *deque, size_t more)
{
    size_t room = deque->room > 0 ? deque->room : FIRST_ROOM;
    while (room < deque->count + more)
        room *= 2;
    if (room == deque->room)
        return 0;
    weft_future **ring = weft_alloc(room * sizeof(weft_future *));
    if (ring == NULL)
        return weft_error(-ENOMEM, "submit: no memory");
    for (size_t i = 0; i < deque->count; i++)
        ring[i] = *place(deque, i);
    weft_dealloc(deque->ring);
    deque->ring = ring;
    deque->room = room;
    deque->head = 0;
    return 0;
}

int weft_job_deque_reserve(weft_job_deque *deque, size_t more)
{
    weft_ilock_acquire(&deque->lock);
    int r = reserve(deque, more);
    weft_ilock_release(&deque->lock);
    return r;
}

int weft_job_deque_push(weft_job_deque *deque, weft_future *future)
{
    weft_ilock_acquire(&deque->lock);
    int r = reserve(deque, 1);
    if (r == 0)
        *place(deque, deque->count++) = future;
    weft_ilock_release(&deque->lock);
    return r;
}

void weft_job_deque_fill(weft_job_deque *deque, weft_future *const *futures, size_t count)
{
    weft_ilock_acquire(&deque->lock);
    while (count > 0)
        *place(deque, deque->count++) = futures[--count];
    weft_ilock_release(&deque->lock);
}

weft_future *weft_job_deque_pop_newest(weft_job_deque *deque)
{
    weft_future *future = NULL;
    weft_ilock_acquire(&deque->lock);
    if (deque->count > 0)
        future = *place(deque, --deque->count);
    weft_ilock_release(&deque->lock);
    return future;
}

weft_future *weft_job_deque_pop_oldest(weft_job_deque *deque, bool *more)
{
    weft_future *future = NULL;
    weft_ilock_acquire(&deque->lock);
    if (deque->count > 0) {
        future = *place(deque, 0);
        deque->head = (deque->head + 1) & (deque->room - 1);
        deque->count--;
    }
    *more = deque->count > 0;
    weft_ilock_release(&deque->lock);
    return future;
}

bool weft_job_deque_empty(weft_job_deque *deque)
{
    weft_ilock_acquire(&deque->lock);
    bool empty = deque->count == 0;
    weft_ilock_release(&deque->lock);
    return empty;
}
