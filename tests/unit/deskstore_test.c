//  desk/deskstore.c: every item once, acknowledged only when committed, read in order of arrival

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "deskstore.h"
#include "identity.h"

static char s_folder [64], s_path [96];

static int s_set_up (void **state)
{
    (void)state;
    snprintf (s_folder, sizeof s_folder, "/tmp/deskstore-test-XXXXXX");
    if (!mkdtemp (s_folder))
        return -1;
    snprintf (s_path, sizeof s_path, "%s/desk.db", s_folder);
    return 0;
}

static int s_tear_down (void **state)
{
    char command [128];
    (void)state;
    snprintf (command, sizeof command, "rm -rf %s", s_folder);
    return system (command);
}

static Patrol__Item s_item (uint64_t n, uint64_t incident, uint64_t version, const char *words)
{
    Patrol__Item item = PATROL__ITEM__INIT;
    item.n = n;
    item.seq = 100 + n;
    item.type = version == 1 ? PATROL__ITEM_TYPE__ITEM_TIP : PATROL__ITEM_TYPE__ITEM_STATUS;
    item.incident = incident;
    item.version = version;
    item.tip = n;
    item.severity = version == 1 ? 2 : 0;
    if (version == 1)
        item.text = (ProtobufCBinaryData){ strlen (words), (uint8_t *)words };
    else
        item.status = (ProtobufCBinaryData){ strlen (words), (uint8_t *)words };
    return item;
}

typedef struct {
    int count;
    int64_t last;
    uint64_t seqs [64];
    uint64_t version;
    char text [64], status [64];
} seen_t;

static bool s_see (void *context, int64_t id, uint64_t incarnation, const Patrol__Item *item)
{
    seen_t *seen = context;
    assert_true (incarnation > 0);
    assert_true (id > seen->last || seen->count == 0);
    seen->last = id;
    seen->seqs [seen->count++ % 64] = item->seq;
    seen->version = item->version;
    snprintf (seen->text, sizeof seen->text, "%.*s", (int)item->text.len, item->text.len ? (char *)item->text.data : "");
    snprintf (
        seen->status, sizeof seen->status, "%.*s", (int)item->status.len, item->status.len ? (char *)item->status.data : "");
    return true;
}

static void s_keeps_once (void **state)
{
    (void)state;
    deskstore_t *store = deskstore_open (s_path);
    assert_non_null (store);
    assert_int_equal (deskstore_set_feed (store, 1, 0), 0);

    Patrol__Item one = s_item (1, 1000, 1, "gas"), two = s_item (2, 2000, 1, "theft");
    assert_int_equal (deskstore_keep (store, &one), KEPT_NEW);
    assert_int_equal (deskstore_keep (store, &two), KEPT_NEW);
    assert_int_equal (deskstore_keep (store, &one), KEPT_REPEAT);
    assert_int_equal (deskstore_stored (store), 2);
    assert_int_equal (deskstore_commit (store), 0);

    //  a new incarnation numbers anew and sends all again: nothing is kept twice, the feed moves on
    assert_int_equal (deskstore_set_feed (store, 2, 0), 0);
    Patrol__Item again = s_item (1, 2000, 1, "theft");
    again.tip = 2;
    assert_int_equal (deskstore_keep (store, &again), KEPT_REPEAT);
    assert_int_equal (deskstore_stored (store), 1);
    assert_int_equal (deskstore_newest (store), 2);
    deskstore_close (&store);
    deskstore_close (&store);

    store = deskstore_open (s_path);
    assert_int_equal (deskstore_incarnation (store), 2);
    assert_int_equal (deskstore_stored (store), 1);
    seen_t seen = { 0 };
    assert_int_equal (deskstore_read (store, 0, 100, s_see, &seen), 2);
    assert_int_equal (seen.count, 2);
    assert_int_equal (seen.seqs [0], 101);
    assert_string_equal (seen.text, "theft");
    deskstore_close (&store);
}

static void s_undoes_a_spoilt_turn (void **state)
{
    (void)state;
    deskstore_t *store = deskstore_open (s_path);
    assert_int_equal (deskstore_set_feed (store, 1, 0), 0);
    Patrol__Item one = s_item (1, 1000, 1, "a"), two = s_item (2, 2000, 1, "b");
    deskstore_keep (store, &one);
    assert_int_equal (deskstore_commit (store), 0);
    deskstore_keep (store, &two);
    assert_int_equal (deskstore_stored (store), 2);
    deskstore_spoil (store);
    assert_int_equal (deskstore_commit (store), -1);
    assert_int_equal (deskstore_stored (store), 1);
    assert_int_equal (deskstore_newest (store), 1);
    //  and goes on
    assert_true (deskstore_writable (store));
    assert_int_equal (deskstore_keep (store, &two), KEPT_NEW);
    assert_int_equal (deskstore_commit (store), 0);
    assert_int_equal (deskstore_stored (store), 2);
    deskstore_close (&store);
}

//  The pages of the file are limited, so SQLite meets the end of a "disk".
static void s_survives_a_full_disk (void **state)
{
    (void)state;
    static char words [3000];
    memset (words, 'x', sizeof words - 1);
    deskstore_t *store = deskstore_open (s_path);
    assert_int_equal (deskstore_set_feed (store, 1, 0), 0);
    assert_int_equal (deskstore_commit (store), 0);
    sqlite3_exec (deskstore_db (store), "PRAGMA max_page_count=40", NULL, NULL, NULL);

    uint64_t safe = 0;
    bool full = false;
    for (uint64_t n = 1; n <= 200 && !full; n++) {
        Patrol__Item item = s_item (n, n * 1000, 1, words);
        if (deskstore_keep (store, &item) == KEPT_FAILED)
            deskstore_spoil (store);
        full = deskstore_commit (store) == -1;
        safe = full ? safe : n;
    }
    assert_true (full);
    assert_true (safe > 0);
    assert_int_equal (deskstore_stored (store), safe);

    sqlite3_exec (deskstore_db (store), "PRAGMA max_page_count=100000", NULL, NULL, NULL);
    assert_true (deskstore_writable (store));
    Patrol__Item next = s_item (safe + 1, (safe + 1) * 1000, 1, words);
    assert_int_equal (deskstore_keep (store, &next), KEPT_NEW);
    assert_int_equal (deskstore_commit (store), 0);
    assert_int_equal (deskstore_newest (store), safe + 1);
    deskstore_close (&store);
}

