//  front: the whole process in a child, a core of this test behind it, real CURVE clients before it

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>
#include "core.h"
#include "frame.h"
#include "front.h"
#include "home.h"
#include "identity.h"
#include "patrol.pb-c.h"
#include "pipe.h"
#include "timefmt.h"

#define PATIENCE_MS 15000 //  a bound on waiting, never a measured promise
#define INCARNATION 77
#define ENVELOPE 592 //  octets of an envelope; the front looks at its size only
#define SOCKETS 64

typedef struct {
    char home [64], endpoint [64], key_path [96], socket_path [96];
    box_keys_t transport;
    pid_t front;
    void *zmq, *sockets [SOCKETS]; //  open ones, so that a test that fails leaves none behind
    int listen_fd;
    pipe_t *lanes [LANE_COUNT];
    uint64_t counters [FRONT_COUNTERS];
} bench_t;

static bench_t s_bench;

//  A message of the front to the core.
typedef struct {
    pipe_kind_t kind;
    lane_t lane;
    uint32_t session;
    size_t size;
    uint8_t payload [FRAME_MAX];
} heard_t;

static int64_t s_until (void)
{
    return time_mono_ms () + PATIENCE_MS;
}

//  ---- the core

static pipe_t *s_accept_lane (lane_t lane)
{
    int64_t until = s_until ();
    while (time_mono_ms () < until) {
        struct pollfd item = { s_bench.listen_fd, POLLIN, 0 };
        uint8_t head [10];
        poll (&item, 1, 100);
        int fd = accept4 (s_bench.listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        //  The lane is the first message, alone.
        assert_int_equal (recv (fd, head, sizeof head, MSG_WAITALL), sizeof head);
        assert_int_equal (head [4], PIPE_LANE);
        assert_int_equal (head [9], lane);
        return pipe_new (fd);
    }
    fail_msg ("the front does not connect to the core");
    return NULL;
}

static void s_tell (pipe_kind_t kind, uint32_t session, const void *payload, size_t size)
{
    pipe_put (s_bench.lanes [0], kind, session, payload, size);
    while (pipe_queued (s_bench.lanes [0]))
        assert_int_equal (pipe_flush (s_bench.lanes [0]), 0);
}

static void s_admit (const box_keys_t *keys, admission_t admission)
{
    uint8_t payload [KEY_SIZE + 9] = { 0 };
    memcpy (payload, keys->public_key, KEY_SIZE);
    payload [KEY_SIZE] = (uint8_t)admission;
    s_tell (PIPE_ADMIT, 0, payload, sizeof payload);
}

static void s_core_ready (void)
{
    uint64_t incarnation = INCARNATION;
    s_tell (PIPE_READY, 0, &incarnation, sizeof incarnation);
}

//  Listens and takes both lanes; the keys are admitted and PIPE_READY is sent by the caller.
static void s_core_up (void)
{
    s_bench.listen_fd = home_listen (s_bench.home, CORE_SOCKET);
    assert_true (s_bench.listen_fd >= 0);
    for (int i = 0; i < LANE_COUNT; i++)
        s_bench.lanes [i] = s_accept_lane ((lane_t)i);
}

static void s_core_down (void)
{
    for (int i = 0; i < LANE_COUNT; i++)
        pipe_destroy (&s_bench.lanes [i]);
    close (s_bench.listen_fd);
    s_bench.listen_fd = -1;
    unlink (s_bench.socket_path);
}

//  The next message of that kind; counters are kept on the way, others passed over.
static void s_hear (pipe_kind_t wanted, heard_t *heard)
{
    int64_t until = s_until ();
    while (time_mono_ms () < until) {
        for (int i = 0; i < LANE_COUNT; i++) {
            const uint8_t *payload;
            bool broken;
            while (pipe_next (s_bench.lanes [i], &heard->kind, &heard->session, &payload, &heard->size, &broken)) {
                assert_true (heard->size <= sizeof heard->payload);
                if (heard->size)
                    memcpy (heard->payload, payload, heard->size);
                heard->lane = (lane_t)i;
                if (heard->kind == PIPE_COUNTERS) {
                    assert_int_equal (heard->size, sizeof s_bench.counters);
                    memcpy (s_bench.counters, heard->payload, heard->size);
                }
                if (heard->kind == wanted)
                    return;
            }
        }
        struct pollfd items [LANE_COUNT]
            = { { pipe_fd (s_bench.lanes [0]), POLLIN, 0 }, { pipe_fd (s_bench.lanes [1]), POLLIN, 0 } };
        poll (items, LANE_COUNT, 100);
        for (int i = 0; i < LANE_COUNT; i++)
            if (items [i].revents)
                assert_int_equal (pipe_fill (s_bench.lanes [i]), 0);
    }
    fail_msg ("the core hears nothing of kind %d", wanted);
}

static void s_hear_counter (front_counter_t counter, uint64_t least)
{
    heard_t heard;
    int64_t until = s_until ();
    while (s_bench.counters [counter] < least) {
        assert_true (time_mono_ms () < until);
        s_hear (PIPE_COUNTERS, &heard);
    }
}

//  ---- clients

typedef struct {
    void *socket, *monitor;
    uint32_t session;
} client_t;

static void s_set (void *socket, int option, int value)
{
    assert_int_equal (zmq_setsockopt (socket, option, &value, sizeof value), 0);
}

static void *s_socket (int type)
{
    void *socket = zmq_socket (s_bench.zmq, type);
    for (int i = 0; i < SOCKETS; i++)
        if (!s_bench.sockets [i]) {
            s_bench.sockets [i] = socket;
            return socket;
        }
    fail_msg ("too many sockets");
    return NULL;
}

static void s_socket_close (void *socket)
{
    for (int i = 0; i < SOCKETS; i++)
        if (s_bench.sockets [i] == socket)
            s_bench.sockets [i] = NULL;
    zmq_close (socket);
}

static client_t s_client_without_keys (void)
{
    static int number;
    char name [32];
    client_t self = { s_socket (ZMQ_DEALER), s_socket (ZMQ_PAIR), 0 };
    snprintf (name, sizeof name, "inproc://client.%d", number++);
    s_set (self.socket, ZMQ_LINGER, 0);
    s_set (self.monitor, ZMQ_LINGER, 0);
    s_set (self.socket, ZMQ_RECONNECT_IVL, -1);
    zmq_socket_monitor (self.socket, name,
        ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_SUCCEEDED
            | ZMQ_EVENT_DISCONNECTED);
    zmq_connect (self.monitor, name);
    return self;
}

static client_t s_client (const box_keys_t *keys)
{
    client_t self = s_client_without_keys ();
    zmq_setsockopt (self.socket, ZMQ_CURVE_SERVERKEY, s_bench.transport.public_key, KEY_SIZE);
    zmq_setsockopt (self.socket, ZMQ_CURVE_PUBLICKEY, keys->public_key, KEY_SIZE);
    zmq_setsockopt (self.socket, ZMQ_CURVE_SECRETKEY, keys->secret_key, KEY_SIZE);
    assert_int_equal (zmq_connect (self.socket, s_bench.endpoint), 0);
    return self;
}

static void s_client_close (client_t *self)
{
    zmq_socket_monitor (self->socket, NULL, 0);
    s_socket_close (self->monitor);
    s_socket_close (self->socket);
}

//  Waits until the monitor has said one of the two, whatever else it says.
static int s_until_either (client_t *self, int wanted, int other)
{
    int64_t until = s_until ();
    while (time_mono_ms () < until) {
        uint8_t event [6];
        uint16_t kind;
        zmq_pollitem_t item = { self->monitor, 0, ZMQ_POLLIN, 0 };
        if (zmq_poll (&item, 1, 100) <= 0)
            continue;
        assert_int_equal (zmq_recv (self->monitor, event, sizeof event, 0), 6);
        zmq_recv (self->monitor, NULL, 0, 0);
        memcpy (&kind, event, sizeof kind);
        if (kind == wanted || kind == other)
            return kind;
    }
    fail_msg ("event %d does not come", wanted);
    return 0;
}

static void s_until_event (client_t *self, int wanted)
{
    s_until_either (self, wanted, wanted);
}

//  A client whose key the front was told to admit, perhaps not read yet: knocks until it is let in.
static client_t s_member (const box_keys_t *keys)
{
    int64_t until = s_until ();
    client_t self = s_client (keys);
    while (s_until_either (&self, ZMQ_EVENT_HANDSHAKE_SUCCEEDED, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
        != ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        assert_true (time_mono_ms () < until);
        s_client_close (&self);
        self = s_client (keys);
    }
    return self;
}

static void s_post (client_t *self, frame_type_t type, lane_t lane, const void *body, size_t size)
{
    uint8_t frame [FRAME_MAX];
    frame_begin (frame, type, lane);
    memcpy (frame + FRAME_HEADER, body, size);
    assert_int_equal (zmq_send (self->socket, frame, FRAME_HEADER + size, 0), FRAME_HEADER + size);
}

static void s_post_hello (client_t *self)
{
    Patrol__Hello hello = PATROL__HELLO__INIT;
    uint8_t body [64];
    hello.version = 1;
    s_post (self, FRAME_HELLO, LANE_URGENT, body, patrol__hello__pack (&hello, body));
}

static void s_post_envelopes (client_t *self, lane_t lane, int count)
{
    uint8_t frame [FRAME_MAX], envelope [ENVELOPE] = { 1 };
    size_t used = FRAME_HEADER;
    frame_begin (frame, FRAME_SUBMIT, lane);
    for (int i = 0; i < count; i++)
        assert_true (frame_add_envelope (frame, &used, envelope, sizeof envelope));
    assert_int_equal (zmq_send (self->socket, frame, used, 0), used);
}

//  The next frame of that type; returns the size of its body.
static size_t s_take (client_t *self, frame_type_t wanted, uint8_t body [FRAME_MAX])
{
    int64_t until = s_until ();
    while (time_mono_ms () < until) {
        uint8_t frame [FRAME_MAX];
        frame_type_t type;
        lane_t lane;
        zmq_pollitem_t item = { self->socket, 0, ZMQ_POLLIN, 0 };
        if (zmq_poll (&item, 1, 100) <= 0)
            continue;
        int size = zmq_recv (self->socket, frame, sizeof frame, 0);
        assert_true (size >= (int)FRAME_HEADER);
        assert_int_equal (frame_parse (&type, &lane, frame, (size_t)size), 0);
        if (type != wanted)
            continue;
        memcpy (body, frame + FRAME_HEADER, (size_t)size - FRAME_HEADER);
        return (size_t)size - FRAME_HEADER;
    }
    fail_msg ("no frame of type %d", wanted);
    return 0;
}

static uint64_t s_take_welcome (client_t *self, bool core_up)
{
    uint8_t body [FRAME_MAX];
    size_t size = s_take (self, FRAME_WELCOME, body);
    Patrol__Welcome *welcome = patrol__welcome__unpack (NULL, size, body);
    assert_non_null (welcome);
    assert_int_equal (welcome->version, 1);
    assert_int_equal (welcome->core_up, core_up);
    assert_int_equal (welcome->incarnation, core_up ? INCARNATION : 0);
    uint64_t credit = welcome->submit_up_to;
    patrol__welcome__free_unpacked (welcome, NULL);
    return credit;
}

static void s_take_notice (client_t *self, Patrol__Code code)
{
    uint8_t body [FRAME_MAX];
    size_t size = s_take (self, FRAME_NOTICE, body);
    Patrol__Notice *notice = patrol__notice__unpack (NULL, size, body);
    assert_non_null (notice);
    assert_int_equal (notice->code, code);
    patrol__notice__free_unpacked (notice, NULL);
}

//  A client past HELLO; *credit may be NULL.
static client_t s_greeted (const box_keys_t *keys, admission_t admission, uint64_t *credit)
{
    heard_t heard;
    client_t self = s_member (keys);
    s_post_hello (&self);
    uint64_t granted = s_take_welcome (&self, true);
    if (credit)
        *credit = granted;
    s_hear (PIPE_OPEN, &heard);
    assert_int_equal (heard.lane, LANE_URGENT);
    assert_int_equal (heard.size, KEY_SIZE + 1);
    assert_memory_equal (heard.payload, keys->public_key, KEY_SIZE);
    assert_int_equal (heard.payload [KEY_SIZE], admission);
    assert_int_not_equal (heard.session, 0);
    self.session = heard.session;
    return self;
}

static client_t s_new_member (box_keys_t *keys, uint64_t *credit)
{
    box_keys_make (keys);
    s_admit (keys, ADMIT_MEMBER);
    return s_greeted (keys, ADMIT_MEMBER, credit);
}

static void s_hear_close (const client_t *client)
{
    heard_t heard;
    do
        s_hear (PIPE_CLOSE, &heard);
    while (heard.session != client->session);
}

//  ---- the tests

static void test_unknown_keys_are_refused_until_admitted (void **state)
{
    (void)state;
    box_keys_t keys;
    box_keys_make (&keys);
    client_t stranger = s_client (&keys);
    s_until_event (&stranger, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
    s_client_close (&stranger);
    s_hear_counter (FRONT_HANDSHAKES_UNKNOWN, 1);
    s_admit (&keys, ADMIT_MEMBER);
    client_t member = s_greeted (&keys, ADMIT_MEMBER, NULL);
    s_post_hello (&member);
    s_take_welcome (&member, true); //  again, and no second session
    s_client_close (&member);
    s_hear_close (&member); //  the end of a connection is noticed
}

static void test_a_client_without_curve_is_refused (void **state)
{
    (void)state;
    client_t plain = s_client_without_keys ();
    assert_int_equal (zmq_connect (plain.socket, s_bench.endpoint), 0);
    s_until_event (&plain, ZMQ_EVENT_DISCONNECTED);
    s_client_close (&plain);
}

static void test_frames_go_both_ways (void **state)
{
    (void)state;
    box_keys_t keys;
    heard_t heard;
    uint8_t body [FRAME_MAX], down [32] = { 1, FRAME_SESSION, 0, 0, 42 };
    client_t client = s_new_member (&keys, NULL);
    s_post (&client, FRAME_SESSION, LANE_URGENT, "attach", 6);
    s_hear (PIPE_FRAME, &heard);
    assert_int_equal (heard.session, client.session);
    assert_int_equal (heard.lane, LANE_URGENT);
    assert_int_equal (heard.size, FRAME_HEADER + 6);
    assert_memory_equal (heard.payload + FRAME_HEADER, "attach", 6);
    s_post_envelopes (&client, LANE_BULK, 3);
    s_hear (PIPE_FRAME, &heard);
    assert_int_equal (heard.lane, LANE_BULK);
    assert_int_equal (heard.size, FRAME_HEADER + 3 * (ENVELOPE + 2));
    s_post_envelopes (&client, LANE_URGENT, 1);
    s_hear (PIPE_FRAME, &heard);
    assert_int_equal (heard.lane, LANE_URGENT);
    s_tell (PIPE_SEND, client.session, down, sizeof down);
    assert_int_equal (s_take (&client, FRAME_SESSION, body), sizeof down - FRAME_HEADER);
    assert_int_equal (body [0], 42);
    s_client_close (&client);
    s_hear_close (&client);
}

//  More frames at once than libzmq's queue holds: a peer that reads gets them all, in order.
static void test_a_burst_to_a_peer_arrives_whole (void **state)
{
    (void)state;
    box_keys_t keys;
    uint8_t body [FRAME_MAX], down [500] = { 1, FRAME_SESSION };
    client_t client = s_new_member (&keys, NULL);
    for (uint32_t i = 0; i < 1500; i++) {
        memcpy (down + FRAME_HEADER, &i, sizeof i);
        pipe_put (s_bench.lanes [0], PIPE_SEND, client.session, down, sizeof down);
    }
    while (pipe_queued (s_bench.lanes [0]))
        assert_int_equal (pipe_flush (s_bench.lanes [0]), 0);
    for (uint32_t i = 0; i < 1500; i++) {
        uint32_t number;
        s_take (&client, FRAME_SESSION, body);
        memcpy (&number, body, sizeof number);
        assert_int_equal (number, i);
    }
    s_client_close (&client);
    s_hear_close (&client);
}

static void test_a_multipart_message_ends_the_session (void **state)
{
    (void)state;
    box_keys_t keys;
    client_t client = s_new_member (&keys, NULL);
    uint64_t before = s_bench.counters [FRONT_FRAMES_MULTIPART];
    for (int i = 0; i < 20; i++)
        zmq_send (client.socket, "part", 4, ZMQ_SNDMORE);
    zmq_send (client.socket, "last", 4, 0);
    s_until_event (&client, ZMQ_EVENT_DISCONNECTED);
    s_hear_close (&client);
    s_hear_counter (FRONT_FRAMES_MULTIPART, before + 1);
    s_client_close (&client);
}

static void test_frames_that_are_not_ours_are_counted (void **state)
{
    (void)state;
    box_keys_t keys;
    box_keys_make (&keys);
    s_admit (&keys, ADMIT_MEMBER);
    client_t early = s_member (&keys);
    uint64_t before = s_bench.counters [FRONT_FRAMES_NO_HELLO];
    s_post (&early, FRAME_SESSION, LANE_URGENT, "early", 5);
    s_hear_counter (FRONT_FRAMES_NO_HELLO, before + 1);
    zmq_send (early.socket, "\x02\x01\x00\x00", 4, 0);
    s_take_notice (&early, PATROL__CODE__WRONG_VERSION);
    s_client_close (&early);
    client_t client = s_new_member (&keys, NULL);
    s_post (&client, FRAME_SUBMIT, LANE_BULK, "\x7f\x7f", 2);
    s_take_notice (&client, PATROL__CODE__BAD_FRAME);
    for (int i = 0; i < 15; i++)
        zmq_send (client.socket, "?", 1, 0);
    s_until_event (&client, ZMQ_EVENT_DISCONNECTED);
    s_hear_close (&client);
    s_client_close (&client);
}

//  A routing id of the peer's own choice is hostile, even one of the right size.
static void test_a_chosen_routing_id_is_cut (void **state)
{
    (void)state;
    box_keys_t keys;
    client_t member = s_new_member (&keys, NULL);
    uint64_t before = s_bench.counters [FRONT_FRAMES_ROUTING_ID];
    client_t client = s_client_without_keys ();
    zmq_setsockopt (client.socket, ZMQ_ROUTING_ID, "wang1", 5);
    zmq_setsockopt (client.socket, ZMQ_CURVE_SERVERKEY, s_bench.transport.public_key, KEY_SIZE);
    zmq_setsockopt (client.socket, ZMQ_CURVE_PUBLICKEY, keys.public_key, KEY_SIZE);
    zmq_setsockopt (client.socket, ZMQ_CURVE_SECRETKEY, keys.secret_key, KEY_SIZE);
    assert_int_equal (zmq_connect (client.socket, s_bench.endpoint), 0);
    s_post_hello (&client);
    s_until_event (&client, ZMQ_EVENT_DISCONNECTED);
    s_hear_counter (FRONT_FRAMES_ROUTING_ID, before + 1);
    s_client_close (&client);
    s_client_close (&member);
    s_hear_close (&member);
}

static void test_an_enrolment_may_only_enrol (void **state)
{
    (void)state;
    box_keys_t keys;
    heard_t heard;
    box_keys_make (&keys);
    s_admit (&keys, ADMIT_ENROL);
    client_t client = s_greeted (&keys, ADMIT_ENROL, NULL);
    s_post (&client, FRAME_SESSION, LANE_URGENT, "attach", 6);
    s_take_notice (&client, PATROL__CODE__NOT_ALLOWED);
    s_post (&client, FRAME_ENROL, LANE_URGENT, "enrol", 5);
    s_hear (PIPE_FRAME, &heard);
    assert_int_equal (heard.session, client.session);
    assert_memory_equal (heard.payload + FRAME_HEADER, "enrol", 5);
    s_client_close (&client);
    s_hear_close (&client);
}

static void s_hear_envelopes (const client_t *client, uint64_t wanted)
{
    heard_t heard;
    for (uint64_t count = 0; count < wanted; count += (heard.size - FRAME_HEADER) / (ENVELOPE + 2)) {
        s_hear (PIPE_FRAME, &heard);
        assert_int_equal (heard.session, client->session);
        assert_int_equal (heard.lane, LANE_BULK);
    }
}

static void test_credit_is_given_and_kept (void **state)
{
    (void)state;
    box_keys_t keys;
    uint8_t body [FRAME_MAX];
    uint64_t credit;
    client_t client = s_new_member (&keys, &credit);
    assert_int_equal (credit, 2048);
    //  A core that takes nothing stops the sender: new credit ends once so much waits in the front.
    uint64_t sent = 0, refused = s_bench.counters [FRONT_FRAMES_OVER_CREDIT];
    int64_t until = s_until ();
    zmq_pollitem_t item = { client.socket, 0, ZMQ_POLLIN, 0 };
    bool more = true;
    while ((more || sent * ENVELOPE < 2u << 20) && time_mono_ms () < until) {
        while (sent + 20 <= credit) {
            s_post_envelopes (&client, LANE_BULK, 20);
            sent += 20;
        }
        more = zmq_poll (&item, 1, 1000) > 0;
        if (more) {
            size_t size = s_take (&client, FRAME_CREDIT, body);
            Patrol__Credit *grant = patrol__credit__unpack (NULL, size, body);
            assert_true (grant->submit_up_to > credit);
            credit = grant->submit_up_to;
            patrol__credit__free_unpacked (grant, NULL);
        }
    }
    assert_false (more);
    //  More than that is dropped and said; then the core takes all, and credit comes again.
    s_post_envelopes (&client, LANE_BULK, 27);
    s_post_envelopes (&client, LANE_BULK, 27);
    s_take_notice (&client, PATROL__CODE__SLOW_DOWN);
    s_hear_envelopes (&client, sent);
    s_take (&client, FRAME_CREDIT, body);
    s_hear_counter (FRONT_FRAMES_OVER_CREDIT, refused + 1);
    s_client_close (&client);
    s_hear_close (&client);
}

static void test_urgent_tips_have_a_bucket (void **state)
{
    (void)state;
    box_keys_t keys;
    heard_t heard;
    int urgent = 0, bulk = 0;
    client_t client = s_new_member (&keys, NULL);
    for (int i = 0; i < 100; i++)
        s_post_envelopes (&client, LANE_URGENT, 1);
    while (urgent + bulk < 100) {
        s_hear (PIPE_FRAME, &heard);
        assert_int_equal (heard.payload [2], LANE_URGENT);
        if (heard.lane == LANE_URGENT)
            urgent++;
        else
            bulk++;
    }
    assert_in_range (urgent, 60, 100);
    assert_true (bulk > 0 || urgent > 60);
    s_client_close (&client);
    s_hear_close (&client);
}

static void test_a_revoked_key_is_cut (void **state)
{
    (void)state;
    box_keys_t keys;
    client_t client = s_new_member (&keys, NULL);
    s_tell (PIPE_REVOKE, 0, keys.public_key, KEY_SIZE);
    s_until_event (&client, ZMQ_EVENT_DISCONNECTED);
    s_hear_close (&client);
    s_client_close (&client);
    client_t again = s_client (&keys);
    s_until_event (&again, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
    s_client_close (&again);
    s_hear_counter (FRONT_HANDSHAKES_REVOKED, 1);
}

static void test_the_core_goes_and_comes_back (void **state)
{
    (void)state;
    box_keys_t stays, goes;
    heard_t heard;
    client_t client = s_new_member (&stays, NULL), other = s_new_member (&goes, NULL);
    s_core_down ();
    s_take_welcome (&client, false);
    s_take_welcome (&other, false);
    s_post (&client, FRAME_SESSION, LANE_URGENT, "lost", 4); //  nobody takes it
    s_core_up ();
    s_admit (&stays, ADMIT_MEMBER);
    s_core_ready ();
    s_take_welcome (&client, true);
    s_hear (PIPE_OPEN, &heard);
    assert_int_equal (heard.session, client.session);
    s_until_event (&other, ZMQ_EVENT_DISCONNECTED); //  the core did not name it any more
    s_post (&client, FRAME_SESSION, LANE_URGENT, "attach", 6);
    s_hear (PIPE_FRAME, &heard);
    assert_memory_equal (heard.payload + FRAME_HEADER, "attach", 6);
    s_client_close (&other);
    s_client_close (&client);
    s_hear_close (&client);
}

static void test_counters_have_names (void **state)
{
    (void)state;
    for (int i = 0; i < FRONT_COUNTERS; i++)
        assert_non_null (front_counter_name (i));
    assert_true (FRONT_COUNTERS <= 16);
    assert_null (front_counter_name (FRONT_COUNTERS));
    assert_null (front_counter_name (-1));
    assert_string_equal (front_counter_name (FRONT_SESSIONS), "sessions");
}

//  ---- start and end

//  A port that was free a moment ago.
static int s_free_port (void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    assert_int_equal (bind (fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal (getsockname (fd, (struct sockaddr *)&address, &size), 0);
    close (fd);
    return ntohs (address.sin_port);
}

//  Runs a front in a child; its ready pipe in *ready_fd. The test holds no ZeroMQ context yet.
static pid_t s_start (const char *home, int *ready_fd)
{
    int ready [2];
    assert_int_equal (pipe2 (ready, O_CLOEXEC), 0);
    pid_t child = fork ();
    assert_true (child >= 0);
    if (child == 0) {
        close (ready [0]);
        exit (front_run (home, s_bench.endpoint, ready [1])); //  exit: the leak checker runs
    }
    close (ready [1]);
    *ready_fd = ready [0];
    return child;
}

static int s_exit_code (pid_t child)
{
    int status;
    assert_int_equal (waitpid (child, &status, 0), child);
    return WIFEXITED (status) ? WEXITSTATUS (status) : -1;
}

static int s_setup (void **state)
{
    (void)state;
    int ready_fd;
    char octet = 0;
    if (identity_init ())
        return -1;
    strcpy (s_bench.home, "/tmp/front_test.XXXXXX");
    if (!mkdtemp (s_bench.home))
        return -1;
    snprintf (s_bench.key_path, sizeof s_bench.key_path, "%s/transport.key", s_bench.home);
    snprintf (s_bench.socket_path, sizeof s_bench.socket_path, "%s/%s", s_bench.home, CORE_SOCKET);
    snprintf (s_bench.endpoint, sizeof s_bench.endpoint, "tcp://127.0.0.1:%d", s_free_port ());
    //  Without a key: one line, exit 1, no sign of life.
    pid_t child = s_start (s_bench.home, &ready_fd);
    assert_int_equal (s_exit_code (child), 1);
    assert_int_equal (read (ready_fd, &octet, 1), 0);
    close (ready_fd);
    box_keys_make (&s_bench.transport);
    assert_int_equal (box_keys_save (&s_bench.transport, s_bench.key_path, "transport"), 0);
    s_bench.front = s_start (s_bench.home, &ready_fd);
    assert_int_equal (read (ready_fd, &octet, 1), 1);
    close (ready_fd);
    //  The port is taken now.
    child = s_start (s_bench.home, &ready_fd);
    assert_int_equal (s_exit_code (child), 1);
    close (ready_fd);
    s_bench.zmq = zmq_ctx_new ();
    s_core_up ();
    s_core_ready ();
    return 0;
}

static int s_teardown (void **state)
{
    (void)state;
    kill (s_bench.front, SIGTERM);
    assert_int_equal (s_exit_code (s_bench.front), 0);
    s_core_down ();
    for (int i = 0; i < SOCKETS; i++)
        if (s_bench.sockets [i])
            zmq_close (s_bench.sockets [i]);
    zmq_ctx_term (s_bench.zmq);
    unlink (s_bench.key_path);
    return rmdir (s_bench.home);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_unknown_keys_are_refused_until_admitted),
        cmocka_unit_test (test_a_client_without_curve_is_refused),
        cmocka_unit_test (test_frames_go_both_ways),
        cmocka_unit_test (test_a_burst_to_a_peer_arrives_whole),
        cmocka_unit_test (test_a_multipart_message_ends_the_session),
        cmocka_unit_test (test_frames_that_are_not_ours_are_counted),
        cmocka_unit_test (test_a_chosen_routing_id_is_cut),
        cmocka_unit_test (test_an_enrolment_may_only_enrol),
        cmocka_unit_test (test_credit_is_given_and_kept),
        cmocka_unit_test (test_urgent_tips_have_a_bucket),
        cmocka_unit_test (test_a_revoked_key_is_cut),
        cmocka_unit_test (test_the_core_goes_and_comes_back),
        cmocka_unit_test (test_counters_have_names),
    };
    return cmocka_run_group_tests (tests, s_setup, s_teardown);
}
