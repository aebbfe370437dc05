//  meshoffer_test - offers, answers and requests of the routing core: what waits, what is promised, what crosses, what is too much

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "testmesh.h"

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
    s_play_neighbour (2, 255);
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
    s_play_neighbour (2, 0); //  a gateway: further copies elsewhere are of no use
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
    s_play_neighbour (2, 255);
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
            frame.offers [0] = (meshwire_offer_t){ .id = meshwire_short (&salt, tip.mid),
                .cls = 2,
                .relayed = cases [index].hops > 0,
                .size = cases [index].said };
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

static void s_restore_common (uint32_t node, uint32_t first, uint32_t count)
{
    for (uint32_t number = first; number < count; number++) {
        mesh_tip_t tip = s_tip (number, 2, (uint8_t)(number % 200));
        tip.tokens = number ? 8 : 2; //  the first is offered last
        assert_int_equal (mesh_restore_tip (s_node [node], &tip, s_now), 0);
    }
}

//  Two that have the same thousands, neither knowing it of the other, and one tip that only one has.
static void test_who_has_much_in_common_is_no_flooder (void **state)
{
    (void)state;
    enum { COMMON = 3900 }; //  a hundred less than there may be
    s_begin (2, 64u << 20);
    s_restore_common (0, 0, COMMON + 1);
    s_restore_common (1, 1, COMMON + 1);
    s_meet (0, 1);
    s_tick (3 * 60000);
    mesh_counters_t counters;

    mesh_counters (s_node [1], &counters, s_now);
    assert_int_equal (counters.held [2], COMMON + 1);
    assert_int_equal (counters.tips_had, 0);
    s_nobody_offended ();
}

//  A carrier of thousands meets a gateway: what is taken does not count against it, and goes in the order in which it came.
static void test_a_full_carrier_empties_itself_at_a_gateway (void **state)
{
    (void)state;
    enum { CARRIED = 4000 };
    s_begin (2, 0);
    for (uint32_t number = 0; number < CARRIED; number++) {
        mesh_tip_t tip = s_tip (number, 2, (uint8_t)(number % 200));
        tip.tokens = 1;
        tip.hops = 1;
        assert_int_equal (mesh_restore_tip (s_node [0], &tip, s_now), 0);
    }
    mesh_broker_up (s_node [1], s_now);
    s_meet (0, 1);
    s_tick (5000);
    assert_int_equal (s_submitted, CARRIED);
    for (uint32_t number = 0; number < CARRIED; number++)
        assert_memory_equal (s_submitted_mids [number], s_tip (number, 2, 0).mid, MESH_MID);
    s_nobody_offended ();
}

//  Who is killed and started again in the middle of it has forgotten what it offered; the neighbour has not.
static void test_started_again_is_no_flooder (void **state)
{
    (void)state;
    enum { COMMON = 3900 };
    s_begin (2, 64u << 20);
    for (uint32_t node = 0; node < 2; node++)
        s_restore_common (node, 0, COMMON);
    s_meet (0, 1);
    s_tick (60000);
    mesh_link_down (s_node [1], s_link (0, 1), s_now);
    s_run (1);
    mesh_destroy (&s_node [0]);
    s_new_node (0);
    s_restore_common (0, 0, COMMON);
    s_meet (0, 1);
    s_tick (3 * 60000);
    s_nobody_offended ();
}

//  A thousand large tips of its own, with a gateway beside it: more than the bytes of a minute.
static void test_a_great_writer_is_no_flooder (void **state)
{
    (void)state;
    enum { OWN = 600 };
    s_begin (2, 64u << 20);
    mesh_broker_up (s_node [1], s_now);
    s_meet (0, 1);
    for (uint32_t number = 0; number < OWN; number++) {
        mesh_tip_t own = s_tip (number, 2, 0);
        own.size = 9984;
        assert_int_equal (mesh_own (s_node [0], &own, s_now), 0);
        s_run (0);
    }
    s_tick (4 * 60000);
    assert_int_equal (s_submitted, OWN);
    s_nobody_offended ();
}

