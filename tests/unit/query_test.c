//  query_test - lists, histories and replays through the reader, over a log that the engine made

#include "testledger.h"

#include <poll.h>

#include "reader.h"
#include "sqlite3.h"

typedef struct {
    ledger_t *ledger;
    reader_t *reader;
    uint64_t west [3], east, border, nowhere;
} fixture_t;

static int s_setup (void **state)
{
    fixture_t *fixture = calloc (1, sizeof *fixture);
    ledger_t *ledger = fixture->ledger = ledger_make ();
    fixture->west [0] = ledger_tip (ledger, "order", "a quarrel", 33.2, 109.2);
    fixture->east = ledger_tip (ledger, "fire", "smoke", 33.2, 109.8);
    fixture->west [1] = ledger_tip (ledger, "fire", "more smoke", 33.1, 109.1);
    fixture->border = ledger_tip (ledger, "order", "on the border", 33.2, 109.4999);
    fixture->nowhere = ledger_tip (ledger, "lost", "no idea where", 0, 0);
    fixture->west [2] = ledger_tip (ledger, "order", "closed one", 33.3, 109.3);
    ledger_command (ledger, WEST, PATROL__VERB__ACK, fixture->west [0], 0, 0);
    ledger_command (ledger, WEST, PATROL__VERB__CLOSE, fixture->west [2], 0, 0);
    ledger_command (ledger, EAST, PATROL__VERB__PLACE, fixture->east, 33.25, 109.75);
    fixture->reader = reader_open (ledger->home, &ledger->core);
    assert_non_null (fixture->reader);
    *state = fixture;
    return 0;
}

static int s_teardown (void **state)
{
    fixture_t *fixture = *state;
    reader_close (&fixture->reader);
    assert_null (fixture->reader);
    ledger_destroy (&fixture->ledger);
    free (fixture);
    return 0;
}

//  ---- asking

#define FOUND_MAX 600

typedef struct {
    Patrol__Answer *answers [64];
    int answer_count;
    Patrol__Item *items [FOUND_MAX];
    int count;
    uint32_t code;
    uint64_t cursor;
    bool end;
} found_t;

static void s_free (found_t *found)
{
    for (int i = 0; i < found->answer_count; i++)
        patrol__answer__free_unpacked (found->answers [i], NULL);
    memset (found, 0, sizeof *found);
}

static void s_ask (fixture_t *fixture, int device, Patrol__Query *query, bool fresh, found_t *found)
{
    static const struct {
        Patrol__Role role;
        const char *station;
    } who [LEDGER_DEVICES] = { [ANN] = { PATROL__ROLE__NODE, "" },
        [WEST] = { PATROL__ROLE__DESK, "west" },
        [EAST] = { PATROL__ROLE__DESK, "east" },
        [CHIEF] = { PATROL__ROLE__COORDINATOR, "" } };
    asker_t asker = { .session = 9,
        .device = (uint32_t)device + 1,
        .member = 100 + (uint64_t)device,
        .role = who [device].role,
        .fresh = fresh };
    snprintf (asker.station, sizeof asker.station, "%s", who [device].station);
    uint8_t packed [4096];
    query->id = 17;
    assert_true (patrol__query__get_packed_size (query) <= sizeof packed);
    assert_int_equal (reader_ask (fixture->reader, &asker, packed, patrol__query__pack (query, packed)), 0);
    memset (found, 0, sizeof *found);
    for (bool last = false; !last;) {
        struct pollfd item = { reader_fd (fixture->reader), POLLIN, 0 };
        reader_answer_t answer;
        assert_int_equal (poll (&item, 1, 30000), 1);
        while (!last && reader_next (fixture->reader, &answer)) {
            assert_int_equal (answer.session, 9);
            assert_true (answer.size <= 14500);
            Patrol__Answer *one = patrol__answer__unpack (NULL, answer.size, answer.answer);
            assert_non_null (one);
            free (answer.answer);
            assert_int_equal (one->query, 17);
            assert_int_equal (one->more, !answer.last);
            found->answers [found->answer_count++] = one;
            for (size_t i = 0; i < one->n_items; i++)
                found->items [found->count++] = one->items [i];
            last = answer.last;
            if (last) {
                assert_int_equal (answer.cursor, one->cursor);
                found->code = one->code;
                found->cursor = one->cursor;
                found->end = one->end;
            }
        }
    }
    assert_true (found->count <= (int)query->limit);
}

static Patrol__Query s_query (Patrol__Ask ask)
{
    Patrol__Query query = PATROL__QUERY__INIT;
    query.ask = ask;
    query.limit = 500;
    query.officer = (ProtobufCBinaryData){ 2, (uint8_t *)"Li" };
    return query;
}

