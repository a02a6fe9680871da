/* SPDX-License-Identifier: MIT */
/*
 * parallel: runs a command for each of many items, several at a time.
 *
 *     parallel [-j N] [-k] [--timeout S] [--retries N] [--halt N] [--joblog FILE] [--progress]
 *              COMMAND [ARGS] [::: ITEMS]
 *
 *     ls *.c | parallel -j 4 --progress gcc -c {}
 *
 * The items are the lines of stdin where none are given. Each {} in COMMAND and ARGS is replaced by
 * the item, which comes last where there is none; no shell has a hand in it. What a job writes is
 * printed when it has ended, with -k in the order of the items. A job that fails is tried up to N
 * times more (--retries). The main thread reads, and hands the items through a queue to N threads,
 * which start the jobs and wait for them. The exit status is that of xargs:
 *
 *     0    all jobs have returned 0          125  one has died of a signal
 *     123  some have not, or were too late   126  the command cannot be run
 *     124  one has returned 255              127  it is not found
 *
 * From 124 on, and after N failures (--halt), no further job is started. SIGINT, SIGTERM and SIGHUP
 * are passed on to the jobs and all that these have started; what is left after a second, or at the
 * next signal, is killed. The exit status is 128 and the signal's number then.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <weft.h>

#include "bar.h"
#include "lines.h"
#include "options.h"
#include "template.h"

enum { AHEAD = 1000 };         /* items that are read, but neither in work nor printed */
static const double grace = 1; /* seconds from a signal to SIGKILL */

/* An item on its way: main thread, queue, worker, output. */
typedef struct job {
    size_t number; /* from 0, in the order of the items */
    bool skipped;  /* not run: it is over */
    bool late;     /* it took too long */
    double seconds;
    struct timespec begun;
    weft_completed completed;
    char item[];
} job;

typedef struct parallel {
    char **command, **items; /* items NULL: stdin */
    long workers, retries, halt;
    double timeout;
    bool keep_order, progress;
    int null_fd;
    FILE *log;
    double begun;
    int signum; /* the last that came; the main thread's */

    weft_queue *queue;     /* of job *: read, not begun */
    weft_semaphore window; /* how many more may be read */
    weft_event stop;       /* no further job is to begin */

    weft_lock lock;       /* guards what follows; never held while something is written */
    weft_popen **running; /* of each worker; NULL: none */
    int passed_on;        /* a signal, also for a job that begins too late to get it */
    size_t read, done, failed;
    bool all_read;
    int fatal; /* the exit status: 1, or from 124 on */

    weft_lock output; /* guards what follows, and all that is written; taken before the other */
    job **ended;      /* -k: before their turn, at number % room */
    size_t room, turn;
    bar bar;
} parallel;

/* In the main thread a signal may end this wait: p->signum tells, and is looked at later. */
static void acquire(weft_lock *lock)
{
    while (weft_lock_acquire(lock, WEFT_FOREVER) < 0)
        continue;
}

/* ---- Stopping ----------------------------------------------------------------------------------
 */

static void stop(parallel *p, int status)
{
    acquire(&p->lock);
    if (p->fatal == 0)
        p->fatal = status;
    weft_lock_release(&p->lock);
    weft_event_set(&p->stop);
}

/* Sends a signal to all jobs, and to what they have started. */
static void signal_all(parallel *p, int signum)
{
    weft_event_set(&p->stop);
    acquire(&p->lock);
    p->passed_on = signum;
    for (long i = 0; i < p->workers; i++) {
        if (p->running[i] != NULL)
            weft_popen_send_signal_group(p->running[i], signum);
    }
    weft_lock_release(&p->lock);
}

/* ---- Output ------------------------------------------------------------------------------------
 * p->output is held.
 */

static void complain(parallel *p)
{
    bar_erase(&p->bar);
    fprintf(stderr, "parallel: %s\n", weft_error_message());
}

