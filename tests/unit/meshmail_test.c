//  meshmail_test - letters go where their reader's envelopes came from, the newest only, and forged ones nowhere

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sqlite3.h>
#include "meshgate.h"
#include "meshmail.h"
#include "meshword.h"
#include "testdistrict.h"

#define ROOM 32

typedef struct {
    meshframe_t type;
    uint32_t link;
    uint8_t bytes [WORD_MAX + 1];
    size_t size;
} sent_t;

typedef struct {
    char home [96];
    device_t *device;
    nodestore_t *store;
    meshstore_t *kept;
    meshmail_t *mail;
    sent_t sent [ROOM];
    int count, ours;
    uint64_t incarnation;
} node_t;

typedef struct {
    char folder [48];
    testdistrict_t district;
    node_t ann, mule, bob; //  ann writes, mule carries, bob is somebody else
    int64_t now;
} fixture_t;

static bool s_send (
    void *context, uint32_t link, meshframe_t type, const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    node_t *node = context;
    assert_true (node->count < ROOM && a_size + b_size <= sizeof node->sent [0].bytes);
    sent_t *sent = &node->sent [node->count++];
    sent->type = type;
    sent->link = link;
    memcpy (sent->bytes, a, a_size);
    if (b_size)
        memcpy (sent->bytes + a_size, b, b_size);
    sent->size = a_size + b_size;
    return true;
}

static void s_ours (void *context, const Patrol__MeshLetter *letter)
{
    node_t *node = context;
    node->ours++;
    node->incarnation = letter->incarnation;
}

static void s_signed_at (void *context, int64_t ms)
{
    (void)context;
    assert_true (ms > 0);
}

static void s_open (fixture_t *f, node_t *node, const char *name)
{
    static const meshmail_handler_t handler = { s_send, s_ours, s_signed_at };
    char path [128];
    char home [96];
    snprintf (home, sizeof home, "%s/%s", f->folder, name);
    memcpy (node->home, home, sizeof home);
    node->device = testdistrict_node (&f->district, node->home);
    snprintf (path, sizeof path, "%s/outbox.db", home);
    node->store = nodestore_open (path);
    node->kept = meshstore_open (node->store);
    node->mail = meshmail_new (node->kept, node->device, &handler, node);
    assert_true (node->device && node->store);
}

static void s_shut (node_t *node)
{
    meshmail_destroy (&node->mail);
    meshstore_close (&node->kept);
    nodestore_close (&node->store);
    device_destroy (&node->device);
}

static int s_setup (void **state)
{
    fixture_t *f = calloc (1, sizeof *f);
    assert_non_null (f);
    assert_int_equal (identity_init (), 0);
    strcpy (f->folder, "/tmp/meshmail-XXXXXX");
    assert_non_null (mkdtemp (f->folder));
    testdistrict_make (&f->district, "ours");
    f->now = time_now_ms ();
    s_open (f, &f->ann, "ann");
    s_open (f, &f->mule, "mule");
    s_open (f, &f->bob, "bob");
    *state = f;
    return 0;
}

static int s_teardown (void **state)
{
    fixture_t *f = *state;
    char command [80];
    s_shut (&f->ann);
    s_shut (&f->mule);
    s_shut (&f->bob);
    testdistrict_clear (&f->district);
    snprintf (command, sizeof command, "rm -rf %s", f->folder);
    int rc = system (command);
    free (f);
    return rc;
}

//  A letter to ann, as the core writes it.
static size_t s_write (fixture_t *f, uint8_t out [WORD_MAX], uint64_t number, const sign_keys_t *keys)
{
    Patrol__MeshLetter message = PATROL__MESH_LETTER__INIT;
    word_t word = { .number = number, .at_ms = f->now };
    memcpy (word.district, f->district.id, DISTRICT_SIZE);
    message.incarnation = number;
    return letter_write (out, &word, envelope_day (f->now), 24, device_shared (f->ann.device), &message.base, keys);
}

