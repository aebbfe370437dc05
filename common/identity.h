//  identity - keys, credentials and invitations
//
//  Chain: authority (Ed25519, kept off the machine) signs the issuer (Ed25519, on
//  the broker), which signs device credentials. A device has two X25519 keys made
//  on the device: `device` opens and seals boxes with the core, `link` is its CURVE
//  key. Separate keys, never converted into one another. Secret keys live in this
//  module's types only and are wiped on destroy; they never reach a log line.

#ifndef IDENTITY_H_INCLUDED
#define IDENTITY_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "patrol.pb-c.h"

#define KEY_SIZE 32u
#define SIGN_SECRET_SIZE 64u
#define SIGNATURE_SIZE 64u
#define DISTRICT_SIZE 8u
#define TOKEN_SIZE 32u
#define INVITATION_PREFIX "patrol1:"
#define INVITATION_MAX 1024u

typedef struct {
    uint8_t public_key [KEY_SIZE], secret_key [KEY_SIZE];
} box_keys_t; //  X25519
typedef struct {
    uint8_t public_key [KEY_SIZE], secret_key [SIGN_SECRET_SIZE];
} sign_keys_t; //  Ed25519

//  Call once, before threads: libsodium ready, core dumps off. Returns -1 if libsodium cannot start.
int identity_init (void);

void box_keys_make (box_keys_t *keys);
void sign_keys_make (sign_keys_t *keys);
void identity_wipe (void *secret, size_t size);

//  A key file holds the line "patrolmesh-key KIND HEX\n" (HEX: X25519 secret or Ed25519 seed), 0600. Save writes a new file
//  beside it, syncs, renames, syncs the folder. Load returns -1 with *reason set (static
//  text or NULL) if the file is absent, malformed or readable by others.
int box_keys_save (const box_keys_t *keys, const char *path, const char *kind);
int box_keys_load (box_keys_t *keys, const char *path, const char *kind, const char **reason);
int sign_keys_save (const sign_keys_t *keys, const char *path, const char *kind);
int sign_keys_load (sign_keys_t *keys, const char *path, const char *kind, const char **reason);

//  First 8 bytes of BLAKE2b (authority key || name): the district's id.
void identity_district (uint8_t district [DISTRICT_SIZE], const uint8_t authority [KEY_SIZE], const char *name);

//  Signs `context` NUL `body` (contexts: "patrol issuer 1", "patrol credential 1").
void identity_sign (
    uint8_t signature [SIGNATURE_SIZE], const sign_keys_t *keys, const char *context, const uint8_t *body, size_t size);
bool identity_verify (const uint8_t signature [SIGNATURE_SIZE], const uint8_t public_key [KEY_SIZE], const char *context,
    const uint8_t *body, size_t size);

#define CONTEXT_ISSUER "patrol issuer 1"
#define CONTEXT_CREDENTIAL "patrol credential 1"

//  What a verified credential says; borrowed from nothing, all copied.
typedef struct {
    uint8_t district [DISTRICT_SIZE];
    uint64_t member;
    Patrol__Role role;
    char station [33], unit [65];
    uint8_t device_key [KEY_SIZE], link_key [KEY_SIZE];
    int64_t from_ms, until_ms;
} credential_t;

//  Packs and signs. Returns the size of the packed Signed in *out (caller frees), 0 if it cannot be.
size_t credential_issue (uint8_t **out, const credential_t *credential, const sign_keys_t *issuer);
size_t issuer_issue (uint8_t **out, const uint8_t district [DISTRICT_SIZE], const char *name,
    const uint8_t issuer_key [KEY_SIZE], int64_t from_ms, int64_t until_ms, const sign_keys_t *authority);

//  Verifies the chain at `now_ms`. `issuer` and `credential` are packed Signed.
//  Returns 0, or -1 with *reason set to a static text.
int credential_verify (credential_t *out, const uint8_t *credential, size_t credential_size, const uint8_t *issuer,
    size_t issuer_size, const uint8_t authority [KEY_SIZE], int64_t now_ms, const char **reason);
//  What it says, whoever signed it and whenever: -1 if it does not parse. Believe nothing of it.
int credential_claimed (credential_t *out, const uint8_t *credential, size_t credential_size);
//  Does this reason say that the chain is good, but not at that time?
bool credential_untimely (const char *reason);

//  An invitation as parsed from its line.
typedef struct {
    char endpoint [129];
    uint8_t transport_key [KEY_SIZE], core_key [KEY_SIZE], authority [KEY_SIZE];
    uint8_t district [DISTRICT_SIZE];
    uint8_t secret [16];
    Patrol__Role role;
    int64_t expires_ms;
} invitation_t;

//  Returns the line, caller frees.
char *invitation_format (const invitation_t *invitation);
//  Accepts surrounding white space. Returns -1 with *reason set (static text).
int invitation_parse (invitation_t *out, const char *line, const char **reason);
//  What the secret derives: the CURVE key that is admitted to enrolment only, and the token.
void invitation_derive (const invitation_t *invitation, box_keys_t *link, uint8_t token [TOKEN_SIZE]);

//  Crockford base32 of a 64-bit number, 13 characters and a NUL, upper case; parse takes
//  either case and O/I/L slips. Used for ids that people read.
void id64_format (char out [14], uint64_t number);
int id64_parse (uint64_t *number, const char *text, size_t size);

//  A tip as people know it: first 8 octets of BLAKE2b-256 ("tip" || device key || epoch || counter), all little endian.
//  The epoch is random and known to device and core only: without it, nobody can tell two tips of one device.
uint64_t tip_number (const uint8_t device_key [KEY_SIZE], uint64_t epoch, uint64_t counter);

//  Incident ids are derived from their first tip, so they are the same after a restore:
//  42 bits of the writing time (ms since 2020-01-01), low 22 bits of BLAKE2b-256 (district || device key || epoch || counter), little endian.
uint64_t incident_id (const uint8_t district [DISTRICT_SIZE], const uint8_t device_key [KEY_SIZE], uint64_t epoch,
    uint64_t counter, int64_t written_ms);
//  The lowest id of an incident whose first tip is written in that millisecond.
uint64_t incident_id_first (int64_t written_ms);

#endif
