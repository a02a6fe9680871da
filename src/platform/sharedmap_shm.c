/* SPDX-License-Identifier: MIT */
/*
 * A shared memory object under a random name, which exists between shm_open and shm_unlink only; it
 * is opened exclusively and for its owner alone. A process killed between the two leaves an empty
 * object behind: the signals that can be blocked are.
 *
 * POSIX knows no mapping that takes an address or fails: the address is given as a hint, and a
 * mapping that lies elsewhere is undone.
 */
#include "platform/sharedmap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/cloexec.h"

enum { ATTEMPTS = 16 };

/* POSIX lets shm_open set close-on-exec itself. */
static int open_unlinked(void)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        uint64_t random;
        char name[32];

        int r = weft_sharedmap_random(&random, sizeof random);
        if (r < 0)
            return r;
        (void)snprintf(name, sizeof name, "/weft-%016" PRIx64, random);
        int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, S_IRUSR | S_IWUSR);
        if (fd >= 0) {
            (void)shm_unlink(name);
            return fd;
        }
        if (errno != EEXIST && errno != EINTR)
            return -errno;
    }
    return -EACCES;
}

int weft_sharedmap_open(const char *label)
{
    sigset_t all;
    sigset_t before;

    (void)label; /* a name that tells would be one to guess */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int fd = open_unlinked();
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (fd < 0 || fd > 2)
        return fd;
    int r = weft_cloexec_dup(fd, 3);
    (void)close(fd);
    return r;
}

static int extend(int fd, uint64_t from, uint64_t to)
{
    return posix_fallocate(fd, (off_t)from, (off_t)(to - from));
}

int weft_sharedmap_grow(int fd, uint64_t size)
{
    return weft_sharedmap_grow_by(extend, fd, size);
}

int weft_sharedmap_map_at(int fd, uintptr_t address, size_t size)
{
    void *got = mmap((void *)address, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (got == MAP_FAILED)
        return -errno;
    if ((uintptr_t)got != address) {
        (void)munmap(got, size);
        return -EEXIST;
    }
    return 0;
}

int weft_sharedmap_random(void *buffer, size_t size)
{
    return weft_sharedmap_urandom(buffer, size);
}
