//  joining - the exchange that enrols a device: HELLO, WELCOME, ENROL, ENROL (PROTOCOL.md sections 4 and 7)

#ifndef JOINING_H_INCLUDED
#define JOINING_H_INCLUDED

#include "identity.h"

//  What the broker's core answered; packed Signed messages, not yet verified.
typedef struct {
    uint8_t *credential, *issuer, *kinds; //  kinds NULL = the built-in set
    size_t credential_size, issuer_size, kinds_size;
    int64_t now_ms; //  the broker's clock
    uint8_t receipts_key [KEY_SIZE];
    bool has_receipts_key;
} enrolled_t;

void enrolled_clear (enrolled_t *self);

//  Asks for the credential of `device` and `link` with the invitation, for at most timeout_ms. `shared` is between the
//  device key and the invitation's core key. Returns an exit code of cli.h; *error (caller frees) says why it is not 0.
int joining_ask (enrolled_t *out, const invitation_t *invitation, const box_keys_t *device, const box_keys_t *link,
    const uint8_t shared [KEY_SIZE], int64_t timeout_ms, char **error);

#endif
