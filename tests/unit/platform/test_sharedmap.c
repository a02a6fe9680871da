/* SPDX-License-Identifier: MIT */
/* Memory at one address in several processes, that grows without signals and never moves. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/sharedmap.h"
#include "support/support.h"

#define MIB ((size_t)1 << 20)

/* The low end of the first window that can be mapped here. */
static uintptr_t place(int fd, size_t size)
{
    uintptr_t from, to;

    for (size_t i = 0; weft_sharedmap_window(i, &from, &to) == 1; i++) {
        if (weft_sharedmap_map_at(fd, from, size) == 0)
            return from;
    }
    return 0;
}

static void the_file_is_private_and_close_on_exec(void **state)
{
    struct stat info;
    int fd = weft_sharedmap_open("test");

    (void)state;
    assert_true(fd > 2);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(fstat(fd, &info), 0);
    assert_int_equal(info.st_size, 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    close(fd);
}

static void the_descriptor_leaves_the_standard_ones_alone(void **state)
{
    (void)state;
    int keep = fcntl(0, F_DUPFD_CLOEXEC, 10);
    close(0);
    int fd = weft_sharedmap_open("test");
    bool is_free = fcntl(0, F_GETFD) < 0;
    if (keep >= 0)
        dup2(keep, 0);
    close(keep);
    assert_true(is_free);
    assert_true(fd > 2);
    close(fd);
}

static void windows_are_page_aligned_and_end(void **state)
{
    uintptr_t from, to;
    size_t count = 0;

    (void)state;
    while (weft_sharedmap_window(count, &from, &to) == 1) {
        assert_true(from < to);
        assert_int_equal(from % 65536, 0);
        assert_int_equal(to % 65536, 0);
        count++;
    }
    assert_true(count > 0);
    assert_int_equal(weft_sharedmap_window(count + 1, &from, &to), 0);
}

static void growing_never_shrinks(void **state)
{
    struct stat info;
    int fd = weft_sharedmap_open("test");

    (void)state;
    assert_int_equal(weft_sharedmap_grow(fd, MIB), 0);
    assert_int_equal(weft_sharedmap_grow(fd, 10), 0);
    assert_int_equal(fstat(fd, &info), 0);
    assert_int_equal(info.st_size, MIB);
    assert_true((size_t)info.st_blocks * 512 >= MIB);
#ifdef WEFT_TEST_SHAREDMAP_MEMFD
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(errno, EPERM);
#endif
    close(fd);
}

static void a_mapping_is_shared_and_grows_in_place(void **state)
{
    int status;
    int fd = weft_sharedmap_open("test");

    (void)state;
    assert_int_equal(weft_sharedmap_grow(fd, MIB), 0);
    uintptr_t at = place(fd, 16 * MIB);
    assert_true(at != 0);
    _Atomic int *word = (_Atomic int *)at;
    assert_int_equal(*word, 0);
    *word = 1;
    pid_t pid = fork();
    if (pid == 0) {
        if (weft_sharedmap_grow(fd, 4 * MIB) != 0)
            _exit(1);
        ((_Atomic int *)(at + 4 * MIB))[-1] = 77;
        _exit(*word == 1 ? 0 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(((_Atomic int *)(at + 4 * MIB))[-1], 77);
    weft_sharedmap_unmap(at, 16 * MIB);
    close(fd);
}

static void a_taken_place_is_refused_and_named(void **state)
{
    char text[256];
    int fd = weft_sharedmap_open("test");

    (void)state;
    assert_int_equal(weft_sharedmap_grow(fd, MIB), 0);
    uintptr_t at = place(fd, 2 * MIB);
    assert_true(at != 0);
    *(char *)at = 'x';
    assert_int_equal(weft_sharedmap_map_at(fd, at + MIB, 2 * MIB), -EEXIST);
    assert_int_equal(weft_sharedmap_map_at(fd, at, 2 * MIB), -EEXIST);
    assert_int_equal(*(char *)at, 'x');

    int n = weft_sharedmap_describe(at + MIB, MIB, text, sizeof text);
    assert_true(n > 0 && (size_t)n == strlen(text));
    if (access("/proc/self/maps", R_OK) == 0)
        assert_non_null(strstr(text, " at 0x"));
    weft_sharedmap_unmap(at, 2 * MIB);
    if (access("/proc/self/maps", R_OK) == 0) {
        weft_sharedmap_describe(at, MIB, text, sizeof text);
        assert_string_equal(text, "nothing");
        weft_sharedmap_describe((uintptr_t)&text, 1, text, sizeof text);
        assert_non_null(strstr(text, "0x"));
        assert_int_equal(weft_sharedmap_describe(at, MIB, text, 3), 7);
        assert_string_equal(text, "no");
    }
    assert_int_equal(weft_sharedmap_map_at(fd, at, 2 * MIB), 0);
    weft_sharedmap_unmap(at, 2 * MIB);
    close(fd);
}

static void a_file_size_limit_is_an_error_not_a_signal(void **state)
{
    struct rlimit before, low;
    sigset_t pending;
    int fd = weft_sharedmap_open("test");

    (void)state;
    assert_int_equal(weft_sharedmap_grow(fd, MIB), 0);
    getrlimit(RLIMIT_FSIZE, &before);
    low = before;
    low.rlim_cur = 2 * MIB;
    setrlimit(RLIMIT_FSIZE, &low);
    int r = weft_sharedmap_grow(fd, 4 * MIB);
    int within = weft_sharedmap_grow(fd, 2 * MIB);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(r, -EFBIG);
    assert_int_equal(within, 0);
    sigpending(&pending);
    assert_int_equal(sigismember(&pending, SIGXFSZ), 0);
    close(fd);
}

static int lower_and_extend(int fd, uint64_t from, uint64_t to)
{
    struct rlimit before, low;

    (void)from;
    getrlimit(RLIMIT_FSIZE, &before);
    low = before;
    low.rlim_cur = MIB;
    setrlimit(RLIMIT_FSIZE, &low);
    int error = ftruncate(fd, (off_t)to) < 0 ? errno : 0;
    setrlimit(RLIMIT_FSIZE, &before);
    return error;
}

static void a_limit_lowered_in_between_raises_no_signal(void **state)
{
    sigset_t before, after;
    char path[] = "/tmp/weft-test-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    unlink(path);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(weft_sharedmap_grow_by(lower_and_extend, fd, 4 * MIB), -EFBIG);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(sigismember(&after, SIGXFSZ), sigismember(&before, SIGXFSZ));
    close(fd);
}

static void random_bytes_differ(void **state)
{
    unsigned char first[32] = {0};
    unsigned char second[32] = {0};

    (void)state;
    assert_int_equal(weft_sharedmap_random(first, sizeof first), 0);
    assert_int_equal(weft_sharedmap_random(second, sizeof second), 0);
    assert_memory_not_equal(first, second, sizeof first);
    assert_int_equal(weft_sharedmap_urandom(second, sizeof second), 0);
    assert_memory_not_equal(first, second, sizeof first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        census_test(the_file_is_private_and_close_on_exec),
        census_test(the_descriptor_leaves_the_standard_ones_alone),
        census_test(windows_are_page_aligned_and_end),
        census_test(growing_never_shrinks),
        census_test(a_mapping_is_shared_and_grows_in_place),
        census_test(a_taken_place_is_refused_and_named),
        census_test(a_file_size_limit_is_an_error_not_a_signal),
        census_test(a_limit_lowered_in_between_raises_no_signal),
        census_test(random_bytes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
