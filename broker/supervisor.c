//  supervisor - see supervisor.h

#include "supervisor.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "cli.h"
#include "core.h"
#include "timefmt.h"

#define AGAIN_MS 100      //  first pause before a new start,
#define AGAIN_MAX_MS 5000 //  doubled up to this
#define STEADY_MS 10000   //  a child that lived so long starts over with the first pause
#define SAME_LINE_MS 60000
#define FRONT_END_MS 3000 //  the front's time to hand over what it has, before the core is asked to end
#define END_MS 10000
#define SILENT_MS 60000 //  a child that gives no sign of life for so long hangs; under systemd its watchdog's time
#define LINE_MAX_SIZE 160

typedef enum { CORE, FRONT, CHILDREN } role_t;

typedef struct {
    const char *verb;
    pid_t pid;      //  0 = not running
    int life_fd;    //  what it writes a byte to, each second; -1 when it is gone
    bool was_ready; //  at any time
    int64_t started_ms, again_ms, pause_ms;
    int64_t alive_ms;          //  its last sign of life; 0 = it is not ready yet, which may take long
    char line [LINE_MAX_SIZE]; //  printed last,
    int64_t line_ms;           //  when
} child_t;

typedef struct {
    const char *home, *endpoint, *name;
    child_t children [CHILDREN];
    int signal_fd;
    sigset_t before; //  the mask the children get
    bool announced;
    int64_t watchdog_ms, next_ping_ms; //  0 = systemd does not watch
    int64_t silent_ms;
    int failed; //  exit code of a child that could not start, 0 none
} supervisor_t;

//  ---- starting

//  In the child: nothing of ours but the pipe of its signs of life, and never longer than the supervisor.
static void s_become (const supervisor_t *self, const child_t *child, int life_fd, pid_t supervisor)
{
    char number [12];
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    if (getppid () != supervisor)
        _exit (EXIT_FAILED); //  it died before the line above
    setpgid (0, 0);          //  a terminal's ^C is for the supervisor, which ends us in order
    sigprocmask (SIG_SETMASK, &self->before, NULL);
    fcntl (life_fd, F_SETFD, 0);
    snprintf (number, sizeof number, "%d", life_fd);
    unsetenv ("NOTIFY_SOCKET");
    unsetenv ("WATCHDOG_USEC");
    //  Large pages for the heap where the kernel gives them on request: a busy core spends a tenth of its time on page faults
    //  else. glibc alone knows the word, others ignore it; what an operator has set stays.
    setenv ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1", 0);
    const char *arguments [10] = { "patrol-broker", child->verb, "--home", self->home, "--life-fd", number };
    if (child == &self->children [FRONT]) {
        arguments [6] = "--listen";
        arguments [7] = self->endpoint;
    }
    execv ("/proc/self/exe", (char **)(uintptr_t)arguments);
    fprintf (stderr, "<3>%s cannot be started: %s\n", child->verb, strerror (errno));
    _exit (EXIT_FAILED);
}

static int64_t s_doubled (int64_t pause_ms)
{
    return pause_ms * 2 < AGAIN_MAX_MS ? pause_ms * 2 : AGAIN_MAX_MS;
}

static void s_again_later (child_t *child, int64_t now_ms)
{
    bool steady = now_ms - child->started_ms >= STEADY_MS;
    child->pause_ms = steady || !child->pause_ms ? AGAIN_MS : s_doubled (child->pause_ms);
    child->again_ms = now_ms + child->pause_ms;
}

static void s_start (supervisor_t *self, child_t *child, int64_t now_ms)
{
    int life [2];
    pid_t supervisor = getpid ();
    child->started_ms = now_ms;
    child->alive_ms = 0;
    if (pipe2 (life, O_CLOEXEC | O_NONBLOCK)) {
        fprintf (stderr, "<3>%s cannot be started: %s\n", child->verb, strerror (errno));
        s_again_later (child, now_ms);
        return;
    }
    child->pid = fork ();
    if (child->pid == 0)
        s_become (self, child, life [1], supervisor);
    close (life [1]);
    child->life_fd = life [0];
    if (child->pid > 0)
        return;
    fprintf (stderr, "<3>%s cannot be started: %s\n", child->verb, strerror (errno));
    child->pid = 0;
    close (life [0]);
    child->life_fd = -1;
    s_again_later (child, now_ms);
}

//  ---- what happens to a child

static void s_read_life (child_t *child, int64_t now_ms)
{
    char octets [64];
    ssize_t got = read (child->life_fd, octets, sizeof octets);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0) {
        child->was_ready = true;
        child->alive_ms = now_ms;
        return;
    }
    close (child->life_fd);
    child->life_fd = -1;
}

