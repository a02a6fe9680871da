/* SPDX-License-Identifier: MIT */
/* What holds for every order: what is promised to a waiter, who gives back what he was given, the
 * two ends, and what signal handlers may do. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include <weft.h>

#include "support/coroutines.h"
#include "support/support.h"

static weft_queue *new_queue(weft_queue_order order, size_t maxsize, size_t item_size)
{
    weft_queue *queue;
    const weft_queue_options options = {.order = order, .maxsize = maxsize, .item_size = item_size};
    assert_int_equal(weft_queue_open(&queue, &options), 0);
    return queue;
}

static void settle(weft_runner *runner)
{
    for (int i = 0; i < 4; i++)
        weft_runner_turn(runner, WEFT_INSTANT_NOW);
}

typedef struct party {
    weft_queue *queue;
    int r, n;
    double timeout;
} party;

static void get_one(void *arg)
{
    party *p = arg;
    p->r = weft_queue_get(p->queue, WEFT_OUT(p->n), p->timeout);
}

static void put_one(void *arg)
{
    party *p = arg;
    p->r = weft_queue_put(p->queue, WEFT_ARG(p->n), p->timeout);
}

static party new_party(weft_queue *queue, int n)
{
    return (party){queue, 1, n, WEFT_FOREVER};
}

static void in_each_order(void (*behaves)(weft_queue_order order))
{
    behaves(WEFT_QUEUE_FIFO);
    behaves(WEFT_QUEUE_LIFO);
    behaves(WEFT_QUEUE_PRIORITY);
}

/* ---- Promises ---------------------------------------------------------------------------------
 */

static void promised_item(weft_queue_order order)
{
    weft_queue *queue = new_queue(order, 0, sizeof(int));
    party getter = new_party(queue, 0);
    unsigned left = 0;
    int n;
    weft_runner *runner = coroutines_open();
    coroutine_spawn(runner, &left, get_one, &getter);
    settle(runner);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG((int){5}), WEFT_FOREVER), 0);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_queue_get_many(queue, &n, sizeof(n), 1, WEFT_NOWAIT), -ETIMEDOUT);
    assert_false(weft_done(queue));
    coroutines_run(runner, &left);
    assert_int_equal(getter.n, 5);
    weft_runner_close(runner);
    weft_release(queue);
}

static void a_promised_item_is_not_taken_by_another(void **state)
{
    (void)state;
    in_each_order(promised_item);
}

static void next_is(weft_queue *queue, int expected)
{
    int n;
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), sizeof(n));
    assert_int_equal(n, expected);
}

static void cancelled_getter(weft_queue_order order)
{
    weft_queue *queue = new_queue(order, 0, sizeof(int));
    party first = new_party(queue, 0), second = new_party(queue, 0);
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    weft_context *context = coroutine_spawn(runner, &left, get_one, &first);
    coroutine_spawn(runner, &left, get_one, &second);
    settle(runner);
    assert_int_equal(left, 2);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG((int){1}), WEFT_FOREVER), 0);
    weft_context_cancel(context); /* after the wake-up */
    coroutines_run(runner, &left);
    assert_int_equal(first.r, -ECANCELED);
    assert_int_equal(second.r, sizeof(int));
    assert_int_equal(second.n, 1);

    context = coroutine_spawn(runner, &left, get_one, &first);
    settle(runner);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG((int){2}), WEFT_FOREVER), 0);
    weft_context_cancel(context);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG((int){3}), WEFT_FOREVER), 0);
    coroutines_run(runner, &left);
    assert_int_equal(first.r, -ECANCELED);
    next_is(queue, order == WEFT_QUEUE_LIFO ? 3 : 2);
    next_is(queue, order == WEFT_QUEUE_LIFO ? 2 : 3);
    weft_runner_close(runner);
    weft_release(queue);
}

static void a_cancelled_getter_leaves_the_item_in_its_place(void **state)
{
    (void)state;
    in_each_order(cancelled_getter);
}

static void late_getter(weft_queue_order order)
{
    weft_queue *queue = new_queue(order, 0, sizeof(int));
    party getter = new_party(queue, 0);
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    getter.timeout = 0.001;
    coroutine_spawn(runner, &left, get_one, &getter);
    coroutines_run(runner, &left);
    assert_int_equal(getter.r, -ETIMEDOUT);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG((int){4}), WEFT_FOREVER), 0);
    next_is(queue, 4); /* it was promised to nobody */
    weft_runner_close(runner);
    weft_release(queue);
}

static void a_getter_whose_time_was_up_is_promised_nothing(void **state)
{
    (void)state;
    in_each_order(late_getter);
}

