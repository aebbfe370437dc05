//  sender - which envelope goes out next, and when it goes again
//
//  Reads the outbox class by class (sos, urgent, normal, bulk; oldest first) with a cursor each, keeps what is in flight
//  in memory and knows no socket: the owner gives it a function that takes an envelope. Nothing here is durable; after
//  a reset everything unsettled is offered again, which costs a receipt and nothing else.
//
//  The broker allows 64 gaps among a device's counters and 10,000 numbers ahead. So a higher class overtakes a lower one
//  only as long as few envelopes are ahead of the oldest one without a receipt; beyond that all go in order.

#ifndef SENDER_H_INCLUDED
#define SENDER_H_INCLUDED

#include "frame.h"
#include "outbox.h"

typedef struct sender_t sender_t;

#define SENDER_FIRST_MS 5000 //  PROTOCOL.md 4, Submit: again after 5 s, doubling to 60 s
#define SENDER_LAST_MS 60000
#define SENDER_SOS_MS 10000   //  an sos every 10 s
#define SENDER_BULK_COUNT 512 //  normal and bulk envelopes without a receipt
#define SENDER_BULK_BYTES (1024 * 1024)
#define SENDER_URGENT_COUNT 30 //  urgent, and as many sos beside them: within the front's bucket of 60

#define SENDER_AHEAD_URGENT 48  //  envelopes ahead of the oldest one, when an urgent one overtakes
#define SENDER_AHEAD_NORMAL 16  //  the same for a normal one
#define SENDER_AHEAD_COUNT 9000 //  and by how many numbers

//  The outbox is borrowed.
sender_t *sender_new (outbox_t *outbox);
void sender_destroy (sender_t **self_p);

//  A new attachment, or a lost one: nothing is in flight any more.
void sender_reset (sender_t *self);
//  Envelopes were added to the outbox.
void sender_more (sender_t *self);
//  Older ones came back into it: a withdrawal whose tip is taken now, an envelope that was sealed again.
void sender_wake (sender_t *self);

//  The row needs no sending any more / has a receipt but is repeated / was not taken: later, with backoff.
void sender_settled (sender_t *self, int64_t row);
void sender_repeated (sender_t *self, int64_t row);
void sender_later (sender_t *self, int64_t row, int64_t now_mono_ms);

//  Takes an envelope for sending; false: no credit or no room now.
typedef bool (sender_fn) (void *context, lane_t lane, const uint8_t *envelope, size_t size);

//  Sends what may go now. Returns the milliseconds until something is due again, -1 if nothing is in flight.
int64_t sender_run (sender_t *self, int64_t now_mono_ms, sender_fn *send, void *context);

#endif
