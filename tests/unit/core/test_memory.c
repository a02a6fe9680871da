/* SPDX-License-Identifier: MIT */
#include "support/places.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "core/memory.h"

/* An allocator of this test's own, which counts. */
static atomic_long taken, given;
static int mark;
static atomic_bool wrong_arg;

static void *own_realloc(void *memory, size_t size, void *arg)
{
    if (arg != &mark)
        atomic_store(&wrong_arg, true);
    void *block = realloc(memory, size);
    if (memory == NULL && block != NULL)
        atomic_fetch_add(&taken, 1);
    return block;
}

static void own_free(void *memory, void *arg)
{
    if (arg != &mark)
        atomic_store(&wrong_arg, true);
    atomic_fetch_add(&given, 1);
    free(memory);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void a_given_allocator_gets_all_requests(void **state)
{
    (void)state;
    weft_allocator own = {.realloc = own_realloc, .free = own_free, .arg = &mark};
    assert_int_equal(weft_set_allocator(&own), 0);
    own.arg = NULL; /* it was copied */
    size_t others = allocator_requests();
    assert_int_equal(in_a_thread(nothing, NULL), 0);
    assert_int_equal(in_a_task(nothing, NULL), 0);
    assert_int_equal(in_a_job(nothing, NULL), 0);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    assert_int_equal(weft_set_allocator(NULL), 0);
    assert_true(atomic_load(&taken) > 0);
    assert_int_equal(atomic_load(&taken), atomic_load(&given));
    assert_false(atomic_load(&wrong_arg));
    assert_int_equal(allocator_requests(), others);
    assert_int_equal(in_a_thread(nothing, NULL), 0); /* malloc's again */
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    assert_int_equal(atomic_load(&taken), atomic_load(&given));
}

static void half_an_allocator_is_refused(void **state)
{
    (void)state;
    assert_int_equal(weft_set_allocator(&(weft_allocator){.realloc = own_realloc}), -EINVAL);
    assert_int_equal(weft_set_allocator(&(weft_allocator){.free = own_free}), -EINVAL);
}

static void sizes_of_zero_and_too_much(void **state)
{
    (void)state;
    void *a = weft_alloc(0), *b = weft_alloc(0);
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a, b);
    weft_dealloc(a);
    weft_dealloc(b);
    weft_dealloc(NULL);
    weft_free(NULL);
    assert_null(weft_calloc(SIZE_MAX / 2, 3));
    assert_null(weft_memdup("", SIZE_MAX));
}

static void copies_have_a_nul_behind_them(void **state)
{
    (void)state;
    char *copy = weft_memdup("abcd", 2);
    assert_string_equal(copy, "ab");
    weft_free(copy);
    copy = weft_strdup("text");
    assert_string_equal(copy, "text");
    weft_free(copy);
    unsigned char *zeroed = weft_calloc(3, 5);
    for (int i = 0; i < 15; i++)
        assert_int_equal(zeroed[i], 0);
    weft_free(zeroed);
}

static void a_failed_realloc_keeps_the_block(void **state)
{
    (void)state;
    char *block = weft_strdup("kept");
    allocator_fail(1, ALLOCATOR_ONCE);
    assert_null(weft_realloc(block, 100));
    allocator_fail(0, ALLOCATOR_ONCE);
    assert_string_equal(block, "kept");
    block = weft_realloc(block, 100);
    assert_string_equal(block, "kept");
    weft_free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_given_allocator_gets_all_requests, weft_setup, NULL),
        weft_test(half_an_allocator_is_refused),
        weft_test(sizes_of_zero_and_too_much),
        weft_test(copies_have_a_nul_behind_them),
        weft_test(a_failed_realloc_keeps_the_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