static void best_when_it_resumes(weft_queue_order order, int best)
{
    weft_queue *queue = new_queue(order, 0, sizeof(int));
    party getter = new_party(queue, 0);
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    coroutine_spawn(runner, &left, get_one, &getter);
    settle(runner);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG((int){7}), WEFT_FOREVER), 0);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG((int){2}), WEFT_FOREVER), 0);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG((int){9}), WEFT_FOREVER), 0);
    coroutines_run(runner, &left);
    assert_int_equal(getter.n, best);
    weft_runner_close(runner);
    weft_release(queue);
}

static void a_getter_takes_what_is_next_when_it_resumes(void **state)
{
    (void)state;
    best_when_it_resumes(WEFT_QUEUE_FIFO, 7);
    best_when_it_resumes(WEFT_QUEUE_LIFO, 9);
    best_when_it_resumes(WEFT_QUEUE_PRIORITY, 2);
}

static void cancelled_putter(weft_queue_order order)
{
    weft_queue *queue = new_queue(order, 1, sizeof(int));
    party first = new_party(queue, 1), second = new_party(queue, 2);
    unsigned left = 0;
    weft_runner *runner = coroutines_open();
    assert_int_equal(weft_queue_put(queue, WEFT_ARG((int){0}), WEFT_FOREVER), 0);
    weft_context *context = coroutine_spawn(runner, &left, put_one, &first);
    coroutine_spawn(runner, &left, put_one, &second);
    settle(runner);
    next_is(queue, 0);
    /* the room is the first one's */
    assert_int_equal(weft_queue_put(queue, WEFT_ARG((int){9}), WEFT_NOWAIT), -ETIMEDOUT);
    weft_context_cancel(context);
    coroutines_run(runner, &left);
    assert_int_equal(first.r, -ECANCELED);
    assert_int_equal(second.r, 0);
    next_is(queue, 2);
    assert_int_equal(weft_queue_qsize(queue), 0);
    weft_runner_close(runner);
    weft_release(queue);
}

static void a_cancelled_putter_gives_its_room_to_the_next(void **state)
{
    (void)state;
    in_each_order(cancelled_putter);
}

static void getter_without_room(weft_queue_order order)
{
    weft_queue *queue = new_queue(order, 0, 0);
    party small = new_party(queue, 0), next = new_party(queue, 0);
    unsigned left = 0;
    char large[40] = "";
    weft_runner *runner = coroutines_open();
    coroutine_spawn(runner, &left, get_one, &small);
    coroutine_spawn(runner, &left, get_one, &next);
    settle(runner);
    assert_int_equal(weft_queue_put(queue, large, sizeof(large), WEFT_FOREVER), 0);
    coroutines_run(runner, &left);
    assert_int_equal(small.r, -EMSGSIZE);
    assert_int_equal(next.r, -EMSGSIZE);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(large), WEFT_NOWAIT), sizeof(large));
    weft_runner_close(runner);
    weft_release(queue);
}

static void a_getter_without_room_lets_the_next_have_it(void **state)
{
    (void)state;
    in_each_order(getter_without_room);
}

static int put_later(void *arg)
{
    return weft_queue_put(arg, WEFT_ARG((int){42}), WEFT_FOREVER);
}

static void waited_for(weft_queue_order order)
{
    weft_queue *queues[2] = {new_queue(order, 0, sizeof(int)), new_queue(order, 0, sizeof(int))};
    weft_thread *thread;
    assert_int_equal(weft_wait(queues[0], WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_wait_any(queues, 2, 0.001), -ETIMEDOUT);
    assert_int_equal(weft_thread_start(&thread, put_later, WEFT_POINTER(queues[1]), NULL), 0);
    assert_int_equal(weft_wait_any(queues, 2, WEFT_FOREVER), 1);
    assert_true(weft_done(queues[1]));
    next_is(queues[1], 42);
    assert_false(weft_done(queues[1]));
    weft_thread_join(thread, WEFT_FOREVER);
    weft_release(thread);
    weft_queue_shutdown(queues[0], WEFT_SHUTDOWN_DRAIN);
    assert_int_equal(weft_wait_any(queues, 2, WEFT_FOREVER), 0);
    weft_release_many(queues, 2);
}

static void it_can_be_waited_for_among_others(void **state)
{
    (void)state;
    in_each_order(waited_for);
}

/* ---- The ends ---------------------------------------------------------------------------------
 */

static void draining(weft_queue_order order)
{
    weft_queue *queue = new_queue(order, 2, sizeof(int));
    party putter = new_party(queue, 3);
    unsigned left = 0;
    int n = 1;
    weft_runner *runner = coroutines_open();
    weft_queue_put(queue, WEFT_ARG(n), WEFT_FOREVER);
    weft_queue_put(queue, WEFT_ARG(n), WEFT_FOREVER);
    coroutine_spawn(runner, &left, put_one, &putter);
    settle(runner);
    assert_int_equal(weft_queue_shutdown(queue, WEFT_SHUTDOWN_DRAIN), 0);
    coroutines_run(runner, &left);
    assert_int_equal(putter.r, WEFT_ESHUTDOWN);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG(n), WEFT_NOWAIT), WEFT_ESHUTDOWN);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_FOREVER), sizeof(n));
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_FOREVER), sizeof(n));
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_FOREVER), WEFT_ESHUTDOWN);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT), WEFT_ESHUTDOWN);
    weft_runner_close(runner);
    weft_release(queue);
}

