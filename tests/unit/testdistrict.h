//  testdistrict - a district made in the test: its keys, and homes of devices that have joined it, without any broker

#ifndef TESTDISTRICT_H_INCLUDED
#define TESTDISTRICT_H_INCLUDED

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "device.h"
#include "home.h"
#include "timefmt.h"

#define DISTRICT_DAY_MS INT64_C (86400000)

typedef struct {
    sign_keys_t authority, issuer, receipts;
    box_keys_t core;
    uint8_t id [DISTRICT_SIZE];
    uint8_t *issuer_cert;
    size_t issuer_size;
    uint64_t members;
} testdistrict_t;

static inline void testdistrict_make (testdistrict_t *self, const char *name)
{
    memset (self, 0, sizeof *self);
    sign_keys_make (&self->authority);
    sign_keys_make (&self->issuer);
    sign_keys_make (&self->receipts);
    box_keys_make (&self->core);
    identity_district (self->id, self->authority.public_key, name);
    int64_t now_ms = time_now_ms ();
    self->issuer_size = issuer_issue (&self->issuer_cert, self->id, name, self->issuer.public_key,
        now_ms - 400 * DISTRICT_DAY_MS, now_ms + 400 * DISTRICT_DAY_MS, &self->authority);
}

static inline void testdistrict_clear (testdistrict_t *self)
{
    free (self->issuer_cert);
}

static inline void testdistrict_hex (FILE *file, const char *key, const void *bytes, size_t size)
{
    fprintf (file, "\"%s\": \"", key);
    for (size_t i = 0; i < size; i++)
        fprintf (file, "%02x", ((const uint8_t *)bytes) [i]);
    fprintf (file, "\",\n");
}

//  The folder is made. A credential that is over is written all the same: the home believes what it was told on its first day.
static inline device_t *testdistrict_join (
    testdistrict_t *self, const char *home, Patrol__Role role, int64_t from_ms, int64_t until_ms)
{
    box_keys_t device, link;
    box_keys_make (&device);
    box_keys_make (&link);
    mkdir (home, 0700);
    char *device_path = home_path (home, "device.key"), *link_path = home_path (home, "link.key"),
         *path = home_path (home, "device.json");
    credential_t credential = { .member = ++self->members, .role = role, .from_ms = from_ms, .until_ms = until_ms };
    memcpy (credential.district, self->id, DISTRICT_SIZE);
    memcpy (credential.device_key, device.public_key, KEY_SIZE);
    memcpy (credential.link_key, link.public_key, KEY_SIZE);
    if (role != PATROL__ROLE__NODE)
        snprintf (credential.station, sizeof credential.station, "west");
    uint8_t *packed = NULL;
    size_t size = credential_issue (&packed, &credential, &self->issuer);
    FILE *file = fopen (path, "w");
    device_t *opened = NULL;
    if (file && size && box_keys_save (&device, device_path, "device") == 0
        && box_keys_save (&link, link_path, "link") == 0) {
        fprintf (file, "{\"version\": 1, \"endpoint\": \"tcp://127.0.0.1:1\", \"enrolled_ms\": %lld,\n", (long long)from_ms);
        testdistrict_hex (file, "transport_key", self->core.public_key, KEY_SIZE);
        testdistrict_hex (file, "core_key", self->core.public_key, KEY_SIZE);
        testdistrict_hex (file, "authority", self->authority.public_key, KEY_SIZE);
        testdistrict_hex (file, "district", self->id, DISTRICT_SIZE);
        testdistrict_hex (file, "issuer", self->issuer_cert, self->issuer_size);
        testdistrict_hex (file, "receipts_key", self->receipts.public_key, KEY_SIZE);
        fprintf (file, "\"credential\": \"");
        for (size_t i = 0; i < size; i++)
            fprintf (file, "%02x", packed [i]);
        fprintf (file, "\"}\n");
        fclose (file);
        opened = device_open (home);
    }
    free (packed);
    free (device_path);
    free (link_path);
    free (path);
    return opened;
}

static inline device_t *testdistrict_node (testdistrict_t *self, const char *home)
{
    int64_t now_ms = time_now_ms ();
    return testdistrict_join (self, home, PATROL__ROLE__NODE, now_ms - DISTRICT_DAY_MS, now_ms + DISTRICT_DAY_MS);
}

#endif
