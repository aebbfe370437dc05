//  device - who this home is: its keys, its credential, the broker it belongs to
//
//  Files in HOME (0600): device.key, link.key, device.json (endpoint, pinned keys, credential and issuer as
//  received, kinds). Private keys are made here and never leave.

#ifndef DEVICE_H_INCLUDED
#define DEVICE_H_INCLUDED

#include "envelope.h"
#include "identity.h"
#include "kinds.h"

typedef struct device_t device_t;

//  Loads and verifies the chain. NULL with one line on stderr ("... has not joined: patrol-node join --home DIR INVITATION").
device_t *device_open (const char *home);
void device_destroy (device_t **self_p);
//  The same, for a program that only serves some roles (a bit set of 1u << Role): the home of another program is refused with one line.
device_t *device_open_as (const char *home, unsigned roles);

//  Enrols this home with an invitation line: makes the keys (kept, so a retry after a lost answer is the same device), connects
//  with the invitation's CURVE key, waits at most timeout_ms. `roles` is a bit set of 1u << Role this program accepts.
//  Returns an exit code of cli.h; *error (caller frees) says why it is not 0 (NULL when
//  the line is on stderr already). A home that has joined already is refused.
int device_join (const char *home, const char *invitation, unsigned roles, int64_t timeout_ms, char **error);

const char *device_endpoint (const device_t *self);
const uint8_t *device_server_key (const device_t *self); //  the front's CURVE key
const box_keys_t *device_link_keys (const device_t *self);
const box_keys_t *device_keys (const device_t *self);
const uint8_t *device_shared (const device_t *self); //  cached crypto_box_beforenm with the core
const envelope_seal_t *device_seal (const device_t *self);
const credential_t *device_credential (const device_t *self);
const kinds_t *device_kinds (const device_t *self);
const uint8_t *device_authority (const device_t *self);

//  Credential and issuer as received, packed Signed, for showing to other members.
typedef struct {
    uint8_t credential [2048], issuer [2048];
    size_t credential_size, issuer_size;
} device_chain_t;
void device_chain (const device_t *self, device_chain_t *out);

//  The Ed25519 key of the district's words on the mesh (meshword.h, meshreceipt.h), NULL while no broker has told it.
const uint8_t *device_receipts_key (const device_t *self);
//  Takes it from Attached, keeps it on disk. -1 if it is not a key.
int device_set_receipts_key (device_t *self, const uint8_t *key, size_t size);

//  Takes a kinds file from Attached, keeps it on disk. -1 if it is not usable (the old one stays).
int device_set_kinds (device_t *self, const char *json, size_t size);

#endif
