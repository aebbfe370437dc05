//  frontsocket - the ROUTER that faces the network, and the proof that it refuses strangers

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front_private.h"
#include "home.h"
#include "timefmt.h"

#define ENFORCE_DOMAIN 93 //  ZMQ_ZAP_ENFORCE_DOMAIN: hidden by zmq.h without drafts, works by number
#define MONITOR "inproc://front.monitor"
#define TEST_MONITOR "inproc://front.test"
#define TEST_MS 2000

typedef struct {
    int option, value;
} option_t;

static const option_t s_card [] = {
    { ZMQ_CURVE_SERVER, 1 },
    { ENFORCE_DOMAIN, 1 },
    { ZMQ_MAXMSGSIZE, 0 },
    { ZMQ_RCVHWM, 32 },
    { ZMQ_SNDHWM, 256 },
    { ZMQ_ROUTER_MANDATORY, 1 },
    { ZMQ_ROUTER_HANDOVER, 0 },
    { ZMQ_HANDSHAKE_IVL, 5000 },
    { ZMQ_HEARTBEAT_IVL, 5000 },
    { ZMQ_HEARTBEAT_TIMEOUT, 15000 },
    { ZMQ_HEARTBEAT_TTL, 15000 },
    { ZMQ_BACKLOG, 4096 },
    { ZMQ_LINGER, 0 },
    { ZMQ_TCP_KEEPALIVE, 1 },
};

static int s_set_card (void *router)
{
    int64_t largest = FRAME_MAXMSGSIZE; //  the one option of 64 bits
    for (size_t i = 0; i < sizeof s_card / sizeof *s_card; i++) {
        bool wide = s_card [i].option == ZMQ_MAXMSGSIZE;
        const void *value = wide ? (const void *)&largest : &s_card [i].value;
        if (zmq_setsockopt (router, s_card [i].option, value, wide ? sizeof largest : sizeof (int)))
            return -1;
    }
    return zmq_setsockopt (router, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN, strlen (ZAP_DOMAIN));
}

static int s_load_key (front_t *self)
{
    box_keys_t keys;
    const char *reason = NULL;
    char *path = home_path (self->home, "transport.key");
    int rc = box_keys_load (&keys, path, "transport", &reason);
    if (rc)
        fprintf (stderr, "<3>front: the transport key %s cannot be used: %s\n", path, reason ? reason : strerror (errno));
    else
        rc = zmq_setsockopt (self->router, ZMQ_CURVE_SECRETKEY, keys.secret_key, KEY_SIZE)
                || zmq_setsockopt (self->router, ZMQ_CURVE_PUBLICKEY, keys.public_key, KEY_SIZE)
            ? -1
            : 0;
    identity_wipe (&keys, sizeof keys);
    free (path);
    return rc;
}

