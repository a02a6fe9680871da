/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "core/list.h"

typedef struct item {
    int number;
    weft_link link;
} item;

static int number_of(const weft_link *link)
{
    return WEFT_CONTAINER(link, item, link)->number;
}

static void a_zeroed_list_is_empty(void **state)
{
    (void)state;
    weft_list list = {0};
    assert_true(weft_list_empty(&list));
    assert_null(weft_list_first(&list));
    assert_null(weft_list_pop(&list));
    assert_true(weft_list_empty(&list));
}

static void what_is_appended_leaves_in_order(void **state)
{
    (void)state;
    weft_list list = {0};
    item items[5];
    for (int i = 0; i < 5; i++) {
        items[i] = (item){.number = i};
        assert_false(weft_link_linked(&items[i].link));
        weft_list_append(&list, &items[i].link);
        assert_true(weft_link_linked(&items[i].link));
    }
    for (int i = 0; i < 5; i++) {
        weft_link *link = weft_list_pop(&list);
        assert_int_equal(number_of(link), i);
        assert_false(weft_link_linked(link));
    }
    assert_null(weft_list_pop(&list));
}

static void what_is_prepended_comes_first(void **state)
{
    (void)state;
    weft_list list = {0};
    item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    weft_list_prepend(&list, &items[1].link);
    weft_list_append(&list, &items[2].link);
    weft_list_prepend(&list, &items[0].link);
    int next = 0;
    for (weft_link *link = weft_list_first(&list); link != NULL; link = weft_list_next(&list, link))
        assert_int_equal(number_of(link), next++);
    assert_int_equal(next, 3);
}

static void any_can_be_removed(void **state)
{
    (void)state;
    for (int gone = 0; gone < 4; gone++) {
        weft_list list = {0};
        item items[4];
        for (int i = 0; i < 4; i++) {
            items[i] = (item){.number = i};
            weft_list_append(&list, &items[i].link);
        }
        weft_list_remove(&items[gone].link);
        assert_false(weft_link_linked(&items[gone].link));
        for (int i = 0; i < 4; i++) {
            if (i != gone)
                assert_int_equal(number_of(weft_list_pop(&list)), i);
        }
        assert_true(weft_list_empty(&list));
        weft_list_append(&list, &items[gone].link);
        assert_int_equal(number_of(weft_list_first(&list)), gone);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        census_test(a_zeroed_list_is_empty),
        census_test(what_is_appended_leaves_in_order),
        census_test(what_is_prepended_comes_first),
        census_test(any_can_be_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