static ProtobufCBinaryData s_bytes (const char *text)
{
    return (ProtobufCBinaryData){ strlen (text), (uint8_t *)text };
}

static bool s_is (ProtobufCBinaryData bytes, const char *text)
{
    return bytes.len == strlen (text) && memcmp (bytes.data, text, bytes.len) == 0;
}

static int s_count_of (const found_t *found, uint64_t incident)
{
    int count = 0;
    for (int i = 0; i < found->count; i++)
        count += found->items [i]->incident == incident;
    return count;
}

static uint64_t s_audit_rows (fixture_t *fixture)
{
    uint64_t rows;
    uint8_t hash [32];
    reader_audit_head (fixture->reader, &rows, hash);
    return rows;
}

//  ---- what is asked

static void test_a_list_shows_the_open_incidents_of_the_station (void **state)
{
    fixture_t *fixture = *state;
    found_t found;
    Patrol__Query query = s_query (PATROL__ASK__LIST);
    s_ask (fixture, WEST, &query, true, &found);
    assert_int_equal (found.code, PATROL__CODE__OK);
    assert_true (found.end);
    assert_int_equal (found.count, 3);
    assert_int_equal (found.items [0]->incident, fixture->west [0]);
    assert_true (s_is (found.items [0]->status, "acknowledged"));
    assert_true (s_is (found.items [0]->actor, "Wang"));
    assert_true (s_is (found.items [0]->text, "a quarrel"));
    assert_int_equal (found.items [0]->version, 2);
    assert_int_equal (found.items [0]->witnesses, 1);
    assert_true (found.items [0]->reporter.len > 0);
    assert_true (found.items [0]->tip != 0);
    //  what would make a dossier of a device's tips is the device's own
    assert_true (found.items [0]->tip_epoch == 0 && found.items [0]->own_counter == 0);
    assert_int_equal (s_count_of (&found, fixture->border), 1);
    assert_false (found.items [2]->copy);
    s_free (&found);

    query.status = s_bytes ("closed");
    s_ask (fixture, WEST, &query, true, &found);
    assert_int_equal (found.count, 1);
    assert_int_equal (found.items [0]->incident, fixture->west [2]);
    s_free (&found);

    query.status = s_bytes ("all");
    query.kinds = (ProtobufCBinaryData [1]){ s_bytes ("fire") };
    query.n_kinds = 1;
    s_ask (fixture, CHIEF, &query, true, &found);
    assert_int_equal (found.count, 2);
    s_free (&found);

    query.n_kinds = 0;
    query.station = s_bytes ("district");
    s_ask (fixture, CHIEF, &query, true, &found);
    assert_int_equal (found.count, 1);
    assert_int_equal (found.items [0]->incident, fixture->nowhere);
    s_free (&found);
}

static void test_a_place_by_hand_is_shown_and_found (void **state)
{
    fixture_t *fixture = *state;
    found_t found;
    Patrol__Query query = s_query (PATROL__ASK__LIST);
    query.has_box = true;
    query.south_e7 = degrees_to_e7 (33.24);
    query.north_e7 = degrees_to_e7 (33.26);
    query.west_e7 = degrees_to_e7 (109.7);
    query.east_e7 = degrees_to_e7 (109.8);
    s_ask (fixture, EAST, &query, true, &found);
    assert_int_equal (found.count, 1);
    assert_int_equal (found.items [0]->incident, fixture->east);
    assert_int_equal (found.items [0]->lat_e7, degrees_to_e7 (33.25));
    assert_true (s_is (found.items [0]->text, "smoke"));
    s_free (&found);
}

