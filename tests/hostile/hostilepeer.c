//  hostilepeer - a connection that can be used wrongly: nothing here checks what a caller sends

#include "hostilepeer.h"

#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>
#include "frame.h"
#include "timefmt.h"

void peer_die (const char *format, ...)
{
    va_list args;
    va_start (args, format);
    fprintf (stderr, "hostile: ");
    vfprintf (stderr, format, args);
    fputc ('\n', stderr);
    exit (1);
}

static const char *s_code (uint32_t code)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value (&patrol__code__descriptor, (int)code);
    return value ? value->name : "?";
}

//  ---- the connection

void peer_connect (peer_t *self)
{
    int zero = 0,
        events = ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
        | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
    self->socket = zmq_socket (self->zmq, ZMQ_DEALER);
    zmq_setsockopt (self->socket, ZMQ_CURVE_SERVERKEY, device_server_key (self->device), KEY_SIZE);
    zmq_setsockopt (self->socket, ZMQ_CURVE_PUBLICKEY, self->link.public_key, KEY_SIZE);
    zmq_setsockopt (self->socket, ZMQ_CURVE_SECRETKEY, self->link.secret_key, KEY_SIZE);
    zmq_setsockopt (self->socket, ZMQ_LINGER, &zero, sizeof zero);
    if (self->routing_id)
        zmq_setsockopt (self->socket, ZMQ_ROUTING_ID, self->routing_id, strlen (self->routing_id));
    zmq_socket_monitor (self->socket, "inproc://monitor", events);
    self->monitor = zmq_socket (self->zmq, ZMQ_PAIR);
    zmq_connect (self->monitor, "inproc://monitor");
    if (zmq_connect (self->socket, device_endpoint (self->device)))
        peer_die ("%s: %s", device_endpoint (self->device), zmq_strerror (errno));
}

//  The next event of the monitor, 0 if none comes in time.
static int s_event (peer_t *self, long wait_ms)
{
    zmq_pollitem_t item = { .socket = self->monitor, .events = ZMQ_POLLIN };
    uint8_t event [6] = { 0 };
    uint16_t number;
    if (zmq_poll (&item, 1, wait_ms) <= 0)
        return 0;
    zmq_recv (self->monitor, event, sizeof event, 0);
    zmq_recv (self->monitor, NULL, 0, 0);
    memcpy (&number, event, sizeof number);
    return number;
}

bool peer_admitted (peer_t *self)
{
    int event = s_event (self, PATIENCE_MS);
    if (!event)
        peer_die ("the broker does not answer");
    return event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
}

void peer_put (peer_t *self, const void *bytes, size_t size)
{
    if (zmq_send (self->socket, bytes, size, ZMQ_DONTWAIT) < 0)
        peer_die ("send: %s", zmq_strerror (errno));
}

static void s_send_message (peer_t *self, frame_type_t type, const ProtobufCMessage *message)
{
    uint8_t frame [FRAME_MAX];
    frame_begin (frame, type, LANE_URGENT);
    peer_put (self, frame, FRAME_HEADER + protobuf_c_message_pack (message, frame + FRAME_HEADER));
}

//  ---- what came back

static void s_say (peer_t *self, const char *what, uint32_t code, ProtobufCBinaryData detail)
{
    self->heard = true;
    if (!self->quiet)
        printf ("%s %s: %.*s\n", what, s_code (code), (int)detail.len, (const char *)detail.data);
}

