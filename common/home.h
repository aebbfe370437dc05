//  home - a program's folder: its lock and its local socket
//
//  The first long-lived command of a home holds HOME/lock for life and is the only process that opens the
//  files; other commands go through HOME/local.sock. Paths longer than a socket name allows are reached
//  through /proc/self/fd.

#ifndef HOME_H_INCLUDED
#define HOME_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>

//  Makes the folder 0700 if it is absent and `create` is set. Returns -1 with one line on stderr.
int home_check (const char *home, bool create);

//  Takes the lock (flock). Returns a descriptor to keep, -1 if another process holds it, -2 with one line on stderr otherwise.
int home_lock (const char *home);

//  "HOME/name", caller frees.
char *home_path (const char *home, const char *name);

//  Unix stream sockets in the home, non-blocking, close-on-exec. Listen removes a stale socket first (call under the lock),
//  mode 0600. -1 on failure (connect: quietly, errno is set).
int home_listen (const char *home, const char *name);
int home_connect (const char *home, const char *name);

#endif
