//  mesh_test - the routing core through its header: tips find the gateway, receipts find the sender, a dishonest neighbour finds limits

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "mesh.h"
#include "meshreceipt.h"
#include "meshwire.h"

#define LIFE 7200u
#define NODES 6u

//  Nodes on a table: link number 10 a + b is the same on both sides, a below b.
static mesh_t *s_node [NODES];
static uint8_t s_key [NODES][MESH_KEY], s_public [MESHRECEIPT_KEY], s_secret [MESHRECEIPT_SECRET];
static int64_t s_now;
static unsigned s_accepted [NODES], s_carried [NODES], s_erased [NODES], s_submitted, s_closed, s_put;
static uint32_t s_offences [MESH_OFFENCES];
static mesh_action_t s_last_frame;
static uint8_t s_last_bytes [MESH_FRAME_MAX];
static bool s_deaf; //  node 1 is played by the test: frames to it are kept, not delivered

static bool s_epoch_valid (void *arg, const uint8_t *bytes, size_t size)
{
    (void)arg;
    return meshreceipt_epoch_verify (bytes, size, s_public);
}

static bool s_single_valid (void *arg, const uint8_t *bytes, const uint8_t *mid)
{
    (void)arg;
    return meshreceipt_single_verify (bytes, mid, s_public);
}

static uint32_t s_link (uint32_t a, uint32_t b)
{
    return a < b ? 10 * a + b : 10 * b + a;
}

static mesh_tip_t s_tip (uint32_t number, uint8_t cls, uint8_t origin)
{
    mesh_tip_t tip = { .cls = cls, .size = 592, .life_s = LIFE };
    crypto_generichash (tip.mid, MESH_MID, (const uint8_t *)&number, sizeof number, NULL, 0);
    tip.origin [0] = origin;
    return tip;
}

static void s_run (uint32_t number);

static void s_transfer (uint32_t from, uint32_t link)
{
    uint32_t to = link / 10 == from ? link % 10 : link / 10;
    mesh_outgoing_t out;
    while (s_node [to] && mesh_next_tip (s_node [from], link, &out, s_now)) {
        mesh_sending (s_node [from], link, out.mid, s_now);
        mesh_sent (s_node [from], link, out.mid, true, s_now);
        uint8_t mid [MESH_MID], origin [MESH_ORIGIN] = { (uint8_t)from };
        memcpy (mid, out.mid, MESH_MID);
        //  class and life are in the envelope; here every tip that moves was made by s_tip with class 2 or 0
        mesh_tip_t row = { 0 };
        for (size_t index = 0; mesh_tip (s_node [from], index, &row, s_now) && memcmp (row.mid, mid, MESH_MID); index++)
            ;
        mesh_facts_t facts = { mid, origin, row.cls, out.size, LIFE };
        if (mesh_tip_in (s_node [to], link, out.head, &facts, s_now) == MESH_TAKEN)
            mesh_stored (s_node [to], mid, true, s_now);
        s_run (to);
        s_run (from);
    }
}

static void s_accept (uint32_t number, const uint8_t *mid)
{
    uint8_t single [MESHRECEIPT_SINGLE], copy [MESH_MID];
    memcpy (copy, mid, MESH_MID);
    meshreceipt_single_sign (single, copy, 1, s_secret);
    s_submitted++;
    mesh_accepted (s_node [number], copy, single, s_now);
}

static void s_run (uint32_t number)
{
    mesh_action_t action;
    while (s_node [number] && mesh_next_action (s_node [number], &action)) {
        uint32_t other = action.link / 10 == number ? action.link % 10 : action.link / 10;
        if (action.kind == MESH_SEND && s_deaf && !s_node [other]) {
            memcpy (s_last_bytes, action.bytes, action.size);
            s_last_frame = action;
        } else if (action.kind == MESH_SEND) {
            uint8_t bytes [MESH_FRAME_MAX];
            memcpy (bytes, action.bytes, action.size);
            mesh_frame_in (s_node [other], action.link, bytes, action.size, s_now);
            s_run (other);
        } else if (action.kind == MESH_READY)
            s_transfer (number, action.link);
        else if (action.kind == MESH_SUBMIT)
            s_accept (number, action.mid);
        s_accepted [number] += action.kind == MESH_ACCEPTED;
        s_carried [number] += action.kind == MESH_CARRIED;
        s_erased [number] += action.kind == MESH_ERASE;
        s_put += action.kind == MESH_PUT;
        s_closed += action.kind == MESH_CLOSE;
        if (action.kind == MESH_OFFENCE)
            s_offences [action.offence]++;
    }
}

