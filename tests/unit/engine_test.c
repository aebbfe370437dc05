//  engine_test - what becomes of one envelope, without sockets and clocks

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine.h"
#include "home.h"
#include "identity.h"

#define NOW 1790000000000ll

//  A district with one node and two desks, its log, and the engine over it.
typedef struct {
    char home [64];
    box_keys_t core, device [3];
    eventlog_t *log;
    eventlog_reader_t *reader;
    engine_t *engine;
    sign_keys_t issuer;
    uint64_t seq;
} world_t;

static void s_write_district (const world_t *world)
{
    char *path = home_path (world->home, "district.id");
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    fputs ("0102030405060708\n", file);
    fclose (file);
    free (path);
}

static void s_open (world_t *world)
{
    char *path = home_path (world->home, "log.db");
    world->log = eventlog_open (path);
    world->reader = eventlog_reader_open (path);
    free (path);
    assert_non_null (world->log);
    assert_non_null (world->reader);
    world->engine = engine_open (world->home, world->reader);
    assert_non_null (world->engine);
    world->seq = eventlog_last (world->log);
}

static void s_shut (world_t *world)
{
    engine_close (&world->engine);
    eventlog_reader_close (&world->reader);
    eventlog_close (&world->log);
}

//  Appends, syncs, applies: what the core does for a batch of one.
static void s_durable (world_t *world, take_t *take)
{
    eventlog_done_t done;
    uint64_t ticket = eventlog_append (world->log, take->record, take->record_size, take->at_ms);
    engine_appended (world->engine, take, ticket);
    assert_true (eventlog_flush (world->log, &done));
    engine_completed (world->engine, ticket);
    world->seq++;
    assert_int_equal (engine_apply (world->engine, world->seq, take->record, take->record_size), 0);
    free (take->record);
    free (take->texts);
    take->record = take->texts = NULL;
}

static member_t *s_enrol (world_t *world, int i, Patrol__Role role, const char *station)
{
    credential_t credential
        = { .member = 100 + (uint64_t)i, .role = role, .from_ms = NOW - 1000, .until_ms = NOW + 1000000000 };
    uint8_t *packed;
    box_keys_t link;
    take_t take = { 0 };
    box_keys_make (&world->device [i]);
    box_keys_make (&link);
    memcpy (credential.device_key, world->device [i].public_key, KEY_SIZE);
    memcpy (credential.link_key, link.public_key, KEY_SIZE);
    memcpy (credential.district, engine_district (world->engine), DISTRICT_SIZE);
    snprintf (credential.station, sizeof credential.station, "%s", station);
    size_t size = credential_issue (&packed, &credential, &world->issuer);
    assert_true (size > 0);
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__MemberEnrolled event = PATROL__MEMBER_ENROLLED__INIT;
    event.device = (uint32_t)members_count (engine_members (world->engine)) + 1;
    event.credential = (ProtobufCBinaryData){ size, packed };
    record.event_case = PATROL__RECORD__EVENT_ENROLLED;
    record.enrolled = &event;
    engine_record (world->engine, &record, NOW, &take);
    s_durable (world, &take);
    free (packed);
    return members_get (engine_members (world->engine), event.device);
}

static const char s_areas []
    = "{\"type\":\"FeatureCollection\",\"features\":["
      "{\"type\":\"Feature\",\"properties\":{\"station\":\"west\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":"
      "[[[109.0,33.0],[109.5,33.0],[109.5,33.4],[109.0,33.4],[109.0,33.0]]]}},"
      "{\"type\":\"Feature\",\"properties\":{\"station\":\"east\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":"
      "[[[109.5,33.0],[110.0,33.0],[110.0,33.4],[109.5,33.4],[109.5,33.0]]]}}]}";

static int s_setup (void **state)
{
    world_t *world = calloc (1, sizeof *world);
    snprintf (world->home, sizeof world->home, "/tmp/engine_test.XXXXXX");
    assert_non_null (mkdtemp (world->home));
    box_keys_make (&world->core);
    sign_keys_make (&world->issuer);
    char *path = home_path (world->home, "core.key");
    assert_int_equal (box_keys_save (&world->core, path, "core"), 0);
    free (path);
    s_write_district (world);
    s_open (world);
    take_t take;
    uint8_t hash [32];
    engine_load_areas (world->engine, s_areas, sizeof s_areas - 1, DATUM_WGS84, NOW, hash, NULL, NULL, &take);
    assert_int_equal (take.verdict, TAKE_RECORD);
    eventlog_append_blob (world->log, hash, (const uint8_t *)s_areas, sizeof s_areas - 1);
    s_durable (world, &take);
    s_enrol (world, 0, PATROL__ROLE__NODE, "");
    s_enrol (world, 1, PATROL__ROLE__DESK, "west");
    s_enrol (world, 2, PATROL__ROLE__DESK, "east");
    *state = world;
    return 0;
}

