//  meshdoor - see meshdoor.h

#include "meshdoor.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bucket.h"
#include "frame.h"
#include "zapframes.h"

#define ZAP_DOMAIN_NAME "mesh"
#define ENFORCE_DOMAIN 93 //  ZMQ_ZAP_ENFORCE_DOMAIN, which zmq.h hides
#define ROUTING_SIZE 5u   //  0 and four octets; anything else a peer has chosen itself
#define HANDSHAKES 64     //  at once,
#define A_SECOND 8        //  and after that
#define QUEUE_OUT 64

struct meshdoor_t {
    void *router, *monitor, *zap;
    bucket_t handshakes;
    zmq_msg_t body;
    bool has_body;
};

static void s_set (void *socket, int option, int value)
{
    int rc = zmq_setsockopt (socket, option, &value, sizeof value);
    assert (rc == 0);
    (void)rc;
}

//  The settings card of docs/design.md, with the queues of a small device.
static void s_configure (void *router, const box_keys_t *keys)
{
    int64_t max_size = FRAME_MAXMSGSIZE;
    s_set (router, ZMQ_CURVE_SERVER, 1);
    s_set (router, ENFORCE_DOMAIN, 1);
    s_set (router, ZMQ_RCVHWM, 32);
    s_set (router, ZMQ_SNDHWM, QUEUE_OUT);
    s_set (router, ZMQ_ROUTER_MANDATORY, 1);
    s_set (router, ZMQ_ROUTER_HANDOVER, 0);
    s_set (router, ZMQ_HANDSHAKE_IVL, 5000);
    s_set (router, ZMQ_HEARTBEAT_IVL, 5000);
    s_set (router, ZMQ_HEARTBEAT_TIMEOUT, 15000);
    s_set (router, ZMQ_HEARTBEAT_TTL, 15000);
    s_set (router, ZMQ_BACKLOG, 64);
    s_set (router, ZMQ_LINGER, 0);
    s_set (router, ZMQ_TCP_KEEPALIVE, 1);
    int rc = zmq_setsockopt (router, ZMQ_MAXMSGSIZE, &max_size, sizeof max_size)
        || zmq_setsockopt (router, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN_NAME, sizeof ZAP_DOMAIN_NAME - 1)
        || zmq_setsockopt (router, ZMQ_CURVE_PUBLICKEY, keys->public_key, KEY_SIZE)
        || zmq_setsockopt (router, ZMQ_CURVE_SECRETKEY, keys->secret_key, KEY_SIZE);
    assert (rc == 0);
    (void)rc;
}

static int s_watch (meshdoor_t *self, void *zmq)
{
    static atomic_uint s_number;
    char name [40];
    snprintf (name, sizeof name, "inproc://mesh-door-%u", atomic_fetch_add (&s_number, 1));
    if (zmq_socket_monitor (self->router, name, ZMQ_EVENT_DISCONNECTED))
        return -1;
    self->monitor = zmq_socket (zmq, ZMQ_PAIR);
    return self->monitor && zmq_connect (self->monitor, name) == 0 ? 0 : -1;
}

static uint16_t s_port (void *router)
{
    char endpoint [256];
    size_t size = sizeof endpoint;
    if (zmq_getsockopt (router, ZMQ_LAST_ENDPOINT, endpoint, &size))
        return 0;
    const char *colon = strrchr (endpoint, ':');
    return colon ? (uint16_t)strtoul (colon + 1, NULL, 10) : 0;
}

meshdoor_t *meshdoor_new (void *zmq, const box_keys_t *keys, const char *listen, uint16_t *port)
{
    meshdoor_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    //  libzmq draws its routing ids from random (), and a collision ends the process.
    srandom (randombytes_random ());
    self->zap = zmq_socket (zmq, ZMQ_REP);
    self->router = zmq_socket (zmq, ZMQ_ROUTER);
    bool ok = self->zap && self->router;
    if (ok) {
        s_set (self->zap, ZMQ_LINGER, 0);
        s_configure (self->router, keys);
        ok = zmq_bind (self->zap, ZAPFRAMES_ENDPOINT) == 0 && s_watch (self, zmq) == 0
            && zmq_bind (self->router, listen) == 0;
    }
    *port = ok ? s_port (self->router) : 0;
    if (*port)
        return self;
    int saved = errno;
    meshdoor_destroy (&self);
    errno = saved;
    return NULL;
}

static void s_drop_body (meshdoor_t *self)
{
    if (self->has_body)
        zmq_msg_close (&self->body);
    self->has_body = false;
}

void meshdoor_destroy (meshdoor_t **self_p)
{
    meshdoor_t *self = *self_p;
    if (!self)
        return;
    s_drop_body (self);
    if (self->monitor) {
        zmq_socket_monitor (self->router, NULL, 0);
        s_set (self->monitor, ZMQ_LINGER, 0);
        zmq_close (self->monitor);
    }
    if (self->router)
        zmq_close (self->router);
    if (self->zap) {
        //  A close gives the name back some time later; the next door of this context wants it now.
        zmq_unbind (self->zap, ZAPFRAMES_ENDPOINT);
        zmq_close (self->zap);
    }
    free (self);
    *self_p = NULL;
}

