//  front - the process and its loop; see front.h

#include "front.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli.h"
#include "front_private.h"
#include "supervisor.h"
#include "timefmt.h"

#define IO_THREADS 2
#define MEMORY_MAX (512ul << 20)
#define DRAIN 1000 //  messages of the ROUTER a turn
#define TURN_MS 100
#define STUCK_TURN_MS 5
#define SECOND_MS 1000
#define LIST_MS 1000 //  the core's time to tell its keys before the front listens
#define PRINT_EVERY_MS 10000
#define ZAP_SILENT_MS 10000 //  the handler of handshakes is taken for dead

//  The sanitizers' shadow memory is larger than any limit.
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

typedef struct {
    const char *name, *refusal;
} counter_text_t;

static const counter_text_t s_texts [FRONT_COUNTERS] = {
    [FRONT_HANDSHAKES_UNKNOWN] = { "handshakes_unknown", "handshakes of unknown keys" },
    [FRONT_HANDSHAKES_EXPIRED] = { "handshakes_expired", "handshakes of expired keys" },
    [FRONT_HANDSHAKES_REVOKED] = { "handshakes_revoked", "handshakes of revoked keys" },
    [FRONT_HANDSHAKES_TOO_MANY] = { "handshakes_too_many", "handshakes: too many of one key" },
    [FRONT_HANDSHAKES_MALFORMED] = { "handshakes_malformed", "handshakes that are not CURVE" },
    [FRONT_FRAMES_MULTIPART] = { "frames_multipart", "messages that are not one frame" },
    [FRONT_FRAMES_BAD] = { "frames_bad", "frames that do not parse" },
    [FRONT_FRAMES_NO_HELLO] = { "frames_no_hello", "frames before Hello" },
    [FRONT_FRAMES_OVER_CREDIT] = { "frames_over_credit", "frames beyond credit or rate" },
    [FRONT_FRAMES_NOT_ALLOWED] = { "frames_not_allowed", "frames that an invitation's key may not send, or its sessions" },
    [FRONT_FRAMES_ROUTING_ID] = { "frames_routing_id", "messages with a routing id of the peer's own" },
    [FRONT_FRAMES_DROPPED] = { "frames_dropped", "frames because the core is away or its queue full" },
    [FRONT_PEERS_CUT] = { "peers_cut", NULL },
    [FRONT_SESSIONS] = { "sessions", NULL },
    [FRONT_FRAMES_IN] = { "frames_in", NULL },
    [FRONT_FRAMES_OUT] = { "frames_out", NULL },
};

const char *front_counter_name (int counter)
{
    return counter >= 0 && counter < FRONT_COUNTERS ? s_texts [counter].name : NULL;
}

//  ---- once a second

static void s_count (front_t *self)
{
    uint64_t refused [ZAP_REASONS];
    zap_counters (self->zap, refused);
    self->counters [FRONT_HANDSHAKES_UNKNOWN] = refused [ZAP_UNKNOWN];
    self->counters [FRONT_HANDSHAKES_EXPIRED] = refused [ZAP_EXPIRED];
    self->counters [FRONT_HANDSHAKES_REVOKED] = refused [ZAP_REVOKED];
    self->counters [FRONT_HANDSHAKES_TOO_MANY] = refused [ZAP_TOO_MANY];
    self->counters [FRONT_HANDSHAKES_MALFORMED] = refused [ZAP_MALFORMED] + self->not_curve;
    self->counters [FRONT_SESSIONS] = self->live;
}

//  One line a reason, at most every ten seconds; neither addresses nor keys.
static void s_print_refusals (front_t *self)
{
    for (int i = 0; i < FRONT_COUNTERS; i++) {
        uint64_t more = self->counters [i] - self->printed [i];
        if (!s_texts [i].refusal || !more || (self->printed [i] && self->now_ms - self->printed_ms [i] < PRINT_EVERY_MS))
            continue;
        fprintf (stderr, "<4>front: refused %llu %s\n", (unsigned long long)more, s_texts [i].refusal);
        self->printed [i] = self->counters [i];
        self->printed_ms [i] = self->now_ms;
    }
}

