//  failio - a preloaded library that makes the disk fail at a chosen moment, or slow
//
//    LD_PRELOAD=failio.so FAILIO_FILE=log.db FAILIO_WHILE=FILE ...
//
//  While the file named by FAILIO_WHILE exists, every fsync, fdatasync and pwrite on a descriptor whose path contains
//  FAILIO_FILE fails with EIO; what was written before stays. FAILIO_CALL chooses one of "sync" and "write"; both without it.
//  FAILIO_SLOW_US: each pwrite on such a descriptor takes so many microseconds longer, so that a kill finds it under way.

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static bool s_meant (int fd)
{
    const char *file = getenv ("FAILIO_FILE");
    char link [40], path [4096];
    snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = file ? readlink (link, path, sizeof path - 1) : -1;
    if (size <= 0)
        return false;
    path [size] = 0;
    return strstr (path, file) != NULL;
}

static bool s_fails (int fd, const char *call)
{
    const char *until = getenv ("FAILIO_WHILE"), *only = getenv ("FAILIO_CALL");
    return until && (!only || strcmp (only, call) == 0) && access (until, F_OK) == 0 && s_meant (fd);
}

int fsync (int fd);
int fdatasync (int fd);
ssize_t pwrite (int fd, const void *bytes, size_t size, off_t offset);
ssize_t pwrite64 (int fd, const void *bytes, size_t size, off_t offset);

static int s_sync (int fd, const char *name)
{
    if (s_fails (fd, "sync")) {
        errno = EIO;
        return -1;
    }
    int (*real) (int) = (int (*) (int)) (size_t)dlsym (RTLD_NEXT, name);
    return real (fd);
}

static ssize_t s_write (int fd, const void *bytes, size_t size, off_t offset, const char *name)
{
    if (s_fails (fd, "write")) {
        errno = EIO;
        return -1;
    }
    const char *slow = getenv ("FAILIO_SLOW_US");
    if (slow && s_meant (fd))
        usleep ((useconds_t) strtoul (slow, NULL, 10));
    ssize_t (*real) (int, const void *, size_t, off_t)
        = (ssize_t (*) (int, const void *, size_t, off_t)) (size_t)dlsym (RTLD_NEXT, name);
    return real (fd, bytes, size, offset);
}

int fsync (int fd)
{
    return s_sync (fd, "fsync");
}

int fdatasync (int fd)
{
    return s_sync (fd, "fdatasync");
}

ssize_t pwrite (int fd, const void *bytes, size_t size, off_t offset)
{
    return s_write (fd, bytes, size, offset, "pwrite");
}

ssize_t pwrite64 (int fd, const void *bytes, size_t size, off_t offset)
{
    return s_write (fd, bytes, size, offset, "pwrite64");
}