static void s_handle (fixture_t *f, uint8_t handle [HANDLE_SIZE])
{
    envelope_handle (handle, device_shared (f->ann.device), envelope_day (f->now));
}

static sent_t *s_last (node_t *node, meshframe_t type)
{
    assert_true (node->count > 0);
    sent_t *sent = &node->sent [node->count - 1];
    assert_int_equal (sent->type, type);
    return sent;
}

static int s_hear (fixture_t *f, node_t *to, const sent_t *sent)
{
    return meshmail_frame (to->mail, 1, sent->type, sent->bytes, sent->size, f->now);
}

static void test_it_is_offered_wanted_given_and_read (void **state)
{
    fixture_t *f = *state;
    uint8_t word [WORD_MAX];
    size_t size = s_write (f, word, 5, &f->district.receipts);
    assert_int_equal (meshmail_from_broker (f->mule.mail, word, size, f->now), 0);
    assert_int_equal (meshmail_count (f->mule.mail), 1);
    assert_int_equal (f->mule.ours, 0);
    meshmail_link_up (f->mule.mail, 1);
    meshmail_link_up (f->ann.mail, 1);
    meshmail_tend (f->mule.mail, f->now);
    assert_int_equal (s_hear (f, &f->ann, s_last (&f->mule, MESHFRAME_LETTERS)), 0);
    assert_int_equal (s_hear (f, &f->mule, s_last (&f->ann, MESHFRAME_WANTED)), 0);
    assert_int_equal (s_hear (f, &f->ann, s_last (&f->mule, MESHFRAME_LETTER)), 0);
    assert_int_equal (f->ann.ours, 1);
    assert_int_equal (f->ann.incarnation, 5);
    assert_int_equal (meshmail_count (f->ann.mail), 0); //  read, not kept
    //  the same again is not read again, nor wanted
    assert_int_equal (s_hear (f, &f->ann, s_last (&f->mule, MESHFRAME_LETTER)), 0);
    assert_int_equal (f->ann.ours, 1);
    int count = f->ann.count;
    assert_int_equal (s_hear (f, &f->ann, &f->mule.sent [0]), 0);
    assert_int_equal (f->ann.count, count);
    //  nothing new: nothing is offered
    count = f->mule.count;
    meshmail_tend (f->mule.mail, f->now);
    assert_int_equal (f->mule.count, count);
    //  a newer one replaces it, an older one does not
    size = s_write (f, word, 4, &f->district.receipts);
    assert_int_equal (meshmail_from_broker (f->mule.mail, word, size, f->now), 0);
    meshmail_tend (f->mule.mail, f->now);
    assert_int_equal (f->mule.count, count);
    size = s_write (f, word, 6, &f->district.receipts);
    assert_int_equal (meshmail_from_broker (f->mule.mail, word, size, f->now), 0);
    assert_int_equal (meshmail_count (f->mule.mail), 1);
    meshmail_tend (f->mule.mail, f->now);
    assert_int_equal (f->mule.count, count + 1);
}

static void test_forged_and_malformed_ones_are_told_apart (void **state)
{
    fixture_t *f = *state;
    uint8_t frame [WORD_MAX + 1] = { 4 };
    sign_keys_t other;
    sign_keys_make (&other);
    meshmail_link_up (f->ann.mail, 1);
    size_t size = s_write (f, frame + 1, 9, &other);
    assert_int_equal (meshmail_frame (f->ann.mail, 1, MESHFRAME_LETTER, frame, size + 1, f->now), -1);
    size = s_write (f, frame + 1, 9, &f->district.receipts);
    frame [0] = 0;
    assert_int_equal (meshmail_frame (f->ann.mail, 1, MESHFRAME_LETTER, frame, size + 1, f->now), -1);
    frame [0] = 1;
    frame [60] ^= 1;
    assert_int_equal (meshmail_frame (f->ann.mail, 1, MESHFRAME_LETTER, frame, size + 1, f->now), -1);
    assert_int_equal (f->ann.ours, 0);
    assert_int_equal (meshmail_frame (f->ann.mail, 1, MESHFRAME_LETTERS, frame, 0, f->now), -1);
    assert_int_equal (meshmail_frame (f->ann.mail, 1, MESHFRAME_LETTERS, frame, 13, f->now), -1);
    assert_int_equal (meshmail_frame (f->ann.mail, 1, MESHFRAME_WANTED, frame, 9, f->now), -1);
    assert_int_equal (meshmail_frame (f->ann.mail, 2, MESHFRAME_WANTED, frame, 8, f->now), -1); //  no such link
    //  and too many
    int refused = 0;
    for (int i = 0; i < 1000; i++)
        refused += meshmail_frame (f->ann.mail, 1, MESHFRAME_WANTED, frame, 8, f->now) != 0;
    assert_true (refused > 800);
}

