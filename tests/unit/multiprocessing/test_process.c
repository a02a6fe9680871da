/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/asyncio.h>
#include <weft/multiprocessing.h>
#include <weft/subprocess.h>
#include <weft/threading.h>

#include "core/shared.h"
#include "support/support.h"

/* A gate in shared memory: the child says that it runs, and is let go. */
typedef struct latch {
    _Atomic int here, open;
} latch;

static latch *new_latch(void)
{
    return weft_shared_alloc(sizeof(latch));
}

static void await(_Atomic int *word)
{
    while (atomic_load(word) == 0)
        weft_sleep(0.0005);
}

static int pass_gate(void *arg)
{
    latch *at = arg;
    alarm(120); /* should the test end before this does */
    atomic_store(&at->here, 1);
    await(&at->open);
    return 7;
}

static int stand_still(void *arg)
{
    latch *at = arg;
    alarm(120); /* should the test end before this does */
    atomic_store(&at->here, 1);
    for (;;)
        pause();
    return 0;
}

static int square(void *arg)
{
    int n = *(int *)arg;
    return n < 0 ? weft_error(-EDOM, "square %d: negative", n) : n * n;
}

static int open_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return -1;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static void the_number_is_the_result(void **state)
{
    (void)state;
    weft_process *process;
    int n = 12, out = 0, exitcode = -1;
    assert_int_equal(weft_process_start(&process, square, WEFT_ARG(n), NULL), 0);
    n = 0; /* the argument was copied */
    assert_int_equal(weft_result(process, WEFT_OUT(out), WEFT_FOREVER), 144);
    assert_int_equal(out, 144);
    assert_false(weft_process_is_alive(process));
    assert_int_equal(weft_process_exitcode(process, &exitcode), 1);
    assert_int_equal(exitcode, 0);
    assert_int_equal(weft_process_join(process, WEFT_NOWAIT), 0);
    weft_release(process);
}

static void a_failure_crosses_with_its_message(void **state)
{
    (void)state;
    weft_process *process;
    int n = -3, exitcode = -1;
    assert_int_equal(weft_process_start(&process, square, WEFT_ARG(n), NULL), 0);
    assert_int_equal(weft_result(process, WEFT_NONE, WEFT_FOREVER), -EDOM);
    assert_string_equal(weft_error_message(), "square -3: negative");
    assert_int_equal(weft_process_exitcode(process, &exitcode), 1);
    assert_int_equal(exitcode, 1);
    weft_release(process);
}

enum { LARGE = 3 << 20 };

static int give_much(void *arg)
{
    unsigned char *bytes = malloc(LARGE);
    (void)arg;
    if (bytes == NULL)
        return -ENOMEM;
    memset(bytes, 0x5a, LARGE);
    int r = weft_return(bytes, LARGE);
    free(bytes);
    return r;
}

static void large_results_cross(void **state)
{
    (void)state;
    weft_process *process;
    const void *data;
    size_t size;
    assert_int_equal(weft_process_start(&process, give_much, WEFT_NONE, NULL), 0);
    assert_int_equal(weft_result_view(process, &data, &size, WEFT_FOREVER), 0);
    assert_int_equal(size, LARGE);
    for (size_t i = 0; i < size; i += 4099)
        assert_int_equal(((const unsigned char *)data)[i], 0x5a);
    weft_release(process);
}

typedef struct self_view {
    int pid;
    char name[32], handle_name[32];
    int join, stdin_is_null;
    bool alive;
    uint32_t id;
} self_view;

static int look_at_self(void *arg)
{
    self_view view = {0};
    struct stat input, null;
    weft_process *self = weft_process_current();
    (void)arg;
    view.pid = weft_process_pid(self);
    snprintf(view.name, sizeof view.name, "%s", weft_current_name());
    snprintf(view.handle_name, sizeof view.handle_name, "%s", weft_handle_name(self));
    view.join = weft_process_join(self, WEFT_FOREVER);
    view.alive = weft_process_is_alive(self);
    view.stdin_is_null = fstat(0, &input) == 0 && stat("/dev/null", &null) == 0 &&
                         input.st_rdev == null.st_rdev && S_ISCHR(input.st_mode);
    view.id = atomic_load(&weft_process_id);
    return weft_return(WEFT_ARG(view));
}

