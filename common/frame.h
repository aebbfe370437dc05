//  frame - the one body frame of every ZeroMQ message
//
//  0 version=1 | 1 type | 2 lane | 3 zero | body. PROTOCOL.md, "Frames".

#ifndef FRAME_H_INCLUDED
#define FRAME_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_VERSION 1u
#define FRAME_HEADER 4u
#define FRAME_MAX 16384u //  ZMQ_MAXMSGSIZE is this + 64 (the CURVE frame is 33 bytes longer)
#define FRAME_MAXMSGSIZE 16448

typedef enum {
    FRAME_HELLO = 1,   //  Hello, clear
    FRAME_WELCOME = 2, //  Welcome, clear
    FRAME_CREDIT = 3,  //  Credit, clear
    FRAME_SUBMIT = 4,  //  u16 big endian size + envelope, repeated
    FRAME_SESSION = 5, //  box of Up or Down
    FRAME_ENROL = 6,   //  up: device key 32 + box of Enrol; down: box of Enrolled
    FRAME_NOTICE = 7   //  Notice, clear
} frame_type_t;

typedef enum { LANE_URGENT = 0, LANE_BULK = 1 } lane_t;
#define LANE_COUNT 2

//  Writes the 4 header bytes.
void frame_begin (uint8_t *out, frame_type_t type, lane_t lane);

//  Returns -1 unless version, type, lane, the zero byte and the size are right.
int frame_parse (frame_type_t *type, lane_t *lane, const uint8_t *bytes, size_t size);

//  Walks the envelopes of a SUBMIT body: call with *offset = 0; returns the next envelope and
//  its size, or NULL at the end. *bad is set when the body does not divide into envelopes.
const uint8_t *frame_next_envelope (const uint8_t *body, size_t body_size, size_t *offset, size_t *size, bool *bad);

//  Appends an envelope to a SUBMIT frame of *used bytes in a buffer of FRAME_MAX; false if it does not fit.
bool frame_add_envelope (uint8_t *frame, size_t *used, const uint8_t *envelope, size_t size);

#endif