//  Copies are halved, and with the last one only somebody with a reason gets it.
static void test_the_last_copy_is_for_who_has_a_reason (void **state)
{
    fixture_t *f = *state;
    uint8_t word [WORD_MAX], frame [WORD_MAX + 1], handle [HANDLE_SIZE];
    size_t size = s_write (f, word, 5, &f->district.receipts);
    kept_letter_t letter;
    s_handle (f, handle);
    meshmail_from_broker (f->mule.mail, word, size, f->now);
    meshmail_link_up (f->mule.mail, 1);
    meshmail_link_up (f->bob.mail, 1);
    meshmail_tend (f->mule.mail, f->now);
    assert_int_equal (s_hear (f, &f->bob, s_last (&f->mule, MESHFRAME_LETTERS)), 0);
    assert_int_equal (s_hear (f, &f->mule, s_last (&f->bob, MESHFRAME_WANTED)), 0);
    const sent_t *given = s_last (&f->mule, MESHFRAME_LETTER);
    assert_int_equal (given->bytes [0], MAIL_COPIES / 2);
    assert_int_equal (s_hear (f, &f->bob, given), 0);
    assert_true (meshstore_letter (f->bob.kept, handle, &letter));
    assert_int_equal (letter.copies, MAIL_COPIES / 2);
    assert_true (meshstore_letter (f->mule.kept, handle, &letter));
    assert_int_equal (letter.copies, MAIL_COPIES / 2);
    //  one that may not be copied any more: bob, who has never carried for ann, does not keep it;
    frame [0] = 1;
    size = s_write (f, frame + 1, 6, &f->district.receipts);
    assert_int_equal (nodestore_begin (f->bob.store), 0);
    meshstore_forget_letters (f->bob.kept, f->now + 100 * 3600000ll);
    assert_int_equal (meshmail_count (f->bob.mail), 0);
    assert_int_equal (meshmail_frame (f->bob.mail, 1, MESHFRAME_LETTER, frame, size + 1, f->now), 0);
    assert_int_equal (meshmail_count (f->bob.mail), 0);
    //  once he has, he does
    meshstore_reach (f->bob.kept, handle, envelope_day (f->now));
    assert_int_equal (meshmail_frame (f->bob.mail, 1, MESHFRAME_LETTER, frame, size + 1, f->now), 0);
    assert_int_equal (meshmail_count (f->bob.mail), 1);
}

//  ---- meshgate

typedef struct {
    uint8_t first [64];
    int count, room;
} gated_t;

static gate_t s_gate (void *context, lane_t lane, const uint8_t mid [MID_SIZE])
{
    gated_t *gated = context;
    (void)lane;
    if (mid [0] == 99)
        return GATE_GONE;
    if (gated->count == gated->room)
        return GATE_FULL;
    gated->first [gated->count++] = mid [0];
    return GATE_SENT;
}

