/* SPDX-License-Identifier: MIT */
/* Command lines: words quoted, joined and split as Python's shlex does, and as /bin/sh does. */
#include <stdio.h>

#include "subprocess_support.h"
#include "support/support.h"

static void assert_quoted(const char *word, const char *expected)
{
    weft_bytes quoted;
    assert_int_equal(weft_shlex_quote(word, &quoted), 0);
    assert_output(quoted, expected);
    weft_free(quoted.data);
}

static void words_are_quoted_where_a_shell_needs_it(void **state)
{
    (void)state;
    assert_quoted("", "''");
    assert_quoted("abc", "abc");
    assert_quoted("a/b.c,d:e@f%g+h_i=-", "a/b.c,d:e@f%g+h_i=-");
    assert_quoted("a b", "'a b'");
    assert_quoted("it's", "'it'\"'\"'s'");
    assert_quoted("''", "''\"'\"''\"'\"''");
    assert_quoted("$HOME", "'$HOME'");
    assert_quoted("~", "'~'");
    assert_quoted("!", "'!'");
    assert_quoted("\n", "'\n'");
    assert_quoted("\xc3\xbc", "'\xc3\xbc'");
    assert_int_equal(weft_shlex_quote(NULL, &(weft_bytes){NULL, 0}), -EINVAL);
    assert_int_equal(weft_shlex_quote("", NULL), -EINVAL);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void assert_joined(const char *const argv[], const char *expected)
{
    weft_bytes line;
    assert_int_equal(weft_shlex_join(argv, &line), 0);
    assert_output(line, expected);
    weft_free(line.data);
}

static void words_are_joined_to_a_command(void **state)
{
    (void)state;
    assert_joined(WORDS("ls", "a b", "c'd", ""), "ls 'a b' 'c'\"'\"'d' ''");
    assert_joined(WORDS(NULL), "");
    /* where a command's name is expected these would be something else */
    assert_joined(WORDS("A=1", "A=1"), "'A=1' A=1");
    assert_joined(WORDS("if", "if"), "'if' if");
    assert_int_equal(weft_shlex_join(NULL, &(weft_bytes){NULL, 0}), -EINVAL);
    assert_int_equal(weft_shlex_join(WORDS("a"), NULL), -EINVAL);
}

static void assert_split(const char *line, const char *const expected[])
{
    const char **argv;
    int count = 0;
    int r = weft_shlex_split(line, &argv);
    while (expected[count] != NULL)
        count++;
    assert_int_equal(r, count);
    for (int i = 0; i < count; i++)
        assert_string_equal(argv[i], expected[i]);
    assert_null(argv[count]);
    weft_free(argv);
}

static void lines_are_split_as_python_does(void **state)
{
    (void)state;
    assert_split("", WORDS(NULL));
    assert_split("   ", WORDS(NULL));
    assert_split(" a b  c ", WORDS("a", "b", "c"));
    assert_split("x\ty\nz\r", WORDS("x", "y", "z"));
    assert_split("'a b' c", WORDS("a b", "c"));
    assert_split("a\"b c\"d", WORDS("ab cd"));
    assert_split("a''b", WORDS("ab"));
    assert_split("'' x ''", WORDS("", "x", ""));
    assert_split("a\\ b", WORDS("a b"));
    assert_split("'a\\b'", WORDS("a\\b"));
    assert_split("\"a\\\"b\"", WORDS("a\"b"));
    assert_split("\"a\\\\b\"", WORDS("a\\b"));
    assert_split("\"a\\$b\"", WORDS("a\\$b"));
    assert_split("\"it's\" \\'", WORDS("it's", "'"));
    assert_split("a\\\nb", WORDS("a\nb"));
    assert_split("\"a\\\nb\"", WORDS("a\\\nb"));
    assert_split("a#b # c", WORDS("a#b", "#", "c"));
    assert_split("a|b;c&d>e $HOME *", WORDS("a|b;c&d>e", "$HOME", "*"));
    assert_split("\xc3\xbc \xff", WORDS("\xc3\xbc", "\xff"));
}

static void assert_not_split(const char *line, const char *why)
{
    char message[600];
    const char *word = "";
    const char **argv = &word;
    assert_int_equal(weft_shlex_split(line, &argv), -EINVAL);
    assert_null(argv);
    (void)snprintf(message, sizeof message, "split '%s': %s", line, why);
    assert_string_equal(weft_error_message(), message);
}

static void what_is_not_ended_is_an_error(void **state)
{
    (void)state;
    const char **argv;
    assert_not_split("it's", "No closing quotation");
    assert_not_split("\"", "No closing quotation");
    assert_not_split("\"\\\"", "No closing quotation");
    assert_not_split("'a\\", "No closing quotation");
    assert_not_split("a\\", "No escaped character");
    assert_not_split("\"a\\", "No escaped character");
    assert_int_equal(weft_shlex_split(NULL, &argv), -EINVAL);
    assert_null(argv);
    assert_int_equal(weft_shlex_split("a", NULL), -EINVAL);
}

static void a_split_line_can_be_run(void **state)
{
    (void)state;
    const char **argv;
    weft_completed completed;
    assert_int_equal(weft_shlex_split(TARGET " say 'two words' \"\"", &argv), 4);
    assert_int_equal(
        weft_subprocess_run(&completed, argv, &(weft_subprocess_options){.capture_output = true}),
        0);
    assert_output(completed.out, "two words");
    weft_completed_clear(&completed);
    weft_free(argv);
}

/* ---- Round trips ------------------------------------------------------------------------------
 */

enum { TRIPS = 150, MOST_WORDS = 24, MOST_BYTES = 12 };

static uint32_t random_state;

static uint32_t next_random(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 16;
}

/* Mostly what means something to a shell. */
static void fill_word(char *word)
{
    static const char special[] = "'\"\\ \t\n$`!*?[]{}()<>|&;#~=%^-a0\r\x01\x7f\xff";
    size_t size = next_random() % MOST_BYTES;
    for (size_t i = 0; i < size; i++)
        word[i] = (char)(next_random() % 4 != 0 ? special[next_random() % (sizeof special - 1)]
                                                : (char)(1 + next_random() % 255));
    word[size] = '\0';
}

/* Each word and a NUL, as a shell's printf gives them back. */
static void assert_shell_gives_back(const char *const argv[], const char *expected, size_t size)
{
    weft_bytes line;
    weft_completed completed;
    assert_int_equal(weft_shlex_join(argv, &line), 0);
    assert_int_equal(weft_subprocess_shell(&completed, line.data,
                                           &(weft_subprocess_options){.capture_output = true}),
                     0);
    if (completed.out.size != size || memcmp(completed.out.data, expected, size) != 0)
        fail_msg("the shell read something else: %s", (char *)line.data);
    assert_int_equal(completed.returncode, 0);
    assert_output(completed.err, "");
    weft_completed_clear(&completed);
    weft_free(line.data);
}

static void assert_split_gives_back(const char *const argv[], size_t count)
{
    weft_bytes line;
    const char **again;
    assert_int_equal(weft_shlex_join(argv, &line), 0);
    assert_int_equal(weft_shlex_split(line.data, &again), count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(again[i], argv[i]);
    weft_free(again);
    weft_free(line.data);
}

static void any_words_come_through_a_shell_and_through_split(void **state)
{
    (void)state;
    for (int trip = 0; trip < TRIPS; trip++) {
        static char words[MOST_WORDS][MOST_BYTES + 1];
        static char expected[MOST_WORDS * (MOST_BYTES + 1)];
        const char *argv[MOST_WORDS + 3] = {"printf", "%s\\0"};
        size_t size = 0, count = 1 + next_random() % MOST_WORDS;
        for (size_t i = 0; i < count; i++) {
            fill_word(words[i]);
            argv[2 + i] = words[i];
            memcpy(expected + size, words[i], strlen(words[i]) + 1);
            size += strlen(words[i]) + 1;
        }
        argv[2 + count] = NULL;
        assert_shell_gives_back(argv, expected, size);
        assert_split_gives_back(argv, 2 + count);
    }
}

static void a_program_with_any_name_is_run(void **state)
{
    (void)state;
    char directory[200], path[256];
    static const char *const names[] = {"if", "A=1", "a b", "it's", "$x", "{", "!", "#"};
    assert_int_equal(directory_make(directory, sizeof directory), 0);
    const char *const path_env[] = {path, NULL};
    (void)snprintf(path, sizeof path, "PATH=%s", directory);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char place[300];
        weft_bytes line;
        weft_completed completed;
        const char *const argv[] = {names[i], "say", "here", "", NULL};
        (void)snprintf(place, sizeof place, "%s/%s", directory, names[i]);
        assert_int_equal(symlink(TARGET, place), 0);
        assert_int_equal(weft_shlex_join(argv, &line), 0);
        assert_int_equal(weft_subprocess_shell(&completed, line.data,
                                               &(weft_subprocess_options){.capture_output = true,
                                                                          .popen.env = path_env}),
                         0);
        assert_output(completed.err, "");
        assert_output(completed.out, "here");
        weft_completed_clear(&completed);
        weft_free(line.data);
    }
    directory_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(words_are_quoted_where_a_shell_needs_it),
        weft_test(words_are_joined_to_a_command),
        weft_test(lines_are_split_as_python_does),
        weft_test(what_is_not_ended_is_an_error),
        weft_test(a_split_line_can_be_run),
        weft_test(any_words_come_through_a_shell_and_through_split),
        weft_test(a_program_with_any_name_is_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
