/* SPDX-License-Identifier: MIT */
/*
 * wordfreq: counts the words of all files below a directory, with every module of weft at work.
 *
 *     wordfreq [-j N] [-n TOP] [--serve PORT] DIR
 *
 * A child process (find) lists the files through a pipe while they are worked on already. A pool of
 * processes counts each file; a thread merges the counts, which come to it through a queue; a coroutine
 * draws a progress bar when stderr is a terminal. With --serve, another answers GET /top?n=10 and GET /progress,
 * while the job runs and after it. Ctrl-C ends it in order, with what has been counted; a second one at
 * once. Words are runs of ASCII letters, lower-cased. A file that cannot be read is named and skipped; one
 * whose worker was killed is counted again.
 */
#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <weft.h>

/* ---- Counting: an open hash table of words ----------------------------------------------------- */

typedef struct word {
    char *text; /* NULL: free */
    size_t length, count;
    uint32_t hash;
} word;

typedef struct table {
    word *words;
    size_t room, used; /* room is a power of two */
} table;

static word *find_word(const table *t, const char *text, size_t length, uint32_t hash)
{
    for (size_t i = hash;; i++) {
        word *w = &t->words[i & (t->room - 1)];
        if (w->text == NULL || (w->hash == hash && w->length == length && memcmp(w->text, text, length) == 0))
            return w;
    }
}

static int grow(table *t)
{
    table bigger = {.room = t->room > 0 ? 2 * t->room : 1024, .used = t->used};
    bigger.words = calloc(bigger.room, sizeof(word));
    if (bigger.words == NULL)
        return weft_error(-ENOMEM, "no memory for %zu words", bigger.room);
    for (size_t i = 0; i < t->room; i++)
        if (t->words[i].text != NULL)
            *find_word(&bigger, t->words[i].text, t->words[i].length, t->words[i].hash) = t->words[i];
    free(t->words);
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

static int add(table *t, const char *text, size_t length, size_t count)
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

static void clear(table *t)
{
    for (size_t i = 0; i < t->room; i++)
        free(t->words[i].text);
    free(t->words);
    *t = (table){0};
}

static int by_count(const void *a, const void *b)
{
    const word *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return strcmp(x->text, y->text);
}

/* The words, the most frequent first; the texts stay the table's. */
static word *sorted(const table *t)
{
    word *all = malloc((t->used + 1) * sizeof *all);
    size_t n = 0;
    for (size_t i = 0; all != NULL && i < t->room; i++)
        if (t->words[i].text != NULL)
            all[n++] = t->words[i];
    if (all != NULL)
        qsort(all, n, sizeof *all, by_count);
    return all;
}

/* ---- What runs in the pool's processes --------------------------------------------------------- */

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

static int count_block(table *t, gathered *g, char *block, size_t size)
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
            r = add(t, block + start, i - start, 1);
        if (i < size) { /* not a letter: what was gathered is a word */
            if (r == 0 && g->length > 0)
                r = add(t, g->letters, g->length, 1);
            g->length = 0;
            i++;
        }
    }
    return r;
}

/* The result of a job: count, length and letters of each word, one after the other. */
static int return_table(const table *t)
{
    int r = weft_return("", 0);
    for (size_t i = 0; r == 0 && i < t->room; i++) {
        const word *w = &t->words[i];
        size_t head[2] = {w->count, w->length};
        if (w->text != NULL && (r = weft_return_append(head, sizeof head)) == 0)
            r = weft_return_append(w->text, w->length);
    }
    return r;
}

static int count_file(void *arg)
{
    static char block[1 << 16];
    table t = {0};
    gathered g = {0};
    ssize_t n = -1;
    int fd = open(arg, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int r = 0;
    while (fd >= 0 && r == 0 && (n = read(fd, block, sizeof block)) > 0)
        r = count_block(&t, &g, block, (size_t)n);
    if (n < 0)
        r = weft_error(-errno, "%s: %s", (char *)arg, weft_strerror(-errno));
    if (r == 0 && g.length > 0)
        r = add(&t, g.letters, g.length, 1);
    if (r == 0)
        r = return_table(&t);
    if (fd >= 0)
        close(fd);
    free(g.letters);
    clear(&t);
    return r;
}

/* Ctrl-C at a terminal reaches the workers, too: only the parent acts on it. */
static int ignore_interrupt(void *arg)
{
    (void)arg;
    return weft_signal_set(SIGINT, weft_signal_ignore, NULL);
}

/* ---- The job ---------------------------------------------------------------------------------- */

typedef struct job {
    const char *dir;
    int workers, port; /* port -1: no server */
    weft_executor *pool;
    weft_queue *counted;   /* of weft_future *: files that are done, for the merger */
    weft_semaphore window; /* files in work at once */
    weft_lock lock;        /* guards what follows */
    table words;
    size_t found, merged, skipped;
    bool complete;
} job;

enum { WINDOW = 256 };

static void file_counted(void *future, void *arg)
{
    job *j = arg;
    weft_retain(future);
    weft_queue_put(j->counted, WEFT_ARG(future), WEFT_FOREVER);
}

/* Gives a file to the pool. Its future bears its name, and goes to the merger when it is done. */
static int submit(job *j, const char *path)
{
    weft_future *future;
    int r = weft_submit(j->pool, &future, count_file, WEFT_STRING(path), &(weft_submit_options){.name = path});
    if (r == 0)
        r = weft_add_done_callback(future, file_counted, j);
    weft_release(future);
    return r;
}

static int merge_words(job *j, const char *data, size_t size)
{
    int r = 0;
    for (size_t at = 0, head[2]; r == 0 && at < size; at += sizeof head + head[1]) {
        memcpy(head, data + at, sizeof head);
        r = add(&j->words, data + at + sizeof head, head[1], head[0]);
    }
    return r;
}

/* One file's counts, into the total. */
static int merge(job *j, weft_future *future)
{
    const void *data;
    size_t size;
    int r = weft_result_view(future, &data, &size, WEFT_NOWAIT);
    if (r == WEFT_EWORKER_LOST && submit(j, weft_handle_name(future)) == 0)
        return 0; /* again; it stays in the window */
    if (r < 0 && r != -ECANCELED)
        fprintf(stderr, "wordfreq: %s\n", weft_error_message());
    weft_lock_acquire(&j->lock, WEFT_FOREVER);
    j->skipped += r < 0;
    j->merged += r >= 0;
    r = r >= 0 ? merge_words(j, data, size) : 0;
    weft_lock_release(&j->lock);
    weft_semaphore_release(&j->window, 1);
    return r;
}

/* The thread that merges, until the queue is shut down and empty. */
static int merger(void *arg)
{
    job *j = arg;
    weft_future *future;
    int r = 0;
    while (r == 0 && weft_queue_get(j->counted, WEFT_OUT(future), WEFT_FOREVER) >= 0) {
        r = merge(j, future);
        weft_release(future);
    }
    return r;
}

/* Reads the names that find writes, and submits them. */
static int submit_files(job *j, weft_popen *find)
{
    const void *path;
    int r;
    while ((r = weft_stream_readuntil(weft_popen_stdout(find), "", 1, &path, WEFT_FOREVER)) > 0) {
        if ((r = weft_semaphore_acquire(&j->window, WEFT_FOREVER)) < 0)
            return r;
        if ((r = submit(j, path)) < 0)
            return r;
        weft_lock_acquire(&j->lock, WEFT_FOREVER);
        j->found++;
        weft_lock_release(&j->lock);
    }
    return r;
}
