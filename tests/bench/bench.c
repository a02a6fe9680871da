/* SPDX-License-Identifier: MIT */
/*
 * Rounds, medians and tables. The parent never touches what it measures: each sample is a fork of
 * it, which sends its figures through a pipe and leaves by _exit (so no peer's exit handlers run).
 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CASES = 16, MAX_ROUNDS = 101 };

typedef struct sample {
    double wall, cpu, extra;
    bool has_result, has_extra;
} sample;

static struct {
    int rounds;
    bool quick;
    const char *only, *only_case;
} options = {.rounds = 5};

static sample current; /* of this process */
static size_t operations;
static int report; /* the pipe to the parent */
static double begin_wall, begin_cpu, end_wall, end_cpu;

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

double bench_wall(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

double bench_cpu(void)
{
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

void bench_begin(void)
{
    end_wall = 0;
    begin_wall = bench_wall();
    begin_cpu = bench_cpu();
}

void bench_end(void)
{
    end_wall = bench_wall();
    end_cpu = bench_cpu();
}

void bench_set_result(double wall, double cpu)
{
    current.wall = wall;
    current.cpu = cpu;
    current.has_result = true;
}

void bench_set_extra(double extra)
{
    current.extra = extra;
    current.has_extra = true;
}

void bench_set_operations(size_t n)
{
    operations = n;
}

double bench_seconds(void)
{
    return options.quick ? 0.05 : 0.3;
}

void bench_fail(const char *what)
{
    fprintf(stderr, "failed: %s\n", what);
    _exit(1);
}

void bench_external(const char *program, const char *subject, size_t n)
{
    char command[4096];
    snprintf(command, sizeof command, "'%s' %s %zu %g", program, subject, n, bench_seconds());
    FILE *pipe = popen(command, "r");
    double wall, cpu, extra;
    if (pipe == NULL || fscanf(pipe, "%lf %lf %lf", &wall, &cpu, &extra) != 3 || pclose(pipe) != 0)
        bench_fail(command);
    bench_set_result(wall, cpu);
    bench_set_extra(extra);
}

/* ---- samples --------------------------------------------------------------------------------- */

void bench_leave(void)
{
    if (end_wall == 0)
        bench_end();
    if (!current.has_result) {
        current.wall = (end_wall - begin_wall) / (double)operations;
        current.cpu = (end_cpu - begin_cpu) / (double)operations;
    }
    ssize_t sent = write(report, &current, sizeof current);
    _exit(sent == (ssize_t)sizeof current ? 0 : 1);
}

static bool take_sample(const bench_case *each, size_t n, sample *out)
{
    int ends[2];
    if (pipe(ends) < 0)
        return false;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        report = ends[1];
        operations = n;
        bench_begin();
        each->run(n);
        bench_leave();
    }
    close(ends[1]);
    ssize_t got;
    do
        got = read(ends[0], out, sizeof *out);
    while (got < 0 && errno == EINTR);
    close(ends[0]);
    int status = 0;
    if (child > 0)
        waitpid(child, &status, 0);
    return child > 0 && got == (ssize_t)sizeof *out;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static sample median_of(const sample *samples, size_t count)
{
    double wall[MAX_ROUNDS], cpu[MAX_ROUNDS], extra[MAX_ROUNDS];
    sample result = samples[0];
    for (size_t i = 0; i < count; i++) {
        wall[i] = samples[i].wall;
        cpu[i] = samples[i].cpu;
        extra[i] = samples[i].extra;
    }
    result.wall = median(wall, count);
    result.cpu = median(cpu, count);
    result.extra = median(extra, count);
    return result;
}

/* ---- the table ------------------------------------------------------------------------------- */

static void print_figure(double figure, const char *unit)
{
    if (unit != NULL)
        printf("%9.2f %-3s", figure, unit);
    else if (figure < 1e3)
        printf("%9.2f ns ", figure);
    else if (figure < 1e6)
        printf("%9.2f us ", figure / 1e3);
    else
        printf("%9.2f ms ", figure / 1e6);
}

static bool in_list(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)) != NULL; at += length) {
        bool begins = at == list || at[-1] == ',';
        if (begins && (at[length] == '\0' || at[length] == ','))
            return true;
    }
    return false;
}

