/* SPDX-License-Identifier: MIT */
/* A new terminal: what is written on one side is read on the other. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/pty.h"
#include "support/support.h"

static void both_ends_are_close_on_exec_and_one_has_a_name(void **state)
{
    int master, slave;
    char path[WEFT_PTY_PATH];

    (void)state;
    assert_int_equal(weft_pty_open(&master, &slave, path), 0);
    assert_true((fcntl(master, F_GETFD) & FD_CLOEXEC) != 0);
    assert_true((fcntl(slave, F_GETFD) & FD_CLOEXEC) != 0);
    assert_true(isatty(slave));
    assert_string_equal(ttyname(slave), path);
    assert_int_equal(close(slave), 0);
    assert_int_equal(close(master), 0);
}

static void bytes_go_both_ways_as_a_terminal_has_them(void **state)
{
    int master, slave;
    char path[WEFT_PTY_PATH];
    char text[64];

    (void)state;
    assert_int_equal(weft_pty_open(&master, &slave, path), 0);
    assert_int_equal(write(slave, "out\n", 4), 4);
    assert_int_equal(read(master, text, sizeof text), 5);
    assert_memory_equal(text, "out\r\n", 5);
    assert_int_equal(write(master, "in\n", 3), 3);
    assert_int_equal(read(slave, text, sizeof text), 3);
    assert_memory_equal(text, "in\n", 3);
    close(slave);
    close(master);
}

static void it_is_nobodys_controlling_terminal(void **state)
{
    int master, slave;
    char path[WEFT_PTY_PATH];

    (void)state;
    assert_int_equal(weft_pty_open(&master, &slave, path), 0);
    assert_int_equal(tcgetsid(slave), -1);
    close(slave);
    close(master);
}

static void the_size_is_set_where_the_system_has_one(void **state)
{
    int master, slave;
    char path[WEFT_PTY_PATH];

    (void)state;
    assert_int_equal(weft_pty_open(&master, &slave, path), 0);
#ifdef WEFT_TEST_PTY_PEER
    assert_int_equal(weft_pty_set_size(master, 24, 80), 0);
    assert_int_equal(weft_pty_set_size(-1, 24, 80), -EBADF);
#else
    assert_int_equal(weft_pty_set_size(master, 24, 80), -ENOTSUP);
#endif
    close(slave);
    close(master);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        census_test(both_ends_are_close_on_exec_and_one_has_a_name),
        census_test(bytes_go_both_ways_as_a_terminal_has_them),
        census_test(it_is_nobodys_controlling_terminal),
        census_test(the_size_is_set_where_the_system_has_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