static int s_teardown (void **state)
{
    world_t *world = *state;
    char command [128];
    s_shut (world);
    snprintf (command, sizeof command, "rm -rf %s", world->home);
    int rc = system (command);
    free (world);
    return rc;
}

//  Seals an Inner of device i.
static size_t s_seal (world_t *world, int i, Patrol__Inner *inner, const ProtobufCMessage *body, uint8_t **envelope)
{
    envelope_seal_t seal = { .key_id = envelope_key_id (world->core.public_key) };
    assert_int_equal (envelope_shared (seal.shared, world->core.public_key, world->device [i].secret_key), 0);
    memcpy (seal.district, engine_district (world->engine), DISTRICT_SIZE);
    inner->tag = envelope_tag (seal.shared, inner->epoch, inner->counter, body);
    inner->written_ms = NOW;
    size_t size = envelope_seal (envelope, &seal, CLASS_NORMAL, 24, NOW, inner);
    assert_true (size > 0);
    return size;
}

static void s_take_tip (
    world_t *world, uint64_t epoch, uint64_t counter, const char *text, double lat, double lon, take_t *take)
{
    Patrol__Inner inner = PATROL__INNER__INIT;
    Patrol__Tip tip = PATROL__TIP__INIT;
    uint8_t *envelope;
    tip.kind = (ProtobufCBinaryData){ 5, (uint8_t *)"order" };
    tip.severity = 2;
    tip.text = (ProtobufCBinaryData){ strlen (text), (uint8_t *)text };
    tip.has_position = lat != 0;
    tip.lat_e7 = degrees_to_e7 (lat);
    tip.lon_e7 = degrees_to_e7 (lon);
    inner.epoch = epoch;
    inner.counter = counter;
    inner.body_case = PATROL__INNER__BODY_TIP;
    inner.tip = &tip;
    size_t size = s_seal (world, 0, &inner, &tip.base, &envelope);
    engine_take (world->engine, envelope, size, members_get (engine_members (world->engine), 1), NOW, take);
    free (envelope);
}

static void s_command (
    world_t *world, int i, uint64_t counter, Patrol__Verb verb, uint64_t incident, uint64_t based_on, take_t *take)
{
    Patrol__Inner inner = PATROL__INNER__INIT;
    Patrol__Command command = PATROL__COMMAND__INIT;
    uint8_t *envelope;
    command.verb = verb;
    command.incident = incident;
    command.based_on = based_on;
    command.officer = (ProtobufCBinaryData){ 4, (uint8_t *)"Wang" };
    inner.epoch = 77;
    inner.counter = counter;
    inner.body_case = PATROL__INNER__BODY_COMMAND;
    inner.command = &command;
    size_t size = s_seal (world, i, &inner, &command.base, &envelope);
    engine_take (
        world->engine, envelope, size, members_get (engine_members (world->engine), (uint32_t)i + 1), NOW + 1000, take);
    free (envelope);
}

static void test_tip_is_routed_once (void **state)
{
    world_t *world = *state;
    take_t take;
    s_take_tip (world, 7, 1, "quarrel", 33.2, 109.2, &take);
    assert_int_equal (take.verdict, TAKE_RECORD);
    assert_string_equal (take.station, "west");
    take_t again;
    //  The same tip again while the first is on its way: its receipt comes with the batch.
    s_take_tip (world, 7, 1, "quarrel", 33.2, 109.2, &again);
    assert_int_equal (again.verdict, TAKE_WAIT);
    s_durable (world, &take);
    s_take_tip (world, 7, 1, "quarrel", 33.2, 109.2, &again);
    assert_int_equal (again.verdict, TAKE_AGAIN);
    assert_int_equal (again.code, PATROL__CODE__OK);
    assert_int_equal (again.incident, take.incident);
    slot_t slots [4];
    feed_t *feed = engine_station_feed (world->engine, "west", 4);
    assert_int_equal (state_feed_page (engine_state (world->engine), feed, 0, slots, 4), 1);
}

