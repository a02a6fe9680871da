/* SPDX-License-Identifier: MIT */
/*
 * 100 MB both ways through a child that reads and writes in odd sizes, which is stopped and
 * continued at odd moments, by calls that run out of time again and again; readers that come late,
 * children that leave early, grandchildren that keep the pipe. Nothing is lost, nothing hangs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "stress.h"
#include "support/support.h"

#ifdef WEFT_TORTURE
enum { TIMES = 20 };
#else
enum { TIMES = 1 };
#endif

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SLOW 1
#endif
#endif
#if defined(SLOW) || defined(WEFT_PLATFORM_POSIX) /* where pipes cannot be widened */
enum { ALL = 10 * 1000 * 1000 };
#else
enum { ALL = 100 * 1000 * 1000 };
#endif

enum { EARLY = 200 * TIMES, PERIOD = 26 * 1001 };

static char *make_input(size_t size)
{
    char *input = malloc(size);
    for (size_t i = 0; input != NULL && i < size; i++)
        input[i] = (char)('a' + i % PERIOD % 26);
    return input;
}

/* Several, one behind the other, each with a size of its own. */
static const char odd_copy[] = "dd bs=70001 2>/dev/null | dd bs=997 iflag=fullblock 2>/dev/null | "
                               "dd bs=65537 2>/dev/null";

/* By turns, at random: a stop, a go. */
static void disturb(weft_popen *popen, uint64_t *seed)
{
    if (stress_random(seed) % 8 == 0)
        (void)weft_popen_send_signal_group(popen, SIGSTOP);
    else
        (void)weft_popen_send_signal_group(popen, SIGCONT);
}

static int copy_all(void *arg)
{
    struct recorder *recorder = *(struct recorder **)arg;
    uint64_t seed = stress_seed("copy_all");
    weft_popen *popen;
    weft_completed completed;
    char *input = make_input(ALL);
    const weft_popen_options options = {.in = WEFT_PIPE, .out = WEFT_PIPE, .new_group = true};
    RECORD_INT(recorder, weft_popen_shell(&popen, odd_copy, &options), 0);
    size_t seen = 0;
    int r = weft_popen_communicate(popen, input, ALL, &completed, stress_timeout(&seed));
    while (r == -ETIMEDOUT) {
        RECORD(recorder, completed.out.size >= seen);
        seen = completed.out.size;
        weft_completed_clear(&completed);
        disturb(popen, &seed);
        r = weft_popen_communicate(popen, WEFT_NONE, &completed, 0.01);
    }
    RECORD_INT(recorder, r, 0);
    RECORD(recorder, completed.out.size == ALL);
    RECORD(recorder, completed.out.data != NULL && memcmp(completed.out.data, input, ALL) == 0);
    RECORD_INT(recorder, completed.returncode, 0);
    weft_completed_clear(&completed);
    weft_release(popen);
    free(input);
    return 0;
}

static void everything_comes_back_in_a_thread(void **state)
{
    struct recorder recorder = {0}, *self = &recorder;
    (void)state;
    assert_int_equal(copy_all(&self), 0);
    recorder_assert(&recorder);
}

static void everything_comes_back_in_a_task(void **state)
{
    struct recorder recorder = {0}, *self = &recorder;
    (void)state;
    assert_int_equal(weft_run(copy_all, WEFT_ARG(self), NULL), 0);
    recorder_assert(&recorder);
}

/* ---- children that leave early ----------------------------------------------------------------
 */

/* Reads some of its input or none, says some of it or none, and may leave a grandchild behind. */
static int leave_early(void *arg)
{
    struct recorder *recorder = *(struct recorder **)arg;
    static const char *const commands[] = {
        "exit 0",
        "head -c 10",
        "head -c 300000; exit 0",
        "exec 0<&-; head -c 100000 /dev/zero",
        "sleep 1000 & head -c 1000; exit 0", /* keeps the pipe */
        "kill -9 $$",
        "kill -STOP $$", /* never ends by itself */
    };
    char *input = make_input(1 << 20);
    uint64_t seed = stress_seed("leave_early");
    for (int i = 0; i < EARLY / 20; i++) {
        for (int k = 0; k < 7; k++) {
            weft_completed completed;
            bool lasting = k == 4 || k == 6;
            const weft_subprocess_options options = {
                .input = input,
                .input_size = stress_random(&seed) % (1 << 20),
                .timeout = lasting ? 0.005 : 60,
                .capture_output = true,
                .popen.new_group = true,
            };
            int r = weft_subprocess_shell(&completed, commands[k], &options);
            RECORD_INT(recorder, r, lasting ? -ETIMEDOUT : 0);
            RECORD(recorder, completed.returncode != WEFT_NO_RETURNCODE);
            if (k == 2)
                RECORD(recorder, memcmp(completed.out.data, input, completed.out.size) == 0);
            weft_completed_clear(&completed);
        }
    }
    free(input);
    return 0;
}

static void children_that_leave_early_hold_nothing_up(void **state)
{
    struct recorder recorder = {0}, *self = &recorder;
    (void)state;
    assert_int_equal(leave_early(&self), 0);
    assert_int_equal(weft_run(leave_early, WEFT_ARG(self), NULL), 0);
    recorder_assert(&recorder);
}

/* ---- readers that come late -------------------------------------------------------------------
 */

static int read_late(void *arg)
{
    struct recorder *recorder = *(struct recorder **)arg;
    enum { SIZE = 3000000 };
    for (int i = 0; i < 5 * TIMES; i++) {
        weft_popen *popen;
        weft_bytes bytes = {0};
        const weft_popen_options options = {.out = WEFT_PIPE, .err = WEFT_PIPE};
        RECORD_INT(recorder,
                   weft_popen_shell(&popen,
                                    "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2",
                                    &options),
                   0);
        RECORD_INT(recorder, weft_popen_wait(popen, NULL, WEFT_FOREVER), 0);
        RECORD_INT(recorder, weft_stream_read_all(weft_popen_stderr(popen), &bytes, WEFT_FOREVER),
                   0);
        RECORD_INT(recorder, (int)bytes.size, SIZE);
        weft_free(bytes.data);
        RECORD_INT(recorder, weft_stream_read_all(weft_popen_stdout(popen), &bytes, WEFT_FOREVER),
                   0);
        RECORD_INT(recorder, (int)bytes.size, SIZE);
        weft_free(bytes.data);
        weft_release(popen);
    }
    return 0;
}

static void late_readers_find_everything(void **state)
{
    struct recorder recorder = {0}, *self = &recorder;
    (void)state;
    assert_int_equal(read_late(&self), 0);
    assert_int_equal(weft_run(read_late, WEFT_ARG(self), NULL), 0);
    recorder_assert(&recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(everything_comes_back_in_a_thread),
        weft_test(everything_comes_back_in_a_task),
        weft_test(children_that_leave_early_hold_nothing_up),
        weft_test(late_readers_find_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
