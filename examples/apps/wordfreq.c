/* SPDX-License-Identifier: MIT */
/*
 * wordfreq: counts the words of all files below a directory, with every module of weft at work.
 *
 *     wordfreq [-j N] [-n TOP] [--serve PORT] DIR
 *
 * A child process (find) lists the files through a pipe while they are worked on already. A pool of
 * processes counts each file; a thread merges the counts, which come to it through a queue; a
 * coroutine draws a progress bar when stderr is a terminal. With --serve, another answers GET
 * /top?n=10 and GET /progress, while the job runs and after it. Ctrl-C ends it in order, with what
 * has been counted; a second one at once. Words are runs of ASCII letters, lower-cased. A file that
 * cannot be read is named and skipped; one whose worker was killed is counted again.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <weft.h>

#include "words.h"

/* What runs in the pool's processes. */
static int count_file(void *path)
{
    words found = {0};
    int r = words_add_file(&found, path);
    if (r == 0)
        r = words_return(&found);
    words_clear(&found);
    return r;
}

/* ---- The job ----------------------------------------------------------------------------------
 */

typedef struct job {
    const char *dir;
    int workers, port; /* port -1: no server */
    weft_executor *pool;
    weft_queue *counted;   /* of weft_future *: files that are done, for the merger */
    weft_semaphore window; /* files in work at once */
    weft_lock lock;        /* guards what follows */
    words words;
    size_t found, merged, skipped;
    bool complete;
} job;

enum { WINDOW = 256 };

static void file_counted(void *future, void *arg)
{
    job *j = arg;
    weft_retain(future);
    if (weft_queue_put(j->counted, WEFT_ARG(future), WEFT_FOREVER) < 0)
        weft_release(future); /* interrupted: nobody merges any more */
}

/* Gives a file to the pool. Its future bears its name, and goes to the merger when it is done. */
static int submit(job *j, const char *path)
{
    weft_future *future;
    int r = weft_submit(j->pool, &future, count_file, WEFT_STRING(path),
                        &(weft_submit_options){.name = path});
    if (r == 0)
        r = weft_add_done_callback(future, file_counted, j);
    weft_release(future);
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
    int locked = weft_lock_acquire(&j->lock, WEFT_FOREVER);
    if (locked < 0)
        return locked;
    j->skipped += r < 0;
    j->merged += r >= 0;
    r = r >= 0 ? words_add_returned(&j->words, data, size) : 0;
    weft_lock_release(&j->lock);
    weft_semaphore_release(&j->window, 1);
    return r;
}

/* The thread that merges, until the queue is shut down and empty; also after a failure, since those
 * who submit wait for the window that merged files leave. */
static int merger(void *arg)
{
    job *j = arg;
    weft_future *future;
    int r = 0;
    while (weft_queue_get(j->counted, WEFT_OUT(future), WEFT_FOREVER) >= 0) {
        int merged = merge(j, future);
        r = r < 0 ? r : merged;
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
        if ((r = weft_lock_acquire(&j->lock, WEFT_FOREVER)) < 0)
            return r; /* every wait may be the one that is cancelled */
        j->found++;
        weft_lock_release(&j->lock);
    }
    return r == WEFT_EINCOMPLETE_READ ? 0 : r; /* the end of the list */
}

/* ---- Watching it: a progress bar, and a little HTTP --------------------------------------------
 */

static int progress(void *arg)
{
    static const char bar[] = "########################################";
    job *j = arg;
    int r;
    while ((r = weft_lock_acquire(&j->lock, WEFT_FOREVER)) == 0) {
        size_t found = j->found, done = j->merged + j->skipped;
        weft_lock_release(&j->lock);
        int width = found > 0 ? (int)(40 * done / found) : 0;
        fprintf(stderr, "\r[%-40.*s] %zu of %zu files", width, bar, done, found);
        if ((r = weft_sleep(0.1)) < 0)
            break;
    }
    fprintf(stderr, "\r%*s\r", 75, "");
    return r;
}

static void write_top(job *j, FILE *out, size_t top)
{
    word *all = words_sorted(&j->words);
    fputc('[', out);
    for (size_t i = 0; all != NULL && i < j->words.used && i < top; i++)
        fprintf(out, "%s{\"word\":\"%s\",\"count\":%zu}", i > 0 ? "," : "", all[i].text,
                all[i].count);
    fputs("]\n", out);
    free(all);
}

static void write_progress(const job *j, FILE *out)
{
    fprintf(out, "{\"found\":%zu,\"counted\":%zu,\"skipped\":%zu,\"words\":%zu,\"complete\":%s}\n",
            j->found, j->merged, j->skipped, j->words.used, j->complete ? "true" : "false");
}

/* Answers one request. The lock is held while words are looked at, never while something is sent.
 */
