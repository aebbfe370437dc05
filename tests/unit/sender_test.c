//  sender_test - what goes first, what goes again and when, what waits for room

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
#include "sender.h"

#define NOW 1763856000000ll

typedef struct {
    char path [64], folder [40];
    envelope_seal_t seal;
    box_keys_t core, device;
    nodestore_t *store;
    outbox_t *outbox;
    sender_t *sender;
    class_t sent [2048]; //  classes in the order they went out
    int count;
    uint64_t numbers [2048], tags [2048];
    arena_t *arena;
    int credit; //  bulk envelopes that are taken; -1 = any number
} fixture_t;

static int s_setup (void **state)
{
    fixture_t *f = calloc (1, sizeof *f);
    assert_non_null (f);
    assert_int_equal (identity_init (), 0);
    strcpy (f->folder, "/tmp/sender-test-XXXXXX");
    assert_non_null (mkdtemp (f->folder));
    snprintf (f->path, sizeof f->path, "%s/outbox.db", f->folder);
    box_keys_make (&f->core);
    box_keys_make (&f->device);
    assert_int_equal (envelope_shared (f->seal.shared, f->core.public_key, f->device.secret_key), 0);
    f->store = nodestore_open (f->path);
    f->outbox = outbox_open (f->store, &f->seal, f->device.public_key, NOW);
    f->sender = sender_new (f->outbox);
    f->arena = arena_new (ARENA_MESSAGE_SIZE);
    f->credit = -1;
    *state = f;
    return 0;
}

