/* SPDX-License-Identifier: MIT */
/*
 * The arena's place, and who lives in it.
 *
 * Place: the platform names windows of addresses that no loader, sanitizer or kernel uses; a random
 * 2 MiB boundary in one of them is taken, so that the address is no constant to build an attack on.
 * Children inherit the mapping, so that a pointer into it means the same to all.
 *
 * Slots: FREE -> STARTING (claimed by the parent, before the fork) -> LIVE (by the child itself, in
 * the fork's child handler, after it has locked the slot's byte) -> FREE with the next generation
 * (by the parent at the reap, or by whoever looks for a slot and finds the byte unlocked). All by
 * compare-and-swap on one word. The process that makes the arena has slot 1, generation 0, so the
 * id 1 that it had before there was an arena.
 *
 * The record lock: POSIX record locks belong to a process, are not inherited by fork, and vanish
 * when the process closes *any* descriptor of the file; so the file is one of its own, of which
 * there is this one descriptor. A host that closes descriptors that are not its own looks dead.
 */
#include "multiprocessing/arena.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <weft/base.h>

#include "core/context.h"
#include "core/fork.h"
#include "core/shutdown.h"
#include "platform/sharedmap.h"

#define MAGIC UINT64_C(0x31616e6572617477)

enum { FREE, STARTING, LIVE, STATE = 3 };

enum {
    ALIGNMENT = 2 << 20,
    TRIES = 8,           /* places in one window */
    SMALLEST = 16 << 20, /* of addresses */
    UNIT = 64 << 10,     /* of the heap */
    FIRST = 4 * UNIT,    /* made real at once, behind the header */
    GENERATIONS = (1 << WEFT_GENERATION_BITS) - 1,
    SLOT = WEFT_SLOTS - 1,
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the making of the arena */
static _Atomic bool made;
static int arena_fd = -1;
static int life_fd = -1;
static _Thread_local uint32_t claimed __attribute__((tls_model("initial-exec")));

/* ---- processes ---------------------------------------------------------------------------------
 */

static uint32_t id_of(uint32_t slot, uint32_t word)
{
    return ((word >> 2 & GENERATIONS) << WEFT_SLOT_BITS) | slot;
}

static bool lock_byte(uint32_t slot)
{
    struct flock record = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)slot, .l_len = 1};
    int r;
    do
        r = fcntl(life_fd, F_SETLK, &record);
    while (r < 0 && errno == EINTR);
    return r == 0;
}

/* true where it cannot be told. */
static bool byte_locked(uint32_t slot)
{
    struct flock record = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)slot, .l_len = 1};
    int r;
    do
        r = fcntl(life_fd, F_GETLK, &record);
    while (r < 0 && errno == EINTR);
    return r < 0 || record.l_type != F_UNLCK;
}

bool weft_arena_alive(uint32_t id)
{
    /* relaxed: the own id only changes before a process has a second thread */
    if (id == atomic_load_explicit(&weft_process_id, memory_order_relaxed))
        return true;
    uint32_t slot = id & SLOT;
    weft_arena *arena = weft_arena_get();
    if (slot == 0 || arena == NULL)
        return true;
    /* acquire: the byte was locked before the slot was LIVE */
    uint32_t word = atomic_load_explicit(&arena->slots[slot].word, memory_order_acquire);
    if ((word & STATE) != LIVE || id_of(slot, word) != id)
        return false;
    int saved = errno;
    bool alive = byte_locked(slot);
    errno = saved;
    return alive;
}

/* Gives the slot to the next generation, once. */
static void free_slot(weft_arena *arena, uint32_t slot, uint32_t word)
{
    uint32_t next = (((word >> 2) + 1) & GENERATIONS) << 2 | FREE;
    weft_process_slot *of = &arena->slots[slot];
    uint32_t listens = atomic_exchange_explicit(&of->listens, 0, memory_order_relaxed);
    if (atomic_compare_exchange_strong(&of->word, &word, next) && listens != 0)
        atomic_fetch_sub(&arena->listeners, 1);
}

static void sweep(weft_arena *arena)
{
    for (uint32_t slot = 1; slot < WEFT_SLOTS; slot++) {
        uint32_t word = atomic_load(&arena->slots[slot].word);
        if ((word & STATE) == LIVE && !weft_arena_alive(id_of(slot, word)))
            free_slot(arena, slot, word);
    }
}

/* 0: none is free. */
static uint32_t take_slot(weft_arena *arena)
{
    for (int round = 0; round < 2; round++) {
        uint32_t from = atomic_fetch_add_explicit(&arena->next_slot, 1, memory_order_relaxed);
        for (uint32_t i = 0; i < WEFT_SLOTS; i++) {
            uint32_t slot = (from + i) & SLOT;
            uint32_t word = atomic_load_explicit(&arena->slots[slot].word, memory_order_relaxed);
            if (slot != 0 && (word & STATE) == FREE &&
                atomic_compare_exchange_strong(&arena->slots[slot].word, &word, word | STARTING))
                return id_of(slot, word);
        }
        sweep(arena);
    }
    return 0;
}

