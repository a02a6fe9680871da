/* SPDX-License-Identifier: MIT */
/* What all values have in common: a pointer to none is an error with a message, never a crash. */
#include "support/support.h"

#include <errno.h>
#include <string.h>
#include <weft.h>

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static bool yes(void *arg)
{
    (void)arg;
    return true;
}

static void a_lock_that_is_null_is_refused(void **state)
{
    (void)state;
    assert_int_equal(weft_lock_acquire(NULL, WEFT_NOWAIT), -EINVAL);
    assert_string_equal(weft_error_message(), "acquire a lock: it is NULL");
    assert_int_equal(weft_lock_release(NULL), -EINVAL);
    assert_false(weft_lock_locked(NULL));
    assert_int_equal(weft_rlock_acquire(NULL, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_rlock_release(NULL), -EINVAL);
    assert_false(weft_rlock_locked(NULL));
    assert_int_equal(weft_rwlock_acquire_read(NULL, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_rwlock_acquire_write(NULL, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_rwlock_release_read(NULL), -EINVAL);
    assert_int_equal(weft_rwlock_release_write(NULL), -EINVAL);
}

static void a_condition_that_is_null_is_refused(void **state)
{
    (void)state;
    assert_int_equal(weft_condition_acquire(NULL, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_condition_release(NULL), -EINVAL);
    assert_false(weft_condition_locked(NULL));
    assert_int_equal(weft_condition_wait(NULL, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_condition_wait_for(NULL, yes, NULL, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_condition_wait_for(&(weft_condition){0}, NULL, NULL, WEFT_NOWAIT),
                     -EINVAL);
    assert_string_equal(weft_error_message(), "wait of a condition: no predicate");
    assert_int_equal(weft_condition_notify(NULL, 1), -EINVAL);
    assert_int_equal(weft_condition_notify_all(NULL), -EINVAL);
}

static void what_is_waited_for_and_null_is_refused(void **state)
{
    (void)state;
    assert_int_equal(weft_semaphore_acquire(NULL, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_semaphore_release(NULL, 1), -EINVAL);
    assert_int_equal(weft_semaphore_value(NULL), 0);
    weft_event_set(NULL);
    assert_string_equal(weft_error_message(), "set an event: it is NULL");
    weft_event_clear(NULL);
    assert_false(weft_event_is_set(NULL));
    assert_int_equal(weft_event_wait(NULL, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_barrier_wait(NULL, WEFT_NOWAIT), -EINVAL);
    assert_int_equal(weft_barrier_abort(NULL), -EINVAL);
    assert_int_equal(weft_barrier_reset(NULL), -EINVAL);
    assert_int_equal(weft_barrier_n_waiting(NULL), 0);
    assert_false(weft_barrier_broken(NULL));
}

static void a_once_or_local_that_is_null_is_refused(void **state)
{
    (void)state;
    assert_int_equal(weft_once_run(NULL, nothing, NULL, WEFT_NOWAIT), -EINVAL);
    assert_false(weft_once_done(NULL));
    assert_null(weft_local_get(NULL));
    assert_non_null(strstr(weft_error_message(), "NULL"));
    assert_null(weft_local_find(NULL));
    weft_local_clear(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(a_lock_that_is_null_is_refused),
        weft_test(a_condition_that_is_null_is_refused),
        weft_test(what_is_waited_for_and_null_is_refused),
        weft_test(a_once_or_local_that_is_null_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
