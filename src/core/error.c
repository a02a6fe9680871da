/* SPDX-License-Identifier: MIT */
/*
 * Codes, their names and texts from one list each, and the last failure of each context. The texts
 * are the library's own, so that messages read the same on every system and in every locale.
 */
#include "core/error.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/context.h"
#include "core/memory.h"

#define SYSTEM_ERRORS(X)                                                                           \
    X(EPERM, "Operation not permitted")                                                            \
    X(ENOENT, "No such file or directory")                                                         \
    X(ESRCH, "No such process")                                                                    \
    X(EINTR, "Interrupted system call")                                                            \
    X(EIO, "Input/output error")                                                                   \
    X(ENXIO, "No such device or address")                                                          \
    X(E2BIG, "Argument list too long")                                                             \
    X(ENOEXEC, "Exec format error")                                                                \
    X(EBADF, "Bad file descriptor")                                                                \
    X(ECHILD, "No child processes")                                                                \
    X(EAGAIN, "Resource temporarily unavailable")                                                  \
    X(ENOMEM, "Cannot allocate memory")                                                            \
    X(EACCES, "Permission denied")                                                                 \
    X(EFAULT, "Bad address")                                                                       \
    X(EBUSY, "Device or resource busy")                                                            \
    X(EEXIST, "File exists")                                                                       \
    X(EXDEV, "Invalid cross-device link")                                                          \
    X(ENODEV, "No such device")                                                                    \
    X(ENOTDIR, "Not a directory")                                                                  \
    X(EISDIR, "Is a directory")                                                                    \
    X(EINVAL, "Invalid argument")                                                                  \
    X(ENFILE, "Too many open files in system")                                                     \
    X(EMFILE, "Too many open files")                                                               \
    X(ENOTTY, "Inappropriate ioctl for device")                                                    \
    X(ETXTBSY, "Text file busy")                                                                   \
    X(EFBIG, "File too large")                                                                     \
    X(ENOSPC, "No space left on device")                                                           \
    X(ESPIPE, "Illegal seek")                                                                      \
    X(EROFS, "Read-only file system")                                                              \
    X(EMLINK, "Too many links")                                                                    \
    X(EPIPE, "Broken pipe")                                                                        \
    X(EDOM, "Numerical argument out of domain")                                                    \
    X(ERANGE, "Numerical result out of range")                                                     \
    X(EDEADLK, "Resource deadlock avoided")                                                        \
    X(ENAMETOOLONG, "File name too long")                                                          \
    X(ENOLCK, "No locks available")                                                                \
    X(ENOSYS, "Function not implemented")                                                          \
    X(ENOTEMPTY, "Directory not empty")                                                            \
    X(ELOOP, "Too many levels of symbolic links")                                                  \
    X(EIDRM, "Identifier removed")                                                                 \
    X(EPROTO, "Protocol error")                                                                    \
    X(EBADMSG, "Bad message")                                                                      \
    X(EOVERFLOW, "Value too large for defined data type")                                          \
    X(EILSEQ, "Invalid or incomplete multibyte or wide character")                                 \
    X(ENOTSOCK, "Socket operation on non-socket")                                                  \
    X(EDESTADDRREQ, "Destination address required")                                                \
    X(EMSGSIZE, "Message too long")                                                                \
    X(EPROTOTYPE, "Protocol wrong type for socket")                                                \
    X(ENOPROTOOPT, "Protocol not available")                                                       \
    X(EPROTONOSUPPORT, "Protocol not supported")                                                   \
    X(ENOTSUP, "Operation not supported")                                                          \
    X(EAFNOSUPPORT, "Address family not supported by protocol")                                    \
    X(EADDRINUSE, "Address already in use")                                                        \
    X(EADDRNOTAVAIL, "Cannot assign requested address")                                            \
    X(ENETDOWN, "Network is down")                                                                 \
    X(ENETUNREACH, "Network is unreachable")                                                       \
    X(ENETRESET, "Network dropped connection on reset")                                            \
    X(ECONNABORTED, "Software caused connection abort")                                            \
    X(ECONNRESET, "Connection reset by peer")                                                      \
    X(ENOBUFS, "No buffer space available")                                                        \
    X(EISCONN, "Transport endpoint is already connected")                                          \
    X(ENOTCONN, "Transport endpoint is not connected")                                             \
    X(ETIMEDOUT, "Timed out")                                                                      \
    X(ECONNREFUSED, "Connection refused")                                                          \
    X(EHOSTUNREACH, "No route to host")                                                            \
    X(EALREADY, "Operation already in progress")                                                   \
    X(EINPROGRESS, "Operation now in progress")                                                    \
    X(ESTALE, "Stale file handle")                                                                 \
    X(EDQUOT, "Disk quota exceeded")                                                               \
    X(ECANCELED, "Cancelled")                                                                      \
    X(EOWNERDEAD, "Owner died")                                                                    \
    X(ENOTRECOVERABLE, "State not recoverable")

