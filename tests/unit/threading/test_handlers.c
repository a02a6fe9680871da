/* SPDX-License-Identifier: MIT */
/*
 * Signal handlers that run on top of the main thread's wait, and need the same lock or queue: what
 * the interrupted wait is given meanwhile must keep nobody from going on whom the handler waits
 * for.
 */
#include "support/support.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft.h>

enum { LONG = 10 }; /* seconds: a failure instead of a hang */

typedef struct scene {
    weft_queue *queue;
    weft_lock lock;
    int calls, result;
    int taken; /* by who runs in the handler */
} scene;

/* In the handler's loop: `first` waits, then `second` lets it go on. */
typedef struct pair {
    weft_fn *first, *second;
    scene *scene;
} pair;

static int run_pair(void *arg)
{
    pair *of = arg;
    weft_task *task;
    int r = weft_task_start(&task, of->first, WEFT_POINTER(of->scene), NULL);
    if (r == 0)
        r = weft_sleep(0);
    if (r == 0)
        r = of->second(of->scene);
    if (r == 0)
        r = weft_result(task, WEFT_NONE, WEFT_FOREVER);
    weft_release(task);
    return r;
}

static int get_one(void *arg)
{
    scene *s = arg;
    int scope = weft_timeout_begin(LONG); /* unlike a timeout of the get it takes nothing at last */
    int r = weft_queue_get(s->queue, WEFT_OUT(s->taken), WEFT_FOREVER);
    return weft_timeout_end(scope, r < 0 ? r : 0);
}

static int put_two(void *arg)
{
    scene *s = arg;
    return weft_queue_put(s->queue, WEFT_ARG((int){2}), WEFT_FOREVER);
}

static int use_the_queue(const weft_signal_info *info, void *arg)
{
    scene *s = arg;
    pair of = {get_one, put_two, s};
    (void)info;
    s->calls++;
    s->result = weft_queue_put(s->queue, WEFT_ARG((int){1}), WEFT_FOREVER);
    if (s->result == 0)
        s->result = weft_run(run_pair, WEFT_POINTER(&of), NULL);
    return 0;
}

/* The first item is promised to the interrupted get, which cannot come for it before the handler
 * returns; the second is for who waits behind. */
static void an_item_reaches_those_behind_an_interrupted_get(void **state)
{
    scene s = {.taken = 0};
    int item = 0;
    (void)state;
    assert_int_equal(weft_queue_open(&s.queue, NULL), 0);
    assert_int_equal(weft_signal_set(SIGUSR1, use_the_queue, &s), 0);
    raise(SIGUSR1);
    assert_int_equal(weft_queue_get(s.queue, WEFT_OUT(item), WEFT_FOREVER), sizeof(item));
    assert_int_equal(s.calls, 1);
    assert_int_equal(s.result, 0);
    assert_int_equal(s.taken + item, 3);
    assert_int_equal(weft_signal_restore(SIGUSR1), 0);
    weft_release(s.queue);
}

static int hold_for_a_moment(void *arg)
{
    scene *s = arg;
    int scope = weft_timeout_begin(LONG);
    int r = weft_lock_acquire(&s->lock, WEFT_FOREVER);
    r = weft_timeout_end(scope, r);
    return r < 0 ? r : weft_lock_release(&s->lock);
}

static int release(void *arg)
{
    scene *s = arg;
    return weft_lock_release(&s->lock);
}

static int use_the_lock(const weft_signal_info *info, void *arg)
{
    scene *s = arg;
    pair of = {hold_for_a_moment, release, s};
    (void)info;
    s->calls++;
    s->result = weft_run(run_pair, WEFT_POINTER(&of), NULL);
    return 0;
}

/* The one that the release lets go on is not the interrupted acquire, which cannot come. */
static void a_handler_may_wait_for_the_lock_that_it_interrupts_the_wait_for(void **state)
{
    scene s = {.calls = 0};
    (void)state;
    assert_int_equal(weft_lock_acquire(&s.lock, WEFT_NOWAIT), 0);
    assert_int_equal(weft_signal_set(SIGUSR1, use_the_lock, &s), 0);
    raise(SIGUSR1);
    assert_int_equal(weft_lock_acquire(&s.lock, WEFT_FOREVER), 0);
    assert_int_equal(s.calls, 1);
    assert_int_equal(s.result, 0);
    assert_int_equal(weft_lock_release(&s.lock), 0);
    assert_int_equal(weft_signal_restore(SIGUSR1), 0);
}

static int raise_again(const weft_signal_info *info, void *arg)
{
    scene *s = arg;
    s->calls++;
    return raise(info->signum);
}

static void a_wait_for_a_lock_has_its_deadline_among_handlers(void **state)
{
    scene s = {.calls = 0};
    (void)state;
    assert_int_equal(weft_lock_acquire(&s.lock, WEFT_NOWAIT), 0);
    assert_int_equal(weft_signal_set(SIGUSR1, raise_again, &s), 0);
    raise(SIGUSR1);
    assert_int_equal(weft_lock_acquire(&s.lock, 0.01), -ETIMEDOUT);
    assert_true(s.calls > 0);
    assert_int_equal(weft_signal_set(SIGUSR1, weft_signal_ignore, NULL), 0);
    assert_int_equal(weft_signal_restore(SIGUSR1), 0);
    assert_int_equal(weft_lock_release(&s.lock), 0);
}

