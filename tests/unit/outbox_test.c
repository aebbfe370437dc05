//  outbox_test - tips are numbered, sealed once, kept, and never said to be further than they are

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "intervals.h"
#include "outbox.h"

#define NOW 1763856000000ll

typedef struct {
    char path [64], folder [40];
    box_keys_t core, device;
    envelope_seal_t seal;
    nodestore_t *store;
    outbox_t *outbox;
    arena_t *arena;
} fixture_t;

static void s_open (fixture_t *f)
{
    f->store = nodestore_open (f->path);
    assert_non_null (f->store);
    f->outbox = outbox_open (f->store, &f->seal, f->device.public_key, NOW);
    assert_non_null (f->outbox);
}

static void s_close (fixture_t *f)
{
    outbox_close (&f->outbox);
    nodestore_close (&f->store);
}

static int s_setup (void **state)
{
    fixture_t *f = calloc (1, sizeof *f);
    assert_non_null (f);
    assert_int_equal (identity_init (), 0);
    strcpy (f->folder, "/tmp/outbox-test-XXXXXX");
    assert_non_null (mkdtemp (f->folder));
    snprintf (f->path, sizeof f->path, "%s/outbox.db", f->folder);
    box_keys_make (&f->core);
    box_keys_make (&f->device);
    assert_int_equal (envelope_shared (f->seal.shared, f->core.public_key, f->device.secret_key), 0);
    f->seal.key_id = envelope_key_id (f->core.public_key);
    f->arena = arena_new (ARENA_MESSAGE_SIZE);
    s_open (f);
    *state = f;
    return 0;
}

static int s_teardown (void **state)
{
    fixture_t *f = *state;
    s_close (f);
    arena_destroy (&f->arena);
    static const char *const suffixes [] = { "", "-wal", "-shm" };
    for (int index = 0; index < 3; index++) {
        char name [80];
        snprintf (name, sizeof name, "%s%s", f->path, suffixes [index]);
        unlink (name);
    }
    rmdir (f->folder);
    free (f);
    return 0;
}

static outbox_ref_t s_add (fixture_t *f, class_t cls, const char *words)
{
    Patrol__Tip tip = PATROL__TIP__INIT;
    outbox_ref_t ref;
    tip.kind = (ProtobufCBinaryData){ .len = 3, .data = (uint8_t *)(uintptr_t) "gas" };
    tip.severity = 2;
    tip.cls = cls;
    tip.text = (ProtobufCBinaryData){ .len = strlen (words), .data = (uint8_t *)(uintptr_t)words };
    assert_int_equal (outbox_add_tip (f->outbox, &tip, 24, NOW, &ref), 0);
    return ref;
}

static outbox_ref_t s_keep (fixture_t *f, class_t cls, const char *words)
{
    outbox_ref_t ref = s_add (f, cls, words);
    assert_int_equal (nodestore_commit (f->store), 0);
    return ref;
}

//  What the core reads out of the sealed bytes of a row.
static Patrol__Inner *s_opened (fixture_t *f, int64_t row)
{
    uint8_t bytes [ENVELOPE_MAX];
    size_t size = outbox_sealed (f->outbox, row, bytes);
    arena_reset (f->arena);
    return size ? envelope_open (bytes, size, f->seal.shared, f->arena) : NULL;
}

static Patrol__Taken s_taken (fixture_t *f, int64_t row)
{
    Patrol__Taken taken = PATROL__TAKEN__INIT;
    Patrol__Inner *inner = s_opened (f, row);
    assert_non_null (inner);
    taken.epoch = inner->epoch;
    taken.counter = inner->counter;
    taken.tag = inner->tag;
    taken.at_ms = NOW + 1000;
    taken.station = (ProtobufCBinaryData){ .len = 5, .data = (uint8_t *)(uintptr_t) "north" };
    return taken;
}

