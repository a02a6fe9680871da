/* SPDX-License-Identifier: MIT */
/* What a child is started as and with: environment, owners, limits, groups, and its end with ours.
 */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/resource.h>

#include "subprocess_support.h"
#include "support/places.h"

/* Runs the target with `options`: what it says on stdout is `text`. */
static void expect(const char *const argv[], weft_popen_options options, const char *text)
{
    weft_completed completed;
    int r = weft_subprocess_run(
        &completed, argv,
        &(weft_subprocess_options){.out = WEFT_PIPE, .check = true, .popen = options});
    if (r < 0)
        fail_msg("%s", weft_error_message());
    assert_output(completed.out, text);
    weft_completed_clear(&completed);
}

static void refused(weft_popen_options options, int code, const char *why)
{
    weft_popen *popen;
    assert_int_equal(weft_popen_start(&popen, ARGV("exit", "0"), &options), code);
    assert_null(popen);
    if (strstr(weft_error_message(), why) == NULL)
        fail_msg("'%s' is not in: %s", why, weft_error_message());
}

/* ---- the environment --------------------------------------------------------------------------
 */

static void the_environment_is_ours_with_changes(void **state)
{
    (void)state;
    setenv("WEFT_KEPT", "kept", 1);
    setenv("WEFT_SET", "before", 1);
    setenv("WEFT_GONE", "here", 1);
    setenv("WEFT_SET2", "not named", 1);
    const char *const changes[] = {"WEFT_SET=first", "WEFT_NEW=a=b", "WEFT_GONE",
                                   "WEFT_SET=last",  "WEFT_NEVER",   NULL};
    const weft_popen_options options = {.env_changes = changes};
    expect(ARGV("env", "WEFT_KEPT"), options, "kept");
    expect(ARGV("env", "WEFT_SET"), options, "last");
    expect(ARGV("env", "WEFT_NEW"), options, "a=b");
    expect(ARGV("env", "WEFT_GONE"), options, "(none)");
    expect(ARGV("env", "WEFT_NEVER"), options, "(none)");
    expect(ARGV("env", "WEFT_SET2"), options, "not named");
    assert_string_equal(getenv("WEFT_SET"), "before");
    unsetenv("WEFT_KEPT");
    unsetenv("WEFT_SET");
    unsetenv("WEFT_GONE");
    unsetenv("WEFT_SET2");
}

static void the_changed_path_is_searched(void **state)
{
    (void)state;
    char path[4096];
    const char *slash = strrchr(TARGET, '/');
    (void)snprintf(path, sizeof path, "PATH=%.*s", (int)(slash - TARGET), TARGET);
    const char *const changes[] = {path, NULL}, *const without[] = {"PATH=/nosuch", NULL};
    const char *const argv[] = {slash + 1, "say", "found", NULL};
    weft_popen *popen;
    expect(argv, (weft_popen_options){.env_changes = changes}, "found");
    assert_int_equal(weft_popen_start(&popen, argv, &(weft_popen_options){.env_changes = without}),
                     -ENOENT);
}

/* ---- owners -----------------------------------------------------------------------------------
 */

static void names_that_nobody_has_are_refused_before_the_start(void **state)
{
    (void)state;
    const char *const groups[] = {"weft-no-such-group", NULL};
    refused((weft_popen_options){.user = "weft-no-such-user"}, -EINVAL,
            "there is no user 'weft-no-such-user'");
    refused((weft_popen_options){.group = "weft-no-such-group"}, -EINVAL, "there is no group");
    refused((weft_popen_options){.extra_groups = groups}, -EINVAL, "there is no group");
}

static void the_own_user_and_group_can_be_named(void **state)
{
    (void)state;
    struct passwd *user = getpwuid(geteuid());
    struct group *group = getgrgid(getegid());
    if (user == NULL || group == NULL)
        skip();
    char name[256], wanted[64];
    weft_completed completed;
    (void)snprintf(name, sizeof name, "%s", user->pw_name);
    (void)snprintf(wanted, sizeof wanted, "%ld %ld:", (long)geteuid(), (long)getegid());
    const weft_subprocess_options options = {
        .out = WEFT_PIPE, .popen.user = name, .popen.group = group->gr_name};
    assert_int_equal(weft_subprocess_run(&completed, ARGV("owners"), &options), 0);
    assert_non_null(completed.out.data);
    assert_memory_equal(completed.out.data, wanted, strlen(wanted));
    weft_completed_clear(&completed);
}

