/* SPDX-License-Identifier: MIT */
/* What the peers that need a file of their own do: each is there where its macro is set. */
#ifndef WEFT_BENCH_PEERS_H
#define WEFT_BENCH_PEERS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* peer_boost.cpp */
void boost_switch(size_t n);
void boost_yield(size_t n);
void boost_start(size_t n);
void boost_round_trip(size_t n);

/* peer_tbb.cpp */
void tbb_bounded_1(size_t n);
void tbb_bounded_2(size_t n);
void tbb_bounded_4(size_t n);
void tbb_fib_1(size_t n);
void tbb_fib_2(size_t n);

/* peer_dill.c */
void dill_yield_two(size_t n);
void dill_start(size_t n);
void dill_round_trip(size_t n);

/* peer_pth.c */
void pth_yield_two(size_t n);
void pth_start(size_t n);

/* In a list of cases. */
#ifdef WEFT_BENCH_BOOST
#define BENCH_BOOST(name, run) {name, run},
#else
#define BENCH_BOOST(name, run)
#endif
#ifdef WEFT_BENCH_TBB
#define BENCH_TBB(name, run) {name, run},
#else
#define BENCH_TBB(name, run)
#endif
#ifdef WEFT_BENCH_DILL
#define BENCH_DILL(name, run) {name, run},
#else
#define BENCH_DILL(name, run)
#endif
#ifdef WEFT_BENCH_PTH
#define BENCH_PTH(name, run) {name, run},
#else
#define BENCH_PTH(name, run)
#endif
#ifdef WEFT_BENCH_GLIB
#define BENCH_GLIB(name, run) {name, run},
#else
#define BENCH_GLIB(name, run)
#endif
#ifdef WEFT_BENCH_UV
#define BENCH_UV(name, run) {name, run},
#else
#define BENCH_UV(name, run)
#endif
#ifdef WEFT_BENCH_EV
#define BENCH_EV(name, run) {name, run},
#else
#define BENCH_EV(name, run)
#endif
#ifdef WEFT_BENCH_EVENT
#define BENCH_EVENT(name, run) {name, run},
#else
#define BENCH_EVENT(name, run)
#endif
#ifdef WEFT_BENCH_GO
#define BENCH_GO(name, run) {name, run},
#define BENCH_GO_CASE(function, subject)                                                           \
    static void function(size_t n)                                                                 \
    {                                                                                              \
        bench_external(WEFT_BENCH_GO, subject, n);                                                 \
    }
#else
#define BENCH_GO(name, run)
#define BENCH_GO_CASE(function, subject)
#endif
#ifdef WEFT_BENCH_PYTHON
#define BENCH_PYTHON(name, run) {name, run},
#define BENCH_PYTHON_CASE(function, subject)                                                       \
    static void function(size_t n)                                                                 \
    {                                                                                              \
        bench_external(WEFT_BENCH_PYTHON, subject, n);                                             \
    }
#else
#define BENCH_PYTHON(name, run)
#define BENCH_PYTHON_CASE(function, subject)
#endif

#ifdef __cplusplus
}
#endif

#endif
