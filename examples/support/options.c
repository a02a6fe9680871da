/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <stdlib.h>
#include <string.h>

static bool take_value(const option *wanted, const char *value)
{
    char *end;
    if (wanted->text != NULL) {
        *wanted->text = value;
        return true;
    }
    double number = strtod(value, &end);
    if (end == value || *end != '\0' || !(number >= 0 && number < 1e9))
        return false;
    if (wanted->seconds != NULL) {
        *wanted->seconds = number;
        return true;
    }
    *wanted->count = (long)number;
    return (double)*wanted->count == number;
}

int options_take(const option *options, int argc, char **argv)
{
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        const option *wanted = options;
        while (wanted->name != NULL && strcmp(argv[i], wanted->name) != 0)
            wanted++;
        if (wanted->name == NULL)
            return 0;
        if (wanted->flag != NULL)
            *wanted->flag = true;
        else if (++i == argc || !take_value(wanted, argv[i]))
            return 0;
    }
    return i;
}

char **options_split(char **argv, const char *mark)
{
    while (*argv != NULL && strcmp(*argv, mark) != 0)
        argv++;
    if (*argv == NULL)
        return NULL;
    *argv = NULL;
    return argv + 1;
}
