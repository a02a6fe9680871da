/* SPDX-License-Identifier: MIT */
/*
 * The start of a child: from the options to the plan of platform/spawn, and from its result to a
 * handle.
 *
 * All that may fail or wait (names of users, memory, descriptors) is done here, before the fork. A
 * start that fails leaves nothing behind: no child, no descriptor, and .in_stream as it was.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/shutdown.h"
#include "subprocess/identity.h"
#include "subprocess/popen.h"
#include "subprocess/warden.h"

/* ---- Start ------------------------------------------------------------------------------------
 */

enum { NANOSECONDS = 1000000000, MOST_GRACE = 10000000 /* seconds */ };

static int reap_at_shutdown(weft_instant deadline)
{
    (void)deadline;
    (void)weft_childexit_reap_dropped();
    return 0;
}

static weft_shutdown_step shutdown_step = {.stage = WEFT_STAGE_HELPERS, .run = reap_at_shutdown};

/* What is to be in place before the first child. */
static int begin_module(void)
{
    if (weft_context_self() == NULL) /* which installs the fork handlers */
        return -ENOMEM;
    weft_shutdown_register(&shutdown_step);
    return 0;
}

int weft_subprocess_reap(void)
{
    int r = begin_module();
    return r < 0 ? r : weft_childexit_reap_dropped();
}

