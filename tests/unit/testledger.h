//  testledger - a district with two stations, its log made by the engine: for tests of what reads it

#ifndef TESTLEDGER_H_INCLUDED
#define TESTLEDGER_H_INCLUDED

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine.h"
#include "home.h"
#include "identity.h"

#define LEDGER_NOW 1790000000000ll

enum { ANN, WEST, EAST, CHIEF, LEDGER_DEVICES }; //  a node, two desks, a coordinator

typedef struct {
    char home [64];
    box_keys_t core, device [LEDGER_DEVICES];
    sign_keys_t issuer;
    eventlog_t *log;
    eventlog_reader_t *reader;
    engine_t *engine;
    uint64_t seq, counters [LEDGER_DEVICES];
    int64_t now_ms; //  one second later with every record
} ledger_t;

static const char ledger_areas []
    = "{\"type\":\"FeatureCollection\",\"features\":["
      "{\"type\":\"Feature\",\"properties\":{\"station\":\"west\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":"
      "[[[109.0,33.0],[109.5,33.0],[109.5,33.4],[109.0,33.4],[109.0,33.0]]]}},"
      "{\"type\":\"Feature\",\"properties\":{\"station\":\"east\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":"
      "[[[109.5,33.0],[110.0,33.0],[110.0,33.4],[109.5,33.4],[109.5,33.0]]]}}]}";

static inline void ledger_file (const char *home, const char *name, const char *text)
{
    char *path = home_path (home, name);
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    fputs (text, file);
    fclose (file);
    free (path);
}

static inline void ledger_open (ledger_t *self)
{
    char *path = home_path (self->home, "log.db");
    self->log = eventlog_open (path);
    self->reader = eventlog_reader_open (path);
    free (path);
    assert_non_null (self->log);
    assert_non_null (self->reader);
    self->engine = engine_open (self->home, self->reader);
    assert_non_null (self->engine);
    self->seq = eventlog_last (self->log);
}

static inline void ledger_shut (ledger_t *self)
{
    engine_close (&self->engine);
    eventlog_reader_close (&self->reader);
    eventlog_close (&self->log);
}

//  Appends, syncs, applies, commits: what the core does for a batch of one before a query.
static inline void ledger_durable (ledger_t *self, take_t *take)
{
    eventlog_done_t done;
    assert_int_equal (take->verdict, TAKE_RECORD);
    uint64_t ticket = eventlog_append (self->log, take->record, take->record_size, take->at_ms);
    engine_appended (self->engine, take, ticket);
    assert_true (eventlog_flush (self->log, &done));
    engine_completed (self->engine, ticket);
    assert_int_equal (engine_apply (self->engine, ++self->seq, take->record, take->record_size), 0);
    assert_int_equal (state_commit (engine_state (self->engine), self->now_ms, true), 0);
    free (take->record);
    free (take->texts);
    take->record = take->texts = NULL;
    self->now_ms += 1000;
}

static inline void ledger_enrol (ledger_t *self, int device, Patrol__Role role, const char *station)
{
    credential_t credential = {
        .member = 100 + (uint64_t)device, .role = role, .from_ms = LEDGER_NOW - 1000, .until_ms = LEDGER_NOW + 1000000000
    };
    uint8_t *packed;
    box_keys_t link;
    take_t take = { 0 };
    box_keys_make (&self->device [device]);
    box_keys_make (&link);
    memcpy (credential.device_key, self->device [device].public_key, KEY_SIZE);
    memcpy (credential.link_key, link.public_key, KEY_SIZE);
    memcpy (credential.district, engine_district (self->engine), DISTRICT_SIZE);
    snprintf (credential.station, sizeof credential.station, "%s", station);
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__MemberEnrolled event = PATROL__MEMBER_ENROLLED__INIT;
    event.device = (uint32_t)device + 1;
    event.credential.len = credential_issue (&packed, &credential, &self->issuer);
    event.credential.data = packed;
    record.event_case = PATROL__RECORD__EVENT_ENROLLED;
    record.enrolled = &event;
    engine_record (self->engine, &record, self->now_ms, &take);
    ledger_durable (self, &take);
    free (packed);
}

