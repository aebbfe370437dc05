//  meshcard - who a neighbour is: its credential, shown inside the CURVE session, and the proof that it is its own
//
//  Both CURVE keys of a link are made for the mesh and belong to nobody. So the dialer shows its card, the listener its
//  own with a proof, the dialer its proof: a MAC under the X25519 secret of the two *link keys* that the credentials name,
//  over both CURVE keys of this very session and both cards. Who has copied a credential cannot make it, who has no part
//  in the session neither, and a proof is of no use in another one.
//
//  Card: lowest version 1 | highest version 1 | zero 2 | issuer size 2 | credential size 2 | issuer | credential (packed Signed).
//  Proof, 32 octets: BLAKE2b-256 keyed with the shared key over "patrol mesh proof 1", role 1 (1 listener, 2 dialer),
//  listener's CURVE key 32, dialer's 32, BLAKE2b-256 of the dialer's card, of the listener's card.
//  A pure library.

#ifndef MESHCARD_H_INCLUDED
#define MESHCARD_H_INCLUDED

#include "device.h"

#define CARD_MAX 4200u
#define CARD_VERSION 1u
#define PROOF_SIZE 32u

//  Writes this device's card; returns its size.
size_t meshcard_write (uint8_t out [CARD_MAX], const device_t *device);

typedef enum {
    CARD_OK,
    CARD_MALFORMED,
    CARD_OTHER_VERSION,
    CARD_FOREIGN, //  not signed by this district
    CARD_EXPIRED, //  or not valid yet
    CARD_REVOKED,
    CARD_BANNED,  //  it has misbehaved on a link before; for ten minutes
    CARD_NO_NODE, //  a desk or coordinator has no business here
    CARD_OURSELF,
    CARD_UNPROVEN, //  the proof is wrong: a copied credential, or someone in between
    CARD_LATE,     //  nothing came in time
    CARD_VERDICTS
} card_verdict_t;
const char *card_verdict_name (card_verdict_t verdict); //  "malformed" ...; a contract

//  now_ms: the later of the device's clock and the newest time the broker has signed. Revocation is the caller's to judge.
card_verdict_t meshcard_read (credential_t *out, const uint8_t *bytes, size_t size, const device_t *device, int64_t now_ms);

//  The device key that a card names, whoever signed it: good for counting who knocks, for nothing else. -1 if it names none.
int meshcard_claimed (uint8_t key [KEY_SIZE], const uint8_t *bytes, size_t size);

typedef enum { PROOF_LISTENER = 1, PROOF_DIALER = 2 } proof_role_t;
typedef struct {
    const uint8_t *listener_key, *dialer_key; //  CURVE keys of the session
    const uint8_t *dialer_card, *listener_card;
    size_t dialer_card_size, listener_card_size;
} proof_facts_t;

//  What `role` proves. -1 for a low-order link key. Compare with meshcard_proof_is.
int meshcard_proof (uint8_t out [PROOF_SIZE], proof_role_t role, const proof_facts_t *facts, const box_keys_t *own_link,
    const uint8_t other_link [KEY_SIZE]);
bool meshcard_proof_is (const uint8_t a [PROOF_SIZE], const uint8_t b [PROOF_SIZE]);

#endif
