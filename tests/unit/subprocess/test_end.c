/* SPDX-License-Identifier: MIT */
/* What is told of a child's end: what it has used, in which words, by which descriptor. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>

#include "platform/childexit.h"
#include "subprocess_support.h"
#include "support/places.h"

enum { HOARD = 20 * 1000 * 1000 };

static int tells_usage(void *arg)
{
    struct recorder *recorder = arg;
    weft_popen *popen;
    weft_rusage usage = {.max_rss = 77};
    weft_completed completed;
    char size[16];
    (void)snprintf(size, sizeof size, "%d", HOARD);
    RECORD_INT(recorder, weft_popen_start(&popen, ARGV("hoard", size), NULL), 0);
    int early = weft_popen_rusage(popen, &usage);
    RECORD_INT(recorder, weft_popen_wait(popen, NULL, WEFT_FOREVER), 0);
    int r = weft_popen_rusage(popen, &usage);
    weft_release(popen);
    RECORD_INT(recorder,
               weft_subprocess_run(&completed, ARGV("hoard", size),
                                   &(weft_subprocess_options){.check = true}),
               0);
    if (!weft_childexit_has_usage) {
        RECORD_INT(recorder, early, -ENOTSUP);
        RECORD_INT(recorder, r, -ENOTSUP);
        RECORD_INT(recorder, (int)usage.max_rss, 77);
        RECORD_INT(recorder, (int)completed.usage.max_rss, 0);
    } else {
        RECORD_INT(recorder, early, WEFT_EINVALID_STATE);
        RECORD_INT(recorder, r, 0);
        RECORD(recorder, usage.max_rss >= HOARD && usage.max_rss < 50 * HOARD);
        RECORD(recorder, usage.user_time + usage.system_time >= 0.02);
        RECORD(recorder, usage.user_time + usage.system_time < 60);
        RECORD(recorder, usage.minor_faults > 0);
        RECORD(recorder, completed.usage.max_rss >= HOARD);
        RECORD(recorder, completed.usage.user_time + completed.usage.system_time >= 0.02);
    }
    weft_completed_clear(&completed);
    return 0;
}

static void what_a_child_has_used_is_told_after_its_end(void **state)
{
    (void)state;
    struct recorder recorder = {0};
    in_each_place(tells_usage, &recorder);
    recorder_assert(&recorder);
}

static void a_child_that_others_waited_for_has_no_usage(void **state)
{
    (void)state;
    weft_popen *popen;
    weft_rusage usage;
    int status;
    if (!weft_childexit_has_usage)
        skip();
    assert_int_equal(weft_popen_start(&popen, ARGV("exit", "3"), NULL), 0);
    while (waitpid(weft_popen_pid(popen), &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    int r = weft_popen_wait(popen, NULL, WEFT_FOREVER);
    assert_true(r == 0 || r == WEFT_ESTATUS_LOST);
    assert_int_equal(weft_popen_rusage(popen, &usage), WEFT_ESTATUS_LOST);
    weft_release(popen);
}

static void a_result_can_be_checked_afterwards(void **state)
{
    (void)state;
    weft_completed completed;
    weft_completed none = {.returncode = WEFT_NO_RETURNCODE};
    assert_int_equal(weft_subprocess_run(&completed, ARGV("exit", "0"), NULL), 0);
    assert_int_equal(weft_completed_check(&completed), 0);
    weft_completed_clear(&completed);
    assert_int_equal(weft_subprocess_run(&completed, ARGV("exit", "9"), NULL), 0);
    assert_int_equal(weft_completed_check(&completed), WEFT_ECALLED_PROCESS);
    assert_non_null(strstr(weft_error_message(), "exit 9' returned non-zero exit status 9"));
    weft_completed_clear(&completed);
    assert_int_equal(weft_subprocess_run(&completed, ARGV("die", "15"), NULL), 0);
    assert_int_equal(weft_completed_check(&completed), WEFT_ECALLED_PROCESS);
    assert_non_null(strstr(weft_error_message(), "die 15' died of SIGTERM"));
    weft_completed_clear(&completed);
    assert_int_equal(weft_completed_check(&none), -EINVAL);
    assert_int_equal(weft_completed_check(NULL), -EINVAL);
}

static void a_wait_status_is_turned_into_a_returncode(void **state)
{
    (void)state;
    int status, returncode = 99;
    pid_t pid = fork();
    if (pid == 0)
        _exit(42);
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    assert_int_equal(weft_waitstatus_to_exitcode(status, &returncode), 0);
    assert_int_equal(returncode, 42);
    assert_int_equal(weft_waitstatus_to_exitcode(status, NULL), 0);
    pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    kill(pid, SIGSTOP);
    while (waitpid(pid, &status, WUNTRACED) < 0)
        assert_int_equal(errno, EINTR);
    assert_int_equal(weft_waitstatus_to_exitcode(status, &returncode), -EINVAL);
    assert_int_equal(returncode, 42);
    kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    assert_int_equal(weft_waitstatus_to_exitcode(status, &returncode), 0);
    assert_int_equal(returncode, -SIGKILL);
}

static void the_hosts_own_poll_sees_the_end(void **state)
{
    (void)state;
    weft_popen *popen;
    int returncode = 99;
    assert_int_equal(weft_popen_start(&popen, ARGV("cat"), &(weft_popen_options){.in = WEFT_PIPE}),
                     0);
    struct pollfd look = {.fd = weft_popen_fileno(popen), .events = POLLIN};
    assert_true(look.fd > 2);
    assert_int_equal(poll(&look, 1, 0), 0);
    assert_int_equal(weft_stream_close(weft_popen_stdin(popen)), 0);
    while (poll(&look, 1, -1) < 0)
        assert_int_equal(errno, EINTR);
    assert_int_equal(weft_popen_poll(popen, &returncode), 1);
    assert_int_equal(returncode, 0);
    weft_release(popen);
    assert_int_equal(weft_popen_fileno(NULL), -EINVAL);
}

static void a_command_is_told_as_a_line(void **state)
{
    (void)state;
    weft_popen *popen;
    const char *const argv[] = {"/bin/sh", "-c", "exit 0", NULL};
    assert_int_equal(weft_popen_start(&popen, argv, NULL), 0);
    assert_string_equal(weft_popen_command(popen), "/bin/sh -c 'exit 0'");
    assert_int_equal(weft_wait(popen, WEFT_FOREVER), 0);
    weft_release(popen);
    assert_int_equal(weft_popen_shell(&popen, "exit 0", NULL), 0);
    assert_string_equal(weft_popen_command(popen), "exit 0");
    assert_int_equal(weft_wait(popen, WEFT_FOREVER), 0);
    weft_release(popen);
    assert_null(weft_popen_command(NULL));
}

static void another_shell_is_argument_nought_too(void **state)
{
    (void)state;
    weft_completed completed;
    weft_popen *popen;
    weft_subprocess_options options = {.out = WEFT_PIPE, .popen.executable = "/bin/../bin/sh"};
    assert_int_equal(weft_subprocess_shell(&completed, "echo $0", &options), 0);
    assert_output(completed.out, "/bin/../bin/sh\n");
    weft_completed_clear(&completed);
    options.popen.out = WEFT_PIPE;
    assert_int_equal(weft_popen_shell(&popen, "echo $0", &options.popen), 0);
    assert_int_equal(weft_popen_communicate(popen, WEFT_NONE, &completed, WEFT_FOREVER), 0);
    assert_output(completed.out, "/bin/../bin/sh\n");
    weft_completed_clear(&completed);
    weft_release(popen);
    const char *const argv[] = {"/bin/sh", "-c", "echo $0 $1", "zero", "one", NULL};
    assert_int_equal(
        weft_subprocess_run(&completed, argv, &(weft_subprocess_options){.out = WEFT_PIPE}), 0);
    assert_output(completed.out, "zero one\n");
    weft_completed_clear(&completed);
}

static void the_dropped_are_reaped_on_request(void **state)
{
    (void)state;
    siginfo_t info;
    weft_popen *popen;
    weft_gate gate = open_gate();
    assert_int_equal(weft_subprocess_reap(), 0);
    const weft_popen_options options = {.in = gate.read_fd};
    assert_int_equal(weft_popen_start(&popen, ARGV("cat"), &options), 0);
    id_t pid = (id_t)weft_popen_pid(popen);
    weft_release(popen);
    assert_int_equal(weft_subprocess_reap(), 1); /* it runs */
    close(gate.write_fd);
    assert_int_equal(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(weft_subprocess_reap(), 0);
    assert_int_equal(waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT), -1);
    close(gate.read_fd);
}