int weft_arena_claim(uint32_t *id)
{
    weft_arena *arena = weft_arena_get();
    *id = 0;
    if (arena == NULL)
        return 0;
    *id = take_slot(arena);
    if (*id == 0)
        return weft_error(-EAGAIN, "start process: %d processes share memory already",
                          WEFT_SLOTS - 1);
    claimed = *id;
    return 0;
}

void weft_arena_disclaim(uint32_t id)
{
    weft_arena *arena = weft_arena_get();
    uint32_t slot = id & SLOT;
    if (claimed == id)
        claimed = 0;
    if (arena == NULL || slot == 0)
        return;
    uint32_t word = atomic_load(&arena->slots[slot].word);
    if ((word & STATE) != FREE && id_of(slot, word) == id)
        free_slot(arena, slot, word);
}

/* In the child's only thread: it is a process of its own from here on. */
static void enter(weft_arena *arena, uint32_t id)
{
    uint32_t slot = id & SLOT;
    if (id != 0 && !lock_byte(slot)) {
        weft_arena_disclaim(id);
        id = 0;
    }
    if (id == 0) {
        atomic_store_explicit(&weft_process_id, WEFT_NOBODY, memory_order_relaxed);
        return;
    }
    atomic_store_explicit(&arena->slots[slot].pid, (int32_t)getpid(), memory_order_relaxed);
    uint32_t word = atomic_load_explicit(&arena->slots[slot].word, memory_order_relaxed);
    /* release: after the lock on the byte */
    atomic_store_explicit(&arena->slots[slot].word, (word & ~(uint32_t)STATE) | LIVE,
                          memory_order_release);
    atomic_store_explicit(&weft_process_id, id, memory_order_relaxed);
}

/* ---- forks -------------------------------------------------------------------------------------
 */

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
    claimed = 0;
    pthread_mutex_unlock(&lock);
}

static void after_fork_child(void)
{
    uint32_t id = claimed;
    claimed = 0;
    weft_arena *arena = weft_arena_get();
    if (arena != NULL)
        enter(arena, id != 0 ? id : take_slot(arena));
    pthread_mutex_unlock(&lock);
}

static weft_fork_hooks fork_hooks = {
    .prepare = before_fork, .parent = after_fork, .child = after_fork_child};

/* ---- the place ---------------------------------------------------------------------------------
 */

/* WEFT_ARENA_SIZE: bytes, or with k, m or g behind them. 0: not given. */
static uint64_t size_asked_for(void)
{
    /* a set-id program does not listen to who starts it */
    const char *text = getenv("WEFT_ARENA_SIZE");
    if (text == NULL || getuid() != geteuid() || getgid() != getegid())
        return 0;
    char *end;
    unsigned long long size = strtoull(text, &end, 10);
    unsigned shift = 0;
    if (*end == 'k' || *end == 'K')
        shift = 10;
    else if (*end == 'm' || *end == 'M')
        shift = 20;
    else if (*end == 'g' || *end == 'G')
        shift = 30;
    if (end == text || size > UINT64_MAX >> shift)
        return 0;
    return (uint64_t)size << shift;
}

static uint64_t size_to_try(void)
{
    uint64_t size = size_asked_for();
    if (size == 0)
        size = sizeof(void *) > 4 ? UINT64_C(64) << 30 : UINT64_C(256) << 20;
    if (size > SIZE_MAX / 2)
        size = SIZE_MAX / 2;
    size = size / ALIGNMENT * ALIGNMENT;
    return size < SMALLEST ? SMALLEST : size;
}