/* In GNU parallel's columns; -1: it took too long. */
static void log_job(parallel *p, const job *j)
{
    int code = j->completed.returncode, signum = code < 0 ? -code : 0;
    int exitval = j->late ? -1 : signum > 0 ? 0 : code;
    fprintf(p->log, "%zu\t:\t%lld.%03ld\t%.3f\t0\t%zu\t%d\t%d\t%s\n", j->number + 1,
            (long long)j->begun.tv_sec, j->begun.tv_nsec / 1000000, j->seconds,
            j->completed.out.size, exitval, signum, j->completed.command);
    fflush(p->log);
}

static bool write_bytes(FILE *to, weft_bytes bytes)
{
    return bytes.size == 0 ||
           (fwrite(bytes.data, 1, bytes.size, to) == bytes.size && fflush(to) == 0);
}

/* Writes what the job wrote, and is done with it. */
static void print(parallel *p, job *j)
{
    if (j->completed.out.size + j->completed.err.size > 0)
        bar_erase(&p->bar);
    if (!ferror(stdout) && !write_bytes(stdout, j->completed.out)) {
        weft_error(-errno, "write the output: %s", weft_strerror(-errno));
        complain(p);
        stop(p, 1);
        signal_all(p, SIGTERM); /* nobody reads it any more */
    }
    write_bytes(stderr, j->completed.err);
    weft_completed_clear(&j->completed);
    free(j);
    weft_semaphore_release(&p->window, 1);
}

/* With -k a job is kept until its turn. */
static void print_in_order(parallel *p, job *j)
{
    p->ended[j->number % p->room] = j;
    for (job **next; *(next = &p->ended[p->turn % p->room]) != NULL; p->turn++) {
        print(p, *next);
        *next = NULL;
    }
}

/* ---- A job's end -------------------------------------------------------------------------------
 */

static bool failed(const job *j)
{
    return j->completed.returncode != 0 || j->late;
}

/* As xargs does. r: that of try_once. */
static void judge(parallel *p, const job *j, int r)
{
    bool exhausted = r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -EAGAIN;
    acquire(&p->lock);
    p->done++;
    p->failed += failed(j);
    bool halt = p->halt > 0 && p->failed >= (size_t)p->halt;
    weft_lock_release(&p->lock);
    if (r < 0)
        stop(p, r == -ENOENT ? 127 : exhausted ? 1 : 126);
    else if (!j->late && j->completed.returncode == 255)
        stop(p, 124);
    else if (!j->late && j->completed.returncode < 0)
        stop(p, 125);
    else if (halt)
        weft_event_set(&p->stop);
}

static void finish(parallel *p, job *j, int r)
{
    if (!j->skipped)
        judge(p, j, r);
    acquire(&p->output);
    if (r < 0 && r != -ECANCELED)
        complain(p);
    if (p->log != NULL && j->completed.command != NULL)
        log_job(p, j);
    if (p->keep_order)
        print_in_order(p, j);
    else
        print(p, j);
    weft_lock_release(&p->output);
}

/* ---- A worker ----------------------------------------------------------------------------------
 */

typedef struct worker {
    parallel *all;
    size_t index;
} worker;

static void set_running(const worker *w, weft_popen *popen)
{
    parallel *p = w->all;
    acquire(&p->lock);
    p->running[w->index] = popen;
    if (popen != NULL && p->passed_on != 0)
        weft_popen_send_signal_group(popen, p->passed_on);
    weft_lock_release(&p->lock);
}

/* Until the job has ended, and nobody has its output open. One that is late is told to end, then it
 * is killed, with what it has started. */
static int talk(const parallel *p, weft_popen *popen, job *j)
{
    static const int signals[] = {SIGTERM, SIGKILL};
    double timeout = p->timeout > 0 ? p->timeout : WEFT_FOREVER;
    int r = weft_popen_communicate(popen, WEFT_NONE, &j->completed, timeout);
    j->late = r == -ETIMEDOUT;
    for (int i = 0; i < 2 && r == -ETIMEDOUT; i++) {
        weft_popen_send_signal_group(popen, signals[i]);
        weft_completed_clear(&j->completed);
        r = weft_popen_communicate(popen, WEFT_NONE, &j->completed, grace);
    }
    return j->late ? 0 : r;
}