static void a_process_knows_itself(void **state)
{
    (void)state;
    weft_process *process;
    self_view view;
    void *shared = weft_shared_alloc(1); /* so that there is an arena */
    assert_null(weft_process_current());
    assert_int_equal(weft_process_start(&process, look_at_self, WEFT_NONE,
                                        &(weft_process_options){.name = "worker-9"}),
                     0);
    assert_int_equal(weft_result(process, WEFT_OUT(view), WEFT_FOREVER), 0);
    assert_int_equal(view.pid, weft_process_pid(process));
    assert_int_not_equal(view.pid, getpid());
    assert_string_equal(view.name, "worker-9");
    assert_string_equal(view.handle_name, "worker-9");
    assert_int_equal(view.join, -EDEADLK);
    assert_true(view.alive);
    assert_true(view.stdin_is_null);
    assert_int_not_equal(view.id, atomic_load(&weft_process_id));
    weft_release(process);
    weft_shared_free(shared);
}

static void join_times_out_while_it_runs(void **state)
{
    (void)state;
    weft_process *process;
    latch *at = new_latch();
    int exitcode = 5;
    assert_int_equal(weft_process_start(&process, pass_gate, WEFT_POINTER(at), NULL), 0);
    await(&at->here);
    assert_true(weft_process_is_alive(process));
    assert_false(weft_done(process));
    assert_int_equal(weft_process_exitcode(process, &exitcode), 0);
    assert_int_equal(exitcode, 5);
    assert_int_equal(weft_process_join(process, WEFT_NOWAIT), -ETIMEDOUT);
    assert_int_equal(weft_process_join(process, 0.01), -ETIMEDOUT);
    atomic_store(&at->open, 1);
    assert_int_equal(weft_process_join(process, WEFT_FOREVER), 0);
    assert_int_equal(weft_result(process, WEFT_NONE, WEFT_NOWAIT), 7);
    weft_release(process);
    weft_shared_free(at);
}

static void signals_end_it_and_tell(void **state)
{
    (void)state;
    static const struct {
        int (*end)(weft_process *);
        int exitcode;
        const char *text;
    } ways[] = {{weft_process_terminate, -SIGTERM, "was killed by SIGTERM"},
                {weft_process_kill, -SIGKILL, "was killed by SIGKILL"}};
    for (size_t i = 0; i < 2; i++) {
        weft_process *process;
        latch *at = new_latch();
        int exitcode = 0;
        assert_int_equal(weft_process_start(&process, stand_still, WEFT_POINTER(at), NULL), 0);
        await(&at->here);
        assert_int_equal(ways[i].end(process), 0);
        assert_int_equal(weft_process_join(process, WEFT_FOREVER), 0);
        assert_int_equal(weft_process_exitcode(process, &exitcode), 1);
        assert_int_equal(exitcode, ways[i].exitcode);
        assert_int_equal(weft_result(process, WEFT_NONE, WEFT_FOREVER), WEFT_ECALLED_PROCESS);
        assert_non_null(strstr(weft_error_message(), ways[i].text));
        assert_non_null(strstr(weft_error_message(), weft_handle_name(process)));
        assert_int_equal(ways[i].end(process), 0); /* harmless now */
        weft_release(process);
        weft_shared_free(at);
    }
}

static void cancel_is_sigterm(void **state)
{
    (void)state;
    weft_process *process;
    latch *at = new_latch();
    assert_int_equal(weft_process_start(&process, stand_still, WEFT_POINTER(at), NULL), 0);
    await(&at->here);
    assert_int_equal(weft_cancel(process), 1);
    assert_int_equal(weft_result(process, WEFT_NONE, WEFT_FOREVER), -ECANCELED);
    assert_int_equal(weft_cancel(process), 0);
    weft_release(process);
    weft_shared_free(at);
}

static int leave_with(void *arg)
{
    if (*(int *)arg == 1000)
        return weft_process_exit(1000);
    weft_process_exit(*(int *)arg);
    return -1;
}

static void exit_ends_it_at_once(void **state)
{
    (void)state;
    static const struct {
        int code, exitcode, result;
    } ways[] = {{0, 0, 0}, {3, 3, WEFT_ECALLED_PROCESS}, {1000, 1, -EINVAL}};
    assert_int_equal(weft_process_exit(0), -EINVAL);
    for (size_t i = 0; i < 3; i++) {
        weft_process *process;
        int exitcode = -1;
        assert_int_equal(weft_process_start(&process, leave_with, WEFT_ARG(ways[i].code), NULL), 0);
        assert_int_equal(weft_result(process, WEFT_NONE, WEFT_FOREVER), ways[i].result);
        assert_int_equal(weft_process_exitcode(process, &exitcode), 1);
        assert_int_equal(exitcode, ways[i].exitcode);
        weft_release(process);
    }
}

