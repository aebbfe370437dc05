//  runner - a command reaches the daemon of its home, or is the daemon for as long as it needs one
//
//  When a daemon holds the lock, the request goes through its socket. When nobody does, the command takes the lock
//  and runs the same daemon in a thread of its own with one client, itself, over a socket pair: one code path for both.

#ifndef RUNNER_H_INCLUDED
#define RUNNER_H_INCLUDED

#include "local.h"

#define RUNNER_SOCKET "local.sock"

//  Runs until *stop becomes true (checked at least every 100 ms) or the stop descriptor is readable. adopt_fd >= 0: a connected
//  client to take with local_adopt (the daemon's to close), and no socket is listened on. Returns an exit code; errors go to stderr.
typedef struct {
    const char *home;
    int lock_fd;   //  owned by the caller
    int adopt_fd;  //  -1 for a real daemon
    int stop_fd;   //  readable = end
    void *options; //  the program's own
} daemon_args_t;
typedef int (daemon_fn) (const daemon_args_t *args);

//  Sends one request, passes each answer to `answer`. Takes the reference. Returns the exit code; *error as local_ask.
int runner_ask (const char *home, daemon_fn *daemon, void *options, json_t *request, local_answer_fn *answer, void *context,
    char **error);

//  The long-lived command: takes the lock (one line and EXIT_FAILED if another holds it), blocks SIGTERM and SIGINT into
//  the stop descriptor, runs the daemon in this thread.
int runner_run (const char *home, daemon_fn *daemon, void *options);

//  True while a daemon of this home answers.
bool runner_daemon_is_up (const char *home);

#endif
