//  home - a program's folder: its lock and its local socket

#include "home.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64
#define CONNECT_SECONDS 5 //  a daemon that does not take connections for so long is stuck

int home_check (const char *home, bool create)
{
    assert (home);
    if (create && mkdir (home, 0700) == 0)
        return 0;
    if (create && errno != EEXIST) {
        fprintf (stderr, "%s: cannot be made: %s\n", home, strerror (errno));
        return -1;
    }
    struct stat about;
    if (stat (home, &about)) {
        fprintf (stderr, "%s: cannot be used as a home: %s\n", home, strerror (errno));
        return -1;
    }
    if (!S_ISDIR (about.st_mode)) {
        fprintf (stderr, "%s: cannot be used as a home: it is not a folder\n", home);
        return -1;
    }
    //  whoever may write here may exchange the keys
    if (about.st_mode & S_IWOTH) {
        fprintf (stderr, "%s: refused as a home: everyone may write to it (mode %03o); chmod 700 makes it right\n", home,
            (unsigned)about.st_mode & 0777);
        return -1;
    }
    if (access (home, R_OK | W_OK | X_OK)) {
        fprintf (stderr, "%s: cannot be used as a home: %s\n", home, strerror (errno));
        return -1;
    }
    return 0;
}

int home_lock (const char *home)
{
    assert (home);
    char *path = home_path (home, "lock");
    int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
    int result = fd;
    if (fd < 0) {
        //  a folder that is not there is said in its own name
        if (errno != ENOENT || home_check (home, false) == 0)
            fprintf (stderr, "%s: cannot be opened: %s\n", path, strerror (errno));
        result = -2;
    } else if (flock (fd, LOCK_EX | LOCK_NB)) {
        result = errno == EWOULDBLOCK ? -1 : -2;
        if (result == -2)
            fprintf (stderr, "%s: cannot be locked: %s\n", path, strerror (errno));
        close (fd);
    }
    free (path);
    return result;
}

char *home_path (const char *home, const char *name)
{
    assert (home && name);
    char *path = NULL;
    if (asprintf (&path, "%s/%s", home, name) < 0)
        abort ();
    return path;
}

//  ---- sockets

//  Fills the address of HOME/name. A name that does not fit is reached through a descriptor of the
//  folder, which the caller closes after use (*folder, -1 if there is none).

static int s_address (struct sockaddr_un *address, const char *home, const char *name, int *folder)
{
    *folder = -1;
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    int size = snprintf (address->sun_path, sizeof address->sun_path, "%s/%s", home, name);
    if (size > 0 && (size_t)size < sizeof address->sun_path)
        return 0;
    *folder = open (home, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*folder < 0)
        return -1;
    size = snprintf (address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", *folder, name);
    if (size > 0 && (size_t)size < sizeof address->sun_path)
        return 0;
    close (*folder);
    *folder = -1;
    errno = ENAMETOOLONG;
    return -1;
}

//  Closes both and keeps errno for the caller.

static int s_give_up (int fd, int folder)
{
    int why = errno;
    if (fd >= 0)
        close (fd);
    if (folder >= 0)
        close (folder);
    errno = why;
    return -1;
}

//  A socket left by a daemon that was killed. Anything else by that name is not ours to remove.

static int s_remove_stale (const char *path)
{
    struct stat about;
    if (lstat (path, &about))
        return errno == ENOENT ? 0 : -1;
    if (!S_ISSOCK (about.st_mode)) {
        errno = EEXIST;
        return -1;
    }
    return unlink (path);
}

int home_listen (const char *home, const char *name)
{
    assert (home && name);
    struct sockaddr_un address;
    int folder;
    if (s_address (&address, home, name, &folder))
        return -1;
    int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    //  the mode is set before bind, so that the name never exists with another one
    if (fd < 0 || s_remove_stale (address.sun_path) || fchmod (fd, 0600)
        || bind (fd, (struct sockaddr *)&address, sizeof address) || listen (fd, BACKLOG)) {
        fprintf (stderr, "%s/%s: cannot listen: %s\n", home, name, strerror (errno));
        return s_give_up (fd, folder);
    }
    if (folder >= 0)
        close (folder);
    return fd;
}

int home_connect (const char *home, const char *name)
{
    assert (home && name);
    struct sockaddr_un address;
    int folder;
    if (s_address (&address, home, name, &folder))
        return -1;
    //  connects while blocking: a full backlog would otherwise be an error at once
    struct timeval limit = { .tv_sec = CONNECT_SECONDS };
    int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt (fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit)
        || connect (fd, (struct sockaddr *)&address, sizeof address) || fcntl (fd, F_SETFL, O_NONBLOCK))
        return s_give_up (fd, folder);
    if (folder >= 0)
        close (folder);
    return fd;
}
