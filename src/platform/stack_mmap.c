/* SPDX-License-Identifier: MIT */
/*
 * stack, mmap: slabs cut into slots.
 *
 * A slab is 64 MiB of reserved addresses (less where the system refuses, one slot where a slot is
 * bigger) cut into slots of one power of two. From low to high a slot is: the guard page; frames;
 * the control block. So the control block and the first frames share one page, the only one that a
 * parked coroutine touches. Huge pages are refused, or that one page would be 2 MiB.
 *
 * A slot gets its guard when it is first used, and keeps it. MADV_GUARD_INSTALL (Linux 6.13) marks
 * the page table and splits no mapping, so there may be millions. Where it is refused (an older
 * kernel, locked memory) mprotect does it, which costs two mappings each, of which a process has
 * few (vm.max_map_count): weft takes at most two thirds.
 *
 * A released slot goes to the free list of its class, newest first, since its pages are warm;
 * nothing is ever unmapped before weft_stack_trim. It keeps its pages too, while the pool is small.
 * When there are more than POOL_WARM in the pool, every PROBE_EVERY-th release asks whether pages
 * below the top two are there; if so they are given back, and so for the next PROBE_EVERY releases.
 * So shallow stacks pay a system call in 64 releases, deep ones one or two each, and about
 * POOL_WARM + PROBE_EVERY deep stacks are what the pool keeps at most, in the mean, however rare
 * they are.
 *
 * One mutex guards all; a free slot's link lies in its first frame, below the control block. System
 * calls on one slot happen while nobody else has it, outside the lock; only a new slab is mapped
 * under it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "platform/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/memory.h"
#include "platform/cloexec.h"

#if defined(__SANITIZE_ADDRESS__)
#define WEFT_STACK_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT_STACK_ASAN 1
#endif
#endif
#ifdef WEFT_STACK_ASAN
#include <sanitizer/asan_interface.h>
#endif

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif
#ifndef MAP_STACK
#define MAP_STACK 0
#endif

enum {
    ADVISE_GUARD = 102,       /* MADV_GUARD_INSTALL, newer than many headers */
    ADVISE_NOTHING = INT_MAX, /* known to no kernel */
    ORDER_FIRST = 14,         /* log2 of WEFT_STACK_SMALLEST */
    ORDER_LAST = 30,
    POOL_WARM = 64,
    PROBE_EVERY = 64,
    PROBE_PAGES = 1024,
    MAPS_USUAL = 65530, /* vm.max_map_count where it cannot be read */
};

static const size_t slab_size = (size_t)64 << 20;

/* Lies just below the control block of a slot in the pool. */
typedef struct free_slot {
    struct free_slot *next;
} free_slot;

typedef struct slab {
    char *base;
    size_t slots;
    size_t carved;        /* slots that have ever been used: the first ones */
    size_t pooled;        /* scratch of weft_stack_trim */
    bool madvise_refused; /* MADV_GUARD_INSTALL; asked anew for each slab, since memory may be
                             unlocked */
    size_t mprotected;    /* guards made by mprotect */
} slab;

typedef struct size_class {
    free_slot *guarded;
    free_slot *plain;  /* no guard could be set; rare */
    size_t pooled;     /* in both lists */
    unsigned releases; /* counts to PROBE_EVERY */
    unsigned deep;     /* releases that are all probed, since a deep stack was seen */
    slab *slabs;       /* sorted by base */
    size_t slabs_count;
    size_t slabs_room;
    size_t newest; /* the slab that is being carved */
} size_class;

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static size_class classes[ORDER_LAST + 1]; /* by order: log2 of the slot */
static size_t page; /* set under pool_lock before the first slot exists, never changed */

static _Atomic long
    protected_guards;                /* made by mprotect and alive; relaxed: a budget, not a lock */
static _Atomic long protected_limit; /* 0: not read yet */

/* ---- slots */

static size_t slot_size(size_t order)
{
    return (size_t)1 << order;
}

/* The slot's lowest address, from its control block. */
static char *slot_base(const void *control, size_t order)
{
    return (char *)control + WEFT_STACK_CONTROL - slot_size(order);
}

static free_slot *slot_link(const char *base, size_t order)
{
    return (free_slot *)(void *)(base + slot_size(order) - WEFT_STACK_CONTROL) - 1;
}

static char *link_base(const free_slot *link, size_t order)
{
    return slot_base(link + 1, order);
}

static void describe(weft_stack *stack, char *base, size_t order, bool guarded)
{
    stack->low = base + page;
    stack->size = slot_size(order) - page - WEFT_STACK_CONTROL;
    stack->control = base + slot_size(order) - WEFT_STACK_CONTROL;
    stack->slot = slot_size(order);
    stack->guarded = guarded;
}

/* ---- guards */

static long read_map_limit(void)
{
    long maps = MAPS_USUAL;
    int fd = weft_cloexec_open("/proc/sys/vm/max_map_count", O_RDONLY);
    if (fd >= 0) {
        char text[32];
        ssize_t n;
        do
            n = read(fd, text, sizeof text - 1);
        while (n < 0 && errno == EINTR);
        if (n > 0) {
            text[n] = '\0';
            long read_maps = strtol(text, NULL, 10);
            if (read_maps > 0)
                maps = read_maps;
        }
        close(fd);
    }
    return maps / 3 > 0 ? maps / 3 : 1;
}