static void draining_serves_what_is_there(void **state)
{
    (void)state;
    in_each_order(draining);
}

static void immediate_end(weft_queue_order order)
{
    weft_queue *queue = new_queue(order, 0, 0), *empty = new_queue(order, 0, sizeof(int));
    party getter = new_party(empty, 0), promised = new_party(empty, 0);
    unsigned left = 0;
    char large[100] = "";
    weft_runner *runner = coroutines_open();
    for (int i = 0; i < 40; i++)
        weft_queue_put(queue, large, i % 2 == 0 ? 4 : sizeof(large), WEFT_FOREVER);
    assert_int_equal(weft_queue_shutdown(queue, WEFT_SHUTDOWN_DRAIN), 0);
    assert_int_equal(weft_queue_join(queue, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_queue_shutdown(queue, WEFT_SHUTDOWN_IMMEDIATE), 0);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(large), WEFT_FOREVER), WEFT_ESHUTDOWN);
    assert_int_equal(weft_queue_unfinished(queue), 0);
    assert_int_equal(weft_queue_join(queue, WEFT_FOREVER), 0);

    coroutine_spawn(runner, &left, get_one, &promised);
    coroutine_spawn(runner, &left, get_one, &getter);
    settle(runner);
    weft_queue_put(empty, WEFT_ARG((int){1}), WEFT_FOREVER);
    assert_int_equal(weft_queue_shutdown(empty, WEFT_SHUTDOWN_IMMEDIATE), 0);
    coroutines_run(runner, &left);
    assert_int_equal(promised.r, WEFT_ESHUTDOWN);
    assert_int_equal(getter.r, WEFT_ESHUTDOWN);
    assert_int_equal(weft_queue_qsize(empty), 0);
    weft_runner_close(runner);
    weft_release(queue);
    weft_release(empty);
}

static void an_immediate_end_drops_and_wakes_all(void **state)
{
    (void)state;
    in_each_order(immediate_end);
}

static void an_end_leaves_what_was_taken_unfinished(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(WEFT_QUEUE_FIFO, 0, sizeof(int));
    for (int i = 0; i < 3; i++)
        weft_queue_put(queue, WEFT_ARG(i), WEFT_NOWAIT);
    next_is(queue, 0);
    assert_int_equal(weft_queue_shutdown(queue, WEFT_SHUTDOWN_IMMEDIATE), 0);
    assert_int_equal(weft_queue_unfinished(queue), 1);
    assert_int_equal(weft_queue_join(queue, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_queue_task_done(queue), 0);
    assert_int_equal(weft_queue_join(queue, WEFT_NOWAIT), 0);
    assert_int_equal(weft_queue_task_done(queue), -EINVAL);
    weft_release(queue);
}

/* ---- Signal handlers --------------------------------------------------------------------------
 */

static int handled;

static int put_signum(const weft_signal_info *info, void *arg)
{
    handled++;
    return weft_queue_put(arg, WEFT_ARG((int){info->signum}), WEFT_NOWAIT);
}

static int get_number(const weft_signal_info *info, void *arg)
{
    int n;
    (void)info;
    handled++;
    int r = weft_queue_get(arg, WEFT_OUT(n), WEFT_NOWAIT);
    return r < 0 ? r : 0;
}

/* As a signal that comes while the wait has begun, or is about to. */
static int send_signals(void *arg)
{
    int count = *(int *)arg;
    for (int i = 0; i < count; i++) {
        kill(getpid(), SIGUSR1);
        weft_sleep(0);
    }
    return 0;
}

static weft_thread *send(int count)
{
    weft_thread *thread;
    assert_int_equal(weft_thread_start(&thread, send_signals, WEFT_ARG(count), NULL), 0);
    return thread;
}

static void joined(weft_thread *thread)
{
    assert_int_equal(weft_thread_join(thread, WEFT_FOREVER), 0);
    weft_release(thread);
}

static void handler_puts(weft_queue_order order)
{
    weft_queue *queue = new_queue(order, 0, sizeof(int));
    int n = 0;
    assert_int_equal(weft_signal_set(SIGUSR1, put_signum, queue), 0);
    weft_thread *sender = send(1);
    assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_FOREVER), sizeof(n));
    assert_int_equal(n, SIGUSR1);
    joined(sender);
    assert_int_equal(weft_signal_restore(SIGUSR1), 0);
    weft_release(queue);
}

