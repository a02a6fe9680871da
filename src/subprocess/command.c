/* SPDX-License-Identifier: MIT */
/*
 * What is to be run: where it may be found, with which environment.
 *
 * Everything is prepared before the fork, as the child may not allocate: the search through PATH is
 * a list of candidates, which the child tries one after the other. As in Python, the PATH is that
 * of the child's environment, and /bin:/usr/bin where it has none.
 */
#include <fcntl.h>
#include <stdint.h>

#include "core/error.h"
#include "core/memory.h"
#include "subprocess/popen.h"

extern char **environ;

/* ---- Where it may be --------------------------------------------------------------------------
 */

static const char *search_path(const char *const *environment)
{
    for (size_t i = 0; environment != NULL && environment[i] != NULL; i++) {
        if (strncmp(environment[i], "PATH=", 5) == 0)
            return environment[i] + 5;
    }
    return "/bin:/usr/bin";
}

static const char **one_candidate(const char *program)
{
    size_t size = strlen(program) + 1;
    const char **paths = weft_alloc(2 * sizeof *paths + size);
    if (paths == NULL)
        return NULL;
    char *text = (char *)(paths + 2);
    memcpy(text, program, size);
    paths[0] = text;
    paths[1] = NULL;
    return paths;
}

const char **weft_command_paths(const char *program, const char *const *environment)
{
    if (strchr(program, '/') != NULL || program[0] == '\0')
        return one_candidate(program);
    const char *path = search_path(environment);
    size_t name = strlen(program) + 1;
    size_t count = 1;
    for (const char *colon = path; (colon = strchr(colon, ':')) != NULL; colon++)
        count++;
    /* each directory with a slash and the program; their bytes are those of `path` */
    const char **paths =
        weft_alloc((count + 1) * sizeof *paths + strlen(path) + count * (name + 1));
    if (paths == NULL)
        return NULL;
    char *text = (char *)(paths + count + 1);
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(path, ":");
        paths[i] = text;
        memcpy(text, path, length);
        text += length;
        if (length > 0) /* an empty one is the current directory */
            *text++ = '/';
        memcpy(text, program, name);
        text += name;
        path += length + 1;
    }
    paths[count] = NULL;
    return paths;
}

/* ---- Whether it can be meant ------------------------------------------------------------------
 */

const char *const *weft_command_environment(const weft_popen_options *options)
{
    return options->env != NULL ? options->env : (const char *const *)environ;
}

static int check_environment(const char *const *env)
{
    for (size_t i = 0; env != NULL && env[i] != NULL; i++) {
        const char *equals = strchr(env[i], '=');
        if (equals == NULL || equals == env[i])
            return weft_error(-EINVAL, "start a popen: '%s' in .env is not NAME=value", env[i]);
    }
    return 0;
}

static int check_changes(const weft_popen_options *options)
{
    const char *const *changes = options->env_changes;
    if (changes != NULL && options->env != NULL)
        return weft_error(-EINVAL, "start a popen: .env and .env_changes exclude each other");
    for (size_t i = 0; changes != NULL && changes[i] != NULL; i++) {
        if (changes[i][0] == '\0' || changes[i][0] == '=')
            return weft_error(-EINVAL, "start a popen: '%s' in .env_changes has no name",
                              changes[i]);
    }
    return 0;
}

static int check_identity(const weft_popen_options *options)
{
    const char *twice = options->user != NULL && options->set_uid    ? ".user and .set_uid"
                        : options->group != NULL && options->set_gid ? ".group and .set_gid"
                        : options->extra_groups != NULL && options->set_groups
                            ? ".extra_groups and .set_groups"
                            : NULL;
    if (twice != NULL)
        return weft_error(-EINVAL, "start a popen: %s exclude each other", twice);
    if (options->set_groups && options->groups_count > 0 && options->groups == NULL)
        return weft_error(-EINVAL, "start a popen: .groups is NULL");
    return 0;
}

static int check_groups(const weft_popen_options *options)
{
    if (options->new_group && options->process_group != 0)
        return weft_error(-EINVAL,
                          "start a popen: .new_group and .process_group exclude each other");
    if (options->process_group < 0)
        return weft_error(-EINVAL, "start a popen: %ld is no process group",
                          (long)options->process_group);
    return 0;
}

static int check_numbers(const weft_popen_options *options)
{
    if (!(options->grace >= 0))
        return weft_error(-EINVAL, "start a popen: .grace is %g", options->grace);
    if ((unsigned int)options->on_drop > WEFT_ON_DROP_KILL)
        return weft_error(-EINVAL, "start a popen: .on_drop is %d", (int)options->on_drop);
    if (options->parent_death_signal < 0)
        return weft_error(-EINVAL, "start a popen: %d is no signal", options->parent_death_signal);
    if (options->limits_count > 0 && options->limits == NULL)
        return weft_error(-EINVAL, "start a popen: .limits is NULL");
    for (size_t i = 0; i < options->limits_count; i++) {
        if (options->limits[i].soft > options->limits[i].hard)
            return weft_error(-EINVAL, "start a popen: a soft limit is above the hard one");
    }
    return 0;
}

static int check_fds(const weft_popen_options *options)
{
    if (options->pass_fds_count > 0 && (options->keep_fds || options->pass_fds == NULL))
        return weft_error(-EINVAL, "start a popen: .pass_fds %s",
                          options->keep_fds ? "and .keep_fds exclude each other" : "is NULL");
    for (size_t i = 0; i < options->pass_fds_count; i++) {
        if (options->pass_fds[i] < 0)
            return weft_error(-EINVAL, "start a popen: %d in .pass_fds is no descriptor",
                              options->pass_fds[i]);
    }
    if (options->in_stream != NULL && options->in != 0)
        return weft_error(-EINVAL, "start a popen: .in and .in_stream exclude each other");
    return 0;
}

static int check_open(int fd, const char *name)
{
    if (fcntl(fd, F_GETFD) >= 0)
        return 0;
    return weft_error(-errno, "start a popen: %d in %s: %s", fd, name, weft_strerror(-errno));
}

/* Before anything is opened for the child, which could get just the number of one that is closed.
 */
static int check_all_open(const weft_popen_options *options)
{
    int r = options->in > 0 ? check_open(options->in, ".in") : 0;
    if (r == 0 && options->out > 0)
        r = check_open(options->out, ".out");
    if (r == 0 && options->err > 0)
        r = check_open(options->err, ".err");
    for (size_t i = 0; i < options->pass_fds_count && r == 0; i++)
        r = check_open(options->pass_fds[i], ".pass_fds");
    return r;
}

int weft_command_check_input(const char *what, const void *input, size_t size)
{
    if (input == NULL && size > 0)
        return weft_error(-EINVAL, "%s: %zu bytes of input at NULL", what, size);
    return 0;
}

int weft_command_check(const char *const argv[], const weft_popen_options *options)
{
    if (argv == NULL || argv[0] == NULL)
        return weft_error(-EINVAL, "start a popen: argv is empty");
    int r = check_environment(options->env);
    if (r == 0)
        r = check_changes(options);
    if (r == 0)
        r = check_fds(options);
    if (r == 0)
        r = check_identity(options);
    if (r == 0)
        r = check_groups(options);
    if (r == 0)
        r = check_numbers(options);
    if (r == 0)
        r = check_all_open(options);
    return r;
}