static void test_the_gate_sends_the_pressing_ones_first_and_again (void **state)
{
    (void)state;
    meshgate_t *gate = meshgate_new ();
    uint8_t mid [MID_SIZE] = { 0 };
    gated_t gated = { .room = 2 };
    static const class_t classes [] = { CLASS_BULK, CLASS_NORMAL, CLASS_SOS, CLASS_NORMAL };
    for (uint8_t i = 0; i < 4; i++) {
        mid [0] = (uint8_t)(i + 1);
        meshgate_add (gate, mid, classes [i], 0);
        meshgate_add (gate, mid, classes [i], 0); //  once
    }
    mid [0] = 99;
    meshgate_add (gate, mid, CLASS_SOS, 0);
    assert_int_equal (meshgate_count (gate), 5);
    assert_true (meshgate_run (gate, 0, s_gate, &gated) > 0);
    assert_int_equal (gated.count, 2);
    assert_int_equal (gated.first [0], 3);       //  the sos
    assert_int_equal (meshgate_count (gate), 4); //  99 is gone
    gated.room = 64;
    meshgate_run (gate, 1, s_gate, &gated);
    assert_int_equal (gated.count, 4);
    assert_int_equal (gated.first [3], 1); //  bulk last
    mid [0] = 3;
    meshgate_done (gate, mid);
    assert_int_equal (meshgate_run (gate, 2, s_gate, &gated), 9998);
    assert_int_equal (gated.count, 4);
    meshgate_run (gate, 20000, s_gate, &gated); //  no answer: again, but not the answered one
    assert_int_equal (gated.count, 7);
    meshgate_clear (gate);
    assert_int_equal (meshgate_run (gate, 40000, s_gate, &gated), -1);
    meshgate_destroy (&gate);
    meshgate_destroy (&gate);
}

static gate_t s_gate_one (void *context, lane_t lane, const uint8_t mid [MID_SIZE])
{
    (void)lane;
    ((int *)context) [mid [0]]++;
    return GATE_SENT;
}

//  A flood that the broker does not answer holds up the others for ten seconds, and not again with each retry.
static void test_what_is_not_answered_gives_way (void **state)
{
    (void)state;
    meshgate_t *gate = meshgate_new ();
    uint8_t mid [MID_SIZE] = { 0 };
    int sent [2] = { 0 };
    for (unsigned i = 0; i < 600; i++) {
        memcpy (mid + 1, &i, sizeof i);
        meshgate_add (gate, mid, CLASS_NORMAL, 0);
    }
    meshgate_run (gate, 0, s_gate_one, sent);
    assert_int_equal (sent [0], 256);
    for (unsigned i = 0; i < 10; i++) {
        mid [0] = 1;
        memcpy (mid + 1, &i, sizeof i);
        meshgate_add (gate, mid, CLASS_NORMAL, 0);
    }
    meshgate_run (gate, 5000, s_gate_one, sent);
    assert_int_equal (sent [1], 0);
    meshgate_run (gate, 10000, s_gate_one, sent);
    meshgate_run (gate, 20000, s_gate_one, sent);
    assert_int_equal (sent [1], 10);
    int before = sent [0];
    for (unsigned i = 0; i < 10; i++) {
        mid [0] = 1;
        memcpy (mid + 1, &i, sizeof i);
        meshgate_done (gate, mid);
        mid [5] = 1;
        meshgate_add (gate, mid, CLASS_NORMAL, 0);
        mid [5] = 0;
    }
    meshgate_run (gate, 30000, s_gate_one, sent);
    assert_int_equal (sent [1], 20); //  before any retry
    assert_true (sent [0] > before);
    for (int64_t now_ms = 31000; now_ms < 3600000; now_ms += 1000)
        meshgate_run (gate, now_ms, s_gate_one, sent);
    assert_in_range (sent [0], 600 * 5, 600 * 20);
    meshgate_destroy (&gate);
}

//  ---- meshstore

static int s_restore (void *context, const mesh_tip_t *tip)
{
    *(mesh_tip_t *)context = *tip;
    return tip->cls == 3 ? -1 : 0;
}