static receipt_t s_receive (fixture_t *f, const Patrol__Taken *taken)
{
    int64_t row;
    receipt_t receipt = outbox_receipt (f->outbox, taken, NOW, &row);
    assert_int_equal (nodestore_commit (f->store), 0);
    return receipt;
}

static void s_deliver (fixture_t *f, uint64_t epoch, uint64_t first, uint64_t last)
{
    intervals_t set = { 0 };
    uint8_t bytes [64];
    intervals_add (&set, first, last);
    size_t size = intervals_pack (&set, bytes, sizeof bytes);
    outbox_delivered (f->outbox, epoch, bytes, size, NOW);
    intervals_clear (&set);
    assert_int_equal (nodestore_commit (f->store), 0);
}

static bool s_status (fixture_t *f, const outbox_ref_t *ref, uint64_t version, const char *status)
{
    outbox_status_t news = { .epoch = ref->epoch,
        .counter = ref->counter,
        .version = version,
        .at_ms = NOW,
        .status = status,
        .actor = "Wang",
        .station = "north" };
    int64_t row;
    bool quiet = outbox_status (f->outbox, &news, &row);
    assert_int_equal (nodestore_commit (f->store), 0);
    return quiet;
}

static int s_open_count (fixture_t *f, class_t cls)
{
    outbox_entry_t entries [16];
    return outbox_open_entries (f->outbox, cls, 0, entries, 16);
}

static void numbers_grow_and_survive (void **state)
{
    fixture_t *f = *state;
    outbox_ref_t first = s_keep (f, CLASS_NORMAL, "one");
    outbox_ref_t second = s_keep (f, CLASS_NORMAL, "two");
    assert_int_equal (first.counter, 1);
    assert_int_equal (second.counter, 2);
    uint8_t before [ENVELOPE_MAX], after [ENVELOPE_MAX];
    size_t size = outbox_sealed (f->outbox, first.row, before);
    s_close (f);
    s_open (f);
    assert_int_equal (outbox_sealed (f->outbox, first.row, after), size);
    assert_memory_equal (before, after, size);
    assert_int_equal (s_keep (f, CLASS_NORMAL, "three").counter, 3);
    Patrol__Inner *inner = s_opened (f, second.row);
    assert_non_null (inner);
    assert_int_equal (inner->counter, 2);
    assert_memory_equal (inner->tip->text.data, "two", 3);
}

static void a_rolled_back_number_is_given_again (void **state)
{
    fixture_t *f = *state;
    s_keep (f, CLASS_NORMAL, "one");
    outbox_ref_t lost = s_add (f, CLASS_NORMAL, "lost");
    nodestore_rollback (f->store);
    outbox_reload (f->outbox);
    outbox_ref_t kept = s_keep (f, CLASS_NORMAL, "kept");
    assert_int_equal (kept.counter, lost.counter);
    assert_int_equal (outbox_waiting (f->outbox), 2);
}

static void only_the_own_tag_means_accepted (void **state)
{
    fixture_t *f = *state;
    outbox_ref_t ref = s_keep (f, CLASS_NORMAL, "one");
    Patrol__Taken taken = s_taken (f, ref.row);
    taken.tag ^= 1;
    assert_int_equal (s_receive (f, &taken), RECEIPT_OTHER_TAG);
    assert_int_equal (outbox_state (f->outbox, ref.row), TIP_HELD);
    taken.tag ^= 1;
    assert_int_equal (s_receive (f, &taken), RECEIPT_ACCEPTED);
    assert_int_equal (outbox_state (f->outbox, ref.row), TIP_ACCEPTED);
    assert_int_equal (s_receive (f, &taken), RECEIPT_SETTLED);
    assert_int_equal (outbox_waiting (f->outbox), 0);
    //  and its bytes are kept for a new incarnation
    assert_non_null (s_opened (f, ref.row));
}