static bool guard_by_mprotect(char *base)
{
    long limit = atomic_load_explicit(&protected_limit, memory_order_relaxed);
    if (limit == 0) {
        limit = read_map_limit();
        atomic_store_explicit(&protected_limit, limit, memory_order_relaxed);
    }
    if (atomic_fetch_add_explicit(&protected_guards, 1, memory_order_relaxed) < limit &&
        mprotect(base, page, PROT_NONE) == 0)
        return true;
    atomic_fetch_sub_explicit(&protected_guards, 1, memory_order_relaxed);
    return false;
}

/* An emulator of system calls may accept any advice and do nothing; then its word is worth nothing.
 */
static bool is_advice_checked(char *base)
{
    static _Atomic int
        known; /* 0: not asked; 1: yes; 2: no. Relaxed: the answer is always the same. */
    int answer = atomic_load_explicit(&known, memory_order_relaxed);
    if (answer == 0) {
        answer = madvise(base, page, ADVISE_NOTHING) != 0 ? 1 : 2;
        atomic_store_explicit(&known, answer, memory_order_relaxed);
    }
    return answer == 1;
}

/* `refused` saves a call. `by_mprotect` is set when that is what made the guard. */
static bool set_guard(char *base, bool refused, bool *by_mprotect)
{
    if (!refused && is_advice_checked(base)) {
        int r;
        do
            r = madvise(base, page, ADVISE_GUARD);
        while (r != 0 && (errno == EINTR || errno == EAGAIN));
        if (r == 0)
            return true;
    }
    return *by_mprotect = guard_by_mprotect(base);
}

/* ---- slabs, under the lock */