//  A crash seen at that time and place, as far as its phone knows.
static uint64_t s_crash_at (world_t *world, uint64_t counter, double lat, double lon, uint32_t accuracy_m, int64_t seen_ms)
{
    Patrol__Inner inner = PATROL__INNER__INIT;
    Patrol__Tip tip = PATROL__TIP__INIT;
    uint8_t *envelope;
    take_t take;
    tip.kind = (ProtobufCBinaryData){ 7, (uint8_t *)"traffic" };
    tip.text = (ProtobufCBinaryData){ 1, (uint8_t *)"!" };
    tip.severity = 2;
    tip.has_position = true;
    tip.lat_e7 = degrees_to_e7 (lat);
    tip.lon_e7 = degrees_to_e7 (lon);
    tip.accuracy_m = accuracy_m;
    tip.seen_ms = seen_ms;
    inner.epoch = 9;
    inner.counter = counter;
    inner.body_case = PATROL__INNER__BODY_TIP;
    inner.tip = &tip;
    size_t size = s_seal (world, 0, &inner, &tip.base, &envelope);
    engine_take (world->engine, envelope, size, members_get (engine_members (world->engine), 1), NOW, &take);
    free (envelope);
    assert_int_equal (take.verdict, TAKE_RECORD);
    assert_int_equal (take.code, PATROL__CODE__OK);
    s_durable (world, &take);
    return take.incident;
}

//  So many metres north of the middle of the west.
static uint64_t s_crash (world_t *world, uint64_t counter, double north_m, int64_t seen_ms)
{
    return s_crash_at (world, counter, 33.2 + north_m / 111195, 109.2, 0, seen_ms);
}

//  Two places some metres apart with the border between them: two incidents, unless the phone does not know the side.
static void test_a_border_parts_what_is_near (void **state)
{
    world_t *world = *state;
    const double step = 4 / (111195 * 0.8366); //  4 m at that latitude
    uint64_t west = s_crash_at (world, 1, 33.2, 109.5 - step, 0, NOW);
    uint64_t east = s_crash_at (world, 2, 33.2, 109.5 + step, 0, NOW);
    assert_int_not_equal (west, east);
    assert_int_equal (s_crash_at (world, 3, 33.2, 109.5 - 2 * step, 0, NOW), west);
    assert_int_equal (s_crash_at (world, 4, 33.2, 109.5 + 2 * step, 0, NOW), east);
    incident_t incident;
    assert_true (state_incident (engine_state (world->engine), east, &incident));
    assert_string_equal (incident.station_id, "east");
    assert_string_equal (incident.copies, ",west,");
    //  a lone one, then a report from beyond the border that is good to 30 m only
    west = s_crash_at (world, 5, 33.25, 109.5 - step, 0, NOW);
    assert_int_equal (s_crash_at (world, 6, 33.25, 109.5 + step, 30, NOW), west);
}

//  One report, another that is too far off alone, a third beside the first: the second is taken along. True if it is.
static bool s_takes_along (world_t *world, uint64_t counter, int64_t first_ms, int64_t stray_ms)
{
    take_t more;
    uint64_t first = s_crash (world, counter, 0, first_ms), stray = s_crash (world, counter + 1, 150, stray_ms);
    assert_int_not_equal (first, stray);
    assert_int_equal (s_crash (world, counter + 2, 10, first_ms), first);
    if (!engine_more (world->engine, NOW, &more))
        return false;
    assert_int_equal (more.incident, stray);
    assert_int_equal (more.other, first);
    s_durable (world, &more);
    return true;
}