/* Groups first, then the group, then the user: any other order would lack the privilege. */
static void another_user_has_the_groups_that_are_named(void **state)
{
    (void)state;
    if (geteuid() != 0 || getpwnam("nobody") == NULL || getgrnam("daemon") == NULL)
        skip();
    char wanted[128];
    const char *const groups[] = {"daemon", NULL}, *const none[] = {NULL};
    struct passwd *nobody = getpwnam("nobody");
    weft_popen_options options = {.user = "nobody", .group = "daemon", .extra_groups = groups};
    /* the directories above the target may not be nobody's to search */
    const char *const id[] = {"/bin/sh", "-c", "echo $(id -u) $(id -g): $(id -G)", NULL};
    long daemon = (long)getgrnam("daemon")->gr_gid;
    (void)snprintf(wanted, sizeof wanted, "%ld %ld: %ld\n", (long)nobody->pw_uid, daemon, daemon);
#if defined(WEFT_PLATFORM_POSIX)
    weft_popen *popen;
    assert_int_equal(weft_popen_start(&popen, id, &options), -ENOTSUP);
    options.extra_groups = NULL;
    (void)none;
    assert_int_equal(weft_popen_start(&popen, id, &options), 0);
    assert_int_equal(weft_wait(popen, WEFT_FOREVER), 0);
    weft_release(popen);
#else
    expect(id, options, wanted);
    options.extra_groups = none;
    expect(id, options, wanted); /* id tells the group itself */
#endif
}

static void who_lacks_the_privilege_is_told(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip();
    refused((weft_popen_options){.set_uid = true, .uid = 0}, -EPERM, "change user or groups");
}

/* ---- limits -----------------------------------------------------------------------------------
 */

static void limits_are_the_childs_alone(void **state)
{
    (void)state;
    char number[16], wanted[64];
    struct rlimit before, after;
    getrlimit(RLIMIT_NOFILE, &before);
    getrlimit(RLIMIT_CORE, &after);
    if (!descriptors_can_be_limited())
        skip();
    const weft_limit limits[] = {{RLIMIT_NOFILE, 50, 60}, {RLIMIT_CORE, 0, 0}};
    const weft_popen_options options = {.limits = limits, .limits_count = 2};
    (void)snprintf(number, sizeof number, "%d", RLIMIT_NOFILE);
    expect(ARGV("limit", number), options, "50 60");
    (void)snprintf(number, sizeof number, "%d", RLIMIT_CORE);
    expect(ARGV("limit", number), options, "0 0");
    getrlimit(RLIMIT_NOFILE, &after);
    assert_int_equal(after.rlim_cur, before.rlim_cur);
    assert_int_equal(after.rlim_max, before.rlim_max);

    struct rlimit cpu;
    getrlimit(RLIMIT_CPU, &cpu);
    if (cpu.rlim_max == RLIM_INFINITY) {
        const weft_limit none[] = {{RLIMIT_CPU, WEFT_LIMIT_NONE, WEFT_LIMIT_NONE}};
        (void)snprintf(number, sizeof number, "%d", RLIMIT_CPU);
        (void)snprintf(wanted, sizeof wanted, "%lld %lld", (long long)RLIM_INFINITY,
                       (long long)RLIM_INFINITY);
        expect(ARGV("limit", number), (weft_popen_options){.limits = none, .limits_count = 1},
               wanted);
    }
}

static void a_child_that_exceeds_its_time_is_ended(void **state)
{
    (void)state;
    int returncode = 0;
    weft_popen *popen;
    const weft_limit limits[] = {{RLIMIT_CPU, 1, 2}};
    const weft_popen_options options = {.limits = limits, .limits_count = 1};
    const char *const argv[] = {"/bin/sh", "-c", "while :; do :; done", NULL};
    assert_int_equal(weft_popen_start(&popen, argv, &options), 0);
    assert_int_equal(weft_popen_wait(popen, &returncode, WEFT_FOREVER), 0);
    assert_int_equal(returncode, -SIGXCPU);
    assert_int_equal(weft_result(popen, WEFT_NONE, WEFT_NOWAIT), WEFT_ECALLED_PROCESS);
    assert_non_null(strstr(weft_error_message(), "died of SIGXCPU"));
    weft_release(popen);
}