static void *map_slab(size_t least, size_t *size)
{
    *size = least > slab_size ? least : slab_size;
    for (;;) {
        void *base = mmap(NULL, *size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
        if (base != MAP_FAILED)
            return base;
        if (*size <= least)
            return NULL;
        *size /= 2;
    }
}

static int add_slab(size_class *c, size_t order)
{
    if (c->slabs_count == c->slabs_room) {
        size_t room = c->slabs_room > 0 ? 2 * c->slabs_room : 4;
        slab *slabs = weft_realloc(c->slabs, room * sizeof *slabs);
        if (slabs == NULL)
            return -ENOMEM;
        c->slabs = slabs;
        c->slabs_room = room;
    }
    size_t size;
    char *base = map_slab(slot_size(order), &size);
    if (base == NULL)
        return -ENOMEM;
#ifdef MADV_NOHUGEPAGE
    (void)madvise(base, size, MADV_NOHUGEPAGE); /* EINVAL: there are no huge pages here */
#endif
    size_t at = c->slabs_count;
    while (at > 0 && (uintptr_t)c->slabs[at - 1].base > (uintptr_t)base)
        at--;
    memmove(c->slabs + at + 1, c->slabs + at, (c->slabs_count - at) * sizeof *c->slabs);
    c->slabs[at] = (slab){.base = base, .slots = size / slot_size(order)};
    c->slabs_count++;
    c->newest = at;
    return 0;
}

/* The slab in which the address lies. */
static slab *find_slab(size_class *c, const char *address)
{
    size_t from = 0, to = c->slabs_count;
    while (to - from > 1) {
        size_t middle = from + (to - from) / 2;
        if ((uintptr_t)c->slabs[middle].base <= (uintptr_t)address)
            from = middle;
        else
            to = middle;
    }
    return &c->slabs[from];
}

/* A slot that has never been used. */
static int carve(size_class *c, size_t order, char **base, bool *refused)
{
    if (c->slabs_count == 0 || c->slabs[c->newest].carved == c->slabs[c->newest].slots) {
        int r = add_slab(c, order);
        if (r < 0)
            return r;
    }
    slab *s = &c->slabs[c->newest];
    *base = s->base + s->carved++ * slot_size(order);
    *refused = s->madvise_refused;
    return 0;
}

static char *pop(size_class *c, size_t order, free_slot **list)
{
    free_slot *link = *list;
    *list = link->next;
    c->pooled--;
    return link_base(link, order);
}

static void push(size_class *c, size_t order, free_slot **list, const char *base)
{
    free_slot *link = slot_link(base, order);
#ifdef WEFT_STACK_ASAN
    __asan_unpoison_memory_region(link, sizeof *link);
#endif
    link->next = *list;
    *list = link;
    c->pooled++;
}

/* ---- the pool */

/* Rounds up to a size class; 0: too big. Sets `page` at its first call. */
static size_t order_of(size_t size)
{
    if (page == 0)
        page = (size_t)sysconf(_SC_PAGESIZE);
    size_t order = ORDER_FIRST;
    while (order <= ORDER_LAST && (slot_size(order) < size || slot_size(order) < 4 * page))
        order++;
    return order <= ORDER_LAST ? order : 0;
}

int weft_stack_acquire(weft_stack *stack, size_t size, bool unguarded)
{
    char *base = NULL;
    bool guarded = false, refused = false, by_mprotect = false;
    int r = 0;

    pthread_mutex_lock(&pool_lock);
    size_t order = order_of(size);
    size_class *c = &classes[order];
    if (order == 0) {
        r = -EINVAL;
    } else if (c->guarded != NULL) {
        base = pop(c, order, &c->guarded);
        guarded = true;
    } else if (c->plain != NULL) {
        base = pop(c, order, &c->plain);
        refused = true;
    } else {
        r = carve(c, order, &base, &refused);
    }
    pthread_mutex_unlock(&pool_lock);
    if (r < 0)
        return r;

    if (!guarded) {
        guarded = set_guard(base, refused, &by_mprotect);
        if (by_mprotect) {
            pthread_mutex_lock(&pool_lock);
            slab *s = find_slab(c, base);
            s->madvise_refused = true;
            s->mprotected++;
            pthread_mutex_unlock(&pool_lock);
        }
    }
    if (!guarded && !unguarded) {
        pthread_mutex_lock(&pool_lock);
        push(c, order, &c->plain, base);
        pthread_mutex_unlock(&pool_lock);
        return -EAGAIN;
    }
    describe(stack, base, order, guarded);
    return 0;
}

/* Gives back what lies below the two top pages. False: nothing was there. */
static bool give_back(char *base, size_t size)
{
    unsigned char resident[PROBE_PAGES];
    char *end = base + size - 2 * page;
    size_t pages = (size_t)(end - base) / page - 1; /* without the guard */
    size_t looked = pages < PROBE_PAGES ? pages : PROBE_PAGES;
    if (mincore(end - looked * page, looked * page, (void *)resident) == 0) {
        size_t i = 0;
        while (i < looked && (resident[i] & 1) == 0)
            i++;
        if (i == looked)
            return false;
    }
    (void)madvise(end - pages * page, pages * page, MADV_DONTNEED);
    return true;
}

void weft_stack_release(const weft_stack *stack)
{
    size_t order = ORDER_FIRST;
    while (slot_size(order) < stack->slot)
        order++;
    size_class *c = &classes[order];
    char *base = slot_base(stack->control, order);

    pthread_mutex_lock(&pool_lock);
    bool probe = c->pooled >= POOL_WARM && (c->deep > 0 || ++c->releases % PROBE_EVERY == 0);
    if (probe) {
        pthread_mutex_unlock(&pool_lock);
        bool was_deep = give_back(base, stack->slot);
        pthread_mutex_lock(&pool_lock);
        if (was_deep)
            c->deep = PROBE_EVERY;
        else if (c->deep > 0)
            c->deep--;
    }
    push(c, order, stack->guarded ? &c->guarded : &c->plain, base);
    pthread_mutex_unlock(&pool_lock);
}

/* ---- the end */

static bool is_idle(const slab *s)
{
    return s->pooled == s->carved;
}

/* Counts the slots of the list into their slabs. */
static void count_pooled(size_class *c, size_t order, const free_slot *link)
{
    for (; link != NULL; link = link->next)
        find_slab(c, link_base(link, order))->pooled++;
}

/* Takes the slots of idle slabs off the list. */
static void drop_idle(size_class *c, size_t order, free_slot **link)
{
    while (*link != NULL) {
        if (is_idle(find_slab(c, link_base(*link, order)))) {
            *link = (*link)->next;
            c->pooled--;
        } else {
            link = &(*link)->next;
        }
    }
}

static void trim_class(size_class *c, size_t order)
{
    for (size_t i = 0; i < c->slabs_count; i++)
        c->slabs[i].pooled = 0;
    count_pooled(c, order, c->guarded);
    count_pooled(c, order, c->plain);
    drop_idle(c, order, &c->guarded);
    drop_idle(c, order, &c->plain);

    size_t kept = 0;
    const char *newest = c->slabs_count > 0 ? c->slabs[c->newest].base : NULL;
    c->newest = 0;
    for (size_t i = 0; i < c->slabs_count; i++) {
        slab s = c->slabs[i];
        if (is_idle(&s)) {
            munmap(s.base, s.slots * slot_size(order));
            atomic_fetch_sub_explicit(&protected_guards, (long)s.mprotected, memory_order_relaxed);
            continue;
        }
        if (s.base == newest)
            c->newest = kept;
        c->slabs[kept++] = s;
    }
    c->slabs_count = kept;
    if (kept == 0) {
        weft_dealloc(c->slabs);
        memset(c, 0, sizeof *c);
    }
}

void weft_stack_trim(void)
{
    pthread_mutex_lock(&pool_lock);
    for (size_t order = ORDER_FIRST; order <= ORDER_LAST; order++)
        trim_class(&classes[order], order);
    pthread_mutex_unlock(&pool_lock);
}

void weft_stack_before_fork(void)
{
    pthread_mutex_lock(&pool_lock);
}

void weft_stack_after_fork(void)
{
    pthread_mutex_unlock(&pool_lock);
}