//  A monitor's PAIR without a limit: libzmq's threads write to it and would wait.
static void *s_monitor (front_t *self, void *socket, const char *endpoint, int events)
{
    int none = 0;
    void *monitor = zmq_socket (self->zmq, ZMQ_PAIR);
    if (!monitor)
        return NULL;
    zmq_setsockopt (monitor, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt (monitor, ZMQ_RCVHWM, &none, sizeof none);
    if (zmq_socket_monitor (socket, endpoint, events) || zmq_connect (monitor, endpoint)) {
        zmq_close (monitor);
        return NULL;
    }
    return monitor;
}

//  What became of a stranger's handshake: the monitor's event, 0 if none came in time.
static int s_outcome (void *monitor)
{
    int64_t until = time_mono_ms () + TEST_MS, now;
    while ((now = time_mono_ms ()) < until) {
        zmq_pollitem_t item = { monitor, 0, ZMQ_POLLIN, 0 };
        uint8_t event [6];
        uint16_t kind;
        if (zmq_poll (&item, 1, (long)(until - now)) <= 0)
            continue;
        int size = zmq_recv (monitor, event, sizeof event, ZMQ_DONTWAIT);
        zmq_recv (monitor, NULL, 0, ZMQ_DONTWAIT); //  the endpoint
        if (size != sizeof event)
            continue;
        memcpy (&kind, event, sizeof kind);
        if (kind == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH || kind == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
            return kind;
    }
    return 0;
}

//  A client with a fresh key knocks; without a working ZAP handler libzmq would let it in.
static int s_knock (front_t *self, const char *endpoint, const uint8_t *server_key)
{
    int none = 0, outcome = -1;
    box_keys_t keys;
    void *client = zmq_socket (self->zmq, ZMQ_DEALER);
    if (!client)
        return -1;
    box_keys_make (&keys);
    zmq_setsockopt (client, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt (client, ZMQ_CURVE_SERVERKEY, server_key, KEY_SIZE);
    zmq_setsockopt (client, ZMQ_CURVE_PUBLICKEY, keys.public_key, KEY_SIZE);
    zmq_setsockopt (client, ZMQ_CURVE_SECRETKEY, keys.secret_key, KEY_SIZE);
    identity_wipe (&keys, sizeof keys);
    void *monitor = s_monitor (self, client, TEST_MONITOR, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    if (monitor && zmq_connect (client, endpoint) == 0)
        outcome = s_outcome (monitor);
    zmq_socket_monitor (client, NULL, 0);
    if (monitor)
        zmq_close (monitor);
    zmq_close (client);
    return outcome;
}

static int s_self_test (front_t *self)
{
    char endpoint [128];
    uint8_t key [KEY_SIZE];
    size_t size = sizeof endpoint, key_size = sizeof key;
    //  The ROUTER itself, at a port of its own that only this machine reaches: nobody knocks before the answer is known.
    if (zmq_bind (self->router, "tcp://127.0.0.1:*") || zmq_getsockopt (self->router, ZMQ_LAST_ENDPOINT, endpoint, &size)
        || zmq_getsockopt (self->router, ZMQ_CURVE_PUBLICKEY, key, &key_size)) {
        fprintf (stderr, "<3>front: the self-test cannot listen on the loopback interface: %s\n", zmq_strerror (errno));
        return -1;
    }
    zap_list_begin (self->zap); //  an empty list: an unknown key is refused, not put off
    zap_list_end (self->zap);
    int outcome = s_knock (self, endpoint, key);
    zap_start_over (self->zap);
    zmq_unbind (self->router, endpoint);
    if (outcome == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
        return 0;
    fprintf (stderr,
        outcome == ZMQ_EVENT_HANDSHAKE_SUCCEEDED
            ? "<2>front: the self-test failed: a key that nobody admitted was let in; the front does not listen\n"
            : "<3>front: the self-test failed: no answer to a handshake within 2 s; the front does not listen\n");
    return -1;
}

int front_make_socket (front_t *self)
{
    //  libzmq numbers its routing ids from random (): a guessed one could be claimed, which aborts a ROUTER.
    srandom (randombytes_random ());
    self->router = zmq_socket (self->zmq, ZMQ_ROUTER);
    if (!self->router || s_set_card (self->router)) {
        fprintf (stderr, "<3>front: this libzmq does not take our settings: %s\n", zmq_strerror (errno));
        return -1;
    }
    return s_load_key (self) || s_self_test (self) ? -1 : 0;
}

int front_listen (front_t *self, const char *endpoint)
{
    int ipv6 = strchr (endpoint, '[') != NULL;
    zmq_setsockopt (self->router, ZMQ_IPV6, &ipv6, sizeof ipv6);
    self->monitor = s_monitor (self, self->router, MONITOR,
        ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
    if (!self->monitor) {
        fprintf (stderr, "<3>front: connections cannot be watched: %s\n", zmq_strerror (errno));
        return -1;
    }
    if (zmq_bind (self->router, endpoint)) {
        fprintf (stderr, "<3>front: cannot listen on %s: %s\n", endpoint, zmq_strerror (errno));
        return -1;
    }
    return 0;
}
