//  meshword - what the core says on the mesh beside receipts (meshreceipt.h): letters to members, the list of revoked devices
//
//  A word goes from node to node and is believed by its signature alone (Ed25519, the receipts key of the district), so
//  nobody on the way can forge, alter or shorten one. Layout, integers little endian:
//    0 version 1 | 1 kind | 2 zero 2 | 4 district 8 | 12 number 8 | 20 log time ms 8 | 28 body | signature 64
//  The signature covers "patrol mesh word 1", NUL and everything before it. PROTOCOL.md, "Mesh words".

#ifndef MESHWORD_H_INCLUDED
#define MESHWORD_H_INCLUDED

#include "envelope.h"

typedef enum { WORD_LETTER = 1, WORD_REVOKED = 2 } word_kind_t;

#define WORD_HEADER 28u
#define WORD_MIN (WORD_HEADER + SIGNATURE_SIZE)
#define WORD_MAX 12288u //  fits one frame with its header
#define CONTEXT_WORD "patrol mesh word 1"

typedef struct {
    word_kind_t kind;
    uint8_t district [DISTRICT_SIZE];
    uint64_t number; //  letter: grows with what the broker knows of that member; revoked: how many were
    int64_t at_ms;   //  the broker's log time
    const uint8_t *body;
    size_t body_size; //  body and body_size point into the bytes
} word_t;

//  Writes into out (room WORD_MAX). Returns the size, 0 if the body is too large.
size_t word_sign (uint8_t out [WORD_MAX], const word_t *word, const sign_keys_t *keys);
//  -1 unless form, kind, size and signature are right. Costs one signature check (about 100 us).
int word_verify (word_t *out, const uint8_t *bytes, size_t size, const uint8_t public_key [KEY_SIZE]);
//  The form alone, for bytes that were verified before they were stored.
int word_parse (word_t *out, const uint8_t *bytes, size_t size);

//  ---- letter: day 4 | day handle 16 | life in hours 4 | box (nonce, MAC, domain, MeshLetter)
//  For a member without a link of its own. Sealed between core and device like any other word of the core.
typedef struct {
    uint32_t day, life_h;
    uint8_t handle [HANDLE_SIZE];
    const uint8_t *box;
    size_t box_size;
} letter_t;
#define LETTER_HEADER 24u
#define LETTER_BOX_MAX (WORD_MAX - WORD_MIN - LETTER_HEADER)

//  Seals the message and signs. Returns the size, 0 if it does not fit.
size_t letter_write (uint8_t out [WORD_MAX], const word_t *word, uint32_t day, uint32_t life_h,
    const uint8_t shared [KEY_SIZE], const ProtobufCMessage *message, const sign_keys_t *keys);
int letter_parse (letter_t *out, const word_t *word);

//  ---- revoked: ids of link keys, 8 octets each: first of BLAKE2b-256 ("revoked", link key)
#define REVOKED_ID 8u
#define REVOKED_MAX 1000u //  with them the word is below the 8,192 octets that a mesh frame allows

void revoked_id (uint8_t out [REVOKED_ID], const uint8_t link_key [KEY_SIZE]);
bool revoked_has (const word_t *list, const uint8_t link_key [KEY_SIZE]);

//  ---- the trailer of an envelope that was carried: hops 1 | flags 1 | zero 2 | age in seconds 4
//  It follows the envelope in a SUBMIT: how far it came is the mesh's own word, outside the seal and not to be trusted.
typedef struct {
    uint32_t hops, age_s;
    bool told; //  copies are about: its mid is wanted in an epoch
} carried_t;
#define CARRIED_SIZE 8u

void carried_write (uint8_t out [CARRIED_SIZE], const carried_t *carried);
//  Takes the trailer off: *size is the envelope's then. False if there is none, *size unchanged.
bool carried_split (carried_t *out, const uint8_t *bytes, size_t *size);

#endif
