//  link - a device's one connection to the broker's front
//
//  One socket lives for one connection. libzmq would reconnect by itself after most losses, but not after a refused
//  handshake (pitfall 6) nor after a message it finds too large; and what it received before a loss would mix with
//  what comes after. So on every loss the link closes the socket and, after its own backoff, makes a new one. Only
//  the search for a broker that does not answer yet is left to libzmq.

#include "link.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HIGH_WATER_OUT = 64, //  frames: 1 MiB at most waits here, the rest stays in the owner's store
    HIGH_WATER_IN = 256,
    CONNECT_TIMEOUT_MS = 10000, //  a SYN into nothing; the system's own limit is two minutes
    STEADY_MS = 5000,           //  a connection that lasted this long was a good one: its loss starts at the shortest wait
    LINGER_MS = 500,            //  on destroy: the last acknowledgement of a short-lived command still leaves
    WAIT_FIRST_MS = 100,        //  after a loss: 100..400 ms, doubling to 15 s
    WAIT_MAX_MS = 15000,
    REFUSED_FIRST_MS = 1000, //  after a refusal: 1 s, doubling to 60 s
    REFUSED_MAX_MS = 60000,
    COMPLAIN_EVERY_MS = 10000
};

struct link_t {
    void *zmq; //  borrowed context
    char *endpoint;
    uint8_t server_key [KEY_SIZE];
    box_keys_t keys;

    void *socket;  //  DEALER, NULL while we wait for retry_at
    void *monitor; //  PAIR on which the socket reports
    bool up;
    int64_t up_since_ms;
    bool told_down; //  LINK_DOWN was given since the last time it was up
    int64_t retry_at_ms;
    unsigned losses, refusals; //  in a row: exponents of the two backoffs

    zmq_msg_t frame; //  the frame last given to the owner
    bool has_frame;
    int64_t complained_ms; //  last line about a bad message
    uint64_t dropped;      //  messages of more or less than one frame
    char reason [240];
};

//  ---- making and closing the socket

static void s_set_int (void *socket, int option, int value)
{
    int rc = zmq_setsockopt (socket, option, &value, sizeof value);
    assert (rc == 0);
    (void)rc;
}

//  The settings card. RECONNECT_IVL governs only the search for a broker that is not there: a broker that was just
//  restarted should have its people back within about two seconds, so it starts at 100..400 ms (random, so that a
//  thousand nodes do not come in one wave) and grows to 15 s, not to the 60 s of a broker that is gone for good.
static void s_configure (link_t *self, void *socket)
{
    s_set_int (socket, ZMQ_IMMEDIATE, 1);
    s_set_int (socket, ZMQ_RECONNECT_IVL, WAIT_FIRST_MS + (int)randombytes_uniform (300));
    s_set_int (socket, ZMQ_RECONNECT_IVL_MAX, WAIT_MAX_MS);
    s_set_int (socket, ZMQ_CONNECT_TIMEOUT, CONNECT_TIMEOUT_MS);
    s_set_int (socket, ZMQ_HANDSHAKE_IVL, 5000);
    s_set_int (socket, ZMQ_HEARTBEAT_IVL, 5000);
    s_set_int (socket, ZMQ_HEARTBEAT_TIMEOUT, 15000);
    s_set_int (socket, ZMQ_HEARTBEAT_TTL, 15000);
    s_set_int (socket, ZMQ_SNDTIMEO, 0);
    s_set_int (socket, ZMQ_SNDHWM, HIGH_WATER_OUT);
    s_set_int (socket, ZMQ_RCVHWM, HIGH_WATER_IN);
    s_set_int (socket, ZMQ_LINGER, 0);
    if (strchr (self->endpoint, '[')) {
        s_set_int (socket, ZMQ_IPV6, 1);
    }
    int64_t max_size = FRAME_MAXMSGSIZE;
    int rc = zmq_setsockopt (socket, ZMQ_MAXMSGSIZE, &max_size, sizeof max_size);
    assert (rc == 0);
    //  Keys may be weak (from an invitation); libzmq then refuses the handshake, not the option.
    rc = zmq_setsockopt (socket, ZMQ_CURVE_SERVERKEY, self->server_key, KEY_SIZE);
    assert (rc == 0);
    rc = zmq_setsockopt (socket, ZMQ_CURVE_PUBLICKEY, self->keys.public_key, KEY_SIZE);
    assert (rc == 0);
    rc = zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, self->keys.secret_key, KEY_SIZE);
    assert (rc == 0);
    (void)rc;
}

//  Names of inproc endpoints are one space for the whole context, and a closed monitor frees its name late.
static void *s_watch (link_t *self, void *socket)
{
    static atomic_uint s_number;
    char name [40];
    snprintf (name, sizeof name, "inproc://link-monitor-%u", atomic_fetch_add (&s_number, 1));
    int events = ZMQ_EVENT_CLOSED | ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED
        | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    if (zmq_socket_monitor (socket, name, events)) {
        return NULL;
    }
    void *monitor = zmq_socket (self->zmq, ZMQ_PAIR);
    if (monitor && zmq_connect (monitor, name)) {
        zmq_close (monitor);
        return NULL;
    }
    return monitor;
}