static void s_announce (supervisor_t *self)
{
    if (self->announced || !self->children [CORE].was_ready || !self->children [FRONT].was_ready)
        return;
    self->announced = true;
    printf ("patrol-broker ready: %s (%s)\n", self->endpoint, self->name);
    fflush (stdout);
    sd_notifyf (0, "READY=1\nSTATUS=listening on %s", self->endpoint);
}

static void s_describe (char *out, size_t size, const child_t *child, int status)
{
    if (WIFSIGNALED (status))
        snprintf (out, size, "<4>%s ended (signal %d: %s)", child->verb, WTERMSIG (status), strsignal (WTERMSIG (status)));
    else
        snprintf (out, size, "<4>%s ended (exit %d%s)", child->verb, WEXITSTATUS (status),
            WEXITSTATUS (status) == CORE_EXIT_STORAGE ? ": storage" : "");
}

static void s_print_end (child_t *child, int status, int64_t now_ms)
{
    char why [100], line [LINE_MAX_SIZE];
    s_describe (why, sizeof why, child, status);
    snprintf (line, sizeof line, "%s; started again in %.1f s", why, (double)child->pause_ms / 1000);
    if (strcmp (line, child->line) == 0 && now_ms - child->line_ms < SAME_LINE_MS)
        return;
    memcpy (child->line, line, sizeof line);
    child->line_ms = now_ms;
    fprintf (stderr, "%s\n", line);
}

static void s_ended (supervisor_t *self, child_t *child, int status, int64_t now_ms)
{
    bool first = !child->was_ready && !child->pause_ms;
    if (child->life_fd >= 0)
        s_read_life (child, now_ms); //  it may have been ready for a moment
    if (child->life_fd >= 0)
        close (child->life_fd);
    child->life_fd = -1;
    child->pid = 0;
    //  A full disk may get room; a wrong home or a taken port will not become right by itself, and a person is watching.
    int code = WIFEXITED (status) ? WEXITSTATUS (status) : 0;
    if (first && !child->was_ready && code && code != CORE_EXIT_STORAGE) {
        self->failed = code;
        return;
    }
    s_again_later (child, now_ms);
    s_print_end (child, status, now_ms);
}

static void s_reap (supervisor_t *self, int64_t now_ms)
{
    for (int i = 0; i < CHILDREN; i++) {
        int status;
        child_t *child = &self->children [i];
        if (child->pid && waitpid (child->pid, &status, WNOHANG) == child->pid)
            s_ended (self, child, status, now_ms);
    }
}

//  ---- the loop

void sign_of_life (int fd)
{
    //  Full or without a reader: the supervisor hangs or is gone, which is not ours to mend.
    if (fd >= 0 && write (fd, ".", 1) < 0)
        return;
}