typedef struct code_entry {
    int code;
    const char *name, *text;
} code_entry;

static const code_entry codes[] = {
#define SYSTEM_ENTRY(name, text) {-name, #name, text},
    SYSTEM_ERRORS(SYSTEM_ENTRY)
#define WEFT_ENTRY(name, code, text) {code, #name, text},
        WEFT_ERRORS(WEFT_ENTRY)};

static const code_entry *find_code(int code)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].code == code)
            return &codes[i];
    }
    return NULL;
}

const char *weft_strerror(int code)
{
    if (code >= 0)
        return "Success";
    const code_entry *entry = find_code(code);
    if (entry != NULL)
        return entry->text;
    return code <= WEFT_EUSER ? "Error of the application" : "Unknown error";
}

const char *weft_error_name(int code)
{
    if (code >= 0)
        return "OK";
    const code_entry *entry = find_code(code);
    if (entry != NULL)
        return entry->name;
    return code <= WEFT_EUSER ? "WEFT_EUSER" : "EUNKNOWN";
}

/* What failed last in a thread for which no context could be made. */
static _Thread_local int without_context;

static int record(int code, const char *text)
{
    weft_context *self = weft_context_self();
    if (self == NULL) {
        without_context = code;
    } else {
        self->failure.code = code;
        self->failure.text = text;
    }
    return code;
}

void weft_error_without_context(int code)
{
    without_context = code;
}

void weft_failure_init(weft_failure *failure)
{
    *failure = (weft_failure){.code = without_context};
    if (without_context < 0)
        failure->text = weft_strerror(without_context);
    without_context = 0;
}

int weft_error_constant(int code, const char *text)
{
    return record(code, text);
}

int weft_error_timed_out(void)
{
    return record(-ETIMEDOUT, "timed out");
}

int weft_error_cancelled(void)
{
    return record(-ECANCELED, "cancelled");
}

int weft_error(int code, const char *format, ...)
{
    weft_context *self = weft_context_self();
    if (self == NULL)
        return record(code, weft_strerror(code));
    weft_failure *failure = &self->failure;
    char text[WEFT_MESSAGE_SIZE]; /* the arguments may point into the last message */
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (failure->buffer == NULL)
        failure->buffer = weft_alloc(WEFT_MESSAGE_SIZE);
    if (failure->buffer == NULL || length < 0)
        return record(code, weft_strerror(code));
    memcpy(failure->buffer, text, sizeof text);
    return record(code, failure->buffer);
}

int weft_error_on(int code, const char *what, const char *name)
{
    if (name == NULL)
        return weft_error(code, "%s: %s", what, weft_strerror(code));
    return weft_error(code, "%s '%s': %s", what, name, weft_strerror(code));
}

const char *weft_error_message(void)
{
    weft_context *self = weft_context_current;
    if (self == NULL)
        return without_context < 0 ? weft_strerror(without_context) : "";
    return self->failure.text != NULL ? self->failure.text : "";
}

const char *weft_error_message_of(int code)
{
    weft_context *self = weft_context_current;
    return self != NULL && self->failure.code == code ? self->failure.text : NULL;
}

void weft_failure_clear(weft_failure *failure)
{
    weft_dealloc(failure->buffer);
    *failure = (weft_failure){0};
}