static inline ledger_t *ledger_make (void)
{
    ledger_t *self = calloc (1, sizeof *self);
    self->now_ms = LEDGER_NOW;
    snprintf (self->home, sizeof self->home, "/tmp/ledger_test.XXXXXX");
    assert_non_null (mkdtemp (self->home));
    box_keys_make (&self->core);
    sign_keys_make (&self->issuer);
    char *path = home_path (self->home, "core.key");
    assert_int_equal (box_keys_save (&self->core, path, "core"), 0);
    free (path);
    ledger_file (self->home, "district.id", "0102030405060708\n");
    ledger_open (self);
    take_t take;
    uint8_t hash [32];
    engine_load_areas (
        self->engine, ledger_areas, sizeof ledger_areas - 1, DATUM_WGS84, self->now_ms, hash, NULL, NULL, &take);
    eventlog_append_blob (self->log, hash, (const uint8_t *)ledger_areas, sizeof ledger_areas - 1);
    ledger_durable (self, &take);
    ledger_enrol (self, ANN, PATROL__ROLE__NODE, "");
    ledger_enrol (self, WEST, PATROL__ROLE__DESK, "west");
    ledger_enrol (self, EAST, PATROL__ROLE__DESK, "east");
    ledger_enrol (self, CHIEF, PATROL__ROLE__COORDINATOR, "");
    return self;
}

static inline void ledger_destroy (ledger_t **self_p)
{
    char command [128];
    ledger_shut (*self_p);
    snprintf (command, sizeof command, "rm -rf %s", (*self_p)->home);
    assert_int_equal (system (command), 0);
    free (*self_p);
    *self_p = NULL;
}

//  Seals, takes, makes durable. Returns the incident.
static inline uint64_t ledger_take (ledger_t *self, int device, Patrol__Inner *inner, const ProtobufCMessage *body)
{
    envelope_seal_t seal = { .key_id = envelope_key_id (self->core.public_key) };
    uint8_t *envelope;
    take_t take;
    assert_int_equal (envelope_shared (seal.shared, self->core.public_key, self->device [device].secret_key), 0);
    memcpy (seal.district, engine_district (self->engine), DISTRICT_SIZE);
    inner->epoch = 7;
    inner->counter = ++self->counters [device];
    inner->tag = envelope_tag (seal.shared, inner->epoch, inner->counter, body);
    inner->written_ms = self->now_ms;
    size_t size = envelope_seal (&envelope, &seal, CLASS_NORMAL, 24, self->now_ms, inner);
    assert_true (size > 0);
    engine_take (self->engine, envelope, size, members_get (engine_members (self->engine), (uint32_t)device + 1),
        self->now_ms, &take);
    free (envelope);
    assert_int_equal (take.code, PATROL__CODE__OK);
    ledger_durable (self, &take);
    return take.incident;
}

static inline uint64_t ledger_tip (ledger_t *self, const char *kind, const char *text, double lat, double lon)
{
    Patrol__Inner inner = PATROL__INNER__INIT;
    Patrol__Tip tip = PATROL__TIP__INIT;
    tip.kind = (ProtobufCBinaryData){ strlen (kind), (uint8_t *)kind };
    tip.severity = 2;
    tip.text = (ProtobufCBinaryData){ strlen (text), (uint8_t *)text };
    tip.has_position = lat != 0;
    tip.lat_e7 = degrees_to_e7 (lat);
    tip.lon_e7 = degrees_to_e7 (lon);
    inner.body_case = PATROL__INNER__BODY_TIP;
    inner.tip = &tip;
    return ledger_take (self, ANN, &inner, &tip.base);
}

static inline void ledger_command (ledger_t *self, int device, Patrol__Verb verb, uint64_t incident, double lat, double lon)
{
    Patrol__Inner inner = PATROL__INNER__INIT;
    Patrol__Command command = PATROL__COMMAND__INIT;
    incident_t found;
    assert_true (state_incident (engine_state (self->engine), incident, &found));
    command.verb = verb;
    command.incident = incident;
    command.based_on = found.version;
    command.officer = (ProtobufCBinaryData){ 4, (uint8_t *)"Wang" };
    command.note = (ProtobufCBinaryData){ 4, (uint8_t *)"note" };
    command.has_position = lat != 0;
    command.lat_e7 = degrees_to_e7 (lat);
    command.lon_e7 = degrees_to_e7 (lon);
    inner.body_case = PATROL__INNER__BODY_COMMAND;
    inner.command = &command;
    ledger_take (self, device, &inner, &command.base);
}

#endif