static int s_teardown (void **state)
{
    fixture_t *f = *state;
    sender_destroy (&f->sender);
    arena_destroy (&f->arena);
    outbox_close (&f->outbox);
    nodestore_close (&f->store);
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

static outbox_ref_t s_add (fixture_t *f, class_t cls)
{
    Patrol__Tip tip = PATROL__TIP__INIT;
    outbox_ref_t ref;
    tip.cls = cls;
    tip.kind = tip.text = (ProtobufCBinaryData){ .len = 1, .data = (uint8_t *)(uintptr_t) "x" };
    assert_int_equal (outbox_add_tip (f->outbox, &tip, 24, NOW, &ref), 0);
    return ref;
}

static void s_commit (fixture_t *f)
{
    assert_int_equal (nodestore_commit (f->store), 0);
    sender_wake (f->sender);
}

static bool s_send (void *context, lane_t lane, const uint8_t *envelope, size_t size)
{
    fixture_t *f = context;
    envelope_header_t header;
    assert_int_equal (envelope_parse (&header, envelope, size), 0);
    assert_int_equal (lane, header.cls <= CLASS_URGENT ? LANE_URGENT : LANE_BULK);
    if (lane == LANE_BULK && f->credit == 0)
        return false;
    if (lane == LANE_BULK && f->credit > 0)
        f->credit--;
    assert_true (f->count < 2048);
    arena_reset (f->arena);
    Patrol__Inner *inner = envelope_open (envelope, size, f->seal.shared, f->arena);
    assert_non_null (inner);
    f->numbers [f->count] = inner->counter;
    f->tags [f->count] = inner->tag;
    f->sent [f->count++] = header.cls;
    return true;
}

static int s_run (fixture_t *f, int64_t now_ms)
{
    f->count = 0;
    sender_run (f->sender, now_ms, s_send, f);
    return f->count;
}

static void urgent_goes_first (void **state)
{
    fixture_t *f = *state;
    s_add (f, CLASS_BULK);
    s_add (f, CLASS_NORMAL);
    s_add (f, CLASS_URGENT);
    s_add (f, CLASS_SOS);
    s_commit (f);
    assert_int_equal (s_run (f, 0), 4);
    for (int index = 0; index < 4; index++)
        assert_int_equal (f->sent [index], index);
    assert_int_equal (s_run (f, 1), 0);
}

static void resends_double_to_a_minute (void **state)
{
    fixture_t *f = *state;
    s_add (f, CLASS_NORMAL);
    s_commit (f);
    int64_t now_ms = 0, waits [] = { 5000, 10000, 20000, 40000, 60000, 60000 };
    assert_int_equal (s_run (f, now_ms), 1);
    for (size_t index = 0; index < sizeof waits / sizeof *waits; index++) {
        assert_int_equal (s_run (f, now_ms + waits [index] - 1), 0);
        now_ms += waits [index];
        assert_int_equal (s_run (f, now_ms), 1);
    }
}

static void an_sos_goes_every_ten_seconds_until_settled (void **state)
{
    fixture_t *f = *state;
    outbox_ref_t ref = s_add (f, CLASS_SOS);
    s_commit (f);
    assert_int_equal (s_run (f, 0), 1);
    sender_repeated (f->sender, ref.row);
    for (int64_t now_ms = 10000; now_ms <= 100000; now_ms += 10000) {
        assert_int_equal (s_run (f, now_ms - 1), 0);
        assert_int_equal (s_run (f, now_ms), 1);
    }
    sender_settled (f->sender, ref.row);
    assert_int_equal (s_run (f, 200000), 0);
}

static void credit_holds_bulk_back_and_not_urgent (void **state)
{
    fixture_t *f = *state;
    for (int index = 0; index < 5; index++)
        s_add (f, CLASS_NORMAL);
    s_commit (f);
    f->credit = 2;
    assert_int_equal (s_run (f, 0), 2);
    s_add (f, CLASS_URGENT);
    s_commit (f);
    assert_int_equal (s_run (f, 1), 1);
    assert_int_equal (f->sent [0], CLASS_URGENT);
    f->credit = 10;
    assert_int_equal (s_run (f, 2), 3);
}

static void flight_is_limited_and_a_new_session_starts_over (void **state)
{
    fixture_t *f = *state;
    int64_t first = 0;
    for (int index = 0; index < SENDER_BULK_COUNT + 100; index++) {
        outbox_ref_t ref = s_add (f, CLASS_NORMAL);
        first = first ? first : ref.row;
    }
    s_commit (f);
    assert_int_equal (s_run (f, 0), SENDER_BULK_COUNT);
    assert_int_equal (s_run (f, 1), 0);
    for (int64_t row = first; row < first + 10; row++)
        sender_settled (f->sender, row);
    assert_int_equal (s_run (f, 2), 10);
    sender_reset (f->sender);
    assert_int_equal (s_run (f, 3), SENDER_BULK_COUNT);
}

//  The broker takes the urgent lane of a round first, then the other, and allows 64 gaps.
static void s_take (fixture_t *f, intervals_t *taken, bool urgent, uint64_t epoch)
{
    for (int index = 0; index < f->count; index++) {
        if ((f->sent [index] <= CLASS_URGENT) != urgent)
            continue;
        Patrol__Taken receipt = PATROL__TAKEN__INIT;
        int64_t row;
        receipt.epoch = epoch;
        receipt.counter = f->numbers [index];
        receipt.tag = f->tags [index];
        intervals_add_one (taken, f->numbers [index]);
        assert_true (intervals_gaps (taken) <= 64);
        if (outbox_receipt (f->outbox, &receipt, NOW, &row) == RECEIPT_REPEATED)
            sender_repeated (f->sender, row);
        else
            sender_settled (f->sender, row);
    }
    assert_int_equal (nodestore_commit (f->store), 0);
}

static void overtaking_leaves_few_gaps (void **state)
{
    fixture_t *f = *state;
    static const class_t mix [] = { CLASS_BULK, CLASS_URGENT, CLASS_NORMAL, CLASS_BULK, CLASS_NORMAL };
    intervals_t taken = { 0 };
    uint64_t epoch = 0;
    for (int index = 0; index < 2000; index++)
        epoch = s_add (f, index == 1900 ? CLASS_SOS : mix [index % 5]).epoch;
    s_commit (f);
    for (int round = 0; round < 2000 && outbox_waiting (f->outbox) > 1; round++) {
        s_run (f, round);
        if (round == 0)
            assert_int_equal (f->numbers [0], 1901); //  the sos overtakes all
        s_take (f, &taken, true, epoch);
        s_take (f, &taken, false, epoch);
    }
    assert_int_equal (intervals_total (&taken), 2000);
    assert_int_equal (outbox_waiting (f->outbox), 1); //  the sos goes on
    intervals_clear (&taken);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)
    const struct CMUnitTest tests [] = { TEST (urgent_goes_first), TEST (resends_double_to_a_minute),
        TEST (an_sos_goes_every_ten_seconds_until_settled), TEST (credit_holds_bulk_back_and_not_urgent),
        TEST (overtaking_leaves_few_gaps), TEST (flight_is_limited_and_a_new_session_starts_over) };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