static int try_once(const worker *w, char *const *argv, job *j)
{
    double begun = weft_time();
    weft_popen *popen;
    weft_completed_clear(&j->completed);
    clock_gettime(CLOCK_REALTIME, &j->begun);
    int r = weft_popen_start(&popen, (const char *const *)argv,
                             &(weft_popen_options){.in = w->all->null_fd,
                                                   .out = WEFT_PIPE,
                                                   .err = WEFT_PIPE,
                                                   .new_group = true,
                                                   .on_drop = WEFT_ON_DROP_KILL});
    if (r < 0)
        return r;
    set_running(w, popen);
    r = talk(w->all, popen, j);
    set_running(w, NULL);
    weft_release(popen);
    j->seconds = weft_time() - begun;
    return r;
}

static int run_job(const worker *w, job *j)
{
    parallel *p = w->all;
    char **argv = template_fill(p->command, j->item);
    if (argv == NULL)
        return weft_error(-ENOMEM, "no memory for the command");
    int r = try_once(w, argv, j);
    for (long n = 0; r == 0 && failed(j) && n < p->retries && !weft_event_is_set(&p->stop); n++)
        r = try_once(w, argv, j);
    template_free(argv);
    return r;
}

static int work(void *arg)
{
    const worker *w = arg;
    job *j;
    while (weft_queue_get(w->all->queue, WEFT_OUT(j), WEFT_FOREVER) > 0) {
        j->skipped = weft_event_is_set(&w->all->stop);
        finish(w->all, j, j->skipped ? 0 : run_job(w, j));
    }
    return 0;
}

/* ---- The main thread ---------------------------------------------------------------------------
 */

/* Runs inside a wait, which it ends. */
static int interrupted(const weft_signal_info *info, void *arg)
{
    parallel *p = arg;
    p->signum = info->signum;
    return weft_signal_interrupt(info, NULL);
}

static int submit(parallel *p, const char *item)
{
    job *j = calloc(1, sizeof *j + strlen(item) + 1);
    if (j == NULL)
        return weft_error(-ENOMEM, "no memory for an item");
    strcpy(j->item, item);
    acquire(&p->lock);
    j->number = p->read;
    int r = weft_queue_put(p->queue, WEFT_ARG(j), WEFT_FOREVER);
    p->read += r == 0;
    weft_lock_release(&p->lock);
    if (r < 0)
        free(j);
    return r;
}

/* Hands the items to the workers. */
static int feed(parallel *p)
{
    lines in = {.fd = STDIN_FILENO};
    weft_source *stopped;
    char *item;
    int r = weft_source_from_event(&stopped, &p->stop);
    while (r >= 0 && p->signum == 0 && !weft_event_is_set(&p->stop)) {
        r = p->items == NULL ? lines_next(&in, stopped, &item) : (item = *p->items++) != NULL;
        if (r <= 0)
            break;
        r = weft_semaphore_acquire(&p->window, WEFT_FOREVER);
        if (r == 0)
            r = submit(p, item);
    }
    lines_clear(&in);
    weft_release(stopped);
    return r;
}

/* A thread, until it is cancelled. */
static int show_progress(void *arg)
{
    parallel *p = arg;
    char text[64];
    while (weft_sleep(0.1) == 0 && !weft_cancelled()) {
        acquire(&p->lock);
        size_t done = p->done, read = p->read;
        double seconds = p->all_read ? weft_time() - p->begun : -1;
        snprintf(text, sizeof text, "%s, %zu failed", p->all_read ? "" : " or more", p->failed);
        weft_lock_release(&p->lock);
        acquire(&p->output);
        bar_draw(&p->bar, done, read, seconds, text);
        weft_lock_release(&p->output);
    }
    acquire(&p->output);
    bar_erase(&p->bar);
    weft_lock_release(&p->output);
    return 0;
}

/* Until the workers have ended. A signal is passed on to their jobs; then, after a while or at the
 * next one, these are killed, and output that others still hold open is not waited for. */
