//  testfront - a front and a core for tests of the device's side: a real ROUTER with CURVE and a ZAP handler
//
//  Driven by the test, step by step, except for the ZAP thread and (for blocking callers) testfront_serve.

#ifndef TESTFRONT_H_INCLUDED
#define TESTFRONT_H_INCLUDED

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>
#include "device.h"
#include "frame.h"
#include "timefmt.h"

#define TEST_PATIENCE_MS 15000 //  a bound on waiting for a condition, never a measured promise

typedef struct {
    void *zmq, *router, *zap;
    pthread_t zap_thread;
    atomic_bool admit; //  what the ZAP handler answers
    atomic_int asked;  //  handshakes it was asked about
    char endpoint [64];
    box_keys_t transport, core;
    sign_keys_t authority, issuer;
    uint8_t district [DISTRICT_SIZE];
    uint8_t peer [16]; //  routing id of the last message
    size_t peer_size;
    uint8_t frame [FRAME_MAX + 64]; //  body of the last message
    size_t size;
    arena_t *arena;

    pthread_t serve_thread; //  testfront_serve
    atomic_bool serve_stop;
    atomic_int enrol_code; //  what it answers to Enrol
    atomic_int enrol_role;
    atomic_bool enrol_other_keys, enrol_other_authority, core_down;
    atomic_int enrols;
    uint8_t enrolled_key [KEY_SIZE];
} testfront_t;

static inline void *testfront_zap_main (void *argument)
{
    testfront_t *self = argument;
    char part [8][256];
    for (;;) {
        int parts = 0, more = 1, sizes [8] = { 0 };
        size_t more_size = sizeof more;
        while (more && parts < 8) {
            sizes [parts] = zmq_recv (self->zap, part [parts], sizeof part [parts], 0);
            if (sizes [parts] < 0) {
                return NULL; //  the context ends
            }
            zmq_getsockopt (self->zap, ZMQ_RCVMORE, &more, &more_size);
            parts++;
        }
        atomic_fetch_add (&self->asked, 1);
        const char *status = atomic_load (&self->admit) ? "200" : "400";
        zmq_send (self->zap, "1.0", 3, ZMQ_SNDMORE);
        zmq_send (self->zap, part [1], (size_t)sizes [1], ZMQ_SNDMORE);
        zmq_send (self->zap, status, 3, ZMQ_SNDMORE);
        zmq_send (self->zap, "", 0, ZMQ_SNDMORE);
        zmq_send (self->zap, "user", 4, ZMQ_SNDMORE);
        if (zmq_send (self->zap, "", 0, 0) < 0) {
            return NULL;
        }
    }
}

//  Binds to the endpoint of before, or to a free port the first time.
static inline void testfront_up (testfront_t *self)
{
    self->router = zmq_socket (self->zmq, ZMQ_ROUTER);
    int one = 1, zero = 0;
    zmq_setsockopt (self->router, ZMQ_CURVE_SERVER, &one, sizeof one);
    zmq_setsockopt (self->router, ZMQ_CURVE_SECRETKEY, self->transport.secret_key, KEY_SIZE);
    zmq_setsockopt (self->router, ZMQ_ZAP_DOMAIN, "patrol", 6);
    zmq_setsockopt (self->router, ZMQ_ROUTER_MANDATORY, &one, sizeof one);
    zmq_setsockopt (self->router, ZMQ_LINGER, &zero, sizeof zero);
    const char *where = self->endpoint [0] ? self->endpoint : "tcp://127.0.0.1:*";
    int64_t until = time_mono_ms () + TEST_PATIENCE_MS;
    while (zmq_bind (self->router, where)) {
        //  the port of the socket just closed is freed by libzmq's own thread
        if (errno != EADDRINUSE || time_mono_ms () > until) {
            fprintf (stderr, "testfront: %s: %s\n", where, zmq_strerror (errno));
            abort ();
        }
        zmq_poll (NULL, 0, 10);
    }
    size_t size = sizeof self->endpoint;
    zmq_getsockopt (self->router, ZMQ_LAST_ENDPOINT, self->endpoint, &size);
}

//  True while somebody listens on our port: then not even SO_REUSEADDR lets another socket bind to it.
static inline bool testfront_listens (const testfront_t *self)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
    address.sin_port = htons ((uint16_t)atoi (strrchr (self->endpoint, ':') + 1));
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    bool taken = bind (fd, (struct sockaddr *)&address, sizeof address) != 0;
    close (fd);
    return taken;
}

