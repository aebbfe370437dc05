//  runner - a command reaches the daemon of its home, or is the daemon for as long as it needs one

#include "runner.h"
#include "catalogue.h"
#include "cli.h"
#include "home.h"
#include "timefmt.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    REACH_MS = 5000, //  a daemon that starts or ends holds the lock and does not listen, but not for longer
    LOOK_AGAIN_MS = 50
};

//  A daemon in a thread of this process, with one client: us.
typedef struct {
    daemon_args_t args;
    daemon_fn *daemon;
    int our_fd; //  the client's end
    int end_fd; //  a copy of the daemon's end, to hang up when the daemon has ended
    pthread_t thread;
    atomic_bool ended;
    int exit_code; //  valid once the thread is joined
} inside_t;

//  ---- the daemon inside

static void *s_inside_main (void *argument)
{
    inside_t *self = argument;
    self->exit_code = self->daemon (&self->args);
    atomic_store (&self->ended, true);
    //  A daemon that could not start never took its client: without this, the client would wait for ever. What was
    //  answered before stays readable.
    shutdown (self->end_fd, SHUT_RDWR);
    return NULL;
}

static int s_inside_pipes (inside_t *self)
{
    int pair [2];
    if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        return -1;
    }
    self->our_fd = pair [0];
    self->args.adopt_fd = pair [1];
    self->end_fd = dup (pair [1]);
    self->args.stop_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    return self->end_fd < 0 || self->args.stop_fd < 0 ? -1 : 0;
}

static void s_close (int fd)
{
    if (fd >= 0) {
        close (fd);
    }
}

static int s_inside_start (inside_t *self)
{
    if (s_inside_pipes (self)) {
        s_close (self->args.adopt_fd);
        return -1;
    }
    //  signals are for the command's own thread
    sigset_t all, before;
    sigfillset (&all);
    pthread_sigmask (SIG_SETMASK, &all, &before);
    int rc = pthread_create (&self->thread, NULL, s_inside_main, self);
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    if (rc) {
        errno = rc;
        s_close (self->args.adopt_fd);
        return -1;
    }
    return 0;
}

//  The client hangs up first, so that a daemon that is in the middle of a long answer sees nobody to answer.
static void s_inside_stop (inside_t *self)
{
    shutdown (self->our_fd, SHUT_RDWR);
    uint64_t one = 1;
    ssize_t wrote = write (self->args.stop_fd, &one, sizeof one);
    assert (wrote == (ssize_t)sizeof one);
    (void)wrote;
    pthread_join (self->thread, NULL);
}

static int s_ask_inside (const char *home, int lock_fd, daemon_fn *daemon, void *options, json_t *request,
    local_answer_fn *answer, void *context, char **error)
{
    inside_t self = { .args = { home, lock_fd, -1, -1, options }, .daemon = daemon, .our_fd = -1, .end_fd = -1 };
    int rc = EXIT_FAILED;
    if (s_inside_start (&self)) {
        fprintf (stderr, "%s: no thread or socket for the daemon of %s: %s\n", program_invocation_short_name, home,
            strerror (errno));
        json_decref (request);
    } else {
        rc = local_ask (self.our_fd, request, answer, context, error);
        bool by_itself = atomic_load (&self.ended);
        s_inside_stop (&self);
        //  It ended before we asked it to: it has said why on stderr, and "went away" would only hide that.
        if (by_itself && self.exit_code != EXIT_DONE && rc == EXIT_FAILED) {
            rc = self.exit_code;
            free (*error);
            *error = NULL;
        }
    }
    s_close (self.our_fd);
    s_close (self.end_fd);
    s_close (self.args.stop_fd);
    return rc;
}

//  ---- commands

static void s_pause (void)
{
    poll (NULL, 0, LOOK_AGAIN_MS);
}

int runner_ask (const char *home, daemon_fn *daemon, void *options, json_t *request, local_answer_fn *answer, void *context,
    char **error)
{
    assert (home && daemon && request && error);
    *error = NULL;
    signal (SIGPIPE, SIG_IGN);
    int64_t until_ms = time_mono_ms () + REACH_MS;
    for (;;) {
        //  the socket first: while a daemon runs, commands do not touch the lock
        int fd = home_connect (home, RUNNER_SOCKET);
        if (fd >= 0) {
            int rc = local_ask (fd, request, answer, context, error);
            close (fd);
            return rc;
        }
        int lock_fd = home_lock (home);
        if (lock_fd >= 0) {
            int rc = s_ask_inside (home, lock_fd, daemon, options, request, answer, context, error);
            close (lock_fd);
            return rc;
        }
        bool late = time_mono_ms () >= until_ms;
        if (late && lock_fd == -1 && asprintf (error, text_format (T_DAEMON_NOT_REACHED), home) < 0) {
            abort ();
        }
        if (late || lock_fd == -2) {
            json_decref (request);
            return EXIT_FAILED;
        }
        s_pause ();
    }
}

bool runner_daemon_is_up (const char *home)
{
    assert (home);
    int fd = home_connect (home, RUNNER_SOCKET);
    s_close (fd);
    return fd >= 0;
}

//  ---- the long-lived command

//  Another command may hold the lock for the moment it needs it, so one look is not enough.
static int s_lock_for_life (const char *home)
{
    int64_t until_ms = time_mono_ms () + REACH_MS;
    for (;;) {
        int lock_fd = home_lock (home);
        if (lock_fd != -1) {
            return lock_fd;
        }
        if (runner_daemon_is_up (home) || time_mono_ms () >= until_ms) {
            fprintf (stderr, "%s: ", program_invocation_short_name);
            fprintf (stderr, text_format (T_HOME_BUSY), home);
            fputc ('\n', stderr);
            return -1;
        }
        s_pause ();
    }
}

//  Takes what is pending, so that giving the signals back does not end the process after a clean end.
static void s_drain (int signal_fd)
{
    struct signalfd_siginfo info;
    while (read (signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
    }
}

int runner_run (const char *home, daemon_fn *daemon, void *options)
{
    assert (home && daemon);
    signal (SIGPIPE, SIG_IGN);
    sigset_t ending, before;
    sigemptyset (&ending);
    sigaddset (&ending, SIGTERM);
    sigaddset (&ending, SIGINT);
    //  before any thread of the daemon is made: they inherit the mask
    pthread_sigmask (SIG_BLOCK, &ending, &before);
    int signal_fd = signalfd (-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signal_fd < 0) {
        fprintf (stderr, "%s: no descriptor for signals: %s\n", program_invocation_short_name, strerror (errno));
        pthread_sigmask (SIG_SETMASK, &before, NULL);
        return EXIT_FAILED;
    }
    int rc = EXIT_FAILED;
    int lock_fd = s_lock_for_life (home);
    if (lock_fd >= 0) {
        daemon_args_t args = { home, lock_fd, -1, signal_fd, options };
        rc = daemon (&args);
        close (lock_fd);
    }
    s_drain (signal_fd);
    close (signal_fd);
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    return rc;
}
