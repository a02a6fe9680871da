/* SPDX-License-Identifier: MIT */
/*
 * pty: a new terminal: the master, which whoever plays the user holds, and the slave, which the
 * program finds.
 *
 * pty_peer.c: the slave is opened through the master (TIOCGPTPEER), whatever is mounted where.
 * pty_name.c: by its name.
 */
#ifndef WEFT_PLATFORM_PTY_H
#define WEFT_PLATFORM_PTY_H

#include <stddef.h>

enum { WEFT_PTY_PATH = 64 };

/* Both are close-on-exec, blocking, and not this process's controlling terminal. `path` is the
 * slave's, for weft_spawn_plan. Errors: -ENOSPC, -EMFILE, -ENFILE, -ENOENT and others of open(2).
 */
int weft_pty_open(int *master, int *slave, char path[WEFT_PTY_PATH]);

/* What the implementation brings: the slave of an open master. */
int weft_pty_open_slave(int master, char path[WEFT_PTY_PATH]);

/* Around a fork, in the forking thread: what the implementation locks is held before it, and free
 * after it in both. */
void weft_pty_before_fork(void);
void weft_pty_after_fork(void);

/* Errors: -ENOTSUP: POSIX has no word about the size; -EBADF, -ENOTTY. */
int weft_pty_set_size(int master, unsigned short rows, unsigned short columns);

#endif
