//  mesh_test - the routing core through its header: tips find the gateway, receipts find the sender, a dishonest neighbour finds limits

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "testmesh.h"

//  ---- honest

static void test_chain_delivers_and_the_sender_learns (void **state)
{
    (void)state;
    s_begin (NODES, 0);
    mesh_broker_up (s_node [5], s_now);
    for (uint32_t number = 5; number > 0; number--)
        s_meet (number - 1, number);
    s_tick (5000);
    mesh_tip_t tip = s_tip (1, 2, 0);
    assert_int_equal (mesh_own (s_node [0], &tip, s_now), 0);
    assert_int_equal (mesh_own (s_node [0], &tip, s_now), -1); //  once
    s_run (0);
    assert_int_equal (s_submitted, 1);
    assert_int_equal (s_carried [0], 1);
    assert_int_equal (s_accepted [0], 1);
    mesh_counters_t counters;
    for (uint32_t number = 0; number < NODES; number++) {
        mesh_counters (s_node [number], &counters, s_now);
        assert_int_equal (counters.bytes_held, 0); //  the receipt came back the whole way
        assert_int_equal (counters.hops, 5 - number);
    }
}

static void test_mule_and_epoch (void **state)
{
    (void)state;
    s_begin (3, 0);
    mesh_tip_t tip = s_tip (1, 2, 0);
    mesh_own (s_node [0], &tip, s_now);
    s_meet (0, 1);
    assert_int_equal (s_carried [0], 1);
    s_part (0, 1);
    mesh_broker_up (s_node [2], s_now);
    s_meet (1, 2);
    assert_int_equal (s_submitted, 1);
    assert_int_equal (s_accepted [0], 0); //  nobody told it yet
    uint8_t epoch [MESHRECEIPT_EPOCH_MAX], salt [8] = { 1 };
    bool sos = false;
    meshreceipt_epoch_t head = { .series = 1, .number = 1, .oldest = 1, .closed_s = 1 };
    size_t size
        = meshreceipt_epoch_sign (epoch, &head, salt, (const uint8_t (*) [MESHRECEIPT_MID]) & tip.mid, &sos, 1, s_secret);
    assert_int_equal (mesh_epoch_in (s_node [2], epoch, size, s_now), 0);
    s_run (2);
    s_tick (5000);
    s_part (1, 2);
    s_meet (0, 1);
    s_tick (5000);
    assert_int_equal (s_accepted [0], 1);
    assert_int_equal (s_submitted, 1);
}

static void test_restored_tips_go_on (void **state)
{
    (void)state;
    s_begin (2, 0);
    mesh_tip_t tip = s_tip (1, 2, 0);
    tip.tokens = 4;
    tip.age_ms = 1000;
    memset (tip.from, 7, MESH_KEY);
    assert_int_equal (mesh_restore_tip (s_node [0], &tip, s_now), 0);
    assert_int_equal (mesh_restore_tip (s_node [0], &tip, s_now), -1);
    mesh_tip_t old = s_tip (2, 2, 0);
    old.age_ms = (int64_t)LIFE * 1000;
    assert_int_equal (mesh_restore_tip (s_node [0], &old, s_now), -1);
    mesh_broker_up (s_node [1], s_now);
    s_meet (0, 1);
    assert_int_equal (s_submitted, 1);
}

static void test_tips_end_with_their_life (void **state)
{
    (void)state;
    s_begin (1, 0);
    mesh_tip_t tip = s_tip (1, 2, 0);
    mesh_own (s_node [0], &tip, s_now);
    s_tick ((int64_t)LIFE * 1000 - 1000);
    assert_int_equal (s_erased [0], 0);
    s_tick (2000);
    assert_int_equal (s_erased [0], 1);
}

