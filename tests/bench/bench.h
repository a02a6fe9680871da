/* SPDX-License-Identifier: MIT */
/*
 * The benchmarks' harness. A subject is one question ("lock + unlock, uncontended"), its cases are
 * weft, first, and the peers that were found. Each sample runs in a process of its own, so that
 * nobody's threads, caches or heap disturb another; rounds are interleaved (every case once per
 * round), and medians printed: wall time and CPU time per operation, the rate, and weft's ratio to
 * each peer and to the targets.
 */
#ifndef WEFT_BENCH_H
#define WEFT_BENCH_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bench_case {
    const char *name;      /* "weft", "pthread", ... */
    void (*run)(size_t n); /* does the subject n times, in a fresh process */
} bench_case;

/* weft's figure is to be at most `factor` times that of the best of `peers` that is there. */
typedef struct bench_target {
    const char *peers; /* names, separated by commas; NULL: `factor` is the figure itself */
    double factor;
    bool cpu; /* CPU time, not wall time */
} bench_target;

enum { BENCH_TARGETS = 4 };

typedef struct bench_subject {
    const char *name;
    const char *unit;  /* of a figure: NULL: time; else the case gives it by bench_set_result */
    const char *extra; /* what bench_set_extra gives, or NULL */
    size_t n;
    const bench_case *cases; /* ends with a NULL name */
    bench_target targets[BENCH_TARGETS];
} bench_subject;

/* Options: --quick, --rounds N, --only TEXT (subjects whose name has it), --case NAME. */
int bench_main(int argc, char **argv, const bench_subject *subjects, size_t count);

/* For cases. What is measured lies between the two; without them, the whole run. */
void bench_begin(void);
void bench_end(void);

/* Instead of, or beside, the measured times: nanoseconds (or the subject's unit) per operation. */
void bench_set_result(double wall, double cpu);
void bench_set_extra(double extra);
/* What the measured time is divided by, where that is not n. */
void bench_set_operations(size_t n);

/* How long a case that runs for a time should run. */
double bench_seconds(void);

/* Runs `program subject n`, which prints "wall-ns cpu-ns extra" per operation. */
void bench_external(const char *program, const char *subject, size_t n);

double bench_wall(void); /* nanoseconds */
double bench_cpu(void);  /* of this process */

#ifdef __cplusplus
#define BENCH_NORETURN [[noreturn]]
#else
#define BENCH_NORETURN _Noreturn
#endif

/* Ends the sample here, with what was measured: a case need not tidy up. */
BENCH_NORETURN void bench_leave(void);

/* Ends the sample with a message: something did not work. */
BENCH_NORETURN void bench_fail(const char *what);

#define BENCH_CHECK(call)                                                                          \
    do {                                                                                           \
        if ((call) < 0)                                                                            \
            bench_fail(#call);                                                                     \
    } while (0)

#ifdef __cplusplus
}
#endif

#endif
