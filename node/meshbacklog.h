//  meshbacklog - words that wait because a link's queue is full for a moment: receipts of hundreds of tips, or what an ASK is answered with

#ifndef MESHBACKLOG_H_INCLUDED
#define MESHBACKLOG_H_INCLUDED

#include <stddef.h>
#include <stdint.h>

#define MESHBACKLOG_MAX 196608u //  sixteen epochs of the largest size, and letters

typedef struct {
    uint8_t *bytes; //  owned: for each frame its size, two octets, and the frame; NULL = none waits
    size_t first, end, room;
} meshbacklog_t;

//  Copies the frame, at most 65,535 octets. Returns -1 if too much waits already.
int meshbacklog_add (meshbacklog_t *self, const uint8_t *frame, size_t size);
//  The one that waits longest, or NULL. It is valid until the next call.
const uint8_t *meshbacklog_first (const meshbacklog_t *self, size_t *size);
//  It was sent.
void meshbacklog_drop (meshbacklog_t *self);
void meshbacklog_clear (meshbacklog_t *self);

#endif