typedef struct forked {
    weft_event event, set_later;
    weft_thread *beside; /* waits for the same, and is not in the child */
    pid_t child;
    int calls, started;
} forked;

static weft_local kept = {.size = sizeof(int)};

static int wait_beside(void *arg)
{
    return weft_event_wait(&((forked *)arg)->event, WEFT_FOREVER);
}

static int fork_in_handler(const weft_signal_info *info, void *arg)
{
    forked *f = arg;
    (void)info;
    if (f->calls++ > 0)
        return -20001;
    f->started = weft_thread_start(&f->beside, wait_beside, WEFT_POINTER(f), NULL);
    weft_sleep(0.01); /* behind the main thread, as a rule */
    f->child = fork();
    if (f->child != 0)
        weft_event_set(&f->event);
    return 0;
}

static int set_it(void *arg)
{
    weft_event_set(arg);
    return 0;
}

static int raise_for_main(void *arg)
{
    (void)arg;
    return kill(getpid(), SIGUSR1);
}

/* The child's main thread, out of the wait. Which check fails; 0: none. */
static int go_on_in_child(forked *f, int r)
{
    weft_thread *thread;
    int *copy = weft_local_find(&kept);
    if (r != WEFT_EFORKED)
        return 1;
    if (copy == NULL || *copy != 7)
        return 2;
    if (weft_event_wait(&f->event, 0.001) != -ETIMEDOUT)
        return 3;
    if (!forked_can_start_threads())
        return 0;
    if (weft_thread_start(&thread, set_it, WEFT_POINTER(&f->set_later), NULL) < 0 ||
        weft_event_wait(&f->set_later, WEFT_FOREVER) < 0)
        return 4;
    /* it is the main one: a signal reaches its wait */
    weft_release(thread);
    if (weft_thread_start(&thread, raise_for_main, WEFT_NONE, NULL) < 0 ||
        weft_event_wait(&f->event, LONG) != -20001)
        return 5;
    return weft_thread_current() == weft_thread_main() ? 0 : 6;
}

static void a_child_that_a_handler_forks_is_out_of_the_wait(void **state)
{
    forked f = {.child = -1};
    int status = 0;
    (void)state;
    *(int *)weft_local_get(&kept) = 7;
    assert_int_equal(weft_signal_set(SIGUSR1, fork_in_handler, &f), 0);
    raise(SIGUSR1);
    int r = weft_event_wait(&f.event, WEFT_FOREVER);
    if (f.child == 0)
        _exit(go_on_in_child(&f, r));
    assert_int_equal(r, 0);
    assert_int_equal(f.started, 0);
    assert_int_equal(waitpid(f.child, &status, 0), f.child);
    assert_int_equal(status, 0);
    assert_int_equal(weft_thread_join(f.beside, WEFT_FOREVER), 0);
    weft_release(f.beside);
    assert_int_equal(weft_signal_restore(SIGUSR1), 0);
    weft_local_clear(&kept);
}

typedef struct party {
    weft_barrier barrier;
    pid_t child;
} party;

static int fork_at_the_barrier(const weft_signal_info *info, void *arg)
{
    party *p = arg;
    (void)info;
    p->child = fork();
    return p->child == 0 ? 0 : -20001;
}

/* In the child nobody has come yet. */
static void a_child_that_a_handler_forks_is_out_of_the_round(void **state)
{
    party p = {.barrier = {.parties = 2}, .child = -1};
    int status = 0;
    (void)state;
    assert_int_equal(weft_signal_set(SIGUSR1, fork_at_the_barrier, &p), 0);
    raise(SIGUSR1);
    int r = weft_barrier_wait(&p.barrier, WEFT_FOREVER);
    if (p.child == 0)
        _exit(r != WEFT_EFORKED || weft_barrier_n_waiting(&p.barrier) != 0 ||
              weft_barrier_wait(&p.barrier, WEFT_NOWAIT) != -ETIMEDOUT);
    assert_int_equal(r, -20001);
    assert_int_equal(waitpid(p.child, &status, 0), p.child);
    assert_int_equal(status, 0);
    assert_int_equal(weft_barrier_n_waiting(&p.barrier), 0);
    assert_int_equal(weft_signal_restore(SIGUSR1), 0);
}

static int shut_down(void **state)
{
    (void)state;
    return weft_shutdown(WEFT_FOREVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(an_item_reaches_those_behind_an_interrupted_get),
        weft_test(a_handler_may_wait_for_the_lock_that_it_interrupts_the_wait_for),
        weft_test(a_wait_for_a_lock_has_its_deadline_among_handlers),
        weft_test(a_child_that_a_handler_forks_is_out_of_the_wait),
        weft_test(a_child_that_a_handler_forks_is_out_of_the_round),
    };
    return cmocka_run_group_tests(tests, NULL, shut_down);
}