static void test_no_desk_gets_another_stations_item (void **state)
{
    fixture_t *fixture = *state;
    found_t found;
    for (int device = WEST; device <= EAST; device++) {
        uint64_t theirs [] = { device == WEST ? fixture->east : fixture->west [0],
            device == WEST ? fixture->nowhere : fixture->west [1], device == WEST ? fixture->nowhere : fixture->west [2] };
        for (Patrol__Ask ask = PATROL__ASK__LIST; ask <= PATROL__ASK__REPLAY;
             ask = ask == PATROL__ASK__LIST ? PATROL__ASK__REPLAY : ask + 1) {
            Patrol__Query query = s_query (ask);
            query.status = s_bytes ("all");
            s_ask (fixture, device, &query, true, &found);
            assert_int_equal (found.code, PATROL__CODE__OK);
            for (int i = 0; i < 3; i++)
                assert_int_equal (s_count_of (&found, theirs [i]), 0);
            //  The border's owner and the holder of its copy both see it.
            assert_int_equal (s_count_of (&found, fixture->border), 1);
            s_free (&found);
            query.station = s_bytes (device == WEST ? "east" : "west");
            s_ask (fixture, device, &query, true, &found);
            for (int i = 0; i < found.count; i++)
                assert_true (found.items [i]->incident == fixture->border && found.items [i]->copy);
            s_free (&found);
        }
        for (int i = 0; i < 3; i++) {
            Patrol__Query query = s_query (PATROL__ASK__SHOW);
            query.incident = theirs [i];
            s_ask (fixture, device, &query, true, &found);
            assert_int_equal (found.code, PATROL__CODE__NOT_FOUND);
            assert_int_equal (found.count, 0);
            ProtobufCBinaryData words = found.answers [0]->detail;
            char first [201];
            snprintf (first, sizeof first, "%.*s", (int)words.len, (const char *)words.data);
            s_free (&found);
            query.incident = 12345; //  there is no such incident at all: the same answer
            s_ask (fixture, device, &query, true, &found);
            assert_int_equal (found.code, PATROL__CODE__NOT_FOUND);
            assert_true (s_is (found.answers [0]->detail, first));
            s_free (&found);
        }
    }
}

static void test_show_gives_the_history_in_pages (void **state)
{
    fixture_t *fixture = *state;
    found_t found;
    Patrol__Query query = s_query (PATROL__ASK__SHOW);
    query.incident = fixture->east;
    s_ask (fixture, EAST, &query, true, &found);
    assert_int_equal (found.count, 2);
    assert_int_equal (found.items [0]->type, PATROL__ITEM_TYPE__ITEM_TIP);
    assert_int_equal (found.items [1]->type, PATROL__ITEM_TYPE__ITEM_PLACED);
    assert_true (found.end);
    s_free (&found);
    query.limit = 1;
    s_ask (fixture, CHIEF, &query, true, &found);
    assert_int_equal (found.count, 1);
    assert_false (found.end);
    query.after = found.cursor;
    s_free (&found);
    s_ask (fixture, CHIEF, &query, false, &found);
    assert_int_equal (found.count, 1);
    assert_int_equal (found.items [0]->type, PATROL__ITEM_TYPE__ITEM_PLACED);
    assert_true (found.end);
    s_free (&found);
}

static void test_pages_are_the_whole_and_one_audit_row (void **state)
{
    fixture_t *fixture = *state;
    found_t whole, page;
    for (Patrol__Ask ask = PATROL__ASK__LIST; ask <= PATROL__ASK__REPLAY;
         ask = ask == PATROL__ASK__LIST ? PATROL__ASK__REPLAY : ask + 1) {
        Patrol__Query query = s_query (ask);
        query.status = s_bytes ("all");
        s_ask (fixture, CHIEF, &query, true, &whole);
        assert_true (whole.end);
        assert_true (whole.count >= 6);
        uint64_t rows = s_audit_rows (fixture);
        query.limit = 1;
        int seen = 0;
        for (bool end = false; !end;) {
            s_ask (fixture, CHIEF, &query, query.after == 0, &page);
            assert_int_equal (page.code, PATROL__CODE__OK);
            for (int i = 0; i < page.count; i++)
                assert_int_equal (page.items [i]->seq, whole.items [seen++]->seq);
            assert_true (end || page.cursor > query.after || page.end);
            query.after = page.cursor;
            end = page.end;
            s_free (&page);
        }
        assert_int_equal (seen, whole.count);
        assert_int_equal (s_audit_rows (fixture), rows + 1);
        s_free (&whole);
    }
}

static void test_replay_filters_follow_the_incident (void **state)
{
    fixture_t *fixture = *state;
    found_t found;
    Patrol__Query query = s_query (PATROL__ASK__REPLAY);
    s_ask (fixture, CHIEF, &query, true, &found);
    int all = found.count, admin = 0;
    for (int i = 0; i < found.count; i++)
        admin += found.items [i]->type == PATROL__ITEM_TYPE__ITEM_ADMIN;
    assert_int_equal (admin, 5); //  areas and four members
    assert_int_equal (all, 5 + 6 + 3);
    s_free (&found);
    //  The status of the quarrel says nothing of its kind; its incident does.
    query.kinds = (ProtobufCBinaryData [1]){ s_bytes ("order") };
    query.n_kinds = 1;
    query.station = s_bytes ("west");
    s_ask (fixture, CHIEF, &query, true, &found);
    assert_int_equal (s_count_of (&found, fixture->west [0]), 2);
    assert_int_equal (s_count_of (&found, fixture->west [2]), 2);
    assert_int_equal (s_count_of (&found, fixture->east), 0);
    assert_int_equal (found.count, 5);
    s_free (&found);
    query = s_query (PATROL__ASK__REPLAY);
    query.from_ms = LEDGER_NOW + 5000; //  areas, four members
    query.to_ms = LEDGER_NOW + 7000;
    s_ask (fixture, CHIEF, &query, true, &found);
    assert_int_equal (found.count, 3);
    assert_int_equal (found.items [0]->incident, fixture->west [0]);
    assert_true (found.end);
    s_free (&found);
}