static void limits_that_cannot_be_are_refused(void **state)
{
    (void)state;
    const weft_limit crossed[] = {{RLIMIT_NOFILE, 9, 8}}, unknown[] = {{12345, 1, 1}};
    refused((weft_popen_options){.limits = crossed, .limits_count = 1}, -EINVAL, "soft limit");
    refused((weft_popen_options){.limits_count = 1}, -EINVAL, ".limits is NULL");
    refused((weft_popen_options){.limits = unknown, .limits_count = 1}, -EINVAL, "resource limits");
}

/* ---- groups and sessions ----------------------------------------------------------------------
 */

static void a_session_with_a_group_is_a_session(void **state)
{
    (void)state;
    expect(ARGV("ids"), (weft_popen_options){.new_session = true, .new_group = true},
           "group session");
}

static void a_child_joins_the_group_of_another(void **state)
{
    (void)state;
    weft_popen *leader, *member;
    const weft_popen_options leads = {.new_group = true, .in = WEFT_PIPE};
    assert_int_equal(weft_popen_start(&leader, ARGV("cat"), &leads), 0);
    const weft_popen_options joins = {.process_group = weft_popen_pid(leader), .in = WEFT_PIPE};
    assert_int_equal(weft_popen_start(&member, ARGV("cat"), &joins), 0);
    assert_int_equal(getpgid(weft_popen_pid(member)), weft_popen_pid(leader));
    assert_int_equal(weft_popen_send_signal_group(member, SIGTERM), -EINVAL);
    assert_int_equal(weft_popen_send_signal_group(leader, SIGTERM), 0);
    int returncode = 0;
    assert_int_equal(weft_popen_wait(member, &returncode, WEFT_FOREVER), 0);
    assert_int_equal(returncode, -SIGTERM);
    assert_int_equal(weft_wait(leader, WEFT_FOREVER), 0);
    weft_release(member);
    weft_release(leader);
}

/* A shell's own children end with it where it leads a group. */
static void time_up_ends_a_whole_group(void **state)
{
    (void)state;
    char command[128];
    weft_completed completed;
    weft_gate gate = open_gate();
    (void)snprintf(command, sizeof command, "sleep 1000 & sleep 1000 & wait; exit %d",
                   gate.write_fd);
    const weft_subprocess_options options = {
        .timeout = 0.05,
        .popen = {.new_group = true, .pass_fds = &gate.write_fd, .pass_fds_count = 1}};
    assert_int_equal(weft_subprocess_shell(&completed, command, &options), -ETIMEDOUT);
    assert_int_equal(completed.returncode, -SIGKILL);
    weft_completed_clear(&completed);
    await_gate(&gate); /* all who had it are gone */
}

