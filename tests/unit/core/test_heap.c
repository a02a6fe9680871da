/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/heap.h"

enum { ITEMS = 400, ROUNDS = 20000 };

typedef struct entry {
    weft_heap_item item;
    weft_instant deadline;
    unsigned long order; /* of the insertion; 0: not in the heap */
} entry;

/* The model: the first by deadline, then by the order of insertion. */
static entry *first_of(entry *entries)
{
    entry *first = NULL;
    for (int i = 0; i < ITEMS; i++) {
        entry *each = &entries[i];
        if (each->order == 0)
            continue;
        if (first == NULL || each->deadline < first->deadline ||
            (each->deadline == first->deadline && each->order < first->order))
            first = each;
    }
    return first;
}

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void check_against(const weft_heap *heap, entry *entries)
{
    entry *first = first_of(entries);
    assert_true(weft_heap_next(heap) == (first != NULL ? first->deadline : WEFT_INSTANT_NEVER));
}

static void pop_and_compare(weft_heap *heap, entry *entries, weft_instant now)
{
    entry *first = first_of(entries);
    weft_heap_item *popped = weft_heap_pop_due(heap, now);
    if (first == NULL || first->deadline > now) {
        assert_null(popped);
        return;
    }
    assert_ptr_equal(popped, &first->item);
    assert_int_equal(popped->index, 0);
    first->order = 0;
}

static void it_is_like_a_sorted_list(void **state)
{
    (void)state;
    static entry entries[ITEMS];
    weft_heap heap = {0};
    unsigned long order = 0;
    for (int round = 0; round < ROUNDS; round++) {
        entry *each = &entries[next_random() % ITEMS];
        switch (next_random() % 4) {
        case 0:
        case 1:
            if (each->order != 0)
                break;
            each->deadline = (weft_instant)(next_random() % 50) + 1;
            each->order = ++order;
            assert_int_equal(weft_heap_insert(&heap, &each->item, each->deadline), 0);
            assert_true(each->item.index > 0);
            break;
        case 2:
            weft_heap_remove(&heap, &each->item); /* also when it is not in it */
            each->order = 0;
            assert_int_equal(each->item.index, 0);
            break;
        default:
            pop_and_compare(&heap, entries, (weft_instant)(next_random() % 60));
        }
        check_against(&heap, entries);
    }
    while (first_of(entries) != NULL)
        pop_and_compare(&heap, entries, 100);
    assert_int_equal(heap.count, 0);
    weft_heap_clear(&heap);
}

static void equal_deadlines_leave_in_order(void **state)
{
    (void)state;
    weft_heap heap = {0};
    weft_heap_item items[100] = {{0}};
    for (int i = 0; i < 100; i++)
        assert_int_equal(weft_heap_insert(&heap, &items[i], 7), 0);
    assert_null(weft_heap_pop_due(&heap, 6));
    for (int i = 0; i < 100; i++)
        assert_ptr_equal(weft_heap_pop_due(&heap, 7), &items[i]);
    weft_heap_clear(&heap);
}

static void what_is_reserved_needs_no_memory(void **state)
{
    (void)state;
    weft_heap heap = {0};
    weft_heap_item items[70] = {{0}};
    assert_int_equal(weft_heap_reserve(&heap, 70), 0);
    allocator_fail(1, ALLOCATOR_ONWARDS);
    for (int i = 0; i < 70; i++)
        assert_int_equal(weft_heap_insert(&heap, &items[i], i), 0);
    assert_false(allocator_failed());
    allocator_fail(0, ALLOCATOR_ONCE);
    weft_heap_clear(&heap);
}

static void without_memory_it_stays_as_it_is(void **state)
{
    (void)state;
    weft_heap heap = {0};
    weft_heap_item items[2000] = {{0}};
    allocator_fail(1, ALLOCATOR_ONCE);
    assert_int_equal(weft_heap_insert(&heap, &items[0], 1), -ENOMEM);
    assert_int_equal(items[0].index, 0);
    allocator_fail(0, ALLOCATOR_ONCE);
    assert_int_equal(weft_heap_insert(&heap, &items[0], 1), 0);
    allocator_fail(1, ALLOCATOR_ONWARDS);
    int inserted = 1;
    while (inserted < 2000 && weft_heap_insert(&heap, &items[inserted], inserted + 1) == 0)
        inserted++;
    assert_true(inserted < 2000);
    allocator_fail(0, ALLOCATOR_ONCE);
    for (int i = 0; i < inserted; i++)
        assert_ptr_equal(weft_heap_pop_due(&heap, 5000), &items[i]);
    assert_null(weft_heap_pop_due(&heap, 5000));
    weft_heap_clear(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        census_test(it_is_like_a_sorted_list),
        census_test(equal_deadlines_leave_in_order),
        census_test(what_is_reserved_needs_no_memory),
        census_test(without_memory_it_stays_as_it_is),
    };
    const char *seed = getenv("WEFT_TEST_SEED");
    random_state = seed != NULL ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) * 2654435761u | 1;
    printf("WEFT_TEST_SEED=%llu\n", (unsigned long long)random_state);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
