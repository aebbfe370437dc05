//  envelope - a sealed tip or command with the little that relays may know
//
//  Layout (PROTOCOL.md, "Envelope"; integers little endian):
//    0 version=1 | 1 class | 2 bucket | 3 flags=0 | 4 core key id 4 | 8 district 8 | 16 day handle 16 |
//    32 day 4 | 36 life in hours 4 | 40 nonce 24 | 64 box (16 + bucket size)
//  The box holds byte 1 (domain), a packed Inner, a 0x80 byte and zeros up to the bucket size.

#ifndef ENVELOPE_H_INCLUDED
#define ENVELOPE_H_INCLUDED

#include "arena.h"
#include "identity.h"

typedef enum { CLASS_SOS = 0, CLASS_URGENT = 1, CLASS_NORMAL = 2, CLASS_BULK = 3 } class_t;
#define CLASS_COUNT 4

#define ENVELOPE_VERSION 1u
#define ENVELOPE_HEADER 40u
#define NONCE_SIZE 24u
#define MAC_SIZE 16u
#define HANDLE_SIZE 16u
#define MID_SIZE 16u
#define ENVELOPE_OVERHEAD (ENVELOPE_HEADER + NONCE_SIZE + MAC_SIZE)
#define ENVELOPE_MIN (ENVELOPE_OVERHEAD + 512u)
#define ENVELOPE_MAX (ENVELOPE_OVERHEAD + 10240u)
//  plaintext buckets: 512, 2048, 6144, 10240
#define LIFE_MAX_H 72

//  The one expensive step (37 us): X25519 between a secret and a public key. Returns -1 for a low-order key.
int envelope_shared (uint8_t shared [KEY_SIZE], const uint8_t public_key [KEY_SIZE], const uint8_t secret_key [KEY_SIZE]);

//  Keyed hash of the day under the shared key: only the two ends can tell whose it is.
void envelope_handle (uint8_t handle [HANDLE_SIZE], const uint8_t shared [KEY_SIZE], uint32_t day);
uint32_t envelope_day (int64_t ms);
uint32_t envelope_key_id (const uint8_t core_key [KEY_SIZE]);

//  Keyed hash of the packed body (Tip, Withdraw or Command) and its identity: tells a retry from a clone. The caller
//  sets Inner.tag to it before sealing. 0 for a body above 12 KB, which no envelope can hold. Opening does not compare it.
uint64_t envelope_tag (const uint8_t shared [KEY_SIZE], uint64_t epoch, uint64_t counter, const ProtobufCMessage *body);

//  The clear header, parsed.
typedef struct {
    class_t cls;
    uint32_t bucket_size;
    uint32_t key_id;
    uint8_t district [DISTRICT_SIZE];
    uint8_t handle [HANDLE_SIZE];
    uint32_t day;
    uint32_t life_h;
} envelope_header_t;

//  Returns -1 unless size, version, class, bucket, flags and life (1 to 72 h) are right for the whole envelope.
int envelope_parse (envelope_header_t *out, const uint8_t *bytes, size_t size);
void envelope_mid (uint8_t mid [MID_SIZE], const uint8_t *bytes, size_t size);

//  What a sender needs to seal.
typedef struct {
    uint8_t shared [KEY_SIZE];
    uint8_t district [DISTRICT_SIZE];
    uint32_t key_id;
} envelope_seal_t;

//  Adds the header hash, packs, pads, seals. Returns the envelope's size, caller frees *out; 0 if the Inner is too large.
//  The Inner is borrowed and left as it is (its header field is not used). life_h must be 1 to 72. The clear day is now_ms's.
size_t envelope_seal (
    uint8_t **out, const envelope_seal_t *seal, class_t cls, uint32_t life_h, int64_t now_ms, Patrol__Inner *inner);

//  Opens with the shared key of the claimed device. Returns the Inner in the arena,
//  or NULL if the box, the padding, the header hash or the message is wrong, has unknown fields or no body. Does not judge the body.
Patrol__Inner *envelope_open (const uint8_t *bytes, size_t size, const uint8_t shared [KEY_SIZE], arena_t *arena);

//  Session and enrolment boxes: nonce 24 || box of (domain byte || packed message).
typedef enum { DOMAIN_UP = 2, DOMAIN_DOWN = 3, DOMAIN_ENROL_UP = 4, DOMAIN_ENROL_DOWN = 5, DOMAIN_LETTER = 6 } domain_t;
#define BOX_OVERHEAD (NONCE_SIZE + MAC_SIZE + 1u)

//  Writes into out (room >= BOX_OVERHEAD + packed size); returns the size, 0 if it does not fit.
size_t box_seal (
    uint8_t *out, size_t room, const uint8_t shared [KEY_SIZE], domain_t domain, const ProtobufCMessage *message);
//  Opens into `plain` (room >= size - NONCE - MAC). Returns the message bytes inside plain and sets *message_size, or NULL.
const uint8_t *box_open (uint8_t *plain, size_t *message_size, const uint8_t shared [KEY_SIZE], domain_t domain,
    const uint8_t *bytes, size_t size);

#endif