static void s_close (link_t *self, int linger)
{
    if (self->monitor) {
        zmq_socket_monitor (self->socket, NULL, 0);
        s_set_int (self->monitor, ZMQ_LINGER, 0);
        zmq_close (self->monitor);
        self->monitor = NULL;
    }
    if (self->socket) {
        s_set_int (self->socket, ZMQ_LINGER, linger);
        zmq_close (self->socket);
        self->socket = NULL;
    }
    self->up = false;
}

static int s_open (link_t *self)
{
    self->socket = zmq_socket (self->zmq, ZMQ_DEALER);
    if (!self->socket) {
        return -1;
    }
    s_configure (self, self->socket);
    self->monitor = s_watch (self, self->socket);
    if (!self->monitor || zmq_connect (self->socket, self->endpoint)) {
        s_close (self, 0);
        return -1;
    }
    return 0;
}

//  ---- waiting

static int64_t s_wait (int64_t first, int64_t max, unsigned times)
{
    int64_t wait = first;
    while (times-- > 0 && wait < max) {
        wait *= 2;
    }
    if (wait > max) {
        wait = max;
    }
    //  up to three quarters on top, so that those who lost the broker together do not return together
    return wait + (int64_t)randombytes_uniform ((uint32_t)(wait * 3 / 4));
}

static void s_retry_after_loss (link_t *self, int64_t now_ms)
{
    bool steady = self->up && now_ms - self->up_since_ms >= STEADY_MS;
    self->losses = steady ? 0 : self->losses;
    self->retry_at_ms = now_ms + s_wait (WAIT_FIRST_MS, WAIT_MAX_MS, self->losses++);
    s_close (self, 0);
}

static void s_retry_after_refusal (link_t *self, int64_t now_ms)
{
    self->retry_at_ms = now_ms + s_wait (REFUSED_FIRST_MS, REFUSED_MAX_MS, self->refusals++);
    s_close (self, 0);
}

//  Makes the next socket when its time has come.
static void s_retry (link_t *self, int64_t now_ms)
{
    if (self->socket || now_ms < self->retry_at_ms) {
        return;
    }
    if (s_open (self)) {
        //  out of descriptors or sockets: the device has other troubles, come back later
        snprintf (self->reason, sizeof self->reason, "no socket for %.128s: %s", self->endpoint, zmq_strerror (errno));
        self->retry_at_ms = now_ms + s_wait (REFUSED_FIRST_MS, REFUSED_MAX_MS, self->losses++);
    }
}

//  ---- what the monitor says

static bool s_next_report (link_t *self, int *event)
{
    zmq_msg_t part;
    zmq_msg_init (&part);
    bool got = zmq_msg_recv (&part, self->monitor, ZMQ_DONTWAIT) >= 0;
    if (got) {
        uint16_t number = 0;
        assert (zmq_msg_size (&part) >= sizeof number);
        memcpy (&number, zmq_msg_data (&part), sizeof number);
        *event = number;
        //  the second part is the endpoint, which we know
        while (zmq_msg_more (&part) && (zmq_msg_recv (&part, self->monitor, ZMQ_DONTWAIT) >= 0 || errno == EINTR)) {
        }
    }
    zmq_msg_close (&part);
    return got;
}

//  True if the owner is to hear of it: once until the link was up again.
static bool s_down (link_t *self, link_event_t *event)
{
    bool first = !self->told_down;
    self->told_down = true;
    *event = LINK_DOWN;
    return first;
}

static void s_say (link_t *self, const char *before, const char *after)
{
    snprintf (self->reason, sizeof self->reason, "%s%.128s%s", before, self->endpoint, after);
}

//  Returns true if the report is an event for the owner.
static bool s_report (link_t *self, int report, int64_t now_ms, link_event_t *event)
{
    switch (report) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        self->up = true;
        self->told_down = false;
        self->up_since_ms = now_ms;
        self->refusals = 0;
        self->reason [0] = 0;
        *event = LINK_UP;
        return true;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        s_say (self, "the broker at ", " does not admit this key");
        s_retry_after_refusal (self, now_ms);
        self->told_down = true;
        *event = LINK_REFUSED;
        return true;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        s_say (self, "", " answers, but not as the broker of this district (another key, or no broker)");
        s_retry_after_loss (self, now_ms);
        return s_down (self, event);
    case ZMQ_EVENT_DISCONNECTED:
        s_say (self, "the connection to the broker at ", " was lost");
        s_retry_after_loss (self, now_ms);
        return s_down (self, event);
    case ZMQ_EVENT_CLOSED:
    case ZMQ_EVENT_CONNECT_RETRIED:
        //  libzmq goes on trying
        s_say (self, "the broker at ", " does not answer");
        return s_down (self, event);
    default:
        return false;
    }
}

//  ---- frames

static void s_drop_frame (link_t *self)
{
    if (self->has_frame) {
        zmq_msg_close (&self->frame);
        self->has_frame = false;
    }
}