//  libzmq closes the listener later, in its own thread: returns when nobody can connect any more.
static inline void testfront_down (testfront_t *self)
{
    zmq_close (self->router);
    self->router = NULL;
    int64_t until = time_mono_ms () + TEST_PATIENCE_MS;
    while (testfront_listens (self) && time_mono_ms () < until) {
        zmq_poll (NULL, 0, 5);
    }
}

static inline testfront_t *testfront_new (void)
{
    testfront_t *self = calloc (1, sizeof *self);
    self->zmq = zmq_ctx_new ();
    self->arena = arena_new (256 * 1024);
    box_keys_make (&self->transport);
    box_keys_make (&self->core);
    sign_keys_make (&self->authority);
    sign_keys_make (&self->issuer);
    identity_district (self->district, self->authority.public_key, "test");
    self->enrol_role = PATROL__ROLE__NODE;
    atomic_store (&self->admit, true);
    self->zap = zmq_socket (self->zmq, ZMQ_REP);
    int zero = 0;
    zmq_setsockopt (self->zap, ZMQ_LINGER, &zero, sizeof zero);
    zmq_bind (self->zap, "inproc://zeromq.zap.01");
    pthread_create (&self->zap_thread, NULL, testfront_zap_main, self);
    testfront_up (self);
    return self;
}

static inline void testfront_destroy (testfront_t **self_p)
{
    testfront_t *self = *self_p;
    if (self->router) {
        testfront_down (self);
    }
    zmq_ctx_shutdown (self->zmq);
    pthread_join (self->zap_thread, NULL);
    zmq_close (self->zap);
    zmq_ctx_term (self->zmq);
    arena_destroy (&self->arena);
    free (self);
    *self_p = NULL;
}

//  True if a message of one body frame came; it is in frame and size.
static inline bool testfront_receive (testfront_t *self)
{
    int got = self->router ? zmq_recv (self->router, self->peer, sizeof self->peer, ZMQ_DONTWAIT) : -1;
    if (got < 0) {
        return false;
    }
    self->peer_size = (size_t)got;
    got = zmq_recv (self->router, self->frame, sizeof self->frame, 0);
    self->size = got > 0 ? (size_t)got : 0;
    return got > 0;
}

//  Sends to the last peer heard of. `parts` copies of the frame in one message: 1 is right, anything else is a fault.
static inline int testfront_send (testfront_t *self, const uint8_t *frame, size_t size, int parts)
{
    int rc = zmq_send (self->router, self->peer, self->peer_size, ZMQ_SNDMORE);
    for (int part = 0; rc >= 0 && part < parts; part++) {
        rc = zmq_send (self->router, frame, size, part + 1 < parts ? ZMQ_SNDMORE : 0);
    }
    return rc < 0 ? -1 : 0;
}

static inline void testfront_send_message (testfront_t *self, frame_type_t type, const ProtobufCMessage *message)
{
    uint8_t frame [FRAME_MAX];
    frame_begin (frame, type, LANE_URGENT);
    size_t size = protobuf_c_message_pack (message, frame + FRAME_HEADER);
    testfront_send (self, frame, FRAME_HEADER + size, 1);
}

static inline void testfront_welcome (testfront_t *self, bool core_up, uint64_t submit_up_to)
{
    Patrol__Welcome welcome = PATROL__WELCOME__INIT;
    welcome.version = 1;
    welcome.core_up = core_up;
    welcome.submit_up_to = submit_up_to;
    testfront_send_message (self, FRAME_WELCOME, &welcome.base);
}

static inline ProtobufCBinaryData testfront_bytes (const void *bytes, size_t size)
{
    return (ProtobufCBinaryData){ size, (uint8_t *)(uintptr_t)bytes };
}

//  ---- enrolment, served by a thread because joining blocks

static inline Patrol__Signed *testfront_signed (uint8_t **packed, size_t size)
{
    Patrol__Signed *message = patrol__signed__unpack (NULL, size, *packed);
    free (*packed);
    return message;
}