void meshdoor_items (const meshdoor_t *self, zmq_pollitem_t items [MESHDOOR_ITEMS])
{
    items [0] = (zmq_pollitem_t){ .socket = self->router, .events = ZMQ_POLLIN };
    items [1] = (zmq_pollitem_t){ .socket = self->zap, .events = ZMQ_POLLIN };
    items [2] = (zmq_pollitem_t){ .socket = self->monitor, .events = ZMQ_POLLIN };
}

//  ---- handshakes

void meshdoor_admit (meshdoor_t *self, int64_t now_ms)
{
    zapframes_t request;
    while (zapframes_read (self->zap, ZAP_DOMAIN_NAME, &request) == 0) {
        char user [2 * KEY_SIZE + 1] = "";
        const char *status = "400";
        if (request.fits) {
            //  300: libzmq says nothing, and the peer tries again by itself.
            bool ok = bucket_take (&self->handshakes, HANDSHAKES, A_SECOND, 1, now_ms);
            status = ok ? "200" : "300";
            if (ok)
                sodium_bin2hex (user, sizeof user, request.key, KEY_SIZE);
        }
        if (zapframes_answer (self->zap, &request, status, user))
            return;
    }
}

int meshdoor_gone (meshdoor_t *self)
{
    uint8_t event [6];
    int size;
    while ((size = zmq_recv (self->monitor, event, sizeof event, ZMQ_DONTWAIT)) >= 0) {
        uint16_t what;
        uint32_t fd;
        zmq_recv (self->monitor, NULL, 0, ZMQ_DONTWAIT); //  the endpoint
        memcpy (&what, event, sizeof what);
        memcpy (&fd, event + 2, sizeof fd);
        if (size == sizeof event && what == ZMQ_EVENT_DISCONNECTED)
            return (int)fd;
    }
    return -1;
}

//  ---- frames

//  The parts after the one given, to the end of the message.
static int s_drain (meshdoor_t *self, zmq_msg_t *part)
{
    int parts = 0;
    while (zmq_msg_more (part)) {
        if (zmq_msg_recv (part, self->router, ZMQ_DONTWAIT) < 0)
            break;
        parts++;
    }
    return parts;
}

//  Reads one message into body. False when there is none; *fits: it is a frame as it should be.
static bool s_receive (meshdoor_t *self, uint32_t *routing, bool *fits)
{
    zmq_msg_t id;
    zmq_msg_init (&id);
    if (zmq_msg_recv (&id, self->router, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close (&id);
        return false;
    }
    const uint8_t *bytes = zmq_msg_data (&id);
    bool given = zmq_msg_size (&id) == ROUTING_SIZE && bytes [0] == 0;
    if (given)
        memcpy (routing, bytes + 1, sizeof *routing);
    zmq_msg_init (&self->body);
    self->has_body = true;
    bool single = zmq_msg_more (&id) && zmq_msg_recv (&self->body, self->router, ZMQ_DONTWAIT) >= 0;
    //  The metadata of a too long message is read from its first body frame, so that one is kept.
    if (single && zmq_msg_more (&self->body)) {
        zmq_msg_t rest;
        zmq_msg_init (&rest);
        if (zmq_msg_recv (&rest, self->router, ZMQ_DONTWAIT) >= 0)
            s_drain (self, &rest);
        zmq_msg_close (&rest);
        single = false;
    }
    zmq_msg_close (&id);
    size_t size = zmq_msg_size (&self->body);
    *fits = given && single && size >= FRAME_HEADER && size <= FRAME_MAX;
    return true;
}

bool meshdoor_next (meshdoor_t *self, door_frame_t *out)
{
    bool fits = false;
    s_drop_body (self);
    while (s_receive (self, &out->routing, &fits)) {
        const char *user = zmq_msg_gets (&self->body, "User-Id");
        size_t key_size = 0;
        out->fd = zmq_msg_get (&self->body, ZMQ_SRCFD);
        if (fits && user && strlen (user) == 2 * KEY_SIZE
            && sodium_hex2bin (out->key, KEY_SIZE, user, 2 * KEY_SIZE, NULL, &key_size, NULL) == 0 && key_size == KEY_SIZE) {
            out->bytes = zmq_msg_data (&self->body);
            out->size = zmq_msg_size (&self->body);
            return true;
        }
        meshdoor_cut (self, out->fd);
        s_drop_body (self);
    }
    return false;
}

int meshdoor_send (meshdoor_t *self, uint32_t routing, const uint8_t *bytes, size_t size)
{
    uint8_t id [ROUTING_SIZE] = { 0 };
    memcpy (id + 1, &routing, sizeof routing);
    if (zmq_send (self->router, id, sizeof id, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return -1;
    return zmq_send (self->router, bytes, size, ZMQ_DONTWAIT) < 0 ? -1 : 0;
}

void meshdoor_cut (meshdoor_t *self, int fd)
{
    (void)self;
    if (fd >= 0)
        shutdown (fd, SHUT_RDWR);
}