static void test_store_that_failed_keeps_the_senders_tokens (void **state)
{
    (void)state;
    s_begin_against (0);
    mesh_tip_t tip = s_tip (1, 2, 1);
    meshwire_head_t head = { .tokens = 8, .best = MESHWIRE_UNKNOWN };
    meshwire_salt_t salt = meshwire_salt (s_key [1], s_key [0], 5);
    meshwire_frame_t offer = { .type = MESHWIRE_OFFER, .nonce = 5, .count = 1 };
    offer.offers [0] = (meshwire_offer_t){ .id = meshwire_short (&salt, tip.mid), .cls = 2, .size = 592 };
    s_say (&offer);
    uint8_t bytes [MESH_HEAD];
    meshwire_head_encode (bytes, &head);
    mesh_facts_t facts = { tip.mid, tip.origin, tip.cls, tip.size, tip.life_s };
    assert_int_equal (mesh_tip_in (s_node [0], 1, bytes, &facts, s_now), MESH_TAKEN);
    s_run (0);
    memset (s_last_bytes, 0, sizeof s_last_bytes);
    mesh_stored (s_node [0], tip.mid, false, s_now);
    s_run (0);
    assert_int_not_equal (s_last_bytes [0], MESHWIRE_ACK); //  no word that it is on disk
    mesh_tip_t row;
    assert_false (mesh_tip (s_node [0], 0, &row, s_now));
}

//  ---- dishonest

static void test_linked_neighbours_come_first (void **state)
{
    (void)state;
    s_begin (5, 0);
    for (uint32_t other = 1; other < 5; other++) {
        s_meet (0, other);
        if (other % 2)
            s_part (0, other);
    }
    uint32_t linked = 0, seen = 0;
    mesh_neighbour_t one;
    for (size_t index = 0; mesh_neighbour (s_node [0], index, &one); index++) {
        assert_int_equal (one.linked, index < 2);
        linked += one.linked;
        seen |= 1u << one.key [0];
    }
    assert_int_equal (linked, 2);
    assert_int_equal (seen, 0x3c); //  keys 2 to 5, each once
    assert_false (mesh_neighbour (s_node [0], 4, &one));
}

//  Node 0 was beside a gateway 20 s ago and has this tip; it meets a neighbour in this state. Is anything offered?
static bool s_is_offered (const mesh_tip_t *tip, const meshwire_state_t *theirs)
{
    uint8_t beacon [MESH_BEACON];
    s_begin (1, 0);
    memset (s_key [1], 2, MESH_KEY);
    s_deaf = true;
    meshwire_state_encode (beacon, &(meshwire_state_t){ .hops = 0 });
    mesh_link_up (s_node [0], 1, s_key [1], beacon, s_now);
    mesh_link_down (s_node [0], 1, s_now);
    s_tick (20000);
    assert_int_equal (tip->own ? mesh_own (s_node [0], tip, s_now) : mesh_restore_tip (s_node [0], tip, s_now), 0);
    meshwire_state_encode (beacon, theirs);
    s_last_bytes [0] = 0;
    mesh_link_up (s_node [0], 1, s_key [1], beacon, s_now);
    s_run (0);
    s_end (NULL);
    return s_last_bytes [0] == MESHWIRE_OFFER;
}

//  Who was beside a gateway does not leave copies with those who never were.
static void test_nothing_but_sos_goes_far_from_the_gateway (void **state)
{
    (void)state;
    static const struct {
        uint8_t cls;
        uint16_t utility;
        bool offered;
    } cases [] = { { 2, MESHWIRE_UNKNOWN, false }, { 2, 5000, true }, { 0, MESHWIRE_UNKNOWN, true } };
    for (unsigned index = 0; index < sizeof cases / sizeof cases [0]; index++) {
        mesh_tip_t own = s_tip (1, cases [index].cls, 0);
        own.own = true;
        const meshwire_state_t theirs = { .hops = 255, .utility = cases [index].utility };
        assert_int_equal (s_is_offered (&own, &theirs), cases [index].offered);
    }
}

