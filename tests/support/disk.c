/* A disk that stalls or is full while a word says so; loaded into a program before its C library.
 *
 * TRAS_DISK names a file. While it holds "stall", whatever writes to a regular file, or asks for it to be safe, waits
 * until it no longer does; while it holds "late", only who asks waits; while it holds "full", a write finds no space.
 * Reads, pipes and sockets go on. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static char word(void) {
    const char *path = getenv("TRAS_DISK");
    char first = 0;
    int file = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        if (syscall(SYS_read, file, &first, 1) != 1) first = 0;
        syscall(SYS_close, file);
    }
    return first;
}

/* Whether the write, or what asks for it to be safe, may be done. */
static int pass(int file, int asks) {
    struct stat what;
    char now;
    /* What is said, wherever it goes, is no part of the disk. */
    if (file <= STDERR_FILENO || fstat(file, &what) || !S_ISREG(what.st_mode)) return 1;
    while ((now = word()) == 's' || (now == 'l' && asks)) usleep(10000);
    return now != 'f';
}

#define REAL(type, name, ...) type (*real)(__VA_ARGS__) = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

ssize_t write(int file, const void *bytes, size_t length) {
    REAL(ssize_t, "write", int, const void *, size_t);
    if (!pass(file, 0)) { errno = ENOSPC; return -1; }
    return real(file, bytes, length);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    if (!pass(file, 0)) { errno = ENOSPC; return -1; }
    return real(file, parts, count);
}

int fdatasync(int file) {
    REAL(int, "fdatasync", int);
    if (!pass(file, 1)) { errno = ENOSPC; return -1; }
    return real(file);
}

int fsync(int file) {
    REAL(int, "fsync", int);
    if (!pass(file, 1)) { errno = ENOSPC; return -1; }
    return real(file);
}