static void a_copied_store_seals_again_once (void **state)
{
    fixture_t *f = *state;
    outbox_ref_t ref = s_keep (f, CLASS_NORMAL, "one"), found;
    char id [14];
    id64_format (id, ref.number);
    assert_true (outbox_reseal (f->outbox, ref.row, NOW));
    assert_int_equal (nodestore_commit (f->store), 0);
    Patrol__Inner *inner = s_opened (f, ref.row);
    assert_non_null (inner);
    assert_true (inner->epoch != ref.epoch);
    assert_int_equal (inner->counter, 1);
    assert_memory_equal (inner->tip->text.data, "one", 3);
    //  the id the person was given still finds it, also after a restart
    s_close (f);
    s_open (f);
    assert_int_equal (outbox_find (f->outbox, id, &found), 0);
    assert_int_equal (found.row, ref.row);
    assert_true (found.number == ref.number && found.epoch != ref.epoch);
    //  and is the one shown, also beside what the broker says of the new identity, by which it is found too
    assert_true (outbox_number (f->outbox, found.epoch, found.counter) == ref.number);
    id64_format (id, tip_number (f->device.public_key, found.epoch, found.counter));
    assert_int_equal (outbox_find (f->outbox, id, &found), 0);
    assert_int_equal (found.row, ref.row);
    assert_int_equal (s_keep (f, CLASS_NORMAL, "two").counter, 2);
    //  a second time it is not sent any more
    assert_false (outbox_reseal (f->outbox, ref.row, NOW));
    assert_int_equal (nodestore_commit (f->store), 0);
    assert_int_equal (outbox_state (f->outbox, ref.row), TIP_HELD);
    assert_int_equal (s_open_count (f, CLASS_NORMAL), 1);
}

static void a_restored_store_begins_a_new_epoch (void **state)
{
    fixture_t *f = *state;
    outbox_ref_t first = s_keep (f, CLASS_NORMAL, "one");
    Patrol__OriginState said = PATROL__ORIGIN_STATE__INIT;
    said.epoch = first.epoch;
    said.highest = 1;
    outbox_origin_state (f->outbox, &said, NOW, NOW);
    assert_int_equal (nodestore_commit (f->store), 0);
    assert_int_equal (s_keep (f, CLASS_NORMAL, "two").epoch, first.epoch);
    said.highest = 3;
    outbox_origin_state (f->outbox, &said, NOW, NOW);
    assert_int_equal (nodestore_commit (f->store), 0);
    outbox_ref_t third = s_keep (f, CLASS_NORMAL, "three");
    assert_true (third.epoch != first.epoch);
    assert_int_equal (third.counter, 1);
    uint64_t epochs [4], nexts [4];
    assert_int_equal (outbox_origins (f->outbox, epochs, nexts), 2);
    assert_int_equal (epochs [0], third.epoch);
    assert_int_equal (nexts [0], 2);
    assert_int_equal (nexts [1], 3);
}

static void states_go_forward_only (void **state)
{
    fixture_t *f = *state;
    outbox_ref_t ref = s_keep (f, CLASS_NORMAL, "one");
    Patrol__Taken taken = s_taken (f, ref.row);
    //  early: neither a delivery nor a status counts before the receipt
    s_deliver (f, ref.epoch, 1, 1);
    s_status (f, &ref, 2, "acknowledged");
    assert_int_equal (outbox_state (f->outbox, ref.row), TIP_HELD);
    //  the delivery that was heard early is remembered for this session
    s_receive (f, &taken);
    assert_int_equal (outbox_state (f->outbox, ref.row), TIP_DELIVERED);
    s_status (f, &ref, 3, "dispatched");
    assert_int_equal (outbox_state (f->outbox, ref.row), TIP_DISPATCHED);
    s_status (f, &ref, 2, "acknowledged");
    s_deliver (f, ref.epoch, 1, 1);
    s_receive (f, &taken);
    assert_int_equal (outbox_state (f->outbox, ref.row), TIP_DISPATCHED);
    s_status (f, &ref, 4, "closed");
    assert_int_equal (outbox_state (f->outbox, ref.row), TIP_CLOSED);
    s_status (f, &ref, 5, "open");
    assert_int_equal (outbox_state (f->outbox, ref.row), TIP_ACKNOWLEDGED);
    s_status (f, &ref, 4, "closed");
    assert_int_equal (outbox_state (f->outbox, ref.row), TIP_ACKNOWLEDGED);
}