//  The last token goes to who is nearer. Of what someone near a gateway has had, who has little room is left no copy for being late.
static void test_the_last_token_and_late_copies (void **state)
{
    (void)state;
    static const struct {
        uint16_t tokens, best, utility;
        uint8_t room;
        bool late, offered;
    } cases [] = { { 1, MESHWIRE_UNKNOWN, 9, 255, false, true }, { 1, MESHWIRE_UNKNOWN, 15, 255, false, false },
        { 1, MESHWIRE_UNKNOWN, 9, 100, false, true }, { 8, MESHWIRE_UNKNOWN, 15, 100, false, true },
        { 8, 9, 15, 100, false, true }, { 1, 9, 15, 255, true, true }, { 1, 9, 15, 100, true, false },
        { 1, MESHWIRE_UNKNOWN, 15, 100, true, true } };
    for (unsigned index = 0; index < sizeof cases / sizeof cases [0]; index++) {
        mesh_tip_t tip = s_tip (1, 2, 0);
        tip.tokens = cases [index].tokens;
        tip.best = cases [index].best;
        tip.age_ms = cases [index].late ? LIFE * 300 : 0;
        const meshwire_state_t theirs = { .hops = 255, .utility = cases [index].utility, .room = cases [index].room };
        assert_int_equal (s_is_offered (&tip, &theirs), cases [index].offered);
    }
}

//  None of us has been beside a gateway; someone who had has had this tip.
static void test_what_a_carrier_has_is_not_spread_where_room_is_scarce (void **state)
{
    (void)state;
    static const struct {
        uint16_t best;
        uint8_t room;
        bool offered;
    } cases [] = { { MESHWIRE_UNKNOWN, 100, true }, { 900, 100, false }, { 900, 255, true } };
    for (unsigned index = 0; index < sizeof cases / sizeof cases [0]; index++) {
        uint8_t beacon [MESH_BEACON];
        s_begin (1, 0);
        s_deaf = true;
        mesh_tip_t tip = s_tip (1, 2, 0);
        tip.tokens = 8;
        tip.best = cases [index].best;
        assert_int_equal (mesh_restore_tip (s_node [0], &tip, s_now), 0);
        memset (s_key [1], 2, MESH_KEY);
        meshwire_state_encode (
            beacon, &(meshwire_state_t){ .hops = 255, .utility = MESHWIRE_UNKNOWN, .room = cases [index].room });
        s_last_bytes [0] = 0;
        mesh_link_up (s_node [0], 1, s_key [1], beacon, s_now);
        s_run (0);
        assert_int_equal (s_last_bytes [0] == MESHWIRE_OFFER, cases [index].offered);
        s_end (NULL);
    }
}

//  Room for two beside our own. What nobody near a gateway has had displaces what somebody has; of equals the copy that stands for several stays.
static void test_what_nobody_else_carries_stays_longest (void **state)
{
    (void)state;
    s_begin_against (8 * 640); //  as offers say sizes
    for (uint32_t number = 0; number < 6; number++) {
        mesh_tip_t own = s_tip (100 + number, 2, 0);
        assert_int_equal (mesh_own (s_node [0], &own, s_now), 0);
    }
    //  what it gives has seen nothing better than itself
    s_say (&(meshwire_frame_t){ .type = MESHWIRE_HELLO, .state = { .hops = 255, .utility = MESHWIRE_UNKNOWN } });
    const meshwire_head_t near = { .hops = 1, .tokens = 8, .best = 300 }, far = { .hops = 1, .tokens = 8, .best = 5000 },
                          last = { .hops = 1, .tokens = 1, .best = MESHWIRE_UNKNOWN },
                          fresh = { .hops = 1, .tokens = 8, .best = MESHWIRE_UNKNOWN };
    static const mesh_verdict_t T = MESH_TAKEN, R = MESH_REFUSED; //  refused: not asked for, worth no more than what is here
    const struct {
        const meshwire_head_t *head;
        mesh_verdict_t verdict;
    } steps [] = { { &near, T }, { &near, T }, { &near, R }, { &far, T }, { &near, R }, { &far, T }, { &last, T },
        { &far, R }, { &last, T }, { &last, R }, { &fresh, T }, { &fresh, T }, { &fresh, R } };
    for (uint32_t index = 0; index < sizeof steps / sizeof steps [0]; index++) {
        mesh_tip_t tip = s_tip (index, 2, 0);
        assert_int_equal (s_bring (&tip, steps [index].head), steps [index].verdict);
    }
    mesh_tip_t row;
    uint32_t here = 0;
    for (size_t index = 0; mesh_tip (s_node [0], index, &row, s_now); index++) {
        assert_true (row.own || (row.tokens == 8 && row.best == MESHWIRE_UNKNOWN));
        here += !row.own;
    }
    assert_int_equal (here, 2);
}

