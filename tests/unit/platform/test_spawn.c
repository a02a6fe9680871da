/* SPDX-License-Identifier: MIT */
/* What a program finds when it has been spawned, and what the parent hears when it could not be. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/cloexec.h"
#include "platform/spawn.h"
#include "support/support.h"

static const char *const target[] = {WEFT_TEST_SPAWN_TARGET, NULL};
static char *environment[] = {(char *)"GREETING=hello", NULL};

/* A plan for the target program with two arguments; everything else may be changed after. */
static weft_spawn_plan plan_for(char *argv[4], const char *what, const char *more)
{
    argv[0] = (char *)"target";
    argv[1] = (char *)what;
    argv[2] = (char *)more;
    argv[3] = NULL;
    return (weft_spawn_plan){
        .paths = target, .argv = argv, .envp = environment, .fds = {-1, -1, -1}};
}

static int reap(weft_spawn_result *result)
{
    int status = -1;

    while (waitpid(result->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (result->pidfd >= 0)
        close(result->pidfd);
    return status;
}

/* Runs the plan with its stdout in `text`. */
static int run(weft_spawn_plan *plan, char *text, size_t room, weft_spawn_result *result)
{
    int fds[2];
    size_t size = 0;
    ssize_t n;

    int r = weft_cloexec_pipe(fds);
    if (r < 0)
        return r;
    plan->fds[1] = fds[1];
    r = weft_spawn(plan, result);
    close(fds[1]);
    while (r == 0 && size + 1 < room && (n = read(fds[0], text + size, room - 1 - size)) > 0)
        size += (size_t)n;
    text[size] = '\0';
    close(fds[0]);
    if (r == 0 && reap(result) != 0)
        r = 1;
    return r;
}

static void ask(const char *what, const char *more, const char *expected)
{
    char *argv[4];
    char text[4096];
    weft_spawn_result result;
    weft_spawn_plan plan = plan_for(argv, what, more);

    assert_int_equal(run(&plan, text, sizeof text, &result), 0);
    assert_string_equal(text, expected);
}

static void runs_with_arguments_and_environment(void **state)
{
    (void)state;
    ask("env", "GREETING", "hello");
    ask("env", "HOME", "unset");
}

static void status_is_the_childs(void **state)
{
    char *argv[4];
    weft_spawn_result result;
    weft_spawn_plan plan = plan_for(argv, "exit", "41");

    (void)state;
    assert_int_equal(weft_spawn(&plan, &result), 0);
    int status = reap(&result);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 41);
}

static void a_pidfd_comes_with_the_child_where_there_is_one(void **state)
{
    char *argv[4];
    weft_spawn_result result;
    weft_spawn_plan plan = plan_for(argv, "exit", "0");

    (void)state;
    assert_int_equal(weft_spawn(&plan, &result), 0);
#ifdef WEFT_TEST_SPAWN_CLONE
    assert_true(result.pidfd >= 0);
    assert_true((fcntl(result.pidfd, F_GETFD) & FD_CLOEXEC) != 0);
#endif
    reap(&result);
}

static void only_the_standard_descriptors_are_open(void **state)
{
    int leak = open("/dev/null", O_RDONLY);
    int high = fcntl(leak, F_DUPFD, 700);

    (void)state;
    assert_true(leak >= 0 && high >= 700);
    ask("fds", NULL, "0 1 2 ");
    close(leak);
    close(high);
}

static void passed_descriptors_keep_their_numbers(void **state)
{
    char *argv[4];
    char text[256];
    char expected[256];
    weft_spawn_result result;
    weft_spawn_plan plan = plan_for(argv, "fds", NULL);
    int first = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int pass[2] = {first, fcntl(first, F_DUPFD_CLOEXEC, 500)};
    int leak = fcntl(first, F_DUPFD, 600);

    (void)state;
    plan.pass_fds = pass;
    plan.pass_fds_count = 2;
    assert_int_equal(run(&plan, text, sizeof text, &result), 0);
    snprintf(expected, sizeof expected, "0 1 2 %d %d ", pass[0], pass[1]);
    assert_string_equal(text, expected);
    close(first);
    close(pass[1]);
    close(leak);
}

static void keep_fds_keeps_what_is_not_close_on_exec(void **state)
{
    char *argv[4];
    char text[256];
    weft_spawn_result result;
    weft_spawn_plan plan = plan_for(argv, "fds", NULL);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int kept = fcntl(null, F_DUPFD, 812);

    (void)state;
    plan.keep_fds = true;
    assert_int_equal(run(&plan, text, sizeof text, &result), 0);
    assert_non_null(strstr(text, " 812 "));
    close(kept);
    close(null);
}

static void a_passed_descriptor_that_is_closed_is_an_error(void **state)
{
    char *argv[4];
    weft_spawn_result result;
    weft_spawn_plan plan = plan_for(argv, "fds", NULL);

    (void)state;
    int pass = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the number the report's pipe would get */
    close(pass);
    plan.pass_fds = &pass;
    plan.pass_fds_count = 1;
    assert_int_equal(weft_spawn(&plan, &result), -EBADF);
    assert_int_equal(result.stage, WEFT_SPAWN_SETUP);
    assert_int_equal(result.pid, -1);
}

/* A copy of this process in which the body may do to descriptors what it likes. The body's number.
 */
static int in_a_copy(int (*body)(void))
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        _exit(body());
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static int without_standard_descriptors(void)
{
    char *argv[4];
    char text[64];
    weft_spawn_result result;
    weft_spawn_plan plan = plan_for(argv, "fds", NULL);

    close(0);
    close(1);
    close(2);
    /* the pipe of run() lands on 0 and 1, the report's on 2 and above */
    if (run(&plan, text, sizeof text, &result) != 0)
        return 1;
    return strcmp(text, "0 1 2 ") == 0 ? 0 : 2;
}

static void standard_descriptors_are_always_open(void **state)
{
    (void)state;
    assert_int_equal(in_a_copy(without_standard_descriptors), 0);
}

/* The report's pipe lands on 0 and 1, which the child fills with something else. */
static int failing_without_standard_descriptors(void)
{
    char *argv[4];
    const char *const nowhere[] = {"/nosuch", NULL};
    weft_spawn_result result;
    weft_spawn_plan plan = plan_for(argv, "fds", NULL);

    close(0);
    close(1);
    plan.paths = nowhere;
    return weft_spawn(&plan, &result) == -ENOENT && result.stage == WEFT_SPAWN_EXEC ? 0 : 1;
}

static void the_report_arrives_without_standard_descriptors(void **state)
{
    (void)state;
    assert_int_equal(in_a_copy(failing_without_standard_descriptors), 0);
}

/* 0 and 1 are swapped: the child reads what lies on the parent's 1 and writes to its 0. */
static int with_crossed_descriptors(void)
{
    char *argv[4];
    char text[16] = "";
    int in[2];
    int out[2];
    weft_spawn_result result;
    weft_spawn_plan plan = plan_for(argv, "cat", NULL);

    if (weft_cloexec_pipe(in) < 0 || weft_cloexec_pipe(out) < 0)
        return 1;
    dup2(in[0], 1);
    dup2(out[1], 0);
    close(in[0]);
    close(out[1]);
    plan.fds[0] = 1;
    plan.fds[1] = 0;
    plan.fds[2] = 0;
    if (write(in[1], "crossed", 7) != 7 || weft_spawn(&plan, &result) != 0)
        return 2;
    close(in[1]);
    close(1);
    close(0);
    size_t size = 0;
    ssize_t n;
    while (size < sizeof text && (n = read(out[0], text + size, sizeof text - size)) > 0)
        size += (size_t)n;
    if (reap(&result) != 0)
        return 3;
    return size == 7 && memcmp(text, "crossed", 7) == 0 ? 0 : 4;
}

static void crossed_descriptors_are_untangled(void **state)
{
    (void)state;
    assert_int_equal(in_a_copy(with_crossed_descriptors), 0);
}

static void stderr_can_be_stdout(void **state)
{
    char *argv[4];
    char text[64] = "";
    int fds[2];
    size_t size = 0;
    ssize_t n;
    weft_spawn_result result;
    weft_spawn_plan plan = plan_for(argv, "err", NULL);

    (void)state;
    assert_int_equal(weft_cloexec_pipe(fds), 0);
    plan.fds[1] = fds[1];
    plan.fds[2] = fds[1];
    assert_int_equal(weft_spawn(&plan, &result), 0);
    close(fds[1]);
    while ((n = read(fds[0], text + size, sizeof text - 1 - size)) > 0)
        size += (size_t)n;
    close(fds[0]);
    assert_int_equal(reap(&result), 0);
    assert_string_equal(text, "errout");
}

static void directory_umask_session_and_group_are_set(void **state)
{
    char *argv[4];
    char text[256];
    weft_spawn_result result;

    (void)state;
    weft_spawn_plan plan = plan_for(argv, "cwd", NULL);
    plan.cwd = "/";
    assert_int_equal(run(&plan, text, sizeof text, &result), 0);
    assert_string_equal(text, "/");

    plan = plan_for(argv, "umask", NULL);
    plan.set_umask = true;
    plan.umask = 0137;
    assert_int_equal(run(&plan, text, sizeof text, &result), 0);
    assert_string_equal(text, "137");

    plan = plan_for(argv, "group", NULL);
    assert_int_equal(run(&plan, text, sizeof text, &result), 0);
    assert_string_equal(text, "- -");
    plan.new_session = true;
    assert_int_equal(run(&plan, text, sizeof text, &result), 0);
    assert_string_equal(text, "session group");
    plan.new_session = false;
    plan.set_group = true;
    assert_int_equal(run(&plan, text, sizeof text, &result), 0);
    assert_string_equal(text, "- group");
}

static void ids_are_set_in_order(void **state)
{
    char *argv[4];
    char text[256];
    gid_t groups[2] = {5, 6};
    weft_spawn_result result;
    weft_spawn_plan plan = plan_for(argv, "ids", NULL);

    (void)state;
    if (geteuid() != 0)
        skip();
    const char *const everybodys[] = {"/bin/sh",
                                      NULL}; /* the build may not be readable to nobody */
    char *ids[] = {(char *)"sh", (char *)"-c", (char *)"echo $(id -u) $(id -g) $(id -G)", NULL};
    char *path[] = {(char *)"PATH=/usr/bin:/bin", NULL};
    plan.paths = everybodys;
    plan.argv = ids;
    plan.envp = path;
    plan.set_uid = true;
    plan.uid = 65534;
    plan.set_gid = true;
    plan.gid = 65533;
#ifdef WEFT_TEST_SPAWN_CLONE
    plan.set_groups = true;
    plan.groups = groups;
    plan.groups_count = 2;
    assert_int_equal(run(&plan, text, sizeof text, &result), 0);
    assert_string_equal(text, "65534 65533 65533 5 6\n");
#else
    assert_int_equal(run(&plan, text, sizeof text, &result), 0);
    assert_int_equal(strncmp(text, "65534 65533 ", 12), 0);
    plan.set_groups = true;
    plan.groups = groups;
    plan.groups_count = 2;
    plan.fds[1] = -1;
    assert_int_equal(weft_spawn(&plan, &result), -ENOTSUP);
    assert_int_equal(result.stage, WEFT_SPAWN_IDENTITY);
#endif
}

static volatile sig_atomic_t handled;

static void on_signal(int signum)
{
    (void)signum;
    handled = handled + 1;
}

static void signals_are_as_an_exec_leaves_them(void **state)
{
    struct sigaction action = {.sa_handler = SIG_IGN};
    struct sigaction old_pipe, old_int, old_usr1, now;
    sigset_t block, before, after;
    char *argv[4];
    char text[256];
    char expected[64];
    weft_spawn_result result;
    weft_spawn_plan plan = plan_for(argv, "signals", NULL);

    (void)state;
    sigemptyset(&action.sa_mask);
    sigaction(SIGPIPE, &action, &old_pipe);
    sigaction(SIGINT, &action, &old_int);
    action.sa_handler = on_signal;
    sigaction(SIGUSR1, &action, &old_usr1);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &block, &before);

    int r = run(&plan, text, sizeof text, &result);
    snprintf(expected, sizeof expected, "ignored=%d blocked=%d ", SIGINT, SIGUSR2);
    assert_int_equal(r, 0);
    assert_string_equal(text, expected);

    plan.keep_signals = true;
    r = run(&plan, text, sizeof text, &result);
    pthread_sigmask(SIG_SETMASK, &before, &after);
    assert_int_equal(r, 0);
    assert_non_null(strstr(text, SIGPIPE == 13 ? "ignored=13" : "ignored"));
    assert_int_equal(sigismember(&after, SIGUSR2), 1);
    assert_int_equal(sigismember(&after, SIGTERM), 0);

    sigaction(SIGUSR1, &old_usr1, &now);
    assert_ptr_equal(now.sa_handler, on_signal);
    sigaction(SIGPIPE, &old_pipe, &now);
    assert_ptr_equal(now.sa_handler, SIG_IGN);
    sigaction(SIGINT, &old_int, NULL);
    assert_int_equal(handled, 0);
}

