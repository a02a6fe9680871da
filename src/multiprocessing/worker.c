/* SPDX-License-Identifier: MIT */
/*
 * The worker of a process pool: takes a job from the ring, runs it, pushes its record on the stack
 * of results, until the pool closes or its parent is gone.
 *
 * Taking is two stores under the ring's lock: the claim in the record's state, then the head. Who
 * takes the lock from a worker that died in between finds the first record of the ring claimed and
 * moves the head behind it. A record that no worker's state claims is in the ring, always.
 */
#include <string.h>
#include <unistd.h>

#include "core/memory.h"
#include "multiprocessing/pool.h"
#include "platform/cpu.h"
#include "platform/pause.h"
#include "platform/sharedpark.h"

enum { SPINS = 300, MASK = WEFT_POOL_RING - 1 };

#define SLICE INT64_C(500000000) /* between two looks whether the parent lives */

/* ---- the ring ----------------------------------------------------------------------------------
 */

static weft_pool_record *record_at(weft_pool_shared *shared, uint32_t count)
{
    /* relaxed: the tail, read before, was stored with release */
    return atomic_load_explicit(&shared->ring[count & MASK], memory_order_relaxed);
}

void weft_pool_lock_ring(weft_pool_shared *shared)
{
    if (weft_robust_acquire(&shared->take_lock) == 0)
        return;
    uint32_t head = atomic_load(&shared->head);
    if (head != atomic_load(&shared->tail) &&
        atomic_load(&record_at(shared, head)->state) >> 8 != 0)
        atomic_store(&shared->head, head + 1);
}

void weft_pool_wake(weft_pool_shared *shared, uint32_t count)
{
    /* seq_cst: between the change of the tail and the look; a worker counts itself, then looks at
     * the tail */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&shared->sleepers, memory_order_relaxed) != 0) {
        atomic_fetch_add(&shared->bell, 1);
        weft_sharedpark_wake(&shared->bell, count);
    }
}

/* NULL: there is none. */
static weft_pool_record *take(const weft_pool_start *self)
{
    weft_pool_shared *shared = self->shared;
    weft_pool_record *record = NULL;
    /* acquire: the records up to the tail */
    if (atomic_load_explicit(&shared->tail, memory_order_acquire) ==
        atomic_load_explicit(&shared->head, memory_order_relaxed))
        return NULL;
    weft_pool_lock_ring(shared);
    uint32_t head = atomic_load_explicit(&shared->head, memory_order_relaxed);
    if (atomic_load_explicit(&shared->tail, memory_order_acquire) != head) {
        uint64_t queued = WEFT_JOB_QUEUED;
        record = record_at(shared, head);
        atomic_store(&self->seat->record, record);
        if (!atomic_compare_exchange_strong(&record->state, &queued,
                                            weft_pool_state(self->serial, WEFT_JOB_TAKEN)))
            atomic_store(&record->state, weft_pool_state(self->serial, WEFT_JOB_DROPPED));
        /* release: the commit, after the claim */
        atomic_store_explicit(&shared->head, head + 1, memory_order_release);
    }
    weft_robust_release(&shared->take_lock);
    return record;
}

static void push(const weft_pool_start *self, weft_pool_record *record)
{
    weft_pool_shared *shared = self->shared;
    weft_pool_record *head = atomic_load_explicit(&shared->results, memory_order_relaxed);
    do
        record->next = head;
    while (!atomic_compare_exchange_weak(&shared->results, &head, record));
    /* seq_cst: after the push; the manager says that it sleeps, then looks for results */
    if (atomic_load(&shared->manager_sleeps) != 0 && atomic_exchange(&shared->manager_sleeps, 0))
        weft_wakeup_signal(&self->wakeup);
    atomic_store_explicit(&self->seat->record, NULL, memory_order_release);
}

/* ---- a job -------------------------------------------------------------------------------------
 */

static void finalize_never(weft_handle *handle)
{
    (void)handle;
}

/* The job as the worker sees it: never a handle of anybody's. */
static const weft_kind job_kind = {.name = "job", .prefix = "Job", .finalize = finalize_never};

