/* SPDX-License-Identifier: MIT */
#include "support/coroutines.h"
#include "support/places.h"

#include <sched.h>
#include <stdatomic.h>

enum { READ, WRITE };

static int acquire(weft_rwlock *rwlock, int how, double timeout)
{
    return how == WRITE ? weft_rwlock_acquire_write(rwlock, timeout)
                        : weft_rwlock_acquire_read(rwlock, timeout);
}

static int release(weft_rwlock *rwlock, int how)
{
    return how == WRITE ? weft_rwlock_release_write(rwlock) : weft_rwlock_release_read(rwlock);
}

static void readers_share_and_a_writer_is_alone(void **state)
{
    (void)state;
    weft_rwlock rwlock = {0};
    assert_int_equal(weft_rwlock_acquire_read(&rwlock, WEFT_NOWAIT), 0);
    assert_int_equal(weft_rwlock_acquire_read(&rwlock, WEFT_NOWAIT), 0);
    assert_int_equal(weft_rwlock_acquire_write(&rwlock, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_rwlock_acquire_write(&rwlock, 0.001), -ETIMEDOUT);
    assert_int_equal(weft_rwlock_release_read(&rwlock), 0);
    assert_int_equal(weft_rwlock_release_read(&rwlock), 0);
    assert_int_equal(weft_rwlock_acquire_write(&rwlock, WEFT_NOWAIT), 0);
    assert_int_equal(weft_rwlock_acquire_write(&rwlock, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_rwlock_acquire_read(&rwlock, 0.001), -ETIMEDOUT);
    assert_int_equal(weft_rwlock_release_write(&rwlock), 0);
    assert_int_equal(rwlock.state_, 0);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    weft_rwlock rwlock = {0};
    double not_a_number = 0.0 / (double)rwlock.state_;
    assert_int_equal(weft_rwlock_release_read(&rwlock), -EPERM);
    assert_int_equal(weft_rwlock_release_write(&rwlock), -EPERM);
    assert_int_equal(weft_rwlock_acquire_read(&rwlock, not_a_number), -EINVAL);
    assert_int_equal(weft_rwlock_acquire_write(&rwlock, not_a_number), -EINVAL);
    assert_int_equal(weft_rwlock_acquire_write(&rwlock, WEFT_FOREVER), 0);
    assert_int_equal(weft_rwlock_release_read(&rwlock), -EPERM);
    assert_int_equal(weft_rwlock_release_write(&rwlock), 0);
    weft_rwlock *shared = weft_shared_alloc(sizeof *shared);
    assert_non_null(shared);
    assert_int_equal(weft_rwlock_acquire_read(shared, WEFT_FOREVER), -ENOTSUP);
    assert_int_equal(weft_rwlock_acquire_write(shared, WEFT_FOREVER), -ENOTSUP);
    weft_shared_free(shared);
}

/* Who came, and in which order they got in; each goes out when told. */
typedef struct visitor {
    weft_rwlock *rwlock;
    int how;
    double timeout;
    weft_event leave;
    int r, place;
    int *places;
} visitor;

enum { VISITORS = 5 };

typedef struct house {
    weft_rwlock rwlock;
    weft_runner *runner;
    unsigned left;
    int places;
    visitor visitors[VISITORS];
    weft_context *contexts[VISITORS];
} house;

static void visit(void *arg)
{
    visitor *v = arg;
    v->r = acquire(v->rwlock, v->how, v->timeout);
    if (v->r < 0)
        return;
    v->place = ++*v->places;
    weft_event_wait(&v->leave, WEFT_FOREVER);
    v->r = release(v->rwlock, v->how);
}

static void settle(house *h)
{
    for (int i = 0; i < 6; i++)
        weft_runner_turn(h->runner, WEFT_INSTANT_NOW);
}

static void come(house *h, int i, int how, double timeout)
{
    h->visitors[i] =
        (visitor){.rwlock = &h->rwlock, .how = how, .timeout = timeout, .places = &h->places};
    h->contexts[i] = coroutine_spawn(h->runner, &h->left, visit, &h->visitors[i]);
    settle(h);
}

/* One per letter: r reads, w writes. */
static void house_open(house *h, const char *letters)
{
    *h = (house){.runner = coroutines_open()};
    for (int i = 0; letters[i] != '\0'; i++)
        come(h, i, letters[i] == 'w' ? WRITE : READ, WEFT_FOREVER);
}

static void go(house *h, int i)
{
    weft_event_set(&h->visitors[i].leave);
    settle(h);
}

static void assert_places(const house *h, const char *digits)
{
    for (int i = 0; digits[i] != '\0'; i++)
        assert_int_equal(h->visitors[i].place, digits[i] - '0');
}

static void house_close(house *h)
{
    for (int i = 0; i < VISITORS; i++)
        weft_event_set(&h->visitors[i].leave);
    assert_int_equal(coroutines_run(h->runner, &h->left), 0);
    weft_runner_close(h->runner);
    assert_int_equal(h->rwlock.state_, 0);
}

static void who_comes_first_is_first_in(void **state)
{
    (void)state;
    house h;
    house_open(&h, "rwrrw");
    assert_places(&h, "10000"); /* no reader past the writer */
    assert_int_equal(weft_rwlock_acquire_read(&h.rwlock, WEFT_NOWAIT), -ETIMEDOUT);
    go(&h, 0);
    assert_places(&h, "12000");
    go(&h, 1);
    assert_places(&h, "12340");
    go(&h, 3);
    assert_places(&h, "12340");
    go(&h, 2);
    assert_places(&h, "12345");
    house_close(&h);
}

static void a_writer_that_gives_up_lets_those_behind_it_in(void **state)
{
    (void)state;
    for (int cancels = 0; cancels < 2; cancels++) {
        house h;
        house_open(&h, "r");
        come(&h, 1, WRITE, cancels ? WEFT_FOREVER : 0.3); /* time for all to come */
        come(&h, 2, READ, WEFT_FOREVER);
        come(&h, 3, READ, WEFT_FOREVER);
        assert_places(&h, "1000");
        if (cancels)
            weft_context_cancel(h.contexts[1]);
        while (h.visitors[3].place == 0)
            weft_runner_turn(h.runner, WEFT_INSTANT_NEVER);
        settle(&h);
        assert_places(&h, "1023");
        assert_int_equal(h.visitors[1].r, cancels ? -ECANCELED : -ETIMEDOUT);
        house_close(&h);
    }
}

static void a_cancel_after_the_wake_up_passes_it_on(void **state)
{
    (void)state;
    for (int how = READ; how <= WRITE; how++) {
        house h;
        house_open(&h, "");
        assert_int_equal(weft_rwlock_acquire_write(&h.rwlock, WEFT_FOREVER), 0);
        come(&h, 0, how, WEFT_FOREVER);
        come(&h, 1, WRITE, WEFT_FOREVER);
        assert_int_equal(weft_rwlock_release_write(&h.rwlock), 0); /* it is the first one's now */
        weft_context_cancel(h.contexts[0]);
        settle(&h);
        assert_int_equal(h.visitors[0].r, -ECANCELED);
        assert_int_equal(h.visitors[1].place, 1);
        house_close(&h);
    }
}

static int read_and_write(void *arg)
{
    for (int how = READ; how <= WRITE; how++) {
        int r = acquire(arg, how, WEFT_FOREVER);
        if (r == 0)
            r = weft_sleep(0);
        int released = release(arg, how);
        if (r < 0 || released < 0)
            return r < 0 ? r : released;
    }
    return 0;
}

static void it_works_in_each_place(void **state)
{
    (void)state;
    weft_rwlock rwlock = {0};
    in_each_place(read_and_write, &rwlock);
    assert_int_equal(rwlock.state_, 0);
}

static int child_writes(struct recorder *recorder, void *arg)
{
    weft_rwlock *rwlock = arg;
    RECORD_INT(recorder, weft_rwlock_release_read(rwlock), 0);
    RECORD_INT(recorder, weft_rwlock_acquire_write(rwlock, WEFT_FOREVER), 0);
    RECORD_INT(recorder, weft_rwlock_release_write(rwlock), 0);
    return 0;
}

/* The writer that waits in the parent does not in the child. */
static void a_forked_child_has_nobody_who_waits(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    struct child child;
    house h;
    house_open(&h, "");
    assert_int_equal(weft_rwlock_acquire_read(&h.rwlock, WEFT_FOREVER), 0);
    come(&h, 0, WRITE, WEFT_FOREVER);
    assert_int_equal(child_start(&child, child_writes, &h.rwlock), 0);
    assert_int_equal(child_join(&child, &recorder), 0);
    recorder_assert(&recorder);
    assert_int_equal(weft_rwlock_release_read(&h.rwlock), 0);
    house_close(&h);
}

typedef struct ledger {
    weft_rwlock rwlock;
    long first, second; /* equal but for writers */
    _Atomic int reading, most;
} ledger;

static int keep(void *arg)
{
    ledger *l = arg;
    for (int i = 0; i < 3000; i++) {
        int how = i % 4 == 0 ? WRITE : READ;
        int r = acquire(&l->rwlock, how, WEFT_FOREVER);
        if (r < 0)
            return r;
        if (l->first != l->second)
            return -EIO;
        if (how == WRITE) {
            l->first++;
            l->second++;
        }
        r = release(&l->rwlock, how);
        if (r < 0)
            return r;
    }
    return 0;
}

static int keep_in_a_loop(void *arg)
{
    return in_a_task(keep, arg);
}

static void it_excludes_threads_and_tasks(void **state)
{
    (void)state;
    ledger l = {0};
    weft_thread *threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(weft_thread_start(&threads[i], i % 2 == 0 ? keep : keep_in_a_loop,
                                           WEFT_POINTER(&l), NULL),
                         0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(weft_result(threads[i], WEFT_NONE, WEFT_FOREVER), 0);
    weft_release_many(threads, 4);
    assert_int_equal(l.first, 4 * 750);
    assert_int_equal(l.rwlock.state_, 0);
}

typedef struct board {
    weft_rwlock rwlock;
    int number; /* what the lock guards */
    _Atomic bool read;
} board;

/* Nothing is ordered by that. */
static void await(const _Atomic bool *word)
{
    while (!atomic_load_explicit(word, memory_order_relaxed))
        sched_yield();
}

static int look_at_it(void *arg)
{
    board *b = arg;
    int r = weft_rwlock_acquire_read(&b->rwlock, WEFT_FOREVER);
    int number = b->number;
    if (r == 0)
        r = weft_rwlock_release_read(&b->rwlock);
    atomic_store_explicit(&b->read, true, memory_order_relaxed);
    return r < 0 ? r : number;
}

static int change_it(void *arg)
{
    board *b = arg;
    await(&b->read);
    int r = weft_rwlock_acquire_write(&b->rwlock, WEFT_FOREVER);
    b->number = 1;
    return r == 0 ? weft_rwlock_release_write(&b->rwlock) : r;
}

/* Also after one that was gone when the writer came, and that another one lets in: for
 * ThreadSanitizer, as elsewhere nothing can be seen of it. */
static void a_writer_comes_after_each_reader(void **state)
{
    (void)state;
    board b = {.number = 0};
    weft_thread *reader, *writer;
    assert_int_equal(weft_rwlock_acquire_read(&b.rwlock, WEFT_NOWAIT), 0);
    assert_int_equal(weft_thread_start(&reader, look_at_it, WEFT_POINTER(&b), NULL), 0);
    assert_int_equal(weft_thread_start(&writer, change_it, WEFT_POINTER(&b), NULL), 0);
    while (__atomic_load_n(&b.rwlock.state_, __ATOMIC_RELAXED) >> 31 == 0) /* the writer waits */
        sched_yield();
    assert_int_equal(weft_rwlock_release_read(&b.rwlock), 0);
    assert_int_equal(weft_result(writer, WEFT_NONE, WEFT_FOREVER), 0);
    assert_int_equal(weft_result(reader, WEFT_NONE, WEFT_FOREVER), 0);
    assert_int_equal(b.number, 1);
    weft_release(reader);
    weft_release(writer);
}

static int shut_down(void **state)
{
    (void)state;
    return weft_shutdown(WEFT_FOREVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(readers_share_and_a_writer_is_alone),
        weft_test(misuse_is_refused),
        weft_test(who_comes_first_is_first_in),
        weft_test(a_writer_that_gives_up_lets_those_behind_it_in),
        weft_test(a_cancel_after_the_wake_up_passes_it_on),
        weft_test(it_works_in_each_place),
        weft_test(a_forked_child_has_nobody_who_waits),
        weft_test(it_excludes_threads_and_tasks),
        weft_test(a_writer_comes_after_each_reader),
    };
    return cmocka_run_group_tests(tests, NULL, shut_down);
}
