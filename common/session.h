//  session - the device's end of the protocol on top of link: hello, attach, credit, boxes
//
//  Knows nothing of outboxes or desks: it calls the handler. One thread. See PROTOCOL.md section 4.

#ifndef SESSION_H_INCLUDED
#define SESSION_H_INCLUDED

#include "device.h"
#include "link.h"

typedef struct session_t session_t;

//  All messages are borrowed for the call. Any function may be NULL.
typedef struct {
    //  Fill incarnation, feed_stored, feed_up_to, origins (arrays from the arena) of an Attach about to be sent.
    void (*attach) (void *context, Patrol__Attach *attach, arena_t *arena);
    void (*attached) (void *context, const Patrol__Attached *attached); //  also: everything unsettled may be sent now
    void (*receipts) (void *context, const Patrol__Receipts *receipts);
    void (*delivered) (void *context, const Patrol__Delivered *delivered);
    void (*feed) (void *context, const Patrol__Feed *feed);
    void (*answer) (void *context, const Patrol__Answer *answer);
    void (*refusal) (void *context, const Patrol__Refusal *refusal);
    void (*notice) (void *context, const Patrol__Notice *notice);
    void (*down) (void *context, const char *reason); //  once per loss of an attached session; in flight = lost
    void (*mesh) (void *context, const Patrol__MeshNews *news);
} session_handler_t;

session_t *session_new (void *zmq, const device_t *device, const session_handler_t *handler, void *context);
void session_destroy (session_t **self_p);

//  Poll items (at most 2) as link_items; then process everything that is ready.
int session_items (session_t *self, zmq_pollitem_t items [2], long *timeout_ms, int64_t now_mono_ms);
void session_process (session_t *self, int64_t now_mono_ms);

bool session_attached (const session_t *self);
uint64_t session_incarnation (const session_t *self);     //  of the last Attached, 0 before
int64_t session_broker_offset_ms (const session_t *self); //  device clock minus broker clock, measured at attach
const char *session_reason (const session_t *self);       //  why not attached, English, borrowed

//  Puts an envelope, with or without a trailer (meshword.h), into the current SUBMIT frame of its lane; frames go out when full and at session_flush.
//  False: not attached, no credit left, or the queue is full: offer it again later.
bool session_submit (session_t *self, lane_t lane, const uint8_t *envelope, size_t size);
void session_flush (session_t *self);

//  Fills session and seq, boxes, sends. False if not attached or the queue is full.
bool session_up (session_t *self, Patrol__Up *up);
//  Feed credit, absolute, in clear.
bool session_feed_credit (session_t *self, uint64_t feed_up_to);

#endif
