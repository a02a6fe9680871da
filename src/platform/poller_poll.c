/* SPDX-License-Identifier: MIT */
/*
 * Edges made out of poll(2)'s levels.
 *
 * Under `lock` stand a dense table of registrations, and the place in it of each descriptor number,
 * so that set and rearm are O(1). A direction that was reported is taken out of `armed` until rearm
 * or set puts it back; a registration with nothing armed is not given to poll at all, since poll
 * reports a hang-up whatever was asked for.
 *
 * The owner polls a copy, made under the lock at each wait: copying costs less than the poll of the
 * same array, and it lets other threads change the table meanwhile. Who changes it while the owner
 * is in poll wakes it through `wakeup`, which is the first entry of the copy; once per poll is
 * enough
 * (`told`). After poll, each entry that is ready is looked up again by its number: one that was
 * removed is dropped, one that was replaced is reported under its new token, which is the hint that
 * a report is anyway.
 *
 * Where more is ready than there is room for, the next wait begins behind the last one reported
 * (`turn`), so that nobody starves.
 */
#include "platform/poller.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "core/memory.h"
#include "platform/wakeup.h"

typedef struct registration {
    uint64_t token;
    int fd;
    uint32_t interest;
    uint32_t armed; /* the part of interest that poll is asked for */
} registration;

struct weft_poller {
    pthread_mutex_t lock; /* guards all up to the copy */
    registration *table;
    size_t count, capacity;
    size_t *places; /* by descriptor: 1 + its index in the table, 0: none */
    size_t places_size;
    bool waiting; /* the owner is in poll, or about to be */
    bool told;    /* and was told that the table has changed */
    weft_wakeup wakeup;

    struct pollfd *copy; /* owner only, from here on; [0] is the wakeup */
    size_t copy_capacity;
    size_t turn;
};

int weft_poller_open(weft_poller **poller)
{
    *poller = NULL;
    weft_poller *self = weft_calloc(1, sizeof *self);
    if (self == NULL)
        return -ENOMEM;
    int r = -pthread_mutex_init(&self->lock, NULL);
    if (r < 0)
        goto no_lock;
    r = weft_wakeup_open(&self->wakeup);
    if (r < 0)
        goto no_wakeup;
    *poller = self;
    return 0;

no_wakeup:
    (void)pthread_mutex_destroy(&self->lock);
no_lock:
    weft_dealloc(self);
    return r;
}

void weft_poller_close(weft_poller *poller)
{
    if (poller == NULL)
        return;
    weft_wakeup_close(&poller->wakeup);
    (void)pthread_mutex_destroy(&poller->lock);
    weft_dealloc(poller->table);
    weft_dealloc(poller->places);
    weft_dealloc(poller->copy);
    weft_dealloc(poller);
}

int weft_poller_fd(const weft_poller *poller)
{
    (void)poller;
    return -ENOTSUP;
}

/* Makes room for `wanted` elements, at least doubling; the block stays as it is on failure. */
static int grow(void **block, size_t *capacity, size_t wanted, size_t element)
{
    if (wanted <= *capacity)
        return 0;
    size_t size = *capacity < SIZE_MAX / 2 && *capacity * 2 > wanted ? *capacity * 2 : wanted;
    if (size < 16)
        size = 16;
    if (size > SIZE_MAX / element)
        return -ENOMEM;
    void *larger = weft_realloc(*block, size * element);
    if (larger == NULL)
        return -ENOMEM;
    *block = larger;
    *capacity = size;
    return 0;
}

static int make_place(weft_poller *poller, int fd)
{
    void *block = poller->places;
    size_t before = poller->places_size;
    int r = grow(&block, &poller->places_size, (size_t)fd + 1, sizeof *poller->places);
    poller->places = block;
    for (size_t i = before; i < poller->places_size; i++)
        poller->places[i] = 0;
    if (r < 0)
        return r;
    block = poller->table;
    r = grow(&block, &poller->capacity, poller->count + 1, sizeof *poller->table);
    poller->table = block;
    return r;
}

static registration *find(const weft_poller *poller, int fd)
{
    if (fd < 0 || (size_t)fd >= poller->places_size || poller->places[fd] == 0)
        return NULL;
    return &poller->table[poller->places[fd] - 1];
}

/* The last one of the table takes the place of the one that goes. */
static void remove_registration(weft_poller *poller, registration *gone)
{
    const registration *last = &poller->table[poller->count - 1];
    poller->places[last->fd] = poller->places[gone->fd];
    poller->places[gone->fd] = 0;
    *gone = *last;
    poller->count--;
}

/* What epoll refuses: descriptors that never wait. */
static int check(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return errno == EBADF ? -EBADF : 0;
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode))
        return -EPERM;
    return 0;
}

