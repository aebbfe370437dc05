//  meshsigned_test - receipts on links: each comes once, from whoever has it, in its time; nothing that the broker did not sign is believed

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "testmesh.h"

//  An epoch of the first series that names a tip of no interest; those before `oldest` are of no use any more. Returns its size.
static size_t s_epoch (uint8_t epoch [MESHRECEIPT_EPOCH_MAX], uint32_t number, uint32_t oldest)
{
    const uint8_t salt [8] = { (uint8_t)number };
    bool sos = false;
    mesh_tip_t tip = s_tip (10000 + number, 2, 0);
    meshreceipt_epoch_t head = { .series = 1, .number = number, .oldest = oldest, .closed_s = number };
    return meshreceipt_epoch_sign (epoch, &head, salt, (const uint8_t (*) [MESHRECEIPT_MID]) & tip.mid, &sos, 1, s_secret);
}

static void test_missing_epochs_are_counted (void **state)
{
    (void)state;
    s_begin (1, 0);
    static const uint32_t numbers [] = { 4, 7, 5, 6 }, missing [] = { 1, 3, 2, 1 };
    for (unsigned index = 0; index < 4; index++) {
        uint8_t epoch [MESHRECEIPT_EPOCH_MAX];
        size_t size = s_epoch (epoch, numbers [index], 3);
        assert_int_equal (mesh_epoch_in (s_node [0], epoch, size, s_now), 0);
        s_run (0);
        mesh_counters_t counters;
        mesh_counters (s_node [0], &counters, s_now);
        assert_int_equal (counters.epochs_missing, missing [index]); //  number 3 and what is between
        assert_int_equal (counters.epochs, index + 1);
    }
}

static void test_forged_and_replayed_epochs (void **state)
{
    (void)state;
    s_begin_against (0);
    mesh_tip_t own = s_tip (1, 2, 0);
    mesh_own (s_node [0], &own, s_now);
    uint8_t epoch [MESHRECEIPT_EPOCH_MAX], salt [8] = { 1 }, other_public [32], other_secret [64];
    bool sos = false;
    meshreceipt_epoch_t head = { .series = 1, .number = 1, .oldest = 1, .closed_s = 1 };
    crypto_sign_keypair (other_public, other_secret);
    size_t size = meshreceipt_epoch_sign (
        epoch, &head, salt, (const uint8_t (*) [MESHRECEIPT_MID]) & own.mid, &sos, 1, other_secret);
    meshwire_frame_t frame = { .type = MESHWIRE_EPOCH, .bytes = epoch, .size = size };
    assert_int_equal (s_say (&frame), -1);
    assert_int_equal (s_offences [MESH_FORGED_EPOCH], 1);
    assert_int_equal (s_accepted [0], 0); //  the tip is not deleted
    mesh_tip_t elsewhere = s_tip (9, 2, 0);
    size = meshreceipt_epoch_sign (
        epoch, &head, salt, (const uint8_t (*) [MESHRECEIPT_MID]) & elsewhere.mid, &sos, 1, s_secret);
    frame.size = size;
    assert_int_equal (s_say (&frame), 0);
    //  the one that was shown to us is new; from then on it is not
    for (unsigned time = 0; time < 50; time++)
        s_say (&frame);
    assert_int_equal (s_offences [MESH_REPLAYED_EPOCH], 50);
    assert_true (s_closed > 0);
    //  a single for another tip deletes nothing either
    uint8_t single [MESHRECEIPT_SINGLE];
    meshreceipt_single_sign (single, elsewhere.mid, 1, s_secret);
    meshwire_salt_t to_us = meshwire_salt (s_key [1], s_key [0], 0);
    assert_int_equal (
        s_say (&(meshwire_frame_t){ .type = MESHWIRE_ONE, .id = meshwire_short (&to_us, own.mid), .single = single }), -1);
    assert_int_equal (s_accepted [0], 0);
}