static void test_long_answers_are_divided (void **state)
{
    fixture_t *fixture = *state;
    found_t found;
    char text [4001];
    memset (text, 'x', sizeof text - 1);
    text [4000] = 0;
    for (int i = 0; i < 10; i++)
        ledger_tip (fixture->ledger, "other", text, 33.2, 109.2);
    Patrol__Query query = s_query (PATROL__ASK__LIST);
    s_ask (fixture, WEST, &query, true, &found);
    assert_int_equal (found.count, 13);
    assert_true (found.answer_count >= 4);
    assert_int_equal (found.items [12]->text.len, 4000);
    s_free (&found);
}

static void test_a_member_who_joined_later_is_known (void **state)
{
    fixture_t *fixture = *state;
    found_t found;
    Patrol__Query query = s_query (PATROL__ASK__LIST);
    s_ask (fixture, WEST, &query, true, &found);
    s_free (&found);
    box_keys_t keep = fixture->ledger->device [ANN];
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__MemberEnrolled event = PATROL__MEMBER_ENROLLED__INIT;
    credential_t credential = { .member = 777, .role = PATROL__ROLE__NODE, .until_ms = LEDGER_NOW + 1000000000 };
    take_t take = { 0 };
    box_keys_t device, link;
    uint8_t *packed;
    box_keys_make (&device);
    box_keys_make (&link);
    memcpy (credential.device_key, device.public_key, KEY_SIZE);
    memcpy (credential.link_key, link.public_key, KEY_SIZE);
    event.device = 5;
    event.credential.len = credential_issue (&packed, &credential, &fixture->ledger->issuer);
    event.credential.data = packed;
    record.event_case = PATROL__RECORD__EVENT_ENROLLED;
    record.enrolled = &event;
    engine_record (fixture->ledger->engine, &record, fixture->ledger->now_ms, &take);
    ledger_durable (fixture->ledger, &take);
    free (packed);
    //  From now on ANN's seat is the new one's.
    fixture->ledger->device [ANN] = device;
    Patrol__Inner inner = PATROL__INNER__INIT;
    Patrol__Tip tip = PATROL__TIP__INIT;
    envelope_seal_t seal = { .key_id = envelope_key_id (fixture->ledger->core.public_key) };
    uint8_t *envelope;
    tip.kind = s_bytes ("other");
    tip.severity = 1;
    tip.text = s_bytes ("from the new one");
    tip.has_position = true;
    tip.lat_e7 = degrees_to_e7 (33.2);
    tip.lon_e7 = degrees_to_e7 (109.2);
    inner.epoch = 3;
    inner.counter = 1;
    inner.body_case = PATROL__INNER__BODY_TIP;
    inner.tip = &tip;
    assert_int_equal (envelope_shared (seal.shared, fixture->ledger->core.public_key, device.secret_key), 0);
    memcpy (seal.district, engine_district (fixture->ledger->engine), DISTRICT_SIZE);
    inner.tag = envelope_tag (seal.shared, inner.epoch, inner.counter, &tip.base);
    inner.written_ms = fixture->ledger->now_ms;
    size_t size = envelope_seal (&envelope, &seal, CLASS_NORMAL, 24, fixture->ledger->now_ms, &inner);
    engine_take (fixture->ledger->engine, envelope, size, NULL, fixture->ledger->now_ms, &take);
    free (envelope);
    ledger_durable (fixture->ledger, &take);
    fixture->ledger->device [ANN] = keep;
    s_ask (fixture, WEST, &query, true, &found);
    Patrol__Item *newest = found.items [found.count - 1];
    assert_true (s_is (newest->text, "from the new one"));
    assert_int_equal (newest->tip, tip_number (device.public_key, 3, 1));
    assert_true (newest->reporter.len > 0);
    s_free (&found);
}

//  ---- what is refused