static void a_refused_tip_is_settled (void **state)
{
    fixture_t *f = *state;
    outbox_ref_t ref = s_keep (f, CLASS_NORMAL, "one");
    Patrol__Taken taken = s_taken (f, ref.row);
    taken.code = PATROL__CODE__SLOW_DOWN;
    assert_int_equal (s_receive (f, &taken), RECEIPT_LATER);
    assert_int_equal (outbox_waiting (f->outbox), 1);
    taken.code = PATROL__CODE__BAD_TIME;
    assert_int_equal (s_receive (f, &taken), RECEIPT_SETTLED);
    assert_int_equal (outbox_state (f->outbox, ref.row), TIP_REFUSED);
    taken.code = PATROL__CODE__OK;
    s_receive (f, &taken);
    assert_int_equal (outbox_waiting (f->outbox), 0);
    assert_int_equal (outbox_done_below (f->outbox, ref.epoch), 2);
}

static void an_sos_is_offered_until_acknowledged (void **state)
{
    fixture_t *f = *state;
    outbox_ref_t ref = s_keep (f, CLASS_SOS, "");
    Patrol__Taken taken = s_taken (f, ref.row);
    assert_int_equal (s_receive (f, &taken), RECEIPT_REPEATED);
    assert_int_equal (s_open_count (f, CLASS_SOS), 1);
    assert_int_equal (outbox_done_below (f->outbox, ref.epoch), 1);
    assert_true (s_status (f, &ref, 2, "acknowledged"));
    assert_int_equal (s_open_count (f, CLASS_SOS), 0);
}

static void a_withdrawal_waits_for_its_tip (void **state)
{
    fixture_t *f = *state;
    outbox_ref_t ref = s_keep (f, CLASS_SOS, "help"), found;
    assert_int_equal (outbox_find_sos (f->outbox, &found), 0);
    assert_int_equal (found.row, ref.row);
    assert_true (found.number == ref.number);
    assert_int_equal (outbox_add_withdraw (f->outbox, ref.row, NOW), WITHDRAW_KEPT);
    assert_int_equal (outbox_add_withdraw (f->outbox, ref.row, NOW), WITHDRAW_ALREADY);
    assert_int_equal (nodestore_commit (f->store), 0);
    assert_int_equal (s_open_count (f, CLASS_SOS), 1);
    assert_int_equal (outbox_waiting (f->outbox), 2);
    Patrol__Taken taken = s_taken (f, ref.row);
    assert_int_equal (s_receive (f, &taken), RECEIPT_ACCEPTED);
    //  now the withdrawal goes, and the sos is not repeated
    outbox_entry_t entry;
    assert_int_equal (outbox_open_entries (f->outbox, CLASS_SOS, 0, &entry, 1), 1);
    Patrol__Inner *inner = s_opened (f, entry.row);
    assert_non_null (inner);
    assert_int_equal (inner->body_case, PATROL__INNER__BODY_WITHDRAW);
    assert_int_equal (inner->withdraw->tip->counter, ref.counter);
    assert_int_equal (outbox_state (f->outbox, ref.row), TIP_ACCEPTED);
    taken = s_taken (f, entry.row);
    s_receive (f, &taken);
    assert_int_equal (outbox_state (f->outbox, ref.row), TIP_WITHDRAWN);
    assert_int_equal (outbox_add_withdraw (f->outbox, ref.row, NOW), WITHDRAW_SETTLED);
    assert_int_equal (outbox_find_sos (f->outbox, &found), -1);
    assert_int_equal (outbox_waiting (f->outbox), 0);
}