static uint32_t s_utility (uint32_t number)
{
    mesh_counters_t counters;
    mesh_counters (s_node [number], &counters, s_now);
    return counters.utility_s;
}

//  Node 0 has a gateway's place from node 1, and drives: towards it counts, past it does not. A gateway on the move is no place.
static void test_heading_for_a_gateway_counts (void **state)
{
    (void)state;
    for (unsigned moves = 0; moves < 2; moves++) {
        s_begin (2, 0);
        mesh_broker_up (s_node [1], s_now);
        for (int32_t fix = 0; fix < 70; fix++) {
            mesh_position (s_node [1], moves ? fix * 90000 : 0, 0, s_now);
            s_tick (10000);
        }
        s_meet (0, 1);
        s_part (0, 1);
        s_tick (3600000);
        assert_true (s_utility (0) > 3500); //  since it was beside the gateway
        for (int32_t fix = 0; fix < 2; fix++) {
            s_tick (10000);
            mesh_position (s_node [0], 90000 - fix * 9000, 0, s_now); //  1 km off, 10 m/s
        }
        assert_int_equal (s_utility (0) < 300, !moves);
        s_tick (10000);
        mesh_position (s_node [0], 90000, 0, s_now); //  away again
        assert_true (s_utility (0) > 3500);
        s_end (NULL);
    }
}

static void test_minted_tokens_are_capped (void **state)
{
    (void)state;
    s_begin_against (0);
    mesh_tip_t tip = s_tip (1, 2, 1), row;
    assert_int_equal (s_bring (&tip, &(meshwire_head_t){ .tokens = 60000, .best = 5 }), MESH_TAKEN);
    assert_true (mesh_tip (s_node [0], 0, &row, s_now));
    assert_int_equal (row.tokens, 8);
    assert_int_equal (s_offences [MESH_MINTED_TOKENS], 1);
}

static void test_a_million_ids (void **state)
{
    (void)state;
    s_begin_against (0);
    meshwire_frame_t offer = { .type = MESHWIRE_OFFER, .count = MESHWIRE_OFFER_MAX };
    uint32_t refused = 0;
    for (uint32_t frame = 0; frame < 1000000 / MESHWIRE_OFFER_MAX; frame++) {
        offer.nonce = (uint16_t)(frame + 1);
        for (uint32_t index = 0; index < offer.count; index++)
            offer.offers [index] = (meshwire_offer_t){ .id = frame * 64 + index, .cls = 2, .size = 592 };
        refused += s_say (&offer) < 0;
    }
    assert_true (refused > 15000); //  all but a minute's allowance
    assert_int_equal (s_offences [MESH_TOO_MANY_IDS], refused);
    assert_true (s_closed > 0);
    mesh_neighbour_t neighbour;
    assert_true (mesh_neighbour (s_node [0], 0, &neighbour));
    assert_int_equal (neighbour.offences [MESH_TOO_MANY_IDS], refused);
    assert_memory_equal (neighbour.key, s_key [1], MESH_KEY);
}

