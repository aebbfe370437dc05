//  hostile - a peer that does what it should not, one thing an invocation, and prints what came of it
//
//    hostile HOME ATTACK [OTHER]     with the keys of a member's home; OTHER: another member's home, for `foreign-*`
//    hostile HOME stranger           keys nobody knows, at the broker of HOME
//    hostile HOME guest LINE         with an invitation's key: all but enrolment is forbidden to it
//
//  One line an event: `admitted`, `shut out`, `cut`, `notice CODE: DETAIL`, `refusal CODE: DETAIL`, `receipt CODE: DETAIL`, `taken N`, `silence`. Every
//  attack is followed by an honest attach, whose answer ends the wait, so nothing here depends on how long something takes.

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>
#include "device.h"
#include "frame.h"
#include "timefmt.h"

#define PATIENCE_MS 20000
#define LONG_AGO    (time_now_ms () - 3600000)

typedef struct {
    device_t *device, *other;
    box_keys_t link;
    void *zmq, *socket, *monitor;
    uint8_t shared [KEY_SIZE];          //  sessions and envelopes are boxed with it
    uint64_t session, seq, epoch, counter;
    uint64_t welcome;                   //  credit
    const char *routing_id;
    arena_t *arena;
    bool cut, attached, heard, quiet;
    uint8_t down [FRAME_MAX];
} peer_t;

static void s_die (const char *format, ...) __attribute__ ((format (printf, 1, 2), noreturn));
static void s_die (const char *format, ...)
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
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value (&patrol__code__descriptor, (int) code);
    return value ? value->name : "?";
}

//  ---- the connection

static void s_connect (peer_t *self)
{
    int zero = 0, events = ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
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
        s_die ("%s: %s", device_endpoint (self->device), zmq_strerror (errno));
}

//  The next event of the monitor, 0 if none comes in time.
static int s_event (peer_t *self, long wait_ms)
{
    zmq_pollitem_t item = {.socket = self->monitor, .events = ZMQ_POLLIN};
    uint8_t event [6] = {0};
    uint16_t number;
    if (zmq_poll (&item, 1, wait_ms) <= 0)
        return 0;
    zmq_recv (self->monitor, event, sizeof event, 0);
    zmq_recv (self->monitor, NULL, 0, 0);
    memcpy (&number, event, sizeof number);
    return number;
}

static bool s_admitted (peer_t *self)
{
    int event = s_event (self, PATIENCE_MS);
    if (!event)
        s_die ("the broker does not answer");
    return event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
}

static void s_send (peer_t *self, const void *bytes, size_t size)
{
    if (zmq_send (self->socket, bytes, size, ZMQ_DONTWAIT) < 0)
        s_die ("send: %s", zmq_strerror (errno));
}

static void s_send_message (peer_t *self, frame_type_t type, const ProtobufCMessage *message)
{
    uint8_t frame [FRAME_MAX];
    frame_begin (frame, type, LANE_URGENT);
    s_send (self, frame, FRAME_HEADER + protobuf_c_message_pack (message, frame + FRAME_HEADER));
}

//  ---- what came back

static void s_say (peer_t *self, const char *what, uint32_t code, ProtobufCBinaryData detail)
{
    self->heard = true;
    if (!self->quiet)
        printf ("%s %s: %.*s\n", what, s_code (code), (int) detail.len, (const char *) detail.data);
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
    }
    else if (down->body_case == PATROL__DOWN__BODY_REFUSAL)
        s_say (self, "refusal", down->refusal->code, down->refusal->detail);
    else if (down->body_case == PATROL__DOWN__BODY_ANSWER)
        s_say (self, "answer", down->answer->code, down->answer->detail);
    else if (down->body_case == PATROL__DOWN__BODY_RECEIPTS)
        for (size_t i = 0; i < down->receipts->n_taken; i++) {
            s_say (self, "receipt", down->receipts->taken [i]->code, down->receipts->taken [i]->detail);
            printf ("taken %llu\n", (unsigned long long) down->receipts->taken [i]->counter);
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
        Patrol__Welcome *welcome = patrol__welcome__unpack (arena_allocator (self->arena), size - FRAME_HEADER, frame + FRAME_HEADER);
        if (welcome && welcome->core_up)
            self->welcome = welcome->submit_up_to;
    }
    else if (type == FRAME_NOTICE) {
        Patrol__Notice *notice = patrol__notice__unpack (arena_allocator (self->arena), size - FRAME_HEADER, frame + FRAME_HEADER);
        if (notice)
            s_say (self, "notice", notice->code, notice->detail);
    }
    else if (type == FRAME_SESSION)
        s_down (self, frame + FRAME_HEADER, size - FRAME_HEADER);
}

