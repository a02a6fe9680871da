/* SPDX-License-Identifier: MIT */
/* Every way to make a descriptor marks it, and no fork of ours sees one that is not marked yet. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/cloexec.h"
#include "support/support.h"

static bool marked(int fd)
{
    int flags = fcntl(fd, F_GETFD);
    return flags >= 0 && (flags & FD_CLOEXEC) != 0;
}

static bool blocking(int fd)
{
    return (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
}

static void pipes_and_sockets_are_marked(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(weft_cloexec_pipe(fds), 0);
    assert_true(marked(fds[0]) && marked(fds[1]) && blocking(fds[0]) && blocking(fds[1]));
    int copy = weft_cloexec_dup(fds[0], 40);
    assert_true(copy >= 40 && marked(copy));
    assert_int_equal(weft_cloexec_set_nonblocking(copy, true), 0);
    assert_false(blocking(copy));
    assert_int_equal(weft_cloexec_set_nonblocking(copy, false), 0);
    assert_true(blocking(copy));
    close(copy);
    close(fds[0]);
    close(fds[1]);

    assert_int_equal(weft_cloexec_socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_true(marked(fds[0]) && marked(fds[1]) && blocking(fds[0]));
    close(fds[0]);
    close(fds[1]);

    int fd = weft_cloexec_socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_true(fd >= 0 && marked(fd) && blocking(fd));
    close(fd);
}

static void failures_are_negative_and_leave_the_out_values(void **state)
{
    int fds[2] = {77, 78};

    (void)state;
    int r = weft_cloexec_socketpair(AF_UNIX, 12345, 0, fds);
    assert_int_equal(r, emulated() ? -ESOCKTNOSUPPORT : -EINVAL);
    assert_int_equal(fds[0], 77);
    assert_int_equal(fds[1], 78);
    assert_true(weft_cloexec_socket(AF_UNIX, 12345, 0) < 0);
    assert_int_equal(weft_cloexec_dup(-1, 0), -EBADF);
    assert_int_equal(weft_cloexec_accept(-1, NULL, NULL), -EBADF);
    assert_int_equal(weft_cloexec_set_nonblocking(-1, true), -EBADF);
}

static void accepted_connections_are_marked_and_do_not_block(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char folder[] = "/tmp/weft-test-XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(folder));
    strcpy(address.sun_path, folder);
    strcat(address.sun_path, "/socket");
    int listener = weft_cloexec_socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(weft_cloexec_set_nonblocking(listener, true), 0);
    assert_int_equal(weft_cloexec_accept(listener, NULL, NULL), -EAGAIN);

    int client = weft_cloexec_socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    struct sockaddr_un peer;
    socklen_t size = sizeof peer;
    int fd = weft_cloexec_accept(listener, (struct sockaddr *)&peer, &size);
    assert_true(fd >= 0 && marked(fd) && !blocking(fd));
    close(fd);
    close(client);
    close(listener);
    unlink(address.sun_path);
    rmdir(folder);
}

static void received_descriptors_are_marked(void **state)
{
    int pair[2];
    int sent[2];
    char byte = 'x';
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof sent)];
    } control;
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};

    (void)state;
    assert_int_equal(weft_cloexec_socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(weft_cloexec_set_nonblocking(pair[1], true), 0);
    assert_int_equal(weft_cloexec_recvmsg(pair[1], &message, 0), -EAGAIN);
    assert_int_equal(weft_cloexec_pipe(sent), 0);

    memset(&control, 0, sizeof control);
    message.msg_controllen = sizeof control.room;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof sent);
    memcpy(CMSG_DATA(header), sent, sizeof sent);
    assert_int_equal(sendmsg(pair[0], &message, 0), 1);

    memset(&control, 0, sizeof control);
    message.msg_controllen = sizeof control.room;
    assert_int_equal(weft_cloexec_recvmsg(pair[1], &message, 0), 1);
    header = CMSG_FIRSTHDR(&message);
    assert_non_null(header);
    int received[2];
    memcpy(received, CMSG_DATA(header), sizeof received);
    assert_true(marked(received[0]) && marked(received[1]));
    for (int i = 0; i < 2; i++) {
        close(received[i]);
        close(sent[i]);
        close(pair[i]);
    }
}

static _Atomic bool stop;

static void *make_pipes(void *arg)
{
    int fds[2];

    (void)arg;
    while (!atomic_load(&stop)) {
        if (weft_cloexec_pipe(fds) == 0) {
            close(fds[0]);
            close(fds[1]);
        }
    }
    return NULL;
}

static void a_fork_sees_no_unmarked_descriptor(void **state)
{
    enum { FORKS = 60, FIRST = 3, LAST = 64 };
    pthread_t thread;
    int found = 0;

    (void)state;
    for (int fd = FIRST; fd <= LAST; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    atomic_store(&stop, false);
    assert_int_equal(pthread_create(&thread, NULL, make_pipes, NULL), 0);
    for (int i = 0; i < FORKS; i++) {
        int status = 0;
        weft_cloexec_before_fork();
        weft_cloexec_before_fork(); /* they nest */
        pid_t pid = fork();
        weft_cloexec_after_fork();
        weft_cloexec_after_fork();
        if (pid == 0) {
            int fds[2];
            int bad = weft_cloexec_pipe(fds) == 0 ? 0 : 1; /* the lock is free here too */
            for (int fd = FIRST; fd <= LAST; fd++) {
                if (fcntl(fd, F_GETFD) >= 0 && !marked(fd))
                    bad = 2;
            }
            _exit(bad);
        }
        waitpid(pid, &status, 0);
        found += status != 0;
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(found, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        census_test(pipes_and_sockets_are_marked),
        census_test(failures_are_negative_and_leave_the_out_values),
        census_test(accepted_connections_are_marked_and_do_not_block),
        census_test(received_descriptors_are_marked),
        census_test(a_fork_sees_no_unmarked_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
