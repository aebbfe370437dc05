//  hostileframes - attacks by frames, floods, sessions and replays

#include "hostileattacks.h"

#include <sodium.h>
#include <string.h>
#include <stdlib.h>
#include <zmq.h>
#include "timefmt.h"

//  ---- frames

void attack_oversize (peer_t *self)
{
    static uint8_t frame [20000];
    frame_begin (frame, FRAME_SUBMIT, LANE_BULK);
    peer_put (self, frame, sizeof frame);
}

void attack_frame_too_long (peer_t *self)
{
    static uint8_t frame [FRAME_MAX + 1];
    frame_begin (frame, FRAME_SUBMIT, LANE_BULK);
    peer_put (self, frame, sizeof frame);
}

void attack_frame_too_short (peer_t *self)
{
    peer_put (self, "\1\4\1", 3);
}

void attack_frame_empty (peer_t *self)
{
    peer_put (self, "", 0);
}

void attack_frame_version (peer_t *self)
{
    peer_put (self, "\2\4\1\0abcdefgh", 12);
}

void attack_frame_type (peer_t *self)
{
    peer_put (self, "\1\10\1\0abcdefgh", 12);
}

void attack_frame_lane (peer_t *self)
{
    peer_put (self, "\1\4\2\0abcdefgh", 12);
}

void attack_frame_reserved (peer_t *self)
{
    peer_put (self, "\1\4\1\1abcdefgh", 12);
}

void attack_frame_of_front (peer_t *self)
{
    peer_put (self, "\1\2\0\0", 4);
}

void attack_multipart (peer_t *self)
{
    for (int i = 0; i < 50; i++)
        zmq_send (self->socket, "\1\4\1\0abcdefgh", 12, ZMQ_SNDMORE);
    peer_put (self, "end", 3);
}

void attack_truncated (peer_t *self)
{
    uint8_t *envelope, frame [FRAME_MAX];
    tip_t tip = peer_tip (self);
    size_t size = peer_seal (self, &tip, &envelope), used = FRAME_HEADER;
    frame_begin (frame, FRAME_SUBMIT, LANE_BULK);
    frame_add_envelope (frame, &used, envelope, size);
    peer_put (self, frame, used - 100);
    free (envelope);
}

//  The same envelope, far more often than any credit or bucket lets through at once.
static void s_flood (peer_t *self, lane_t lane, const char *kind, uint32_t severity, class_t cls)
{
    uint8_t *envelope, frame [FRAME_MAX];
    tip_t tip = peer_tip (self);
    tip.kind = kind;
    tip.severity = severity;
    tip.cls = cls;
    size_t size = peer_seal (self, &tip, &envelope), used = FRAME_HEADER;
    frame_begin (frame, FRAME_SUBMIT, lane);
    while (frame_add_envelope (frame, &used, envelope, size))
        continue;
    self->quiet = true;
    for (int i = 0; i < 1000; i++)
        if (zmq_send (self->socket, frame, used, 0) < 0)
            peer_die ("send: %s", zmq_strerror (errno));
    free (envelope);
}

void attack_bulk_flood (peer_t *self)
{
    s_flood (self, LANE_BULK, "hazard", 2, CLASS_NORMAL);
}

void attack_urgent_flood (peer_t *self)
{
    s_flood (self, LANE_URGENT, "sos", 3, CLASS_SOS);
}

void attack_talk_flood (peer_t *self)
{
    static const uint8_t credit [] = { 1, FRAME_CREDIT, LANE_URGENT, 0, 0x10, 1 };
    for (int i = 0; i < 20000; i++)
        if (zmq_send (self->socket, credit, sizeof credit, 0) < 0)
            peer_die ("send: %s", zmq_strerror (errno));
}

//  ---- replays

void attack_replay_envelope (peer_t *self)
{
    uint8_t *envelope;
    tip_t tip = peer_tip (self);
    size_t size = peer_seal (self, &tip, &envelope);
    peer_submit (self, LANE_BULK, envelope, size);
    peer_await_word (self);
    for (int i = 0; i < 4; i++) {
        peer_submit (self, LANE_BULK, envelope, size);
        peer_await_word (self);
    }
    peer_submit (self, LANE_BULK, envelope, size);
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
    return peer_box_up (frame, &up, self->shared, DOMAIN_UP);
}

void attack_replay_session (peer_t *self)
{
    uint8_t frame [FRAME_MAX];
    size_t size = s_feed_ack (self, frame, self->session, 1, 0);
    peer_put (self, frame, size);
    peer_put (self, frame, size);
}

void attack_other_session (peer_t *self)
{
    uint8_t frame [FRAME_MAX];
    peer_put (self, frame, s_feed_ack (self, frame, self->session + 1, 1, 0));
}

void attack_old_session (peer_t *self)
{
    uint8_t frame [FRAME_MAX];
    size_t size = s_feed_ack (self, frame, self->session, 7, 0);
    peer_attach (self);
    peer_put (self, frame, size);
}

void attack_mutated_session (peer_t *self)
{
    uint8_t frame [FRAME_MAX];
    size_t size = s_feed_ack (self, frame, self->session, 1, 0);
    frame [size - 1] ^= 1;
    peer_put (self, frame, size);
}

//  The link of one member, the box of another.
void attack_foreign_box (peer_t *self)
{
    uint8_t frame [FRAME_MAX];
    memcpy (self->shared, device_shared (self->other), KEY_SIZE);
    peer_put (self, frame, s_feed_ack (self, frame, self->session, 1, 0));
}

void attack_ack_beyond (peer_t *self)
{
    uint8_t frame [FRAME_MAX];
    peer_put (self, frame, s_feed_ack (self, frame, self->session, 1, 1000000));
}

void attack_query (peer_t *self)
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
    peer_put (self, frame, peer_box_up (frame, &up, self->shared, DOMAIN_UP));
}

void attack_command (peer_t *self)
{
    Patrol__Inner inner = PATROL__INNER__INIT;
    Patrol__Command command = PATROL__COMMAND__INIT;
    uint8_t *envelope;
    command.verb = PATROL__VERB__CLOSE;
    command.incident = 1;
    command.based_on = 1;
    command.officer = (ProtobufCBinaryData){ 7, (uint8_t *)"Mallory" };
    inner.epoch = self->epoch;
    inner.counter = ++self->counter;
    inner.written_ms = LONG_AGO;
    inner.body_case = PATROL__INNER__BODY_COMMAND;
    inner.command = &command;
    inner.tag = envelope_tag (self->shared, inner.epoch, inner.counter, &command.base);
    size_t size = envelope_seal (&envelope, device_seal (self->device), CLASS_URGENT, 24, time_now_ms (), &inner);
    peer_submit (self, LANE_URGENT, envelope, size);
    free (envelope);
}
