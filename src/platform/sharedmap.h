/* SPDX-License-Identifier: MIT */
/*
 * sharedmap: memory that several processes map.
 *
 * sharedmap_memfd.c: memfd, sealed against shrinking.  sharedmap_shm.c: shm_open under a random
 * name with O_EXCL and 0600, unlinked at once.  sharedmap_common.c: what both share.
 */
#ifndef WEFT_PLATFORM_SHAREDMAP_H
#define WEFT_PLATFORM_SHAREDMAP_H

#include <stddef.h>
#include <stdint.h>

/* An anonymous, empty, close-on-exec file of mode 0600: the descriptor, above 2. `label` shows in
 * listings of the system at most. Errors: -EMFILE, -ENFILE, -ENOMEM, -EACCES. */
int weft_sharedmap_open(const char *label);

/* Makes the bytes [0, size) real, so that touching them is never SIGBUS. Never shrinks. SIGXFSZ is
 * not raised. One caller at a time for a file. Errors: -ENOSPC, -EFBIG, -ENOMEM. */
int weft_sharedmap_grow(int fd, uint64_t size);

/* Maps [0, size) of the file at exactly `address`, readable, writable, shared, without
 * reserving swap, kept out of core files where the system can. The file may be smaller: only what
 * weft_sharedmap_grow has made real may be touched. `address` and `size` are multiples of the page
 * size. Errors: -EEXIST: something is mapped there; -ENOMEM: no such room; -EINVAL. */
int weft_sharedmap_map_at(int fd, uintptr_t address, size_t size);

void weft_sharedmap_unmap(uintptr_t address, size_t size);

/* Candidate windows for the arena, best first: [from, to) in which no loader, sanitizer or kernel
 * puts anything. Returns 1, or 0 when index is past the last. */
int weft_sharedmap_window(size_t index, uintptr_t *from, uintptr_t *to);

/* Names the first thing that is mapped in [address, address + size), for a message ("/lib/ld.so at
 * 0x7f…-0x7f…"; "nothing"; "unknown" where the system does not tell). Returns as snprintf does. */
int weft_sharedmap_describe(uintptr_t address, size_t size, char *buffer, size_t room);

/* Fills the buffer with random bytes from the system. Errors: -EIO, -EMFILE. */
int weft_sharedmap_random(void *buffer, size_t size);

/* For the implementations: sets the size of a file by `extend` (0 or an errno; may be EINTR), once
 * the limit of file sizes allows it, with SIGXFSZ held off. As weft_sharedmap_grow. */
int weft_sharedmap_grow_by(int (*extend)(int fd, uint64_t from, uint64_t to), int fd,
                           uint64_t size);

/* For the implementations: random bytes from /dev/urandom. */
int weft_sharedmap_urandom(void *buffer, size_t size);

#endif
