/* SPDX-License-Identifier: MIT */
/*
 * A memfd has no name, so there is nothing to unlink and nothing for another to find. It is sealed
 * against shrinking, so that a process of the family cannot take pages away under the others (which
 * would be SIGBUS there), and against more seals; it may grow.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "platform/sharedmap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/cloexec.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U /* Linux 6.3 */
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000 /* Linux 4.17; before, it is a hint */
#endif

int weft_sharedmap_open(const char *label)
{
    int fd = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;

    int r = fd;
    if (fd <= 2)
        r = weft_cloexec_dup(fd, 3);
    if (r != fd)
        (void)close(fd);
    if (r < 0)
        return r;
    fd = r;
    if (fchmod(fd, S_IRUSR | S_IWUSR) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) < 0) {
        r = -errno;
        (void)close(fd);
    }
    return r;
}

static int extend(int fd, uint64_t from, uint64_t to)
{
    return fallocate(fd, 0, (off_t)from, (off_t)(to - from)) < 0 ? errno : 0;
}

int weft_sharedmap_grow(int fd, uint64_t size)
{
    return weft_sharedmap_grow_by(extend, fd, size);
}

int weft_sharedmap_map_at(int fd, uintptr_t address, size_t size)
{
    void *got = mmap((void *)address, size, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, fd, 0);

    if (got == MAP_FAILED)
        return -errno;
    if ((uintptr_t)got != address) {
        (void)munmap(got, size);
        return -EEXIST;
    }
    (void)madvise(got, size, MADV_DONTDUMP); /* a larger core file is the worst that can come */
    return 0;
}

int weft_sharedmap_random(void *buffer, size_t size)
{
    unsigned char *to = buffer;

    while (size > 0) {
        ssize_t n = getrandom(to, size, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return weft_sharedmap_urandom(to, size);
        to += n;
        size -= (size_t)n;
    }
    return 0;
}
