/* SPDX-License-Identifier: MIT */
/*
 * Capturing what a program writes (1 GiB), and 256 MiB through cat, both ways. Figures are per MiB.
 * The limits are a bare read into memory that grows by mremap, and a bare poll of two pipes, all of
 * them of 1 MiB. Huge pages are a gamble: a fifth of the time where the system has some at hand,
 * and several times as long where it has to make them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "peers.h"

#ifdef WEFT_BENCH_GLIB
#include <glib.h>
#endif
#ifdef WEFT_BENCH_UV
#include <uv.h>
#endif
#include <weft/subprocess.h>

extern char **environ;

enum { MIB = 1 << 20 };

static const char *self; /* this program, which also writes what is captured */
static char count_text[32];
static const char *const cat_argv[] = {"cat", NULL};

static const char *const *produce_argv(size_t n)
{
    static const char *argv[4];
    (void)snprintf(count_text, sizeof count_text, "%zu", n);
    argv[0] = self;
    argv[1] = "--produce";
    argv[2] = count_text;
    return argv;
}

static int produce(size_t n)
{
    char *block = malloc(MIB);
    memset(block, 'x', MIB);
    for (size_t left = n * MIB; left > 0;) {
        ssize_t wrote = write(1, block, left < MIB ? left : MIB);
        if (wrote < 0 && errno != EINTR)
            return 1;
        left -= wrote > 0 ? (size_t)wrote : 0;
    }
    return 0;
}

static char *make_input(size_t n)
{
    char *input = malloc(n * MIB);
    if (input == NULL)
        bench_fail("malloc");
    memset(input, 'x', n * MIB);
    return input;
}

static void check(size_t got, size_t n)
{
    if (got != n * MIB)
        bench_fail("not all has come");
}

/* ---- weft ------------------------------------------------------------------------------------
 */

static void weft_capture(size_t n)
{
    weft_completed completed;
    const weft_subprocess_options options = {.out = WEFT_PIPE, .check = true};
    bench_begin();
    if (weft_subprocess_run(&completed, produce_argv(n), &options) < 0)
        bench_fail(weft_error_message());
    bench_end();
    check(completed.out.size, n);
}

static void weft_cat(size_t n)
{
    weft_completed completed;
    const weft_subprocess_options options = {
        .input = make_input(n), .input_size = n * MIB, .out = WEFT_PIPE, .check = true};
    bench_begin();
    if (weft_subprocess_run(&completed, cat_argv, &options) < 0)
        bench_fail(weft_error_message());
    bench_end();
    check(completed.out.size, n);
}

/* ---- the limits ------------------------------------------------------------------------------
 */

/* fds: the child's 0 and 1, -1: inherited. */
static pid_t start(const char *const argv[], int in, int out)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    if (in >= 0)
        posix_spawn_file_actions_adddup2(&actions, in, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    if (posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ) != 0)
        bench_fail("posix_spawn");
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static void wide_pipe(int fds[2])
{
    if (pipe2(fds, O_CLOEXEC) < 0)
        bench_fail("pipe2");
    (void)fcntl(fds[0], F_SETPIPE_SZ, MIB);
}

typedef struct pile {
    char *data;
    size_t size, room;
    bool huge;
} pile;

/* Room for a MiB more. */
static char *pile_end(pile *p)
{
    if (p->room - p->size < MIB) {
        size_t room = p->room > 0 ? 2 * p->room : 4 * MIB;
        p->data = p->room > 0 ? mremap(p->data, p->room, room, MREMAP_MAYMOVE)
                              : mmap(NULL, room, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p->data == MAP_FAILED)
            bench_fail("mremap");
        if (p->huge)
            (void)madvise(p->data, room, MADV_HUGEPAGE);
        p->room = room;
    }
    return p->data + p->size;
}

static void capture_to(size_t n, bool huge)
{
    int fds[2];
    pile p = {.huge = huge};
    ssize_t got;
    bench_begin();
    wide_pipe(fds);
    pid_t pid = start(produce_argv(n), -1, fds[1]);
    close(fds[1]);
    while ((got = read(fds[0], pile_end(&p), MIB)) > 0)
        p.size += (size_t)got;
    waitpid(pid, NULL, 0);
    bench_end();
    check(p.size, n);
}

static void raw_capture(size_t n)
{
    capture_to(n, false);
}

static void huge_capture(size_t n)
{
    capture_to(n, true);
}

static void discard(size_t n)
{
    static char block[MIB];
    int fds[2];
    size_t size = 0;
    ssize_t got;
    bench_begin();
    wide_pipe(fds);
    pid_t pid = start(produce_argv(n), -1, fds[1]);
    close(fds[1]);
    while ((got = read(fds[0], block, MIB)) > 0)
        size += (size_t)got;
    waitpid(pid, NULL, 0);
    bench_end();
    check(size, n);
}