//  -1: the handler of handshakes is dead. Nobody could come in any more: better a new process.
static int s_second (front_t *self)
{
    if (self->now_ms < self->second_ms)
        return 0;
    self->second_ms = self->now_ms + SECOND_MS;
    if (self->now_ms - zap_beat_ms (self->zap) > ZAP_SILENT_MS) {
        fprintf (stderr, "<2>front: the handler of handshakes does not answer; the front ends\n");
        return -1;
    }
    sign_of_life (self->life_fd);
    front_check_peers (self);
    s_count (self);
    s_print_refusals (self);
    if (self->core_up && memcmp (self->told, self->counters, sizeof self->told) != 0) {
        memcpy (self->told, self->counters, sizeof self->told);
        pipe_put (self->lanes [LANE_URGENT], PIPE_COUNTERS, 0, self->counters, sizeof self->counters);
    }
    return 0;
}

//  ---- the loop

enum { P_ROUTER, P_MONITOR, P_SIGNAL, P_LANES, P_COUNT = P_LANES + LANE_COUNT };

static int s_items (const front_t *self, zmq_pollitem_t *items)
{
    items [P_ROUTER] = (zmq_pollitem_t){ self->router, 0, ZMQ_POLLIN, 0 };
    items [P_MONITOR] = (zmq_pollitem_t){ self->monitor, 0, ZMQ_POLLIN, 0 };
    items [P_SIGNAL] = (zmq_pollitem_t){ NULL, self->signal_fd, ZMQ_POLLIN, 0 };
    if (!self->lanes [0])
        return P_LANES;
    bool urgent = pipe_queued (self->lanes [LANE_URGENT]) > 0;
    bool bulk = !urgent && pipe_queued (self->lanes [LANE_BULK]) > 0;
    items [P_LANES + LANE_URGENT]
        = (zmq_pollitem_t){ NULL, pipe_fd (self->lanes [LANE_URGENT]), (short)(ZMQ_POLLIN | (urgent ? ZMQ_POLLOUT : 0)), 0 };
    items [P_LANES + LANE_BULK]
        = (zmq_pollitem_t){ NULL, pipe_fd (self->lanes [LANE_BULK]), (short)(ZMQ_POLLIN | (bulk ? ZMQ_POLLOUT : 0)), 0 };
    return P_COUNT;
}

static int s_loop (front_t *self)
{
    zmq_pollitem_t items [P_COUNT];
    for (;;) {
        self->now_ms = time_mono_ms ();
        core_connect (self);
        int count = s_items (self, items);
        if (zmq_poll (items, count, self->stuck_count ? STUCK_TURN_MS : TURN_MS) < 0 && errno != EINTR)
            return EXIT_FAILED;
        self->now_ms = time_mono_ms ();
        if (items [P_SIGNAL].revents)
            return EXIT_DONE;
        for (int i = 0; i < DRAIN && front_receive (self); i++)
            continue;
        front_read_monitor (self);
        core_read (self);
        front_send_unsent (self);
        core_flush (self);
        front_grant (self);
        if (s_second (self))
            return EXIT_FAILED;
    }
}

//  ---- opening and closing

