/* SPDX-License-Identifier: MIT */
/* Tells, on stdout, how it was started. Its first argument says what is asked. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void print_descriptors(void)
{
    for (int fd = 0; fd < 4096; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            printf("%d ", fd);
    }
}

static void print_signals(void)
{
    struct sigaction action;
    sigset_t mask;

    (void)sigprocmask(SIG_SETMASK, NULL, &mask);
    for (int s = 1; s < 32; s++) {
        if (sigismember(&mask, s) == 1)
            printf("blocked=%d ", s);
        if (sigaction(s, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
            printf("%s=%d ", action.sa_handler == SIG_IGN ? "ignored" : "handled", s);
    }
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    const char *more = argc > 2 ? argv[2] : "";
    char path[4096];

    if (strcmp(what, "fds") == 0) {
        print_descriptors();
    } else if (strcmp(what, "signals") == 0) {
        print_signals();
    } else if (strcmp(what, "cwd") == 0) {
        printf("%s", getcwd(path, sizeof path) != NULL ? path : "?");
    } else if (strcmp(what, "umask") == 0) {
        printf("%o", (unsigned)umask(0));
    } else if (strcmp(what, "group") == 0) {
        printf("%s %s", getsid(0) == getpid() ? "session" : "-",
               getpgid(0) == getpid() ? "group" : "-");
    } else if (strcmp(what, "ids") == 0) {
        printf("%d %d %d %d", (int)getuid(), (int)geteuid(), (int)getgid(), getgroups(0, NULL));
    } else if (strcmp(what, "env") == 0) {
        printf("%s", getenv(more) != NULL ? getenv(more) : "unset");
    } else if (strcmp(what, "exit") == 0) {
        return atoi(more);
    } else if (strcmp(what, "kill") == 0) {
        (void)kill(getpid(), atoi(more));
    } else if (strcmp(what, "cat") == 0) {
        for (int c = getchar(); c != EOF; c = getchar())
            putchar(c);
    } else if (strcmp(what, "err") == 0) {
        fprintf(stderr, "err");
        fflush(stderr);
        printf("out");
    } else if (strcmp(what, "pause") == 0) {
        for (;;)
            (void)pause();
    }
    return 0;
}
