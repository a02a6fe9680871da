/* SPDX-License-Identifier: MIT */
/* Each allocation of the public functions made to fail, once and from then on: a code, no crash, no
 * leak, the out handle NULL. */
#include "support/places.h"

static int answer(void *arg)
{
    (void)arg;
    return 4;
}

static int not_null(const void *handle, int r)
{
    return r < 0 && handle != NULL ? -EIO : r; /* -EIO is none that may come */
}

static int open_future(void *arg)
{
    weft_future *future = arg;
    int r = weft_future_open(&future);
    r = not_null(future, r);
    if (r == 0)
        r = weft_handle_set_name(future, "a name");
    weft_release(future);
    return r;
}

static int open_source(void *arg)
{
    weft_event event = {0};
    weft_source *source = arg;
    int r = weft_source_from_event(&source, &event);
    weft_release(r < 0 ? NULL : source);
    if (r < 0)
        return not_null(source, r);
    r = weft_source_from_fd(&source, 0, WEFT_READABLE);
    r = not_null(source, r);
    weft_release(source);
    return r;
}

static int open_queue(void *arg)
{
    weft_queue *queue = arg;
    weft_bytes item = {NULL, 0};
    int r = weft_queue_open(&queue, &(weft_queue_options){.name = "a name"});
    r = not_null(queue, r);
    for (int i = 0; r >= 0 && i < 40; i++)
        r = weft_queue_put(queue, "some text", 10, WEFT_NOWAIT);
    if (r >= 0)
        r = weft_queue_get_bytes(queue, &item, WEFT_NOWAIT);
    weft_free(item.data);
    weft_release(queue);
    return r;
}

static int start_thread(void *arg)
{
    char large[2000] = "";
    weft_thread *thread = arg;
    int r =
        weft_thread_start(&thread, answer, WEFT_ARG(large), &(weft_thread_options){.name = "name"});
    r = not_null(thread, r);
    if (r == 0)
        r = weft_result(thread, WEFT_NONE, WEFT_FOREVER);
    if (thread != NULL)
        weft_thread_join(thread, WEFT_FOREVER);
    weft_release(thread);
    return r;
}

static int wait_for_many(void *arg)
{
    weft_future *futures[20];
    int r = 0, count = 0;
    (void)arg;
    while (r == 0 && count < 20)
        if ((r = weft_future_open(&futures[count])) == 0)
            count++;
    if (r == 0 && (r = weft_wait_any(futures, 20, 1e-5)) == -ETIMEDOUT)
        r = 0;
    if (r == 0 && (r = weft_gather(futures, 20, WEFT_NOWAIT)) == -ETIMEDOUT)
        r = 0;
    weft_release_many(futures, (size_t)count);
    return r;
}

static int start_tasks(void *arg)
{
    char large[9000] = "";
    weft_task *task = arg;
    int r = weft_task_start(&task, answer, WEFT_ARG(large), &(weft_task_options){.name = "name"});
    r = not_null(task, r);
    if (r == 0)
        r = weft_result(task, WEFT_NONE, WEFT_FOREVER);
    weft_release(task);
    weft_call *call = arg;
    if (r >= 0) {
        r = weft_loop_call_later(weft_loop_current(), &call, 0, answer, WEFT_NONE);
        r = not_null(call, r); /* not in one: the arguments of a call are in no order */
    } else {
        call = NULL;
    }
    if (r >= 0)
        r = weft_result(call, WEFT_NONE, WEFT_FOREVER);
    weft_release(call);
    return r;
}

static int run_loop(void *arg)
{
    return weft_run(start_tasks, WEFT_POINTER(arg), &(weft_loop_options){.name = "name"});
}

static int open_pool(void *arg)
{
    weft_executor *pool = arg;
    int r =
        weft_thread_pool_open(&pool, &(weft_thread_pool_options){.max_workers = 1, .name = "name"});
    r = not_null(pool, r);
    weft_release(pool);
    return r;
}

static void loop(int (*scenario)(void *arg))
{
    int mark = 0;
    weft_error(-EPERM, "so that there is room for a message");
    for (int i = 0; i < 3; i++)
        assert_true(scenario(&mark) >= 0);
    assert_true(allocator_fault_loop(scenario, &mark) > 0);
    assert_true(scenario(&mark) >= 0);
}

#define CASE(scenario)                                                                             \
    static void fault_in_##scenario(void **state)                                                  \
    {                                                                                              \
        (void)state;                                                                               \
        loop(scenario);                                                                            \
    }

CASE(open_future)
CASE(open_source)
CASE(open_queue)
CASE(start_thread)
CASE(wait_for_many)
CASE(run_loop)
CASE(open_pool)

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(fault_in_open_future),   weft_test(fault_in_open_source),
        weft_test(fault_in_open_queue),    weft_test(fault_in_start_thread),
        weft_test(fault_in_wait_for_many), weft_test(fault_in_run_loop),
        weft_test(fault_in_open_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