static void s_refused (fixture_t *fixture, int device, Patrol__Query *query, uint32_t code)
{
    found_t found;
    uint64_t rows = s_audit_rows (fixture);
    s_ask (fixture, device, query, true, &found);
    assert_int_equal (found.code, code);
    assert_int_equal (found.count, 0);
    assert_true (found.answers [0]->detail.len > 0);
    assert_int_equal (s_audit_rows (fixture), rows + 1);
    s_free (&found);
}

static void test_a_bad_query_is_refused_and_on_record (void **state)
{
    fixture_t *fixture = *state;
    Patrol__Query query = s_query (PATROL__ASK__ASK_NONE);
    s_refused (fixture, WEST, &query, PATROL__CODE__BAD_FRAME);
    query = s_query (PATROL__ASK__LIST);
    s_refused (fixture, ANN, &query, PATROL__CODE__NOT_ALLOWED);
    query.status = s_bytes ("opened");
    s_refused (fixture, WEST, &query, PATROL__CODE__BAD_TEXT);
    query.status = s_bytes ("");
    query.officer = s_bytes ("\xff");
    s_refused (fixture, WEST, &query, PATROL__CODE__BAD_TEXT);
    query.officer = s_bytes ("Li");
    query.has_box = true;
    query.south_e7 = 1;
    s_refused (fixture, WEST, &query, PATROL__CODE__BAD_POSITION);
    query.has_box = false;
    query.from_ms = 10;
    query.to_ms = 5;
    s_refused (fixture, WEST, &query, PATROL__CODE__BAD_TIME);
    char *path = home_path (fixture->ledger->home, "audit.db");
    uint8_t head [32];
    const char *reason;
    uint64_t bad_row;
    assert_int_equal (audit_verify (path, head, &reason, &bad_row), 6);
    free (path);
}

static void test_the_audit_row_says_who_asked_what (void **state)
{
    fixture_t *fixture = *state;
    found_t found;
    Patrol__Query query = s_query (PATROL__ASK__SHOW);
    query.incident = fixture->east;
    s_ask (fixture, WEST, &query, true, &found);
    s_free (&found);
    sqlite3 *db;
    sqlite3_stmt *st;
    char *path = home_path (fixture->ledger->home, "audit.db"), id [14], wanted [64];
    assert_int_equal (sqlite3_open (path, &db), SQLITE_OK);
    assert_int_equal (
        sqlite3_prepare_v2 (db, "SELECT member, role, station, officer, ask, detail FROM audit", -1, &st, NULL), SQLITE_OK);
    assert_int_equal (sqlite3_step (st), SQLITE_ROW);
    assert_int_equal (sqlite3_column_int (st, 0), 101);
    assert_int_equal (sqlite3_column_int (st, 1), PATROL__ROLE__DESK);
    assert_string_equal ((const char *)sqlite3_column_text (st, 2), "west");
    assert_string_equal ((const char *)sqlite3_column_text (st, 3), "Li");
    assert_string_equal ((const char *)sqlite3_column_text (st, 4), "show");
    id64_format (id, fixture->east);
    snprintf (wanted, sizeof wanted, "refused NOT_FOUND: incident %s", id);
    assert_string_equal ((const char *)sqlite3_column_text (st, 5), wanted);
    sqlite3_finalize (st);
    sqlite3_close (db);
    free (path);
}

static void test_closing_with_work_waiting_leaks_nothing (void **state)
{
    fixture_t *fixture = *state;
    asker_t asker = { .session = 1, .role = PATROL__ROLE__COORDINATOR, .fresh = true };
    Patrol__Query query = s_query (PATROL__ASK__REPLAY);
    uint8_t packed [256];
    size_t size = patrol__query__pack (&query, packed);
    int taken = 0;
    while (taken < 200 && reader_ask (fixture->reader, &asker, packed, size) == 0)
        taken++;
    assert_true (taken >= 64);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)

int main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (test_a_list_shows_the_open_incidents_of_the_station),
        TEST (test_a_place_by_hand_is_shown_and_found),
        TEST (test_no_desk_gets_another_stations_item),
        TEST (test_show_gives_the_history_in_pages),
        TEST (test_pages_are_the_whole_and_one_audit_row),
        TEST (test_replay_filters_follow_the_incident),
        TEST (test_long_answers_are_divided),
        TEST (test_a_member_who_joined_later_is_known),
        TEST (test_a_bad_query_is_refused_and_on_record),
        TEST (test_the_audit_row_says_who_asked_what),
        TEST (test_closing_with_work_waiting_leaks_nothing),
    };
    if (identity_init ())
        return 1;
    return cmocka_run_group_tests (tests, NULL, NULL);
}
