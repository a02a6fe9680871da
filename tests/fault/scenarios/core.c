/* SPDX-License-Identifier: MIT */
#include "fault/scenarios/scenarios.h"

#include <unistd.h>

static void count(void *handle, void *arg)
{
    (void)handle;
    ++*(int *)arg;
}

static int futures_and_their_names(void)
{
    weft_future *future = SCENARIO_JUNK;
    int called = 0, r = weft_future_open(&future);
    if ((r = scenario_started(r, future)) < 0)
        return r;
    r = weft_handle_set_name(future, "a rather long name for such a small thing");
    if (r >= 0)
        r = scenario_expect(r, strlen(weft_handle_name(future)) == 41, "the name");
    else
        r = scenario_first(r, strncmp(weft_handle_name(future), "Future-", 7) == 0
                                  ? 0
                                  : weft_error(SCENARIO_WRONG, "a failed renaming has renamed"));
    weft_handle_set_data(future, &called);
    char text[200];
    if (r >= 0)
        r = weft_handle_describe(future, text, sizeof text);
    if (r >= 0)
        r = weft_add_done_callback(future, count, weft_handle_data(future));
    if (r >= 0)
        r = weft_future_set_result(future, "0123456789abcdef0123456789abcdef", 33);
    if (r >= 0)
        r = scenario_expect(r, called == 1 && weft_done(future), "the callback");
    weft_release(future);
    return r;
}

static int results(void)
{
    weft_future *future;
    const void *data;
    const char *message = NULL;
    char large[4000] = "large", copy[4000] = "";
    size_t size;
    int code = 0, r = weft_future_open(&future);
    if (r < 0)
        return r;
    if ((r = weft_future_set_result(future, WEFT_ARG(large))) >= 0)
        r = weft_result(future, WEFT_OUT(copy), WEFT_FOREVER);
    if (r >= 0)
        r = scenario_expect(r, strcmp(copy, "large") == 0, "the result");
    if (r >= 0)
        r = weft_result_view(future, &data, &size, WEFT_FOREVER);
    if (r >= 0)
        r = scenario_expect(r, size == sizeof large, "the result's size");
    weft_release(future);
    if (r < 0 || (r = weft_future_open(&future)) < 0)
        return r;
    if ((r = weft_future_set_exception(future, -EDOM, "out of it, in words that take room")) >= 0)
        r = weft_exception(future, &code, &message, WEFT_FOREVER);
    if (r >= 0)
        r = scenario_expect(r, code == -EDOM && message != NULL, "the exception");
    if (r >= 0) {
        r = weft_result(future, WEFT_NONE, WEFT_FOREVER);
        r = scenario_expect(0, r == -EDOM || r == -ENOMEM, "the exception's code");
    }
    weft_release(future);
    return r;
}

static int waits_for_many(void)
{
    weft_future *futures[40] = {NULL};
    bool done[40];
    int r = 0;
    for (int i = 0; r >= 0 && i < 40; i++)
        r = weft_future_open(&futures[i]);
    if (r >= 0 && (r = weft_wait_any(futures, 40, 1e-5)) == -ETIMEDOUT)
        r = 0;
    if (r >= 0 && (r = weft_gather(futures, 40, 1e-5)) == -ETIMEDOUT)
        r = 0;
    if (r >= 0)
        r = weft_future_set_result(futures[7], WEFT_NONE);
    if (r >= 0 && (r = weft_wait_any(futures, 40, WEFT_FOREVER)) >= 0)
        r = scenario_expect(r, r == 7, "which of many");
    if (r >= 0)
        r = weft_wait_many(futures, 40, WEFT_WAIT_FIRST_COMPLETED, done, WEFT_FOREVER);
    if (r >= 0)
        r = scenario_expect(r, r == 1 && done[7], "how many");
    if (r >= 0)
        r = weft_wait_all(futures + 7, 1, WEFT_FOREVER);
    if (r >= 0)
        r = weft_cancel(futures[8]);
    if (r >= 0)
        r = weft_wait(futures[8], WEFT_FOREVER);
    if (r >= 0 && (r = weft_retain(futures[8])) >= 0)
        weft_release(futures[8]);
    weft_release_many(futures, 40);
    return r;
}

static int sources(void)
{
    weft_event event = {0};
    weft_source *source = SCENARIO_JUNK;
    int fds[2], r = weft_source_from_event(&source, &event);
    if ((r = scenario_started(r, source)) < 0)
        return r;
    if ((r = weft_wait(source, 1e-5)) == -ETIMEDOUT)
        r = 0;
    weft_event_set(&event);
    r = scenario_first(r, weft_wait(source, WEFT_FOREVER));
    weft_release(source);
    if (r < 0 || pipe(fds) < 0) /* its calls may fail, too */
        return scenario_first(r, -errno);
    source = SCENARIO_JUNK;
    r = weft_source_from_fd(&source, fds[0], WEFT_READABLE);
    r = scenario_started(r, source);
    if (r >= 0 && (r = weft_wait(source, 1e-5)) == -ETIMEDOUT)
        r = 0;
    if (r >= 0)
        r = write(fds[1], "xx", 1) == 1 || write(fds[1], "x", 1) == 1 ? 0 : SCENARIO_WRONG;
    if (r >= 0)
        r = weft_wait_any(&source, 1, WEFT_FOREVER);
    weft_release(source);
    close(fds[0]);
    close(fds[1]);
    return r;
}

static int sleeps_and_scopes(void)
{
    int r = weft_sleep(1e-5);
    r = scenario_first(r, weft_sleep(0));
    if (r < 0)
        return r;
    int scope = weft_timeout_begin(10);
    if (scope < 0)
        return scope;
    r = weft_timeout_reschedule(scope, 1e-4);
    if (r >= 0)
        r = weft_sleep(100);
    r = weft_timeout_end(scope, r);
    return r == -ETIMEDOUT ? 0 : scenario_expect(r, false, "a scope that is over ends a wait");
}

static int messages(void)
{
    int r = weft_error(-EDOM, "%0200d", 4);
    r = scenario_expect(0, r == -EDOM && weft_error_message() != NULL, "the code");
    return scenario_expect(r, weft_strerror(-EDOM) != NULL && weft_error_name(-EDOM) != NULL,
                           "the code's texts");
}

static int ends(void)
{
    return weft_shutdown(WEFT_FOREVER);
}

const scenario scenarios_core[] = {
    SCENARIO(futures_and_their_names, 0), SCENARIO(results, 0),
    SCENARIO(waits_for_many, 0),          SCENARIO(sources, 0),
    SCENARIO(sleeps_and_scopes, 0),       SCENARIO(messages, 0),
    SCENARIO(ends, SCENARIO_THREAD_ONLY), {NULL, NULL, 0},
};