/* A place in [from, to) for `size` bytes; 0: it is too small. */
static uintptr_t random_place(uintptr_t from, uintptr_t to, uint64_t size)
{
    uint64_t random = 0;
    from = (from + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (to < from || to - from < size)
        return 0;
    /* without random bytes the place is as good, only less secret */
    (void)weft_sharedmap_random(&random, sizeof random);
    uint64_t places = (to - from - size) / ALIGNMENT + 1;
    return from + (uintptr_t)(random % places * ALIGNMENT);
}

/* Errors: -EEXIST: all that was tried is taken (*last: by what); -ENOMEM. */
static int map_somewhere(uint64_t size, uintptr_t *base, uintptr_t *last)
{
    int r = -ENOMEM;
    uintptr_t from, to;
    for (size_t window = 0; weft_sharedmap_window(window, &from, &to) == 1; window++) {
        for (int i = 0; i < TRIES; i++) {
            *base = random_place(from, to, size);
            if (*base == 0)
                break;
            r = weft_sharedmap_map_at(arena_fd, *base, (size_t)size);
            if (r == 0 || r == -ENOMEM)
                return r;
            *last = *base;
        }
    }
    return r;
}

static int reserve(uintptr_t *base, uint64_t *size)
{
    uintptr_t last = 0;
    int r = -ENOMEM;
    for (*size = size_to_try(); *size >= SMALLEST; *size = *size / 2 / ALIGNMENT * ALIGNMENT) {
        r = map_somewhere(*size, base, &last);
        if (r == 0)
            return 0;
    }
    if (r != -EEXIST)
        return weft_error(r, "shared memory: no room for its addresses: %s", weft_strerror(r));
    char taken[160] = "";
    weft_sharedmap_describe(last, SMALLEST, taken, sizeof taken);
    return weft_error(WEFT_ESHARED_ADDRESS, "shared memory: its addresses are taken by %s", taken);
}

int weft_arena_grow(uint64_t size)
{
    if (size > weft_shared_size)
        return -ENOSPC;
    return weft_sharedmap_grow(arena_fd, size);
}

static void close_files(void)
{
    if (arena_fd >= 0)
        close(arena_fd);
    if (life_fd >= 0)
        close(life_fd);
    arena_fd = life_fd = -1;
}

static void publish(uintptr_t base, uint64_t size)
{
    weft_arena *arena = (weft_arena *)base;
    uint64_t begin = (sizeof *arena + UNIT - 1) / UNIT * UNIT;
    arena->magic = MAGIC;
    arena->size = size;
    atomic_store_explicit(&arena->next_slot, 2, memory_order_relaxed);
    (void)weft_sharedmap_random(&arena->secret, sizeof arena->secret);
    weft_arena_heap_init(arena, begin, begin + FIRST);
    atomic_store_explicit(&arena->slots[1].word, LIVE, memory_order_relaxed);
    atomic_store_explicit(&arena->slots[1].pid, (int32_t)getpid(), memory_order_relaxed);
    weft_shared.wait = weft_shared_sync_wait;
    weft_shared.wait_firmly = weft_shared_sync_wait_firmly;
    weft_shared.wake = weft_shared_sync_wake;
    weft_shared.alive = weft_arena_alive;
    weft_shared.alloc = weft_arena_alloc;
    weft_shared.free = weft_arena_free;
    atomic_store_explicit(&weft_process_id, 1, memory_order_relaxed);
    weft_shared_place(base, (uintptr_t)size);
}

/* Whatever was shared has been released by now. */
static int shut_down(weft_instant deadline)
{
    (void)deadline;
    pthread_mutex_lock(&lock);
    if (atomic_load_explicit(&made, memory_order_relaxed)) {
        weft_sharedmap_unmap(weft_shared_base, weft_shared_size);
        weft_shared_place(0, 0);
        atomic_store_explicit(&weft_process_id, 1, memory_order_relaxed);
        close_files();
        atomic_store_explicit(&made, false, memory_order_relaxed);
    }
    pthread_mutex_unlock(&lock);
    return 0;
}

static weft_shutdown_step shutdown_step = {.stage = WEFT_STAGE_MEMORY, .run = shut_down};

static int make(void)
{
    uintptr_t base = 0;
    uint64_t size = 0;
    uint64_t first = (sizeof(weft_arena) + UNIT - 1) / UNIT * UNIT + FIRST;
    int r = arena_fd = weft_sharedmap_open("weft-arena");
    if (r >= 0)
        r = life_fd = weft_sharedmap_open("weft-processes");
    if (r >= 0 && !lock_byte(1))
        r = -errno;
    if (r < 0) {
        weft_error(r, "shared memory: %s", weft_strerror(r));
    } else if ((r = reserve(&base, &size)) == 0) {
        r = weft_sharedmap_grow(arena_fd, first);
        if (r < 0) {
            weft_error(r, "shared memory: %s", weft_strerror(r));
            weft_sharedmap_unmap(base, (size_t)size);
        }
    }
    if (r < 0)
        close_files();
    else
        publish(base, size);
    return r < 0 ? r : 0;
}

int weft_arena_ensure(void)
{
    /* acquire: base and size were written before */
    if (atomic_load_explicit(&made, memory_order_acquire))
        return 0;
    if (weft_context_self() == NULL) /* installs the fork handlers */
        return -ENOMEM;
    /* not under `lock`: a fork takes the list's lock first and `lock` then */
    weft_fork_register(&fork_hooks);
    weft_shutdown_register(&shutdown_step);
    weft_shared_sync_install();
    int r = 0;
    pthread_mutex_lock(&lock);
    if (!atomic_load_explicit(&made, memory_order_relaxed)) {
        r = make();
        if (r == 0)
            atomic_store_explicit(&made, true, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
    return r;
}
