/* SPDX-License-Identifier: MIT */
/*
 * A runner's descriptors: a record for each number that has been waited for.
 *
 * A descriptor of weft's own (its weft_io's id is known) is registered once, for both directions,
 * and stays; an edge that finds nobody waiting is kept in the record. A host's descriptor may be
 * closed and its number used again without weft's knowing, so it is registered anew for each wait
 * and removed after it. A report carries the record's generation, which changes with the use of the
 * number, so that a report for an earlier use is dropped.
 */
#include "core/memory.h"
#include "core/runner.h"

typedef struct weft_fd_record {
    uint64_t id;         /* of the weft_io; 0: a host's descriptor */
    uint32_t generation; /* of this use of the number */
    uint32_t registered; /* directions that the poller knows */
    uint32_t ready;      /* edges that nobody has used */
    weft_list waiters;   /* weft_fd_wait */
} weft_fd_record;

enum { WAKEUP_TOKEN = 0, EVENTS = 64, FIRST_FDS = 64 };

static uint64_t token_of(int fd, const weft_fd_record *record)
{
    return (uint64_t)record->generation << 32 | (uint64_t)((uint32_t)fd + 1);
}

static int grow_table(weft_runner *runner, size_t needed)
{
    size_t room = runner->fds_room > 0 ? runner->fds_room : FIRST_FDS;
    while (room < needed)
        room *= 2;
    weft_fd_record **fds = weft_realloc(runner->fds, room * sizeof(weft_fd_record *));
    if (fds == NULL)
        return -ENOMEM;
    memset(fds + runner->fds_room, 0, (room - runner->fds_room) * sizeof(weft_fd_record *));
    runner->fds = fds;
    runner->fds_room = room;
    return 0;
}

static int find_record(weft_runner *runner, int fd, weft_fd_record **found)
{
    if (fd < 0)
        return -EBADF;
    int r = (size_t)fd < runner->fds_room ? 0 : grow_table(runner, (size_t)fd + 1);
    if (r < 0)
        return r;
    weft_fd_record **place = &runner->fds[fd];
    if (*place == NULL)
        *place = weft_calloc(1, sizeof **place);
    *found = *place;
    return *found != NULL ? 0 : -ENOMEM;
}

int weft_runner_open_poller(weft_runner *runner)
{
    if (runner->poller != NULL)
        return 0;
    weft_poller *poller;
    int r = runner->wakeup.read_fd >= 0 ? 0 : weft_wakeup_open(&runner->wakeup);
    if (r == 0)
        r = weft_poller_open(&poller);
    if (r < 0)
        return r;
    r = weft_poller_set(poller, runner->wakeup.read_fd, WEFT_POLLER_IN, WAKEUP_TOKEN);
    if (r < 0) {
        weft_poller_close(poller);
        return r;
    }
    weft_ilock_acquire(&runner->poller_lock);
    runner->poller = poller;
    weft_ilock_release(&runner->poller_lock);
    return 0;
}

void weft_runner_close_poller(weft_runner *runner)
{
    weft_ilock_acquire(&runner->poller_lock);
    weft_poller *poller = runner->poller;
    runner->poller = NULL;
    weft_ilock_release(&runner->poller_lock);
    weft_poller_close(poller);
    for (size_t i = 0; i < runner->fds_room; i++)
        weft_dealloc(runner->fds[i]);
    weft_dealloc(runner->fds);
    runner->fds = NULL;
    runner->fds_room = 0;
}

void weft_runner_forget(weft_runner *runner, int fd)
{
    weft_ilock_acquire(&runner->poller_lock);
    if (runner->poller != NULL)
        weft_poller_set(runner->poller, fd, 0, 0);
    weft_ilock_release(&runner->poller_lock);
}

/* The number has a new use: what was known of it is void. Who still waits for the old one (a host
 * has closed its descriptor under him) looks again; he must not take the new one's edges. */
static void start_use(weft_fd_record *record, uint64_t id)
{
    weft_link *link;
    while ((link = weft_list_pop(&record->waiters)) != NULL)
        weft_wait_decide_for(WEFT_CONTAINER(link, weft_fd_wait, link)->context);
    record->id = id;
    record->generation++;
    record->registered = 0;
    record->ready = 0;
}

