/* SPDX-License-Identifier: MIT */
/* What weft relies on before anything else of it has been used: each test in a process of its own,
 * which begins with the call that is tested. */
#include "support/support.h"

#include "core/context.h"
#include "core/fork.h"

static int prepared;

static void prepare(void)
{
    prepared++;
}

static weft_fork_hooks hooks = {.prepare = prepare};

static int is_the_next_generation(struct recorder *recorder, void *arg)
{
    (void)arg;
    RECORD_INT(recorder, (int)weft_fork_generation, 1);
    return 0;
}

static void fork_once(struct recorder *recorder)
{
    struct child child;
    RECORD_INT(recorder, child_start(&child, is_the_next_generation, NULL), 0);
    RECORD_INT(recorder, child_join(&child, recorder), 0);
}

/* A bucket, a list of what is open: they are locked before there is any context. */
static int hooks_first(struct recorder *recorder, void *arg)
{
    (void)arg;
    weft_fork_register(&hooks);
    fork_once(recorder);
    RECORD_INT(recorder, prepared, 1);
    return 0;
}

static int context_first(struct recorder *recorder, void *arg)
{
    (void)arg;
    weft_context *context = weft_context_acquire();
    RECORD(recorder, context != NULL);
    weft_context_release(context);
    fork_once(recorder);
    return 0;
}

static void in_a_process(int (*fn)(struct recorder *, void *))
{
    struct recorder recorder = {0};
    struct child child;
    assert_int_equal(child_start(&child, fn, NULL), 0);
    assert_int_equal(child_join(&child, &recorder), 0);
    recorder_assert(&recorder);
}

static void what_is_registered_for_forks_is_heeded_from_then_on(void **state)
{
    (void)state;
    in_a_process(hooks_first);
}

static void a_first_context_is_guarded_from_forks(void **state)
{
    (void)state;
    in_a_process(context_first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        census_test(what_is_registered_for_forks_is_heeded_from_then_on),
        census_test(a_first_context_is_guarded_from_forks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