static void s_down (peer_t *self, const uint8_t *body, size_t size)
{
    size_t message_size;
    const uint8_t *message = box_open (self->down, &message_size, device_shared (self->device), DOMAIN_DOWN, body, size);
    arena_reset (self->arena);
    Patrol__Down *down = message ? patrol__down__unpack (arena_allocator (self->arena), message_size, message) : NULL;
    if (!down) {
        printf ("a box that does not open\n");
        return;
    }
    if (down->body_case == PATROL__DOWN__BODY_ATTACHED) {
        self->session = down->session;
        self->seq = 0;
        self->attached = true;
    } else if (down->body_case == PATROL__DOWN__BODY_REFUSAL)
        s_say (self, "refusal", down->refusal->code, down->refusal->detail);
    else if (down->body_case == PATROL__DOWN__BODY_ANSWER)
        s_say (self, "answer", down->answer->code, down->answer->detail);
    else if (down->body_case == PATROL__DOWN__BODY_RECEIPTS)
        for (size_t i = 0; i < down->receipts->n_taken; i++) {
            s_say (self, "receipt", down->receipts->taken [i]->code, down->receipts->taken [i]->detail);
            printf ("taken %llu\n", (unsigned long long)down->receipts->taken [i]->counter);
        }
}

static void s_frame (peer_t *self, const uint8_t *frame, size_t size)
{
    frame_type_t type;
    lane_t lane;
    if (frame_parse (&type, &lane, frame, size)) {
        printf ("a frame that does not parse\n");
        return;
    }
    arena_reset (self->arena);
    if (type == FRAME_WELCOME) {
        Patrol__Welcome *welcome
            = patrol__welcome__unpack (arena_allocator (self->arena), size - FRAME_HEADER, frame + FRAME_HEADER);
        if (welcome && welcome->core_up)
            self->welcome = welcome->submit_up_to;
    } else if (type == FRAME_NOTICE) {
        Patrol__Notice *notice
            = patrol__notice__unpack (arena_allocator (self->arena), size - FRAME_HEADER, frame + FRAME_HEADER);
        if (notice)
            s_say (self, "notice", notice->code, notice->detail);
    } else if (type == FRAME_SESSION)
        s_down (self, frame + FRAME_HEADER, size - FRAME_HEADER);
}

//  Takes what comes until *until is set, the connection is gone or the time is over.
void peer_listen (peer_t *self, const bool *until, int64_t patience_ms)
{
    static uint8_t frame [2 * FRAME_MAX];
    int64_t end_ms = time_mono_ms () + patience_ms;
    while (!self->cut && !*until && time_mono_ms () < end_ms) {
        zmq_pollitem_t items [2]
            = { { .socket = self->socket, .events = ZMQ_POLLIN }, { .socket = self->monitor, .events = ZMQ_POLLIN } };
        zmq_poll (items, 2, 200);
        if (items [0].revents) {
            int size = zmq_recv (self->socket, frame, sizeof frame, 0);
            if (size >= 0)
                s_frame (self, frame, (size_t)size);
        } else if (items [1].revents && s_event (self, 0) == ZMQ_EVENT_DISCONNECTED)
            self->cut = true;
    }
}

void peer_hello (peer_t *self)
{
    Patrol__Hello hello = PATROL__HELLO__INIT;
    hello.version = FRAME_VERSION;
    hello.agent = (ProtobufCBinaryData){ 7, (uint8_t *)"hostile" };
    s_send_message (self, FRAME_HELLO, &hello.base);
    int64_t end_ms = time_mono_ms () + PATIENCE_MS;
    while (!self->cut && !self->welcome && time_mono_ms () < end_ms) {
        uint8_t frame [FRAME_MAX];
        zmq_pollitem_t item = { .socket = self->socket, .events = ZMQ_POLLIN };
        if (zmq_poll (&item, 1, 100) > 0) {
            int size = zmq_recv (self->socket, frame, sizeof frame, 0);
            if (size > 0)
                s_frame (self, frame, (size_t)size);
        } else if (s_event (self, 0) == ZMQ_EVENT_DISCONNECTED)
            self->cut = true;
    }
}

size_t peer_box_up (uint8_t frame [FRAME_MAX], Patrol__Up *up, const uint8_t *shared, domain_t domain)
{
    frame_begin (frame, FRAME_SESSION, LANE_URGENT);
    return FRAME_HEADER + box_seal (frame + FRAME_HEADER, FRAME_MAX - FRAME_HEADER, shared, domain, &up->base);
}