static void test_a_flood_of_own_tips_leaves_room (void **state)
{
    (void)state;
    s_begin_against (100 * 592);
    meshwire_head_t own_head = { .tokens = 8, .best = MESHWIRE_UNKNOWN }, relayed = { .hops = 1, .tokens = 8, .best = 100 };
    for (uint32_t number = 0; number < 300; number++) {
        mesh_tip_t tip = s_tip (1000 + number, 2, 1);
        s_bring (&tip, &own_head);
    }
    //  full of one neighbour's own tips: another's tip and our own still find room
    mesh_counters_t before, after;
    mesh_counters (s_node [0], &before, s_now);
    assert_true (before.bytes_held <= 100 * 592);
    mesh_tip_t honest = s_tip (1, 2, 3), own = s_tip (2, 2, 0), row;
    assert_int_equal (s_bring (&honest, &relayed), MESH_TAKEN);
    assert_int_equal (mesh_own (s_node [0], &own, s_now), 0);
    s_run (0);
    mesh_counters (s_node [0], &after, s_now);
    assert_true (after.bytes_held <= 100 * 592);
    bool found_honest = false, found_own = false;
    for (size_t index = 0; mesh_tip (s_node [0], index, &row, s_now); index++) {
        found_honest |= memcmp (row.mid, honest.mid, MESH_MID) == 0;
        found_own |= memcmp (row.mid, own.mid, MESH_MID) == 0;
    }
    assert_true (found_honest && found_own);
}

//  Made-up tips that are said to come from others, and that nobody else is said to have: they fill no more than their part.
static void test_a_flood_said_to_be_of_others_leaves_room (void **state)
{
    (void)state;
    s_begin_against (100 * 640);
    mesh_tip_t carried [20], row;
    for (uint32_t number = 0; number < 20; number++) {
        carried [number] = s_tip (number, 2, 3);
        carried [number].best = 100;
        carried [number].tokens = 1;
        assert_int_equal (mesh_restore_tip (s_node [0], &carried [number], s_now), 0);
    }
    const meshwire_head_t made_up = { .hops = 1, .tokens = 8, .best = MESHWIRE_UNKNOWN };
    for (uint32_t number = 0; number < 300; number++) {
        mesh_tip_t tip = s_tip (1000 + number, 2, (uint8_t)number);
        s_bring (&tip, &made_up);
    }
    uint32_t here = 0;
    for (size_t index = 0; mesh_tip (s_node [0], index, &row, s_now); index++)
        here += row.origin [0] == 3 && row.best == 100;
    assert_int_equal (here, 20);
}

//  A neighbour near a gateway cannot say that what it gives was never near one.
static void test_best_is_no_worse_than_the_senders_own (void **state)
{
    (void)state;
    s_begin_against (0); //  its beacon says 9 s
    mesh_tip_t tip = s_tip (1, 2, 1), row;
    assert_int_equal (s_bring (&tip, &(meshwire_head_t){ .tokens = 8, .best = MESHWIRE_UNKNOWN }), MESH_TAKEN);
    assert_true (mesh_tip (s_node [0], 0, &row, s_now));
    assert_int_equal (row.best, 9);
}

static void test_a_flood_of_sos_has_limits (void **state)
{
    (void)state;
    s_begin_against (100 * 592);
    meshwire_head_t head = { .tokens = 32, .best = MESHWIRE_UNKNOWN }, relayed = { .hops = 1, .tokens = 8, .best = 100 };
    for (uint32_t number = 0; number < 300; number++) {
        mesh_tip_t tip = s_tip (1000 + number, 0, 1);
        s_bring (&tip, &head);
    }
    mesh_tip_t honest = s_tip (1, 0, 3), normal = s_tip (2, 2, 4);
    assert_int_equal (s_bring (&honest, &relayed), MESH_TAKEN);
    assert_int_equal (s_bring (&normal, &relayed), MESH_TAKEN);
}

static void test_unasked_and_stalled (void **state)
{
    (void)state;
    s_begin_against (0);
    mesh_tip_t tip = s_tip (1, 2, 1);
    uint8_t bytes [MESH_HEAD];
    meshwire_head_encode (bytes, &(meshwire_head_t){ .tokens = 1 });
    mesh_facts_t facts = { tip.mid, tip.origin, tip.cls, tip.size, tip.life_s };
    assert_int_equal (mesh_tip_in (s_node [0], 1, bytes, &facts, s_now), MESH_REFUSED);
    s_run (0);
    assert_int_equal (s_offences [MESH_UNASKED_TIP], 1);
    meshwire_frame_t offer = { .type = MESHWIRE_OFFER, .nonce = 5, .count = 1 };
    offer.offers [0] = (meshwire_offer_t){ .id = 1, .cls = 2, .size = 592 };
    s_say (&offer);
    s_tick (40000);
    assert_int_equal (s_offences [MESH_STALLED], 1);
}

