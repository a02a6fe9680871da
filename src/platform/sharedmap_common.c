/* SPDX-License-Identifier: MIT */
/*
 * What does not depend on where the memory comes from: the windows for the arena, the reading of
 * /proc/self/maps, and growing without the signal that a file size limit brings.
 *
 * The windows were found by trial. On 64-bit Linux [0x550000000000, 0x555555550000) lies right
 * below the lowest base of a position-independent program, inside the application memory of ASan
 * and TSan, and was free in thousands of starts of every kind of program; addresses chosen by the
 * kernel collide once in a thousand, round numbers are sanitizers' shadows. Where addresses have 39
 * bits the second window is the one that fits.
 */
#include "platform/sharedmap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/cloexec.h"

typedef struct window {
    uintptr_t from, to;
} window;

static const window windows[] = {
#if UINTPTR_MAX > 0xffffffff
    {0x550000000000, 0x555555550000},
    {0x2000000000, 0x5000000000},
#else
    {0x60000000, 0x70000000},
#endif
};

int weft_sharedmap_window(size_t index, uintptr_t *from, uintptr_t *to)
{
    if (index >= sizeof windows / sizeof windows[0])
        return 0;
    *from = windows[index].from;
    *to = windows[index].to;
    return 1;
}

void weft_sharedmap_unmap(uintptr_t address, size_t size)
{
    (void)munmap((void *)address, size);
}

/* ---- growing */

/* Takes back the SIGXFSZ that the call itself has raised, if any, and gives the mask back. */
static void signal_allow(const sigset_t *only, const sigset_t *before, bool was_pending)
{
    sigset_t pending;
    int taken;

    if (!was_pending && sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ) == 1)
        (void)sigwait(only, &taken);
    (void)pthread_sigmask(SIG_SETMASK, before, NULL);
}

int weft_sharedmap_grow_by(int (*extend)(int fd, uint64_t from, uint64_t to), int fd, uint64_t size)
{
    struct stat now;
    struct rlimit limit;
    sigset_t only;
    sigset_t before;
    sigset_t pending;
    int error;

    if (fstat(fd, &now) < 0)
        return -errno;
    if (size <= (uint64_t)now.st_size)
        return 0;
    if (size > INT64_MAX || (sizeof(off_t) < sizeof size && size > INT32_MAX))
        return -EFBIG;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        size > limit.rlim_cur)
        return -EFBIG;

    /* The limit may be lowered meanwhile; the signal is for the thread that makes the call. */
    (void)sigemptyset(&only);
    (void)sigaddset(&only, SIGXFSZ);
    bool was_pending = sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ) == 1;
    (void)pthread_sigmask(SIG_BLOCK, &only, &before);
    do
        error = extend(fd, (uint64_t)now.st_size, size);
    while (error == EINTR);
    signal_allow(&only, &before, was_pending);
    return -error;
}

/* ---- random bytes */

int weft_sharedmap_urandom(void *buffer, size_t size)
{
    unsigned char *to = buffer;
    int r = 0;

    int fd = weft_cloexec_open("/dev/urandom", O_RDONLY);
    if (fd < 0)
        return fd == -EMFILE || fd == -ENFILE ? -EMFILE : -EIO;
    while (size > 0 && r == 0) {
        ssize_t n = read(fd, to, size);
        if (n > 0) {
            to += n;
            size -= (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            r = -EIO;
        }
    }
    (void)close(fd);
    return r;
}

/* ---- naming a mapping */

/* Hexadecimal digits up to `end`; advances *text behind that character. */
static uintptr_t hexadecimal(const char **text, char end)
{
    uintptr_t value = 0;
    const char *c = *text;

    for (; *c != '\0' && *c != end; c++) {
        unsigned digit = *c >= 'a' ? (unsigned)(*c - 'a') + 10 : (unsigned)(*c - '0');
        value = value * 16 + (digit & 15);
    }
    *text = *c == '\0' ? c : c + 1;
    return value;
}

/* A line is "from-to rights offset device inode   path". The path, or "" for anonymous memory. */
static const char *path_of(const char *line)
{
    for (int field = 0; field < 5; field++) {
        line += strcspn(line, " ");
        line += strspn(line, " ");
    }
    return line;
}

typedef struct finding {
    uintptr_t from, to; /* what is asked about */
    char *buffer;
    size_t room;
    int result; /* of snprintf; -1: not found yet */
} finding;

static void describe_line(finding *find, const char *line)
{
    const char *rest = line;
    uintptr_t from = hexadecimal(&rest, '-');
    uintptr_t to = hexadecimal(&rest, ' ');

    if (find->result >= 0 || to <= find->from || from >= find->to)
        return;
    const char *path = path_of(line);
    find->result = snprintf(find->buffer, find->room, "%s at 0x%" PRIxPTR "-0x%" PRIxPTR,
                            *path != '\0' ? path : "anonymous memory", from, to);
}

/* Collects lines; what a line has beyond `line` (a very long path) is cut off. */
static void describe_file(finding *find, int fd)
{
    char line[512];
    char chunk[512];
    size_t length = 0;

    while (find->result < 0) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        for (ssize_t i = 0; i < n; i++) {
            if (chunk[i] != '\n') {
                if (length < sizeof line - 1)
                    line[length++] = chunk[i];
                continue;
            }
            line[length] = '\0';
            length = 0;
            describe_line(find, line);
        }
    }
}

int weft_sharedmap_describe(uintptr_t address, size_t size, char *buffer, size_t room)
{
    finding find = {
        .from = address, .to = address + size, .buffer = buffer, .room = room, .result = -1};

    int fd = weft_cloexec_open("/proc/self/maps", O_RDONLY);
    if (fd < 0)
        return snprintf(buffer, room, "unknown");
    describe_file(&find, fd);
    (void)close(fd);
    return find.result >= 0 ? find.result : snprintf(buffer, room, "nothing");
}