static void private_pointers_are_refused(void **state)
{
    (void)state;
    weft_process *process = (weft_process *)state;
    int local = 0;
    assert_int_equal(weft_process_start(&process, square, WEFT_POINTER(&local), NULL), -EINVAL);
    assert_null(process);
    assert_non_null(strstr(weft_error_message(), "shared memory"));
    assert_int_equal(weft_process_start(&process, NULL, WEFT_NONE, NULL), -EINVAL);
    assert_null(process);
    assert_int_equal(weft_process_join(NULL, 0), -EINVAL);
    assert_false(weft_process_is_alive(NULL));
}

static weft_process *of_the_parent;

static int use_parents_handle(void *arg)
{
    (void)arg;
    int r = weft_process_join(of_the_parent, WEFT_NOWAIT);
    return r == WEFT_EFORKED && !weft_process_is_alive(of_the_parent) &&
                   weft_process_kill(of_the_parent) == WEFT_EFORKED
               ? 1
               : 0;
}

static void handles_of_the_parent_are_refused_in_the_child(void **state)
{
    (void)state;
    weft_process *process;
    latch *at = new_latch();
    assert_int_equal(weft_process_start(&of_the_parent, pass_gate, WEFT_POINTER(at), NULL), 0);
    assert_int_equal(weft_process_start(&process, use_parents_handle, WEFT_NONE, NULL), 0);
    assert_int_equal(weft_result(process, WEFT_NONE, WEFT_FOREVER), 1);
    atomic_store(&at->open, 1);
    assert_int_equal(weft_result(of_the_parent, WEFT_NONE, WEFT_FOREVER), 7);
    weft_release(of_the_parent);
    weft_release(process);
    weft_shared_free(at);
}

static int write_text(void *arg)
{
    (void)arg;
    printf("child");
    return 0;
}

/* What stood in the buffer is written once, and what the child prints is not lost. */
static void output_is_flushed(void **state)
{
    (void)state;
    weft_process *process;
    int fds[2], saved = dup(1);
    char text[32] = "";
    assert_int_equal(pipe(fds), 0);
    fflush(stdout);
    dup2(fds[1], 1);
    printf("parent ");
    int r = weft_process_start(&process, write_text, WEFT_NONE, NULL);
    if (r == 0)
        r = weft_process_join(process, WEFT_FOREVER);
    fflush(stdout);
    dup2(saved, 1);
    close(saved);
    close(fds[1]);
    assert_int_equal(r, 0);
    assert_int_equal(read(fds[0], text, sizeof text - 1), 12);
    assert_string_equal(text, "parent child");
    close(fds[0]);
    weft_release(process);
}

typedef struct holder {
    FILE *file;
    struct gate holds, go;
} holder;

/* As a thread does that waits for input. */
static int hold_stream(void *arg)
{
    holder *test = arg;
    flockfile(test->file);
    gate_arrive(&test->holds);
    gate_wait(&test->go);
    funlockfile(test->file);
    return 0;
}

static int start_and_join(void *arg)
{
    weft_process *process;
    int r = weft_process_start(&process, square, arg, weft_arg_size(), NULL);
    if (r == 0)
        r = weft_process_join(process, WEFT_FOREVER);
    weft_release(process);
    return r;
}

static void a_stream_that_another_thread_reads_holds_nothing_up(void **state)
{
    (void)state;
    holder test = {.file = tmpfile()};
    weft_thread *holding, *starting;
    assert_non_null(test.file);
    gate_init(&test.holds, 1);
    gate_init(&test.go, 1);
    assert_int_equal(weft_thread_start(&holding, hold_stream, WEFT_POINTER(&test), NULL), 0);
    gate_wait(&test.holds);
    assert_int_equal(weft_thread_start(&starting, start_and_join, WEFT_ARG((int){3}), NULL), 0);
    int r = weft_wait(starting, 10);
    gate_arrive(&test.go);
    assert_int_equal(weft_result(starting, WEFT_NONE, WEFT_FOREVER), 0);
    assert_int_equal(weft_result(holding, WEFT_NONE, WEFT_FOREVER), 0);
    assert_int_equal(r, 0);
    weft_release(holding);
    weft_release(starting);
    gate_destroy(&test.holds);
    gate_destroy(&test.go);
    fclose(test.file);
}

static int start_one(void *arg)
{
    weft_process *process;
    int r = weft_process_start(&process, square, WEFT_ARG((int){5}), NULL);
    (void)arg;
    if (r == 0)
        r = weft_result(process, WEFT_NONE, WEFT_FOREVER);
    return r;
}

