//  meshwire - the control messages between two neighbours, and the head before a tip, in bytes
//
//  Integers little endian. One message is one frame; its first byte is the type.
//    HELLO   1 | state 16                                              what the beacon says, where no beacon is heard
//    OFFER   2 | nonce 2 | n entries of 6, n 1 to 64                   tips for the neighbour
//            entry: short id 4 | class 2 bits, more than one token given 1 bit, not written by the sender 1 bit,
//            magnitude of the best utility the copy has seen 4 bits | size in units of 64 bytes, rounded up, 255 = more
//    WANT    3 | nonce 2 | hops 1 | utility 2 | n answers of 2 bits, the first in the low bits, rest 0 | singles of 68
//            answers an OFFER: 0 no room, 1 want, 2 have, 3 the broker has it: one single each, in order, at most 24
//    EPOCH   4 | an epoch, meshreceipt.h
//    ACK     5 | short id 4 under nonce 0 | 1 stored, 2 had it, 3 no room, 4 refused
//            from who offered: short id 4 under the offer's nonce | 5 gone: it was wanted and is not here any more
//    REVOKED 6 | number 4 | list, 1 to 8192 bytes
//    PLACES  7 | n places of 8 (latitude, longitude, degrees times 10^7), n 1 to 8     where fixed gateways are
//    ONE     8 | short id 4 under nonce 0 | single 68                       the broker has this tip, to who brought it
//    ASK     9 | first number 4 | mask 2                                  epochs asked for: first + i where bit i
//  Head of a tip, 10 bytes: 16 | hops 1 | tokens 2 | best utility 2 | age in tenths of a second 4
//  State, 16 bytes: flags 1 (1 has tips to give) | hops to a gateway, 255 none 1 | utility 2 | places 1 | room 1 |
//    series, low byte 1 | epochs base, low bits 2 | mask of the 16 numbers after base 2 | revocations, low byte 1 | sos digest 4
//
//  Utility is expected seconds to a gateway, as meshwire_utility writes them: exact to 2,047, then 10 bits of mantissa; 65535 = not known.
//  A short id is the keyed hash of a mid under both keys and a nonce that the sender of the offer draws: nobody can make a mid
//  that collides with a victim's.

#ifndef MESHWIRE_H_INCLUDED
#define MESHWIRE_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESHWIRE_OFFER_MAX 64u
#define MESHWIRE_SINGLES_MAX 24u
#define MESHWIRE_SINGLE 68u
#define MESHWIRE_STATE 16u
#define MESHWIRE_HEAD 10u
#define MESHWIRE_PLACES_MAX 8u
#define MESHWIRE_REVOKED_MAX 8192u
#define MESHWIRE_FRAME_MAX 8400u
#define MESHWIRE_NO_HOPS 255u
#define MESHWIRE_UNKNOWN 65535u
#define MESHWIRE_MASK 16u

typedef enum {
    MESHWIRE_HELLO = 1,
    MESHWIRE_OFFER,
    MESHWIRE_WANT,
    MESHWIRE_EPOCH,
    MESHWIRE_ACK,
    MESHWIRE_REVOKED,
    MESHWIRE_PLACES,
    MESHWIRE_ONE,
    MESHWIRE_ASK,
} meshwire_type_t;

typedef enum { MESHWIRE_NO_ROOM, MESHWIRE_WANTED, MESHWIRE_HAVE, MESHWIRE_RECEIPTED } meshwire_answer_t;
typedef enum {
    MESHWIRE_STORED = 1,
    MESHWIRE_HAD,
    MESHWIRE_FULL,
    MESHWIRE_REFUSED,
    MESHWIRE_GONE,
} meshwire_ack_t;

typedef struct {
    bool has_work;
    uint8_t hops;
    uint16_t utility;
    uint8_t places;      //  digest of the places of gateways it knows, 0 = none
    uint8_t room;        //  of its buffer, 255ths
    uint8_t series;      //  low byte
    uint16_t base, mask; //  receipt epochs it has: all up to base, and base + 1 + i where bit i
    uint8_t revocations; //  low byte
    uint32_t digest;     //  xor of meshwire_digest over the sos tips it holds
} meshwire_state_t;

typedef struct {
    uint32_t id;
    uint8_t cls;
    bool several;  //  more than one token is given with it
    bool relayed;  //  not written by the sender
    uint8_t best;  //  magnitude of the best utility that the copy has seen
    uint32_t size; //  bytes; rounded up to 64 on the wire
} meshwire_offer_t;

typedef struct {
    uint8_t hops;
    uint16_t tokens, best;
    uint32_t age_ds; //  tenths of a second
} meshwire_head_t;

typedef struct {
    int32_t lat_e7, lon_e7;
} meshwire_place_t;

//  A frame taken apart. Pointers point into the bytes that were decoded.
typedef struct {
    meshwire_type_t type;
    meshwire_state_t state; //  HELLO
    uint16_t nonce;         //  OFFER, WANT
    uint8_t hops;           //  WANT
    uint16_t utility;       //  WANT
    uint32_t count;         //  OFFER: entries; WANT: answers on the wire (a multiple of 4); PLACES
    meshwire_offer_t offers [MESHWIRE_OFFER_MAX];
    meshwire_answer_t answers [MESHWIRE_OFFER_MAX];
    uint32_t singles;      //  WANT
    const uint8_t *single; //  WANT: singles times 68; ONE: 68 bytes
    uint32_t id;           //  ACK, ONE
    meshwire_ack_t ack;    //  ACK
    uint32_t number;       //  REVOKED, ASK
    uint16_t mask;         //  ASK
    const uint8_t *bytes;  //  EPOCH, REVOKED
    size_t size;
    meshwire_place_t places [MESHWIRE_PLACES_MAX];
} meshwire_frame_t;

//  Writes into out (room for MESHWIRE_FRAME_MAX) what the fields of its type say and returns the size. For WANT, count is the
//  number of entries of the offer. What the layout cannot hold is our own mistake.
size_t meshwire_encode (uint8_t *out, const meshwire_frame_t *frame);
//  Returns -1 unless the bytes are exactly one frame in its only form.
int meshwire_decode (meshwire_frame_t *out, const uint8_t *bytes, size_t size);

void meshwire_state_encode (uint8_t out [MESHWIRE_STATE], const meshwire_state_t *state);
int meshwire_state_decode (meshwire_state_t *out, const uint8_t bytes [MESHWIRE_STATE]);
void meshwire_head_encode (uint8_t out [MESHWIRE_HEAD], const meshwire_head_t *head);
int meshwire_head_decode (meshwire_head_t *out, const uint8_t bytes [MESHWIRE_HEAD]);

uint16_t meshwire_utility (uint32_t seconds);
uint32_t meshwire_seconds (uint16_t utility); //  UINT32_MAX for MESHWIRE_UNKNOWN
//  Of seconds: 0 below 2, else the power of two that is in them, 14 = that or more; MESHWIRE_FAR for UINT32_MAX.
#define MESHWIRE_FAR 15u
uint8_t meshwire_magnitude (uint32_t seconds);

//  The key of short ids from `from` to `to`; then the short id of a mid.
typedef struct {
    uint64_t word [2];
} meshwire_salt_t;
meshwire_salt_t meshwire_salt (const uint8_t from [32], const uint8_t to [32], uint16_t nonce);
uint32_t meshwire_short (const meshwire_salt_t *salt, const uint8_t mid [16]);
uint32_t meshwire_digest (const uint8_t mid [16]);

#endif