//  A neighbour cannot know what has come to us since it heard our state.
static void test_honest_epochs_that_come_late (void **state)
{
    (void)state;
    s_begin_against (0);
    uint8_t epoch [MESHRECEIPT_EPOCH_MAX];
    meshwire_frame_t frame = { .type = MESHWIRE_EPOCH, .bytes = epoch, .size = s_epoch (epoch, 1, 1) };
    //  the first of a series, shown to us after the broker gave it
    mesh_epoch_in (s_node [0], epoch, frame.size, s_now);
    assert_int_equal (s_say (&frame), 0);
    assert_int_equal (s_offences [MESH_REPLAYED_EPOCH], 0);
    //  one that it was asked for, and that the broker gave meanwhile
    s_say (&(meshwire_frame_t){ .type = MESHWIRE_HELLO, .state = { .hops = 255, .utility = 9, .series = 1, .base = 2 } });
    meshwire_frame_t ask;
    assert_int_equal (meshwire_decode (&ask, s_last_bytes, s_last_frame.size), 0);
    assert_int_equal (ask.type, MESHWIRE_ASK);
    assert_int_equal (ask.number, 2);
    frame.size = s_epoch (epoch, 2, 1);
    mesh_epoch_in (s_node [0], epoch, frame.size, s_now);
    assert_int_equal (s_say (&frame), 0);
    s_tick (20000);
    assert_int_equal (s_offences [MESH_REPLAYED_EPOCH], 0);
    assert_int_equal (s_offences [MESH_STALLED], 0);
    //  each of both once
    s_say (&frame);
    frame.size = s_epoch (epoch, 1, 1);
    s_say (&frame);
    assert_int_equal (s_offences [MESH_REPLAYED_EPOCH], 2);
}

//  Neither hears the other's beacon, and both know no receipts when they meet; then one gets some.
static void test_a_first_epoch_spreads_over_a_standing_link (void **state)
{
    (void)state;
    s_begin (2, 0);
    s_meet (0, 1);
    s_tick (5000);
    mesh_counters_t counters;
    for (uint32_t number = 1; number <= 3; number++) {
        uint8_t epoch [MESHRECEIPT_EPOCH_MAX];
        size_t size = s_epoch (epoch, number, 1);
        assert_int_equal (mesh_epoch_in (s_node [0], epoch, size, s_now), 0);
        s_run (0);
        s_tick (30000);
        mesh_counters (s_node [1], &counters, s_now);
        assert_int_equal (counters.epochs, number);
    }
}

//  Over a slow link receipts come one by one; who stops, or says it has what it does not send, stalls.
static void test_slow_epochs_are_not_stalled (void **state)
{
    (void)state;
    enum { NUMBERS = 8 };
    s_begin_against (0);
    uint8_t epoch [MESHRECEIPT_EPOCH_MAX];
    meshwire_frame_t frame = { .type = MESHWIRE_EPOCH, .bytes = epoch };
    for (uint32_t number = 1; number < NUMBERS; number++) {
        frame.size = s_epoch (epoch, number, 1);
        assert_int_equal (s_say (&frame), 0);
        if (number == 1)
            s_say (&(meshwire_frame_t){
                .type = MESHWIRE_HELLO, .state = { .hops = 255, .utility = 9, .series = 1, .base = NUMBERS } });
        s_tick (20000);
    }
    assert_int_equal (s_offences [MESH_STALLED], 0);
    s_tick (300000);
    assert_int_equal (s_offences [MESH_STALLED], 1);
    assert_int_equal (s_offences [MESH_REPLAYED_EPOCH], 0);
}

//  Node 0 was away while the others got receipts, and forgot the first ones. It asks for those, and gets what there is.
static void test_epochs_that_others_forgot (void **state)
{
    (void)state;
    //  because they name no living tip, or for want of room
    for (unsigned full = 0; full < 2; full++) {
        uint8_t epoch [MESHRECEIPT_EPOCH_MAX];
        size_t size = s_epoch (epoch, 1, 1);
        s_epoch_bytes = full ? (uint32_t)(40 * size) : 0;
        s_begin (3, 0);
        mesh_epoch_in (s_node [0], epoch, size, s_now);
        s_run (0);
        for (uint32_t node = 1; node < 3; node++)
            for (uint32_t number = 1; number <= 99; number++) {
                mesh_epoch_in (s_node [node], epoch, s_epoch (epoch, number, full || number < 80 ? 1 : 60), s_now);
                s_run (node);
            }
        s_meet (1, 2);
        s_meet (0, 1);
        s_meet (0, 2);
        s_tick (60000);
        mesh_counters_t counters;
        mesh_counters (s_node [0], &counters, s_now);
        assert_int_equal (counters.epoch_newest, 99);
        assert_int_equal (counters.epochs, 40);
        assert_int_equal (counters.epochs_missing, full ? 58 : 0); //  nobody has them
        s_nobody_offended ();
        s_end (NULL);
    }
    s_epoch_bytes = 0;
}

//  What neighbour `number` says of its receipts: it has all of the first series up to `base`.
static void s_has_up_to (uint32_t number, uint16_t base)
{
    uint8_t beacon [MESH_BEACON];
    meshwire_state_encode (beacon, &(meshwire_state_t){ .hops = 255, .utility = 9, .series = 1, .base = base });
    mesh_beacon_in (s_node [0], number, beacon, s_now);
    s_run (0);
}