static void s_tick (int64_t ms)
{
    for (int64_t until = s_now + ms; s_now < until;) {
        s_now += 1000;
        for (uint32_t number = 0; number < NODES; number++)
            if (s_node [number]) {
                mesh_tick (s_node [number], s_now);
                s_run (number);
            }
    }
}

static void s_meet (uint32_t a, uint32_t b)
{
    mesh_link_up (s_node [a], s_link (a, b), s_key [b], NULL, s_now);
    mesh_link_up (s_node [b], s_link (a, b), s_key [a], NULL, s_now);
    s_run (a);
    s_run (b);
}

static void s_part (uint32_t a, uint32_t b)
{
    mesh_link_down (s_node [a], s_link (a, b), s_now);
    mesh_link_down (s_node [b], s_link (a, b), s_now);
    s_run (a);
    s_run (b);
}

static void s_begin (uint32_t count, uint64_t buffer)
{
    mesh_settings_t settings = { .buffer_bytes = buffer, .epoch_valid = s_epoch_valid, .single_valid = s_single_valid };
    s_now = 1000000;
    s_submitted = s_closed = s_put = 0;
    s_deaf = false;
    memset (s_accepted, 0, sizeof s_accepted);
    memset (s_carried, 0, sizeof s_carried);
    memset (s_erased, 0, sizeof s_erased);
    memset (s_offences, 0, sizeof s_offences);
    for (uint32_t number = 0; number < count; number++) {
        memset (s_key [number], (int)number + 1, MESH_KEY);
        s_node [number] = mesh_new (&settings, s_key [number], number, s_now);
    }
}

static int s_end (void **state)
{
    (void)state;
    for (uint32_t number = 0; number < NODES; number++)
        mesh_destroy (&s_node [number]);
    return 0;
}

//  The test plays node 1, a neighbour of node 0 that says what it likes.
static void s_begin_against (uint64_t buffer)
{
    s_begin (1, buffer);
    memset (s_key [1], 2, MESH_KEY);
    s_deaf = true;
    uint8_t beacon [MESH_BEACON];
    meshwire_state_encode (beacon, &(meshwire_state_t){ .has_work = true, .hops = 255, .utility = 9 });
    mesh_link_up (s_node [0], 1, s_key [1], beacon, s_now);
    s_run (0);
}

static int s_say (const meshwire_frame_t *frame)
{
    uint8_t bytes [MESH_FRAME_MAX];
    size_t size = meshwire_encode (bytes, frame);
    int rc = mesh_frame_in (s_node [0], 1, bytes, size, s_now);
    s_run (0);
    return rc;
}

//  To the offer before, which must have been answered.
static meshwire_answer_t s_answer (void)
{
    meshwire_frame_t frame;
    assert_int_equal (meshwire_decode (&frame, s_last_bytes, s_last_frame.size), 0);
    assert_int_equal (frame.type, MESHWIRE_WANT);
    return frame.answers [0];
}

//  Offers one tip and, if it is wanted, brings it under this head.
static mesh_verdict_t s_bring (const mesh_tip_t *tip, const meshwire_head_t *head)
{
    meshwire_salt_t salt = meshwire_salt (s_key [1], s_key [0], 5);
    meshwire_frame_t offer = { .type = MESHWIRE_OFFER, .nonce = 5, .count = 1 };
    offer.offers [0] = (meshwire_offer_t){ .id = meshwire_short (&salt, tip->mid),
        .cls = tip->cls,
        .tokens = head->tokens,
        .hops = head->hops,
        .leads = head->leads,
        .size = tip->size };
    s_say (&offer);
    uint8_t bytes [MESH_HEAD];
    meshwire_head_encode (bytes, head);
    mesh_facts_t facts = { tip->mid, tip->origin, tip->cls, tip->size, tip->life_s };
    mesh_verdict_t verdict = mesh_tip_in (s_node [0], 1, bytes, &facts, s_now);
    s_run (0);
    if (verdict == MESH_TAKEN)
        mesh_stored (s_node [0], tip->mid, true, s_now);
    s_run (0);
    return verdict;
}

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
    meshwire_head_t head = { .tokens = 8, .best = MESHWIRE_UNKNOWN, .leads = true };
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