/* The leader has ended and was not waited for: its number is still its own. */
static void a_group_is_reached_until_the_end_of_its_leader_is_seen(void **state)
{
    (void)state;
    weft_popen *popen;
    siginfo_t info;
    int returncode;
    weft_gate gate = open_gate();
    const weft_popen_options options = {
        .new_group = true, .pass_fds = &gate.write_fd, .pass_fds_count = 1};
    assert_int_equal(weft_popen_shell(&popen, "sleep 1000 &", &options), 0);
    assert_int_equal(waitid(P_PID, (id_t)weft_popen_pid(popen), &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(weft_popen_send_signal_group(popen, SIGTERM), 0);
    await_gate(&gate);
    assert_int_equal(weft_popen_wait(popen, &returncode, WEFT_FOREVER), 0);
    assert_int_equal(returncode, 0);
    assert_int_equal(weft_popen_send_signal_group(popen, SIGTERM), -ESRCH);
    weft_release(popen);
}

static void a_dropped_group_is_ended_as_a_whole(void **state)
{
    (void)state;
    weft_popen *popen;
    weft_gate gate = open_gate();
    const weft_popen_options options = {.new_session = true,
                                        .on_drop = WEFT_ON_DROP_TERMINATE,
                                        .out = WEFT_PIPE,
                                        .pass_fds = &gate.write_fd,
                                        .pass_fds_count = 1};
    assert_int_equal(weft_popen_shell(&popen, "sleep 1000 & echo ready; wait", &options), 0);
    const char *line;
    assert_int_equal(weft_stream_readline(weft_popen_stdout(popen), &line, WEFT_FOREVER), 6);
    weft_release(popen);
    await_gate(&gate);
    await_no_children();
}

/* ---- pipes ------------------------------------------------------------------------------------
 */

/* It ends without anybody reading, as far as the system lets the size be set. */
static void a_pipe_holds_what_is_asked_for(void **state)
{
    (void)state;
    weft_popen *popen;
    weft_completed completed;
    const weft_popen_options options = {.out = WEFT_PIPE, .pipe_size = 300000};
    assert_int_equal(weft_popen_start(&popen, ARGV("flood", "200000"), &options), 0);
#if !defined(WEFT_PLATFORM_POSIX)
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)weft_popen_pid(popen), &info, WEXITED | WNOWAIT), 0);
#endif
    assert_int_equal(weft_popen_communicate(popen, WEFT_NONE, &completed, WEFT_FOREVER), 0);
    assert_flood(completed.out, 200000);
    weft_completed_clear(&completed);
    weft_release(popen);
}

/* ---- an end with ours -------------------------------------------------------------------------
 */

#if !defined(WEFT_PLATFORM_POSIX)
typedef struct bound {
    weft_gate gate; /* open as long as the child lives */
    int input[2];   /* the child's, which this process never ends */
} bound;

/* In a copy of this process: leaves a child behind. */
static int leave_child(struct recorder *recorder, void *arg)
{
    const bound *b = arg;
    const weft_popen_options options = {.parent_death_signal = SIGKILL,
                                        .in = b->input[0],
                                        .out = WEFT_DEVNULL,
                                        .pass_fds = &b->gate.write_fd,
                                        .pass_fds_count = 1};
    RECORD_INT(recorder, weft_popen_start(NULL, ARGV("cat"), &options), 0);
    return 0;
}

static int start_bound(void *arg)
{
    weft_popen **popen = arg;
    const weft_popen_options options = {.parent_death_signal = SIGTERM, .in = WEFT_PIPE};
    return weft_popen_start(popen, ARGV("cat"), &options);
}

static void the_child_ends_when_this_process_does(void **state)
{
    (void)state;
    if (emulated()) /* the copy of this process starts the child by a thread */
        skip();
    struct recorder recorder = {0};
    struct child child;
    weft_popen *own = NULL; /* what starts it here, the copy has not */
    assert_int_equal(start_bound(&own), 0);
    bound b = {.gate = open_gate()};
    assert_int_equal(pipe(b.input), 0);
    assert_int_equal(child_start(&child, leave_child, &b), 0);
    assert_int_equal(child_join(&child, &recorder), 0);
    await_gate(&b.gate);
    close(b.input[0]);
    close(b.input[1]);
    assert_int_equal(weft_popen_kill(own), 0);
    assert_int_equal(weft_wait(own, WEFT_FOREVER), 0);
    weft_release(own);
    recorder_assert(&recorder);
}

static void the_end_of_the_thread_that_started_it_is_no_end(void **state)
{
    (void)state;
    weft_popen *popen = NULL;
    int returncode = 0;
    assert_int_equal(in_a_thread(start_bound, &popen), 0);
    assert_int_equal(weft_shutdown(WEFT_FOREVER) == 0 ? 0 : 1, 0);
    assert_int_equal(weft_popen_wait(popen, &returncode, WEFT_FOREVER), 0);
    assert_int_equal(returncode, -SIGTERM); /* of the shutdown */
    weft_release(popen);

    assert_int_equal(in_a_thread(start_bound, &popen), 0);
    assert_int_equal(weft_popen_wait(popen, &returncode, 0.05), -ETIMEDOUT);
    assert_int_equal(weft_popen_kill(popen), 0);
    assert_int_equal(weft_popen_wait(popen, &returncode, WEFT_FOREVER), 0);
    assert_int_equal(returncode, -SIGKILL);
    weft_release(popen);
}