/* The best peer of the list; NULL: none is there. */
static const char *best_of(const bench_subject *subject, const sample *medians, const bool *there,
                           const bench_target *target, double *figure)
{
    const char *best = NULL;
    for (size_t i = 1; subject->cases[i].name != NULL; i++) {
        double value = target->cpu ? medians[i].cpu : medians[i].wall;
        if (there[i] && in_list(target->peers, subject->cases[i].name) &&
            (best == NULL || value < *figure)) {
            best = subject->cases[i].name;
            *figure = value;
        }
    }
    return best;
}

static void print_target(const bench_subject *subject, const sample *medians, const bool *there,
                         const bench_target *target)
{
    double figure = 1, weft = target->cpu ? medians[0].cpu : medians[0].wall;
    const char *best = "", *cpu = target->cpu ? "CPU " : "";
    if (target->peers != NULL)
        best = best_of(subject, medians, there, target, &figure);
    printf("    target %s<= %.2f", cpu, target->factor);
    if (best == NULL) {
        printf(" x %s: not here\n", target->peers);
        return;
    }
    double ratio = weft / figure;
    if (target->peers != NULL)
        printf(" x %s", best);
    printf(": %.2f, %s", ratio, ratio <= target->factor ? "reached" : "MISSED");
    if (ratio > target->factor)
        printf(" by %.0f %%", (ratio / target->factor - 1) * 100);
    printf("\n");
}

static void print_table(const bench_subject *subject, const sample *medians, const bool *there)
{
    for (size_t i = 0; subject->cases[i].name != NULL; i++) {
        if (!there[i])
            continue;
        printf("  %-24s", subject->cases[i].name);
        print_figure(medians[i].wall, subject->unit);
        if (subject->unit == NULL) {
            printf("  cpu");
            print_figure(medians[i].cpu, NULL);
            printf(" %10.3f M/s", 1e3 / medians[i].wall);
        }
        if (i > 0 && there[0])
            printf("  weft %.2f x", medians[0].wall / medians[i].wall);
        if (i > 0 && there[0] && subject->unit == NULL && medians[i].cpu > 0)
            printf(" (cpu %.2f x)", medians[0].cpu / medians[i].cpu);
        if (medians[i].has_extra && subject->extra != NULL)
            printf("  %s %.2f", subject->extra, medians[i].extra);
        printf("\n");
    }
    for (size_t i = 0; there[0] && i < BENCH_TARGETS && subject->targets[i].factor > 0; i++)
        print_target(subject, medians, there, &subject->targets[i]);
}

static void measure(const bench_subject *subject)
{
    static sample samples[MAX_CASES][MAX_ROUNDS];
    sample medians[MAX_CASES];
    bool there[MAX_CASES] = {false};
    size_t n = options.quick ? (subject->n + 19) / 20 : subject->n;
    printf("%s  (%d rounds of %zu)\n", subject->name, options.rounds, n);
    for (size_t i = 0; subject->cases[i].name != NULL; i++)
        there[i] =
            subject->cases[i].run != NULL &&
            (options.only_case == NULL || strcmp(options.only_case, subject->cases[i].name) == 0);
    for (int round = 0; round < options.rounds; round++) {
        for (size_t i = 0; subject->cases[i].name != NULL; i++) {
            if (there[i] && !take_sample(&subject->cases[i], n, &samples[i][round])) {
                printf("  %-24s failed\n", subject->cases[i].name);
                there[i] = false;
            }
        }
    }
    for (size_t i = 0; subject->cases[i].name != NULL; i++) {
        if (there[i])
            medians[i] = median_of(samples[i], (size_t)options.rounds);
    }
    print_table(subject, medians, there);
    printf("\n");
}

static bool parse_options(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--quick") == 0) {
            options.quick = true;
            options.rounds = 3;
        } else if (more && strcmp(argv[i], "--rounds") == 0) {
            options.rounds = atoi(argv[++i]);
        } else if (more && strcmp(argv[i], "--only") == 0) {
            options.only = argv[++i];
        } else if (more && strcmp(argv[i], "--case") == 0) {
            options.only_case = argv[++i];
        } else {
            return false;
        }
    }
    return options.rounds > 0 && options.rounds <= MAX_ROUNDS;
}

int bench_main(int argc, char **argv, const bench_subject *subjects, size_t count)
{
    if (!parse_options(argc, argv)) {
        fprintf(stderr, "usage: %s [--quick] [--rounds N] [--only TEXT] [--case NAME]\n", argv[0]);
        return 2;
    }
    for (size_t i = 0; i < count; i++) {
        if (options.only == NULL || strstr(subjects[i].name, options.only) != NULL)
            measure(&subjects[i]);
    }
    return 0;
}