static void raw_cat(size_t n)
{
    int in[2], out[2];
    pile p = {0};
    char *input = make_input(n);
    size_t wrote = 0;
    ssize_t got = 1;
    bench_begin();
    wide_pipe(in);
    wide_pipe(out);
    pid_t pid = start(cat_argv, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    fcntl(in[1], F_SETFL, O_NONBLOCK);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    while (got != 0) {
        struct pollfd polls[] = {{.fd = out[0], .events = POLLIN},
                                 {.fd = in[1], .events = POLLOUT}};
        poll(polls, wrote < n * MIB ? 2 : 1, -1);
        if (wrote < n * MIB && polls[1].revents != 0) {
            ssize_t some = write(in[1], input + wrote, n * MIB - wrote);
            wrote += some > 0 ? (size_t)some : 0;
            if (wrote == n * MIB)
                close(in[1]);
        }
        if (polls[0].revents != 0) {
            got = read(out[0], pile_end(&p), MIB);
            p.size += got > 0 ? (size_t)got : 0;
        }
    }
    waitpid(pid, NULL, 0);
    bench_end();
    check(p.size, n);
}

/* ---- peers ------------------------------------------------------------------------------------
 */

#ifdef WEFT_BENCH_GLIB
static void glib_capture(size_t n)
{
    GError *error = NULL;
    char *output;
    bench_begin();
    if (!g_spawn_sync(NULL, (char **)(uintptr_t)produce_argv(n), NULL, G_SPAWN_DEFAULT, NULL, NULL,
                      &output, NULL, NULL, &error))
        bench_fail(error->message);
    bench_end();
}
#endif

#ifdef WEFT_BENCH_UV
static char *uv_data;
static size_t uv_size, uv_room;

/* As its users do: room at the end of what grows. */
static void uv_room_for(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle;
    if (uv_room - uv_size < suggested) {
        uv_room = uv_room > 0 ? 2 * uv_room : 2 * suggested;
        uv_data = realloc(uv_data, uv_room);
    }
    *buffer = uv_buf_init(uv_data + uv_size, (unsigned)suggested);
}

static void uv_came(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    (void)buffer;
    if (got < 0)
        uv_close((uv_handle_t *)stream, NULL);
    else
        uv_size += (size_t)got;
}

static void uv_ended(uv_process_t *process, int64_t status, int signum)
{
    if (status != 0 || signum != 0)
        bench_fail("a child");
    uv_close((uv_handle_t *)process, NULL);
}

static void uv_written(uv_write_t *request, int status)
{
    if (status < 0)
        bench_fail("uv_write");
    uv_close((uv_handle_t *)request->handle, NULL);
}

static void uv_talk(const char *const argv[], char *input, size_t size)
{
    uv_loop_t *loop = uv_default_loop();
    uv_process_t process;
    uv_pipe_t in, out;
    uv_write_t request;
    uv_stdio_container_t stdio[2] = {
        {.flags = input != NULL ? UV_CREATE_PIPE | UV_READABLE_PIPE : UV_INHERIT_FD, .data.fd = 0},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&out},
    };
    uv_process_options_t options = {.file = argv[0],
                                    .args = (char **)(uintptr_t)argv,
                                    .exit_cb = uv_ended,
                                    .stdio = stdio,
                                    .stdio_count = 2};
    uv_pipe_init(loop, &out, 0);
    if (input != NULL) {
        uv_pipe_init(loop, &in, 0);
        stdio[0].data.stream = (uv_stream_t *)&in;
    }
    if (uv_spawn(loop, &process, &options) < 0)
        bench_fail("uv_spawn");
    uv_read_start((uv_stream_t *)&out, uv_room_for, uv_came);
    uv_buf_t buffer = uv_buf_init(input, (unsigned)size);
    if (input != NULL)
        uv_write(&request, (uv_stream_t *)&in, &buffer, 1, uv_written);
    uv_run(loop, UV_RUN_DEFAULT);
}

static void uv_capture(size_t n)
{
    bench_begin();
    uv_talk(produce_argv(n), NULL, 0);
    bench_end();
    check(uv_size, n);
}

static void uv_cat(size_t n)
{
    char *input = make_input(n);
    bench_begin();
    uv_talk(cat_argv, input, n * MIB);
    bench_end();
    check(uv_size, n);
}
#endif

BENCH_PYTHON_CASE(python_capture, "capture")
BENCH_PYTHON_CASE(python_cat, "cat")

static const bench_case capture_cases[] = {
    {"weft", weft_capture},
    {"limit: read and grow", raw_capture},
    {"with huge pages", huge_capture},
    {"discard", discard},
    BENCH_GLIB("glib", glib_capture) BENCH_UV("libuv", uv_capture)
        BENCH_PYTHON("CPython", python_capture){0},
};
static const bench_case cat_cases[] = {
    {"weft", weft_cat},
    {"limit: poll", raw_cat},
    BENCH_UV("libuv", uv_cat) BENCH_PYTHON("CPython", python_cat){0},
};

static const bench_subject subjects[] = {
    {"capture, 1 GiB",
     NULL,
     NULL,
     1024,
     capture_cases,
     {{"limit: read and grow", 1 / 0.9, false}, {"libuv", 1.0 / 7, false}}},
    {"256 MiB through cat, both ways",
     NULL,
     NULL,
     256,
     cat_cases,
     {{"limit: poll", 1 / 0.9, false}}},
};

int main(int argc, char **argv)
{
    self = argv[0];
    if (argc == 3 && strcmp(argv[1], "--produce") == 0)
        return produce(strtoul(argv[2], NULL, 10));
    return bench_main(argc, argv, subjects, sizeof subjects / sizeof *subjects);
}