static int compare_fds(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* What is allocated for the plan alone. */
typedef struct weft_launch {
    weft_spawn_plan plan;
    const char **paths;
    const char **env;
    int *pass_fds;
    weft_spawn_limit *limits;
    weft_identity identity;
} weft_launch;

static void free_launch(weft_launch *launch)
{
    weft_dealloc(launch->paths);
    weft_dealloc(launch->env);
    weft_dealloc(launch->pass_fds);
    weft_dealloc(launch->limits);
    weft_identity_clear(&launch->identity);
}

static rlim_t limit_of(uint64_t value)
{
    return value == WEFT_LIMIT_NONE ? RLIM_INFINITY : (rlim_t)value;
}

static int copy_limits(weft_launch *launch, const weft_popen_options *options)
{
    if (options->limits_count == 0)
        return 0;
    launch->limits = weft_calloc(options->limits_count, sizeof *launch->limits);
    if (launch->limits == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < options->limits_count; i++) {
        const weft_limit *limit = &options->limits[i];
        launch->limits[i] = (weft_spawn_limit){
            .resource = limit->resource,
            .value = {.rlim_cur = limit_of(limit->soft), .rlim_max = limit_of(limit->hard)},
        };
    }
    return 0;
}

static int copy_fds(weft_launch *launch, const weft_popen_options *options)
{
    size_t count = options->pass_fds_count;
    if (count == 0)
        return 0;
    launch->pass_fds = weft_memdup(options->pass_fds, count * sizeof(int));
    if (launch->pass_fds == NULL)
        return -ENOMEM;
    qsort(launch->pass_fds, count, sizeof(int), compare_fds);
    return 0;
}

/* Where the program is looked for, and what it gets. */
static int find_program(weft_launch *launch, const char *const argv[],
                        const weft_popen_options *options)
{
    int r = weft_environment_make(&launch->env, options->env_changes);
    if (r < 0)
        return r;
    const char *const *env = launch->env != NULL ? launch->env : weft_command_environment(options);
    launch->paths =
        weft_command_paths(options->executable != NULL ? options->executable : argv[0], env);
    launch->plan.paths = launch->paths;
    launch->plan.argv = (char *const *)(uintptr_t)argv; /* exec writes to none of them */
    launch->plan.envp = (char *const *)(uintptr_t)env;
    return launch->paths != NULL ? 0 : -ENOMEM;
}

/* Errors: -ENOMEM, without message; those of weft_identity_find, with. */
static int prepare(weft_launch *launch, const char *const argv[], const weft_popen_options *options)
{
    int r = find_program(launch, argv, options);
    if (r == 0)
        r = copy_fds(launch, options);
    if (r == 0)
        r = copy_limits(launch, options);
    if (r < 0)
        return weft_error(r, "run '%s': no memory", argv[0]);
    r = weft_identity_find(&launch->identity, options);
    if (r < 0)
        return r;
    weft_spawn_plan *plan = &launch->plan;
    plan->cwd = options->cwd;
    plan->pass_fds = launch->pass_fds;
    plan->pass_fds_count = options->pass_fds_count;
    plan->keep_fds = options->keep_fds;
    plan->keep_signals = options->keep_signals;
    plan->new_session = options->new_session;
    /* the leader of a session leads a group already */
    plan->set_group = (options->new_group && !options->new_session) || options->process_group != 0;
    plan->group = options->process_group;
    plan->set_umask = options->set_umask;
    plan->umask = options->umask;
    plan->limits = launch->limits;
    plan->limits_count = options->limits_count;
    plan->death_signal = options->parent_death_signal;
    plan->hook = options->hook;
    plan->hook_arg = options->hook_arg;
    weft_identity_plan(&launch->identity, plan);
    return 0;
}

static int spawn_failed(int r, weft_spawn_stage stage, const char *name,
                        const weft_popen_options *options)
{
    const char *text = weft_strerror(r);
    switch (stage) {
    case WEFT_SPAWN_SETUP:
        return weft_error(r, "run '%s': set up its descriptors, session or group: %s", name, text);
    case WEFT_SPAWN_CHDIR:
        return weft_error(r, "run '%s' in '%s': %s", name, options->cwd, text);
    case WEFT_SPAWN_LIMITS:
        return weft_error(r, "run '%s': set its resource limits: %s", name, text);
    case WEFT_SPAWN_IDENTITY:
        return weft_error(r, "run '%s': change user or groups: %s", name, text);
    case WEFT_SPAWN_DEATH_SIGNAL:
        return weft_error(r, "run '%s': have it signalled when this process ends: %s", name, text);
    case WEFT_SPAWN_HOOK:
        return weft_error(r, "run '%s': its hook failed: %s", name, text);
    case WEFT_SPAWN_FORK:
        return weft_error(r, "run '%s': no process: %s", name, text);
    default:
        return weft_error(r, "run '%s': %s", name, text);
    }
}

/* The child has no handle: it must not run on unseen. */
static void undo_spawn(const weft_spawn_result *result)
{
    (void)kill(result->pid, SIGKILL);
    while (waitpid(result->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (result->pidfd >= 0)
        (void)close(result->pidfd);
}

/* The descriptors are there: makes the child, and watches its end. */
static int launch_child(weft_popen *popen, weft_launch *launch, const weft_stdio *stdio,
                        const char *name, const weft_popen_options *options)
{
    weft_spawn_result result = {.pidfd = -1};
    sigset_t mask;
    weft_stdio_plan(stdio, &launch->plan);
    if (weft_switch_mask(&weft_context_self()->place, &mask))
        launch->plan.mask = &mask;
    int r = launch->plan.death_signal != 0 ? weft_warden_spawn(&launch->plan, &result)
                                           : weft_spawn(&launch->plan, &result);
    if (r < 0)
        return spawn_failed(r, result.stage, name, options);
    r = weft_childexit_open(&popen->exit, result.pid, result.pidfd);
    if (r < 0) {
        undo_spawn(&result);
        return weft_error(r, "run '%s': watch its end: %s", name, weft_strerror(r));
    }
    return 0;
}

static int spawn(weft_popen *popen, const char *const argv[], const weft_popen_options *options)
{
    weft_launch launch = {.paths = NULL};
    weft_stdio stdio;
    const char *name = options->executable != NULL ? options->executable : argv[0];
    int r = prepare(&launch, argv, options);
    if (r == 0)
        r = weft_stdio_open(&stdio, options, name);
    if (r == 0) {
        r = launch_child(popen, &launch, &stdio, name, options);
        weft_stdio_close(&stdio, r == 0);
        for (int i = 0; i < WEFT_CHILD_STREAMS && r == 0; i++)
            popen->streams[i] = stdio.streams[i];
    }
    free_launch(&launch);
    return r;
}

static weft_popen *new_popen(const char *const argv[], const char *command,
                             const weft_popen_options *options)
{
    weft_popen *popen = weft_calloc(1, sizeof *popen);
    if (popen == NULL)
        return NULL;
    weft_handle_init(&popen->job.handle, &weft_popen_kind);
    popen->command = command != NULL ? weft_strdup(command) : weft_command_line(argv);
    if (popen->command == NULL ||
        (options->name != NULL && weft_handle_rename(&popen->job.handle, options->name) < 0)) {
        weft_popen_free(popen);
        return NULL;
    }
    popen->on_drop = options->on_drop;
    double grace = options->grace > 0 ? options->grace : 1;
    popen->grace = (weft_instant)((grace < MOST_GRACE ? grace : MOST_GRACE) * NANOSECONDS);
    popen->leader = options->new_group || options->new_session;
    popen->returncode = WEFT_NO_RETURNCODE;
    return popen;
}

int weft_popen_start_as(weft_popen **popen, const char *const argv[], const char *command,
                        const weft_popen_options *options)
{
    static const weft_popen_options defaults;
    if (popen != NULL)
        *popen = NULL;
    if (options == NULL)
        options = &defaults;
    int r = begin_module();
    if (r == 0)
        r = weft_command_check(argv, options);
    if (r < 0)
        return r;
    (void)weft_childexit_reap_dropped();
    weft_popen *self = new_popen(argv, command, options);
    if (self == NULL)
        return weft_error(-ENOMEM, "run '%s': no memory", argv[0]);
    r = spawn(self, argv, options);
    if (r < 0) {
        weft_popen_free(self);
        return r;
    }
    if (popen != NULL)
        *popen = self;
    else
        weft_handle_drop(&self->job.handle);
    return 0;
}

int weft_popen_start(weft_popen **popen, const char *const argv[],
                     const weft_popen_options *options)
{
    return weft_popen_start_as(popen, argv, NULL, options);
}

const char *weft_command_shell(const weft_popen_options *options)
{
    return options->executable != NULL ? options->executable : "/bin/sh";
}

int weft_popen_shell(weft_popen **popen, const char *command, const weft_popen_options *options)
{
    const char *shell = options != NULL ? weft_command_shell(options) : "/bin/sh";
    const char *const argv[] = {shell, "-c", command, NULL};
    if (popen != NULL)
        *popen = NULL;
    if (command == NULL)
        return weft_error(-EINVAL, "start a popen: no command");
    return weft_popen_start_as(popen, argv, command, options);
}
