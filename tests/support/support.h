/* SPDX-License-Identifier: MIT */
/*
 * support: what the tests share.
 *
 * census     what a test must leave as it found it: descriptors, threads, children, names of shared
 *            memory, signal dispositions and mask, blocks of the heap.
 *                const struct CMUnitTest tests[] = {census_test(one), census_test(two)};
 * allocator  counts the library's blocks and makes the n-th request fail, once or from then on.
 * gate       lets threads wait for an event instead of sleeping.
 * recorder   checks made in other threads, coroutines and children, where a failing assert_* would
 *            jump between stacks: recorded there, asserted in the test's own frame.
 * child      a forked process that runs one function and is waited for by its pid.
 *
 * Nothing here waits by the clock, save the census, which gives what is on its way out (an exiting
 * thread, a name of another test) time to go before it complains.
 */
#ifndef WEFT_TESTS_SUPPORT_H
#define WEFT_TESTS_SUPPORT_H

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

/* ---- allocator --------------------------------------------------------------------------------
 */

/* Replaces the library's allocator by a counting one, and back. */
void allocator_install(void);
void allocator_remove(void);

/* Blocks and bytes that are out now, and requests since allocator_fail or install. */
size_t allocator_blocks(void);
size_t allocator_bytes(void);
size_t allocator_requests(void);

enum allocator_mode { ALLOCATOR_ONCE, ALLOCATOR_ONWARDS };

/* The n-th request from now (1 is the next) fails; 0: none. Starts counting anew. */
void allocator_fail(size_t n, enum allocator_mode mode);

/* No request fails any more; allocator_failed still tells whether one has. */
void allocator_relent(void);

/* Whether a request has been made to fail since allocator_fail. */
bool allocator_failed(void);

/*
 * Runs `scenario` with its 1st, 2nd, 3rd … request failing until it runs through with none left to
 * fail, once for each mode. The scenario returns what the function under test returned, and undoes
 * what succeeded; it must return a negative code, or have coped, when a request has failed, and
 * leave no block behind. Returns how many failures were injected. Asserts: test's frame only.
 */
size_t allocator_fault_loop(int (*scenario)(void *arg), void *arg);

/* ---- census -----------------------------------------------------------------------------------
 */

enum { CENSUS_FDS = 1024, CENSUS_SIGNALS = 65 };

struct census {
    unsigned char fds[CENSUS_FDS]; /* open or not */
    long threads;                  /* -1: the system does not tell */
    bool children;                 /* there is at least one, running or not */
    pid_t zombie;                  /* one that has ended and was not waited for; 0: none */
    size_t names;                  /* in /dev/shm, with weft in them */
    struct sigaction actions[CENSUS_SIGNALS];
    sigset_t mask;
    size_t blocks; /* of allocator_install */
    size_t bytes;
};

void census_take(struct census *census);

/* Says what differs, in words; returns how many things do. Takes the second census itself, again
 * and again while there is a difference that may go away, for up to five seconds. */
int census_compare(const struct census *before, char *text, size_t size);

/* cmocka's set-up and tear-down: the census around each test, with the allocator installed. */
int census_setup(void **state);
int census_teardown(void **state);
#define census_test(f) cmocka_unit_test_setup_teardown(f, census_setup, census_teardown)

/* The same, but weft_shutdown is called before the second census: for tests above platform. */
int weft_setup(void **state);
int weft_teardown(void **state);
#define weft_test(f) cmocka_unit_test_setup_teardown(f, weft_setup, weft_teardown)

/* ---- gates ------------------------------------------------------------------------------------
 */

/* Opens when it has been passed `needed` times; those who wait then go on. Zeroed: needs gate_init.
 */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned arrived, needed;
};

void gate_init(struct gate *gate, unsigned needed);
void gate_destroy(struct gate *gate);
void gate_arrive(struct gate *gate); /* counts, does not wait */
void gate_wait(struct gate *gate);   /* until `needed` have arrived; does not count */
void gate_pass(struct gate *gate);   /* both: a rendezvous */
bool gate_is_open(struct gate *gate);

/* ---- recorder ---------------------------------------------------------------------------------
 */

/* The first check that failed, from any thread. Zero-initialised is valid. */
struct recorder {
    volatile int failures;
    volatile int checks;
    char first[512];
};

bool recorder_check(struct recorder *recorder, bool passed, const char *what, const char *file,
                    int line);
bool recorder_check_int(struct recorder *recorder, long long value, long long wanted,
                        const char *what, const char *file, int line);
#define RECORD(recorder, condition)                                                                \
    recorder_check((recorder), (condition), #condition, __FILE__, __LINE__)
#define RECORD_INT(recorder, value, wanted)                                                        \
    recorder_check_int((recorder), (value), (wanted), #value, __FILE__, __LINE__)

/* Test's frame only: fails with the first record, or when nothing was checked at all. */
void recorder_assert(struct recorder *recorder);

/* ---- children ---------------------------------------------------------------------------------
 */

struct child {
    pid_t pid;
    int fd; /* what the child has recorded comes here */
};

/* Forks; the child runs fn, which records, and leaves by _exit with what fn returns. 0, or -errno.
 */
int child_start(struct child *child, int (*fn)(struct recorder *recorder, void *arg), void *arg);

/* Waits for it and adds its record to `recorder`. The exit code, or minus the signal; -errno - 1000
 * when it could not be waited for. */
int child_join(struct child *child, struct recorder *recorder);

/* ---- the machine ------------------------------------------------------------------------------
 */

/* The processor and the system's calls are emulated (qemu-user): some calls know less, or fail
 * otherwise. */
bool emulated(void);

/* Whether a test may lower the limit on descriptors: Valgrind, which has some of its own, does not
 * bear it. */
bool descriptors_can_be_limited(void);

/* Whether a process that was forked beside threads can start any: neither qemu-user 7.2 nor the
 * thread sanitizer lets it. */
bool forked_can_start_threads(void);

/* ---- paths ------------------------------------------------------------------------------------
 */

/* A fresh directory for this test below TMPDIR or /tmp; removed, with the files in it, by
 * directory_remove. */
int directory_make(char *path, size_t size);
void directory_remove(const char *path);

#endif