static void s_complain (link_t *self, int64_t now_ms)
{
    self->dropped++;
    if (self->complained_ms && now_ms - self->complained_ms < COMPLAIN_EVERY_MS) {
        return;
    }
    self->complained_ms = now_ms ? now_ms : 1;
    fprintf (stderr, "link: dropped a message that was not exactly one frame of %u to %u bytes (%llu so far)\n",
        FRAME_HEADER, FRAME_MAX, (unsigned long long)self->dropped);
}

//  "Every message SHALL be exactly one body frame": takes the rest of a longer message and drops it whole.
static bool s_next_frame (link_t *self, int64_t now_ms)
{
    for (;;) {
        zmq_msg_init (&self->frame);
        if (zmq_msg_recv (&self->frame, self->socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close (&self->frame);
            if (errno == EINTR) {
                continue;
            }
            return false;
        }
        bool single = !zmq_msg_more (&self->frame);
        while (zmq_msg_more (&self->frame)) {
            if (zmq_msg_recv (&self->frame, self->socket, ZMQ_DONTWAIT) < 0 && errno != EINTR) {
                break;
            }
        }
        size_t size = zmq_msg_size (&self->frame);
        if (single && size >= FRAME_HEADER && size <= FRAME_MAX) {
            self->has_frame = true;
            return true;
        }
        zmq_msg_close (&self->frame);
        s_complain (self, now_ms);
    }
}

//  ---- the link

//  "tcp://HOST:PORT": an invitation comes from outside, so no inproc, ipc or udp through it; and libzmq would find
//  an impossible port only later, and then keep trying for ever.
static bool s_endpoint_ok (const char *endpoint)
{
    const char *colon = strrchr (endpoint, ':');
    if (strncmp (endpoint, "tcp://", 6) != 0 || colon <= endpoint + 6) {
        return false;
    }
    size_t digits = strspn (colon + 1, "0123456789");
    if (digits == 0 || digits > 5 || colon [1 + digits]) {
        return false;
    }
    long port = strtol (colon + 1, NULL, 10);
    return port >= 1 && port <= 65535;
}

link_t *link_new (void *zmq, const char *endpoint, const uint8_t server_key [KEY_SIZE], const box_keys_t *keys)
{
    assert (zmq && endpoint && server_key && keys);
    if (!s_endpoint_ok (endpoint)) {
        return NULL;
    }
    link_t *self = calloc (1, sizeof *self);
    if (!self) {
        abort ();
    }
    self->zmq = zmq;
    self->endpoint = strdup (endpoint);
    if (!self->endpoint) {
        abort ();
    }
    memcpy (self->server_key, server_key, KEY_SIZE);
    self->keys = *keys;
    s_say (self, "the broker at ", " has not answered yet");
    if (s_open (self)) {
        link_destroy (&self);
    }
    return self;
}

void link_destroy (link_t **self_p)
{
    assert (self_p);
    link_t *self = *self_p;
    if (!self) {
        return;
    }
    s_drop_frame (self);
    s_close (self, self->up ? LINGER_MS : 0);
    identity_wipe (&self->keys, sizeof self->keys);
    free (self->endpoint);
    free (self);
    *self_p = NULL;
}

int link_items (link_t *self, zmq_pollitem_t items [2], long *timeout_ms, int64_t now_ms)
{
    assert (self);
    if (!self->socket) {
        int64_t wait = self->retry_at_ms > now_ms ? self->retry_at_ms - now_ms : 0;
        if (*timeout_ms < 0 || wait < *timeout_ms) {
            *timeout_ms = (long)wait;
        }
        return 0;
    }
    items [0] = (zmq_pollitem_t){ .socket = self->socket, .events = ZMQ_POLLIN };
    items [1] = (zmq_pollitem_t){ .socket = self->monitor, .events = ZMQ_POLLIN };
    return 2;
}

bool link_process (link_t *self, int64_t now_ms, link_event_t *event, const uint8_t **frame, size_t *size)
{
    assert (self && event && frame && size);
    s_drop_frame (self);
    *frame = NULL;
    *size = 0;
    s_retry (self, now_ms);
    //  Frames first: what came before a loss is still of use. Before the handshake's report nothing is read, so the
    //  owner always hears LINK_UP before the first frame.
    if (self->up && s_next_frame (self, now_ms)) {
        *event = LINK_FRAME;
        *frame = zmq_msg_data (&self->frame);
        *size = zmq_msg_size (&self->frame);
        return true;
    }
    int report;
    while (self->socket && s_next_report (self, &report)) {
        if (s_report (self, report, now_ms, event)) {
            return true;
        }
    }
    return false;
}

int link_send (link_t *self, const uint8_t *frame, size_t size)
{
    assert (self && frame && size >= FRAME_HEADER && size <= FRAME_MAX);
    if (!self->up) {
        return -1;
    }
    int rc;
    do {
        rc = zmq_send (self->socket, frame, size, ZMQ_DONTWAIT);
    } while (rc < 0 && errno == EINTR);
    return rc < 0 ? -1 : 0;
}

bool link_is_up (const link_t *self)
{
    assert (self);
    return self->up;
}

const char *link_reason (const link_t *self)
{
    assert (self);
    return self->reason;
}