//  The question that was sent last, and to whom; the next one must be said anew.
static uint32_t s_was_asked (meshwire_frame_t *ask)
{
    uint32_t link = s_last_frame.link;
    assert_int_equal (meshwire_decode (ask, s_last_bytes, s_last_frame.size), 0);
    assert_int_equal (ask->type, MESHWIRE_ASK);
    s_last_bytes [0] = 0;
    return link;
}

static void s_gives (uint32_t link, uint32_t number)
{
    uint8_t epoch [MESHRECEIPT_EPOCH_MAX], bytes [MESH_FRAME_MAX];
    meshwire_frame_t frame = { .type = MESHWIRE_EPOCH, .bytes = epoch, .size = s_epoch (epoch, number, 1) };
    mesh_frame_in (s_node [0], link, bytes, meshwire_encode (bytes, &frame), s_now);
    s_run (0);
}

//  Who gives one now and then keeps nobody else from being asked.
static void test_a_slow_neighbour_does_not_hold_up_others (void **state)
{
    (void)state;
    meshwire_frame_t ask;
    s_begin_against (0);
    s_play_neighbour (2, 255);
    s_gives (1, 1);
    s_has_up_to (1, 100);
    s_has_up_to (2, 100);
    assert_int_equal (s_was_asked (&ask), 1);
    uint32_t first = ask.number;
    for (unsigned time = 0; time < 2; time++) {
        s_tick (3000);
        s_gives (1, first + time);
    }
    assert_int_equal (s_was_asked (&ask), 2);
    for (uint32_t number = ask.number; number < ask.number + MESHWIRE_MASK; number++)
        s_gives (2, number);
    assert_int_equal (s_offences [MESH_REPLAYED_EPOCH], 0);
}

//  A neighbour showed its newest before it heard our question: that is not its answer.
static void test_shown_before_the_question (void **state)
{
    (void)state;
    meshwire_frame_t ask;
    s_begin_against (0);
    s_gives (1, 1);
    s_has_up_to (1, 99);
    s_was_asked (&ask);
    s_gives (1, 99);
    for (uint32_t number = ask.number; number < ask.number + MESHWIRE_MASK; number++)
        s_gives (1, number);
    s_tick (10000);
    s_has_up_to (1, 99);
    uint32_t first = ask.number;
    s_was_asked (&ask);
    assert_int_equal (ask.number, first + MESHWIRE_MASK);
    assert_int_equal (s_offences [MESH_REPLAYED_EPOCH], 0);
}

//  Before the receipts come the tips that were on the way: a link has one queue.
static void test_tips_before_receipts_are_no_stall (void **state)
{
    (void)state;
    enum { TIPS = 8 };
    s_begin_against (0);
    meshwire_frame_t ask, offer = { .type = MESHWIRE_OFFER, .nonce = 5, .count = TIPS };
    meshwire_salt_t salt = meshwire_salt (s_key [1], s_key [0], 5);
    mesh_tip_t tips [TIPS];
    for (uint32_t index = 0; index < TIPS; index++) {
        tips [index] = s_tip (index + 1, 2, 1);
        offer.offers [index] = (meshwire_offer_t){ .id = meshwire_short (&salt, tips [index].mid), .cls = 2, .size = 592 };
    }
    s_say (&offer);
    s_gives (1, 1);
    s_has_up_to (1, 9);
    s_was_asked (&ask);
    uint8_t head [MESH_HEAD];
    meshwire_head_encode (head, &(meshwire_head_t){ .tokens = 1 });
    for (uint32_t index = 0; index < TIPS; index++) {
        s_tick (15000);
        mesh_facts_t facts = { tips [index].mid, tips [index].origin, 2, 592, LIFE };
        assert_int_equal (mesh_tip_in (s_node [0], 1, head, &facts, s_now), MESH_TAKEN);
        mesh_stored (s_node [0], tips [index].mid, true, s_now);
        s_run (0);
    }
    s_gives (1, ask.number);
    assert_int_equal (s_offences [MESH_STALLED], 0);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_teardown (test_missing_epochs_are_counted, s_end),
        cmocka_unit_test_teardown (test_forged_and_replayed_epochs, s_end),
        cmocka_unit_test_teardown (test_honest_epochs_that_come_late, s_end),
        cmocka_unit_test_teardown (test_a_first_epoch_spreads_over_a_standing_link, s_end),
        cmocka_unit_test_teardown (test_slow_epochs_are_not_stalled, s_end),
        cmocka_unit_test_teardown (test_epochs_that_others_forgot, s_end),
        cmocka_unit_test_teardown (test_a_slow_neighbour_does_not_hold_up_others, s_end),
        cmocka_unit_test_teardown (test_shown_before_the_question, s_end),
        cmocka_unit_test_teardown (test_tips_before_receipts_are_no_stall, s_end),
    };
    return cmocka_run_group_tests (tests, s_keys, NULL);
}