//  True when the end is asked for.
static bool s_read_signals (supervisor_t *self)
{
    struct signalfd_siginfo info;
    bool end = false;
    while (read (self->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        end = end || info.ssi_signo != SIGCHLD;
    return end;
}

//  A child that was ready and hangs is killed, and then started again like one that died. Returns when to look next.
static int64_t s_look_after (supervisor_t *self, child_t *child, int64_t now_ms)
{
    if (!child->pid || !child->alive_ms)
        return INT64_MAX;
    if (now_ms - child->alive_ms < self->silent_ms)
        return child->alive_ms + self->silent_ms;
    fprintf (stderr, "<3>%s gives no sign of life for %lld s; killed\n", child->verb, (long long)(self->silent_ms / 1000));
    kill (child->pid, SIGKILL);
    child->alive_ms = 0;
    return INT64_MAX;
}

static void s_wait (supervisor_t *self, int64_t until_ms, int64_t now_ms)
{
    struct pollfd items [1 + CHILDREN] = { { self->signal_fd, POLLIN, 0 } };
    for (int i = 0; i < CHILDREN; i++)
        items [1 + i] = (struct pollfd){ self->children [i].life_fd, POLLIN, 0 };
    poll (items, 1 + CHILDREN, until_ms > now_ms ? (int)(until_ms - now_ms) : 0);
    now_ms = time_mono_ms ();
    for (int i = 0; i < CHILDREN; i++)
        if (items [1 + i].revents)
            s_read_life (&self->children [i], now_ms);
}

//  The front waits for the first core: a second broker on the same home ends at the core's lock, before its front could take the
//  place of the first one's. A core that waits for room on the disk has the lock.
static bool s_may_start (const supervisor_t *self, const child_t *child)
{
    const child_t *core = &self->children [CORE];
    return child == core || core->was_ready || core->pause_ms;
}

//  The next time something is to be done without being told; starts what is due.
static int64_t s_due (supervisor_t *self, int64_t now_ms)
{
    int64_t until_ms = now_ms + 3600000;
    for (int i = 0; i < CHILDREN; i++) {
        child_t *child = &self->children [i];
        int64_t look_ms = s_look_after (self, child, now_ms);
        if (look_ms < until_ms)
            until_ms = look_ms;
        if (child->pid || !s_may_start (self, child))
            continue;
        if (child->again_ms <= now_ms)
            s_start (self, child, now_ms);
        if (!child->pid && child->again_ms < until_ms)
            until_ms = child->again_ms;
    }
    if (!self->watchdog_ms)
        return until_ms;
    //  A core that waits for room on the disk is not a reason to kill the front: a child between two starts counts as cared for.
    if (self->next_ping_ms <= now_ms) {
        sd_notify (0, "WATCHDOG=1");
        self->next_ping_ms = now_ms + self->watchdog_ms / 2;
    }
    return self->next_ping_ms < until_ms ? self->next_ping_ms : until_ms;
}

//  Waits for a child's end, at most until the time given.
static void s_await (supervisor_t *self, child_t *child, int64_t until_ms)
{
    struct signalfd_siginfo info;
    int64_t now_ms;
    int status;
    while (child->pid && (now_ms = time_mono_ms ()) < until_ms) {
        if (waitpid (child->pid, &status, WNOHANG) == child->pid) {
            child->pid = 0;
            return;
        }
        struct pollfd item = { self->signal_fd, POLLIN, 0 };
        poll (&item, 1, (int)(until_ms - now_ms));
        while (read (self->signal_fd, &info, sizeof info) > 0)
            continue;
    }
}

//  The front first: what it has taken still reaches the core, and the core ends with everything on disk.
static void s_end (supervisor_t *self)
{
    int64_t until_ms = time_mono_ms () + END_MS;
    child_t *core = &self->children [CORE], *front = &self->children [FRONT];
    sd_notify (0, "STOPPING=1");
    if (front->pid)
        kill (front->pid, SIGTERM);
    s_await (self, front, time_mono_ms () + FRONT_END_MS);
    if (core->pid)
        kill (core->pid, SIGTERM);
    s_await (self, core, until_ms);
    s_await (self, front, until_ms);
    for (int i = 0; i < CHILDREN; i++) {
        child_t *child = &self->children [i];
        if (child->pid) {
            fprintf (stderr, "<4>%s does not end; killed\n", child->verb);
            kill (child->pid, SIGKILL);
            waitpid (child->pid, NULL, 0);
            child->pid = 0;
        }
        if (child->life_fd >= 0)
            close (child->life_fd);
    }
}

static int s_take_signals (supervisor_t *self)
{
    sigset_t wanted;
    sigemptyset (&wanted);
    sigaddset (&wanted, SIGTERM);
    sigaddset (&wanted, SIGINT);
    sigaddset (&wanted, SIGCHLD);
    sigprocmask (SIG_BLOCK, &wanted, &self->before);
    return signalfd (-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
}

int supervisor_run (const char *home, const char *endpoint, const char *name)
{
    assert (home && endpoint && name);
    supervisor_t self = { .home = home,
        .endpoint = endpoint,
        .name = name,
        .children = { [CORE] = { .verb = "core", .life_fd = -1 }, [FRONT] = { .verb = "front", .life_fd = -1 } } };
    uint64_t watchdog_us = 0;
    if (sd_watchdog_enabled (0, &watchdog_us) > 0)
        self.watchdog_ms = (int64_t)(watchdog_us / 1000);
    self.silent_ms = self.watchdog_ms ? self.watchdog_ms : SILENT_MS;
    self.signal_fd = s_take_signals (&self);
    if (self.signal_fd < 0) {
        fprintf (stderr, "<3>patrol-broker: cannot start: %s\n", strerror (errno));
        return EXIT_FAILED;
    }
    while (!self.failed) {
        int64_t now_ms = time_mono_ms ();
        s_wait (&self, s_due (&self, now_ms), now_ms);
        s_announce (&self);
        if (s_read_signals (&self))
            break;
        s_reap (&self, time_mono_ms ());
    }
    s_end (&self);
    close (self.signal_fd);
    sigprocmask (SIG_SETMASK, &self.before, NULL);
    return self.failed;
}