static void fails(weft_spawn_plan *plan, int error, weft_spawn_stage stage)
{
    weft_spawn_result result;

    assert_int_equal(weft_spawn(plan, &result), -error);
    assert_int_equal(result.stage, stage);
    assert_int_equal(result.pid, -1);
    assert_int_equal(result.pidfd, -1);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void failures_name_their_stage_and_leave_no_child(void **state)
{
    char *argv[4];
    weft_spawn_plan plan = plan_for(argv, "exit", "0");

    (void)state;
    plan.cwd = "/nosuch";
    fails(&plan, ENOENT, WEFT_SPAWN_CHDIR);

    plan = plan_for(argv, "exit", "0");
    plan.set_group = true;
    plan.group = 1;
    fails(&plan, EPERM, WEFT_SPAWN_SETUP);

    plan = plan_for(argv, "exit", "0");
    const char *const nowhere[] = {"/nosuch/a", "/dev/null/b", NULL};
    plan.paths = nowhere;
    fails(&plan, ENOTDIR, WEFT_SPAWN_EXEC);

    const char *const forbidden[] = {"/nosuch/a", "/dev/null", "/etc", "/nosuch/b", NULL};
    plan.paths = forbidden;
    fails(&plan, EACCES, WEFT_SPAWN_EXEC);
}

static void a_later_path_is_tried_after_any_error(void **state)
{
    char *argv[4];
    char text[64];
    weft_spawn_result result;
    const char *const paths[] = {"/nosuch/a", "/dev/null", WEFT_TEST_SPAWN_TARGET, NULL};
    weft_spawn_plan plan = plan_for(argv, "env", "GREETING");

    (void)state;
    plan.paths = paths;
    assert_int_equal(run(&plan, text, sizeof text, &result), 0);
    assert_string_equal(text, "hello");
}

static int hook(void *arg)
{
    return *(int *)arg;
}

static void a_hook_runs_in_the_child_and_may_refuse(void **state)
{
    char *argv[4];
    char text[64];
    int code = 0;
    weft_spawn_result result;
    weft_spawn_plan plan = plan_for(argv, "env", "GREETING");

    (void)state;
    plan.hook = hook;
    plan.hook_arg = &code;
    assert_int_equal(run(&plan, text, sizeof text, &result), 0);
    assert_string_equal(text, "hello");
    code = -EDOM;
    plan.fds[1] = -1;
    fails(&plan, EDOM, WEFT_SPAWN_HOOK);
}

static int signal_self(void *arg)
{
    return kill(getpid(), *(int *)arg);
}

/* Between the fork and the exec signals come through already: none may find a handler of the
 * parent's. */
static void handlers_are_gone_before_signals_come_through(void **state)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct sigaction before;
    char *argv[4];
    int signum = SIGUSR1;
    weft_spawn_result result;
    weft_spawn_plan plan = plan_for(argv, "exit", "0");

    (void)state;
    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, &before);
    plan.hook = signal_self;
    plan.hook_arg = &signum;
    int r = weft_spawn(&plan, &result);
    sigaction(SIGUSR1, &before, NULL);
    assert_int_equal(r, 0);
    int status = reap(&result);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGUSR1);
}