/* Result or message to where the parent finds it. */
static void hand_over(weft_pool_record *record, const weft_job *job)
{
    const char *message = job->code < 0 ? weft_job_message(job) : NULL;
    const void *bytes = message != NULL ? message : job->result.data;
    size_t size = message != NULL ? strlen(message) : job->result.size;
    void *to = record->inside;
    record->code = job->code;
    record->has_data = message == NULL && job->result.data != NULL;
    if (bytes == NULL)
        size = 0;
    if (size > record->room) {
        to = weft_arena_alloc(size);
        if (to == NULL) {
            record->code = -ENOMEM;
            record->has_data = false;
            size = 0;
        } else {
            atomic_store(&record->block, to);
        }
    }
    record->message_size = message != NULL ? (uint32_t)size : 0;
    record->data_size = message == NULL ? size : 0;
    if (size > 0)
        memcpy(to, bytes, size);
}

static void run(const weft_pool_start *self, weft_pool_record *record)
{
    weft_job job;
    if (atomic_load(&record->state) == weft_pool_state(self->serial, WEFT_JOB_DROPPED))
        return;
    atomic_store(&record->state, weft_pool_state(self->serial, WEFT_JOB_RUNNING));
    (void)weft_job_init(&job, &job_kind, record->fn, record->pointer, 0, NULL, 0);
    if (record->arg_size > 0) {
        job.arg = record->inside;
        job.arg_size = record->arg_size;
    }
    weft_job_call(&job);
    hand_over(record, &job);
    weft_job_clear(&job);
    atomic_store(&record->state, weft_pool_state(self->serial, WEFT_JOB_DONE));
}

/* ---- waiting for one ---------------------------------------------------------------------------
 */

/* Counted first and marked then, unmarked first and discounted then: a kill in between leaves the
 * count too high, which costs wake-ups for nothing, never one too few. */
static void set_sleeping(const weft_pool_start *self, bool on)
{
    if (on)
        atomic_fetch_add(&self->shared->sleepers, 1);
    atomic_store(&self->seat->sleeping, on);
    if (!on)
        atomic_fetch_sub(&self->shared->sleepers, 1);
}

static bool is_job(weft_pool_shared *shared)
{
    return atomic_load(&shared->tail) != atomic_load(&shared->head);
}

/* Until there may be a job. false: there will be none. */
static bool wait_for_job(const weft_pool_start *self)
{
    weft_pool_shared *shared = self->shared;
    for (int i = 0; i < SPINS && weft_cpu_count() > 1; i++) {
        if (is_job(shared))
            return true;
        weft_pause();
    }
    uint32_t bell = atomic_load(&shared->bell);
    set_sleeping(self, true);
    /* seq_cst: after the count */
    bool closed = atomic_load(&shared->closing) != 0;
    if (!is_job(shared) && !closed)
        weft_sharedpark_wait(&shared->bell, bell, weft_instant_now() + SLICE);
    set_sleeping(self, false);
    if (is_job(shared))
        return true;
    return !closed && getppid() == (pid_t)self->parent;
}

static int begin(weft_pool_start *self)
{
    if (self->ignore_interrupt) {
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        sigaction(SIGINT, &ignore, NULL);
    }
    pthread_sigmask(SIG_SETMASK, &self->mask, NULL);
    int r = self->initializer != NULL ? self->initializer(self->arg) : 0;
    if (r < 0) {
        const char *message = weft_error_message_of(r);
        strncpy(self->seat->why, message != NULL ? message : weft_strerror(r),
                sizeof self->seat->why - 1);
        atomic_store(&self->seat->refused, r);
        return r;
    }
    atomic_store(&self->seat->ready, 1);
    return 0;
}

int weft_pool_work(void *arg)
{
    weft_pool_start *self = arg;
    int r = begin(self);
    if (r < 0)
        return r;
    do {
        weft_pool_record *record;
        while ((record = take(self)) != NULL) {
            run(self, record);
            push(self, record);
        }
    } while (wait_for_job(self));
    return 0;
}
