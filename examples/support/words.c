/* SPDX-License-Identifier: MIT */
#include "words.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <weft.h>

static word *find_word(const words *t, const char *text, size_t length, uint32_t hash)
{
    for (size_t i = hash;; i++) {
        word *w = &t->places[i & (t->room - 1)];
        if (w->text == NULL ||
            (w->hash == hash && w->length == length && memcmp(w->text, text, length) == 0))
            return w;
    }
}

static int grow(words *t)
{
    words bigger = {.room = t->room > 0 ? 2 * t->room : 1024, .used = t->used};
    bigger.places = calloc(bigger.room, sizeof(word));
    if (bigger.places == NULL)
        return weft_error(-ENOMEM, "no memory for %zu words", bigger.room);
    for (size_t i = 0; i < t->room; i++)
        if (t->places[i].text != NULL)
            *find_word(&bigger, t->places[i].text, t->places[i].length, t->places[i].hash) =
                t->places[i];
    free(t->places);
    *t = bigger;
    return 0;
}

static uint32_t hash_of(const char *text, size_t length)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    return hash;
}

int words_add(words *t, const char *text, size_t length, size_t count)
{
    if (2 * t->used >= t->room && grow(t) < 0)
        return -ENOMEM;
    uint32_t hash = hash_of(text, length);
    word *w = find_word(t, text, length, hash);
    if (w->text == NULL) {
        char *copy = malloc(length + 1);
        if (copy == NULL)
            return weft_error(-ENOMEM, "no memory for a word of %zu letters", length);
        memcpy(copy, text, length);
        copy[length] = '\0';
        *w = (word){.text = copy, .length = length, .hash = hash};
        t->used++;
    }
    w->count += count;
    return 0;
}

void words_clear(words *t)
{
    for (size_t i = 0; i < t->room; i++)
        free(t->places[i].text);
    free(t->places);
    *t = (words){0};
}

static int by_count(const void *a, const void *b)
{
    const word *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return strcmp(x->text, y->text);
}

/* The words, the most frequent first; the texts stay the words's. */
word *words_sorted(const words *t)
{
    word *all = malloc((t->used + 1) * sizeof *all);
    size_t n = 0;
    for (size_t i = 0; all != NULL && i < t->room; i++)
        if (t->places[i].text != NULL)
            all[n++] = t->places[i];
    if (all != NULL)
        qsort(all, n, sizeof *all, by_count);
    return all;
}

/* A word that may reach over the end of a block is gathered here. */
typedef struct gathered {
    char *letters;
    size_t length, room;
} gathered;

static int gather(gathered *g, const char *letters, size_t length)
{
    if (g->length + length > g->room) {
        size_t room = 2 * (g->length + length);
        char *grown = realloc(g->letters, room);
        if (grown == NULL)
            return weft_error(-ENOMEM, "no memory for a word of %zu letters", g->length + length);
        g->letters = grown;
        g->room = room;
    }
    memcpy(g->letters + g->length, letters, length);
    g->length += length;
    return 0;
}

static int count_block(words *t, gathered *g, char *block, size_t size)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < size;) {
        size_t start = i;
        while (i < size && (unsigned)((block[i] | 32) - 'a') < 26u) {
            block[i] = (char)(block[i] | 32);
            i++;
        }
        if (i > start && (g->length > 0 || i == size))
            r = gather(g, block + start, i - start);
        else if (i > start)
            r = words_add(t, block + start, i - start, 1);
        if (i < size) { /* not a letter: what was gathered is a word */
            if (r == 0 && g->length > 0)
                r = words_add(t, g->letters, g->length, 1);
            g->length = 0;
            i++;
        }
    }
    return r;
}

/* The result of a job: count, length and letters of each word, one after the other. */
int words_return(const words *t)
{
    int r = weft_return("", 0);
    for (size_t i = 0; r == 0 && i < t->room; i++) {
        const word *w = &t->places[i];
        size_t head[2] = {w->count, w->length};
        if (w->text != NULL && (r = weft_return_append(head, sizeof head)) == 0)
            r = weft_return_append(w->text, w->length);
    }
    return r;
}

int words_add_returned(words *t, const void *data, size_t size)
{
    const char *bytes = data;
    int r = 0;
    for (size_t at = 0, head[2]; r == 0 && at < size; at += sizeof head + head[1]) {
        memcpy(head, bytes + at, sizeof head);
        r = words_add(t, bytes + at + sizeof head, head[1], head[0]);
    }
    return r;
}

int words_add_file(words *t, const char *path)
{
    static char block[1 << 16];
    gathered g = {0};
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int r = 0;
    while (fd >= 0 && r == 0 && (n = read(fd, block, sizeof block)) > 0)
        r = count_block(t, &g, block, (size_t)n);
    if (n < 0)
        r = weft_error(-errno, "%s: %s", path, weft_strerror(-errno));
    if (r == 0 && g.length > 0)
        r = words_add(t, g.letters, g.length, 1);
    if (fd >= 0)
        close(fd);
    free(g.letters);
    return r;
}
