/* SPDX-License-Identifier: MIT */
/*
 * Writes a log, each line of which names the thread that wrote it: weft_current_name tells it
 * wherever the line is written, in a thread, a process or a task.
 * The idea: threading_names_log.py of PyMOTW-3.
 */
#include <weft.h>

#include "example.h"

static int work(void *arg)
{
    log_line("DEBUG", "begins");
    int r = weft_sleep(*(int *)arg * SECOND);
    if (r == 0)
        log_line("DEBUG", "ends");
    return r;
}

static void start(int seconds, const char *name)
{
    check(weft_thread_start(NULL, work, WEFT_ARG(seconds), &(weft_thread_options){.name = name}));
}

int main(void)
{
    start(3, "service");
    start(2, "worker");
    start(2, NULL); /* Thread-1 */
    return weft_shutdown(WEFT_FOREVER);
}