static void a_new_incarnation_is_offered_what_it_lacks (void **state)
{
    fixture_t *f = *state;
    outbox_ref_t refs [3];
    for (int index = 0; index < 3; index++) {
        refs [index] = s_keep (f, CLASS_NORMAL, "tip");
        Patrol__Taken taken = s_taken (f, refs [index].row);
        s_receive (f, &taken);
    }
    intervals_t set = { 0 };
    uint8_t bytes [64];
    intervals_add (&set, 1, 2);
    Patrol__OriginState said = PATROL__ORIGIN_STATE__INIT, *origins [] = { &said };
    Patrol__Attached attached = PATROL__ATTACHED__INIT;
    said.epoch = refs [0].epoch;
    said.taken = (ProtobufCBinaryData){ .len = intervals_pack (&set, bytes, sizeof bytes), .data = bytes };
    intervals_clear (&set);
    attached.n_origins = 1;
    attached.origins = origins;
    outbox_new_incarnation (f->outbox, &attached);
    assert_int_equal (nodestore_commit (f->store), 0);
    outbox_entry_t entry;
    assert_int_equal (outbox_open_entries (f->outbox, CLASS_NORMAL, 0, &entry, 1), 1);
    assert_int_equal (entry.row, refs [2].row);
    assert_int_equal (outbox_state (f->outbox, refs [2].row), TIP_ACCEPTED);
    Patrol__Taken taken = s_taken (f, refs [2].row);
    assert_int_equal (s_receive (f, &taken), RECEIPT_SETTLED);
    //  a week later the bytes are gone, a month later the tips
    outbox_forget (f->outbox, NOW + OUTBOX_SEALED_MS + 2000);
    assert_int_equal (nodestore_commit (f->store), 0);
    assert_null (s_opened (f, refs [0].row));
    outbox_new_incarnation (f->outbox, &attached);
    assert_int_equal (nodestore_commit (f->store), 0);
    assert_int_equal (outbox_waiting (f->outbox), 0);
    outbox_forget (f->outbox, NOW + OUTBOX_MEMORY_MS + 2000);
    assert_int_equal (nodestore_commit (f->store), 0);
    char id [14];
    outbox_ref_t found;
    id64_format (id, refs [0].number);
    assert_int_equal (outbox_find (f->outbox, id, &found), -1);
    assert_int_equal (s_keep (f, CLASS_NORMAL, "next").counter, 4);
}

static void an_sos_behind_a_long_queue_begins_an_epoch (void **state)
{
    fixture_t *f = *state;
    outbox_ref_t ref = { 0 };
    for (int index = 0; index <= OUTBOX_SOS_BEHIND; index++)
        ref = s_add (f, CLASS_BULK, "x");
    outbox_ref_t sos = s_keep (f, CLASS_SOS, "");
    assert_true (sos.epoch != ref.epoch);
    assert_int_equal (sos.counter, 1);
    assert_int_equal (s_keep (f, CLASS_SOS, "").counter, 2);
}

static void an_import_key_is_new_once (void **state)
{
    fixture_t *f = *state;
    assert_true (outbox_import_new (f->outbox, (const uint8_t *)"abcd", 4));
    assert_int_equal (nodestore_commit (f->store), 0);
    assert_false (outbox_import_new (f->outbox, (const uint8_t *)"abcd", 4));
    assert_true (outbox_import_new (f->outbox, (const uint8_t *)"abce", 4));
    assert_int_equal (nodestore_commit (f->store), 0);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)
    const struct CMUnitTest tests [] = { TEST (numbers_grow_and_survive), TEST (a_rolled_back_number_is_given_again),
        TEST (only_the_own_tag_means_accepted), TEST (a_copied_store_seals_again_once),
        TEST (a_restored_store_begins_a_new_epoch), TEST (states_go_forward_only), TEST (a_refused_tip_is_settled),
        TEST (an_sos_is_offered_until_acknowledged), TEST (a_withdrawal_waits_for_its_tip),
        TEST (a_new_incarnation_is_offered_what_it_lacks), TEST (an_sos_behind_a_long_queue_begins_an_epoch),
        TEST (an_import_key_is_new_once) };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