static void test_missing_epochs_are_counted (void **state)
{
    (void)state;
    s_begin (1, 0);
    static const uint32_t numbers [] = { 4, 7, 5, 6 }, missing [] = { 1, 3, 2, 1 };
    for (unsigned index = 0; index < 4; index++) {
        uint8_t epoch [MESHRECEIPT_EPOCH_MAX], salt [8] = { (uint8_t)index };
        bool sos = false;
        mesh_tip_t tip = s_tip (index, 2, 0);
        meshreceipt_epoch_t head = { .series = 1, .number = numbers [index], .oldest = 3, .closed_s = 1 };
        size_t size = meshreceipt_epoch_sign (
            epoch, &head, salt, (const uint8_t (*) [MESHRECEIPT_MID]) & tip.mid, &sos, 1, s_secret);
        assert_int_equal (mesh_epoch_in (s_node [0], epoch, size, s_now), 0);
        s_run (0);
        mesh_counters_t counters;
        mesh_counters (s_node [0], &counters, s_now);
        assert_int_equal (counters.epochs_missing, missing [index]); //  number 3 and what is between
        assert_int_equal (counters.epochs, index + 1);
    }
}

//  Who was beside a gateway a moment ago does not leave copies with those who were not for long.
static void test_nothing_but_sos_goes_far_from_the_gateway (void **state)
{
    (void)state;
    static const struct {
        uint8_t cls;
        uint16_t utility;
        bool offered;
    } cases [] = { { 2, 5000, false }, { 2, 50, true }, { 0, 5000, true } };
    for (unsigned index = 0; index < sizeof cases / sizeof cases [0]; index++) {
        s_begin (1, 0);
        memset (s_key [1], 2, MESH_KEY);
        s_deaf = true;
        uint8_t beacon [MESH_BEACON];
        meshwire_state_encode (beacon, &(meshwire_state_t){ .hops = 0 });
        mesh_link_up (s_node [0], 1, s_key [1], beacon, s_now);
        mesh_link_down (s_node [0], 1, s_now);
        s_tick (20000);
        mesh_tip_t own = s_tip (1, cases [index].cls, 0);
        assert_int_equal (mesh_own (s_node [0], &own, s_now), 0);
        meshwire_state_encode (
            beacon, &(meshwire_state_t){ .hops = 255, .utility = meshwire_utility (cases [index].utility) });
        s_last_bytes [0] = 0;
        mesh_link_up (s_node [0], 1, s_key [1], beacon, s_now);
        s_run (0);
        assert_int_equal (s_last_bytes [0] == MESHWIRE_OFFER, cases [index].offered);
        s_end (NULL);
    }
}

//  The last token goes to who is nearer, and to who has little room only if it is much nearer.
static void test_little_room_asks_for_more (void **state)
{
    (void)state;
    static const struct {
        uint8_t room;
        uint16_t utility;
        bool offered;
    } cases [] = { { 255, 9, true }, { 255, 15, false }, { 100, 9, false }, { 100, 4, true } };
    for (unsigned index = 0; index < sizeof cases / sizeof cases [0]; index++) {
        s_begin (1, 0);
        memset (s_key [1], 2, MESH_KEY);
        s_deaf = true;
        uint8_t beacon [MESH_BEACON];
        meshwire_state_encode (beacon, &(meshwire_state_t){ .hops = 0 });
        mesh_link_up (s_node [0], 1, s_key [1], beacon, s_now);
        mesh_link_down (s_node [0], 1, s_now);
        s_tick (20000);
        mesh_tip_t last = s_tip (1, 2, 0);
        last.tokens = 1;
        last.best = MESHWIRE_UNKNOWN;
        assert_int_equal (mesh_restore_tip (s_node [0], &last, s_now), 0);
        meshwire_state_encode (
            beacon, &(meshwire_state_t){ .hops = 255, .utility = cases [index].utility, .room = cases [index].room });
        s_last_bytes [0] = 0;
        mesh_link_up (s_node [0], 1, s_key [1], beacon, s_now);
        s_run (0);
        assert_int_equal (s_last_bytes [0] == MESHWIRE_OFFER, cases [index].offered);
        s_end (NULL);
    }
}