//  The memory a stranger can make libzmq take has no bound but this one; the supervisor starts a new front.
static void s_limit (void)
{
    struct rlimit limit = { 0, 0 };
    setrlimit (RLIMIT_CORE, &limit);
    if (getrlimit (RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit (RLIMIT_NOFILE, &limit);
    }
#ifndef SANITIZED
    limit = (struct rlimit){ MEMORY_MAX, MEMORY_MAX };
    if (setrlimit (RLIMIT_DATA, &limit))
        fprintf (stderr, "<4>front: the memory limit cannot be set: %s\n", strerror (errno));
#endif
}

//  Never outlives who started it: the next front needs the port.
static int s_bind_life (pid_t parent)
{
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    return getppid () == parent ? 0 : -1;
}

static int s_take_signals (void)
{
    sigset_t ends;
    sigemptyset (&ends);
    sigaddset (&ends, SIGTERM);
    sigaddset (&ends, SIGINT);
    sigprocmask (SIG_BLOCK, &ends, NULL);
    signal (SIGPIPE, SIG_IGN);
    return signalfd (-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
}

//  A core that is up tells its keys at once. Listening before that would put off every device for HANDSHAKE_IVL after a restart.
static void s_await_list (front_t *self)
{
    int64_t until_ms = time_mono_ms () + LIST_MS;
    while (!self->core_up && (self->now_ms = time_mono_ms ()) < until_ms) {
        core_connect (self);
        struct pollfd item = { self->lanes [0] ? pipe_fd (self->lanes [LANE_URGENT]) : -1, POLLIN, 0 };
        poll (&item, 1, TURN_MS / 4);
        core_read (self);
    }
}

static int s_open (front_t *self, const char *endpoint)
{
    self->signal_fd = s_take_signals ();
    self->zmq = zmq_ctx_new ();
    if (self->signal_fd < 0 || !self->zmq) {
        fprintf (stderr, "<3>front: cannot start: %s\n", strerror (errno));
        return -1;
    }
    zmq_ctx_set (self->zmq, ZMQ_IO_THREADS, IO_THREADS);
    self->zap = zap_new (self->zmq);
    if (!self->zap || front_make_socket (self))
        return -1;
    s_await_list (self);
    return front_listen (self, endpoint);
}

static front_t *s_new (const char *home)
{
    front_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->home = home;
    self->signal_fd = -1;
    self->arena = arena_new (ARENA_MESSAGE_SIZE);
    self->peers = calloc (SLOTS, sizeof *self->peers);
    self->chains = malloc (SLOTS * sizeof *self->chains);
    if (!self->peers || !self->chains)
        abort ();
    for (uint32_t i = 0; i < SLOTS; i++)
        self->chains [i] = NO_SLOT;
    zmq_msg_init (&self->routing);
    zmq_msg_init (&self->body);
    return self;
}

static void s_destroy (front_t **self_p)
{
    front_t *self = *self_p;
    *self_p = NULL;
    self->core_up = false; //  the end of the connection tells the core enough
    for (uint32_t i = 0; i < SLOTS; i++)
        if (self->peers [i].id)
            peer_close (self, &self->peers [i]);
    for (int i = 0; i < LANE_COUNT; i++)
        pipe_destroy (&self->lanes [i]);
    zmq_msg_close (&self->routing);
    zmq_msg_close (&self->body);
    if (self->monitor)
        zmq_close (self->monitor);
    if (self->router)
        zmq_close (self->router);
    zap_destroy (&self->zap);
    if (self->zmq)
        zmq_ctx_term (self->zmq);
    if (self->signal_fd >= 0)
        close (self->signal_fd);
    arena_destroy (&self->arena);
    free (self->peers);
    free (self->chains);
    free (self->fd_owner);
    free (self->quotas);
    free (self->wanting);
    free (self->stuck);
    free (self);
}

int front_run (const char *home, const char *endpoint, int life_fd)
{
    pid_t parent = getppid ();
    if (s_bind_life (parent) || identity_init ())
        return EXIT_FAILED;
    s_limit ();
    front_t *self = s_new (home);
    int rc = s_open (self, endpoint) ? EXIT_FAILED : EXIT_DONE;
    self->life_fd = life_fd;
    if (rc == EXIT_DONE) {
        sign_of_life (life_fd);
        rc = s_loop (self);
    }
    s_destroy (&self);
    return rc;
}
