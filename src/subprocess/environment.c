/* SPDX-License-Identifier: MIT */
/*
 * This process's environment with changes, as a child gets it: one block of pointers to strings
 * that stay where they are.
 */
#include "core/memory.h"
#include "subprocess/popen.h"

extern char **environ;

static size_t count_of(const char *const *strings)
{
    size_t count = 0;
    while (strings[count] != NULL)
        count++;
    return count;
}

static bool same_name(const char *a, const char *b)
{
    size_t length = strcspn(a, "=");
    return length == strcspn(b, "=") && strncmp(a, b, length) == 0;
}

/* Whether one of the changes speaks of it. */
static bool named(const char *const *changes, const char *variable)
{
    for (size_t i = 0; changes[i] != NULL; i++) {
        if (same_name(changes[i], variable))
            return true;
    }
    return false;
}

int weft_environment_make(const char ***made, const char *const *changes)
{
    static const char *const nothing[] = {NULL};
    *made = NULL;
    if (changes == NULL)
        return 0;
    const char *const *here = environ != NULL ? (const char *const *)environ : nothing;
    size_t count = 0;
    const char **env = weft_calloc(count_of(here) + count_of(changes) + 1, sizeof *env);
    if (env == NULL)
        return -ENOMEM;
    for (size_t i = 0; here[i] != NULL; i++) {
        if (!named(changes, here[i]))
            env[count++] = here[i];
    }
    for (size_t i = 0; changes[i] != NULL; i++) { /* of several for one name the last counts */
        if (strchr(changes[i], '=') != NULL && !named(changes + i + 1, changes[i]))
            env[count++] = changes[i];
    }
    *made = env;
    return 0;
}