static void test_copies_survive_with_their_age (void **state)
{
    fixture_t *f = *state;
    mesh_tip_t tip = { .cls = 2, .hops = 3, .tokens = 8, .best = 77, .size = 600, .life_s = 3600, .age_ms = 5000 }, back;
    uint8_t envelope [600] = { 1, 2, 3 }, out [ENVELOPE_MAX];
    int64_t row;
    tip.mid [0] = 1;
    tip.from [0] = 9;
    assert_int_equal (meshstore_put (f->ann.kept, &tip, 0, envelope, sizeof envelope), 0);
    assert_int_equal (nodestore_commit (f->ann.store), 0);
    tip.tokens = 4;
    tip.best = 66;
    tip.age_ms = 6000;
    meshstore_update (f->ann.kept, &tip);
    assert_false (meshstore_flush (f->ann.kept, 60000)); //  not worth a write yet
    assert_true (meshstore_flush (f->ann.kept, 0));
    assert_int_equal (nodestore_commit (f->ann.store), 0);
    meshstore_close (&f->ann.kept);
    f->ann.kept = meshstore_open (f->ann.store);
    meshstore_each (f->ann.kept, s_restore, &back);
    assert_int_equal (back.tokens, 4);
    assert_int_equal (back.best, 66);
    assert_int_equal (back.hops, 3);
    assert_true (back.cls == 2 && back.size == 600 && back.life_s == 3600);
    assert_int_equal (back.from [0], 9);
    assert_true (back.age_ms >= 6000 && back.age_ms < 6000 + 60000);
    assert_false (back.own);
    assert_int_equal (meshstore_envelope (f->ann.kept, tip.mid, out), sizeof envelope);
    assert_memory_equal (out, envelope, sizeof envelope);
    //  what the core does not take back is erased
    assert_int_equal (nodestore_begin (f->ann.store), 0);
    tip.cls = 3;
    assert_int_equal (meshstore_put (f->ann.kept, &tip, 0, envelope, sizeof envelope), 0);
    meshstore_each (f->ann.kept, s_restore, &back);
    assert_false (meshstore_tip (f->ann.kept, tip.mid, &back, &row));
    assert_int_equal (meshstore_envelope (f->ann.kept, tip.mid, out), 0);
}

//  Before, a column said of each copy whether its tokens had been given away.
static void test_copies_of_the_schema_before_are_read (void **state)
{
    fixture_t *f = *state;
    char path [128];
    snprintf (path, sizeof path, "%s/old.db", f->folder);
    mesh_tip_t tip = { .cls = 1, .hops = 3, .tokens = 8, .best = 77, .size = 600, .life_s = 3600 }, back = { 0 };
    const uint8_t envelope [600] = { 1, 2, 3 };
    nodestore_t *store = nodestore_open (path);
    meshstore_t *kept = meshstore_open (store);
    assert_int_equal (meshstore_put (kept, &tip, 0, envelope, sizeof envelope), 0);
    assert_int_equal (nodestore_commit (store), 0);
    meshstore_close (&kept);
    nodestore_close (&store);
    sqlite3 *db;
    assert_int_equal (sqlite3_open (path, &db), SQLITE_OK);
    assert_int_equal (
        sqlite3_exec (db, "ALTER TABLE mesh_tips ADD COLUMN passive INTEGER NOT NULL DEFAULT 1; PRAGMA user_version = 2",
            NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close (db);
    store = nodestore_open (path);
    assert_non_null (store);
    kept = meshstore_open (store);
    meshstore_each (kept, s_restore, &back);
    assert_true (back.cls == 1 && back.hops == 3 && back.tokens == 8 && back.best == 77 && back.size == 600);
    meshstore_close (&kept);
    nodestore_close (&store);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_it_is_offered_wanted_given_and_read, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_forged_and_malformed_ones_are_told_apart, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_the_last_copy_is_for_who_has_a_reason, s_setup, s_teardown),
        cmocka_unit_test (test_what_is_not_answered_gives_way),
        cmocka_unit_test (test_the_gate_sends_the_pressing_ones_first_and_again),
        cmocka_unit_test_setup_teardown (test_copies_survive_with_their_age, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_copies_of_the_schema_before_are_read, s_setup, s_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
