/* SPDX-License-Identifier: MIT */
#include "template.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static char *fill_word(const char *word, const char *item, bool *found)
{
    size_t size = strlen(word) + 1, length = strlen(item), n = 0;
    for (const char *at = word; (at = strstr(at, "{}")) != NULL; at += 2)
        size += length;
    char *filled = malloc(size);
    for (const char *at; filled != NULL && (at = strstr(word, "{}")) != NULL; word = at + 2) {
        memcpy(filled + n, word, (size_t)(at - word));
        n += (size_t)(at - word);
        memcpy(filled + n, item, length);
        n += length;
        *found = true;
    }
    if (filled != NULL)
        strcpy(filled + n, word);
    return filled;
}

char **template_fill(char *const *words, const char *item)
{
    size_t count = 0;
    bool found = false, complete = true;
    while (words[count] != NULL)
        count++;
    char **filled = calloc(count + 2, sizeof *filled);
    for (size_t i = 0; filled != NULL && complete && i <= count; i++) {
        if (i < count || !found)
            complete = (filled[i] = fill_word(i < count ? words[i] : "{}", item, &found)) != NULL;
    }
    if (complete)
        return filled;
    template_free(filled);
    return NULL;
}

void template_free(char **words)
{
    for (size_t i = 0; words != NULL && words[i] != NULL; i++)
        free(words[i]);
    free(words);
}
