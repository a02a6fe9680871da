/* SPDX-License-Identifier: MIT */
/*
 * list: an intrusive doubly linked list, first in first out.
 *
 * A link whose `next` is NULL is in no list. No locks here: whoever owns the list says which one
 * guards it.
 */
#ifndef WEFT_CORE_LIST_H
#define WEFT_CORE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct weft_link {
    struct weft_link *next, *previous;
} weft_link;

/* Zeroed is empty; a list that has been used is a ring through its own head. */
typedef struct weft_list {
    weft_link head;
} weft_list;

#define WEFT_CONTAINER(pointer, type, member)                                                      \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline bool weft_list_empty(const weft_list *list)
{
    return list->head.next == NULL || list->head.next == &list->head;
}

static inline bool weft_link_linked(const weft_link *link)
{
    return link->next != NULL;
}

static inline void weft_list_insert_(weft_link *before, weft_link *link)
{
    link->next = before;
    link->previous = before->previous;
    before->previous->next = link;
    before->previous = link;
}

static inline void weft_list_ready_(weft_list *list)
{
    if (list->head.next == NULL)
        list->head.next = list->head.previous = &list->head;
}

static inline void weft_list_append(weft_list *list, weft_link *link)
{
    weft_list_ready_(list);
    weft_list_insert_(&list->head, link);
}

static inline void weft_list_prepend(weft_list *list, weft_link *link)
{
    weft_list_ready_(list);
    weft_list_insert_(list->head.next, link);
}

static inline void weft_list_remove(weft_link *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    link->next = link->previous = NULL;
}

static inline weft_link *weft_list_first(const weft_list *list)
{
    return weft_list_empty(list) ? NULL : list->head.next;
}

/* The one after `link`, NULL at the end. */
static inline weft_link *weft_list_next(const weft_list *list, const weft_link *link)
{
    return link->next == &list->head ? NULL : link->next;
}

static inline weft_link *weft_list_pop(weft_list *list)
{
    weft_link *link = weft_list_first(list);
    if (link != NULL)
        weft_list_remove(link);
    return link;
}

#endif
