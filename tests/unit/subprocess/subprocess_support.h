/* SPDX-License-Identifier: MIT */
/* What the tests of subprocess share. */
#ifndef SUBPROCESS_SUPPORT_H
#define SUBPROCESS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/asyncio.h>
#include <weft/subprocess.h>

#define TARGET WEFT_TEST_CHILD_TARGET
#define ARGV(...)                                                                                  \
    (const char *const[])                                                                          \
    {                                                                                              \
        TARGET, __VA_ARGS__, NULL                                                                  \
    }

static inline int count_fds(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* A pipe whose writing end a child is given as descriptor: closed by it, the reading end ends. */
typedef struct weft_gate {
    int read_fd, write_fd;
} weft_gate;

static inline weft_gate open_gate(void)
{
    int fds[2] = {-1, -1};
    assert_int_equal(pipe(fds), 0);
    fcntl(fds[0], F_SETFD, FD_CLOEXEC);
    fcntl(fds[1], F_SETFD, FD_CLOEXEC);
    return (weft_gate){fds[0], fds[1]};
}

/* Until all others have closed the writing end. */
static inline void await_gate(weft_gate *gate)
{
    char byte;
    close(gate->write_fd);
    while (read(gate->read_fd, &byte, 1) != 0)
        continue;
    close(gate->read_fd);
}

static inline void assert_output(weft_bytes bytes, const char *text)
{
    assert_non_null(bytes.data);
    assert_string_equal(bytes.data, text);
    assert_int_equal(bytes.size, strlen(text));
}

/* As the target's flood. */
static inline void assert_flood(weft_bytes bytes, size_t size)
{
    assert_int_equal(bytes.size, size);
    size_t period = 26 * 1001;
    for (size_t i = 0; i < size; i++) {
        if (((const char *)bytes.data)[i] != (char)('a' + i % period % 26))
            fail_msg("byte %zu is wrong", i);
    }
}

static inline bool have_children(void)
{
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Children whose descriptors are closed may take a moment to end. The library reaps them, or this
 * goes on until the test's time is up. */
static inline void await_no_children(void)
{
    do
        assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    while (have_children());
}

/* What is made once and kept: also that with which this thread sleeps, so the child must be one
 * that certainly does not end before it is waited for. */
static inline void sleep_for_one(void)
{
    weft_popen *popen;
    const weft_popen_options options = {.in = WEFT_PIPE};
    assert_int_equal(weft_popen_start(&popen, ARGV("cat"), &options), 0);
    assert_int_equal(weft_popen_wait(popen, NULL, 0.001), -ETIMEDOUT);
    assert_int_equal(weft_stream_close(weft_popen_stdin(popen)), 0);
    assert_int_equal(weft_popen_wait(popen, NULL, WEFT_FOREVER), 0);
    weft_release(popen);
}

#endif