void peer_attach (peer_t *self)
{
    uint8_t frame [FRAME_MAX];
    Patrol__Up up = PATROL__UP__INIT;
    Patrol__Attach attach = PATROL__ATTACH__INIT;
    attach.nonce = 17;
    attach.now_ms = time_now_ms ();
    up.body_case = PATROL__UP__BODY_ATTACH;
    up.attach = &attach;
    self->attached = false;
    //  again every second: after a flood the first ones are refused
    for (int i = 0; i < PATIENCE_MS / 1000 && !self->attached && !self->cut; i++) {
        peer_put (self, frame, peer_box_up (frame, &up, device_shared (self->device), DOMAIN_UP));
        peer_listen (self, &self->attached, 1000);
    }
}

void peer_enter (peer_t *self)
{
    peer_connect (self);
    if (!peer_admitted (self))
        peer_die ("this home is not admitted");
    peer_hello (self);
    if (!self->welcome)
        peer_die ("no welcome");
    peer_attach (self);
    if (!self->attached)
        peer_die ("not attached");
}

//  ---- envelopes

tip_t peer_tip (peer_t *self)
{
    return (tip_t){ .kind = "hazard",
        .text = "a tip",
        .severity = 2,
        .lat_e7 = 330500000,
        .lon_e7 = 1090500000,
        .written_ms = LONG_AGO,
        .counter = ++self->counter,
        .cls = CLASS_NORMAL };
}

static Patrol__Inner *s_inner (const peer_t *self, const tip_t *tip, Patrol__Inner *inner, Patrol__Tip *body)
{
    patrol__inner__init (inner);
    patrol__tip__init (body);
    body->kind = (ProtobufCBinaryData){ strlen (tip->kind), (uint8_t *)tip->kind };
    body->severity = tip->severity;
    body->cls = tip->cls;
    body->text = (ProtobufCBinaryData){ tip->text_size ? tip->text_size : strlen (tip->text), (uint8_t *)tip->text };
    body->has_position = true;
    body->lat_e7 = tip->lat_e7;
    body->lon_e7 = tip->lon_e7;
    body->datum = tip->datum;
    body->accuracy_m = tip->accuracy_m;
    body->seen_ms = tip->seen_ms;
    inner->epoch = self->epoch;
    inner->counter = tip->counter;
    inner->written_ms = tip->written_ms;
    inner->body_case = PATROL__INNER__BODY_TIP;
    inner->tip = body;
    inner->tag = envelope_tag (self->shared, inner->epoch, inner->counter, &body->base) + tip->lie_about_tag;
    return inner;
}

size_t peer_seal (peer_t *self, const tip_t *tip, uint8_t **out)
{
    Patrol__Inner inner;
    Patrol__Tip body;
    envelope_seal_t seal = *device_seal (self->device);
    memcpy (seal.shared, self->shared, KEY_SIZE);
    size_t size = envelope_seal (out, &seal, tip->cls, 24, time_now_ms (), s_inner (self, tip, &inner, &body));
    if (!size)
        peer_die ("cannot be sealed");
    return size;
}

void peer_submit (peer_t *self, lane_t lane, const uint8_t *envelope, size_t size)
{
    uint8_t frame [FRAME_MAX];
    size_t used = FRAME_HEADER;
    frame_begin (frame, FRAME_SUBMIT, lane);
    if (!frame_add_envelope (frame, &used, envelope, size))
        peer_die ("does not fit");
    peer_put (self, frame, used);
}

void peer_submit_tip (peer_t *self, const tip_t *tip)
{
    uint8_t *envelope;
    size_t size = peer_seal (self, tip, &envelope);
    peer_submit (self, LANE_BULK, envelope, size);
    free (envelope);
}

//  A receipt comes after a commit, so no later answer says that it has come; and an attach makes it unnecessary.
void peer_await_word (peer_t *self)
{
    self->heard = false;
    peer_listen (self, &self->heard, PATIENCE_MS);
}

void peer_honest_tip (peer_t *self)
{
    tip_t tip = peer_tip (self);
    peer_submit_tip (self, &tip);
    peer_await_word (self);
}