//  The neighbour that has the turn is silent, goes away, wants the tip and never says that it has it, or has no room after all: then the
//  other one gets it.
static void test_another_neighbour_has_its_turn (void **state)
{
    (void)state;
    enum { SILENT, AWAY, NO_ACK, FULL };
    static const int64_t wait_ms [] = { 12000, 2000, 62000, 2000 };
    for (unsigned how = SILENT; how <= FULL; how++) {
        s_begin_against (0);
        s_play_neighbour (2, 255);
        mesh_tip_t sos = s_tip (1, 0, 0);
        mesh_own (s_node [0], &sos, s_now);
        s_run (0);
        meshwire_frame_t offer;
        uint32_t first = s_last_frame.link;
        assert_int_equal (meshwire_decode (&offer, s_last_bytes, s_last_frame.size), 0);
        s_last_bytes [0] = 0;
        if (how == AWAY) {
            mesh_link_down (s_node [0], first, s_now);
            s_run (0);
        } else if (how != SILENT) {
            uint8_t bytes [MESH_FRAME_MAX];
            mesh_outgoing_t out;
            meshwire_frame_t want = { .type = MESHWIRE_WANT, .nonce = offer.nonce, .hops = 255, .utility = 9, .count = 1 };
            want.answers [0] = MESHWIRE_WANTED;
            mesh_frame_in (s_node [0], first, bytes, meshwire_encode (bytes, &want), s_now);
            s_run (0);
            assert_true (mesh_next_tip (s_node [0], first, &out, s_now));
            mesh_sending (s_node [0], first, out.mid, s_now);
            mesh_sent (s_node [0], first, out.mid, true, s_now);
            meshwire_salt_t acks = meshwire_salt (s_key [first], s_key [0], 0);
            meshwire_frame_t full = { .type = MESHWIRE_ACK, .id = meshwire_short (&acks, sos.mid), .ack = MESHWIRE_FULL };
            if (how == FULL)
                mesh_frame_in (s_node [0], first, bytes, meshwire_encode (bytes, &full), s_now);
            s_run (0);
        }
        s_tick (wait_ms [how]);
        assert_int_equal (s_last_bytes [0], MESHWIRE_OFFER);
        assert_int_not_equal (s_last_frame.link, first);
        s_end (NULL);
    }
}

//  Who offers what it does not have is waited for once.
static void test_nobody_waits_for_what_is_never_there (void **state)
{
    (void)state;
    s_begin_against (0);
    s_play_neighbour (2, 255);
    for (uint32_t number = 1; number <= 20; number++) {
        mesh_tip_t made_up = s_tip (1000 + number, 0, 1), sos = s_tip (number, 0, 2);
        s_offers (1, &made_up);
        bool at_once = s_offers (2, &sos);
        assert_true (at_once || number == 1);
        meshwire_salt_t salt = meshwire_salt (s_key [1], s_key [0], 5);
        s_say (&(meshwire_frame_t){ .type = MESHWIRE_ACK, .id = meshwire_short (&salt, made_up.mid), .ack = MESHWIRE_GONE });
        if (!at_once)
            s_tick (1000);
        assert_int_equal (s_answer (), MESHWIRE_WANTED);
        uint8_t head [MESH_HEAD];
        meshwire_head_encode (head, &(meshwire_head_t){ .tokens = 1 });
        mesh_facts_t facts = { sos.mid, sos.origin, 0, 592, LIFE };
        assert_int_equal (mesh_tip_in (s_node [0], 2, head, &facts, s_now), MESH_TAKEN);
        mesh_stored (s_node [0], sos.mid, true, s_now);
        s_run (0);
    }
}

//  Node 0 has this one tip, and has offered it to the neighbour that the test plays. What it said is in `offer`.
static mesh_tip_t s_offered_own (meshwire_frame_t *offer)
{
    s_begin_against (0);
    mesh_tip_t own = s_tip (1, 2, 0);
    mesh_own (s_node [0], &own, s_now);
    s_run (0);
    assert_int_equal (meshwire_decode (offer, s_last_bytes, s_last_frame.size), 0);
    assert_int_equal (offer->type, MESHWIRE_OFFER);
    return own;
}

static void s_want (uint16_t nonce)
{
    meshwire_frame_t want = { .type = MESHWIRE_WANT, .nonce = nonce, .hops = 255, .utility = 9, .count = 1 };
    want.answers [0] = MESHWIRE_WANTED;
    s_last_bytes [0] = 0;
    s_say (&want);
}

static void s_was_told_gone (const meshwire_frame_t *offer)
{
    meshwire_frame_t word;
    assert_int_equal (meshwire_decode (&word, s_last_bytes, s_last_frame.size), 0);
    assert_int_equal (word.type, MESHWIRE_ACK);
    assert_int_equal (word.ack, MESHWIRE_GONE);
    assert_int_equal (word.id, offer->offers [0].id);
}

//  Who waits for a tip that has ended here is told, whether it ended before the answer, before its turn or on its way.
static void test_what_ended_meanwhile_is_said (void **state)
{
    (void)state;
    enum { BEFORE_THE_ANSWER, BEFORE_ITS_TURN, ON_ITS_WAY };
    for (unsigned when = BEFORE_THE_ANSWER; when <= ON_ITS_WAY; when++) {
        meshwire_frame_t offer;
        mesh_outgoing_t out;
        mesh_tip_t own = s_offered_own (&offer);
        if (when == BEFORE_THE_ANSWER)
            mesh_withdraw (s_node [0], own.mid, s_now);
        s_want (offer.nonce);
        if (when == ON_ITS_WAY) {
            assert_true (mesh_next_tip (s_node [0], 1, &out, s_now));
            mesh_sending (s_node [0], 1, out.mid, s_now);
        }
        if (when != BEFORE_THE_ANSWER) {
            assert_int_equal (s_last_bytes [0], 0);
            mesh_withdraw (s_node [0], own.mid, s_now);
        }
        if (when == ON_ITS_WAY)
            mesh_sent (s_node [0], 1, own.mid, false, s_now);
        else
            assert_false (mesh_next_tip (s_node [0], 1, &out, s_now));
        s_run (0);
        s_was_told_gone (&offer);
        s_end (NULL);
    }
}