static void a_handler_puts_into_the_queue_that_is_waited_for(void **state)
{
    (void)state;
    in_each_order(handler_puts);
}

static void handler_gets(weft_queue_order order)
{
    weft_queue *queue = new_queue(order, 1, sizeof(int));
    int in[] = {1, 2, 3};
    assert_int_equal(weft_queue_put(queue, WEFT_ARG(in[0]), WEFT_FOREVER), 0);
    assert_int_equal(weft_signal_set(SIGUSR1, get_number, queue), 0);
    weft_thread *sender = send(1);
    assert_int_equal(weft_queue_put(queue, WEFT_ARG(in[1]), WEFT_FOREVER), 0);
    joined(sender);
    assert_int_equal(weft_signal_restore(SIGUSR1), 0);
    next_is(queue, 2);
    weft_release(queue);
}

static void a_handler_makes_room_in_the_queue_that_is_waited_for(void **state)
{
    (void)state;
    in_each_order(handler_gets);
}

static void a_handler_that_fails_in_a_batch_ends_the_next_wait(void **state)
{
    (void)state;
    weft_queue *queue = new_queue(WEFT_QUEUE_FIFO, 1, sizeof(int));
    int in[] = {1, 2, 3};
    assert_int_equal(weft_signal_set(SIGUSR1, weft_signal_interrupt, NULL), 0);
    weft_thread *sender = send(1);
    assert_int_equal(weft_queue_put_many(queue, in, sizeof(int), 3, WEFT_FOREVER), 1);
    assert_int_equal(weft_sleep(10), WEFT_EINTERRUPTED);
    assert_int_equal(weft_sleep(0), 0);
    joined(sender);
    assert_int_equal(weft_signal_restore(SIGUSR1), 0);
    weft_release(queue);
}

static void handlers_put(weft_queue_order order)
{
    weft_queue *queue = new_queue(order, 0, sizeof(int));
    int n, signals = 0, own = 0;
    handled = 0;
    assert_int_equal(weft_signal_set(SIGUSR1, put_signum, queue), 0);
    weft_thread *sender = send(500);
    for (int i = 0; i < 20000 || !weft_done(sender); i++) {
        assert_int_equal(weft_queue_put(queue, WEFT_ARG((int){-1}), WEFT_FOREVER), 0);
        own++;
        assert_int_equal(weft_queue_get(queue, WEFT_OUT(n), WEFT_FOREVER), sizeof(n));
        n < 0 ? own-- : signals++;
        if (i % 100 == 0)
            assert_int_equal(weft_signal_check(), 0);
    }
    joined(sender);
    assert_int_equal(weft_signal_check(), 0);
    assert_int_equal(weft_signal_restore(SIGUSR1), 0);
    while (weft_queue_get(queue, WEFT_OUT(n), WEFT_NOWAIT) == sizeof(n))
        n < 0 ? own-- : signals++;
    assert_int_equal(own, 0);
    assert_int_equal(signals, handled);
    assert_true(handled > 0);
    weft_release(queue);
}

static void handlers_may_put_in_the_middle_of_everything(void **state)
{
    (void)state;
    in_each_order(handlers_put);
}

static int shut_down(void **state)
{
    (void)state;
    return weft_shutdown(WEFT_FOREVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(a_promised_item_is_not_taken_by_another),
        weft_test(a_cancelled_getter_leaves_the_item_in_its_place),
        weft_test(a_getter_whose_time_was_up_is_promised_nothing),
        weft_test(a_getter_takes_what_is_next_when_it_resumes),
        weft_test(a_cancelled_putter_gives_its_room_to_the_next),
        weft_test(a_getter_without_room_lets_the_next_have_it),
        weft_test(it_can_be_waited_for_among_others),
        weft_test(draining_serves_what_is_there),
        weft_test(an_immediate_end_drops_and_wakes_all),
        weft_test(an_end_leaves_what_was_taken_unfinished),
        weft_test(a_handler_puts_into_the_queue_that_is_waited_for),
        weft_test(a_handler_makes_room_in_the_queue_that_is_waited_for),
        weft_test(a_handler_that_fails_in_a_batch_ends_the_next_wait),
        weft_test(handlers_may_put_in_the_middle_of_everything),
    };
    return cmocka_run_group_tests(tests, NULL, shut_down);
}
