//  meshgate - what a gateway hands over to the broker: envelopes that wait for their turn, and for the answer
//
//  The most pressing class first; again after 10 s without an answer, then after twice as long each time, up to five minutes, behind
//  what was never handed over: the broker may take one member's tips slowly, and others shall not wait for that. In memory only: the
//  routing core names everything again when a session begins.

#ifndef MESHGATE_H_INCLUDED
#define MESHGATE_H_INCLUDED

#include "envelope.h"
#include "frame.h"

typedef struct meshgate_t meshgate_t;

meshgate_t *meshgate_new (void);
void meshgate_destroy (meshgate_t **self_p);

//  Waits until due_ms, then goes. Known already: nothing.
void meshgate_add (meshgate_t *self, const uint8_t mid [MID_SIZE], class_t cls, int64_t due_ms);
//  Answered.
void meshgate_done (meshgate_t *self, const uint8_t mid [MID_SIZE]);
void meshgate_clear (meshgate_t *self);
size_t meshgate_count (const meshgate_t *self);

typedef enum { GATE_SENT, GATE_FULL, GATE_GONE } gate_t;
//  Sends one. FULL: its lane takes no more now. GONE: the envelope is not here any more.
typedef gate_t (meshgate_fn) (void *context, lane_t lane, const uint8_t mid [MID_SIZE]);
//  Sends what is due. Returns the milliseconds until something is due again, -1 if nothing waits.
int64_t meshgate_run (meshgate_t *self, int64_t now_ms, meshgate_fn *send, void *context);

#endif