//  Who is slow to answer has nothing new offered to him, and gets what he wants all the same.
static void test_a_late_answer_holds (void **state)
{
    (void)state;
    meshwire_frame_t offer;
    mesh_outgoing_t out;
    mesh_tip_t own = s_offered_own (&offer), second = s_tip (2, 2, 0);
    s_last_bytes [0] = 0;
    s_tick (15000);
    mesh_own (s_node [0], &second, s_now);
    s_tick (5000);
    assert_int_equal (s_last_bytes [0], 0);
    s_want (offer.nonce);
    assert_int_equal (s_last_bytes [0], MESHWIRE_OFFER); //  of the second
    assert_true (mesh_next_tip (s_node [0], 1, &out, s_now));
    assert_memory_equal (out.mid, own.mid, MESH_MID);
}

//  What the neighbour says is gone is waited for no more; its bytes are spent, so that nobody offers for ever what he does not have.
static void test_what_is_gone_is_no_offence_and_is_spent (void **state)
{
    (void)state;
    s_begin_against (64u << 20);
    meshwire_salt_t salt = meshwire_salt (s_key [1], s_key [0], 5);
    meshwire_frame_t frame = { .type = MESHWIRE_OFFER, .nonce = 5, .count = 1 };
    uint32_t asked = 0;
    for (uint32_t number = 0; number < 500; number++) {
        mesh_tip_t tip = s_tip (number, 2, 1);
        frame.offers [0]
            = (meshwire_offer_t){ .id = meshwire_short (&salt, tip.mid), .cls = 2, .relayed = true, .size = 9984 };
        s_say (&frame);
        if (s_answer () != MESHWIRE_WANTED)
            break;
        asked++;
        s_say (&(meshwire_frame_t){ .type = MESHWIRE_ACK, .id = frame.offers [0].id, .ack = MESHWIRE_GONE });
    }
    assert_in_range (asked, (3u << 20) / 9984 - 1, (3u << 20) / 9984 + 1);
    s_tick (90000);
    assert_int_equal (s_offences [MESH_STALLED], 0);
    //  one word is for one tip
    for (uint32_t index = 0; index < 2; index++)
        frame.offers [index] = (meshwire_offer_t){ .id = 1000 + index, .cls = 2, .size = 592 };
    frame.count = 2;
    s_say (&frame);
    assert_int_equal (s_answer (), MESHWIRE_WANTED);
    s_say (&(meshwire_frame_t){ .type = MESHWIRE_ACK, .id = 1000, .ack = MESHWIRE_GONE });
    s_say (&(meshwire_frame_t){ .type = MESHWIRE_ACK, .id = 7, .ack = MESHWIRE_GONE });
    s_tick (90000);
    assert_int_equal (s_offences [MESH_STALLED], 1);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_teardown (test_an_offer_waits_for_what_others_send, s_end),
        cmocka_unit_test_teardown (test_what_was_promised_comes, s_end),
        cmocka_unit_test_teardown (test_offers_are_gathered, s_end),
        cmocka_unit_test_teardown (test_what_a_link_is_worth, s_end),
        cmocka_unit_test_teardown (test_a_copy_that_crosses_is_no_offence, s_end),
        cmocka_unit_test_teardown (test_bytes_a_minute, s_end),
        cmocka_unit_test_teardown (test_slow_is_not_stalled, s_end),
        cmocka_unit_test_teardown (test_who_has_much_in_common_is_no_flooder, s_end),
        cmocka_unit_test_teardown (test_a_full_carrier_empties_itself_at_a_gateway, s_end),
        cmocka_unit_test_teardown (test_started_again_is_no_flooder, s_end),
        cmocka_unit_test_teardown (test_a_great_writer_is_no_flooder, s_end),
        cmocka_unit_test_teardown (test_another_neighbour_has_its_turn, s_end),
        cmocka_unit_test_teardown (test_nobody_waits_for_what_is_never_there, s_end),
        cmocka_unit_test_teardown (test_what_ended_meanwhile_is_said, s_end),
        cmocka_unit_test_teardown (test_a_late_answer_holds, s_end),
        cmocka_unit_test_teardown (test_what_is_gone_is_no_offence_and_is_spent, s_end),
    };
    return cmocka_run_group_tests (tests, s_keys, NULL);
}
