/* SPDX-License-Identifier: MIT */
/*
 * words: a table of words with their counts, in plain C: what the example wordfreq counts with.
 */
#ifndef EXAMPLES_SUPPORT_WORDS_H
#define EXAMPLES_SUPPORT_WORDS_H

#include <stddef.h>
#include <stdint.h>

typedef struct word {
    char *text; /* NULL: a free place */
    size_t length, count;
    uint32_t hash;
} word;

/* Zeroed is empty. Open addressing; `room` is a power of two. */
typedef struct words {
    word *places;
    size_t room, used;
} words;

/* All functions return 0 or a negative code with its message (weft_error). */

int words_add(words *all, const char *text, size_t length, size_t count);

/* Adds the words of a file: runs of ASCII letters, lower-cased; any bytes may stand between them.
 */
int words_add_file(words *all, const char *path);

/* The table as result bytes of the running weft_fn, and those bytes added to a table. */
int words_return(const words *all);
int words_add_returned(words *all, const void *data, size_t size);

/* An array of `used` words, the most frequent first; the texts stay the table's. To be freed. NULL:
 * no memory. */
word *words_sorted(const words *all);

void words_clear(words *all);

#endif