/* ---- two see the end */

static _Thread_local bool tells; /* this thread is the one that is to tell of the end */
static _Atomic bool telling, told;

/* It comes here for the text of the outcome, and goes on when the other has had its time. */
static void *hold_up(void *memory, size_t size, void *arg)
{
    const struct timespec a_little = {.tv_nsec = 1000000};
    (void)arg;
    for (int i = 0; tells && i < 100 && !told; i++) {
        telling = true;
        nanosleep(&a_little, NULL);
    }
    return realloc(memory, size);
}

static void give_back(void *memory, void *arg)
{
    (void)arg;
    free(memory);
}

static void *tell(void *popen)
{
    (void)weft_current_name(); /* what a thread's first use allocates */
    tells = true;
    while (weft_popen_poll(popen, NULL) == 0)
        continue;
    tells = false;
    return NULL;
}

/* The pipe is held open by another, so the end is seen by a look, and not by a wait for the handle.
 */
static void who_has_waited_finds_the_end_told(void **state)
{
    (void)state;
    const weft_allocator slow = {.realloc = hold_up, .free = give_back};
    char command[4096];
    int fds[2], returncode = 99;
    weft_popen *popen;
    pthread_t thread;
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    assert_int_equal(weft_set_allocator(&slow), 0);
    telling = told = false;
    assert_int_equal(pipe(fds), 0);
    fcntl(fds[1], F_SETFD, FD_CLOEXEC);
    (void)snprintf(command, sizeof command, TARGET " orphan %d; exit 3", fds[0]);
    const weft_popen_options options = {.out = WEFT_PIPE, .pass_fds = fds, .pass_fds_count = 1};
    assert_int_equal(weft_popen_shell(&popen, command, &options), 0);
    assert_int_equal(pthread_create(&thread, NULL, tell, popen), 0);
    while (!telling)
        sched_yield();
    int waited = weft_popen_wait(popen, NULL, WEFT_FOREVER);
    int known = weft_popen_returncode(popen, &returncode);
    told = true;
    pthread_join(thread, NULL);
    weft_release(popen);
    close(fds[0]);
    close(fds[1]);
    int r = weft_shutdown(WEFT_FOREVER);
    allocator_install();
    assert_int_equal(r, 0);
    assert_int_equal(waited, 0);
    assert_int_equal(known, 1);
    assert_int_equal(returncode, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(what_a_child_has_used_is_told_after_its_end),
        weft_test(a_child_that_others_waited_for_has_no_usage),
        weft_test(a_result_can_be_checked_afterwards),
        weft_test(a_wait_status_is_turned_into_a_returncode),
        weft_test(the_hosts_own_poll_sees_the_end),
        weft_test(a_command_is_told_as_a_line),
        weft_test(another_shell_is_argument_nought_too),
        weft_test(the_dropped_are_reaped_on_request),
        weft_test(who_has_waited_finds_the_end_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
