/* SPDX-License-Identifier: MIT */
/*
 * local: each context has a table of its own copies, by the number of the local.
 *
 * The number is drawn at the local's first use anywhere, and never again: so a local whose memory
 * is freed and used for another one takes no copy of the old one's for its own. A copy keeps what
 * is needed to destroy it; it does not refer to the local.
 *
 * Only the context itself touches its table, without a lock. It is emptied when what runs in the
 * context has ended, in that context, before whoever waits for the end goes on (core/job.c); where
 * no job of weft's ends (a thread of somebody else's, the main thread at weft_shutdown) at the end
 * of the context.
 */
#include <weft/threading.h>

#include "core/context.h"
#include "core/memory.h"
#include "core/shared.h"
#include "threading/value.h"

enum {
    FIRST_ROOM = 8, /* buckets; a power of two */
    AFTERWARDS = 64 /* how many copies that destructors make are destroyed */
};

typedef struct copy {
    struct copy *next;  /* in its bucket */
    struct copy *older; /* made before it */
    uint32_t id;
    weft_local_destroy_fn *destroy; /* may be NULL */
    _Alignas(16) unsigned char data[];
} copy;

typedef struct table {
    copy *newest;
    uint32_t count, room; /* room: a power of two */
    copy **buckets;       /* owned */
} table;

static _Atomic uint32_t ids; /* those that have been drawn */

static copy **bucket_of(const table *of, uint32_t id)
{
    return &of->buckets[id & (of->room - 1)];
}

static copy *find(const table *of, uint32_t id)
{
    copy *found = of != NULL ? *bucket_of(of, id) : NULL;
    while (found != NULL && found->id != id)
        found = found->next;
    return found;
}

static uint32_t id_of(const weft_local *local)
{
    /* acquire: weft_context_clear_locals has been set before */
    return __atomic_load_n(&local->id_, __ATOMIC_ACQUIRE);
}

/* ---- The end of copies -------------------------------------------------------------------------
 */

static void unlink_copy(table *of, copy *gone)
{
    copy **from = bucket_of(of, gone->id);
    while (*from != gone)
        from = &(*from)->next;
    *from = gone->next;
    for (from = &of->newest; *from != gone;)
        from = &(*from)->older;
    *from = gone->older;
    of->count--;
}

static void destroy_copy(table *of, copy *gone, bool destroy)
{
    unlink_copy(of, gone); /* first: for the destructor it is not there any more */
    if (destroy && gone->destroy != NULL)
        gone->destroy(gone->data);
    weft_dealloc(gone);
}

/* The newest first, as what is made later may rest on what was there. */
static void clear_all(weft_context *context)
{
    table *all = context->locals;
    for (uint32_t left = all->count + AFTERWARDS; all->newest != NULL; left -= left > 0)
        destroy_copy(all, all->newest, left > 0);
    context->locals = NULL;
    weft_dealloc(all->buckets);
    weft_dealloc(all);
}

/* ---- Making one --------------------------------------------------------------------------------
 */

static uint32_t draw_id(weft_local *local)
{
    uint32_t id = id_of(local);
    if (id != 0)
        return id;
    __atomic_store_n(&weft_context_clear_locals, clear_all, __ATOMIC_RELAXED);
    uint32_t drawn = 1 + atomic_fetch_add_explicit(&ids, 1, memory_order_relaxed);
    /* release: what was set above; acquire: what whoever was first has set */
    return __atomic_compare_exchange_n(&local->id_, &id, drawn, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE)
               ? drawn
               : id;
}

static void link_copy(table *of, copy *made)
{
    copy **bucket = bucket_of(of, made->id);
    made->next = *bucket;
    *bucket = made;
}

/* Room for one more. Where there is no memory for it, the old room does, if there is any. */
static bool grow(table *of)
{
    uint32_t room = of->room > 0 ? of->room * 2 : FIRST_ROOM;
    copy **buckets = weft_calloc(room, sizeof *buckets);
    if (buckets == NULL)
        return of->room > 0;
    weft_dealloc(of->buckets);
    of->buckets = buckets;
    of->room = room;
    for (copy *each = of->newest; each != NULL; each = each->older)
        link_copy(of, each);
    return true;
}

static table *table_of(weft_context *self)
{
    table *of = self->locals;
    if (of == NULL)
        of = weft_calloc(1, sizeof *of);
    if (of != NULL && of->count >= of->room && !grow(of)) {
        weft_dealloc(of); /* a new one */
        of = NULL;
    }
    if (of != NULL)
        self->locals = of;
    return of;
}

/* Whatever failed before is not init's, nor forgotten when init succeeds. */
static int run_init(const weft_local *local, weft_context *self, void *data)
{
    int before = self->failure.code;
    self->failure.code = 0;
    int r = local->init(data);
    if (r < 0 && self->failure.code != r)
        weft_error(r, "local: its init: %s", weft_strerror(r));
    else if (self->failure.code == 0)
        self->failure.code = before;
    return r;
}

static copy *make(const weft_local *local, weft_context *self)
{
    copy *made =
        local->size <= SIZE_MAX - sizeof *made ? weft_calloc(1, sizeof *made + local->size) : NULL;
    if (made == NULL) {
        weft_error(-ENOMEM, "local: no memory for %zu bytes", local->size);
        return NULL;
    }
    if (local->init != NULL && run_init(local, self, made->data) < 0) {
        weft_dealloc(made);
        return NULL;
    }
    made->destroy = local->destroy;
    return made;
}

static void *get_first(weft_local *local, weft_context *self)
{
    if (local->size == 0 || weft_is_shared(local)) {
        weft_error(-EINVAL, local->size == 0 ? "local: no size" : "local: in shared memory");
        return NULL;
    }
    uint32_t id = draw_id(local);
    copy *made = make(local, self); /* its init may use others */
    if (made == NULL)
        return NULL;
    copy *other = find(self->locals, id); /* by a signal handler, where init waited */
    table *of = other == NULL ? table_of(self) : NULL;
    if (of == NULL) {
        if (made->destroy != NULL)
            made->destroy(made->data);
        weft_dealloc(made);
        if (other == NULL)
            weft_error(-ENOMEM, "local: no memory");
        return other != NULL ? other->data : NULL;
    }
    made->id = id;
    link_copy(of, made);
    made->older = of->newest;
    of->newest = made;
    of->count++;
    return made->data;
}

/* ---- The public functions ---------------------------------------------------------------------
 */

void *weft_local_get(weft_local *local)
{
    if (local == NULL && weft_value_missing("local") < 0)
        return NULL;
    weft_context *self = weft_context_self();
    if (self == NULL)
        return NULL;
    copy *own = find(self->locals, id_of(local));
    return own != NULL ? own->data : get_first(local, self);
}

void *weft_local_find(weft_local *local)
{
    if (local == NULL && weft_value_missing("local") < 0)
        return NULL;
    weft_context *self = weft_context_self();
    copy *own = self != NULL ? find(self->locals, id_of(local)) : NULL;
    return own != NULL ? own->data : NULL;
}

void weft_local_clear(weft_local *local)
{
    if (local == NULL && weft_value_missing("local") < 0)
        return;
    weft_context *self = weft_context_self();
    copy *own = self != NULL ? find(self->locals, id_of(local)) : NULL;
    if (own != NULL)
        destroy_copy(self->locals, own, true);
}
