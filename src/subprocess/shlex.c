/* SPDX-License-Identifier: MIT */
/*
 * Words to a line that a shell takes apart again, and a line to words.
 *
 * Both go over their input twice with the same function: first to know the size, then to write, to
 * one block. All quoting of the library is quote()'s.
 */
#include <stdint.h>

#include "core/error.h"
#include "core/memory.h"
#include "subprocess/popen.h"

/* ---- Words to a line --------------------------------------------------------------------------
 */

static bool plain(const char *word)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "@%+=:,./-_";
    return word[0] != '\0' && word[strspn(word, safe)] == '\0';
}

/* What a shell takes for something else where a command's name is expected. */
static bool grammar(const char *word)
{
    static const char *const reserved[] = {"if",   "then", "else",   "elif",     "fi",    "do",
                                           "done", "case", "esac",   "while",    "until", "for",
                                           "in",   "time", "select", "function", "coproc"};
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (strcmp(word, reserved[i]) == 0)
            return true;
    }
    return strchr(word, '=') != NULL;
}

/* Writes `word` as a shell would need it to `to` (NULL: nowhere); returns its length. */
static size_t quote(char *to, const char *word, bool first)
{
    static const char inner[] = "'\"'\"'"; /* end, a quoted quote, begin again */
    size_t n = 0;
    if (plain(word) && !(first && grammar(word))) {
        n = strlen(word);
        if (to != NULL)
            memcpy(to, word, n);
        return n;
    }
    if (to != NULL)
        to[0] = '\'';
    for (n = 1; *word != '\0'; word++) {
        size_t size = *word == '\'' ? sizeof inner - 1 : 1;
        if (to != NULL)
            memcpy(to + n, *word == '\'' ? inner : word, size);
        n += size;
    }
    if (to != NULL)
        to[n] = '\'';
    return n + 1;
}

/* Writes the line to `to` (NULL: nowhere); returns its size, with the NUL. */
static size_t join(char *to, const char *const argv[])
{
    size_t n = 0;
    for (size_t i = 0; argv[i] != NULL; i++) {
        n += quote(to != NULL ? to + n : NULL, argv[i], i == 0);
        if (to != NULL)
            to[n] = ' ';
        n++;
    }
    n = n > 0 ? n : 1;
    if (to != NULL)
        to[n - 1] = '\0';
    return n;
}

char *weft_command_line(const char *const argv[])
{
    char *line = weft_alloc(join(NULL, argv));
    if (line != NULL)
        (void)join(line, argv);
    return line;
}

int weft_shlex_quote(const char *word, weft_bytes *quoted)
{
    if (word == NULL || quoted == NULL)
        return weft_error(-EINVAL, "quote a word: %s is NULL", word == NULL ? "it" : "the result");
    size_t size = quote(NULL, word, false);
    char *text = weft_alloc(size + 1);
    if (text == NULL)
        return weft_error(-ENOMEM, "quote a word of %zu bytes: no memory", strlen(word));
    text[quote(text, word, false)] = '\0';
    *quoted = (weft_bytes){.data = text, .size = size};
    return 0;
}

int weft_shlex_join(const char *const argv[], weft_bytes *line)
{
    if (argv == NULL || line == NULL)
        return weft_error(-EINVAL, "join words: %s is NULL", argv == NULL ? "argv" : "the result");
    char *text = weft_command_line(argv);
    if (text == NULL)
        return weft_error(-ENOMEM, "join words: no memory");
    *line = (weft_bytes){.data = text, .size = strlen(text)};
    return 0;
}

/* ---- A line to words --------------------------------------------------------------------------
 */

static const char blanks[] = " \t\r\n";

/* Where it reads, and where the words go. */
typedef struct weft_shlex {
    const char *at;
    char *to; /* NULL: nowhere */
    size_t size;
} weft_shlex;

static void put(weft_shlex *shlex, char c)
{
    if (shlex->to != NULL)
        shlex->to[shlex->size] = c;
    shlex->size++;
}

/* The backslash has been read. In double quotes it stays, unless before a quote or another. */
static const char *escaped(weft_shlex *shlex, bool quoted)
{
    char c = *shlex->at;
    if (c == '\0')
        return "No escaped character";
    if (quoted && c != '"' && c != '\\')
        put(shlex, '\\');
    put(shlex, c);
    shlex->at++;
    return NULL;
}

/* The opening quote has been read. */
static const char *quotation(weft_shlex *shlex, char end)
{
    const char *wrong = NULL;
    while (wrong == NULL && *shlex->at != end) {
        char c = *shlex->at;
        if (c == '\0')
            return "No closing quotation";
        shlex->at++;
        if (c == '\\' && end == '"')
            wrong = escaped(shlex, true);
        else
            put(shlex, c);
    }
    shlex->at += wrong == NULL;
    return wrong;
}

/* One word with its NUL. Returns what is wrong; NULL: nothing. */
static const char *word(weft_shlex *shlex)
{
    const char *wrong = NULL;
    while (wrong == NULL && *shlex->at != '\0' && strchr(blanks, *shlex->at) == NULL) {
        char c = *shlex->at++;
        if (c == '\'' || c == '"')
            wrong = quotation(shlex, c);
        else if (c == '\\')
            wrong = escaped(shlex, false);
        else
            put(shlex, c);
    }
    put(shlex, '\0');
    return wrong;
}

/* All words; argv (NULL: nowhere) gets where each begins. Returns what is wrong. */
static const char *words(weft_shlex *shlex, const char **argv, size_t *count)
{
    const char *wrong = NULL;
    *count = 0;
    for (;;) {
        shlex->at += strspn(shlex->at, blanks);
        if (*shlex->at == '\0' || wrong != NULL)
            return wrong;
        if (argv != NULL)
            argv[*count] = shlex->to + shlex->size;
        wrong = word(shlex);
        (*count)++;
    }
}

int weft_shlex_split(const char *line, const char ***argv)
{
    size_t count;
    if (argv != NULL)
        *argv = NULL;
    if (line == NULL || argv == NULL)
        return weft_error(-EINVAL, "split a line: %s is NULL", line == NULL ? "it" : "the result");
    weft_shlex shlex = {.at = line};
    const char *wrong = words(&shlex, NULL, &count);
    if (wrong != NULL || count > INT_MAX)
        return weft_error(-EINVAL, "split '%.300s': %s", line,
                          wrong != NULL ? wrong : "Too many words");
    const char **block = weft_alloc((count + 1) * sizeof *block + shlex.size);
    if (block == NULL)
        return weft_error(-ENOMEM, "split '%.300s': no memory for %zu words", line, count);
    shlex = (weft_shlex){.at = line, .to = (char *)(block + count + 1)};
    (void)words(&shlex, block, &count);
    block[count] = NULL;
    *argv = block;
    return (int)count;
}