static void only_daemons_have_no_children(void **state)
{
    (void)state;
    weft_process *process;
    assert_int_equal(weft_process_start(&process, start_one, WEFT_NONE, NULL), 0);
    assert_int_equal(weft_result(process, WEFT_NONE, WEFT_FOREVER), 25);
    weft_release(process);
    assert_int_equal(
        weft_process_start(&process, start_one, WEFT_NONE, &(weft_process_options){.daemon = true}),
        0);
    assert_int_equal(weft_result(process, WEFT_NONE, WEFT_FOREVER), WEFT_EINVALID_STATE);
    weft_release(process);
}

static void any_of_several_is_waited_for(void **state)
{
    (void)state;
    enum { COUNT = 3 };
    weft_process *processes[COUNT];
    latch *gates[COUNT];
    for (int i = 0; i < COUNT; i++) {
        gates[i] = new_latch();
        assert_int_equal(weft_process_start(&processes[i], pass_gate, WEFT_POINTER(gates[i]), NULL),
                         0);
    }
    for (int i = COUNT - 1; i >= 0; i--) {
        assert_int_equal(weft_wait_any(processes, COUNT, WEFT_NOWAIT), -ETIMEDOUT);
        atomic_store(&gates[i]->open, 1);
        assert_int_equal(weft_wait_any(processes, COUNT, WEFT_FOREVER), i);
        weft_release(processes[i]);
        processes[i] = NULL;
        weft_shared_free(gates[i]);
    }
}

typedef struct loop_view {
    int result, killed, sleeps;
    char name[32];
} loop_view;

static loop_view from_loop;

static int count_sleeps(void *arg)
{
    (void)arg;
    for (;;) {
        int r = weft_sleep(0.001);
        if (r < 0)
            return r;
        from_loop.sleeps++;
    }
}

static int child_of_coroutine(void *arg)
{
    int sum = *(int *)arg;
    /* an ordinary thread: it may wait, and run a loop of its own */
    int r = weft_sleep(0.01);
    if (r == 0)
        r = weft_run(square, WEFT_ARG((int){4}), NULL);
    return r < 0 ? r : sum + r;
}

static int start_in_coroutine(void *arg)
{
    latch *at = arg;
    weft_process *process;
    weft_task *task;
    int r = weft_task_start(&task, count_sleeps, WEFT_NONE, NULL);
    if (r == 0)
        r = weft_process_start(&process, child_of_coroutine, WEFT_ARG((int){100}), NULL);
    if (r < 0)
        return r;
    from_loop.result = weft_result(process, WEFT_NONE, WEFT_FOREVER);
    weft_release(process);
    r = weft_process_start(&process, stand_still, WEFT_POINTER(at), NULL);
    if (r < 0)
        return r;
    await(&at->here);
    weft_process_kill(process);
    from_loop.killed = weft_result(process, WEFT_NONE, WEFT_FOREVER);
    weft_release(process);
    weft_cancel(task);
    weft_wait(task, WEFT_FOREVER);
    weft_release(task);
    return 0;
}

static void a_coroutine_starts_processes_too(void **state)
{
    (void)state;
    latch *at = new_latch();
    from_loop = (loop_view){0};
    assert_int_equal(weft_run(start_in_coroutine, WEFT_POINTER(at), NULL), 0);
    assert_int_equal(from_loop.result, 116);
    assert_int_equal(from_loop.killed, WEFT_ECALLED_PROCESS);
    assert_true(from_loop.sleeps > 0); /* the loop went on meanwhile */
    weft_shared_free(at);
}

static void the_end_is_told_with_sigchld_ignored(void **state)
{
    (void)state;
    weft_process *process;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGCHLD, &ignore, &before);
    int exitcode = -1;
    assert_int_equal(weft_process_start(&process, square, WEFT_ARG((int){3}), NULL), 0);
    int r = weft_result(process, WEFT_NONE, WEFT_FOREVER);
    int told = weft_process_exitcode(process, &exitcode);
    sigaction(SIGCHLD, &before, NULL);
    assert_int_equal(r, 9);
    assert_int_equal(told, 1);
    assert_int_equal(exitcode, 0);
    weft_release(process);
}

/* Starts one and forgets it; its number. */
static pid_t start_and_forget(weft_fn *fn, latch *at)
{
    weft_process *process;
    assert_int_equal(weft_process_start(&process, fn, WEFT_POINTER(at), NULL), 0);
    pid_t pid = (pid_t)weft_process_pid(process);
    weft_release(process);
    return pid;
}

static int ends_at_once(void *arg)
{
    (void)arg;
    return 0;
}

