//  members - who is enrolled, and what was taken from each: the broker's memory per device, never per tip
//
//  Loaded from the state at start and moved by records. One thread.

#ifndef MEMBERS_H_INCLUDED
#define MEMBERS_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include "envelope.h"
#include "intervals.h"
#include "patrol.pb-c.h"

#define LIVE_EPOCHS 4
#define MAX_GAPS 64u
#define MAX_AHEAD 10000u
#define EPOCH_LIFE_MS (7 * 86400000ll) //  nobody resends beyond this, so the epoch no longer counts as live

//  A stream of numbered envelopes of one device.
typedef struct {
    uint64_t epoch;
    intervals_t seen;      //  taken into a batch, durable or not: what dedupe asks
    intervals_t durable;   //  in the log: what receipts and attach are built from
    intervals_t delivered; //  tips that a first desk has on disk
    int64_t last_ms;
    bool dirty; //  differs from its row in the state
} origin_t;

typedef struct {
    uint32_t number; //  1, 2, ... in order of enrolment
    uint64_t member;
    Patrol__Role role;
    char station [33], unit [65], name [65];
    uint8_t device_key [KEY_SIZE], link_key [KEY_SIZE];
    uint8_t shared [KEY_SIZE], handle [HANDLE_SIZE];
    bool shared_ready, revoked;
    uint32_t handle_day;
    int64_t until_ms, enrolled_ms, last_seen_ms, clock_offset_ms;
    uint64_t tips;          //  accepted
    uint64_t inbox_next;    //  number the next status reply gets
    uint64_t inbox_durable; //  highest in the log
    origin_t *origins;
    int origin_count;
    uint32_t session;                 //  of the core, 0 = none
    int32_t last_lat_e7, last_lon_e7; //  of its newest tip with a position; forgotten at a restart, written nowhere
    int64_t last_place_ms;            //  when that was seen, 0 = never
} member_t;

//  An invitation that is out.
typedef struct {
    uint8_t token_hash [32], link_key [KEY_SIZE];
    Patrol__Role role;
    char station [33], unit [65], name [65];
    int64_t expires_ms;
    uint32_t used_by; //  device number, 0 = unused
} invited_t;

typedef struct members_t members_t;

members_t *members_new (const box_keys_t *core_keys);
void members_destroy (members_t **self_p);

//  Copies everything but the pointers. Returns the member, valid until destroy. NULL if number or keys are taken.
member_t *members_add (members_t *self, const member_t *member);
invited_t *members_invite (members_t *self, const invited_t *invited);

//  What a packed Signed credential says of a member, for members_add; the signature was ours when it entered the log. -1 if it is none.
int members_from_credential (
    member_t *out, uint32_t number, const uint8_t *packed, size_t size, const char *name, int64_t at_ms);

int members_count (const members_t *self);
member_t *members_get (members_t *self, uint32_t number); //  1..count, NULL otherwise
member_t *members_by_link (members_t *self, const uint8_t key [KEY_SIZE]);
member_t *members_by_device (members_t *self, const uint8_t key [KEY_SIZE]);
member_t *members_by_id (members_t *self, uint64_t member);
int members_invited_count (const members_t *self);
invited_t *members_invited_at (members_t *self, int index);
invited_t *members_invited_by_link (members_t *self, const uint8_t key [KEY_SIZE]);
invited_t *members_invited_by_hash (members_t *self, const uint8_t hash [32]);

//  The cached crypto_box key with this device; NULL for a low-order key.
const uint8_t *members_shared (members_t *self, member_t *member);
//  Does the envelope's handle belong to the member on that day?
bool members_handle_is (members_t *self, member_t *member, const uint8_t handle [HANDLE_SIZE], uint32_t day);
//  Whose it is, for relayed envelopes: all devices' handles of days around `today`, made on demand.
member_t *members_by_handle (members_t *self, const uint8_t handle [HANDLE_SIZE], uint32_t day, uint32_t today);

//  NULL if absent.
origin_t *member_origin (member_t *member, uint64_t epoch);
//  Adds an origin (any number: the limit on live ones is the engine's). Pointers to other origins of the member become invalid.
origin_t *member_add_origin (member_t *member, uint64_t epoch);
int member_live_epochs (const member_t *member, int64_t now_ms);

//  Per-day pseudonym under a key of the core: "r-XXXXXXXX". The same reporter has another one tomorrow.
void members_pseudonym (const members_t *self, const member_t *member, uint32_t day, char out [16]);

#endif