/* It is made by another thread, but as this one would. */
static void its_mask_is_that_of_who_started_it(void **state)
{
    (void)state;
    sigset_t mask, before;
    int returncode = 99;
    weft_popen *popen = NULL;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    pthread_sigmask(SIG_SETMASK, &mask, &before);
    int started = start_bound(&popen);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    assert_int_equal(started, 0);
    assert_int_equal(weft_popen_send_signal(popen, SIGTERM), 0);
    assert_int_equal(weft_stream_close(weft_popen_stdin(popen)), 0);
    assert_int_equal(weft_popen_wait(popen, &returncode, WEFT_FOREVER), 0);
    assert_int_equal(returncode, 0);
    weft_release(popen);
    const weft_popen_options options = {.parent_death_signal = SIGKILL};
    const char *const nosuch[] = {"/nosuch", NULL};
    assert_int_equal(weft_popen_start(&popen, nosuch, &options), -ENOENT);
    assert_string_equal(weft_error_message(), "run '/nosuch': No such file or directory");
    refused((weft_popen_options){.parent_death_signal = 1000}, -EINVAL, "when this process ends");
}
#else
static void an_end_with_ours_cannot_be_had(void **state)
{
    (void)state;
    refused((weft_popen_options){.parent_death_signal = SIGKILL}, -ENOTSUP,
            "when this process ends");
}
#endif

/* ---- signals ----------------------------------------------------------------------------------
 */

static int blocks_nothing(void *arg)
{
    struct recorder *recorder = arg;
    weft_completed completed;
    const weft_subprocess_options options = {.out = WEFT_PIPE};
    RECORD_INT(recorder, weft_subprocess_run(&completed, ARGV("blocked"), &options), 0);
    RECORD(recorder, completed.out.data != NULL && completed.out.size == 0);
    weft_completed_clear(&completed);
    return 0;
}

typedef struct weft_interrupter {
    pthread_t whom;
    int fd;
} weft_interrupter;

/* When the child tells that SIGTERM has come. */
static int interrupt_when_told(void *arg)
{
    weft_interrupter *self = arg;
    char text[4];
    ssize_t n = read(self->fd, text, sizeof text);
    bool told = n == 4 && memcmp(text, "got\n", 4) == 0;
    return pthread_kill(self->whom, SIGUSR1) == 0 && told ? 0 : -EIO;
}

static void who_is_to_end_is_killed_also_when_a_handler_ends_the_wait(void **state)
{
    (void)state;
    char text[6];
    int fds[2], returncode = 0;
    weft_popen *popen;
    weft_thread *thread;
    assert_int_equal(pipe(fds), 0);
    fcntl(fds[0], F_SETFD, FD_CLOEXEC);
    const weft_popen_options options = {
        .out = fds[1], .new_group = true, .on_drop = WEFT_ON_DROP_TERMINATE, .grace = 1000};
    assert_int_equal(weft_signal_set(SIGUSR1, weft_signal_interrupt, NULL), 0);
    const char *command = "trap 'echo got' TERM; echo ready; while :; do sleep 1000 & wait; done";
    assert_int_equal(weft_popen_shell(&popen, command, &options), 0);
    close(fds[1]);
    assert_int_equal(read(fds[0], text, sizeof text), 6);
    const weft_interrupter interrupter = {pthread_self(), fds[0]};
    assert_int_equal(weft_thread_start(&thread, interrupt_when_told, WEFT_ARG(interrupter), NULL),
                     0);
    int scope = weft_timeout_begin(0.01);
    int r = weft_popen_wait(popen, NULL, WEFT_FOREVER);
    assert_int_equal(weft_timeout_end(scope, r), -ETIMEDOUT);
    assert_int_equal(weft_popen_returncode(popen, &returncode), 1);
    assert_int_equal(returncode, -SIGKILL);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 0);
    weft_release(thread);
    weft_release(popen);
    close(fds[0]);
    assert_int_equal(weft_signal_restore(SIGUSR1), 0);
}