static inline void testfront_answer_enrol (testfront_t *self)
{
    uint8_t shared [KEY_SIZE], plain [FRAME_MAX];
    size_t size = 0;
    const uint8_t *device_key = self->frame + FRAME_HEADER, *box = device_key + KEY_SIZE;
    if (self->size < FRAME_HEADER + KEY_SIZE || envelope_shared (shared, device_key, self->core.secret_key)) {
        return;
    }
    const uint8_t *bytes = box_open (plain, &size, shared, DOMAIN_ENROL_UP, box, self->size - FRAME_HEADER - KEY_SIZE);
    Patrol__Enrol *enrol = bytes ? patrol__enrol__unpack (NULL, size, bytes) : NULL;
    if (!enrol || enrol->link_key.len != KEY_SIZE || enrol->token.len != TOKEN_SIZE) {
        return;
    }
    int64_t now = time_now_ms ();
    credential_t credential = { .member = 7,
        .role = (Patrol__Role)self->enrol_role,
        .unit = "north gate",
        .from_ms = now - 1000,
        .until_ms = now + 1000000 };
    memcpy (credential.district, self->district, DISTRICT_SIZE);
    memcpy (credential.device_key, device_key, KEY_SIZE);
    memcpy (credential.link_key, enrol->link_key.data, KEY_SIZE);
    if (self->enrol_other_keys) {
        randombytes_buf (credential.link_key, KEY_SIZE);
    }
    if (self->enrol_role != PATROL__ROLE__NODE) {
        strcpy (credential.station, "s1");
    }
    sign_keys_t stranger;
    sign_keys_make (&stranger);
    uint8_t *packed;
    Patrol__Enrolled answer = PATROL__ENROLLED__INIT;
    answer.code = (uint32_t)self->enrol_code;
    answer.now_ms = now;
    if (self->enrol_code == PATROL__CODE__OK) {
        size = credential_issue (&packed, &credential, &self->issuer);
        answer.credential = testfront_signed (&packed, size);
        size = issuer_issue (&packed, self->district, "test", self->issuer.public_key, now - 1000, now + 1000000,
            self->enrol_other_authority ? &stranger : &self->authority);
        answer.issuer = testfront_signed (&packed, size);
    }
    memcpy (self->enrolled_key, device_key, KEY_SIZE);
    uint8_t frame [FRAME_MAX];
    frame_begin (frame, FRAME_ENROL, LANE_URGENT);
    size = box_seal (frame + FRAME_HEADER, FRAME_MAX - FRAME_HEADER, shared, DOMAIN_ENROL_DOWN, &answer.base);
    testfront_send (self, frame, FRAME_HEADER + size, 1);
    atomic_fetch_add (&self->enrols, 1);
    patrol__enrol__free_unpacked (enrol, NULL);
    if (answer.credential) {
        patrol__signed__free_unpacked (answer.credential, NULL);
        patrol__signed__free_unpacked (answer.issuer, NULL);
    }
}

static inline void *testfront_serve_main (void *argument)
{
    testfront_t *self = argument;
    while (!atomic_load (&self->serve_stop)) {
        zmq_pollitem_t item = { .socket = self->router, .events = ZMQ_POLLIN };
        zmq_poll (&item, 1, 20);
        while (testfront_receive (self)) {
            if (self->frame [1] == FRAME_HELLO) {
                testfront_welcome (self, !self->core_down, 0);
            } else if (self->frame [1] == FRAME_ENROL) {
                testfront_answer_enrol (self);
            }
        }
    }
    return NULL;
}

static inline void testfront_serve (testfront_t *self)
{
    atomic_store (&self->serve_stop, false);
    pthread_create (&self->serve_thread, NULL, testfront_serve_main, self);
}

static inline void testfront_serve_end (testfront_t *self)
{
    atomic_store (&self->serve_stop, true);
    pthread_join (self->serve_thread, NULL);
}

//  The line a person would be given; caller frees.
static inline char *testfront_invite (testfront_t *self, Patrol__Role role, int64_t life_ms)
{
    invitation_t invitation = { .role = role, .expires_ms = time_now_ms () + life_ms };
    snprintf (invitation.endpoint, sizeof invitation.endpoint, "%s", self->endpoint);
    memcpy (invitation.transport_key, self->transport.public_key, KEY_SIZE);
    memcpy (invitation.core_key, self->core.public_key, KEY_SIZE);
    memcpy (invitation.authority, self->authority.public_key, KEY_SIZE);
    memcpy (invitation.district, self->district, DISTRICT_SIZE);
    randombytes_buf (invitation.secret, sizeof invitation.secret);
    return invitation_format (&invitation);
}

#endif