//  Takes what comes until *until is set, the connection is gone or the time is over.
static void s_listen (peer_t *self, const bool *until, int64_t patience_ms)
{
    static uint8_t frame [2 * FRAME_MAX];
    int64_t end_ms = time_mono_ms () + patience_ms;
    while (!self->cut && !*until && time_mono_ms () < end_ms) {
        zmq_pollitem_t items [2] = {{.socket = self->socket, .events = ZMQ_POLLIN}, {.socket = self->monitor, .events = ZMQ_POLLIN}};
        zmq_poll (items, 2, 200);
        if (items [0].revents) {
            int size = zmq_recv (self->socket, frame, sizeof frame, 0);
            if (size >= 0)
                s_frame (self, frame, (size_t) size);
        }
        else if (items [1].revents && s_event (self, 0) == ZMQ_EVENT_DISCONNECTED)
            self->cut = true;
    }
}

static void s_hello (peer_t *self)
{
    Patrol__Hello hello = PATROL__HELLO__INIT;
    hello.version = FRAME_VERSION;
    hello.agent = (ProtobufCBinaryData) {7, (uint8_t *) "hostile"};
    s_send_message (self, FRAME_HELLO, &hello.base);
    int64_t end_ms = time_mono_ms () + PATIENCE_MS;
    while (!self->cut && !self->welcome && time_mono_ms () < end_ms) {
        uint8_t frame [FRAME_MAX];
        zmq_pollitem_t item = {.socket = self->socket, .events = ZMQ_POLLIN};
        if (zmq_poll (&item, 1, 100) > 0) {
            int size = zmq_recv (self->socket, frame, sizeof frame, 0);
            if (size > 0)
                s_frame (self, frame, (size_t) size);
        }
        else if (s_event (self, 0) == ZMQ_EVENT_DISCONNECTED)
            self->cut = true;
    }
}

static size_t s_box_up (uint8_t frame [FRAME_MAX], Patrol__Up *up, const uint8_t *shared, domain_t domain)
{
    frame_begin (frame, FRAME_SESSION, LANE_URGENT);
    return FRAME_HEADER + box_seal (frame + FRAME_HEADER, FRAME_MAX - FRAME_HEADER, shared, domain, &up->base);
}

static void s_attach (peer_t *self)
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
        s_send (self, frame, s_box_up (frame, &up, device_shared (self->device), DOMAIN_UP));
        s_listen (self, &self->attached, 1000);
    }
}

static void s_enter (peer_t *self)
{
    s_connect (self);
    if (!s_admitted (self))
        s_die ("this home is not admitted");
    s_hello (self);
    if (!self->welcome)
        s_die ("no welcome");
    s_attach (self);
    if (!self->attached)
        s_die ("not attached");
}

//  ---- envelopes

typedef struct {
    const char *kind, *text;
    size_t text_size;
    uint32_t severity, datum, accuracy_m;
    int32_t lat_e7, lon_e7;
    int64_t seen_ms, written_ms;
    uint64_t counter;
    class_t cls;
    bool lie_about_tag;
} tip_t;

static tip_t s_tip (peer_t *self)
{
    return (tip_t) {.kind = "hazard", .text = "a tip", .severity = 2, .lat_e7 = 330500000, .lon_e7 = 1090500000, .written_ms = LONG_AGO,
        .counter = ++self->counter, .cls = CLASS_NORMAL};
}