int weft_poller_set(weft_poller *poller, int fd, uint32_t interest, uint64_t token)
{
    int r = fd < 0 ? -EBADF : 0;
    if (r == 0 && interest != 0)
        r = check(fd);
    if (r < 0)
        return r;

    (void)pthread_mutex_lock(&poller->lock);
    registration *found = find(poller, fd);
    if (interest == 0) {
        if (found != NULL)
            remove_registration(poller, found);
        goto finish;
    }
    if (found == NULL) {
        r = make_place(poller, fd);
        if (r < 0)
            goto finish;
        found = &poller->table[poller->count++];
        poller->places[fd] = poller->count;
    }
    *found = (registration){.token = token, .fd = fd, .interest = interest, .armed = interest};

finish:
    if (r == 0 && poller->waiting && !poller->told) {
        poller->told = true;
        weft_wakeup_signal(&poller->wakeup);
    }
    (void)pthread_mutex_unlock(&poller->lock);
    return r;
}

bool weft_poller_sees_edges(const weft_poller *poller)
{
    (void)poller;
    return false;
}

void weft_poller_rearm(weft_poller *poller, int fd, uint32_t directions)
{
    (void)pthread_mutex_lock(&poller->lock);
    registration *found = find(poller, fd);
    if (found != NULL)
        found->armed |= directions & found->interest;
    (void)pthread_mutex_unlock(&poller->lock);
}

/* Fills the copy, beginning at `turn`, and announces that the owner goes to poll. Returns how many
 * entries there are. */
static int copy_table(weft_poller *poller, size_t *entries)
{
    (void)pthread_mutex_lock(&poller->lock);
    void *block = poller->copy;
    int r = grow(&block, &poller->copy_capacity, poller->count + 1, sizeof *poller->copy);
    poller->copy = block;
    if (r < 0)
        goto finish;

    size_t n = 1;
    poller->copy[0] = (struct pollfd){.fd = poller->wakeup.read_fd, .events = POLLIN};
    for (size_t i = 0; i < poller->count; i++) {
        const registration *each = &poller->table[(poller->turn + i) % poller->count];
        if (each->armed == 0)
            continue;
        int events = ((each->armed & WEFT_POLLER_IN) ? POLLIN : 0) |
                     ((each->armed & WEFT_POLLER_OUT) ? POLLOUT : 0);
        poller->copy[n++] = (struct pollfd){.fd = each->fd, .events = (short)events};
    }
    *entries = n;
    poller->waiting = true;

finish:
    (void)pthread_mutex_unlock(&poller->lock);
    return r;
}

/* What the result of poll says of a registration as it is now; it is masked. */
static uint32_t take_report(registration *found, int revents)
{
    uint32_t ready = 0;
    if (revents & (POLLERR | POLLHUP | POLLNVAL)) {
        ready = WEFT_POLLER_IN | WEFT_POLLER_OUT;
        found->armed = 0;
    } else {
        if (revents & POLLIN)
            ready |= WEFT_POLLER_IN;
        if (revents & POLLOUT)
            ready |= WEFT_POLLER_OUT;
        ready &= found->armed;
        found->armed &= ~ready;
    }
    return ready;
}

/* Back from poll: nobody needs to wake the owner any more; what is ready goes to `events`. */
static int collect(weft_poller *poller, size_t entries, bool ready, weft_poller_event *events,
                   int room)
{
    int n = 0;
    (void)pthread_mutex_lock(&poller->lock);
    poller->waiting = false;
    if (poller->told) {
        poller->told = false;
        weft_wakeup_drain(&poller->wakeup);
    }
    for (size_t i = 1; ready && i < entries && n < room; i++) {
        if (poller->copy[i].revents == 0)
            continue;
        registration *found = find(poller, poller->copy[i].fd);
        uint32_t directions = found != NULL ? take_report(found, poller->copy[i].revents) : 0;
        if (directions == 0)
            continue;
        events[n++] = (weft_poller_event){.token = found->token, .ready = directions};
        poller->turn = (size_t)(found - poller->table) + 1;
    }
    (void)pthread_mutex_unlock(&poller->lock);
    return n;
}

int weft_poller_wait(weft_poller *poller, weft_poller_event *events, int room,
                     weft_instant deadline)
{
    for (;;) {
        size_t entries;
        int r = copy_table(poller, &entries);
        if (r < 0)
            return r;
        r = poll(poller->copy, (nfds_t)entries, weft_instant_poll_timeout(deadline));
        int error = errno;
        int n = collect(poller, entries, r > 0, events, room);
        if (r < 0 && error != EINTR)
            return error == EAGAIN ? -ENOMEM : -error;
        /* r > 0 without a report: the table has changed, and is looked at anew. */
        if (r <= 0 || n > 0)
            return n;
        if (deadline <= WEFT_INSTANT_NOW)
            return 0;
    }
}