static void nothing_is_left_open_in_the_parent(void **state)
{
    char *argv[4];
    weft_spawn_result result;
    weft_spawn_plan plan = plan_for(argv, "exit", "0");

    (void)state;
    int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(before);
    assert_int_equal(weft_spawn(&plan, &result), 0);
    reap(&result);
    plan.cwd = "/nosuch";
    assert_int_equal(weft_spawn(&plan, &result), -ENOENT);
    int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(after);
    assert_int_equal(before, after);
    weft_spawn_trim();
}

enum { THREADS = 8, EACH = 12 };

static void *spawner(void *arg)
{
    int *bad = arg;

    for (int i = 0; i < EACH; i++) {
        char *argv[4];
        char text[256];
        weft_spawn_result result;
        weft_spawn_plan plan = plan_for(argv, "fds", NULL);
        plan.keep_fds =
            true; /* so that only close-on-exec from birth keeps the others' pipes out */
        if (run(&plan, text, sizeof text, &result) != 0 || strcmp(text, "0 1 2 ") != 0)
            *bad += 1;
    }
    return NULL;
}

static void threads_spawn_without_leaking_to_each_other(void **state)
{
    pthread_t threads[THREADS];
    int bad[THREADS] = {0};

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, spawner, &bad[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(bad[i], 0);
}

static void fork_gives_a_copy(void **state)
{
    int pidfd = -2;
    int status;

    (void)state;
    pid_t pid = weft_spawn_fork(&pidfd);
    if (pid == 0)
        _exit(pidfd == -1 ? 7 : 8);
    assert_true(pid > 0);
#ifdef WEFT_TEST_SPAWN_CLONE
    if (pidfd >= 0) { /* older kernels and Valgrind have none */
        assert_true((fcntl(pidfd, F_GETFD) & FD_CLOEXEC) != 0);
        close(pidfd);
    }
#else
    assert_int_equal(pidfd, -1);
#endif
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 7);

    pid = weft_spawn_fork(NULL);
    if (pid == 0)
        _exit(9);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        census_test(runs_with_arguments_and_environment),
        census_test(status_is_the_childs),
        census_test(a_pidfd_comes_with_the_child_where_there_is_one),
        census_test(only_the_standard_descriptors_are_open),
        census_test(passed_descriptors_keep_their_numbers),
        census_test(keep_fds_keeps_what_is_not_close_on_exec),
        census_test(a_passed_descriptor_that_is_closed_is_an_error),
        census_test(standard_descriptors_are_always_open),
        census_test(the_report_arrives_without_standard_descriptors),
        census_test(crossed_descriptors_are_untangled),
        census_test(stderr_can_be_stdout),
        census_test(directory_umask_session_and_group_are_set),
        census_test(ids_are_set_in_order),
        census_test(signals_are_as_an_exec_leaves_them),
        census_test(failures_name_their_stage_and_leave_no_child),
        census_test(a_later_path_is_tried_after_any_error),
        census_test(a_hook_runs_in_the_child_and_may_refuse),
        census_test(handlers_are_gone_before_signals_come_through),
        census_test(nothing_is_left_open_in_the_parent),
        census_test(threads_spawn_without_leaking_to_each_other),
        census_test(fork_gives_a_copy),
    };
    /* What whoever runs this left open is none of the tests' business. */
    for (int fd = 3; fd < 4096; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
