/* SPDX-License-Identifier: MIT */
#include "fault/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ROOM = 300,
    MOST = 20,     /* complaints about one case */
    PATIENCE = 60, /* seconds, for what is over in milliseconds */
};

/* ---- one run -----------------------------------------------------------------------------------
 */

static char doing[400];
static int complaints;

static void complain(const char *format, ...)
{
    char text[2000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (complaints++ < MOST)
        print_error("%s -> %s\n", doing, text);
}

int fault_complaints(void)
{
    int count = complaints;
    complaints = 0;
    return count;
}

/* So that a hang says where. */
static void give_up(int signum)
{
    (void)signum;
    ssize_t n = write(2, doing, strlen(doing));
    n = n < 0 ? n : write(2, " hangs\n", 7);
    _exit(n < 0 ? 98 : 99);
}

static void describe(const fault_case *one, const fault_injector *injector, void *self)
{
    char what[200];
    injector->describe(self, what, sizeof what);
    snprintf(doing, sizeof doing, "%s: %s%s: %s", one->module, one->scenario->name,
             one->in_task ? " in a task" : "", what);
}

static int run_in_task(void *arg)
{
    return (*(int (*const *)(void))arg)();
}

static int run(const fault_case *one)
{
    int (*fn)(void) = one->scenario->run;
    return one->in_task ? weft_run(run_in_task, WEFT_ARG(fn), NULL) : fn();
}

/* A child that was killed and dropped is reaped by the library, when it has ended. */
static int end_for_good(void)
{
    siginfo_t info;
    int r;
    do
        r = weft_shutdown(WEFT_FOREVER);
    while (r == 0 && waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0);
    return r;
}

bool fault_run(const fault_case *one, const fault_injector *injector, void *self)
{
    struct census before;
    char text[1000];

    describe(one, injector, self);
    census_take(&before);
    alarm(PATIENCE);
    injector->arm(self);
    int r = run(one);
    const char *message = weft_error_message();
    snprintf(text, sizeof text, "%s", message != NULL ? message : "");
    int ended = weft_shutdown(WEFT_FOREVER);
    bool failed = injector->disarm(self);

    if (r == SCENARIO_WRONG || r == -EINTR || (r < 0 && *text == '\0'))
        complain("%d, %s: '%s'", r, weft_error_name(r), text);
    if (!failed && (r < 0 || ended < 0))
        complain("%d, then %d, although nothing failed: %s", r, ended, text);
    ended = end_for_good();
    if (ended < 0)
        complain("the end fails: %s", weft_error_message());
    if (census_compare(&before, text, sizeof text) > 0)
        complain("%d, and %s", r, text);
    if (getenv("WEFT_FAULT_TRACE") != NULL && failed)
        print_message("%s -> %s\n", doing, weft_error_name(r));
    alarm(0);
    return failed;
}

/* ---- all of them -------------------------------------------------------------------------------
 */

static fault_case cases[ROOM];
static char names[ROOM][100];
static struct CMUnitTest tests[ROOM];
static size_t count;

static void add(fault_case one, void (*test)(void **state))
{
    if (count == ROOM)
        abort();
    snprintf(names[count], sizeof names[count], "%s: %s%s", one.module, one.scenario->name,
             one.in_task ? " in a task" : "");
    cases[count] = one;
    tests[count] = (struct CMUnitTest)weft_test(test);
    tests[count].name = names[count];
    tests[count].initial_state = &cases[count];
    count++;
}

int fault_main(int argc, char **argv, void (*test)(void **state))
{
    signal(SIGALRM, give_up);
    for (const scenario_group *group = scenario_groups; group->module != NULL; group++) {
        if (argc > 1 && strcmp(argv[1], group->module) != 0)
            continue;
        for (const scenario *one = group->scenarios; one->name != NULL; one++) {
            if (argc > 2 && strstr(one->name, argv[2]) == NULL)
                continue;
            add((fault_case){one, group->module, false}, test);
            if ((one->flags & SCENARIO_THREAD_ONLY) == 0)
                add((fault_case){one, group->module, true}, test);
        }
    }
    return _cmocka_run_group_tests("scenarios", tests, count, NULL, NULL);
}