static int answer(weft_stream *stream, void *arg)
{
    job *j = arg;
    char *body = NULL, head[128];
    const char *line;
    size_t size = 0, top = 10;
    int r = weft_stream_readline(stream, &line, 10);
    FILE *out = r > 0 ? open_memstream(&body, &size) : NULL;
    if (out == NULL)
        return r;
    bool known = sscanf(line, "GET /top?n=%zu", &top) == 1 || strncmp(line, "GET /top ", 9) == 0;
    if ((r = weft_lock_acquire(&j->lock, WEFT_FOREVER)) == 0) {
        if (known)
            write_top(j, out, top);
        else if ((known = strncmp(line, "GET /progress ", 14) == 0))
            write_progress(j, out);
        weft_lock_release(&j->lock);
    }
    fclose(out);
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: "
                     "%zu\r\nConnection: close\r\n\r\n",
                     known ? "200 OK" : "404 Not Found", size);
    while ((r = weft_stream_readline(stream, &line, 10)) > 2) {
        /* the request's other lines, up to the empty one */
    }
    if ((r = weft_stream_write(stream, head, (size_t)n, 10)) >= 0)
        r = weft_stream_write(stream, body, size, 10);
    free(body);
    return r;
}

/* ---- All of it ---------------------------------------------------------------------------------
 */

/* The first Ctrl-C ends the job in order; after it the signal does what it does by default. */
static int interrupted(const weft_signal_info *info, void *arg)
{
    weft_signal_set(info->signum, weft_signal_default, NULL);
    return weft_signal_interrupt(info, arg);
}

/* From the listing to the last merge. */
static int count_all(job *j)
{
    weft_popen *find;
    weft_thread *merging;
    const char *const argv[] = {"find", j->dir, "-type", "f", "-print0", NULL};
    int r = weft_popen_start(
        &find, argv, &(weft_popen_options){.out = WEFT_PIPE, .on_drop = WEFT_ON_DROP_TERMINATE});
    if (r < 0)
        return r;
    if ((r = weft_thread_start(&merging, merger, WEFT_POINTER(j), NULL)) == 0) {
        r = submit_files(j, find);
        for (int i = 0; r == 0 && i < WINDOW; i++) /* until nothing is in work */
            r = weft_semaphore_acquire(&j->window, WEFT_FOREVER);
        weft_queue_shutdown(j->counted, WEFT_SHUTDOWN_DRAIN);
        int merged = weft_result(merging, WEFT_NONE, WEFT_FOREVER);
        if (merged == -ECANCELED) /* this wait was; the thread uses the job until it ends */
            weft_wait(merging, WEFT_FOREVER);
        r = r < 0 ? r : merged;
    }
    weft_release(merging);
    weft_release(find);
    j->complete = r >= 0;
    return r;
}

static int run(void *arg)
{
    job *j = arg;
    weft_server *server = NULL;
    weft_task *bar = NULL;
    int r = 0;
    if (j->port >= 0)
        r = weft_server_open(&server, answer, j, "127.0.0.1", j->port, NULL);
    if (server != NULL)
        fprintf(stderr, "wordfreq: http://127.0.0.1:%d/top and /progress\n",
                weft_server_port(server));
    if (r == 0 && isatty(STDERR_FILENO))
        r = weft_task_start(&bar, progress, WEFT_POINTER(j), NULL);
    if (r == 0)
        r = count_all(j);
    if (bar != NULL) {
        weft_cancel(bar);
        int ended = weft_wait(bar, WEFT_FOREVER);
        r = r < 0 ? r : ended;
    }
    weft_release(bar);
    if (r >= 0 && server != NULL)
        r = weft_sleep(WEFT_FOREVER); /* until Ctrl-C */
    weft_release(server);
    return r;
}

static void print_top(const words *t, size_t top)
{
    word *all = words_sorted(t);
    for (size_t i = 0; all != NULL && i < t->used && i < top; i++)
        printf("%7zu %s\n", all[i].count, all[i].text);
    free(all);
}

static int fail(void)
{
    fprintf(stderr, "wordfreq: %s\n", weft_error_message());
    return 1;
}

int main(int argc, char **argv)
{
    job j = {.port = -1, .window = {.value = WINDOW}};
    size_t top = 10;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-j") == 0 && i + 1 < argc)
            j.workers = atoi(argv[++i]);
        else if (strcmp(argv[i], "-n") == 0 && i + 1 < argc)
            top = strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--serve") == 0 && i + 1 < argc)
            j.port = atoi(argv[++i]);
        else if (j.dir == NULL && argv[i][0] != '-')
            j.dir = argv[i];
        else
            j.dir = NULL, i = argc;
    }
    if (j.dir == NULL || j.workers < 0) {
        fprintf(stderr, "usage: wordfreq [-j N] [-n TOP] [--serve PORT] DIR\n");
        return 2;
    }
    const weft_process_pool_options pool = {.max_workers = (size_t)j.workers,
                                            .ignore_interrupt = true};
    if (weft_process_pool_open(&j.pool, &pool) < 0 ||
        weft_queue_open(&j.counted, &(weft_queue_options){.item_size = sizeof(weft_future *)}) <
            0 ||
        weft_signal_set(SIGINT, interrupted, NULL) < 0)
        return fail();
    int r = weft_run(run, WEFT_POINTER(&j), NULL);
    bool stopped = r == WEFT_EINTERRUPTED;
    if (r < 0 && !stopped)
        fail();
    weft_executor_shutdown(j.pool, WEFT_SHUTDOWN_IMMEDIATE, WEFT_FOREVER);
    print_top(&j.words, top);
    weft_release(j.counted);
    weft_release(j.pool);
    words_clear(&j.words);
    weft_shutdown(WEFT_FOREVER);
    return r < 0 && !stopped ? 1 : stopped ? 130 : 0;
}