static Patrol__Inner *s_inner (const peer_t *self, const tip_t *tip, Patrol__Inner *inner, Patrol__Tip *body)
{
    patrol__inner__init (inner);
    patrol__tip__init (body);
    body->kind = (ProtobufCBinaryData) {strlen (tip->kind), (uint8_t *) tip->kind};
    body->severity = tip->severity;
    body->cls = tip->cls;
    body->text = (ProtobufCBinaryData) {tip->text_size ? tip->text_size : strlen (tip->text), (uint8_t *) tip->text};
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

static size_t s_seal (peer_t *self, const tip_t *tip, uint8_t **out)
{
    Patrol__Inner inner;
    Patrol__Tip body;
    envelope_seal_t seal = *device_seal (self->device);
    memcpy (seal.shared, self->shared, KEY_SIZE);
    size_t size = envelope_seal (out, &seal, tip->cls, 24, time_now_ms (), s_inner (self, tip, &inner, &body));
    if (!size)
        s_die ("cannot be sealed");
    return size;
}

//  An envelope of octets of our own under a header of the first one: what envelope_seal would not make.
static void s_seal_again (uint8_t *envelope, size_t size, const uint8_t *shared, const uint8_t *plain)
{
    size_t plain_size = size - ENVELOPE_OVERHEAD;
    crypto_box_easy_afternm (envelope + ENVELOPE_HEADER + NONCE_SIZE, plain, plain_size, envelope + ENVELOPE_HEADER, shared);
}

static void s_submit (peer_t *self, lane_t lane, const uint8_t *envelope, size_t size)
{
    uint8_t frame [FRAME_MAX];
    size_t used = FRAME_HEADER;
    frame_begin (frame, FRAME_SUBMIT, lane);
    if (!frame_add_envelope (frame, &used, envelope, size))
        s_die ("does not fit");
    s_send (self, frame, used);
}

static void s_submit_tip (peer_t *self, const tip_t *tip)
{
    uint8_t *envelope;
    size_t size = s_seal (self, tip, &envelope);
    s_submit (self, LANE_BULK, envelope, size);
    free (envelope);
}

//  A receipt comes after a commit, so no later answer says that it has come; and an attach makes it unnecessary.
static void s_await_word (peer_t *self)
{
    self->heard = false;
    s_listen (self, &self->heard, PATIENCE_MS);
}

static void s_honest_tip (peer_t *self)
{
    tip_t tip = s_tip (self);
    s_submit_tip (self, &tip);
    s_await_word (self);
}

//  ---- frames

static void s_do_oversize (peer_t *self)
{
    static uint8_t frame [20000];
    frame_begin (frame, FRAME_SUBMIT, LANE_BULK);
    s_send (self, frame, sizeof frame);
}

static void s_do_frame_too_long (peer_t *self)
{
    static uint8_t frame [FRAME_MAX + 1];
    frame_begin (frame, FRAME_SUBMIT, LANE_BULK);
    s_send (self, frame, sizeof frame);
}

static void s_do_frame_too_short (peer_t *self)
{
    s_send (self, "\1\4\1", 3);
}

static void s_do_frame_empty (peer_t *self)
{
    s_send (self, "", 0);
}

static void s_do_frame_version (peer_t *self)
{
    s_send (self, "\2\4\1\0abcdefgh", 12);
}

static void s_do_frame_type (peer_t *self)
{
    s_send (self, "\1\10\1\0abcdefgh", 12);
}

static void s_do_frame_lane (peer_t *self)
{
    s_send (self, "\1\4\2\0abcdefgh", 12);
}

static void s_do_frame_reserved (peer_t *self)
{
    s_send (self, "\1\4\1\1abcdefgh", 12);
}

static void s_do_frame_of_front (peer_t *self)
{
    s_send (self, "\1\2\0\0", 4);
}

static void s_do_multipart (peer_t *self)
{
    for (int i = 0; i < 50; i++)
        zmq_send (self->socket, "\1\4\1\0abcdefgh", 12, ZMQ_SNDMORE);
    s_send (self, "end", 3);
}

static void s_do_truncated (peer_t *self)
{
    uint8_t *envelope, frame [FRAME_MAX];
    tip_t tip = s_tip (self);
    size_t size = s_seal (self, &tip, &envelope), used = FRAME_HEADER;
    frame_begin (frame, FRAME_SUBMIT, LANE_BULK);
    frame_add_envelope (frame, &used, envelope, size);
    s_send (self, frame, used - 100);
    free (envelope);
}

//  The same envelope, far more often than any credit or bucket lets through at once.
static void s_flood (peer_t *self, lane_t lane, const char *kind, uint32_t severity, class_t cls)
{
    uint8_t *envelope, frame [FRAME_MAX];
    tip_t tip = s_tip (self);
    tip.kind = kind;
    tip.severity = severity;
    tip.cls = cls;
    size_t size = s_seal (self, &tip, &envelope), used = FRAME_HEADER;
    frame_begin (frame, FRAME_SUBMIT, lane);
    while (frame_add_envelope (frame, &used, envelope, size))
        continue;
    self->quiet = true;
    for (int i = 0; i < 1000; i++)
        if (zmq_send (self->socket, frame, used, 0) < 0)
            s_die ("send: %s", zmq_strerror (errno));
    free (envelope);
}

static void s_do_bulk_flood (peer_t *self)
{
    s_flood (self, LANE_BULK, "hazard", 2, CLASS_NORMAL);
}

static void s_do_urgent_flood (peer_t *self)
{
    s_flood (self, LANE_URGENT, "sos", 3, CLASS_SOS);
}

static void s_do_talk_flood (peer_t *self)
{
    static const uint8_t credit [] = {1, FRAME_CREDIT, LANE_URGENT, 0, 0x10, 1};
    for (int i = 0; i < 20000; i++)
        if (zmq_send (self->socket, credit, sizeof credit, 0) < 0)
            s_die ("send: %s", zmq_strerror (errno));
}

//  ---- envelopes that do not open

static void s_do_mutated (peer_t *self)
{
    uint8_t *envelope;
    tip_t tip = s_tip (self);
    size_t size = s_seal (self, &tip, &envelope);
    envelope [size - 20] ^= 1;
    s_submit (self, LANE_BULK, envelope, size);
    free (envelope);
}

//  What an honest envelope says in clear is bound to what is sealed: neither its life nor its class can be changed on the way.
static void s_do_mutated_header (peer_t *self)
{
    uint8_t *envelope;
    tip_t tip = s_tip (self);
    size_t size = s_seal (self, &tip, &envelope);
    envelope [36] ^= 2;
    s_submit (self, LANE_BULK, envelope, size);
    free (envelope);
}

static void s_do_envelope_version (peer_t *self)
{
    uint8_t *envelope;
    tip_t tip = s_tip (self);
    size_t size = s_seal (self, &tip, &envelope);
    envelope [0] = 9;
    s_submit (self, LANE_BULK, envelope, size);
    free (envelope);
}

static void s_do_other_district (peer_t *self)
{
    uint8_t *envelope;
    tip_t tip = s_tip (self);
    size_t size = s_seal (self, &tip, &envelope);
    envelope [9] ^= 1;
    s_submit (self, LANE_BULK, envelope, size);
    free (envelope);
}

static void s_do_unknown_handle (peer_t *self)
{
    uint8_t *envelope;
    tip_t tip = s_tip (self);
    size_t size = s_seal (self, &tip, &envelope);
    randombytes_buf (envelope + 16, HANDLE_SIZE);
    s_submit (self, LANE_BULK, envelope, size);
    free (envelope);
}

//  The handle of another member, as a relay may have seen it, over our own seal.
static void s_do_foreign_handle (peer_t *self)
{
    uint8_t *envelope;
    tip_t tip = s_tip (self);
    size_t size = s_seal (self, &tip, &envelope);
    envelope_handle (envelope + 16, device_shared (self->other), envelope_day (time_now_ms ()));
    s_submit (self, LANE_BULK, envelope, size);
    free (envelope);
}

static void s_do_domain (peer_t *self)
{
    uint8_t *envelope, plain [512];
    tip_t tip = s_tip (self);
    size_t size = s_seal (self, &tip, &envelope);
    if (crypto_box_open_easy_afternm (plain, envelope + ENVELOPE_HEADER + NONCE_SIZE, size - ENVELOPE_HEADER - NONCE_SIZE,
            envelope + ENVELOPE_HEADER, self->shared))
        s_die ("cannot open its own box");
    plain [0] = DOMAIN_UP;
    s_seal_again (envelope, size, self->shared, plain);
    s_submit (self, LANE_BULK, envelope, size);
    free (envelope);
}

static void s_do_padding (peer_t *self)
{
    uint8_t *envelope, plain [512];
    tip_t tip = s_tip (self);
    size_t size = s_seal (self, &tip, &envelope);
    if (crypto_box_open_easy_afternm (plain, envelope + ENVELOPE_HEADER + NONCE_SIZE, size - ENVELOPE_HEADER - NONCE_SIZE,
            envelope + ENVELOPE_HEADER, self->shared))
        s_die ("cannot open its own box");
    plain [511] = 7;
    s_seal_again (envelope, size, self->shared, plain);
    s_submit (self, LANE_BULK, envelope, size);
    free (envelope);
}

//  A field this version does not know, inside the seal.
static void s_do_unknown_field (peer_t *self)
{
    uint8_t *envelope, plain [512];
    tip_t tip = s_tip (self);
    size_t size = s_seal (self, &tip, &envelope), end = 511;
    if (crypto_box_open_easy_afternm (plain, envelope + ENVELOPE_HEADER + NONCE_SIZE, size - ENVELOPE_HEADER - NONCE_SIZE,
            envelope + ENVELOPE_HEADER, self->shared))
        s_die ("cannot open its own box");
    while (plain [end] != 0x80)
        end--;
    plain [end++] = 0xf8;               //  field 31, varint
    plain [end++] = 0x01;
    plain [end++] = 0x01;
    plain [end] = 0x80;
    s_seal_again (envelope, size, self->shared, plain);
    s_submit (self, LANE_BULK, envelope, size);
    free (envelope);
}

static void s_do_tag (peer_t *self)
{
    tip_t tip = s_tip (self);
    tip.lie_about_tag = true;
    s_submit_tip (self, &tip);
}

//  ---- replays

static void s_do_replay_envelope (peer_t *self)
{
    uint8_t *envelope;
    tip_t tip = s_tip (self);
    size_t size = s_seal (self, &tip, &envelope);
    s_submit (self, LANE_BULK, envelope, size);
    s_await_word (self);
    for (int i = 0; i < 4; i++) {
        s_submit (self, LANE_BULK, envelope, size);
        s_await_word (self);
    }
    s_submit (self, LANE_BULK, envelope, size);
    free (envelope);
}

static size_t s_feed_ack (peer_t *self, uint8_t frame [FRAME_MAX], uint64_t session, uint64_t seq, uint64_t stored)
{
    Patrol__Up up = PATROL__UP__INIT;
    Patrol__FeedAck ack = PATROL__FEED_ACK__INIT;
    ack.stored = stored;
    up.session = session;
    up.seq = seq;
    up.body_case = PATROL__UP__BODY_FEED_ACK;
    up.feed_ack = &ack;
    return s_box_up (frame, &up, self->shared, DOMAIN_UP);
}

static void s_do_replay_session (peer_t *self)
{
    uint8_t frame [FRAME_MAX];
    size_t size = s_feed_ack (self, frame, self->session, 1, 0);
    s_send (self, frame, size);
    s_send (self, frame, size);
}

static void s_do_other_session (peer_t *self)
{
    uint8_t frame [FRAME_MAX];
    s_send (self, frame, s_feed_ack (self, frame, self->session + 1, 1, 0));
}

static void s_do_old_session (peer_t *self)
{
    uint8_t frame [FRAME_MAX];
    size_t size = s_feed_ack (self, frame, self->session, 7, 0);
    s_attach (self);
    s_send (self, frame, size);
}

static void s_do_mutated_session (peer_t *self)
{
    uint8_t frame [FRAME_MAX];
    size_t size = s_feed_ack (self, frame, self->session, 1, 0);
    frame [size - 1] ^= 1;
    s_send (self, frame, size);
}

//  The link of one member, the box of another.
static void s_do_foreign_box (peer_t *self)
{
    uint8_t frame [FRAME_MAX];
    memcpy (self->shared, device_shared (self->other), KEY_SIZE);
    s_send (self, frame, s_feed_ack (self, frame, self->session, 1, 0));
}

static void s_do_ack_beyond (peer_t *self)
{
    uint8_t frame [FRAME_MAX];
    s_send (self, frame, s_feed_ack (self, frame, self->session, 1, 1000000));
}

static void s_do_query (peer_t *self)
{
    uint8_t frame [FRAME_MAX];
    Patrol__Up up = PATROL__UP__INIT;
    Patrol__Query query = PATROL__QUERY__INIT;
    query.id = 5;
    query.ask = PATROL__ASK__REPLAY;
    query.limit = 500;
    up.session = self->session;
    up.seq = 1;
    up.body_case = PATROL__UP__BODY_QUERY;
    up.query = &query;
    s_send (self, frame, s_box_up (frame, &up, self->shared, DOMAIN_UP));
}

static void s_do_command (peer_t *self)
{
    Patrol__Inner inner = PATROL__INNER__INIT;
    Patrol__Command command = PATROL__COMMAND__INIT;
    uint8_t *envelope;
    command.verb = PATROL__VERB__CLOSE;
    command.incident = 1;
    command.based_on = 1;
    command.officer = (ProtobufCBinaryData) {7, (uint8_t *) "Mallory"};
    inner.epoch = self->epoch;
    inner.counter = ++self->counter;
    inner.written_ms = LONG_AGO;
    inner.body_case = PATROL__INNER__BODY_COMMAND;
    inner.command = &command;
    inner.tag = envelope_tag (self->shared, inner.epoch, inner.counter, &command.base);
    size_t size = envelope_seal (&envelope, device_seal (self->device), CLASS_URGENT, 24, time_now_ms (), &inner);
    s_submit (self, LANE_URGENT, envelope, size);
    free (envelope);
}

//  ---- tips that are not right

static void s_do_counter_zero (peer_t *self)
{
    tip_t tip = s_tip (self);
    tip.counter = 0;
    s_submit_tip (self, &tip);
}

static void s_do_counter_far (peer_t *self)
{
    tip_t tip = s_tip (self);
    tip.counter = 20000;
    s_submit_tip (self, &tip);
}

static void s_do_gaps (peer_t *self)
{
    s_honest_tip (self);
    self->quiet = true;
    for (uint64_t i = 0; i < 70; i++) {
        tip_t tip = s_tip (self);
        tip.counter = 10 + 2 * i;
        if (i == 69) {
            s_attach (self);
            self->quiet = false;
        }
        s_submit_tip (self, &tip);
    }
}

static void s_do_epochs (peer_t *self)
{
    for (uint64_t i = 0; i < 6; i++) {
        self->epoch += 1000 + i;
        tip_t tip = s_tip (self);
        tip.counter = 1;
        s_submit_tip (self, &tip);
        s_await_word (self);
    }
}

static void s_do_unknown_kind (peer_t *self)
{
    tip_t tip = s_tip (self);
    tip.kind = "ufo";
    s_submit_tip (self, &tip);
}

//  What is told about it must not carry it on to a terminal.
static void s_do_kind_escape (peer_t *self)
{
    tip_t tip = s_tip (self);
    tip.kind = "\x1b[31mred\x1b]0;x\x07\xff\xfe";
    s_submit_tip (self, &tip);
}

static void s_do_severity (peer_t *self)
{
    tip_t tip = s_tip (self);
    tip.severity = 9;
    s_submit_tip (self, &tip);
}

static void s_do_text_control (peer_t *self)
{
    tip_t tip = s_tip (self);
    tip.text = "bell \x07";
    s_submit_tip (self, &tip);
}

static void s_do_text_utf8 (peer_t *self)
{
    tip_t tip = s_tip (self);
    tip.text = "\xc0\xaf over-long";
    s_submit_tip (self, &tip);
}

static void s_do_text_bidi (peer_t *self)
{
    tip_t tip = s_tip (self);
    tip.text = "\xe2\x80\xae turned round";
    s_submit_tip (self, &tip);
}

static void s_do_text_nul (peer_t *self)
{
    tip_t tip = s_tip (self);
    tip.text = "a\0b";
    tip.text_size = 3;
    s_submit_tip (self, &tip);
}

static void s_do_text_long (peer_t *self)
{
    static char words [4002];
    tip_t tip = s_tip (self);
    memset (words, 'a', 4001);
    tip.text = words;
    s_submit_tip (self, &tip);
}

static void s_do_position (peer_t *self)
{
    tip_t tip = s_tip (self);
    tip.lat_e7 = 910000000;
    s_submit_tip (self, &tip);
}

static void s_do_datum (peer_t *self)
{
    tip_t tip = s_tip (self);
    tip.datum = 3;
    s_submit_tip (self, &tip);
}

static void s_do_accuracy (peer_t *self)
{
    tip_t tip = s_tip (self);
    tip.accuracy_m = 4000000000u;
    s_submit_tip (self, &tip);
}

static void s_do_future (peer_t *self)
{
    tip_t tip = s_tip (self);
    tip.seen_ms = tip.written_ms + 3600000;
    s_submit_tip (self, &tip);
}

static void s_do_before_1970 (peer_t *self)
{
    tip_t tip = s_tip (self);
    tip.written_ms = -5;
    s_submit_tip (self, &tip);
}

//  ---- the table

static const struct {
    const char *name;
    void (*run) (peer_t *);
    bool receipt;                       //  the broker answers with a receipt
} s_attacks [] = {
    {"honest", s_honest_tip}, {"oversize", s_do_oversize}, {"frame-too-long", s_do_frame_too_long}, {"frame-too-short", s_do_frame_too_short},
    {"frame-empty", s_do_frame_empty}, {"frame-version", s_do_frame_version}, {"frame-type", s_do_frame_type}, {"frame-lane", s_do_frame_lane},
    {"frame-reserved", s_do_frame_reserved}, {"frame-of-front", s_do_frame_of_front}, {"multipart", s_do_multipart},
    {"truncated", s_do_truncated}, {"bulk-flood", s_do_bulk_flood}, {"urgent-flood", s_do_urgent_flood}, {"talk-flood", s_do_talk_flood}, {"mutated", s_do_mutated},
    {"mutated-header", s_do_mutated_header}, {"envelope-version", s_do_envelope_version}, {"other-district", s_do_other_district},
    {"unknown-handle", s_do_unknown_handle}, {"foreign-handle", s_do_foreign_handle}, {"domain", s_do_domain}, {"padding", s_do_padding},
    {"unknown-field", s_do_unknown_field}, {"tag", s_do_tag}, {"replay-envelope", s_do_replay_envelope, true}, {"replay-session", s_do_replay_session},
    {"other-session", s_do_other_session}, {"old-session", s_do_old_session}, {"mutated-session", s_do_mutated_session},
    {"foreign-box", s_do_foreign_box}, {"ack-beyond", s_do_ack_beyond}, {"query", s_do_query}, {"command", s_do_command, true},
    {"counter-zero", s_do_counter_zero}, {"counter-far", s_do_counter_far}, {"gaps", s_do_gaps}, {"epochs", s_do_epochs},
    {"unknown-kind", s_do_unknown_kind, true}, {"kind-escape", s_do_kind_escape, true}, {"severity", s_do_severity, true}, {"text-control", s_do_text_control, true},
    {"text-utf8", s_do_text_utf8, true}, {"text-bidi", s_do_text_bidi, true}, {"text-nul", s_do_text_nul, true}, {"text-long", s_do_text_long, true},
    {"position", s_do_position, true}, {"datum", s_do_datum, true}, {"accuracy", s_do_accuracy, true}, {"future", s_do_future, true}, {"before-1970", s_do_before_1970, true},
};

static int s_attack (peer_t *self, const char *name)
{
    for (size_t i = 0; i < sizeof s_attacks / sizeof s_attacks [0]; i++)
        if (strcmp (s_attacks [i].name, name) == 0) {
            s_enter (self);
            s_attacks [i].run (self);
            if (s_attacks [i].receipt)
                s_await_word (self);
            //  an honest attach: whatever the attack brought has come when its answer does
            memcpy (self->shared, device_shared (self->device), KEY_SIZE);
            s_attach (self);
            s_attach (self);
            printf ("%s\n", self->cut ? "cut" : self->attached ? "still there" : "silence");
            return 0;
        }
    fprintf (stderr, "hostile: no attack is called %s; there are:", name);
    for (size_t i = 0; i < sizeof s_attacks / sizeof s_attacks [0]; i++)
        fprintf (stderr, " %s", s_attacks [i].name);
    fprintf (stderr, "\n");
    return 2;
}

//  Keeps the session and says when it is cut; then tries to come back.
static int s_hold (peer_t *self)
{
    bool never = false;
    s_enter (self);
    printf ("attached\n");
    fflush (stdout);
    while (!self->cut)
        s_listen (self, &never, PATIENCE_MS);
    printf ("cut\n");
    fflush (stdout);
    return 0;
}

static int s_knock (peer_t *self)
{
    s_connect (self);
    printf ("%s\n", s_admitted (self) ? "admitted" : "shut out");
    return 0;
}

//  A weak key, a box that does not open, and what only members may send, all with an invitation's key.
static int s_guest (peer_t *self, const char *line)
{
    invitation_t invitation;
    uint8_t token [TOKEN_SIZE], frame [FRAME_HEADER + KEY_SIZE + 64] = {0};
    const char *reason;
    if (invitation_parse (&invitation, line, &reason))
        s_die ("%s", reason);
    invitation_derive (&invitation, &self->link, token);
    s_connect (self);
    if (!s_admitted (self)) {
        printf ("shut out\n");
        return 0;
    }
    s_hello (self);
    tip_t tip = s_tip (self);
    s_submit_tip (self, &tip);
    //  all zeros is a low-order point
    frame_begin (frame, FRAME_ENROL, LANE_URGENT);
    s_send (self, frame, sizeof frame);
    memset (frame + FRAME_HEADER, 7, KEY_SIZE + 64);
    s_send (self, frame, sizeof frame);
    s_send (self, frame, FRAME_HEADER + 5);
    //  no answer is owed to an enrolment that does not open: the credit asked for last is refused by a notice at most
    self->welcome = 0;
    s_hello (self);
    printf ("%s\n", self->cut ? "cut" : "still there");
    return 0;
}

int main (int argc, char **argv)
{
    peer_t peer = {.arena = arena_new (ARENA_MESSAGE_SIZE), .zmq = zmq_ctx_new ()};
    if (argc < 3 || identity_init ())
        s_die ("usage: hostile HOME ATTACK [OTHER]");
    setvbuf (stdout, NULL, _IOLBF, 0);
    peer.device = device_open (argv [1]);
    peer.other = argc > 3 && strncmp (argv [3], INVITATION_PREFIX, 4) != 0 ? device_open (argv [3]) : NULL;
    if (!peer.device)
        return 1;
    peer.link = *device_link_keys (peer.device);
    memcpy (peer.shared, device_shared (peer.device), KEY_SIZE);
    randombytes_buf (&peer.epoch, sizeof peer.epoch);
    int rc;
    if (strcmp (argv [2], "stranger") == 0) {
        box_keys_make (&peer.link);
        rc = s_knock (&peer);
    }
    else if (strcmp (argv [2], "knock") == 0)
        rc = s_knock (&peer);
    else if (strcmp (argv [2], "hold") == 0)
        rc = s_hold (&peer);
    else if (strcmp (argv [2], "guest") == 0 && argc > 3)
        rc = s_guest (&peer, argv [3]);
    else if (strcmp (argv [2], "own-routing-id") == 0) {
        peer.routing_id = "mallory";
        s_connect (&peer);
        s_admitted (&peer);
        s_hello (&peer);
        printf ("%s\n", peer.cut ? "cut" : peer.welcome ? "welcome" : "silence");
        rc = 0;
    }
    else
        rc = s_attack (&peer, argv [2]);
    zmq_close (peer.monitor);
    zmq_close (peer.socket);
    zmq_ctx_term (peer.zmq);
    device_destroy (&peer.device);
    device_destroy (&peer.other);
    arena_destroy (&peer.arena);
    return rc;
}