static void await(parallel *p, weft_thread **threads, size_t count)
{
    int r = p->signum != 0 ? WEFT_EINTERRUPTED : weft_wait_all(threads, count, WEFT_FOREVER);
    for (int signum = p->signum; r < 0; signum = SIGKILL) {
        signal_all(p, signum);
        for (size_t i = 0; i < count && signum == SIGKILL; i++)
            weft_cancel(threads[i]);
        r = weft_wait_all(threads, count, grace);
    }
}

static int run(parallel *p, weft_thread **threads)
{
    weft_thread *progress = NULL;
    size_t count = 0;
    int r = 0;
    for (; r == 0 && count < (size_t)p->workers; count += r == 0)
        r = weft_thread_start(&threads[count], work, WEFT_ARG((worker){p, count}), NULL);
    if (r == 0 && p->progress && isatty(STDERR_FILENO))
        r = weft_thread_start(&progress, show_progress, WEFT_POINTER(p), NULL);
    if (r == 0)
        r = feed(p);
    if (r < 0 && p->signum == 0) {
        acquire(&p->output);
        complain(p);
        weft_lock_release(&p->output);
        stop(p, 1);
    }
    acquire(&p->lock);
    p->all_read = true;
    weft_lock_release(&p->lock);
    weft_queue_shutdown(p->queue, WEFT_SHUTDOWN_DRAIN);
    await(p, threads, count);
    if (progress != NULL)
        weft_cancel(progress);
    weft_release(progress);
    weft_release_many(threads, count);
    return p->signum != 0 ? 128 + p->signum : p->fatal != 0 ? p->fatal : p->failed > 0 ? 123 : 0;
}

static int prepare(parallel *p, const char *joblog)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    p->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (p->null_fd < 0 || p->running == NULL || p->ended == NULL)
        return weft_error(-errno, "begin: %s", weft_strerror(-errno));
    if (joblog != NULL && (p->log = fopen(joblog, "we")) == NULL)
        return weft_error(-errno, "%s: %s", joblog, weft_strerror(-errno));
    if (p->log != NULL)
        fputs("Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n",
              p->log);
    int r = weft_queue_open(&p->queue, &(weft_queue_options){.item_size = sizeof(job *)});
    for (size_t i = 0; r == 0 && i < sizeof signals / sizeof signals[0]; i++)
        r = weft_signal_set(signals[i], interrupted, p);
    return r < 0 ? r : weft_signal_set(SIGPIPE, weft_signal_ignore, NULL);
}

int main(int argc, char **argv)
{
    parallel p = {.workers = weft_cpu_count(), .begun = weft_time()};
    const char *joblog = NULL;
    const option options[] = {
        {"-j", .count = &p.workers},          {"-k", .flag = &p.keep_order},
        {"--timeout", .seconds = &p.timeout}, {"--retries", .count = &p.retries},
        {"--halt", .count = &p.halt},         {"--joblog", .text = &joblog},
        {"--progress", .flag = &p.progress},  {NULL, NULL, NULL, NULL, NULL},
    };
    int first = options_take(options, argc, argv), status = 1;
    if (first == 0 || first == argc || strcmp(argv[first], ":::") == 0 || p.workers < 1) {
        fputs("usage: parallel [-j N] [-k] [--timeout S] [--retries N] [--halt N] [--joblog FILE] "
              "[--progress] COMMAND [ARGS] [::: ITEMS]\n",
              stderr);
        return 1;
    }
    p.command = argv + first;
    p.items = options_split(p.command, ":::");
    p.room = AHEAD + (size_t)p.workers;
    p.window = (weft_semaphore){.value = (uint32_t)p.room};
    p.running = calloc((size_t)p.workers, sizeof(weft_popen *));
    p.ended = calloc(p.room, sizeof(job *));
    weft_thread **threads = calloc((size_t)p.workers, sizeof(weft_thread *));
    if (threads == NULL || prepare(&p, joblog) < 0)
        complain(&p);
    else
        status = run(&p, threads);
    if (p.log != NULL)
        fclose(p.log);
    weft_shutdown(WEFT_FOREVER);
    weft_release(p.queue);
    free(threads);
    free(p.running);
    free(p.ended);
    return status;
}
