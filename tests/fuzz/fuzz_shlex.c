/* SPDX-License-Identifier: MIT */
/*
 * Any line that can be split, joined again, is split to the same words; and any words, joined, are
 * what split and /bin/sh make of the line again. The input is both: a line, and words that end at
 * NULs.
 */
#include <stdio.h>

#include <weft.h>

#include "fuzz.h"

enum { MOST = 4000, MOST_WORDS = 200 };

static void through_split(const char *const *words, size_t count)
{
    weft_bytes line;
    const char **again;
    fuzz_require(weft_shlex_join(words, &line) == 0, "joined");
    int r = weft_shlex_split(line.data, &again);
    fuzz_require(r == (int)count, "as many words");
    for (size_t i = 0; i < count; i++)
        fuzz_require(strcmp(words[i], again[i]) == 0, "the same word");
    weft_free(again);
    weft_free(line.data);
}

/* printf gives back what the shell has read, a NUL behind each. */
static void through_shell(const char *const *argv, const char *expected, size_t size)
{
    weft_bytes line;
    weft_completed completed;
    fuzz_require(weft_shlex_join(argv, &line) == 0, "joined");
    int r = weft_subprocess_shell(&completed, line.data,
                                  &(weft_subprocess_options){.capture_output = true});
    fuzz_require(r == 0 && completed.returncode == 0, "the shell has run");
    fuzz_require(completed.err.size == 0, "without complaint");
    fuzz_require(completed.out.size == size && memcmp(completed.out.data, expected, size) == 0,
                 "the same words");
    weft_completed_clear(&completed);
    weft_free(line.data);
}

static void take_as_line(const char *line)
{
    const char **words;
    int count = weft_shlex_split(line, &words);
    if (count >= 0)
        through_split(words, (size_t)count);
    weft_free(words);
}

static void take_as_words(const char *data, size_t size)
{
    const char *argv[MOST_WORDS + 3] = {"printf", "%s\\0"};
    size_t count = 0, at = 0;
    while (at < size && count < MOST_WORDS) {
        argv[2 + count++] = data + at;
        at += strlen(data + at) + 1;
    }
    argv[2 + count] = NULL;
    through_split(argv, 2 + count);
    if (count > 0)
        through_shell(argv, data, at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char copy[MOST + 1];
    if (size > MOST)
        return 0;
    memcpy(copy, data, size);
    copy[size] = '\0';
    take_as_line(copy);
    take_as_words(copy, size);
    return 0;
}