//  What came too late for the live picture joins by its time, but takes nothing out of the picture.
static void test_what_runs_is_not_taken_into_what_is_late (void **state)
{
    world_t *world = *state;
    const int64_t minute = 60000, day = 24 * 60 * minute;
    assert_true (s_takes_along (world, 1, NOW - 300 * minute, NOW - 295 * minute));
    assert_true (s_takes_along (world, 11, NOW - day - 300 * minute, NOW - day - 295 * minute));
    //  traffic lives a day: the first is late and the stray is not
    assert_false (s_takes_along (world, 21, NOW - day - 2 * minute, NOW - day + 3 * minute));
    //  open all of them, but nobody is to be rung for what came late
    station_counts_t counts;
    state_counts (engine_state (world->engine), engine_station_feed (world->engine, "west", 4)->number, &counts);
    assert_int_equal (counts.open, 4);
    assert_int_equal (counts.unacknowledged, 2);
    //  and so it is after a start, read from the log
    uint64_t late = s_crash (world, 31, 3000, NOW - day - 2 * minute),
             live = s_crash (world, 32, 3150, NOW - day + 3 * minute);
    s_shut (world);
    s_open (world);
    take_t more;
    assert_int_equal (s_crash (world, 33, 3010, NOW - day - 2 * minute), late);
    assert_int_not_equal (late, live);
    assert_false (engine_more (world->engine, NOW, &more));
    //  a tip that did not come late makes it one like others
    state_counts (engine_state (world->engine), engine_station_feed (world->engine, "west", 4)->number, &counts);
    uint64_t before = counts.unacknowledged;
    assert_int_equal (s_crash (world, 34, 3010, NOW - day + minute), late);
    state_counts (engine_state (world->engine), engine_station_feed (world->engine, "west", 4)->number, &counts);
    assert_int_equal (counts.unacknowledged, before + 1);
}

static void test_unlocated_goes_to_the_district (void **state)
{
    world_t *world = *state;
    take_t take;
    s_take_tip (world, 7, 1, "no idea where", 0, 0, &take);
    assert_int_equal (take.verdict, TAKE_RECORD);
    assert_string_equal (take.station, "district");
    s_durable (world, &take);
    incident_t incident;
    assert_true (state_incident (engine_state (world->engine), take.incident, &incident));
    assert_string_equal (incident.station_id, "district");
    assert_string_equal (incident.kind, "order");
    assert_string_equal (incident.copies, "");
}

static void test_refusals_settle_their_counter (void **state)
{
    world_t *world = *state;
    take_t take;
    s_take_tip (world, 7, 1, "bell \a", 33.2, 109.2, &take);
    assert_int_equal (take.verdict, TAKE_RECORD);
    assert_int_equal (take.code, PATROL__CODE__BAD_TEXT);
    s_durable (world, &take);
    s_take_tip (world, 7, 1, "bell \a", 33.2, 109.2, &take);
    assert_int_equal (take.verdict, TAKE_AGAIN);
    assert_int_equal (take.code, PATROL__CODE__BAD_TEXT);
}

static void test_counters_have_limits (void **state)
{
    world_t *world = *state;
    take_t take;
    s_take_tip (world, 7, 0, "zero", 33.2, 109.2, &take);
    assert_int_equal (take.code, PATROL__CODE__BAD_COUNTER);
    s_take_tip (world, 7, MAX_AHEAD + 1, "far", 33.2, 109.2, &take);
    assert_int_equal (take.code, PATROL__CODE__BAD_COUNTER);
    for (uint64_t i = 0; i < MAX_GAPS; i++) {
        s_take_tip (world, 7, 2 + 2 * i, "gap", 33.2, 109.2, &take);
        assert_int_equal (take.verdict, TAKE_RECORD);
        s_durable (world, &take);
    }
    s_take_tip (world, 7, 2 + 2 * MAX_GAPS, "one gap too many", 33.2, 109.2, &take);
    assert_int_equal (take.code, PATROL__CODE__SLOW_DOWN);
    //  An older one closes a gap and is welcome.
    s_take_tip (world, 7, 1, "old", 33.2, 109.2, &take);
    assert_int_equal (take.verdict, TAKE_RECORD);
    s_durable (world, &take);
    for (uint64_t epoch = 8; epoch < 11; epoch++) {
        s_take_tip (world, epoch, 1, "epoch", 33.2, 109.2, &take);
        s_durable (world, &take);
    }
    s_take_tip (world, 11, 1, "fifth epoch", 33.2, 109.2, &take);
    assert_int_equal (take.code, PATROL__CODE__SLOW_DOWN);
}

