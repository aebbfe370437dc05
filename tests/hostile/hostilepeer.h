//  hostilepeer - a member's connection to the broker that may be used wrongly
//
//  What comes back is printed, one line an event: `notice CODE: DETAIL`, `refusal CODE: DETAIL`, `answer CODE: DETAIL`, `receipt CODE: DETAIL`
//  and `taken COUNTER`.

#ifndef HOSTILEPEER_H_INCLUDED
#define HOSTILEPEER_H_INCLUDED

#include "device.h"
#include "frame.h"

#define PATIENCE_MS 20000 //  a bound on waiting for a condition
#define LONG_AGO (time_now_ms () - 3600000)

typedef struct {
    device_t *device, *other;
    box_keys_t link;
    void *zmq, *socket, *monitor;
    uint8_t shared [KEY_SIZE]; //  sessions and envelopes are boxed with it
    uint64_t session, seq, epoch, counter;
    uint64_t welcome; //  credit
    const char *routing_id;
    arena_t *arena;
    bool cut, attached, heard, quiet;
    uint8_t down [FRAME_MAX];
} peer_t;

//  One line on stderr, exit 1: the attack could not even be made.
void peer_die (const char *format, ...) __attribute__ ((format (printf, 1, 2), noreturn));

//  ---- the connection

//  Connects with self->link and self->routing_id; the handshake's end is what peer_admitted waits for.
void peer_connect (peer_t *self);
bool peer_admitted (peer_t *self);
//  Hello and Welcome; then an honest attach, again every second until it is answered.
void peer_hello (peer_t *self);
void peer_attach (peer_t *self);
//  All of these, or the end.
void peer_enter (peer_t *self);

void peer_put (peer_t *self, const void *bytes, size_t size);
//  Takes what comes until *until is set, the connection is gone or the time is over.
void peer_listen (peer_t *self, const bool *until, int64_t patience_ms);
//  Until the next receipt, refusal or notice: a receipt comes after a commit, so no later answer says that it has come.
void peer_await_word (peer_t *self);

//  A SESSION frame; returns its size.
size_t peer_box_up (uint8_t frame [FRAME_MAX], Patrol__Up *up, const uint8_t *shared, domain_t domain);

//  ---- tips

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

//  A right one with the next counter, to be spoilt by the caller.
tip_t peer_tip (peer_t *self);
//  Sealed with self->shared; the caller frees.
size_t peer_seal (peer_t *self, const tip_t *tip, uint8_t **out);
void peer_submit (peer_t *self, lane_t lane, const uint8_t *envelope, size_t size);
void peer_submit_tip (peer_t *self, const tip_t *tip);
//  A right tip and its receipt.
void peer_honest_tip (peer_t *self);

#endif
