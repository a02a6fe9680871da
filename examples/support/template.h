/* SPDX-License-Identifier: MIT */
/* template: a command with places for an item. */
#ifndef EXAMPLES_TEMPLATE_H
#define EXAMPLES_TEMPLATE_H

/* The words (NULL at the end) with each {} replaced by the item, which comes last where there is
 * none. To be freed by template_free. NULL: no memory. */
char **template_fill(char *const *words, const char *item);

/* NULL is allowed. */
void template_free(char **words);

#endif