//  Says it is beside a gateway, takes everything, and no receipt ever comes of it.
static void test_a_black_hole_is_believed_no_more (void **state)
{
    (void)state;
    s_begin_against (0);
    uint8_t beacon [MESH_BEACON];
    meshwire_salt_t acks = meshwire_salt (s_key [1], s_key [0], 0);
    uint32_t taken = 0;
    for (uint32_t number = 0; number < 600; number++) {
        mesh_tip_t tip = s_tip (number, 2, 0);
        mesh_own (s_node [0], &tip, s_now);
        s_run (0);
        meshwire_state_encode (beacon, &(meshwire_state_t){ .hops = 0, .utility = 0 });
        mesh_beacon_in (s_node [0], 1, beacon, s_now);
        s_run (0);
        meshwire_frame_t offer;
        if (meshwire_decode (&offer, s_last_bytes, s_last_frame.size) < 0 || offer.type != MESHWIRE_OFFER)
            continue;
        meshwire_frame_t want = { .type = MESHWIRE_WANT, .nonce = offer.nonce, .count = offer.count };
        for (uint32_t index = 0; index < offer.count; index++)
            want.answers [index] = MESHWIRE_WANTED;
        memset (s_last_bytes, 0, sizeof s_last_bytes);
        s_say (&want);
        mesh_outgoing_t out;
        while (mesh_next_tip (s_node [0], 1, &out, s_now)) {
            meshwire_head_t head;
            assert_int_equal (meshwire_head_decode (&head, out.head), 0);
            taken++;
            mesh_sending (s_node [0], 1, out.mid, s_now);
            mesh_sent (s_node [0], 1, out.mid, true, s_now);
            s_say (
                &(meshwire_frame_t){ .type = MESHWIRE_ACK, .id = meshwire_short (&acks, out.mid), .ack = MESHWIRE_STORED });
        }
    }
    assert_in_range (taken, 200, 300);
    assert_int_equal (s_offences [MESH_NO_RECEIPTS], 1);
    mesh_counters_t counters;
    mesh_counters (s_node [0], &counters, s_now);
    assert_int_equal (counters.own, 600); //  and we still have all of them
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_teardown (test_chain_delivers_and_the_sender_learns, s_end),
        cmocka_unit_test_teardown (test_mule_and_epoch, s_end),
        cmocka_unit_test_teardown (test_restored_tips_go_on, s_end),
        cmocka_unit_test_teardown (test_tips_end_with_their_life, s_end),
        cmocka_unit_test_teardown (test_store_that_failed_keeps_the_senders_tokens, s_end),
        cmocka_unit_test_teardown (test_linked_neighbours_come_first, s_end),
        cmocka_unit_test_teardown (test_nothing_but_sos_goes_far_from_the_gateway, s_end),
        cmocka_unit_test_teardown (test_the_last_token_and_late_copies, s_end),
        cmocka_unit_test_teardown (test_what_a_carrier_has_is_not_spread_where_room_is_scarce, s_end),
        cmocka_unit_test_teardown (test_what_nobody_else_carries_stays_longest, s_end),
        cmocka_unit_test_teardown (test_heading_for_a_gateway_counts, s_end),
        cmocka_unit_test_teardown (test_minted_tokens_are_capped, s_end),
        cmocka_unit_test_teardown (test_a_million_ids, s_end),
        cmocka_unit_test_teardown (test_a_flood_of_own_tips_leaves_room, s_end),
        cmocka_unit_test_teardown (test_a_flood_said_to_be_of_others_leaves_room, s_end),
        cmocka_unit_test_teardown (test_best_is_no_worse_than_the_senders_own, s_end),
        cmocka_unit_test_teardown (test_a_flood_of_sos_has_limits, s_end),
        cmocka_unit_test_teardown (test_unasked_and_stalled, s_end),
        cmocka_unit_test_teardown (test_a_black_hole_is_believed_no_more, s_end),
    };
    return cmocka_run_group_tests (tests, s_keys, NULL);
}