/* Also behind many that run. */
static void the_forgotten_are_reaped_by_the_next_start(void **state)
{
    (void)state;
    enum { RUN = 20, END = 20 };
    latch *at = new_latch();
    pid_t ended[END];
    siginfo_t info;
    for (int i = 0; i < RUN; i++)
        start_and_forget(pass_gate, at);
    for (int i = 0; i < END; i++)
        ended[i] = start_and_forget(ends_at_once, at);
    for (int i = 0; i < END; i++) /* it has, and is left to be reaped; or has been */
        waitid(P_PID, (id_t)ended[i], &info, WEXITED | WNOWAIT);
    start_and_forget(ends_at_once, at);
    int left = 0;
    for (int i = 0; i < END; i++)
        left += waitid(P_PID, (id_t)ended[i], &info, WEXITED | WNOWAIT | WNOHANG) == 0;
    atomic_store(&at->open, 1);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0); /* the latch goes with it */
    assert_int_equal(left, 0);
}

static void shutdown_joins_and_terminates(void **state)
{
    (void)state;
    latch *at = new_latch();
    int before;
    assert_int_equal(weft_process_start(NULL, pass_gate, WEFT_POINTER(at),
                                        &(weft_process_options){.name = "patient"}),
                     0);
    assert_int_equal(weft_shutdown(0.01), -ETIMEDOUT);
    assert_non_null(strstr(weft_error_message(), "patient"));
    atomic_store(&at->open, 1);
    latch *still = new_latch();
    assert_int_equal(weft_process_start(NULL, stand_still, WEFT_POINTER(still),
                                        &(weft_process_options){.daemon = true}),
                     0);
    await(&still->here);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left, no zombie either */
    assert_int_equal(errno, ECHILD);
    before = open_descriptors();
    for (int i = 0; i < 20; i++)
        assert_int_equal(weft_process_start(NULL, square, WEFT_ARG(i), NULL), 0);
    assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
    assert_int_equal(open_descriptors(), before);
}

/* Before the exec of a command whose output is captured. */
static int hold_up(void *arg)
{
    latch *at = arg;
    atomic_store(&at->here, 1);
    while (atomic_load(&at->open) == 0)
        poll(NULL, 0, 1);
    return 0;
}

static int capture(void *arg)
{
    const char *const argv[] = {"/bin/echo", "captured", NULL};
    weft_completed completed;
    int r = weft_subprocess_run(
        &completed, argv,
        &(weft_subprocess_options){
            .capture_output = true, .popen.hook = hold_up, .popen.hook_arg = arg, .timeout = 20});
    int size = (int)completed.out.size;
    weft_completed_clear(&completed);
    return r < 0 ? r : size;
}

static void output_of_a_command_ends_beside_a_process_that_was_forked_meanwhile(void **state)
{
    (void)state;
    latch *start = new_latch(), *life = new_latch();
    weft_thread *thread;
    weft_process *process;
    assert_int_equal(weft_thread_start(&thread, capture, WEFT_POINTER(start), NULL), 0);
    await(&start->here);
    assert_int_equal(weft_process_start(&process, stand_still, WEFT_POINTER(life),
                                        &(weft_process_options){.daemon = true}),
                     0);
    await(&life->here);
    atomic_store(&start->open, 1);
    assert_int_equal(weft_result(thread, WEFT_NONE, WEFT_FOREVER), 9);
    assert_true(weft_process_is_alive(process));
    assert_int_equal(weft_process_kill(process), 0);
    assert_int_equal(weft_process_join(process, WEFT_FOREVER), 0);
    weft_release(process);
    weft_release(thread);
    weft_shared_free(start);
    weft_shared_free(life);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        weft_test(the_number_is_the_result),
        weft_test(a_failure_crosses_with_its_message),
        weft_test(large_results_cross),
        weft_test(a_process_knows_itself),
        weft_test(join_times_out_while_it_runs),
        weft_test(signals_end_it_and_tell),
        weft_test(cancel_is_sigterm),
        weft_test(exit_ends_it_at_once),
        weft_test(private_pointers_are_refused),
        weft_test(handles_of_the_parent_are_refused_in_the_child),
        weft_test(output_is_flushed),
        weft_test(a_stream_that_another_thread_reads_holds_nothing_up),
        weft_test(only_daemons_have_no_children),
        weft_test(any_of_several_is_waited_for),
        weft_test(a_coroutine_starts_processes_too),
        weft_test(the_end_is_told_with_sigchld_ignored),
        weft_test(the_forgotten_are_reaped_by_the_next_start),
        weft_test(shutdown_joins_and_terminates),
        weft_test(output_of_a_command_ends_beside_a_process_that_was_forked_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