static void s_finds_positions_and_incidents (void **state)
{
    (void)state;
    uint64_t first = UINT64_C (0x0123456789abcdef), second = UINT64_C (0x0123456789abffff), found;
    char id [14];
    deskstore_t *store = deskstore_open (s_path);
    deskstore_set_feed (store, 3, 0);
    Patrol__Item one = s_item (1, first, 1, "a"), two = s_item (2, second, 1, "b"), three = s_item (3, first, 2, "closed");
    deskstore_keep (store, &one);
    deskstore_keep (store, &two);
    deskstore_keep (store, &three);
    assert_int_equal (deskstore_commit (store), 0);

    assert_int_equal (deskstore_find_position (store, 3, 102), 2);
    assert_int_equal (deskstore_find_position (store, 3, 999), 3);
    assert_int_equal (deskstore_find_position (store, 3, 1), -1);
    assert_int_equal (deskstore_find_position (store, 9, 102), -1);

    assert_int_equal (deskstore_version (store, first), 2);
    assert_int_equal (deskstore_version (store, 5), 0);

    id64_format (id, first);
    assert_int_equal (deskstore_find_incident (store, id, &found), INCIDENT_FOUND);
    assert_true (found == first);
    assert_int_equal (deskstore_find_incident (store, id + 9, &found), INCIDENT_FOUND);
    assert_true (found == first);
    for (char *c = id; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    assert_int_equal (deskstore_find_incident (store, id + 7, &found), INCIDENT_FOUND);
    assert_int_equal (deskstore_find_incident (store, "ZZZZ", &found), INCIDENT_UNKNOWN);
    assert_int_equal (deskstore_find_incident (store, "ABC", &found), INCIDENT_MALFORMED);
    assert_int_equal (deskstore_find_incident (store, "AB!D", &found), INCIDENT_MALFORMED);
    Patrol__Item twin = s_item (4, UINT64_C (0x0999999999abcdef), 1, "c");
    deskstore_keep (store, &twin);
    assert_int_equal (deskstore_find_incident (store, id + 9, &found), INCIDENT_AMBIGUOUS);
    deskstore_close (&store);
}

static void s_folds_incidents (void **state)
{
    (void)state;
    deskstore_t *store = deskstore_open (s_path);
    deskstore_set_feed (store, 1, 0);
    Patrol__Item items [] = { s_item (1, 1000, 1, "gas"), s_item (2, 2000, 1, "theft"), s_item (3, 1000, 2, "acknowledged"),
        s_item (4, 1000, 3, "closed"), s_item (5, 3000, 1, "fire") };
    for (int i = 0; i < 5; i++)
        assert_int_equal (deskstore_keep (store, &items [i]), KEPT_NEW);
    //  a further tip to the closed one does not open it
    Patrol__Item joined = s_item (6, 1000, 1, "smoke too");
    joined.version = 4;
    joined.status = (ProtobufCBinaryData){ 4, (uint8_t *)"open" };
    assert_int_equal (deskstore_keep (store, &joined), KEPT_NEW);

    seen_t seen = { 0 };
    assert_int_equal (deskstore_read_incidents (store, 0, 1, s_see, &seen), 1000);
    assert_int_equal (seen.count, 1);
    assert_int_equal (seen.version, 4);
    assert_string_equal (seen.text, "gas");
    assert_string_equal (seen.status, "closed");
    memset (&seen, 0, sizeof seen);
    assert_int_equal (deskstore_read_incidents (store, 1000, 10, s_see, &seen), 3000);
    assert_int_equal (seen.count, 2);
    assert_int_equal (deskstore_read_incidents (store, 3000, 10, s_see, &seen), 3000);
    deskstore_close (&store);
}

static void s_moves_the_reader_forward (void **state)
{
    (void)state;
    deskstore_t *store = deskstore_open (s_path);
    deskstore_set_feed (store, 1, 0);
    for (uint64_t n = 1; n <= 3; n++) {
        Patrol__Item item = s_item (n, n * 1000, 1, "x");
        deskstore_keep (store, &item);
    }
    assert_int_equal (deskstore_move_reader (store, 2), 0);
    assert_int_equal (deskstore_move_reader (store, 1), 0);
    assert_int_equal (deskstore_move_reader (store, 99), 0);
    assert_int_equal (deskstore_reader (store), 2);
    deskstore_close (&store);
    store = deskstore_open (s_path);
    assert_int_equal (deskstore_reader (store), 2);
    deskstore_close (&store);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (s_keeps_once, s_set_up, s_tear_down),
        cmocka_unit_test_setup_teardown (s_undoes_a_spoilt_turn, s_set_up, s_tear_down),
        cmocka_unit_test_setup_teardown (s_survives_a_full_disk, s_set_up, s_tear_down),
        cmocka_unit_test_setup_teardown (s_finds_positions_and_incidents, s_set_up, s_tear_down),
        cmocka_unit_test_setup_teardown (s_folds_incidents, s_set_up, s_tear_down),
        cmocka_unit_test_setup_teardown (s_moves_the_reader_forward, s_set_up, s_tear_down),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