static void test_cloned_card_is_not_swallowed (void **state)
{
    world_t *world = *state;
    take_t first, second, again;
    s_take_tip (world, 7, 1, "from the phone", 33.2, 109.2, &first);
    s_durable (world, &first);
    s_take_tip (world, 7, 1, "from its clone", 33.2, 109.7, &second);
    assert_int_equal (second.verdict, TAKE_RECORD);
    assert_true (second.incident != first.incident);
    s_take_tip (world, 7, 1, "from its clone", 33.2, 109.7, &again);
    assert_int_equal (again.verdict, TAKE_RECORD); //  decided twice before it is on its way: the owner appends one only
    free (again.record);
    free (again.texts);
    s_durable (world, &second);
    s_take_tip (world, 7, 1, "from its clone", 33.2, 109.7, &again);
    assert_int_equal (again.verdict, TAKE_AGAIN);
    assert_int_equal (again.incident, second.incident);
}

static void test_commands_are_scoped_and_versioned (void **state)
{
    world_t *world = *state;
    take_t tip, take;
    s_take_tip (world, 7, 1, "quarrel", 33.2, 109.2, &tip);
    s_durable (world, &tip);
    //  The other station's desk is told the same as for an incident that is not there.
    s_command (world, 2, 1, PATROL__VERB__ACK, tip.incident, 1, &take);
    assert_int_equal (take.code, PATROL__CODE__NOT_FOUND);
    s_durable (world, &take);
    s_command (world, 1, 1, PATROL__VERB__ACK, tip.incident, 1, &take);
    assert_int_equal (take.code, PATROL__CODE__OK);
    assert_int_equal (take.version, 2);
    take_t early;
    s_durable (world, &take);
    s_command (world, 1, 2, PATROL__VERB__CLOSE, tip.incident, 1, &early);
    assert_int_equal (early.code, PATROL__CODE__STALE);
    assert_non_null (strstr (early.detail, "Wang"));
    s_durable (world, &early);
    s_command (world, 1, 3, PATROL__VERB__CLOSE, tip.incident, 2, &take);
    assert_int_equal (take.code, PATROL__CODE__OK);
    s_durable (world, &take);
    slot_t inbox [4];
    assert_int_equal (state_inbox_page (engine_state (world->engine), 1, 0, inbox, 4), 2);
}

static void test_state_is_rebuilt_from_the_log (void **state)
{
    world_t *world = *state;
    take_t take;
    uint8_t before [32], after [32];
    char counts [400];
    for (uint64_t i = 1; i <= 20; i++) {
        s_take_tip (world, 7, i, "tip", 33.2, i % 2 ? 109.2 : 109.7, &take);
        s_durable (world, &take);
    }
    member_t *desk = members_get (engine_members (world->engine), 2);
    engine_delivered (world->engine, desk, 5, NOW, &take);
    assert_int_equal (take.verdict, TAKE_RECORD);
    s_durable (world, &take);
    state_commit (engine_state (world->engine), NOW, true);
    state_digest (engine_state (world->engine), before, counts, sizeof counts);
    s_shut (world);
    char *path = home_path (world->home, "state.db");
    assert_int_equal (unlink (path), 0);
    free (path);
    s_open (world);
    state_digest (engine_state (world->engine), after, counts, sizeof counts);
    assert_memory_equal (before, after, 32);
    origin_t *origin = member_origin (members_get (engine_members (world->engine), 1), 7);
    assert_int_equal (intervals_total (&origin->delivered), 5);
    s_take_tip (world, 7, 20, "tip", 33.2, 109.7, &take);
    assert_int_equal (take.verdict, TAKE_AGAIN);
}

static void test_junk_and_strangers (void **state)
{
    world_t *world = *state;
    take_t take;
    uint8_t junk [ENVELOPE_MIN];
    randombytes_buf (junk, sizeof junk);
    engine_take (world->engine, junk, sizeof junk, NULL, NOW, &take);
    assert_int_equal (take.code, PATROL__CODE__BAD_FRAME);
    //  Sealed by a key that nobody enrolled.
    box_keys_make (&world->device [0]);
    s_take_tip (world, 7, 1, "stranger", 33.2, 109.2, &take);
    assert_int_equal (take.code, PATROL__CODE__UNKNOWN_KEY);
}

int main (void)
{
    if (identity_init ())
        return 1;
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_tip_is_routed_once, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_what_runs_is_not_taken_into_what_is_late, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_a_border_parts_what_is_near, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_unlocated_goes_to_the_district, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_refusals_settle_their_counter, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_counters_have_limits, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_cloned_card_is_not_swallowed, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_commands_are_scoped_and_versioned, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_state_is_rebuilt_from_the_log, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_junk_and_strangers, s_setup, s_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