/* More than the default, which is a second. */
static void a_grace_without_measure_is_a_long_one(void **state)
{
    (void)state;
    int returncode = 0;
    const char *line;
    weft_popen *popen;
    const weft_popen_options options = {
        .out = WEFT_PIPE, .new_group = true, .on_drop = WEFT_ON_DROP_TERMINATE, .grace = 1e300};
    const char *command = "trap 'sleep 1.5; exit 5' TERM; echo ready; "
                          "while :; do sleep 1000 & wait; done";
    assert_int_equal(weft_popen_shell(&popen, command, &options), 0);
    assert_int_equal(weft_stream_readline(weft_popen_stdout(popen), &line, WEFT_FOREVER), 6);
    int scope = weft_timeout_begin(0.01);
    int r = weft_popen_wait(popen, &returncode, WEFT_FOREVER);
    assert_int_equal(weft_timeout_end(scope, r), -ETIMEDOUT);
    assert_int_equal(weft_popen_returncode(popen, &returncode), 1);
    assert_int_equal(returncode, 5);
    weft_release(popen);
}

/* A task that a task has started. */
static int in_an_inner_task(void *recorder)
{
    weft_task *task;
    int r = weft_task_start(&task, blocks_nothing, WEFT_POINTER(recorder), NULL);
    if (r == 0)
        r = weft_result(task, WEFT_NONE, WEFT_FOREVER);
    weft_release(task);
    return r;
}

static void wherever_it_is_started_it_blocks_no_signal(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    in_each_place(blocks_nothing, &recorder);
    assert_int_equal(in_a_task(in_an_inner_task, &recorder), 0);
    recorder_assert(&recorder);
}

/* ---- what contradicts itself ------------------------------------------------------------------
 */

static void options_that_exclude_each_other_are_named(void **state)
{
    (void)state;
    const char *const env[] = {NULL}, *const nameless[] = {"=a", NULL}, *const empty[] = {"", NULL};
    refused((weft_popen_options){.env = env, .env_changes = env}, -EINVAL, ".env_changes");
    refused((weft_popen_options){.env_changes = nameless}, -EINVAL, "has no name");
    refused((weft_popen_options){.env_changes = empty}, -EINVAL, "has no name");
    refused((weft_popen_options){.user = "root", .set_uid = true}, -EINVAL, ".set_uid");
    refused((weft_popen_options){.group = "root", .set_gid = true}, -EINVAL, ".set_gid");
    refused((weft_popen_options){.extra_groups = env, .set_groups = true}, -EINVAL, ".set_groups");
    refused((weft_popen_options){.parent_death_signal = -1}, -EINVAL, "is no signal");
    refused((weft_popen_options){.on_drop = WEFT_ON_DROP_KILL + 1}, -EINVAL, ".on_drop");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(the_environment_is_ours_with_changes),
        weft_test(the_changed_path_is_searched),
        weft_test(names_that_nobody_has_are_refused_before_the_start),
        weft_test(the_own_user_and_group_can_be_named),
        weft_test(another_user_has_the_groups_that_are_named),
        weft_test(who_lacks_the_privilege_is_told),
        weft_test(limits_are_the_childs_alone),
        weft_test(a_child_that_exceeds_its_time_is_ended),
        weft_test(limits_that_cannot_be_are_refused),
        weft_test(a_session_with_a_group_is_a_session),
        weft_test(a_child_joins_the_group_of_another),
        weft_test(time_up_ends_a_whole_group),
        weft_test(a_group_is_reached_until_the_end_of_its_leader_is_seen),
        weft_test(a_dropped_group_is_ended_as_a_whole),
        weft_test(a_pipe_holds_what_is_asked_for),
#if !defined(WEFT_PLATFORM_POSIX)
        weft_test(the_child_ends_when_this_process_does),
        weft_test(the_end_of_the_thread_that_started_it_is_no_end),
        weft_test(its_mask_is_that_of_who_started_it),
#else
        weft_test(an_end_with_ours_cannot_be_had),
#endif
        weft_test(who_is_to_end_is_killed_also_when_a_handler_ends_the_wait),
        weft_test(a_grace_without_measure_is_a_long_one),
        weft_test(wherever_it_is_started_it_blocks_no_signal),
        weft_test(options_that_exclude_each_other_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