//  One token: there are many like it. Room for two: the copy that still stands for several is kept.
static void test_copies_with_tokens_stay_longer (void **state)
{
    (void)state;
    s_begin_against (2 * 640); //  as offers say sizes
    meshwire_head_t alone = { .hops = 1, .tokens = 1, .leads = true, .best = MESHWIRE_UNKNOWN }, fresh = alone;
    fresh.tokens = 8;
    mesh_tip_t first = s_tip (1, 2, 0), second = s_tip (2, 2, 0), third = s_tip (3, 2, 0), fourth = s_tip (4, 2, 0);
    assert_int_equal (s_bring (&first, &fresh), MESH_TAKEN);
    assert_int_equal (s_bring (&second, &alone), MESH_TAKEN);
    assert_int_equal (s_bring (&third, &alone), MESH_REFUSED); //  not asked for: worth no more than what is here
    assert_int_equal (s_bring (&fourth, &fresh), MESH_TAKEN);
    mesh_tip_t row;
    for (size_t index = 0; index < 2; index++) {
        assert_true (mesh_tip (s_node [0], index, &row, s_now));
        assert_true (row.tokens == 8);
    }
    assert_false (mesh_tip (s_node [0], 2, &row, s_now));
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
    assert_int_equal (s_bring (&tip, &(meshwire_head_t){ .tokens = 60000, .best = 5, .leads = true }), MESH_TAKEN);
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
    meshwire_head_t own_head = { .tokens = 8, .best = MESHWIRE_UNKNOWN, .leads = true },
                    relayed = { .hops = 1, .tokens = 8, .best = 100, .leads = true };
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

static void test_a_flood_of_sos_has_limits (void **state)
{
    (void)state;
    s_begin_against (100 * 592);
    meshwire_head_t head = { .tokens = 32, .best = MESHWIRE_UNKNOWN, .leads = true },
                    relayed = { .hops = 1, .tokens = 8, .best = 100, .leads = true };
    for (uint32_t number = 0; number < 300; number++) {
        mesh_tip_t tip = s_tip (1000 + number, 0, 1);
        s_bring (&tip, &head);
    }
    mesh_tip_t honest = s_tip (1, 0, 3), normal = s_tip (2, 2, 4);
    assert_int_equal (s_bring (&honest, &relayed), MESH_TAKEN);
    assert_int_equal (s_bring (&normal, &relayed), MESH_TAKEN);
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

//  Beyond its bytes a minute a neighbour is asked for no more. Only what it wrote itself is held against it; to lie about sizes brings
//  nothing.
static void test_bytes_a_minute (void **state)
{
    (void)state;
    static const struct {
        uint8_t hops;
        uint32_t said;
        uint32_t offences, most;
    } cases [] = { { 0, 9984, 1, (4u << 20) / 8 * 7 }, { 1, 9984, 0, 3u << 20 }, { 1, 64, 0, 3u << 20 } };
    for (unsigned index = 0; index < sizeof cases / sizeof cases [0]; index++) {
        s_begin_against (64u << 20);
        meshwire_salt_t salt = meshwire_salt (s_key [1], s_key [0], 5);
        meshwire_frame_t frame = { .type = MESHWIRE_OFFER, .nonce = 5, .count = 1 };
        uint8_t bytes [MESH_HEAD];
        meshwire_head_encode (bytes, &(meshwire_head_t){ .hops = cases [index].hops, .tokens = 1 });
        uint32_t taken = 0;
        for (uint32_t number = 0; number < 500 && s_offences [MESH_TOO_MANY_TIPS] < 1; number++) {
            mesh_tip_t tip = s_tip (number, 2, 1);
            mesh_facts_t facts = { tip.mid, tip.origin, 2, 9984, LIFE };
            frame.offers [0] = (meshwire_offer_t){
                .id = meshwire_short (&salt, tip.mid), .cls = 2, .hops = cases [index].hops, .size = cases [index].said
            };
            s_say (&frame);
            bool wanted = s_answer () == MESHWIRE_WANTED;
            taken += wanted && mesh_tip_in (s_node [0], 1, bytes, &facts, s_now) == MESH_TAKEN;
            s_run (0);
            mesh_stored (s_node [0], tip.mid, true, s_now); //  nothing if it was not taken
            s_run (0);
        }
        assert_in_range (taken, cases [index].most / 9984 - 1, cases [index].most / 9984 + 1);
        assert_int_equal (s_offences [MESH_TOO_MANY_TIPS], cases [index].offences);
        s_end (NULL);
    }
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

//  A second neighbour, played by the test as the first one is, on link 2.
static void s_second_neighbour (uint8_t hops)
{
    uint8_t beacon [MESH_BEACON];
    memset (s_key [2], 3, MESH_KEY);
    meshwire_state_encode (beacon, &(meshwire_state_t){ .has_work = true, .hops = hops, .utility = 9 });
    mesh_link_up (s_node [0], 2, s_key [2], beacon, s_now);
    s_run (0);
}

//  Offers this one tip on that link. Returns whether there was an answer at once, with what was said in s_last_bytes.
static bool s_offers (uint32_t link, const mesh_tip_t *tip)
{
    uint8_t frame [MESH_FRAME_MAX];
    meshwire_salt_t salt = meshwire_salt (s_key [link], s_key [0], 5);
    meshwire_frame_t offer = { .type = MESHWIRE_OFFER, .nonce = 5, .count = 1 };
    offer.offers [0] = (meshwire_offer_t){ .id = meshwire_short (&salt, tip->mid), .cls = tip->cls, .size = 592 };
    s_last_bytes [0] = 0;
    mesh_frame_in (s_node [0], link, frame, meshwire_encode (frame, &offer), s_now);
    s_run (0);
    return s_last_bytes [0] == MESHWIRE_WANT && s_last_frame.link == link;
}

//  What another neighbour was asked for may be the same: the answer waits until it is here, and an sos waits for sos only.
static void test_an_offer_waits_for_what_others_send (void **state)
{
    (void)state;
    s_begin_against (0);
    s_second_neighbour (255);
    mesh_tip_t tip = s_tip (1, 2, 1), sos = s_tip (2, 0, 1), other = s_tip (3, 0, 1);
    assert_true (s_offers (1, &tip));
    assert_int_equal (s_answer (), MESHWIRE_WANTED);
    assert_true (s_offers (2, &sos));
    assert_int_equal (s_answer (), MESHWIRE_WANTED);
    assert_false (s_offers (1, &other)); //  an sos is on its way from the second one
    uint8_t bytes [MESH_HEAD];
    meshwire_head_encode (bytes, &(meshwire_head_t){ .tokens = 1 });
    mesh_facts_t facts = { sos.mid, sos.origin, sos.cls, sos.size, sos.life_s };
    assert_int_equal (mesh_tip_in (s_node [0], 2, bytes, &facts, s_now), MESH_TAKEN);
    s_run (0);
    assert_int_equal (s_answer (), MESHWIRE_WANTED); //  now it is not any more
    assert_false (s_offers (2, &tip));
    facts = (mesh_facts_t){ tip.mid, tip.origin, tip.cls, tip.size, tip.life_s };
    assert_int_equal (mesh_tip_in (s_node [0], 1, bytes, &facts, s_now), MESH_TAKEN);
    s_run (0);
    assert_int_equal (s_last_frame.link, 2);
    assert_int_equal (s_answer (), MESHWIRE_HAVE);
}

//  Whoever offered and was answered is waited for, so it sends although there is a better way by now.
static void test_what_was_promised_comes (void **state)
{
    (void)state;
    s_begin_against (0);
    mesh_tip_t own = s_tip (1, 2, 0);
    mesh_own (s_node [0], &own, s_now);
    s_run (0);
    meshwire_frame_t offer;
    assert_int_equal (meshwire_decode (&offer, s_last_bytes, s_last_frame.size), 0);
    assert_int_equal (offer.type, MESHWIRE_OFFER);
    uint16_t nonce = offer.nonce;
    s_second_neighbour (0); //  a gateway: further copies elsewhere are of no use
    meshwire_frame_t want = { .type = MESHWIRE_WANT, .nonce = nonce, .hops = 255, .utility = 9, .count = 1 };
    want.answers [0] = MESHWIRE_WANTED;
    s_say (&want);
    mesh_outgoing_t out;
    meshwire_head_t head;
    assert_true (mesh_next_tip (s_node [0], 1, &out, s_now));
    assert_memory_equal (out.mid, own.mid, MESH_MID);
    assert_int_equal (meshwire_head_decode (&head, out.head), 0);
    assert_int_equal (head.tokens, 0);
    //  a transfer that was cut is tried again, as often as that happens
    for (unsigned round = 0; round < 100; round++) {
        assert_true (mesh_next_tip (s_node [0], 1, &out, s_now));
        mesh_sending (s_node [0], 1, out.mid, s_now);
        mesh_sent (s_node [0], 1, out.mid, false, s_now);
        s_run (0);
    }
    assert_true (mesh_next_tip (s_node [0], 1, &out, s_now));
}

//  Tips that come one by one are offered together: ordinary ones after a second, sos after 0.3 s.
static void test_offers_are_gathered (void **state)
{
    (void)state;
    s_begin_against (0);
    mesh_tip_t tips [4] = { s_tip (1, 2, 0), s_tip (2, 2, 0), s_tip (3, 2, 0), s_tip (4, 0, 0) };
    meshwire_frame_t offer, want = { .type = MESHWIRE_WANT, .hops = 255, .utility = 9, .count = 1 };
    for (unsigned index = 0; index < 3; index++) {
        s_last_bytes [0] = 0;
        mesh_own (s_node [0], &tips [index], s_now);
        s_run (0);
        assert_int_equal (s_last_bytes [0], index == 0 ? MESHWIRE_OFFER : 0);
        if (index)
            continue;
        assert_int_equal (meshwire_decode (&offer, s_last_bytes, s_last_frame.size), 0);
        want.nonce = offer.nonce;
        want.answers [0] = MESHWIRE_HAVE;
        s_say (&want);
    }
    mesh_own (s_node [0], &tips [3], s_now);
    s_run (0);
    assert_int_equal (s_last_bytes [0], 0);
    mesh_tick (s_node [0], s_now);
    assert_int_equal (mesh_tick (s_node [0], s_now), s_now + 300);
    s_now += 300;
    mesh_tick (s_node [0], s_now);
    s_run (0);
    assert_int_equal (meshwire_decode (&offer, s_last_bytes, s_last_frame.size), 0);
    assert_int_equal (offer.type, MESHWIRE_OFFER);
    assert_int_equal (offer.count, 1);
    assert_int_equal (offer.offers [0].cls, 0);
    want.nonce = offer.nonce;
    s_say (&want);
    s_last_bytes [0] = 0;
    s_tick (1000);
    assert_int_equal (meshwire_decode (&offer, s_last_bytes, s_last_frame.size), 0);
    assert_int_equal (offer.type, MESHWIRE_OFFER);
    assert_int_equal (offer.count, 2);
}

static void test_what_a_link_is_worth (void **state)
{
    (void)state;
    s_begin (1, 0);
    uint8_t beacon [MESH_BEACON];
    meshwire_state_t idle = { .hops = 255, .utility = MESHWIRE_UNKNOWN }, far = idle, near = idle, gateway = { .has_work = true };
    far.has_work = near.has_work = true;
    far.utility = meshwire_utility (1000);
    near.utility = meshwire_utility (400);
    const struct {
        const meshwire_state_t *state;
        mesh_link_worth_t alone, beside_far, beside_gateway;
    } cases [] = { { &idle, MESH_LINK_IDLE, MESH_LINK_IDLE, MESH_LINK_IDLE },
        { &far, MESH_LINK_NEARER, MESH_LINK_USEFUL, MESH_LINK_USEFUL },
        { &near, MESH_LINK_NEARER, MESH_LINK_NEARER, MESH_LINK_USEFUL },
        { &gateway, MESH_LINK_NEARER, MESH_LINK_NEARER, MESH_LINK_USEFUL } };
    for (unsigned round = 0; round < 3; round++) {
        if (round) {
            memset (s_key [round], (int)round + 1, MESH_KEY);
            meshwire_state_encode (beacon, round == 1 ? &far : &gateway);
            mesh_link_up (s_node [0], round, s_key [round], beacon, s_now);
        }
        for (unsigned index = 0; index < sizeof cases / sizeof cases [0]; index++) {
            mesh_link_worth_t expected = round == 0 ? cases [index].alone
                : round == 1                        ? cases [index].beside_far
                                                    : cases [index].beside_gateway;
            meshwire_state_encode (beacon, cases [index].state);
            assert_int_equal (mesh_link_worth (s_node [0], beacon, s_now), expected);
        }
    }
}

//  Two neighbours are asked for the same, the first being slow; the second copy is on its way when the first one has come.
//  Nobody did wrong.
static void test_a_copy_that_crosses_is_no_offence (void **state)
{
    (void)state;
    s_begin_against (0);
    s_second_neighbour (255);
    uint8_t bytes [MESH_HEAD];
    mesh_tip_t tip = s_tip (1, 2, 1);
    mesh_facts_t facts = { tip.mid, tip.origin, tip.cls, tip.size, tip.life_s };
    meshwire_head_encode (bytes, &(meshwire_head_t){ .tokens = 1 });
    assert_true (s_offers (1, &tip));
    assert_false (s_offers (2, &tip));
    s_tick (2000);
    assert_int_equal (s_last_frame.link, 2);
    assert_int_equal (s_answer (), MESHWIRE_WANTED);
    assert_int_equal (mesh_tip_in (s_node [0], 1, bytes, &facts, s_now), MESH_TAKEN);
    mesh_stored (s_node [0], tip.mid, true, s_now);
    s_run (0);
    assert_int_equal (mesh_tip_in (s_node [0], 2, bytes, &facts, s_now), MESH_HAVE);
    s_run (0);
    assert_int_equal (s_offences [MESH_UNASKED_TIP], 0);
    //  once is enough, and what does not come any more is not missed
    assert_int_equal (mesh_tip_in (s_node [0], 2, bytes, &facts, s_now), MESH_REFUSED);
    s_run (0);
    assert_int_equal (s_offences [MESH_UNASKED_TIP], 1);
    s_tick (90000);
    assert_int_equal (s_offences [MESH_STALLED], 0);
}

//  A neighbour that sends its tips one after the other, slowly, does not stall; one that stops does.
static void test_slow_is_not_stalled (void **state)
{
    (void)state;
    s_begin_against (0);
    uint8_t bytes [MESH_HEAD];
    meshwire_salt_t salt = meshwire_salt (s_key [1], s_key [0], 5);
    meshwire_frame_t offer = { .type = MESHWIRE_OFFER, .nonce = 5, .count = 8 };
    meshwire_head_encode (bytes, &(meshwire_head_t){ .tokens = 1 });
    mesh_tip_t tips [8];
    for (uint32_t index = 0; index < 8; index++) {
        tips [index] = s_tip ((uint8_t)(index + 1), 2, 1);
        offer.offers [index] = (meshwire_offer_t){ .id = meshwire_short (&salt, tips [index].mid), .cls = 2, .size = 592 };
    }
    s_say (&offer);
    for (uint32_t index = 0; index < 7; index++) {
        s_tick (15000);
        mesh_facts_t facts = { tips [index].mid, tips [index].origin, 2, tips [index].size, tips [index].life_s };
        assert_int_equal (mesh_tip_in (s_node [0], 1, bytes, &facts, s_now), MESH_TAKEN);
        mesh_stored (s_node [0], tips [index].mid, true, s_now);
        s_run (0);
    }
    assert_int_equal (s_offences [MESH_STALLED], 0);
    s_tick (90000);
    assert_int_equal (s_offences [MESH_STALLED], 1);
}

//  Neither hears the other's beacon, and both know no receipts when they meet; then one gets some.
static void test_a_first_epoch_spreads_over_a_standing_link (void **state)
{
    (void)state;
    s_begin (2, 0);
    s_meet (0, 1);
    s_tick (5000);
    mesh_tip_t tip = s_tip (1, 2, 1);
    bool sos = false;
    mesh_counters_t counters;
    for (uint32_t number = 1; number <= 3; number++) {
        uint8_t epoch [MESHRECEIPT_EPOCH_MAX], salt [8] = { (uint8_t)number };
        meshreceipt_epoch_t head = { .series = 1, .number = number, .oldest = 1, .closed_s = number };
        tip.mid [0] = (uint8_t)number;
        size_t size = meshreceipt_epoch_sign (
            epoch, &head, salt, (const uint8_t (*) [MESHRECEIPT_MID]) & tip.mid, &sos, 1, s_secret);
        assert_int_equal (mesh_epoch_in (s_node [0], epoch, size, s_now), 0);
        s_run (0);
        s_tick (30000);
        mesh_counters (s_node [1], &counters, s_now);
        assert_int_equal (counters.epochs, number);
    }
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
            taken += head.leads;
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
    if (sodium_init () < 0)
        return 1;
    crypto_sign_keypair (s_public, s_secret);
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_teardown (test_chain_delivers_and_the_sender_learns, s_end),
        cmocka_unit_test_teardown (test_mule_and_epoch, s_end),
        cmocka_unit_test_teardown (test_restored_tips_go_on, s_end),
        cmocka_unit_test_teardown (test_tips_end_with_their_life, s_end),
        cmocka_unit_test_teardown (test_store_that_failed_keeps_the_senders_tokens, s_end),
        cmocka_unit_test_teardown (test_linked_neighbours_come_first, s_end),
        cmocka_unit_test_teardown (test_missing_epochs_are_counted, s_end),
        cmocka_unit_test_teardown (test_nothing_but_sos_goes_far_from_the_gateway, s_end),
        cmocka_unit_test_teardown (test_little_room_asks_for_more, s_end),
        cmocka_unit_test_teardown (test_copies_with_tokens_stay_longer, s_end),
        cmocka_unit_test_teardown (test_heading_for_a_gateway_counts, s_end),
        cmocka_unit_test_teardown (test_minted_tokens_are_capped, s_end),
        cmocka_unit_test_teardown (test_a_million_ids, s_end),
        cmocka_unit_test_teardown (test_a_flood_of_own_tips_leaves_room, s_end),
        cmocka_unit_test_teardown (test_a_flood_of_sos_has_limits, s_end),
        cmocka_unit_test_teardown (test_forged_and_replayed_epochs, s_end),
        cmocka_unit_test_teardown (test_bytes_a_minute, s_end),
        cmocka_unit_test_teardown (test_unasked_and_stalled, s_end),
        cmocka_unit_test_teardown (test_an_offer_waits_for_what_others_send, s_end),
        cmocka_unit_test_teardown (test_what_was_promised_comes, s_end),
        cmocka_unit_test_teardown (test_offers_are_gathered, s_end),
        cmocka_unit_test_teardown (test_what_a_link_is_worth, s_end),
        cmocka_unit_test_teardown (test_a_copy_that_crosses_is_no_offence, s_end),
        cmocka_unit_test_teardown (test_slow_is_not_stalled, s_end),
        cmocka_unit_test_teardown (test_a_first_epoch_spreads_over_a_standing_link, s_end),
        cmocka_unit_test_teardown (test_a_black_hole_is_believed_no_more, s_end),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
