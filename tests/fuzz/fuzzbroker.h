//  fuzzbroker - a broker's home in memory with two members, for the targets that go through engine or core
//
//  Device 1 is a node, device 2 a desk of the station `north`. Keys, district and clock are the same in every run.

#ifndef FUZZBROKER_H_INCLUDED
#define FUZZBROKER_H_INCLUDED

#include "fuzz.h"

#include <sodium.h>
#include "engine.h"
#include "setup.h"

#define FUZZ_NOW 1795420800000ll //  2026-11-23
#define FUZZ_DEVICES 2

static const char fuzz_areas []
    = "{\"type\":\"FeatureCollection\",\"features\":["
      "{\"type\":\"Feature\",\"properties\":{\"station\":\"north\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":"
      "[[[109,33],[110,33],[110,34],[109,34],[109,33]]]}},"
      "{\"type\":\"Feature\",\"properties\":{\"station\":\"south\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":"
      "[[[109,32],[110,32],[110,33],[109,33],[109,32]]]}}]}";
static const char fuzz_places [] = "name,lat,lon,kind,area,aliases\nA,33.2,109.2,town,,\nB,32.8,109.3,town,,b\n";

typedef struct {
    const char *home;
    char log_path [128];
    box_keys_t keys [FUZZ_DEVICES], links [FUZZ_DEVICES];
    envelope_seal_t seals [FUZZ_DEVICES];
} fuzz_broker_t;

static inline void fuzz_keys (box_keys_t *keys, uint8_t number)
{
    uint8_t seed [crypto_box_SEEDBYTES] = { number };
    crypto_box_seed_keypair (keys->public_key, keys->secret_key, seed);
}

//  Makes the home and its log, empty of tips.
static inline void fuzz_broker_make (fuzz_broker_t *self)
{
    char *authority = NULL;
    self->home = fuzz_folder_make ();
    setup_t setup = { .home = self->home, .name = "fuzz", .listen = "tcp://127.0.0.1:7410" };
    FUZZ_EXPECT (setup_make (&setup, &authority) == 0);
    free (authority);
    snprintf (self->log_path, sizeof self->log_path, "%s/log.db", self->home);
    //  the core's key is made anew by setup: the tests' own takes its place, so that inputs mean the same again
    char path [128];
    box_keys_t core;
    fuzz_keys (&core, 99);
    snprintf (path, sizeof path, "%s/core.key", self->home);
    FUZZ_EXPECT (box_keys_save (&core, path, "core") == 0);
}

//  Members go in as the state brings them back at a start.
static inline void fuzz_broker_members (fuzz_broker_t *self, engine_t *engine)
{
    for (uint8_t index = 0; index < FUZZ_DEVICES; index++) {
        member_t member = { .number = index + 1u,
            .member = 1000u + index,
            .role = index ? PATROL__ROLE__DESK : PATROL__ROLE__NODE,
            .until_ms = INT64_MAX,
            .enrolled_ms = FUZZ_NOW };
        fuzz_keys (&self->keys [index], (uint8_t)(index + 1));
        fuzz_keys (&self->links [index], (uint8_t)(index + 11));
        memcpy (member.device_key, self->keys [index].public_key, KEY_SIZE);
        memcpy (member.link_key, self->links [index].public_key, KEY_SIZE);
        strcpy (member.station, index ? "north" : "");
        FUZZ_EXPECT (members_add (engine_members (engine), &member));
        envelope_seal_t *seal = &self->seals [index];
        const box_keys_t *core = engine_core_keys (engine);
        FUZZ_EXPECT (envelope_shared (seal->shared, core->public_key, self->keys [index].secret_key) == 0);
        memcpy (seal->district, engine_district (engine), DISTRICT_SIZE);
        seal->key_id = envelope_key_id (core->public_key);
    }
}

//  An envelope of the device around the fuzzer's bytes. The header hash, which no fuzzer guesses, is put before them.
static inline size_t fuzz_seal (
    uint8_t out [ENVELOPE_MAX], const envelope_seal_t *seal, class_t cls, int64_t now_ms, const uint8_t *inner, size_t size)
{
    static const uint32_t buckets [] = { 512, 2048, 6144, 10240 };
    static uint8_t plain [10240];
    uint8_t bucket = 0;
    uint32_t day = envelope_day (now_ms);
    while (bucket < 3 && size + 20 > buckets [bucket]) {
        bucket++;
    }
    size = size + 20 > buckets [bucket] ? buckets [bucket] - 20 : size;
    memset (out, 0, ENVELOPE_HEADER);
    out [0] = ENVELOPE_VERSION;
    out [1] = (uint8_t)cls;
    out [2] = bucket;
    memcpy (out + 4, &seal->key_id, 4);
    memcpy (out + 8, seal->district, DISTRICT_SIZE);
    envelope_handle (out + 16, seal->shared, day);
    memcpy (out + 32, &day, 4);
    out [36] = 24;
    memset (plain, 0, sizeof plain);
    memcpy (plain, "\1\12\20", 3);
    crypto_generichash (plain + 3, 16, out, ENVELOPE_HEADER, NULL, 0);
    if (size) {
        memcpy (plain + 19, inner, size);
    }
    plain [19 + size] = 0x80;
    memset (out + ENVELOPE_HEADER, 5, NONCE_SIZE);
    FUZZ_EXPECT (crypto_box_easy_afternm (
                     out + ENVELOPE_HEADER + NONCE_SIZE, plain, buckets [bucket], out + ENVELOPE_HEADER, seal->shared)
        == 0);
    return ENVELOPE_OVERHEAD + buckets [bucket];
}

#endif
