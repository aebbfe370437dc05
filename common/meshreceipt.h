//  meshreceipt - the broker's signed word to the whole mesh that tips have been accepted
//
//  An *epoch* is one immutable, signed list of short ids: 40 bits of SipHash-2-4 of the mid, 64 bits for an sos, under a
//  salt that is first published in that epoch, so nobody can grind a mid that deletes another one's tip. Epochs are
//  numbered 1, 2, 3 ... within a *series*; a broker that was restored from a backup begins a new, higher series (its
//  start in seconds since 1970), because numbers may not be given twice. A *single* is the word for one tip, given to
//  whoever delivered it, and shown only to those who offer that tip.
//
//  Layout of an epoch (integers little endian), MESHRECEIPT_EPOCH_MIN + 5 n + 8 m bytes:
//    0 version 1 | 1 series 4 | 5 number 4 | 9 oldest 4 | 13 closed, s since 1970 4 | 17 salt 8 | 25 short ids n 2 | 27 long ids m 2 |
//    29 n short ids of 5, ascending | m long ids of 8, ascending | Ed25519 signature 64 over "patrolmesh epoch" and all before it
//  `oldest` is the first number that can still name a living tip: everybody forgets what is before it.
//  Layout of a single, 68 bytes: time, s since 1970 4 | signature 64 over "patrolmesh single", time and mid

#ifndef MESHRECEIPT_H_INCLUDED
#define MESHRECEIPT_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESHRECEIPT_EPOCH_MIN 93u
#define MESHRECEIPT_IDS_MAX 1024u //  short and long ids of one epoch together
#define MESHRECEIPT_EPOCH_MAX (MESHRECEIPT_EPOCH_MIN + 8u * MESHRECEIPT_IDS_MAX)
#define MESHRECEIPT_SINGLE 68u
#define MESHRECEIPT_MID 16u //  a tip's mid, see envelope.h
#define MESHRECEIPT_KEY 32u //  Ed25519 public key of the receipts
#define MESHRECEIPT_SECRET 64u

//  What an epoch says, without its ids.
typedef struct {
    uint32_t series, number, oldest, closed_s;
    uint32_t shorts, longs;
} meshreceipt_epoch_t;

//  The broker's side. Builds and signs an epoch of `count` mids, those with sos [i] as long ids. Writes into out (room for
//  MESHRECEIPT_EPOCH_MAX) and returns the size. count is 1 to MESHRECEIPT_IDS_MAX, number from 1, salt random and never shown before.
size_t meshreceipt_epoch_sign (uint8_t *out, const meshreceipt_epoch_t *epoch, const uint8_t salt [8],
    const uint8_t (*mids) [MESHRECEIPT_MID], const bool *sos, size_t count, const uint8_t secret [MESHRECEIPT_SECRET]);
void meshreceipt_single_sign (uint8_t out [MESHRECEIPT_SINGLE], const uint8_t mid [MESHRECEIPT_MID], uint32_t time_s,
    const uint8_t secret [MESHRECEIPT_SECRET]);

//  Form only: sizes, version, numbers not 0, ids strictly ascending. Returns -1 for anything else. The signature is
//  meshreceipt_epoch_verify's.
int meshreceipt_epoch_parse (meshreceipt_epoch_t *out, const uint8_t *bytes, size_t size);
bool meshreceipt_epoch_verify (const uint8_t *bytes, size_t size, const uint8_t key [MESHRECEIPT_KEY]);
bool meshreceipt_single_verify (
    const uint8_t bytes [MESHRECEIPT_SINGLE], const uint8_t mid [MESHRECEIPT_MID], const uint8_t key [MESHRECEIPT_KEY]);

//  Whether the epoch (parsed before) names this tip. `sos` says which list to look in: the class is in the envelope's clear header.
bool meshreceipt_epoch_has (const uint8_t *bytes, size_t size, const uint8_t mid [MESHRECEIPT_MID], bool sos);

#endif