static uint32_t interest_of_all(const weft_fd_record *record)
{
    uint32_t interest = 0;
    for (weft_link *link = weft_list_first(&record->waiters); link != NULL;
         link = weft_list_next(&record->waiters, link))
        interest |= WEFT_CONTAINER(link, weft_fd_wait, link)->interest;
    return interest;
}

static int register_interest(weft_runner *runner, weft_fd_wait *fd, weft_fd_record *record)
{
    uint32_t interest = WEFT_POLLER_IN | WEFT_POLLER_OUT;
    if (fd->id != 0 && record->registered == interest) {
        weft_poller_rearm(runner->poller, fd->fd, fd->interest);
        return 0;
    }
    if (fd->id == 0)
        interest = interest_of_all(record) | fd->interest;
    int r = weft_poller_set(runner->poller, fd->fd, interest, token_of(fd->fd, record));
    if (r < 0)
        return r;
    record->registered = interest;
    return 0;
}

int weft_runner_arm(weft_runner *runner, weft_fd_wait *fd)
{
    weft_fd_record *record = NULL;
    int r = weft_runner_open_poller(runner);
    if (r == 0)
        r = find_record(runner, fd->fd, &record);
    if (r < 0)
        return r;
    if (record->id != fd->id || (fd->id == 0 && weft_list_empty(&record->waiters)))
        start_use(record, fd->id);
    fd->ready = record->ready & fd->interest;
    if (fd->ready != 0) {
        record->ready &= ~fd->ready;
        return 1;
    }
    r = register_interest(runner, fd, record);
    if (r == -EPERM) { /* a regular file never waits */
        fd->ready = fd->interest;
        return 1;
    }
    if (r < 0)
        return r;
    weft_list_append(&record->waiters, &fd->link);
    return 0;
}

void weft_runner_disarm(weft_runner *runner, weft_fd_wait *fd, bool unused)
{
    if ((size_t)fd->fd >= runner->fds_room || runner->fds[fd->fd] == NULL)
        return;
    weft_fd_record *record = runner->fds[fd->fd];
    if (weft_link_linked(&fd->link))
        weft_list_remove(&fd->link);
    if (record->id != fd->id)
        return;
    if (fd->id != 0) {
        if (unused)
            record->ready |= fd->ready;
    } else if (record->registered != 0 && weft_list_empty(&record->waiters)) {
        weft_poller_set(runner->poller, fd->fd, 0, 0);
        record->registered = 0;
    }
}

static void report(weft_runner *runner, const weft_poller_event *event)
{
    uint32_t fd = (uint32_t)event->token - 1;
    if (event->token == WAKEUP_TOKEN) {
        if (weft_wakeup_makes_edges() && weft_poller_sees_edges(runner->poller))
            return; /* as good as drained */
        weft_wakeup_drain(&runner->wakeup);
        weft_poller_rearm(runner->poller, runner->wakeup.read_fd, WEFT_POLLER_IN);
        return;
    }
    weft_fd_record *record = fd < runner->fds_room ? runner->fds[fd] : NULL;
    if (record == NULL || record->generation != (uint32_t)(event->token >> 32))
        return;
    uint32_t used = 0;
    weft_link *link = weft_list_first(&record->waiters);
    while (link != NULL) {
        weft_fd_wait *waiter = WEFT_CONTAINER(link, weft_fd_wait, link);
        link = weft_list_next(&record->waiters, link);
        uint32_t ready = event->ready & waiter->interest;
        /* one that has been decided otherwise leaves the edge to the next */
        if (ready == 0 || !weft_wait_decide_for(waiter->context))
            continue;
        waiter->ready |= ready;
        used |= ready;
        weft_list_remove(&waiter->link);
    }
    record->ready |= record->id != 0 ? event->ready & ~used : 0;
}

int weft_runner_poll(weft_runner *runner, weft_instant deadline)
{
    weft_poller_event events[EVENTS];
    int n = weft_poller_wait(runner->poller, events, EVENTS, deadline);
    for (int i = 0; i < n; i++)
        report(runner, &events[i]);
    return n < 0 ? n : 0;
}
