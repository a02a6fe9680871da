/* SPDX-License-Identifier: MIT */
/*
 * Timeout scopes: a stack of deadlines in the context, and the nearest of those that have not ended
 * a wait yet, which bounds every wait at the cost of one comparison. A scope that has ended a wait
 * counts no more, so that cleanup may wait; its end turns the code into -ETIMEDOUT.
 */
#include "core/scope.h"

#include <math.h>

#include "core/clock.h"
#include "core/memory.h"

static weft_scope *scopes_of(weft_scopes *scopes)
{
    return scopes->room > WEFT_SCOPES_INLINE ? scopes->many : scopes->few;
}

static void find_nearest(weft_scopes *scopes)
{
    weft_scope *all = scopes_of(scopes);
    scopes->nearest = WEFT_INSTANT_NEVER;
    for (uint32_t i = 0; i < scopes->count; i++) {
        if (all[i].fired == 0)
            scopes->nearest = weft_instant_min(scopes->nearest, all[i].deadline);
    }
}

static int grow(weft_scopes *scopes)
{
    uint32_t room = scopes->room * 2;
    weft_scope *many = weft_realloc(scopes->many, room * sizeof *many);
    if (many == NULL)
        return weft_error(-ENOMEM, "timeout scope: no memory");
    if (scopes->many == NULL)
        memcpy(many, scopes->few, sizeof scopes->few);
    scopes->many = many;
    scopes->room = room;
    return 0;
}

/* A deadline of now would mean "do not wait" to the clock; for a scope 0 seconds are over at once.
 */
static int scope_deadline(double seconds, weft_instant *deadline)
{
    int r = weft_deadline(seconds, deadline);
    if (r == 0 && *deadline == WEFT_INSTANT_NOW)
        *deadline = weft_instant_now();
    return r;
}

static bool asked(weft_context *self)
{
    /* relaxed: nothing is handed over with it */
    return (atomic_load_explicit(&self->cancel, memory_order_relaxed) & WEFT_CANCEL_ASKED) != 0;
}

int weft_timeout_begin(double seconds)
{
    weft_context *self = weft_context_self();
    if (self == NULL)
        return -ENOMEM;
    weft_scopes *scopes = &self->scopes;
    weft_instant deadline;
    int r = scope_deadline(seconds, &deadline);
    if (r == 0 && scopes->count == scopes->room)
        r = grow(scopes);
    if (r < 0)
        return r;
    scopes_of(scopes)[scopes->count] = (weft_scope){.deadline = deadline, .asked = asked(self)};
    scopes->nearest = weft_instant_min(scopes->nearest, deadline);
    return (int)scopes->count++;
}

static weft_scope *find_scope(weft_context *self, int scope)
{
    if (self == NULL || scope < 0 || (uint32_t)scope >= self->scopes.count) {
        weft_error(-EINVAL, "timeout scope %d: no such scope is open here", scope);
        return NULL;
    }
    return &scopes_of(&self->scopes)[scope];
}

int weft_timeout_reschedule(int scope, double seconds)
{
    weft_context *self = weft_context_self();
    weft_scope *found = find_scope(self, scope);
    if (found == NULL)
        return -EINVAL;
    if (found->fired != 0)
        return weft_error(WEFT_EINVALID_STATE, "timeout scope %d: its time was up already", scope);
    int r = scope_deadline(seconds, &found->deadline);
    if (r == 0)
        find_nearest(&self->scopes);
    return r;
}

void weft_scope_pop(weft_context *self, uint32_t count)
{
    if (self->scopes.count > count) {
        self->scopes.count = count;
        find_nearest(&self->scopes);
    }
}

int weft_timeout_end(int scope, int r)
{
    weft_context *self = weft_context_self();
    weft_scope *found = find_scope(self, scope);
    if (found == NULL)
        return -EINVAL;
    /* a cancel that came inside the scope is not the scope's own: it goes on */
    bool fired = found->fired != 0 && (found->asked || !asked(self));
    weft_scope_pop(self, (uint32_t)scope);
    return fired && r == -ECANCELED ? weft_error_timed_out() : r;
}

int weft_scope_fire(weft_context *self)
{
    weft_scopes *scopes = &self->scopes;
    weft_scope *all = scopes_of(scopes);
    weft_instant due = scopes->nearest;
    scopes->firings += scopes->firings == UINT32_MAX ? 2 : 1;
    scopes->fired_last = true;
    for (uint32_t i = 0; i < scopes->count; i++) {
        if (all[i].fired == 0 && all[i].deadline <= due)
            all[i].fired = scopes->firings;
    }
    find_nearest(scopes);
    return weft_error_constant(-ECANCELED, "the time of the timeout scope is up");
}

void weft_scope_fire_again(weft_context *self)
{
    weft_scopes *scopes = &self->scopes;
    weft_scope *all = scopes_of(scopes);
    for (uint32_t i = 0; i < scopes->count; i++) {
        if (all[i].fired == scopes->firings)
            all[i].fired = 0;
    }
    find_nearest(scopes);
}
